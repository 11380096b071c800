import { assert, describe, it } from "@effect/vitest"
import { Client, Event, EventStore, Query, Snapshot, StoreError, StoreRpcs, StreamMetadata, Wire } from "@reckon/client"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { collect, make as embedded, event } from "./helpers/embedded.js"
import * as Gateway from "./helpers/gateway.js"

/** Through the schema, onto a socket and back. */
const sent = <A, I>(schema: Schema.Schema<A, I>, value: A): A => {
  const encoded = Schema.encodeSync(schema)(value)
  const bytes = Wire.serialization.unsafeMake().encode({ encoded })
  const [message] = Wire.serialization.unsafeMake().decode(bytes ?? new Uint8Array())
  const carried = Schema.decodeUnknownSync(Schema.Struct({ encoded: Schema.Unknown }))(message).encoded
  return Schema.decodeUnknownSync(schema)(carried)
}

const arrivesAsSent = <A, I>(name: string, schema: Schema.Schema<A, I>) =>
  it(`${name} arrives as it was sent`, () =>
    FastCheck.assert(
      FastCheck.property(Arbitrary.make(schema), value => assert.deepStrictEqual(sent(schema, value), value)),
      { numRuns: 30 }
    ))

const { AppendBatchRpc, AppendRpc, DeleteSnapshotsRpc, DeleteStreamRpc, GetVersionRpc, HasEventsRpc } = StoreRpcs
const { ListSnapshotsRpc, ListStreamsRpc, LoadSnapshotRpc, PositionAtRpc, QueryRpc, ReadAllRpc, ReadRpc } = StoreRpcs
const { SaveSnapshotRpc, SetStreamMetadataRpc, StatusRpc, StreamDetailsRpc, SubscribeRpc, VersionAtRpc } = StoreRpcs

describe("every error of a request", () => {
  arrivesAsSent("Append's own", StoreError.AppendError)
  arrivesAsSent("AppendBatch's", AppendBatchRpc.errorSchema)
  arrivesAsSent("DeleteStream's", DeleteStreamRpc.errorSchema)
  arrivesAsSent("SetStreamMetadata's", SetStreamMetadataRpc.errorSchema)
  arrivesAsSent("SaveSnapshot's", SaveSnapshotRpc.errorSchema)
  arrivesAsSent("Read's", ReadRpc.errorSchema)
  arrivesAsSent("StreamDetails's", StreamDetailsRpc.errorSchema)
  arrivesAsSent("LoadSnapshot's", LoadSnapshotRpc.errorSchema)
  arrivesAsSent("any request's", StoreError.RequestError)

  it("keeps its class, its message and whether a retry can help", () => {
    const errors = [
      new StoreError.AppendConditionFailed({ after: -1, position: 7 }),
      new StoreError.StreamTombstoned({ streamId: "order-1" }),
      new StoreError.WrongExpectedVersion({ streamId: "order-1", expected: "no_stream", actual: 3 }),
      new StoreError.NoQuorum({ store: "default", detail: "alone" })
    ] as const
    for (const error of errors) {
      const arrived = sent(AppendBatchRpc.errorSchema, error)
      assert.strictEqual(Object.getPrototypeOf(arrived), Object.getPrototypeOf(error))
      assert.deepStrictEqual([arrived.message, arrived.retryable], [error.message, error.retryable])
    }
  })
})

