/** A thread that reads ahead, on files: that it changes no page, and is in nobody's way. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { setImmediate } from "node:timers/promises"
import { Worker } from "node:worker_threads"
import { assert, describe, it, vi } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as fc from "fast-check"
import type { Operation } from "../src/Command.js"
import * as EventStore from "../src/EventStore.js"
import type { Ahead } from "../src/internal/sqlite/ahead.js"
import * as Catalog from "../src/internal/sqlite/catalog.js"
import * as Checkpoints from "../src/internal/sqlite/checkpoints.js"
import * as Database from "../src/internal/sqlite/database.js"
import * as Queries from "../src/internal/sqlite/query.js"
import * as Reader from "../src/internal/sqlite/reader.js"
import { isWorthWhile, type Limits, ReadThread } from "../src/internal/sqlite/readThread.js"
import * as SnapshotRows from "../src/internal/sqlite/snapshotRows.js"
import * as Writer from "../src/internal/sqlite/writer.js"
import * as SqliteStoreEngine from "../src/SqliteStoreEngine.js"
import type { ReadAhead, ReadAll, Service } from "../src/StoreEngine.js"
import { append, applyAt, directionArbitrary, event, historyArbitrary, wholly } from "./helpers/reading.js"

const folder = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "reckon-db-"))),
  made => Effect.sync(() => fs.rmSync(made, { recursive: true }))
)

/** What threads are asked meanwhile. */
const questions = Effect.acquireRelease(
  Effect.sync(() => vi.spyOn(Worker.prototype, "postMessage")),
  spy => Effect.sync(() => spy.mockRestore())
)

/** A thread takes the time it takes to start. */
const until = (isSo: () => boolean) =>
  Effect.promise(async () => {
    while (!isSo()) await setImmediate()
  })

/** Asked for all at once, and not waited for. */
const askFor = (reads: ReadonlyArray<Effect.Effect<Ahead | undefined>>) => {
  const answers = Promise.all(reads.map(read => Effect.runPromise(read)))
  return Effect.promise(() => answers)
}

const eager: Limits = { wishesLeast: 1, pagesMost: 32, bytesMost: 1024 * 1024 }

/** The tables of a file, with a reader and its thread. */
const open = (limits: Partial<Limits> = {}) =>
  Effect.gen(function* () {
    const filename = path.join(yield* folder, "events.sqlite")
    const { db, value } = Database.open(filename, db => {
      const thread = new ReadThread(db, Reader.readAhead, { ...eager, ...limits })
      const catalog = Catalog.make(db)
      const queries = Queries.make(db, catalog)
      const checkpoints = Checkpoints.make(db, Checkpoints.defaults, thread.alone)
      const writer = Writer.make(db, catalog, SnapshotRows.make(db, catalog), queries, checkpoints)
      const reader = Reader.make(db, catalog, queries.search, thread)
      return { checkpoints, reader, thread, writer }
    })
    const { checkpoints, reader, thread, writer } = value
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        thread.close()
        checkpoints.close()
        db.close()
      })
    )
    yield* until(() => thread.isFree(2))
    return {
      checkpoints,
      filename,
      thread,
      writer,
      apply: (at: number, ...operations: ReadonlyArray<Operation>) =>
        writer.apply([{ index: writer.head().appliedIndex + 1, term: 1, command: { at, operations } }]),
      ahead: (options: Partial<ReadAhead>) =>
        reader.readAhead(
          { ...wholly(options), streamId: null, reads: 2, ...options },
          writer.head().lastPosition,
          writer.committed
        ),
      page: (
        streamId: string | null,
        options: Partial<ReadAll> = {},
        known?: Parameters<Reader.Reader["readAll"]>[2]
      ) =>
        streamId === null
          ? reader.readAll(wholly(options), writer.head().lastPosition, known)
          : reader.readStream({ ...wholly(options), streamId }, known)
    }
  })

const many = (streamId: string, count: number, first = 0) =>
  append(streamId, ...Array.from({ length: count }, (_, n) => event(first + n)))

const options = fc.record({
  direction: directionArbitrary,
  from: fc.integer({ min: -2, max: 250 }),
  count: fc.integer({ min: 16, max: 200 }),
  bytesMax: fc.constantFrom(10, 100, 1_000, Number.MAX_SAFE_INTEGER),
  asOf: fc.option(fc.nat({ max: 250 })),
  nowUs: fc.integer({ min: 0, max: 600 })
})

