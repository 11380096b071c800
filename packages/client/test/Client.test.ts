import * as Net from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Client, Event, type EventStore, ExpectedVersion, StoreError, Wire } from "@reckon/client"
import * as Chunk from "effect/Chunk"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Gateway from "./helpers/gateway.js"

const event = (type: string, data: unknown = {}) => Event.json({ type, data })

const typesOf = (events: Iterable<Event.RecordedEvent>) => [...events].map(recorded => recorded.eventType)

/** A server that does with a connection what it is told to, on a free port. */
const rawServer = (onConnection: (socket: Net.Socket) => void) =>
  Effect.acquireRelease(
    Effect.async<{ readonly server: Net.Server; readonly endpoint: string }>(resume => {
      const sockets = new Set<Net.Socket>()
      const server = Net.createServer(socket => {
        sockets.add(socket)
        socket.on("error", () => {})
        onConnection(socket)
      })
      server.on("close", () => {
        for (const socket of sockets) socket.destroy()
      })
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        const port = typeof address === "object" && address !== null ? address.port : 0
        resume(Effect.succeed({ server, endpoint: `127.0.0.1:${port}` }))
      })
    }),
    ({ server }) => Effect.sync(() => server.close().emit("close"))
  ).pipe(Effect.map(({ endpoint }) => endpoint))

const appendsAt = ({ tags }: Gateway.Gateway) => tags.filter(tag => tag === "Append").length

/** The address of a port nobody listens on any more. */
const deadEndpoint = Effect.scoped(rawServer(() => {}))

