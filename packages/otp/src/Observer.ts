/**
 * The live processes of a node as data: who is whose child, and how they do. A snapshot is taken in one synchronous step, so
 * it is consistent, and it disturbs nobody. `changes` goes on from a snapshot without a gap.
 *
 * The counterpart of OTP's `observer` and `supervisor:which_children` over the whole tree. Memory by process is not known: JavaScript
 * has one heap and does not say whose is what.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Change } from "./internal/changes.js"
import type { Kernel, Process } from "./internal/kernel.js"
import type { Kind } from "./internal/signal.js"
import { type Pid, ProcessTable } from "./Process.js"

/**
 * What happens to processes, and what a process is.
 *
 * @since 0.1.0
 * @category models
 */
export type { Change, Kind }

/**
 * One process with its children.
 *
 * @since 0.1.0
 * @category models
 */
export interface Node {
  readonly pid: Pid
  readonly name: string | undefined
  readonly kind: Kind
  /** By which its supervisor knows it. */
  readonly childId: string | undefined
  /** How often its supervisor has started it again. */
  readonly restarts: number
  readonly uptimeMillis: number
  /** Messages and signals that wait in its mailbox. */
  readonly waiting: number
  /** Messages its mailbox refused because it was full, ever. */
  readonly refused: number
  /** Asked to end, and still running its finalizers. */
  readonly ending: boolean
  /** What only a supervisor has. */
  readonly supervisor:
    | {
        readonly strategy: string
        /** Restarts of any of its children, ever. */
        readonly restarts: number
        /** Ids of its children that have no process now. */
        readonly stopped: ReadonlyArray<string>
      }
    | undefined
  /** Oldest first. */
  readonly children: ReadonlyArray<Node>
}

/**
 * The processes that nobody started as a child, oldest first, each with its tree.
 *
 * @since 0.1.0
 * @category introspection
 */
export const snapshot: Effect.Effect<ReadonlyArray<Node>, never, ProcessTable> = Effect.map(ProcessTable, kernel =>
  take(kernel)
)

const take = (kernel: Kernel): ReadonlyArray<Node> => {
  const nowMillis = kernel.timers.nowMillis()
  const roots: Array<Process> = []
  const childrenOf = new Map<Process, Array<Process>>()
  for (const process of kernel.processes.values()) {
    const parent = process.parent
    // An orphan whose parent died without taking it along stands by itself.
    if (parent === undefined || !parent.alive) roots.push(process)
    else {
      const siblings = childrenOf.get(parent)
      if (siblings === undefined) childrenOf.set(parent, [process])
      else siblings.push(process)
    }
  }
  const nodeOf = (process: Process, childId: string | undefined, restarts: number): Node => {
    const view = process.view?.()
    const known = new Map(view?.children.map(child => [child.pid, child] as const))
    return {
      pid: process.pid,
      name: process.name,
      kind: process.kind,
      childId,
      restarts,
      uptimeMillis: nowMillis - process.bornMillis,
      waiting: process.mailbox.length,
      refused: process.mailbox.refused,
      ending: process.ending !== undefined,
      supervisor: view && {
        strategy: view.strategy,
        restarts: view.restarts,
        stopped: view.children.flatMap(child => (child.pid === undefined && child.id !== undefined ? [child.id] : []))
      },
      children: (childrenOf.get(process) ?? []).map(child => {
        const seen = known.get(child.pid)
        return nodeOf(child, seen?.id, seen?.restarts ?? 0)
      })
    }
  }
  return roots.map(root => nodeOf(root, undefined, 0))
}

/**
 * A snapshot as indented text, one process a line.
 *
 * @since 0.1.0
 * @category introspection
 */
export const format = (nodes: ReadonlyArray<Node>, depth = 0): string =>
  nodes
    .map(node => {
      const line = `${"  ".repeat(depth)}${describe(node)}`
      return node.children.length === 0 ? line : `${line}\n${format(node.children, depth + 1)}`
    })
    .join("\n")

const describe = (node: Node): string => {
  const { supervisor } = node
  const parts = [
    node.kind,
    ...(node.name === undefined ? [] : [node.name]),
    ...(node.childId === undefined || node.childId === node.name ? [] : [`id=${node.childId}`]),
    node.pid.label,
    ...(supervisor === undefined ? [] : [supervisor.strategy]),
    `up=${Duration.format(Duration.millis(Math.floor(node.uptimeMillis)))}`,
    `waiting=${node.waiting}`,
    ...(node.refused === 0 ? [] : [`refused=${node.refused}`]),
    ...(node.restarts === 0 ? [] : [`restarts=${node.restarts}`]),
    ...(node.ending ? ["ending"] : []),
    ...(supervisor === undefined || supervisor.stopped.length === 0 ? [] : [`stopped=${supervisor.stopped.join(",")}`])
  ]
  return parts.join(" ")
}

/**
 * What `changes` tells: first the tree as it is, then each change of it. A reader that falls behind gets the tree anew, instead of
 * the changes it has missed.
 *
 * @since 0.1.0
 * @category models
 */
export type Observation = { readonly _tag: "Snapshot"; readonly roots: ReadonlyArray<Node> } | Change

/** How many changes may wait for a reader. */
const waitingMax = 1_024

/**
 * The tree and its changes, in order and without a gap: the first element is a `Snapshot`. At most 1,024 changes wait for a reader;
 * when it falls further behind they are dropped, and the next element is a `Snapshot` again.
 *
 * @since 0.1.0
 * @category introspection
 */
export const changes: Stream.Stream<Observation, never, ProcessTable> = Stream.unwrapScoped(
  Effect.gen(function* () {
    const kernel = yield* ProcessTable
    let waiting: Array<Observation> = []
    let missed = true
    let wake: (() => void) | undefined
    yield* Effect.acquireRelease(
      Effect.sync(() =>
        kernel.changes.subscribe(change => {
          if (missed) return
          if (waiting.length < waitingMax) waiting.push(change)
          else {
            missed = true
            waiting = []
          }
          wake?.()
        })
      ),
      unsubscribe => Effect.sync(unsubscribe)
    )
    const next = Effect.async<ReadonlyArray<Observation>>(resume => {
      const give = (): void => {
        wake = undefined
        const told: ReadonlyArray<Observation> = missed ? [{ _tag: "Snapshot", roots: take(kernel) }] : waiting
        missed = false
        waiting = []
        resume(Effect.succeed(told))
      }
      if (missed || waiting.length > 0) give()
      else wake = give
      return Effect.sync(() => {
        wake = undefined
      })
    })
    return Stream.flattenIterables(Stream.repeatEffect(next))
  })
)