describe("a page of which rows were read ahead", () => {
  it("is the same, whatever became of its streams meanwhile", { timeout: 120_000 }, async () => {
    const streams = ["order", "order-1", "behind", null]
    let taken = 0
    const property = fc.asyncProperty(
      historyArbitrary,
      fc.nat(),
      options,
      fc.constantFrom(0, 60, 1_000, 1024 * 1024),
      (history, at, wanted, bytesMost) =>
        Effect.gen(function* () {
          const { ahead, apply, page, writer } = yield* open({ bytesMost })
          const cut = at % history.length
          apply(0, many("order", 40, 5_000))
          for (const { at, operation } of history.slice(0, cut)) apply(at, operation)
          writer.commit()
          const known = yield* Effect.forEach(
            streams,
            streamId => ahead({ ...wanted, streamId }) ?? Effect.succeed(undefined)
          )
          for (const { at, operation } of history.slice(cut)) apply(at, operation)
          streams.forEach((streamId, n) => {
            if (known[n] !== undefined) taken++
            assert.deepStrictEqual(page(streamId, wanted, known[n]), page(streamId, wanted))
          })
        }).pipe(Effect.scoped, Effect.runPromise)
    )
    await fc.assert(property, { numRuns: 40 })
    assert.isAbove(taken, 20)
  })

  it.scoped("has events of any size, with tags and metadata and without", () =>
    Effect.gen(function* () {
      const { ahead, apply, page, writer } = yield* open({ bytesMost: 100_000 })
      const sizes = [0, 1, 300, 4_000, 5_000, 20_000]
      const events = Array.from({ length: 60 }, (_, n) =>
        event(n, {
          data: new Uint8Array(sizes[n % sizes.length] ?? 0).fill(n),
          metadata: n % 4 === 0 ? null : new Uint8Array(n % 4 === 1 ? 0 : 2_500).fill(n),
          tags: n % 3 === 0 ? [] : [`tag-${n % 5}`, "é"]
        })
      )
      apply(1, append("s", ...events))
      writer.commit()
      for (const direction of ["forward", "backward"] as const) {
        const known = yield* ahead({ streamId: "s", direction, count: 60 }) ?? Effect.succeed(undefined)
        assert.isDefined(known)
        const found = page("s", { direction }, known)
        assert.deepStrictEqual(found, page("s", { direction }))
        assert.lengthOf(typeof found === "string" ? [] : found.events, 60)
      }
    })
  )

  it.scoped("is not left to a thread that could not read it, or only what takes as long to ask for", () =>
    Effect.gen(function* () {
      const { ahead, apply, writer } = yield* open()
      apply(1, many("s", 50), many("short", 10, 100))
      writer.commit()
      apply(2, many("s", 50, 200), many("new", 50, 300))
      const isAsked = (options: Partial<ReadAhead>) => ahead(options) !== undefined
      assert.isTrue(isAsked({ streamId: "s" }))
      assert.isTrue(isAsked({ streamId: "s", from: 49, direction: "backward" }))
      assert.isTrue(isAsked({ streamId: null }))
      // What is not committed.
      assert.isFalse(isAsked({ streamId: "s", from: 50 }))
      assert.isFalse(isAsked({ streamId: "s", direction: "backward" }))
      assert.isFalse(isAsked({ streamId: "new" }))
      assert.isFalse(isAsked({ streamId: null, direction: "backward" }))
      assert.isTrue(isAsked({ streamId: null, direction: "backward", asOf: 59 }))
      // Little.
      assert.isFalse(isAsked({ streamId: "short" }))
      assert.isFalse(isAsked({ streamId: "s", count: 5 }))
      assert.isFalse(isAsked({ streamId: "s", from: 40 }))
      // Nothing.
      assert.isFalse(isAsked({ streamId: "absent" }))
      assert.isFalse(isAsked({ streamId: null, from: 1_000 }))
      // The only read there is.
      assert.isFalse(isAsked({ streamId: "s", reads: 1 }))
      writer.commit()
      assert.isTrue(isAsked({ streamId: "s", direction: "backward" }))
      assert.isTrue(isAsked({ streamId: null, direction: "backward" }))
    })
  )

  it.scoped("has its rows from its own file only, and from its own stream", () =>
    Effect.gen(function* () {
      const [here, there] = [yield* open(), yield* open()]
      here.apply(1, many("s", 50), many("t", 50, 100))
      there.apply(1, many("t", 50, 200), many("s", 50, 300))
      for (const { writer } of [here, there]) writer.commit()
      const known = yield* here.ahead({ streamId: "s" }) ?? Effect.succeed(undefined)
      assert.isDefined(known)
      assert.deepStrictEqual(there.page("s", {}, known), there.page("s"))
      assert.deepStrictEqual(there.page("t", {}, known), there.page("t"))
      assert.deepStrictEqual(here.page("t", {}, known), here.page("t"))
      assert.deepStrictEqual(here.page(null, {}, known), here.page(null))
      // Those that are hidden by now lie before them.
      const versions = Array.from(known?.rowsFrom(10, row => row[2], 1) ?? [], row => row[2])
      assert.deepStrictEqual(
        versions,
        Array.from({ length: 40 }, (_, n) => 10 + n)
      )
      assert.deepStrictEqual(
        here.page("s", { direction: "backward" }, known),
        here.page("s", { direction: "backward" })
      )
    })
  )
})

