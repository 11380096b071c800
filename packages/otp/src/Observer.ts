/**
 * The live processes of a node as data: who is whose child, and how they do. A snapshot is taken in one synchronous step, so
 * it is consistent, and it disturbs nobody.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { Process } from "./internal/kernel.js"
import { type Pid, ProcessTable } from "./Process.js"

/**
 * One process with its children.
 *
 * @since 0.1.0
 * @category models
 */
export interface Node {
  readonly pid: Pid
  readonly name: string | undefined
  readonly kind: "process" | "server" | "supervisor"
  /** Messages and signals that wait in its mailbox. */
  readonly waiting: number
  /** Messages its mailbox refused because it was full, ever. */
  readonly refused: number
  /** Asked to end, and still running its finalizers. */
  readonly ending: boolean
  /** Oldest first. */
  readonly children: ReadonlyArray<Node>
}

/**
 * The processes that nobody started as a child, oldest first, each with its tree.
 *
 * @since 0.1.0
 * @category introspection
 */
export const snapshot: Effect.Effect<ReadonlyArray<Node>, never, ProcessTable> = Effect.map(ProcessTable, kernel => {
  const roots: Array<Process> = []
  const childrenOf = new Map<Process, Array<Process>>()
  for (const process of kernel.processes.values()) {
    const parent = process.parent
    // An orphan whose parent died without taking it along stands by itself.
    if (parent === undefined || !parent.alive) roots.push(process)
    else childrenOf.set(parent, [...(childrenOf.get(parent) ?? []), process])
  }
  const nodeOf = (process: Process): Node => ({
    pid: process.pid,
    name: process.name,
    kind: process.kind,
    waiting: process.mailbox.length,
    refused: process.mailbox.refused,
    ending: process.ending !== undefined,
    children: (childrenOf.get(process) ?? []).map(nodeOf)
  })
  return roots.map(nodeOf)
})

/**
 * A snapshot as indented text, one process a line.
 *
 * @since 0.1.0
 * @category introspection
 */
export const format = (nodes: ReadonlyArray<Node>, depth = 0): string =>
  nodes
    .map(node => {
      const name = node.name === undefined ? "" : ` ${node.name}`
      const line = `${"  ".repeat(depth)}${node.kind}${name} ${node.pid.label} waiting=${node.waiting}`
      return node.children.length === 0 ? line : `${line}\n${format(node.children, depth + 1)}`
    })
    .join("\n")
