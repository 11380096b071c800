/**
 * A cluster of store nodes in one fiber runtime, for tests that kill nodes, cut links and wait for hours, in a second and without a socket.
 *
 * Each node has what a node of its own has: a process table, the store's supervision tree, gateway workers, a member of the store's Raft group, log and events. The links between them are in
 * memory and can be cut. Clients go through the codec, so that what a socket would not carry does not get through here, and fail over from node to node by the rules of the real client.
 *
 * All time is that of the `Clock`: under `TestClock` elections, repetitions and timeouts take place while time is let pass, see {@link whileTimePasses}.
 *
 * ```ts
 * it.scoped("an append outlives its leader", () =>
 *   StoreCluster.whileTimePasses(
 *     Effect.gen(function* () {
 *       const cluster = yield* StoreCluster.make()
 *       const store = yield* cluster.client()
 *       yield* store.append("order-1", "no_stream", [yield* Event.json({ type: "OrderPlaced", data: {} })])
 *       yield* cluster.kill(yield* cluster.leader)
 *       assert.strictEqual(yield* store.getVersion("order-1"), 0)
 *     })
 *   )
 * )
 * ```
 *
 * @since 0.1.0
 */
import * as path from "node:path"
import * as EventStore from "@reckon/client/EventStore"
import * as Limits from "@reckon/client/Limits"
import type { NodeStatus } from "@reckon/client/StoreRpcs"
import * as Embedded from "@reckon/db/EventStore"
import type { StoreSettingsOptions } from "@reckon/db/StoreConfig"
import type { TransferError } from "@reckon/raft/RaftError"
import type * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import * as Failover from "./internal/storeCluster/failover.js"
import * as Network from "./internal/storeCluster/network.js"
import * as Node from "./internal/storeCluster/node.js"

/**
 * @since 0.1.0
 * @category options
 */
export interface Options {
  /** How many nodes, 1 to 9, named `n1`, `n2` and so on. Default 3. */
  readonly nodes?: number | undefined
  /** The store's name, default `default`. */
  readonly store?: string | undefined
  /** Where the nodes keep their files, each in a folder of its name. Default: in memory, which outlives their processes as a disk would. */
  readonly dataDir?: string | undefined
  /** What anything takes on its way, between nodes and between a client and a node. Default: nothing. */
  readonly latency?: Duration.DurationInput | undefined
  /** The store's settings, on all nodes. */
  readonly settings?: StoreSettingsOptions | undefined
  /** The sizes that nodes and clients accept. */
  readonly limits?: Limits.Limits | undefined
}

/**
 * @since 0.1.0
 * @category options
 */
export interface ClientOptions {
  /** The node to ask first. Default: the first one. */
  readonly first?: string | undefined
  /** How long a request is repeated that may yet succeed. Default 10 seconds. */
  readonly timeout?: Duration.DurationInput | undefined
  /** Something to stand between the client and the cluster, such as a fault that a test is to find. */
  readonly between?: ((requests: EventStore.Requests) => EventStore.Requests) | undefined
}

/**
 * The nodes go by their names; any other name is a defect.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  readonly store: string
  readonly nodes: ReadonlyArray<string>

  // ── clients ──

  /** A client of its own: it asks the node that served it last, and the next one once that fails. */
  readonly client: (options?: ClientOptions) => Effect.Effect<EventStore.Service>
  /** The store as a program in the node's own process has it: without a gateway, without encoding, and bound to that node. */
  readonly embedded: (node: string) => Effect.Effect<EventStore.Service>

  // ── nodes ──

  /** Ends all processes of the node at once. Its requests are lost, what it has written stays. */
  readonly kill: (node: string) => Effect.Effect<void>
  /** Starts a killed node again, with what it has written. */
  readonly restart: (node: string) => Effect.Effect<void>
  /** The nodes that run. */
  readonly running: Effect.Effect<ReadonlyArray<string>>
  /** How each node that runs sees itself. */
  readonly statuses: Effect.Effect<ReadonlyArray<NodeStatus>>
  /** The node that leads, as soon as there is one that has committed something in its term. */
  readonly leader: Effect.Effect<string>
  /** Returns when all nodes run and agree: on a leader, and in what they have applied. */
  readonly settled: Effect.Effect<void>
  /** Has the leader hand over to the node. */
  readonly transfer: (to: string) => Effect.Effect<void, TransferError>

  // ── links ──

  /** Cuts the link between two nodes. Clients reach both all the same. */
  readonly cut: (one: string, other: string) => Effect.Effect<void>
  readonly mend: (one: string, other: string) => Effect.Effect<void>
  /** Cuts all links of a node. */
  readonly isolate: (node: string) => Effect.Effect<void>
  /** Mends all links. */
  readonly heal: Effect.Effect<void>
}

/**
 * @since 0.1.0
 * @category tags
 */
export class StoreCluster extends Context.Tag("@reckon/testkit/StoreCluster")<StoreCluster, Service>() {}

/** How often something is looked at that is waited for. */
const poll = "20 millis"

const untilSome = <A, E>(look: Effect.Effect<Option.Option<A>, E>): Effect.Effect<A, E> =>
  Effect.flatMap(
    look,
    Option.match({
      onSome: Effect.succeed,
      onNone: () =>
        Effect.delay(
          Effect.suspend(() => untilSome(look)),
          poll
        )
    })
  )