describe("reading and writing", () => {
  it.scopedLive("appends and reads back", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make(new Gateway.MemoryStore())
      const client = yield* Client.make({ endpoints: [gateway.endpoint] })
      const events = [yield* event("Placed", { total: 3 }), yield* event("Paid", { total: 3 })]
      const appended = yield* client.append("order-1", ExpectedVersion.NoStream, events)
      assert.deepStrictEqual(appended, { streamId: "order-1", version: 1, position: 1, alreadyPresent: 0 })

      const page = yield* client.read("order-1")
      assert.isTrue(page.isEnd)
      assert.deepStrictEqual(typesOf(page.events), ["Placed", "Paid"])
      const first = page.events[0]
      assert.isDefined(first)
      assert.strictEqual(Object.getPrototypeOf(first.data), Uint8Array.prototype)
      assert.deepStrictEqual(yield* Event.decodeData(first), { total: 3 })

      assert.strictEqual(yield* client.getVersion("order-1"), 1)
      assert.strictEqual(yield* client.getVersion("order-2"), -1)
      assert.strictEqual((yield* client.append("order-1", "any", events)).alreadyPresent, 2)
      const conflict = yield* Effect.flip(client.append("order-1", 7, [yield* event("Late")]))
      assert.deepInclude(conflict, { _tag: "WrongExpectedVersion", expected: 7, actual: 1 })
      assert.strictEqual((yield* Effect.flip(client.read("order-2")))._tag, "StreamNotFound")
    })
  )

  it.scopedLive("streams read page after page, in both directions, and stop at a count", () =>
    Effect.gen(function* () {
      const store = new Gateway.MemoryStore()
      const gateway = yield* Gateway.make(store, { pageMax: 3 })
      const client = yield* Client.make({ endpoints: [gateway.endpoint] })
      for (let index = 0; index < 8; index++) yield* client.append(`s-${index % 2}`, "any", [yield* event(`E${index}`)])

      assert.deepStrictEqual(
        typesOf(yield* Stream.runCollect(client.readAllStream())),
        store.all.map(e => e.eventType)
      )
      assert.deepStrictEqual(typesOf(yield* Stream.runCollect(client.readStream("s-1"))), ["E1", "E3", "E5", "E7"])
      const backward = client.readStream("s-1", { direction: "backward" })
      assert.deepStrictEqual(typesOf(yield* Stream.runCollect(backward)), ["E7", "E5", "E3", "E1"])
      const some = client.readAllStream({ from: 2, count: 4 })
      assert.deepStrictEqual(typesOf(yield* Stream.runCollect(some)), ["E2", "E3", "E4", "E5"])
      assert.strictEqual(Chunk.size(yield* Stream.runCollect(client.readAllStream({ count: 0 }))), 0)
      const streams = Chunk.toReadonlyArray(yield* Stream.runCollect(client.listStreams()))
      assert.deepStrictEqual(streams, [
        { streamId: "s-0", version: 3 },
        { streamId: "s-1", version: 3 }
      ])
      const status = yield* client.status(gateway.endpoint)
      assert.deepInclude(status, { node: "node-1", role: "leader", lastPosition: 7 })
    })
  )

  it.scopedLive("refuses what no node would take before anything is sent", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make(new Gateway.MemoryStore())
      const client = yield* Client.make({
        endpoints: [gateway.endpoint],
        limits: { eventBytesMax: 1000, requestBytesMax: 3000 }
      })
      const big = yield* event("Big", "x".repeat(2000))
      const fair = yield* Effect.replicateEffect(event("Fair", "x".repeat(800)), 4)
      assert.deepInclude(yield* Effect.flip(client.append("s", "any", [big])), {
        _tag: "EventTooLarge",
        eventId: big.eventId,
        limitBytes: 1000
      })
      assert.strictEqual((yield* Effect.flip(client.append("s", "any", fair)))._tag, "RequestTooLarge")
      const invalid = yield* Effect.flip(client.append("", "any", []))
      assert.strictEqual(invalid._tag, "InvalidRequest")
      assert.include(invalid.message, "streamId")
      assert.strictEqual((yield* Effect.flip(client.append("s", -3, [])))._tag, "InvalidRequest")
      assert.strictEqual((yield* Effect.flip(client.read("s", { count: 2000 })))._tag, "InvalidRequest")
      assert.deepStrictEqual(gateway.tags, [])

      const mixed = yield* client.appendAll([
        { streamId: "a", expectedVersion: "any", events: [yield* event("One")] },
        { streamId: "b", expectedVersion: "any", events: [big] },
        { streamId: "c", expectedVersion: 9, events: [yield* event("Three")] }
      ])
      assert.deepStrictEqual(
        mixed.map(result =>
          Either.match(result, { onLeft: error => error._tag, onRight: done => String(done.version) })
        ),
        ["0", "EventTooLarge", "WrongExpectedVersion"]
      )
    })
  )

  it.scopedLive("refuses what no message can carry, whatever its limits say, and goes on", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make(new Gateway.MemoryStore())
      const limits = { eventBytesMax: 2 * Wire.messageBytesMax, requestBytesMax: 2 * Wire.messageBytesMax }
      const client = yield* Client.make({ endpoints: [gateway.endpoint], limits })
      const huge = { ...(yield* event("Huge")), data: new Uint8Array(Wire.messageBytesMax) }
      const error = yield* Effect.flip(client.append("s", "any", [huge]))
      assert.deepInclude(error, { _tag: "RequestTooLarge", limitBytes: Wire.messageBytesMax, retryable: false })
      assert.deepInclude(yield* client.append("s", "any", [yield* event("Small")]), { version: 0 })
      assert.strictEqual(appendsAt(gateway), 1)
    })
  )

  it.effect("wants endpoints that are endpoints", () =>
    Effect.gen(function* () {
      for (const endpoints of [[], ["localhost"], ["host:0"], ["host:65536"], ["a b:1"], ["http://host:80"]]) {
        const error = yield* Effect.flip(Effect.scoped(Client.make({ endpoints })))
        assert.strictEqual(error._tag, "InvalidRequest")
      }
    })
  )
})

