/**
 * Process groups across nodes, after Erlang's `pg`.
 *
 * A *scope* is a set of groups that is shared with the scopes of the same name on other nodes, over a
 * {@link ProcessGroupTransport}. On each node it is one process, to be put under a supervisor, and a table. Joins and leaves go
 * through the process; reads look into the table and wait for nobody. A process may join a group several times and must
 * then leave as often; its death takes it out of everything. A group is there as long as it has members.
 *
 * What holds for a node's own members is exact; what other nodes have is known eventually, each node's members from that node
 * alone. A connection or a scope process that is lost takes the members behind it out, and brings them back when
 * it is there again. A scope that is started again has forgotten its own members; they are not told, and must join again.
 *
 * ```ts
 * const tree = Supervisor.layer({
 *   children: [Supervisor.worker("groups", ProcessGroup.startLink()), Supervisor.worker("resizer", startResizer)]
 * })
 * // by the resizer, in its `init`
 * const enter = ProcessGroup.join("resizers", self.pid)
 * // by anybody, on any node
 * const found = ProcessGroup.getMembers("resizers")
 * ```
 *
 * @since 0.1.0
 */
import type * as RpcGroup from "@effect/rpc/RpcGroup"
import * as Arr from "effect/Array"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { type CallError, NoProcess } from "./CallError.js"
import * as GenServer from "./GenServer.js"
import { clientOf } from "./internal/client.js"
import { current } from "./internal/current.js"
import {
  Feed,
  flush,
  GroupChange,
  GroupMonitorRef,
  GroupSnapshot,
  MailboxSubscriber,
  MonitorLost
} from "./internal/groupFeed.js"
import { type GroupScope, type Protocol, running, serverOf } from "./internal/groupScope.js"
import type { Member } from "./internal/groupTable.js"
import { Pid, ProcessTable, whereis } from "./Process.js"
import { type ProcessGroupTransport, RemotePid } from "./ProcessGroupTransport.js"

/**
 * A member of a group: a `Pid` of this node or a `RemotePid`.
 *
 * @since 0.1.0
 * @category models
 */
export type { Member }
/**
 * A member that runs on another node, see `ProcessGroupTransport`.
 *
 * @since 0.1.0
 * @category models
 */
/**
 * What subscribers are told.
 *
 * @since 0.1.0
 * @category models
 */
export { GroupChange, GroupMonitorRef, GroupSnapshot, MonitorLost, RemotePid }

// -----------------------------------------------------------------------------------------------------------------
// scopes
// -----------------------------------------------------------------------------------------------------------------

/**
 * The scope that is meant where none is named.
 *
 * @since 0.1.0
 * @category scopes
 */
export const defaultScope = "pg"

/**
 * The name under which the process of a scope is registered on its node.
 *
 * @since 0.1.0
 * @category scopes
 */
export const nameOf = (scope: string): string => `ProcessGroup/${scope}`

/**
 * How a scope is started.
 *
 * @since 0.1.0
 * @category models
 */
export interface StartOptions {
  /** Default `defaultScope`. */
  readonly scope?: string | undefined
  /**
   * How many joins, leaves and messages of other nodes may wait, 65,536 by default. More joins and leaves fail with
   * `MailboxFull`; messages are dropped, and everything is asked for anew once those that wait are through.
   */
  readonly mailboxCapacity?: number | undefined
}

/**
 * Starts a scope on this node, as a child of nobody. Fails with `AlreadyStarted` if the node has it.
 *
 * @since 0.1.0
 * @category scopes
 */
export const start = (
  options: StartOptions = {}
): Effect.Effect<{ readonly pid: Pid }, GenServer.StartError, ProcessTable | ProcessGroupTransport> =>
  GenServer.start(serverOf(options.scope ?? defaultScope), startOptionsOf(options))

/**
 * Starts a scope on this node, linked to the calling process: for `Supervisor.worker`.
 *
 * @since 0.1.0
 * @category scopes
 */
export const startLink = (
  options: StartOptions = {}
): Effect.Effect<{ readonly pid: Pid }, GenServer.StartError, ProcessTable | ProcessGroupTransport> =>
  GenServer.startLink(serverOf(options.scope ?? defaultScope), startOptionsOf(options))

const startOptionsOf = (options: StartOptions): GenServer.StartOptions => ({
  name: nameOf(options.scope ?? defaultScope),
  mailboxCapacity: options.mailboxCapacity
})

