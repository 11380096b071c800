import { assert, describe, it } from "@effect/vitest"
import * as Event from "@reckon/client/Event"
import { EventStore } from "@reckon/client/EventStore"
import * as ProcessCluster from "@reckon/testkit/ProcessCluster"
import * as StoreCluster from "@reckon/testkit/StoreCluster"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Stream from "effect/Stream"
import * as VirtualTime from "./helpers/virtualTime.js"

const placed = (total: number) => Event.json({ type: "OrderPlaced", data: { total } })

const totals = (events: ReadonlyArray<Event.RecordedEvent>) => Effect.forEach(events, Event.decodeData)

/** A test of a cluster, in a time that passes as soon as nobody has anything to do, and not while a node starts. */
const onCluster = <E>(
  name: string,
  test: (cluster: StoreCluster.Service) => Effect.Effect<void, E>,
  options?: StoreCluster.Options
) =>
  it(name, () =>
    VirtualTime.run(
      still =>
        still(StoreCluster.make(options)).pipe(
          Effect.flatMap(cluster => test({ ...cluster, restart: node => still(cluster.restart(node)) })),
          Effect.scoped,
          Logger.withMinimumLogLevel(LogLevel.None)
        ),
      { seed: 1, limit: "1 hour" }
    )
  )

/** Some node that is not this one. */
const another = (cluster: StoreCluster.Service, node: string) =>
  Effect.fromNullable(cluster.nodes.find(name => name !== node)).pipe(Effect.orDie)