describe("a thread that reads ahead", () => {
  it.scoped("keeps no WAL from being copied to its end and cut", () =>
    Effect.gen(function* () {
      const { ahead, apply, checkpoints, filename, writer } = yield* open()
      apply(1, ...Array.from({ length: 20 }, (_, n) => many(`s${n}`, 100, n * 100)))
      writer.commit()
      for (let round = 0; round < 200; round++) {
        const reads = Array.from(
          { length: 8 },
          (_, n) => ahead({ streamId: `s${n}`, reads: 100 }) ?? Effect.succeed(undefined)
        )
        const asked = askFor(reads)
        apply(2, append("t", event(10_000 + round)))
        writer.commit()
        assert.isTrue(checkpoints.complete())
        assert.strictEqual(fs.statSync(`${filename}-wal`).size, 0)
        for (const known of yield* asked) assert.isDefined(known)
      }
    })
  )

  it.scoped("that has ended is asked no more, and what it was asked is read without it", () =>
    Effect.gen(function* () {
      const asked = yield* questions
      const { ahead, apply, page, thread, writer } = yield* open()
      apply(1, many("s", 100))
      writer.commit()
      const reads = Array.from({ length: 20 }, () => ahead({ streamId: "s", reads: 100 }) ?? Effect.succeed(undefined))
      const pending = askFor(reads)
      const [worker] = asked.mock.contexts
      assert.instanceOf(worker, Worker)
      yield* Effect.promise(() => worker.terminate())
      for (const known of yield* pending) {
        assert.deepStrictEqual(page("s", {}, known), page("s"))
      }
      assert.isFalse(thread.isFree(100))
      assert.isUndefined(ahead({ streamId: "s" }))
      thread.alone(() => assert.isTrue(true))
    })
  )

  it.scoped("leaves what it cannot read to whoever makes the page, and tells why, once", () =>
    Effect.gen(function* () {
      const warning = vi.spyOn(process, "emitWarning").mockReturnValue()
      yield* Effect.addFinalizer(() => Effect.sync(() => warning.mockRestore()))
      const { ahead, apply, checkpoints, filename, page, writer } = yield* open()
      apply(1, many("s", 2_000))
      writer.commit()
      assert.isTrue(checkpoints.complete())
      const file = fs.openSync(filename, "r+")
      const { size } = fs.fstatSync(file)
      fs.writeSync(file, new Uint8Array(size - 4096).fill(0x5a), 0, size - 4096, 4096)
      fs.closeSync(file)
      // The pages that the reader needs are in its memory.
      const wanted = { streamId: "s", count: 100 }
      for (let again = 0; again < 2; again++) {
        const known = ahead(wanted)
        assert.isDefined(known)
        assert.isUndefined(yield* known ?? Effect.succeed(undefined))
      }
      assert.lengthOf(warning.mock.calls, 1)
      assert.match(String(warning.mock.lastCall?.[0]), /could not read a page, .*: database disk image is malformed$/)
      const found = page("s", { count: 100 })
      assert.lengthOf(typeof found === "string" ? [] : found.events, 100)
    })
  )
})

// ---------------------------------------------------------------------------------------------------------------------
// on an engine, and on a store
// ---------------------------------------------------------------------------------------------------------------------

const engineIn = (filename: string) => SqliteStoreEngine.make({ filename, readThread: true })

const aheadOf = (engine: Service) =>
  engine.readAhead({ streamId: "s", from: 0, count: 1_000, direction: "forward", asOf: null, reads: 100 })