const find = (scope: string): Effect.Effect<GroupScope | undefined, never, ProcessTable> =>
  Effect.map(whereis(nameOf(scope)), Option.match({ onNone: () => undefined, onSome: pid => running.get(pid) }))

const need = (scope: string, request: string): Effect.Effect<GroupScope, NoProcess, ProcessTable> =>
  Effect.flatMap(find(scope), found =>
    found === undefined ? Effect.fail(new NoProcess({ server: nameOf(scope), request })) : Effect.succeed(found)
  )

// -----------------------------------------------------------------------------------------------------------------
// membership
// -----------------------------------------------------------------------------------------------------------------

/**
 * Only processes of this node can be made to join or leave here. Nothing of the list was done.
 *
 * @since 0.1.0
 * @category errors
 */
export class NotLocal extends Schema.TaggedError<NotLocal>("@reckon/otp/NotLocal")("NotLocal", {
  group: Schema.String,
  /** The member that is of another node. */
  member: Schema.String
}) {
  override get message(): string {
    return `${this.member} is no process of this node: it cannot join or leave "${this.group}" here`
  }

  /** Whether the same call can succeed later without anything being changed. */
  get retryable(): boolean {
    return false
  }
}

/**
 * Makes processes of this node join a group, each as often as it is listed. When this returns, they are in on this node.
 * A process that is dead joins too, and leaves at once like any that dies; so does a pid of another process table. Fails with
 * `NoProcess` if the scope does not run here.
 *
 * @since 0.1.0
 * @category membership
 */
export const join = (
  group: string,
  members: Member | ReadonlyArray<Member>,
  scope: string = defaultScope
): Effect.Effect<void, NotLocal | CallError, ProcessTable> =>
  Effect.flatMap(locals(group, members), pids =>
    ask(scope, "Join", client => client.call("Join", { group, members: pids }, patient))
  )

/**
 * Makes processes of this node leave a group, each once for each time it is listed. False if none of them was in. Fails
 * with `NoProcess` if the scope does not run here.
 *
 * @since 0.1.0
 * @category membership
 */
export const leave = (
  group: string,
  members: Member | ReadonlyArray<Member>,
  scope: string = defaultScope
): Effect.Effect<boolean, NotLocal | CallError, ProcessTable> =>
  Effect.flatMap(locals(group, members), pids =>
    ask(scope, "Leave", client => client.call("Leave", { group, members: pids }, patient))
  )

const locals = (group: string, members: Member | ReadonlyArray<Member>): Effect.Effect<ReadonlyArray<Pid>, NotLocal> =>
  Effect.forEach(Arr.ensure(members), member =>
    member instanceof Pid ? Effect.succeed(member) : Effect.fail(new NotLocal({ group, member: String(member) }))
  )

const ask = <A, E>(
  scope: string,
  request: string,
  use: (client: GenServer.BoundClient<RpcGroup.Rpcs<typeof Protocol>>) => Effect.Effect<A, E>
): Effect.Effect<A, E | NoProcess, ProcessTable> =>
  Effect.flatMap(need(scope, request), found => use(clientOf(() => found.process, nameOf(scope))))

const patient = { timeout: Duration.infinity }

// -----------------------------------------------------------------------------------------------------------------
// reads
// -----------------------------------------------------------------------------------------------------------------

const read = <A>(
  scope: string,
  from: (found: GroupScope) => ReadonlyArray<A>
): Effect.Effect<ReadonlyArray<A>, never, ProcessTable> =>
  Effect.map(find(scope), found => (found === undefined ? [] : from(found)))

/**
 * The members of a group on all nodes, each as often as it has joined, in no particular order.
 *
 * @since 0.1.0
 * @category reads
 */
export const getMembers = (
  group: string,
  scope: string = defaultScope
): Effect.Effect<ReadonlyArray<Member>, never, ProcessTable> => read(scope, ({ table }) => table.members(group))

/**
 * The members of a group on this node.
 *
 * @since 0.1.0
 * @category reads
 */
export const getLocalMembers = (
  group: string,
  scope: string = defaultScope
): Effect.Effect<ReadonlyArray<Pid>, never, ProcessTable> => read(scope, ({ table }) => table.local.members(group))

/**
 * The groups that have members.
 *
 * @since 0.1.0
 * @category reads
 */
export const whichGroups = (scope: string = defaultScope): Effect.Effect<ReadonlyArray<string>, never, ProcessTable> =>
  read(scope, ({ table }) => table.groups())

/**
 * The groups that have members on this node.
 *
 * @since 0.1.0
 * @category reads
 */