describe("coalescing", () => {
  const appendMany = (client: Client.Service, count: number, streamOf: (index: number) => string) =>
    Effect.forEach(
      Array.from({ length: count }, (_, index) => index),
      index => Effect.flatMap(event(`E${index}`), one => client.append(streamOf(index), "any", [one])),
      { concurrency: "unbounded" }
    )

  it.scopedLive("sends appends that wait together in few requests, each stream's in order", () =>
    Effect.gen(function* () {
      const store = new Gateway.MemoryStore()
      const gateway = yield* Gateway.make(store)
      const client = yield* Client.make({ endpoints: [gateway.endpoint] })
      const answers = yield* appendMany(client, 1000, index => `s-${index % 7}`)
      assert.strictEqual(new Set(answers.map(answer => answer.position)).size, 1000)
      assert.isAtMost(gateway.requests.length, 10)
      for (const [streamId, stream] of store.streams) {
        const lane = Number(streamId.slice(2))
        assert.deepStrictEqual(
          typesOf(stream),
          stream.map((_, version) => `E${version * 7 + lane}`)
        )
      }
    })
  )

  it.scopedLive("keeps to the bounds of a request, by number and by bytes", () =>
    Effect.gen(function* () {
      const store = new Gateway.MemoryStore()
      const gateway = yield* Gateway.make(store)
      const byNumber = yield* Client.make({ endpoints: [gateway.endpoint], batching: { appendsMax: 10 } })
      yield* appendMany(byNumber, 95, () => "one-stream")
      assert.isTrue(gateway.requests.every(appends => appends.length <= 10))
      assert.deepStrictEqual(
        typesOf(store.all),
        store.all.map((_, index) => `E${index}`)
      )

      gateway.requests.length = 0
      const limits = { eventBytesMax: 1000, requestBytesMax: 1000 }
      const byBytes = yield* Client.make({ endpoints: [gateway.endpoint], limits })
      yield* appendMany(byBytes, 40, index => `b-${index}`)
      const bytes = gateway.requests.map(appends =>
        appends.flatMap(append => append.events).reduce((sum, one) => sum + Event.byteLength(one), 0)
      )
      assert.isTrue(bytes.every(sum => sum <= 1000))
      assert.strictEqual(gateway.requests.flat().length, 40)
    })
  )

  it.scopedLive("has a bounded number of requests under way, and never two of one stream", () =>
    Effect.gen(function* () {
      const store = new Gateway.MemoryStore()
      const gateway = yield* Gateway.make(store)
      const gate = yield* Deferred.make<void>()
      const seen: Array<number> = []
      gateway.before = () =>
        Effect.suspend(() => {
          seen.push(gateway.requests.length)
          return Deferred.await(gate)
        })
      const client = yield* Client.make({
        endpoints: [gateway.endpoint],
        batching: { inFlightMax: 2, appendsMax: 5, queueAppendsMax: 30 }
      })
      const fiber = yield* Effect.fork(appendMany(client, 20, () => "same"))
      const other = yield* Effect.fork(appendMany(client, 10, index => `other-${index}`))
      yield* Effect.repeat(Effect.sleep(5), { until: () => gateway.requests.length >= 2 })
      const full = yield* Effect.flip(client.append("one-too-many", "any", [yield* event("E")]))
      assert.strictEqual(full._tag, "Overloaded")
      assert.strictEqual(gateway.requests.length, 2)
      const streams = gateway.requests.map(appends => new Set(appends.map(append => append.streamId)))
      assert.strictEqual(streams.filter(names => names.has("same")).length, 1)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(fiber)
      yield* Fiber.join(other)
      const same = store.streams.get("same") ?? []
      assert.deepStrictEqual(
        typesOf(same),
        same.map((_, index) => `E${index}`)
      )
    })
  )
})

