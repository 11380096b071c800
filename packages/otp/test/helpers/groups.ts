import { Array as Arr, Deferred, Effect, Exit, Layer, Logger, LogLevel, Option, Order, Scope } from "effect"
import * as Process from "../../src/Process.js"
import * as ProcessGroup from "../../src/ProcessGroup.js"
import { type Network, ProcessGroupTransport } from "../../src/ProcessGroupTransport.js"
import * as Supervisor from "../../src/Supervisor.js"

export type NodeServices = Process.ProcessTable | ProcessGroupTransport

/** One node of a network: a process table and a transport. */
export interface Node {
  readonly name: string
  readonly run: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, Exclude<R, NodeServices>>
  /** Ends all processes of the node and its connections. */
  readonly stop: Effect.Effect<void>
}

export const makeNode = (network: Network, name: string): Effect.Effect<Node, never, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.acquireRelease(Scope.make(), scope => Scope.close(scope, Exit.void))
    const layer = Layer.provideMerge(Process.layer, network.layer(name))
    const context = yield* Layer.buildWithScope(layer, scope)
    return { name, run: Effect.provide(context), stop: Scope.close(scope, Exit.void) }
  })

/** A node whose default scope is supervised, and restarted as often as need be. */
export const makeMember = (network: Network, name: string) =>
  Effect.tap(makeNode(network, name), node => node.run(supervised))

export const supervised = Supervisor.start({
  intensity: 1_000,
  children: [Supervisor.worker("pg", ProcessGroup.startLink())]
})

/** A process that does nothing but live. */
export const idle = (label: string) => Process.spawn(Effect.never, { label })

/** Lets every fiber of all nodes run until nothing is under way any more. */
export const settle = Effect.yieldNow().pipe(Effect.repeatN(80))

export const kill = (pid: Process.Pid) => Effect.zipRight(Process.exit(pid, { _tag: "Killed" }), settle)

/** The process of a scope. */
export const scopeProcess = (scope: string = ProcessGroup.defaultScope) =>
  Effect.flatMap(Process.whereis(ProcessGroup.nameOf(scope)), found =>
    Option.isSome(found) ? Effect.succeed(found.value) : Effect.dieMessage(`the scope "${scope}" does not run`)
  )

/** Members by what they were called, those of other nodes with the node, in order. */
export const namesOf = (members: ReadonlyArray<ProcessGroup.Member>): ReadonlyArray<string> =>
  Arr.sort(
    members.map(member => String(member).replace(/<\d+ (.*)>/, "$1")),
    Order.string
  )

export const membersOf = (group: string) => Effect.map(ProcessGroup.getMembers(group), namesOf)

export const localMembersOf = (group: string) => Effect.map(ProcessGroup.getLocalMembers(group), namesOf)

export const groupsOf = (groups: ReadonlyMap<string, ReadonlyArray<ProcessGroup.Member>>) =>
  Object.fromEntries(Array.from(groups, ([group, members]) => [group, namesOf(members)]))

/** What the table says to readers, whole, in order of the groups. */
export const tableOf = Effect.flatMap(ProcessGroup.whichGroups(), groups =>
  Effect.forEach(Arr.sort(groups, Order.string), group =>
    Effect.map(membersOf(group), names => [group, names] as const)
  )
)

/** A process that subscribes and keeps what it is told. */
export interface Listener {
  readonly pid: Process.Pid
  readonly ref: ProcessGroup.GroupMonitorRef
  readonly snapshot: Record<string, ReadonlyArray<string>>
  /** "join group: members", in the order they came; "lost" at the end. */
  readonly heard: Array<string>
}

export const sayOf = (notice: unknown): string => {
  if (notice instanceof ProcessGroup.MonitorLost) return "lost"
  if (!(notice instanceof ProcessGroup.GroupChange)) return "?"
  return `${notice.kind} ${notice.group}: ${namesOf(notice.members).join(" ")}`
}

export const listener = (group?: string): Effect.Effect<Listener, never, Process.ProcessTable> =>
  Effect.gen(function* () {
    const ready = yield* Deferred.make<Pick<Listener, "ref" | "snapshot">>()
    const heard: Array<string> = []
    const body = Effect.gen(function* () {
      if (group === undefined) {
        const [ref, groups] = yield* ProcessGroup.monitorScope()
        yield* Deferred.succeed(ready, { ref, snapshot: groupsOf(groups) })
      } else {
        const [ref, members] = yield* ProcessGroup.monitor(group)
        yield* Deferred.succeed(ready, { ref, snapshot: { [group]: namesOf(members) } })
      }
      yield* Effect.forever(
        Effect.map(Process.receive, signal => {
          if (signal._tag === "Message") heard.push(sayOf(signal.body))
        })
      )
    })
    const pid = yield* Process.spawn(Effect.orDie(body), { label: "listener" })
    return { pid, heard, ...(yield* Deferred.await(ready)) }
  })

export const quiet = Logger.withMinimumLogLevel(LogLevel.None)