describe("every payload and answer", () => {
  const query = Query.make({ types: ["A"], tags: ["a", "b"], metadata: [{ field: "f", value: 1 }], stream: "s-*" })
  const read = { store: "default", consistency: "local" } as const
  const page = { ...read, from: -1, count: 7, direction: "backward" } as const
  const payload = { data: Uint8Array.of(0, 255), dataContentType: "application/octet-stream" }
  const newEvent: Event.NewEvent = {
    ...payload,
    eventId: "00000000-0000-4000-8000-000000000000",
    eventType: "Äußerung",
    metadata: null,
    metadataContentType: Event.contentTypeJson,
    tags: ["größe:1", "👍"]
  }
  const recorded: Event.RecordedEvent = { ...newEvent, streamId: "s", version: 2, position: 2 ** 40, epochUs: 2 ** 50 }
  const appends: ReadonlyArray<StoreRpcs.Append> = [
    { streamId: "s", expectedVersion: "stream_exists", events: [newEvent] },
    { streamId: "t", expectedVersion: 4, events: [] }
  ]
  const newSnapshot: Snapshot.NewSnapshot = {
    ...payload,
    streamId: "s",
    version: 3,
    metadata: Uint8Array.of(),
    metadataContentType: "text/plain"
  }
  const snapshot: Snapshot.Snapshot = { ...newSnapshot, epochUs: 5 }
  const details: StreamMetadata.StreamDetails = {
    streamId: "s",
    state: "tombstoned",
    firstVersion: 4,
    lastVersion: 3,
    count: 0,
    bytes: 0,
    createdUs: 1,
    updatedUs: 2,
    metadata: { maxAgeUs: 1, maxCount: null, truncateBefore: 4 }
  }
  const same = <A, I>(schema: Schema.Schema<A, I>, value: A) => assert.deepStrictEqual(sent(schema, value), value)

  it("arrives as it was sent", () => {
    same(AppendRpc.payloadSchema, { store: "default", appends })
    same(AppendBatchRpc.payloadSchema, { store: "default", appends, condition: { query, after: -1 } })
    same(AppendBatchRpc.successSchema, [{ streamId: "s", version: -1, position: -1, alreadyPresent: 0 }])
    same(DeleteStreamRpc.payloadSchema, { store: "default", streamId: "s", expectedVersion: 3, tombstone: true })
    same(SetStreamMetadataRpc.payloadSchema, { store: "default", streamId: "s", metadata: details.metadata })
    same(SaveSnapshotRpc.payloadSchema, { store: "default", snapshot: newSnapshot, keep: 3 })
    same(DeleteSnapshotsRpc.payloadSchema, { store: "default", streamId: "s", version: null })
    same(ReadRpc.payloadSchema, { ...page, streamId: "s" })
    same(ReadRpc.successSchema, { events: [recorded], isEnd: false, next: -1 })
    same(ReadAllRpc.payloadSchema, { ...page, asOf: -1 })
    same(QueryRpc.payloadSchema, { ...page, asOf: null, query })
    same(VersionAtRpc.payloadSchema, { ...read, streamId: "s", epochUs: Number.MAX_SAFE_INTEGER })
    same(PositionAtRpc.payloadSchema, { ...read, epochUs: -1 })
    same(GetVersionRpc.payloadSchema, { ...read, streamId: "s" })
    same(StreamDetailsRpc.payloadSchema, { ...read, streamId: "s" })
    same(StreamDetailsRpc.successSchema, details)
    same(HasEventsRpc.payloadSchema, read)
    same(ListStreamsRpc.payloadSchema, { ...read, pattern: "*", after: "s", count: 1000 })
    same(ListStreamsRpc.successSchema, { streams: [{ streamId: "s", version: 0 }], isEnd: true, next: null })
    same(LoadSnapshotRpc.payloadSchema, { ...read, streamId: "s", version: 3 })
    same(LoadSnapshotRpc.successSchema, snapshot)
    same(ListSnapshotsRpc.payloadSchema, { ...read, streamId: "s", from: 0, count: 0 })
    same(ListSnapshotsRpc.successSchema, {
      snapshots: [{ streamId: "s", version: 3, epochUs: 5, bytes: 2 }],
      isEnd: true
    })
    same(SubscribeRpc.payloadSchema, { store: "default", streamId: null, from: "current" })
    same(StatusRpc.payloadSchema, { store: "default" })
  })
})