const pageOf = (engine: Service, known?: Parameters<Service["readStream"]>[1]) =>
  engine.readStream({ ...wholly({ count: 1_000 }), streamId: "s" }, known)

/** An engine whose thread has been asked for often enough. */
const busy = (filename: string) =>
  Effect.tap(engineIn(filename), engine => {
    applyAt(engine, 1, many("s", 1_000))
    engine.checkpoint()
    return until(() => aheadOf(engine) !== undefined)
  })

describe("the thread of an engine", () => {
  it.scoped("has closed the file before another one takes its place, and reads that one then", () =>
    Effect.gen(function* () {
      const place = yield* folder
      const engine = yield* busy(path.join(place, "events.sqlite"))
      const copy = path.join(place, "copy.sqlite")
      const other = yield* Effect.scoped(
        Effect.gen(function* () {
          const other = yield* engineIn(path.join(place, "other.sqlite"))
          applyAt(other, 1, many("t", 1_000), many("s", 1_000, 5_000))
          yield* other.snapshot(copy)
          return pageOf(other)
        })
      )
      const before = yield* aheadOf(engine) ?? Effect.succeed(undefined)
      assert.isDefined(before)
      const pending = askFor(Array.from({ length: 10 }, () => aheadOf(engine) ?? Effect.succeed(undefined)))
      yield* engine.install(copy)
      assert.deepStrictEqual(pageOf(engine, before), other)
      for (const known of yield* pending) assert.deepStrictEqual(pageOf(engine, known), other)
      yield* until(() => aheadOf(engine) !== undefined)
      const after = yield* aheadOf(engine) ?? Effect.succeed(undefined)
      assert.isDefined(after)
      assert.deepStrictEqual(pageOf(engine, after), other)
    })
  )

  it.scoped("ends with it: who waits is answered, and of the file nothing is left open", () =>
    Effect.gen(function* () {
      const place = yield* folder
      const filename = path.join(place, "events.sqlite")
      const pending = yield* Effect.scoped(
        Effect.gen(function* () {
          const engine = yield* busy(filename)
          const reads = Array.from({ length: 30 }, () => aheadOf(engine) ?? Effect.succeed(undefined))
          return askFor(reads)
        })
      )
      assert.lengthOf(yield* pending, 30)
      assert.sameMembers(fs.readdirSync(place), ["events.sqlite", "events.sqlite-lock"])
    })
  )
})

describe("the thread of a store", () => {
  /** More than fits into a transaction that is not committed yet. */
  const write = (store: EventStore.Service) =>
    store.appendAll(
      Array.from({ length: 20 }, (_, s) => ({
        streamId: `s${s}`,
        expectedVersion: "any" as const,
        events: Array.from({ length: 100 }, (_, n) => event(s * 100 + n, { data: new Uint8Array(2_000) }))
      }))
    )

  const read = (store: EventStore.Service) =>
    Effect.gen(function* () {
      const pages = yield* Effect.forEach(
        Array.from({ length: 500 }, (_, n) => n),
        n => store.read(`s${n % 20}`, { from: 0, count: 100 }),
        { concurrency: 16 }
      )
      pages.forEach(({ events }, n) => {
        assert.deepStrictEqual(
          events.map(({ eventId, version }) => [eventId, version]),
          Array.from({ length: 100 }, (_, at) => [event((n % 20) * 100 + at).eventId, at])
        )
      })
    })

  it.scopedLive("is there where many read, and there is a processor for it", () =>
    Effect.gen(function* () {
      const asked = yield* questions
      const isAsked = () => asked.mock.calls.some(([question]) => question?.statement !== undefined)
      const dataDir = yield* folder
      yield* Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        yield* write(store)
        do yield* read(store)
        while (isWorthWhile && !isAsked())
      }).pipe(Effect.provide(EventStore.layer({ dataDir })))
      assert.strictEqual(isAsked(), isWorthWhile)
    })
  )

  for (const [what, layer] of [
    [
      "it is turned off",
      Layer.unwrapScoped(Effect.map(folder, dataDir => EventStore.layer({ dataDir, readThread: false })))
    ],
    ["the store is in memory", EventStore.layerMemory]
  ] as const) {
    it.scopedLive(`is not there where ${what}`, () =>
      Effect.gen(function* () {
        const asked = yield* questions
        yield* Effect.gen(function* () {
          const store = yield* EventStore.EventStore
          yield* write(store)
          yield* read(store)
        }).pipe(Effect.provide(layer))
        assert.lengthOf(asked.mock.calls, 0)
      })
    )
  }
})
