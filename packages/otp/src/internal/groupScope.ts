/**
 * A scope of process groups as a server: what joins and leaves here, what is known of other nodes, and who is told.
 *
 * Each change of the table and the notices of it are one synchronous step, so a snapshot never falls between the two.
 */
import * as Rpc from "@effect/rpc/Rpc"
import * as RpcGroup from "@effect/rpc/RpcGroup"
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import { globalValue } from "effect/GlobalValue"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import * as GenServer from "../GenServer.js"
import { Down, Message, Pid, ProcessTable } from "../Process.js"
import * as Transport from "../ProcessGroupTransport.js"
import { current } from "./current.js"
import { type GroupChange, type GroupMonitorRef, type MailboxSubscriber, type Subscriber } from "./groupFeed.js"
import { GroupTable, Membership, type Peer } from "./groupTable.js"
import type { Kernel, Process } from "./kernel.js"
import type { MonitorRef } from "./signal.js"

/** The protocol never leaves the node: pids are objects. */
const change = { group: Schema.String, members: Schema.Array(Schema.instanceOf(Pid)) }

export const Protocol = RpcGroup.make(
  Rpc.make("Join", { payload: change }),
  Rpc.make("Leave", { payload: change, success: Schema.Boolean })
)

/** The scopes that run, by their process: how readers find the table without asking the process. */
export const running: WeakMap<Pid, GroupScope> = globalValue(
  Symbol.for("@reckon/otp/ProcessGroup/running"),
  () => new WeakMap<Pid, GroupScope>()
)

export const serverOf = (name: string) =>
  GenServer.make(Protocol, {
    init: (self: GenServer.Self<Transport.Notice | CatchUp>) =>
      Effect.gen(function* () {
        const kernel = yield* ProcessTable
        const transport = yield* Transport.ProcessGroupTransport
        const scope = new GroupScope(name, yield* current, transport, yield* creationOf(kernel))
        yield* Effect.acquireRelease(
          Effect.sync(() => running.set(self.pid, scope)),
          () => Effect.sync(() => scope.close())
        )
        yield* transport.listen(name, notice => scope.receive(notice))
        return scope
      }),
    handlers: {
      Join: ({ group, members }, scope) => {
        scope.join(group, members)
        return GenServer.reply(undefined, scope)
      },
      Leave: ({ group, members }, scope) => GenServer.reply(scope.leave(group, members), scope)
    },
    info: (message, scope) => {
      if (message instanceof CatchUp) {
        const log = Effect.logWarning(
          "messages of other nodes did not fit the scope's mailbox; asking for all they have"
        )
        return Effect.as(Effect.annotateLogs(log, { scope: name, nodes: scope.catchUp() }), GenServer.noReply(scope))
      }
      if (message instanceof Down) {
        scope.died(message.pid)
        return GenServer.noReply(scope)
      }
      // As in OTP, what is unknown is a fault, not to be passed over in silence: the supervisor starts the scope clean.
      return scope.hear(message)
        ? GenServer.noReply(scope)
        : Effect.dieMessage("a scope got a message it does not know")
    }
  })

/** Posted by a scope to itself when it had to drop messages of other nodes. */
export class CatchUp {
  readonly _tag = "CatchUp"
}

const creations = globalValue(Symbol.for("@reckon/otp/ProcessGroup/creations"), () => new WeakMap<Kernel, string>())

/** Tells a process table from any other that the same node had or will have. */
const creationOf = (kernel: Kernel): Effect.Effect<string> =>
  Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    const random = yield* Random.nextIntBetween(0, Number.MAX_SAFE_INTEGER)
    const creation = creations.get(kernel) ?? `${now.toString(36)}-${random.toString(36)}`
    creations.set(kernel, creation)
    return creation
  })

/** A process of this node that the scope has to do with, and monitors for that reason. */
interface Watch {
  readonly ref: MonitorRef
  /** What other nodes call it. */
  readonly remote: Transport.RemotePid
  readonly groups: Set<string>
  readonly subscribers: Set<Subscriber>
}

export class GroupScope {
  readonly table = new GroupTable()
  private readonly self: Transport.RemotePid
  private readonly watches = new Map<Pid, Watch>()
  private readonly monitors = new Map<GroupMonitorRef, MailboxSubscriber>()
  /** By group; undefined stands for all groups. */
  private readonly subscribers = new Map<string | undefined, Set<Subscriber>>()
  /** The nodes there is a connection to. */
  private readonly nodes = new Set<string>()
  /** The nodes of which a message was dropped. */
  private readonly behind = new Set<string>()
  private closed = false

  constructor(
    private readonly name: string,
    readonly process: Process,
    private readonly transport: Context.Tag.Service<Transport.ProcessGroupTransport>,
    private readonly creation: string
  ) {
    this.self = this.remoteOf(process.pid)
  }

  // ---------------------------------------------------------------------------------------------------------------
  // local members
  // ---------------------------------------------------------------------------------------------------------------