/** Every function of a store, most of them in ways that succeed and that fail. What each gave, in order. */
const script = (store: EventStore.Service, events: ReadonlyArray<Event.NewEvent>) =>
  Effect.gen(function* () {
    const given: Array<Either.Either<unknown, unknown>> = []
    const run = <A, E>(effect: Effect.Effect<A, E>) =>
      Effect.map(Effect.either(effect), either => void given.push(either))
    const [a, b, c, d, e] = events
    const tagged = Query.anyTag("x")
    const snapshot = yield* Snapshot.json({ streamId: "s", version: 1, data: { total: 3 } })

    if (a === undefined || b === undefined || c === undefined || d === undefined || e === undefined) return given
    yield* run(store.hasEvents())
    yield* run(store.append("s", "no_stream", [a, b]))
    yield* run(store.append("s", "no_stream", [c]))
    yield* run(store.append("s", "any", [{ ...a, eventType: "Other" }]))
    yield* run(store.appendAll([{ streamId: "t", expectedVersion: "any", events: [c] }]))
    yield* run(
      store.appendBatch([
        { streamId: "u", expectedVersion: "any", events: [d] },
        { streamId: "t", expectedVersion: 0, events: [] }
      ])
    )
    yield* run(
      store.appendBatch([{ streamId: "v", expectedVersion: "any", events: [e] }], {
        condition: { query: tagged, after: -1 }
      })
    )
    yield* run(store.read("s", { count: 1 }))
    yield* run(store.read("nothing"))
    yield* run(store.readAll({ from: 2, direction: "backward", asOf: 2 }))
    yield* run(store.query(tagged, { consistency: "local" }))
    yield* run(collect(store.readStream("s")))
    yield* run(collect(store.readAllStream({ direction: "backward" })))
    yield* run(collect(store.queryStream(Query.or(tagged, Query.streams("u")))))
    yield* run(store.getVersion("s"))
    yield* run(store.exists("s"))
    yield* run(store.exists("nothing"))
    yield* run(store.hasEvents())
    yield* run(collect(store.listStreams({ pattern: "?" })))
    yield* run(store.streamDetails("s"))
    yield* run(store.streamDetails("nothing"))
    yield* run(store.saveSnapshot(snapshot))
    yield* run(store.saveSnapshot({ ...snapshot, version: 9 }))
    yield* run(store.saveSnapshot({ ...snapshot, streamId: "nothing" }))
    yield* run(Effect.map(store.loadSnapshot("s"), ({ data, version }) => ({ data, version })))
    yield* run(store.loadSnapshot("s", { version: 0 }))
    yield* run(store.loadSnapshot("t"))
    yield* run(Effect.map(collect(store.listSnapshots("s")), found => found.length))
    yield* run(store.deleteSnapshots("s"))
    yield* run(store.loadSnapshot("s"))
    yield* run(store.versionAt("s", 0))
    yield* run(store.versionAt("nothing", 0))
    yield* run(store.positionAt(2))
    yield* run(collect(store.readUntil("s", 1)))
    yield* run(collect(store.readRange("s", 1, 2)))
    yield* run(collect(store.queryRange(Query.all, 1, 2)))
    yield* run(store.setStreamMetadata("t", { maxCount: 1 }))
    yield* run(store.deleteStream("s", { expectedVersion: 0 }))
    yield* run(store.deleteStream("s", { expectedVersion: 1 }))
    yield* run(store.read("s"))
    yield* run(store.saveSnapshot(snapshot))
    yield* run(store.append("s", "no_stream", [d]))
    yield* run(store.tombstoneStream("s"))
    yield* run(store.deleteStream("s"))
    yield* run(store.append("s", "any", [e]))
    yield* run(store.setStreamMetadata("s", { maxCount: 1 }))
    yield* run(collect(store.readStream("s")))
    yield* run(collect(Stream.take(store.subscribe({ streamId: null, from: 2 }), 2)))
    return given
  })

describe("a store across a network", () => {
  it.scopedLive("gives what the same store gives in this process, errors and all", () =>
    Effect.gen(function* () {
      const events = yield* Effect.forEach(["A", "B", "C", "D", "E"], type => event(type, { tags: ["x"] }))
      const here = yield* embedded({ pageMax: 2, rowsMax: 3 })
      const gateway = yield* Gateway.make(new Gateway.MemoryStore(), { pageMax: 2, rowsMax: 3 })
      const client = yield* Client.make({ endpoints: [gateway.endpoint] })
      const expected = yield* script(here.store, events)
      const given = yield* script(client, events)
      assert.isAbove(expected.filter(Either.isLeft).length, 14)
      assert.strictEqual(given.length, expected.length)
      for (const [index, answer] of given.entries()) {
        assert.deepStrictEqual(answer, expected[index])
        const [error, wanted] = [answer, expected[index]].map(either => (either?._tag === "Left" ? either.left : null))
        assert.strictEqual(Object.getPrototypeOf(error ?? {}), Object.getPrototypeOf(wanted ?? {}))
      }
      assert.deepStrictEqual(new Set(gateway.tags), new Set([...StoreRpcs.StoreRpcs.requests.keys()]))
    })
  )
})