describe("a cluster in one runtime", () => {
  onCluster("elects one leader, which all nodes follow", cluster =>
    Effect.gen(function* () {
      assert.deepStrictEqual(cluster.nodes, ["n1", "n2", "n3"])
      yield* cluster.settled
      const leader = yield* cluster.leader
      const statuses = yield* cluster.statuses
      assert.deepStrictEqual(
        statuses.map(({ leader, node, role }) => ({ node, leader, leads: role === "leader" })),
        cluster.nodes.map(node => ({ node, leader, leads: node === leader }))
      )
    })
  )

  onCluster("keeps what was acknowledged when the leader is killed, and goes on with another one", cluster =>
    Effect.gen(function* () {
      const store = yield* cluster.client()
      yield* store.append("order-1", "no_stream", [yield* placed(1)])
      const old = yield* cluster.leader
      yield* cluster.kill(old)
      assert.deepStrictEqual(
        yield* cluster.running,
        cluster.nodes.filter(name => name !== old)
      )
      yield* store.append("order-1", 0, [yield* placed(2)])
      assert.notStrictEqual(yield* cluster.leader, old)
      yield* cluster.restart(old)
      yield* cluster.settled
      for (const node of cluster.nodes) {
        const here = yield* cluster.embedded(node)
        const { events } = yield* here.read("order-1", { consistency: "local" })
        assert.deepStrictEqual(yield* totals(events), [{ total: 1 }, { total: 2 }], node)
      }
    })
  )

  onCluster("takes no write without a majority, and says so", cluster =>
    Effect.gen(function* () {
      const store = yield* cluster.client({ timeout: "5 seconds" })
      yield* store.append("order-1", "no_stream", [yield* placed(1)])
      const old = yield* cluster.leader
      const follower = yield* another(cluster, old)
      yield* cluster.kill(old)
      yield* cluster.kill(follower)
      const before = yield* Clock.currentTimeMillis
      const refused = yield* Effect.either(store.append("order-1", 0, [yield* placed(2)]))
      assert.isTrue(Either.isLeft(refused) && refused.left.retryable)
      assert.isAtLeast((yield* Clock.currentTimeMillis) - before, 2_000)
      assert.strictEqual((yield* Effect.flip(store.getVersion("order-1")))._tag, "NoQuorum")
      yield* cluster.restart(follower)
      assert.isAtLeast(yield* store.getVersion("order-1"), 0)
    })
  )

  onCluster("a leader that is cut off answers no read, and the others go on without it", cluster =>
    Effect.gen(function* () {
      const old = yield* cluster.leader
      yield* cluster.isolate(old)
      const there = yield* cluster.embedded(old)
      assert.strictEqual((yield* Effect.flip(there.getVersion("order-1")))._tag, "NoQuorum")
      const store = yield* cluster.client({ first: old, timeout: "20 seconds" })
      yield* store.append("order-1", "no_stream", [yield* placed(1)])
      assert.notStrictEqual(yield* cluster.leader, old)
      assert.strictEqual(yield* there.getVersion("order-1", { consistency: "local" }), -1)
      yield* cluster.heal
      yield* cluster.settled
      assert.strictEqual(yield* there.getVersion("order-1", { consistency: "local" }), 0)
    })
  )

  onCluster(
    "what is on its way over a link when it is cut is lost",
    cluster =>
      Effect.gen(function* () {
        yield* cluster.settled
        const leader = yield* cluster.leader
        const follower = yield* another(cluster, leader)
        const there = yield* cluster.embedded(follower)
        const one = yield* placed(1)
        const append = yield* Effect.fork(Effect.either(there.append("order-1", "no_stream", [one])))
        // The proposal is at the leader by then, and what the leader makes of it has not come back.
        yield* Effect.sleep("150 millis")
        yield* cluster.cut(follower, leader)
        yield* Effect.sleep("1 second")
        yield* cluster.mend(follower, leader)
        const result = yield* Fiber.join(append)
        // It was repeated, with the same id, and found that it had been written already.
        assert.isTrue(Either.isRight(result) && result.right.alreadyPresent === 1)
        assert.strictEqual(yield* there.getVersion("order-1"), 0)
      }),
    { latency: "100 millis" }
  )

  onCluster("hands the leadership over", cluster =>
    Effect.gen(function* () {
      yield* cluster.settled
      const old = yield* cluster.leader
      const next = yield* another(cluster, old)
      yield* cluster.transfer(next)
      assert.strictEqual(yield* cluster.leader, next)
      assert.strictEqual((yield* Effect.flip(cluster.transfer(next)))._tag, "TransferRefused")
    })
  )

  onCluster("a subscription goes on at another node, without a gap and nothing twice", cluster =>
    Effect.gen(function* () {
      const store = yield* cluster.client()
      const seen = yield* store
        .subscribe({ streamId: null, from: "origin" })
        .pipe(Stream.take(20), Stream.runCollect, Effect.fork)
      for (let total = 0; total < 20; total++) {
        yield* store.append(`order-${total % 3}`, "any", [yield* placed(total)])
        if (total === 6) yield* cluster.kill("n1")
        if (total === 9) yield* cluster.restart("n1")
        if (total === 13) yield* cluster.kill("n2")
      }
      const events = [...(yield* Fiber.join(seen))]
      assert.deepStrictEqual(
        yield* totals(events),
        Array.from({ length: 20 }, (_, total) => ({ total }))
      )
    })
  )

  onCluster("a subscription leaves a node that is cut off from the others", cluster =>
    Effect.gen(function* () {
      yield* cluster.settled
      const follower = yield* another(cluster, yield* cluster.leader)
      const seen: Array<unknown> = []
      const reader = yield* cluster.client({ first: follower })
      const subscription = yield* reader.subscribe({ streamId: null, from: "origin" }).pipe(
        Stream.mapEffect(Event.decodeData),
        Stream.tap(data => Effect.sync(() => seen.push(data))),
        Stream.take(4),
        Stream.runDrain,
        Effect.fork
      )
      const writer = yield* cluster.client({ first: yield* cluster.leader })
      yield* writer.append("order-1", "no_stream", [yield* placed(0)])
      yield* Effect.repeat(Effect.sleep("50 millis"), { until: () => seen.length === 1 })
      yield* cluster.isolate(follower)
      for (const total of [1, 2, 3]) yield* writer.append("order-1", "any", [yield* placed(total)])
      yield* Effect.timeout(Fiber.join(subscription), "10 seconds").pipe(Effect.orDie)
      assert.deepStrictEqual(seen, [{ total: 0 }, { total: 1 }, { total: 2 }, { total: 3 }])
    })
  )

  it.scoped("on files, a cluster finds all of it again", () =>
    Effect.gen(function* () {
      const folder = yield* ProcessCluster.temporaryFolder
      const inFolder = <A, E>(use: (cluster: StoreCluster.Service) => Effect.Effect<A, E>) =>
        Effect.scoped(Effect.flatMap(StoreCluster.make({ dataDir: folder }), use))
      yield* inFolder(cluster =>
        Effect.gen(function* () {
          const store = yield* cluster.client()
          yield* store.append("order-1", "no_stream", [yield* placed(1)])
          yield* cluster.kill("n2")
          yield* cluster.restart("n2")
          yield* cluster.settled
        })
      )
      const found = yield* inFolder(cluster =>
        Effect.flatMap(cluster.client(), store => Stream.runCollect(store.readStream("order-1")))
      )
      assert.deepStrictEqual(yield* totals([...found]), [{ total: 1 }])
    }).pipe(StoreCluster.whileTimePasses, Logger.withMinimumLogLevel(LogLevel.None))
  )

  it.effect("is the `EventStore` of a program that does not care where its store is", () =>
    Effect.flatMap(EventStore, store => store.hasEvents()).pipe(
      Effect.map(has => assert.isFalse(has)),
      Effect.provide(StoreCluster.layer()),
      StoreCluster.whileTimePasses,
      Logger.withMinimumLogLevel(LogLevel.None)
    )
  )

  it.scoped("a node that there is not is a defect", () =>
    Effect.gen(function* () {
      const cluster = yield* StoreCluster.make({ nodes: 1 })
      const exit = yield* Effect.sandbox(cluster.kill("n2")).pipe(Effect.flip)
      assert.match(`${exit}`, /there is no node "n2", only n1/)
    })
  )
})

describe("between a client and its cluster", () => {
  onCluster("lies the codec: what a socket would not carry does not get through", cluster =>
    Effect.gen(function* () {
      const store = yield* cluster.client()
      // A name that is none: the client's own check would have stopped it, and the schema of the request does.
      const broken = yield* cluster.client({
        between: requests => ({
          ...requests,
          GetVersion: request => requests.GetVersion({ ...request, consistency: "local", streamId: "" })
        })
      })
      assert.strictEqual(yield* store.getVersion("order-1"), -1)
      const cause = yield* Effect.sandbox(broken.getVersion("order-1")).pipe(Effect.flip)
      assert.match(`${cause}`, /streamId/)
    })
  )

  onCluster("payloads arrive as bytes of their own", cluster =>
    Effect.gen(function* () {
      const store = yield* cluster.client()
      const event = { ...(yield* placed(1)), data: Uint8Array.from([1, 2, 3]) }
      yield* store.append("order-1", "no_stream", [event])
      event.data.fill(0)
      const { events } = yield* store.read("order-1")
      assert.deepStrictEqual([...(events[0]?.data ?? [])], [1, 2, 3])
    })
  )
})