/**
 * Starts the nodes; they are stopped with the scope. They elect their leader while time passes. What cannot be started, such as a bad setting, is a defect.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options = {}): Effect.Effect<Service, never, Scope.Scope> =>
  Effect.gen(function* () {
    const store = options.store ?? "default"
    const limits = options.limits ?? Limits.defaults
    const latency = options.latency === undefined ? undefined : Duration.decode(options.latency)
    const network = yield* Network.make(latency)
    const members = Array.from({ length: options.nodes ?? 3 }, (_, at) => ({
      name: `n${at + 1}`,
      // Nobody listens there: nodes and clients reach each other in memory.
      address: { host: "127.0.0.1", port: at + 1 }
    }))
    const names = members.map(({ name }) => name)
    const nodes = yield* Effect.forEach(members, self =>
      Node.make({
        store,
        self,
        peers: members.filter(other => other !== self),
        transport: network.transport(self.name),
        dataDir: options.dataDir === undefined ? undefined : path.join(options.dataDir, self.name),
        settings: options.settings,
        limits
      })
    )

    const find = (name: string): Effect.Effect<Node.Node> => {
      const found = nodes.find(node => node.name === name)
      return found === undefined
        ? Effect.dieMessage(`there is no node "${name}", only ${names.join(", ")}`)
        : Effect.succeed(found)
    }

    // ── what the nodes say ──

    const statuses: Service["statuses"] = Effect.suspend(() =>
      Effect.forEach(
        nodes.filter(node => node.isUp()),
        node => node.store.backend.status
      )
    )

    const leading = Effect.map(statuses, all =>
      all
        .filter(({ commitIndex, role }) => role === "leader" && commitIndex > 0)
        .reduce<NodeStatus | null>((newest, one) => (newest === null || one.term > newest.term ? one : newest), null)
    )

    const leader = untilSome(Effect.map(leading, found => Option.map(Option.fromNullable(found), ({ node }) => node)))

    const haveSettled = Effect.map(statuses, all => {
      const [first] = all
      const agree = all.every(
        ({ appliedIndex, commitIndex, leader }) =>
          leader !== null &&
          leader === first?.leader &&
          appliedIndex === first.appliedIndex &&
          appliedIndex === commitIndex
      )
      return agree && all.length === nodes.length && all.some(({ role }) => role === "leader")
        ? Option.some(undefined)
        : Option.none()
    })

    // ── links ──

    const links = names.flatMap((one, at) => names.slice(at + 1).map(other => ({ one, other })))
    const linkOf = (one: string, other: string) => Effect.all([find(one), find(other)])

    return StoreCluster.of({
      store,
      nodes: names,

      client: ({ between, first, timeout } = {}) =>
        Effect.gen(function* () {
          const place = first === undefined ? 0 : nodes.indexOf(yield* find(first))
          const { requests, subscribe } = Failover.make({ store, endpoints: nodes, first: place, latency })
          return yield* EventStore.make({
            store,
            requests: between === undefined ? requests : between(requests),
            subscribe,
            timeout,
            limits
          })
        }).pipe(Effect.orDie),
      embedded: name => Effect.flatMap(find(name), node => Embedded.fromStore(node.store, limits)),

      kill: name => Effect.flatMap(find(name), node => node.kill),
      restart: name => Effect.flatMap(find(name), node => node.restart),
      running: Effect.sync(() => nodes.filter(node => node.isUp()).map(({ name }) => name)),
      statuses,
      leader,
      settled: untilSome(haveSettled),
      transfer: to =>
        Effect.gen(function* () {
          yield* find(to)
          const node = yield* Effect.flatMap(leader, find)
          yield* node.store.raft.transferLeadership(to)
        }),

      cut: (one, other) => Effect.zipRight(linkOf(one, other), network.cut(one, other)),
      mend: (one, other) => Effect.zipRight(linkOf(one, other), network.mend(one, other)),
      isolate: name =>
        Effect.flatMap(find(name), () =>
          Effect.forEach(
            links.filter(({ one, other }) => one === name || other === name),
            ({ one, other }) => network.cut(one, other),
            { discard: true }
          )
        ),
      heal: Effect.forEach(links, ({ one, other }) => network.mend(one, other), { discard: true })
    })
  })

/**
 * The cluster, and one client of it as the `EventStore`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options?: Options): Layer.Layer<StoreCluster | EventStore.EventStore> =>
  Layer.scopedContext(
    Effect.gen(function* () {
      const cluster = yield* make(options)
      const client = yield* cluster.client()
      return Context.make(StoreCluster, cluster).pipe(Context.add(EventStore.EventStore, client))
    })
  )

/** `TestClock` cannot tell the nanoseconds of a time between two milliseconds, at which random pauses end. */
const wholeMillis = (clock: Clock.Clock): Clock.Clock =>
  Object.create(clock, {
    sleep: {
      value: (duration: Duration.Duration) => clock.sleep(Duration.millis(Math.ceil(Duration.toMillis(duration))))
    }
  })

/**
 * Lets time pass on the `TestClock`, in small steps, until the effect is done, for at most an hour of it.
 *
 * @since 0.1.0
 * @category time
 */
export const whileTimePasses = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const fiber = yield* Effect.fork(Effect.withClock(effect, wholeMillis(clock)))
    for (let step = 0; step < 72_000; step++) {
      // What can be done without waiting is done first.
      yield* TestClock.adjust(0)
      if (Option.isSome(yield* Fiber.poll(fiber))) break
      yield* TestClock.adjust("50 millis")
    }
    return yield* Fiber.join(fiber)
  })
