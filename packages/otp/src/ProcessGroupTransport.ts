/**
 * How the scopes of process groups reach their namesakes on other nodes, and what they say to each other.
 *
 * A transport gives what Erlang's distribution gives `pg`: to each other node at most one connection, over which
 * messages arrive in the order they were sent, or not at all because the connection is lost. It tells its listeners of both,
 * in the same order as the messages: {@link NodeUp} before the first message that came over a connection, {@link NodeDown}
 * after the last. So nothing sent over an old connection arrives after its end. A message that cannot be carried, because
 * an outbox is full or the bytes make no sense, costs the connection: it must not be left out silently.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"

/**
 * A process of another node. A value: two are equal if all their fields are.
 *
 * @since 0.1.0
 * @category models
 */
export class RemotePid extends Schema.Class<RemotePid>("@reckon/otp/RemotePid")({
  node: Schema.String,
  /** Which process table of the node: one that is started again under the same name is another one. */
  creation: Schema.String,
  /** The number of the process in its table. */
  id: Schema.NonNegativeInt,
  /** For people and logs. */
  label: Schema.String
}) {
  override toString(): string {
    return `${this.label}@${this.node}`
  }
}

// -----------------------------------------------------------------------------------------------------------------
// messages
// -----------------------------------------------------------------------------------------------------------------

/** The scope process that speaks. Every start of a scope is another process, so this tells its incarnations apart. */
const from = { from: RemotePid }

/**
 * "Who are you?" Answered by a `Sync`, and by a `Discover` if the sender was not known. Fields that later versions
 * add are ignored.
 *
 * @since 0.1.0
 * @category messages
 */
export class Discover extends Schema.TaggedClass<Discover>("@reckon/otp/ProcessGroup/Discover")("Discover", from) {}

/**
 * Every member the sender's node has, by group. Takes the place of all that was known of the sender.
 *
 * @since 0.1.0
 * @category messages
 */
export class Sync extends Schema.TaggedClass<Sync>("@reckon/otp/ProcessGroup/Sync")("Sync", {
  ...from,
  /** Pairs on the wire, as a group may have any name. A member is listed as often as it has joined. */
  groups: Schema.ReadonlyMap({ key: Schema.String, value: Schema.Array(RemotePid) })
}) {}

/**
 * Processes of the sender's node have joined a group.
 *
 * @since 0.1.0
 * @category messages
 */
export class Join extends Schema.TaggedClass<Join>("@reckon/otp/ProcessGroup/Join")("Join", {
  ...from,
  group: Schema.String,
  members: Schema.Array(RemotePid)
}) {}

/**
 * Each of the members has left each of the groups, as often as they are listed.
 *
 * @since 0.1.0
 * @category messages
 */
export class Leave extends Schema.TaggedClass<Leave>("@reckon/otp/ProcessGroup/Leave")("Leave", {
  ...from,
  members: Schema.Array(RemotePid),
  groups: Schema.Array(Schema.String)
}) {}

/**
 * The last word of a scope process that has ended: what was known of it holds no longer.
 *
 * @since 0.1.0
 * @category messages
 */
export class ScopeDown extends Schema.TaggedClass<ScopeDown>("@reckon/otp/ProcessGroup/ScopeDown")("ScopeDown", from) {}

/**
 * What scopes say to each other, as a schema.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Message = Schema.Union(Discover, Sync, Join, Leave, ScopeDown)

/**
 * What scopes say to each other.
 *
 * @since 0.1.0
 * @category messages
 */
export type Message = typeof Message.Type

/**
 * A connection to the node is there.
 *
 * @since 0.1.0
 * @category notices
 */
export class NodeUp extends Data.TaggedClass("NodeUp")<{ readonly node: string }> {}

/**
 * The connection to the node is lost; the node itself may well be alive.
 *
 * @since 0.1.0
 * @category notices
 */
export class NodeDown extends Data.TaggedClass("NodeDown")<{ readonly node: string }> {}

/**
 * What a scope hears from its transport.
 *
 * @since 0.1.0
 * @category notices
 */
export type Notice = NodeUp | NodeDown | Message

// -----------------------------------------------------------------------------------------------------------------
// service
// -----------------------------------------------------------------------------------------------------------------

/**
 * The node's way to the scopes of other nodes.
 *
 * @since 0.1.0
 * @category services
 */
export class ProcessGroupTransport extends Context.Tag("@reckon/otp/ProcessGroupTransport")<
  ProcessGroupTransport,
  {
    /** The name of this node, which no other node in reach has. */
    readonly node: string
    /**
     * Hands on what comes for the scope until the `Scope` closes: first a `NodeUp` for each connection there is, then
     * notices and messages as they come. Who listens later to the same scope takes the place of who listened before.
     * `receive` returns at once and does not throw.
     */
    readonly listen: (scope: string, receive: (notice: Notice) => void) => Effect.Effect<void, never, Scope.Scope>
    /**
     * Sends to whatever process listens to the scope on the node when the message arrives. Never waits and never
     * fails; without a connection the message is lost.
     */
    readonly send: (node: string, scope: string, message: Message) => void
  }
>() {}

/**
 * The transport of a node that is alone.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerLocal: Layer.Layer<ProcessGroupTransport> = Layer.succeed(ProcessGroupTransport, {
  node: "local",
  listen: () => Effect.void,
  send: () => {}
})

// -----------------------------------------------------------------------------------------------------------------
// network in memory
// -----------------------------------------------------------------------------------------------------------------

/**
 * Several nodes in one program, each with a process table of its own, and connections that can be cut. For tests.
 *
 * @since 0.1.0
 * @category models
 */