  join(group: string, members: ReadonlyArray<Pid>): void {
    if (members.length === 0) return
    const remotes = members.map(pid => {
      const watch = this.watch(pid)
      watch.groups.add(group)
      return watch.remote
    })
    this.table.local.add(group, members)
    this.changed("join", group, members)
    this.broadcast(() => new Transport.Join({ from: this.self, group, members: remotes }))
  }

  leave(group: string, members: ReadonlyArray<Pid>): boolean {
    const left = this.table.local.remove(group, members)
    if (left.length === 0) return false
    const remotes = left.map(pid => {
      const watch = this.watch(pid)
      if (this.table.local.count(group, pid) === 0) watch.groups.delete(group)
      return watch.remote
    })
    for (const pid of left) this.unwatchIdle(pid)
    this.changed("leave", group, left)
    this.broadcast(() => new Transport.Leave({ from: this.self, members: remotes, groups: [group] }))
    return true
  }

  /** A process the scope had to do with is dead: it subscribes no more, and leaves everything at once. */
  died(pid: Pid): void {
    const watch = this.watches.get(pid)
    if (watch === undefined) return
    this.watches.delete(pid)
    for (const subscriber of watch.subscribers) this.unsubscribe(subscriber)
    const groups: Array<string> = []
    for (const group of watch.groups) {
      const times = new Array<Pid>(this.table.local.count(group, pid)).fill(pid)
      this.table.local.remove(group, times)
      this.changed("leave", group, times)
      for (const _ of times) groups.push(group)
    }
    if (groups.length === 0) return
    this.broadcast(() => new Transport.Leave({ from: this.self, members: [watch.remote], groups }))
  }

  /** One monitor for each process, however often it has joined or subscribed. */
  private watch(pid: Pid): Watch {
    const known = this.watches.get(pid)
    if (known !== undefined) return known
    const watch: Watch = {
      ref: this.process.kernel.monitor(this.process, pid),
      remote: this.remoteOf(pid),
      groups: new Set(),
      subscribers: new Set()
    }
    this.watches.set(pid, watch)
    return watch
  }

  private unwatchIdle(pid: Pid): void {
    const watch = this.watches.get(pid)
    if (watch === undefined || watch.groups.size > 0 || watch.subscribers.size > 0) return
    this.watches.delete(pid)
    this.process.kernel.demonitor(this.process, watch.ref)
  }

  private remoteOf(pid: Pid): Transport.RemotePid {
    return new Transport.RemotePid({
      node: this.transport.node,
      creation: this.creation,
      id: pid.id,
      label: pid.label
    })
  }

  // ---------------------------------------------------------------------------------------------------------------
  // other nodes
  // ---------------------------------------------------------------------------------------------------------------

  /** Puts what the transport brings into the mailbox. Messages that find no room are made up for by a `Sync`. */
  receive(notice: Transport.Notice): void {
    if (!this.process.alive) return
    const message = new Message(notice)
    if (notice._tag === "NodeUp" || notice._tag === "NodeDown" || notice._tag === "ScopeDown") {
      this.process.mailbox.push(message)
    } else if (!this.process.mailbox.offer(message)) {
      this.missed(notice.from.node)
    }
  }

  private missed(node: string): void {
    // Past the capacity, but only one at a time.
    if (this.behind.size === 0) this.process.mailbox.push(new Message(new CatchUp()))
    this.behind.add(node)
  }

  /** Exchanges everything with the nodes of which something was missed. */
  catchUp(): ReadonlyArray<string> {
    const nodes = Array.from(this.behind)
    this.behind.clear()
    for (const node of nodes) {
      this.send(node, this.sync())
      this.send(node, new Transport.Discover({ from: this.self }))
    }
    return nodes
  }

  /** False if it is nothing a scope understands. */
  hear(notice: unknown): boolean {
    if (notice instanceof Transport.NodeUp) this.nodeUp(notice.node)
    else if (notice instanceof Transport.NodeDown) this.nodeDown(notice.node)
    else if (notice instanceof Transport.Discover) this.discovered(notice.from)
    else if (notice instanceof Transport.Sync) this.synced(notice)
    else if (notice instanceof Transport.Join) this.joinedThere(notice)
    else if (notice instanceof Transport.Leave) this.leftThere(notice)
    else if (notice instanceof Transport.ScopeDown) this.peerDown(this.known(notice.from))
    else return false
    return true
  }

  private nodeUp(node: string): void {
    if (node === this.transport.node) return
    this.nodes.add(node)
    this.send(node, new Transport.Discover({ from: this.self }))
  }

  private nodeDown(node: string): void {
    this.nodes.delete(node)
    this.peerDown(this.table.peers.get(node))
  }

  private discovered(from: Transport.RemotePid): void {
    if (from.node === this.transport.node) return
    this.send(from.node, this.sync())
    if (this.known(from) !== undefined) return
    this.meet(from)
    this.send(from.node, new Transport.Discover({ from: this.self }))
  }

  private synced({ from, groups }: Transport.Sync): void {
    if (from.node === this.transport.node) return
    const peer = this.known(from) ?? this.meet(from)
    const before = peer.members
    const after = Membership.of(groups)
    peer.members = after
    for (const [group, members] of before.without(after)) this.changed("leave", group, members)
    for (const [group, members] of after.without(before)) this.changed("join", group, members)
  }