describe("repeating", () => {
  it.scopedLive("goes to the next endpoint when one refuses for now, and stays with the one that served", () =>
    Effect.gen(function* () {
      const store = new Gateway.MemoryStore()
      const first = yield* Gateway.make(store)
      const second = yield* Gateway.make(store)
      first.before = () => new StoreError.NoQuorum({ store: "default", detail: "alone" })
      const client = yield* Client.make({ endpoints: [yield* deadEndpoint, first.endpoint, second.endpoint] })
      yield* client.append("s", "any", [yield* event("A")])
      yield* client.append("s", "any", [yield* event("B")])
      assert.strictEqual(appendsAt(first), 1)
      assert.strictEqual(appendsAt(second), 2)
    })
  )

  it.scopedLive("goes to the node that leads, and with `first` stays with the first that serves", () =>
    Effect.gen(function* () {
      const store = new Gateway.MemoryStore()
      const follower = yield* Gateway.make(store, { node: "node-2", role: "follower" })
      const leader = yield* Gateway.make(store)
      const endpoints = [follower.endpoint, leader.endpoint]
      const append = (client: Client.Service) => Effect.flatMap(event("A"), one => client.append("s", "any", [one]))

      const following = yield* Client.make({ endpoints })
      yield* Effect.repeat(append(following), { until: () => appendsAt(leader) > 0 })
      const before = appendsAt(follower)
      assert.isAtLeast(before, 1)
      yield* append(following)
      assert.strictEqual(appendsAt(follower), before)

      const staying = yield* Client.make({ endpoints, nodePreference: "first" })
      const asked = leader.tags.length
      yield* Effect.repeatN(append(staying), 5)
      assert.strictEqual(appendsAt(follower), before + 6)
      assert.strictEqual(leader.tags.length, asked)
    })
  )

  it.scopedLive("does not repeat what cannot succeed", () =>
    Effect.gen(function* () {
      const store = new Gateway.MemoryStore("other")
      const first = yield* Gateway.make(store)
      const second = yield* Gateway.make(store)
      const client = yield* Client.make({ endpoints: [first.endpoint, second.endpoint] })
      assert.strictEqual((yield* Effect.flip(client.readAll()))._tag, "StoreNotFound")
      assert.strictEqual((yield* Effect.flip(client.append("s", "any", [yield* event("A")])))._tag, "StoreNotFound")
      assert.strictEqual(first.tags.length, 2)
      assert.strictEqual(second.tags.length, 0)
    })
  )

  it.scopedLive("writes once when the node dies between taking effect and answering", () =>
    Effect.gen(function* () {
      const store = new Gateway.MemoryStore()
      const first = yield* Gateway.make(store)
      const second = yield* Gateway.make(store)
      first.after = () => Effect.zipRight(first.vanish, Effect.never)
      const client = yield* Client.make({ endpoints: [first.endpoint, second.endpoint] })
      const answer = yield* client.append("s", ExpectedVersion.NoStream, [yield* event("A")])
      assert.deepStrictEqual(answer, { streamId: "s", version: 0, position: 0, alreadyPresent: 1 })
      assert.strictEqual(store.all.length, 1)
    })
  )

  it.scopedLive("does not call refused what an earlier attempt may yet write", () =>
    Effect.gen(function* () {
      const store = new Gateway.MemoryStore()
      const outcomes: Array<string> = []
      for (const [stream, expected] of [
        ["absent", ExpectedVersion.StreamExists],
        ["absent", ExpectedVersion.exact(3)],
        ["present", ExpectedVersion.exact(3)],
        ["present", ExpectedVersion.exact(0)],
        ["present", ExpectedVersion.NoStream]
      ] as const) {
        const first = yield* Gateway.make(store)
        const second = yield* Gateway.make(store)
        if (store.versionOf("present") < 0) {
          const writer = yield* Client.make({ endpoints: [second.endpoint] })
          yield* writer.append("present", "any", [yield* event("A"), yield* event("B")])
        }
        // The first attempt is on its way to a node that dies before it can be told what became of it.
        first.before = () => Effect.zipRight(first.vanish, Effect.never)
        const client = yield* Client.make({ endpoints: [first.endpoint, second.endpoint] })
        outcomes.push((yield* Effect.flip(client.append(stream, expected, [yield* event("C")])))._tag)
      }
      assert.deepStrictEqual(outcomes, [
        "OutcomeUnknown",
        "OutcomeUnknown",
        "OutcomeUnknown",
        "WrongExpectedVersion",
        // The stream can be deleted before the first attempt arrives.
        "OutcomeUnknown"
      ])
    })
  )

  it.scopedLive("does not let the second node's refusal stand for the first one's silence", () =>
    Effect.gen(function* () {
      const store = new Gateway.MemoryStore()
      const first = yield* Gateway.make(store)
      const second = yield* Gateway.make(new Gateway.MemoryStore("other"))
      first.after = () => Effect.zipRight(first.vanish, Effect.never)
      const client = yield* Client.make({ endpoints: [first.endpoint, second.endpoint] })
      assert.strictEqual((yield* Effect.flip(client.append("s", "any", [yield* event("A")])))._tag, "OutcomeUnknown")
      assert.strictEqual(store.all.length, 1)
    })
  )

  it.scopedLive("opens a new connection after a loss, in silence when nothing was under way", () =>
    Effect.gen(function* () {
      const store = new Gateway.MemoryStore()
      const gateway = yield* Gateway.make(store)
      const client = yield* Client.make({ endpoints: [gateway.endpoint] })
      for (let round = 0; round < 5; round++) {
        yield* client.append("s", "any", [yield* event(`E${round}`)])
        gateway.cut()
      }
      assert.strictEqual(store.all.length, 5)
    })
  )

  it.scopedLive("says what was in the way when the time is up", () =>
    Effect.gen(function* () {
      const store = new Gateway.MemoryStore()
      const dead = yield* deadEndpoint
      const quick = { timeout: "1500 millis" } as const

      const gateway = yield* Gateway.make(store)
      gateway.before = () => new StoreError.NoQuorum({ store: "default", detail: "alone" })
      const lossy = yield* Gateway.make(store)
      lossy.after = () => Effect.sync(() => lossy.cut())
      lossy.before = () => (lossy.tags.length > 1 ? gateway.before("Append") : Effect.void)
      const nobody = yield* Client.make({ ...quick, endpoints: [dead] })
      const minority = yield* Client.make({ ...quick, endpoints: [dead, gateway.endpoint] })
      const unknown = yield* Client.make({ ...quick, endpoints: [lossy.endpoint] })

      const [unreachable, refused, lost] = yield* Effect.all(
        [
          Effect.flip(nobody.append("s", "any", [yield* event("A")])),
          // Of a write whose last attempt was not answered in time nobody knows more than that; `Attempts.test.ts` has those.
          Effect.flip(minority.read("s")),
          Effect.flip(unknown.append("s", "any", [yield* event("A")]))
        ],
        { concurrency: "unbounded" }
      )
      assert.deepInclude(unreachable, { _tag: "Unreachable", endpoints: [dead] })
      assert.include(unreachable.message, "ECONNREFUSED")
      assert.strictEqual((yield* Effect.flip(nobody.status(dead)))._tag, "Unreachable")
      assert.strictEqual(refused._tag, "NoQuorum")
      assert.strictEqual(lost._tag, "OutcomeUnknown")
      assert.strictEqual(store.all.length, 1)
    })
  )

  it.scopedLive("a silent, a closing or a foreign peer costs the time it may, no more", () =>
    Effect.gen(function* () {
      const options = { timeout: "1 second", attemptTimeout: "500 millis" } as const
      const silent = yield* rawServer(() => {})
      const foreign = yield* rawServer(socket => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"))
      const closing = yield* rawServer(socket => socket.destroy())
      const failures = yield* Effect.forEach(
        [silent, foreign, closing],
        endpoint =>
          Effect.gen(function* () {
            const client = yield* Client.make({ ...options, endpoints: [endpoint] })
            const read = yield* Effect.flip(client.read("s"))
            assert.strictEqual(read._tag, "Unreachable")
            assert.include(["OutcomeUnknown", "Unreachable"], (yield* Effect.flip(client.append("s", "any", [])))._tag)
            const feed = client.subscribe({ streamId: null, from: "origin" })
            assert.strictEqual((yield* Effect.flip(Stream.runDrain(feed)))._tag, "Unreachable")
            return read.message
          }),
        { concurrency: "unbounded" }
      )
      assert.include(failures[0], "gave no answer within")
      assert.include(failures[1], "does not speak Reckon's protocol")
      // It may be a node with a secret, which says no more to who has none.
      assert.include(
        failures[2],
        "closed the connection without a word; if its cluster has a secret, RECKON_CLUSTER_SECRET"
      )
    })
  )

  it.scopedLive("leaves a silent node for the next one", () =>
    Effect.gen(function* () {
      // Half of its time is what an attempt has unless it is said.
      for (const times of [{ attemptTimeout: "500 millis" }, { timeout: "2 seconds" }] as const) {
        const store = new Gateway.MemoryStore()
        const first = yield* Gateway.make(store)
        const second = yield* Gateway.make(store)
        const client = yield* Client.make({ endpoints: [first.endpoint, second.endpoint], ...times })
        yield* client.append("s", "any", [yield* event("A")])
        first.silence()
        yield* client.append("s", "any", [yield* event("B")])
        assert.deepStrictEqual(typesOf((yield* client.read("s")).events), ["A", "B"])
        assert.strictEqual(second.tags.length, 2)
      }
    })
  )

  it.scopedLive("a node's defect ends the request, not the client", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make(new Gateway.MemoryStore())
      gateway.before = tag => (tag === "ReadAll" ? Effect.dieMessage("out of order") : Effect.void)
      const client = yield* Client.make({ endpoints: [gateway.endpoint] })
      const error = yield* Effect.flip(client.readAll())
      assert.strictEqual(error._tag, "Unreachable")
      assert.include(error.message, "out of order")
      assert.strictEqual(gateway.tags.length, 2)
      assert.strictEqual(yield* client.getVersion("s"), -1)
    })
  )

  it.live("appends under way end with the client", () =>
    Effect.gen(function* () {
      const outcome = yield* Deferred.make<EventStore.AppendFailure>()
      yield* Effect.scoped(
        Effect.gen(function* () {
          const gateway = yield* Gateway.make(new Gateway.MemoryStore())
          gateway.before = () => Effect.never
          const client = yield* Client.make({ endpoints: [gateway.endpoint] })
          const append = Effect.flatMap(event("A"), one => client.append("s", "any", [one]))
          yield* Effect.forkDaemon(Effect.flatMap(Effect.flip(append), error => Deferred.succeed(outcome, error)))
          yield* Effect.repeat(Effect.sleep(5), { until: () => gateway.requests.length > 0 })
        })
      )
      assert.strictEqual((yield* Deferred.await(outcome))._tag, "OutcomeUnknown")
    })
  )

  it.scopedLive("a subscription ends with the client, and what is asked of a closed one says so", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make(new Gateway.MemoryStore())
      const scope = yield* Scope.make()
      const client = yield* Scope.extend(Client.make({ endpoints: [gateway.endpoint] }), scope)
      yield* client.append("s", "any", [yield* event("A")])
      const heard = yield* Deferred.make<void>()
      const feed = client.subscribe({ streamId: "s", from: "origin" })
      const following = yield* Effect.fork(
        Effect.flip(Stream.runForEach(feed, () => Deferred.succeed(heard, undefined)))
      )
      yield* Deferred.await(heard)
      yield* Scope.close(scope, Exit.void)

      const failures = [
        yield* Fiber.join(following),
        yield* Effect.flip(client.read("s")),
        yield* Effect.flip(client.append("s", "any", [yield* event("B")])),
        yield* Effect.flip(Stream.runDrain(feed))
      ]
      for (const failure of failures) {
        assert.deepInclude(failure, { _tag: "Unreachable", detail: "the client is closed" })
      }
    })
  )
})