export interface Network {
  /** Brings a node up, with connections to all others that are up and not cut off; down again with the layer. */
  readonly layer: (node: string) => Layer.Layer<ProcessGroupTransport>
  /** Takes the connection between two nodes away, and what is under way on it. */
  readonly cut: (a: string, b: string) => Effect.Effect<void>
  /** Lets the two nodes connect again. */
  readonly heal: (a: string, b: string) => Effect.Effect<void>
}

/** How many messages may be under way to one node. The sender of one more loses its connection, and gets a new one. */
const defaultInboxLimit = 65_536

/**
 * A network without nodes. Messages go through their codec and JSON, so what could not be sent over a wire crashes its
 * sender; `encode: false` hands them over as they are.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeNetwork = (
  options: {
    readonly encode?: boolean | undefined
    /** How many messages may be under way to one node; one more costs the connection. Default 65,536. */
    readonly inboxLimit?: number | undefined
  } = {}
): Effect.Effect<Network> =>
  Effect.sync(() => {
    const carry = options.encode === false ? (message: Message) => message : throughWire
    const limit = options.inboxLimit ?? defaultInboxLimit
    const hosts = new Map<string, Host>()
    const severed = new Set<string>()
    const areConnected = (a: string, b: string): boolean =>
      a !== b && hosts.has(a) && hosts.has(b) && !severed.has(pairOf(a, b))
    const othersOf = (node: string) => Array.from(hosts.keys()).filter(other => areConnected(node, other))

    const connect = (a: string, b: string): void => {
      hosts.get(a)?.take({ from: b, scope: undefined, notice: new NodeUp({ node: b }) })
      hosts.get(b)?.take({ from: a, scope: undefined, notice: new NodeUp({ node: a }) })
    }
    const disconnect = (a: string, b: string): void => {
      hosts.get(a)?.lose(b)
      hosts.get(b)?.lose(a)
    }

    const up = (node: string): Effect.Effect<Host> =>
      Effect.suspend(() => {
        if (hosts.has(node)) return Effect.dieMessage(`node "${node}" is up already`)
        const host = new Host()
        hosts.set(node, host)
        for (const other of othersOf(node)) connect(node, other)
        return Effect.succeed(host)
      })
    const down = (node: string): Effect.Effect<void> =>
      Effect.sync(() => {
        for (const other of othersOf(node)) disconnect(node, other)
        hosts.delete(node)
      })

    const transport = (node: string, host: Host): Context.Tag.Service<ProcessGroupTransport> => ({
      node,
      listen: (scope, receive) =>
        Effect.acquireRelease(
          Effect.sync(() => {
            for (const other of host.connected) receive(new NodeUp({ node: other }))
            host.listeners.set(scope, receive)
          }),
          () =>
            Effect.sync(() => {
              if (host.listeners.get(scope) === receive) host.listeners.delete(scope)
            })
        ),
      send: (to, scope, message) => {
        const target = hosts.get(to)
        if (target === undefined || !areConnected(node, to) || hosts.get(node) !== host) return
        if (target.inbox.length < limit) {
          target.take({ from: node, scope, notice: carry(message) })
        } else {
          disconnect(node, to)
          connect(node, to)
        }
      }
    })

    return {
      layer: node =>
        Layer.scoped(
          ProcessGroupTransport,
          Effect.gen(function* () {
            const host = yield* Effect.acquireRelease(up(node), () => down(node))
            yield* Effect.forkScoped(host.deliverAll)
            return transport(node, host)
          })
        ),
      cut: (a, b) =>
        Effect.sync(() => {
          if (areConnected(a, b)) disconnect(a, b)
          severed.add(pairOf(a, b))
        }),
      heal: (a, b) =>
        Effect.sync(() => {
          if (severed.delete(pairOf(a, b)) && areConnected(a, b)) connect(a, b)
        })
    }
  })

const wire = Schema.parseJson(Message)

const throughWire = (message: Message): Message => Schema.decodeSync(wire)(Schema.encodeSync(wire)(message))

const pairOf = (a: string, b: string): string => JSON.stringify(a < b ? [a, b] : [b, a])

interface Delivery {
  readonly from: string
  /** Undefined: for all scopes of the node. */
  readonly scope: string | undefined
  readonly notice: Notice
}

/** One node of a network: what is under way to it, and who listens there. */
class Host {
  readonly listeners = new Map<string, (notice: Notice) => void>()
  /** The connections the listeners have been told of. */
  readonly connected = new Set<string>()
  inbox: Array<Delivery> = []
  private wake: (() => void) | undefined = undefined

  take(delivery: Delivery): void {
    this.inbox.push(delivery)
    const wake = this.wake
    this.wake = undefined
    wake?.()
  }

  /** The end of a connection: what is under way on it is lost. */
  lose(node: string): void {
    this.inbox = this.inbox.filter(delivery => delivery.from !== node)
    this.take({ from: node, scope: undefined, notice: new NodeDown({ node }) })
  }

  private readonly arrival = Effect.async<void>(resume => {
    if (this.inbox.length > 0) resume(Effect.void)
    else this.wake = () => resume(Effect.void)
  })

  readonly deliverAll: Effect.Effect<never> = Effect.forever(
    Effect.map(this.arrival, () => {
      const arrived = this.inbox
      this.inbox = []
      for (const { notice, scope } of arrived) {
        if (notice._tag === "NodeUp") this.connected.add(notice.node)
        else if (notice._tag === "NodeDown") this.connected.delete(notice.node)
        if (scope !== undefined) this.listeners.get(scope)?.(notice)
        else for (const receive of this.listeners.values()) receive(notice)
      }
    })
  )
}
