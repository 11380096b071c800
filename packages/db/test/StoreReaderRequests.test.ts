import { assert, describe, it } from "@effect/vitest"
import * as Query from "@reckon/client/Query"
import type { StoreError } from "@reckon/client/StoreError"
import type { Consistency } from "@reckon/client/StoreRpcs"
import * as CallError from "@reckon/otp/CallError"
import * as Pool from "@reckon/otp/Pool"
import * as ServiceHandle from "@reckon/otp/ServiceHandle"
import * as RaftError from "@reckon/raft/RaftError"
import * as Effect from "effect/Effect"
import { single } from "../src/Command.js"
import * as CommitSignal from "../src/CommitSignal.js"
import { type Service, StoreEngine } from "../src/StoreEngine.js"
import * as StoreNames from "../src/StoreNames.js"
import * as StoreReader from "../src/StoreReader.js"
import { append, applyAt, event, saveSnapshot, snapshot } from "./helpers/events.js"
import { failed, provided } from "./helpers/processes.js"
import { makeRaft, never } from "./helpers/raft.js"

type Read = (reader: StoreReader.StoreReader, consistency: Consistency) => Effect.Effect<unknown, StoreError>

const page = { from: 0, count: 9, direction: "forward" } as const
const streamId = "a"
const call = { server: "a reader", request: "Read" }

const reads: Readonly<Record<Exclude<keyof StoreReader.StoreReader, "subscribe">, Read>> = {
  read: (reader, consistency) => reader.read({ ...page, streamId, consistency }),
  readAll: (reader, consistency) => reader.readAll({ ...page, asOf: null, consistency }),
  query: (reader, consistency) => reader.query({ ...page, asOf: null, query: Query.all, consistency }),
  versionAt: (reader, consistency) => reader.versionAt({ streamId, epochUs: 1, consistency }),
  positionAt: (reader, consistency) => reader.positionAt({ epochUs: 1, consistency }),
  getVersion: (reader, consistency) => reader.getVersion({ streamId, consistency }),
  streamDetails: (reader, consistency) => reader.streamDetails({ streamId, consistency }),
  hasEvents: (reader, consistency) => reader.hasEvents({ consistency }),
  listStreams: (reader, consistency) => reader.listStreams({ pattern: null, after: null, count: 9, consistency }),
  loadSnapshot: (reader, consistency) => reader.loadSnapshot({ streamId, version: null, consistency }),
  listSnapshots: (reader, consistency) => reader.listSnapshots({ streamId, from: 0, count: 9, consistency })
}

/** A store with an event and a snapshot, of which linearizable reads have this fate. */
const makeReader = (
  readBarrier: Effect.Effect<void, RaftError.ReadError>,
  through: (readers: StoreReader.Readers) => StoreReader.Readers = readers => readers
) =>
  Effect.gen(function* () {
    const engine = yield* StoreEngine
    applyAt(engine, 1, single(append(streamId, "any", event(1))), saveSnapshot(snapshot(streamId, 0)))
    const handle = yield* ServiceHandle.make<Service>("the engine")
    yield* handle.provide(engine)
    const readers = yield* Pool.start(
      StoreReader.pool({ store: "orders", engine: handle, size: 1, idleStop: "1 minute" }),
      { name: StoreNames.streamsReader("orders") }
    )
    const { raft } = makeRaft(engine, { fate: never, readBarrier })
    return StoreReader.make({
      store: "orders",
      readers: through(readers),
      raft,
      engine: handle,
      signal: CommitSignal.make(),
      isLed: () => true
    })
  })

describe("StoreReader", () => {
  for (const [kind, read] of Object.entries(reads)) {
    it.scoped(`${kind} asks the leader where all must be seen, and nobody where what is here is enough`, () =>
      Effect.gen(function* () {
        const reader = yield* makeReader(Effect.fail(new RaftError.ReadTimeout()))
        assert.deepStrictEqual(yield* failed(read(reader, "linearizable")), ["NoQuorum", true])
        yield* read(reader, "local")
      }).pipe(provided)
    )
  }

  for (const [error, tag] of [
    [new RaftError.NotLeader({ leader: null }), "NoQuorum"],
    [new RaftError.ReadTimeout(), "NoQuorum"],
    [new RaftError.Overloaded(), "Overloaded"]
  ] as const) {
    it.scoped(`a read of which Raft says ${error._tag} fails with ${tag}, and may be tried again`, () =>
      Effect.gen(function* () {
        const reader = yield* makeReader(Effect.fail(error))
        assert.deepStrictEqual(yield* failed(reads.read(reader, "linearizable")), [tag, true])
      }).pipe(provided)
    )
  }

  for (const [error, tag] of [
    [new CallError.CallTimeout({ ...call, timeoutMillis: 10_000 }), "Overloaded"],
    [new CallError.MailboxFull({ ...call, capacity: 1 }), "Overloaded"],
    [new CallError.NoProcess(call), "NoQuorum"]
  ] as const) {
    it.scoped(`a read that no reader takes, for ${error._tag}, fails with ${tag}, and may be tried again`, () =>
      Effect.gen(function* () {
        const reader = yield* makeReader(Effect.void, readers => ({ ...readers, call: () => Effect.fail(error) }))
        assert.deepStrictEqual(yield* failed(reads.read(reader, "local")), [tag, true])
      }).pipe(provided)
    )
  }

  it.scoped("a page has four megabytes of events at most, however many are asked for", () =>
    Effect.gen(function* () {
      const engine = yield* StoreEngine
      const data = new Uint8Array(1_500_000)
      applyAt(engine, 1, single(append("large", "any", ...[2, 3, 4, 5].map(n => event(n, { data })))))
      const reader = yield* makeReader(Effect.void)
      const local = { ...page, consistency: "local" } as const
      const pages = [
        yield* reader.read({ ...local, streamId: "large" }),
        yield* reader.readAll({ ...local, asOf: null }),
        yield* reader.query({ ...local, asOf: null, query: Query.streams("large") })
      ]
      assert.deepStrictEqual(
        pages.map(({ events, isEnd, next }) => [events.length, isEnd, next]),
        [
          [2, false, 2],
          [2, false, 2],
          [2, false, 2]
        ]
      )
    }).pipe(provided)
  )
})