export const whichLocalGroups = (
  scope: string = defaultScope
): Effect.Effect<ReadonlyArray<string>, never, ProcessTable> =>
  read(scope, ({ table }) => Array.from(table.local.groups))

// -----------------------------------------------------------------------------------------------------------------
// subscriptions
// -----------------------------------------------------------------------------------------------------------------

/**
 * Subscribes the calling process to a scope: returns what there is, and from then on every change comes into the
 * mailbox as a `GroupChange`, with no gap between the two. The subscription ends with `demonitor`, with the process, or
 * with a `MonitorLost`: when the scope's process ends, or when the mailbox is full at a change.
 *
 * @since 0.1.0
 * @category subscriptions
 */
export const monitorScope = (
  scope: string = defaultScope
): Effect.Effect<readonly [GroupMonitorRef, ReadonlyMap<string, ReadonlyArray<Member>>], NoProcess, ProcessTable> =>
  Effect.map(subscribed(scope, undefined), ([ref, { table }]) => [ref, table.snapshot(undefined)])

/**
 * Subscribes the calling process to one group, which need not have members yet, and returns its members. Else like `monitorScope`.
 *
 * @since 0.1.0
 * @category subscriptions
 */
export const monitor = (
  group: string,
  scope: string = defaultScope
): Effect.Effect<readonly [GroupMonitorRef, ReadonlyArray<Member>], NoProcess, ProcessTable> =>
  Effect.map(subscribed(scope, group), ([ref, { table }]) => [ref, table.members(group)])

const subscribed = (
  scope: string,
  group: string | undefined
): Effect.Effect<readonly [GroupMonitorRef, GroupScope], NoProcess, ProcessTable> =>
  Effect.gen(function* () {
    const process = yield* current
    const found = yield* need(scope, "monitor")
    const ref = new GroupMonitorRef(scope, group, process.pid)
    found.monitor(new MailboxSubscriber(ref, process))
    return [ref, found] as const
  })

/**
 * Ends a subscription of a process and takes its notices out of the mailbox. False if there was none: it was lost or ended
 * before.
 *
 * @since 0.1.0
 * @category subscriptions
 */
export const demonitor = (ref: GroupMonitorRef): Effect.Effect<boolean, never, ProcessTable> =>
  Effect.zipWith(ProcessTable, find(ref.scope), (kernel, found) => {
    const ended = found?.demonitor(ref) ?? false
    const process = ref.pid === undefined ? undefined : kernel.lookup(ref.pid)
    if (process !== undefined) flush(process, ref)
    return ended
  })

/**
 * How a stream of changes is read.
 *
 * @since 0.1.0
 * @category models
 */
export interface ChangesOptions {
  /** Default `defaultScope`. */
  readonly scope?: string | undefined
  /** How many changes may wait for the reader, 1,024 by default. One more, and a new snapshot takes their place. */
  readonly bufferSize?: number | undefined
}

/**
 * The changes of a scope as a stream: first a snapshot, then every change. A reader that falls too far behind gets, instead of
 * what it missed, another snapshot. Fails with `NoProcess` when the scope's process ends, or is not there;
 * read again after its restart, it begins with a snapshot.
 *
 * @since 0.1.0
 * @category subscriptions
 */
export const scopeChanges = (
  options: ChangesOptions = {}
): Stream.Stream<GroupSnapshot | GroupChange, NoProcess, ProcessTable> => changes(undefined, options)

/**
 * The changes of one group as a stream. Else like `scopeChanges`.
 *
 * @since 0.1.0
 * @category subscriptions
 */
export const groupChanges = (
  group: string,
  options: ChangesOptions = {}
): Stream.Stream<GroupSnapshot | GroupChange, NoProcess, ProcessTable> => changes(group, options)

const changes = (
  group: string | undefined,
  { bufferSize = 1_024, scope = defaultScope }: ChangesOptions
): Stream.Stream<GroupSnapshot | GroupChange, NoProcess, ProcessTable> =>
  Stream.unwrapScoped(
    Effect.gen(function* () {
      const found = yield* need(scope, "changes")
      const ref = new GroupMonitorRef(scope, group, undefined)
      const feed = new Feed(ref, bufferSize, () => found.table.snapshot(group))
      yield* Effect.acquireRelease(
        Effect.sync(() => found.subscribe(feed)),
        () => Effect.sync(() => found.unsubscribe(feed))
      )
      return Stream.repeatEffectChunkOption(feed.pull)
    })
  )