  /** A stranger's joins are not counted: what it has comes with its `Sync`. */
  private joinedThere({ from, group, members }: Transport.Join): void {
    const peer = this.known(from)
    if (peer === undefined || members.length === 0) return
    peer.members.add(group, members)
    this.changed("join", group, members)
  }

  private leftThere({ from, groups, members }: Transport.Leave): void {
    const peer = this.known(from)
    if (peer === undefined) return
    for (const [group, times] of countsOf(groups)) {
      const left = peer.members.remove(group, new Array<typeof members>(times).fill(members).flat())
      if (left.length > 0) this.changed("leave", group, left)
    }
  }

  private known(from: Transport.RemotePid): Peer | undefined {
    const peer = this.table.peers.get(from.node)
    return peer !== undefined && Equal.equals(peer.pid, from) ? peer : undefined
  }

  /** Records a scope process. An earlier one of the same node is gone, whether or not that was told. */
  private meet(from: Transport.RemotePid): Peer {
    this.peerDown(this.table.peers.get(from.node))
    const peer: Peer = { pid: from, members: new Membership() }
    this.table.peers.set(from.node, peer)
    return peer
  }

  private peerDown(peer: Peer | undefined): void {
    if (peer === undefined) return
    this.table.peers.delete(peer.pid.node)
    for (const [group, members] of peer.members.toMap()) this.changed("leave", group, members)
  }

  private sync(): Transport.Sync {
    const groups = new Map<string, Array<Transport.RemotePid>>()
    for (const [group, members] of this.table.local.toMap()) {
      groups.set(
        group,
        members.map(pid => this.watch(pid).remote)
      )
    }
    return new Transport.Sync({ from: this.self, groups })
  }

  private send(node: string, message: Transport.Message): void {
    this.transport.send(node, this.name, message)
  }

  private broadcast(message: () => Transport.Message): void {
    if (this.table.peers.size === 0) return
    const sent = message()
    for (const node of this.table.peers.keys()) this.send(node, sent)
  }

  // ---------------------------------------------------------------------------------------------------------------
  // subscribers
  // ---------------------------------------------------------------------------------------------------------------

  /** Subscribes a process, until it wants no more or dies. */
  monitor(subscriber: MailboxSubscriber): void {
    if (!this.subscribe(subscriber)) return
    this.monitors.set(subscriber.ref, subscriber)
    this.watch(subscriber.process.pid).subscribers.add(subscriber)
  }

  demonitor(ref: GroupMonitorRef): boolean {
    const subscriber = this.monitors.get(ref)
    if (subscriber === undefined) return false
    this.unsubscribe(subscriber)
    return true
  }

  /** False if the scope has ended: the subscriber has been told. */
  subscribe(subscriber: Subscriber): boolean {
    if (this.closed || !this.process.alive) {
      subscriber.lost()
      return false
    }
    const { group } = subscriber.ref
    const subscribers = this.subscribers.get(group)
    if (subscribers === undefined) this.subscribers.set(group, new Set([subscriber]))
    else subscribers.add(subscriber)
    return true
  }

  unsubscribe(subscriber: Subscriber): void {
    const { group, pid } = subscriber.ref
    const subscribers = this.subscribers.get(group)
    subscribers?.delete(subscriber)
    if (subscribers?.size === 0) this.subscribers.delete(group)
    this.monitors.delete(subscriber.ref)
    if (pid === undefined) return
    this.watches.get(pid)?.subscribers.delete(subscriber)
    this.unwatchIdle(pid)
  }

  /** How many there are, for whoever looks at the state. */
  get subscriptions(): number {
    let count = 0
    for (const subscribers of this.subscribers.values()) count += subscribers.size
    return count
  }

  private changed(kind: GroupChange["kind"], group: string, members: ReadonlyArray<Pid | Transport.RemotePid>): void {
    this.table.changed(group)
    this.tell(this.subscribers.get(group), kind, group, members)
    this.tell(this.subscribers.get(undefined), kind, group, members)
  }

  private tell(
    subscribers: Iterable<Subscriber> = [],
    kind: GroupChange["kind"],
    group: string,
    members: ReadonlyArray<Pid | Transport.RemotePid>
  ): void {
    for (const subscriber of subscribers) {
      if (subscriber.change(kind, group, members)) continue
      this.unsubscribe(subscriber)
      subscriber.lost()
    }
  }

  /** The end of the scope, however it came: other nodes and subscribers are told. */
  close(): void {
    running.delete(this.process.pid)
    this.closed = true
    for (const subscribers of this.subscribers.values()) {
      for (const subscriber of subscribers) subscriber.lost()
    }
    for (const node of this.nodes) this.send(node, new Transport.ScopeDown({ from: this.self }))
  }
}

const countsOf = (groups: ReadonlyArray<string>): Map<string, number> => {
  const counts = new Map<string, number>()
  for (const group of groups) counts.set(group, (counts.get(group) ?? 0) + 1)
  return counts
}
