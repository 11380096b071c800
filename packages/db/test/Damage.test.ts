import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it, vi } from "@effect/vitest"
import { Database } from "@reckon/raft/Sqlite"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import { quickTime } from "../../otp/test/helpers/quickTime.js"
import * as EventStore from "../src/EventStore.js"
import { unusable } from "../src/internal/sqlite/damage.js"
import * as SqliteStoreEngine from "../src/SqliteStoreEngine.js"
import { type Service, StoreFileDamaged } from "../src/StoreEngine.js"
import * as Stores from "../src/Stores.js"
import { plain, success } from "./helpers/answers.js"
import { append, applyNext, event, eventsOf, readAll } from "./helpers/events.js"
import { folder, provided, whileTimePasses } from "./helpers/processes.js"
import { damaged, first, makeReaders } from "./helpers/readers.js"

/** The ninth leaf of events, or one of another table or index: the number of its page, and how many rows lie before it. */
const leafOf = (filename: string, name = "events", at = 8): readonly [page: number, before: number] => {
  const db = new Database(filename)
  const leaves = db
    .prepare<[string, number], [number, number]>(
      "SELECT pageno, ncell FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path LIMIT ?"
    )
    .raw()
    .all(name, at + 1)
  db.close()
  return [leaves[at]?.[0] ?? 0, leaves.slice(0, at).reduce((sum, [, rows]) => sum + rows, 0)]
}

/** Writes nonsense over a page, or a part of it. */
const harm = (filename: string, page: number, from = 0, length = 4096): void => {
  const file = fs.openSync(filename, "r+")
  fs.writeSync(file, new Uint8Array(length).fill(0xa5), 0, length, (page - 1) * 4096 + from)
  fs.closeSync(file)
}

const large = (n: number) => event(n, { data: new Uint8Array(300) })

describe("a page of the file that makes no sense", () => {
  /** A file with 200 events of one stream, and what uses an engine on it. */
  const filled = Effect.gen(function* () {
    const filename = path.join(yield* folder, "store.db")
    const using = <A>(use: (engine: Service) => A) =>
      Effect.scoped(Effect.map(SqliteStoreEngine.make({ filename }), use))
    yield* using(engine => {
      for (let n = 0; n < 200; n++) applyNext(engine, append("a", "any", large(n)))
      engine.checkpoint()
    })
    return { filename, using }
  })

  it.scoped("is told as damage by what looks at it, and what stands elsewhere is served", () =>
    Effect.gen(function* () {
      const { filename, using } = yield* filled
      harm(filename, leafOf(filename)[0])
      yield* using(engine => {
        assert.throws(() => readAll(engine, 0, 200), SqliteStoreEngine.StoreFileDamaged, "SQLITE_CORRUPT")
        assert.throws(() => readAll(engine, 0, 200), `${filename} is damaged`)
        assert.throws(() => readAll(engine, 0, 200), `Stop this node, move the folder ${path.dirname(filename)} away`)
        assert.deepStrictEqual(
          eventsOf(readAll(engine, 0, 3)).map(({ position }) => position),
          [0, 1, 2]
        )
        assert.deepStrictEqual(plain(applyNext(engine, append("a", 199, event(500)))), [success("a", 200, 200)])
      })
    })
  )

  it.scoped("is told as damage by the first that looks at it, though what that asks for makes sense", () =>
    Effect.gen(function* () {
      const { filename, using } = yield* filled
      const [page, position] = leafOf(filename)
      // Behind the head of a leaf, of eight bytes, stands where on it its first event is.
      harm(filename, page, 8, 2)
      yield* using(engine => {
        assert.throws(() => readAll(engine, position + 4, 1), SqliteStoreEngine.StoreFileDamaged, "SQLITE_CORRUPT")
      })
    })
  )

  it.scoped("is told to whoever asks a store for what stands on it, and everything else is read and appended to", () =>
    Effect.gen(function* () {
      const dataDir = yield* folder
      const filename = path.join(dataDir, "stores", "default", "events.sqlite")
      const served = <A, E>(use: (store: EventStore.Service) => Effect.Effect<A, E>) =>
        Effect.provide(Effect.flatMap(EventStore.EventStore, use), EventStore.layer({ dataDir })).pipe(
          Logger.withMinimumLogLevel(LogLevel.None)
        )
      yield* served(store =>
        Effect.gen(function* () {
          for (let n = 0; n < 200; n += 20) {
            yield* store.append(
              "a",
              "any",
              [...Array(20).keys()].map(at => large(n + at))
            )
          }
          yield* store.append("b", "any", [event(300)])
        })
      )
      harm(filename, leafOf(filename)[0])
      yield* served(store =>
        Effect.gen(function* () {
          for (let n = 0; n < 2; n++) {
            const error = yield* whileTimePasses(Effect.flip(store.read("a")))
            assert.deepInclude(error, { _tag: "NoQuorum", retryable: true })
            assert.include(error.message, `${filename} is damaged`)
          }
          assert.strictEqual((yield* whileTimePasses(store.read("b"))).events.length, 1)
          assert.strictEqual((yield* whileTimePasses(store.read("a", { from: 0, count: 3 }))).events.length, 3)
          assert.strictEqual((yield* whileTimePasses(store.append("a", 199, [event(400)]))).version, 200)
        })
      )
    })
  )
})

describe("a page that makes no sense, met by reads while appends are under way", () => {
  it.scoped("costs one transaction, of which nothing is lost, and no other", () =>
    Effect.gen(function* () {
      const filename = path.join(yield* folder, "store.db")
      const condition = { isDamaged: false }
      const using = <A>(use: (engine: Effect.Effect.Success<ReturnType<typeof SqliteStoreEngine.make>>) => A) =>
        Effect.scoped(Effect.map(SqliteStoreEngine.make({ filename, condition }), use))
      yield* using(engine => {
        for (let n = 0; n < 200; n++) applyNext(engine, append("a", "any", large(n)))
        engine.checkpoint()
      })
      harm(filename, leafOf(filename)[0])
      const meet = (engine: Parameters<typeof readAll>[0]) => assert.throws(() => readAll(engine, 0, 200), "is damaged")
      const durable = yield* using(engine => {
        const before = engine.appliedIndex()
        applyNext(engine, append("b", "any", large(300)))
        meet(engine)
        // SQLite gives up the transaction that is open: whoever owns the engine opens it anew.
        for (const change of [() => applyNext(engine, append("b", "any", large(301))), () => engine.checkpoint()]) {
          assert.throws(change, "within the open transaction")
        }
        return before
      })
      yield* using(engine => {
        assert.strictEqual(engine.appliedIndex(), durable)
        for (let n = 0; n < 5; n++) {
          applyNext(engine, append("b", n - 1, large(300 + n)))
          meet(engine)
        }
      })
      yield* using(engine => assert.strictEqual(engine.getVersion("b"), 4))
    })
  )

  it.scoped("starts the store's process anew once at most", () =>
    Effect.gen(function* () {
      const dataDir = yield* folder
      const filename = path.join(dataDir, "stores", "default", "events.sqlite")
      const ended: Array<string> = []
      const log = Logger.replace(
        Logger.defaultLogger,
        Logger.make(({ message }) => {
          if (String(message) === "server terminated") ended.push(String(message))
        })
      )
      const served = <A, E>(use: (store: EventStore.Service) => Effect.Effect<A, E>) =>
        Effect.provide(Effect.flatMap(EventStore.EventStore, use), EventStore.layer({ dataDir, timeout: "1 second" }))
      yield* served(store =>
        Effect.forEach([...Array(200).keys()], n => store.append("a", "any", [large(n)]), { discard: true })
      )
      harm(filename, leafOf(filename)[0])
      yield* served(store =>
        Effect.gen(function* () {
          for (let n = 0; n < 10; n++) {
            const { version } = yield* whileTimePasses(store.append("b", "any", [event(1000 + n)]))
            assert.strictEqual(version, n)
            yield* whileTimePasses(Effect.flip(store.read("a", { consistency: "local" })))
          }
        })
      ).pipe(Effect.provide(log))
      assert.isAtMost(ended.length, 1)
    })
  )
})

describe("a query that meets damage of the file", () => {
  const what = "a page of it, says SQLite"

  it.effect(
    "ends no reader however often it is asked, its caller may try another node, and each reader says it once",
    () =>
      Effect.gen(function* () {
        const logged: Array<string> = []
        const log = Logger.replace(
          Logger.defaultLogger,
          Logger.make(({ logLevel, message }) => void logged.push(`${logLevel.label} ${String(message)}`))
        )
        yield* Effect.gen(function* () {
          const { engine, handle, pool, reader, write } = yield* makeReaders({ size: 2 })
          yield* write("sound", 1)
          yield* handle.provide({
            ...engine,
            readStream: options => {
              if (options.streamId === damaged) throw new StoreFileDamaged({ filename: "events.sqlite", what })
              return engine.readStream(options)
            }
          })
          for (let n = 0; n < 30; n++) {
            const error = yield* Effect.flip(reader.read({ ...first, streamId: damaged }))
            assert.deepInclude(error, { _tag: "NoQuorum", retryable: true })
            assert.include(error.message, `events.sqlite is damaged: ${what}`)
            assert.strictEqual((yield* reader.read({ ...first, streamId: "sound" })).events.length, 1)
          }
          assert.strictEqual((yield* pool.stats).starts, 2)
        }).pipe(Effect.provide(log), Logger.withMinimumLogLevel(LogLevel.Info))
        assert.isAtMost(logged.length, 2)
        for (const line of logged) assert.match(line, /^ERROR events\.sqlite is damaged: a page of it/)
        assert.isAtLeast(logged.length, 1)
      }).pipe(provided, Effect.scoped)
  )
})

describe("an append that needs a page of the file that makes no sense", () => {
  for (const [name, leaf] of [
    ["event_ids_1", 0],
    ["sqlite_autoindex_kinds_1", 0]
  ] as const) {
    it.scoped(`ends nothing, and is said once to the log and to all who ask: ${name}`, () =>
      Effect.gen(function* () {
        const dataDir = yield* folder
        const place = path.join(dataDir, "stores", "default")
        const filename = path.join(place, "events.sqlite")
        const logged: Array<string> = []
        const log = Logger.replace(
          Logger.defaultLogger,
          Logger.make(({ logLevel, message }) => void logged.push(`${logLevel.label} ${String(message)}`))
        )
        const served = <A, E>(use: Effect.Effect<A, E, EventStore.Provided>) =>
          Effect.provide(use, EventStore.layer({ dataDir, timeout: "1 second" })).pipe(Effect.provide(log))
        yield* served(
          Effect.flatMap(EventStore.EventStore, store => store.append("a", "any", [large(1), large(2), large(3)]))
        )
        const copy = `${place}.copy`
        fs.cpSync(place, copy, { recursive: true })
        harm(filename, leafOf(filename, name, leaf)[0])
        const told = `${filename} is damaged: a page of it, says SQLite (SQLITE_CORRUPT`
        for (const life of [1, 2]) {
          logged.length = 0
          yield* served(
            Effect.gen(function* () {
              const store = yield* EventStore.EventStore
              const stores = yield* Stores.Stores
              const other = yield* EventStore.fromStore(yield* stores.start({ id: "other" }))
              const error = yield* whileTimePasses(Effect.flip(store.append("a", "any", [large(10 * life)])))
              assert.include(["OutcomeUnknown", "NoQuorum"], error._tag)
              assert.include(error.message, told)
              for (const error of [
                yield* whileTimePasses(Effect.flip(store.append("b", "any", [large(400)]))),
                yield* whileTimePasses(Effect.flip(store.getVersion("a")))
              ]) {
                assert.strictEqual(error._tag, "NoQuorum")
                assert.include(error.message, told)
              }
              const [status] = (yield* stores.statuses).filter(({ store }) => store === "default")
              assert.deepInclude(status, { role: "follower", leader: null, healthy: false })
              assert.include(status?.problem ?? "", told)
              assert.include(status?.problem ?? "", "put back a copy of the folder")
              assert.strictEqual((yield* whileTimePasses(store.readAll({ consistency: "local" }))).events.length, 3)
              assert.strictEqual((yield* other.append("a", "any", [large(life)])).version, life - 1)
            })
          )
          assert.lengthOf(logged, 1, logged.join("\n"))
          assert.include(logged[0] ?? "", `ERROR ${told}`)
        }
        // What the words say is done.
        fs.rmSync(place, { recursive: true })
        fs.renameSync(copy, place)
        yield* served(
          Effect.gen(function* () {
            const store = yield* EventStore.EventStore
            assert.strictEqual((yield* whileTimePasses(store.append("a", 2, [large(4)]))).version, 3)
          })
        )
      })
    )
  }
})

/** As SQLite throws it. */
const thrown = (code: string) => new Database.SqliteError("disk I/O error", code)

describe("a page that the disk refuses to read", () => {
  it("is told by its code from damage where SQLite does so, and from one that the disk does not take", () => {
    const how = (code: string) => unusable(thrown(code))?.how
    assert.strictEqual(how("SQLITE_CORRUPT"), "damaged")
    assert.strictEqual(how("SQLITE_CORRUPT_INDEX"), "damaged")
    for (const code of ["READ", "SHORT_READ", "CORRUPTFS", "FSTAT", "SEEK"]) {
      assert.strictEqual(how(`SQLITE_IOERR_${code}`), "unreadable")
    }
    for (const code of [
      "SQLITE_FULL",
      "SQLITE_IOERR_WRITE",
      "SQLITE_IOERR_FSYNC",
      "SQLITE_IOERR_TRUNCATE",
      "SQLITE_READONLY"
    ]) {
      assert.strictEqual(how(code), "unwritable", code)
    }
    for (const code of ["SQLITE_BUSY", "SQLITE_CONSTRAINT", "SQLITE_ERROR"]) assert.isUndefined(how(code), code)
    assert.isUndefined(unusable(new Error("disk I/O error")))
  })

  it.scoped("takes no batch that was applied with it: what SQLite gave up beneath a read is applied again", () =>
    Effect.gen(function* () {
      const filename = path.join(yield* folder, "store.db")
      const engine = yield* SqliteStoreEngine.make({ filename })
      applyNext(engine, append("a", "any", event(1)))
      engine.checkpoint()
      const durable = engine.appliedIndex()
      applyNext(engine, append("a", "any", event(2)))
      const statements = Object.getPrototypeOf(new Database(":memory:").prepare("SELECT 1"))
      const unread = vi.spyOn(statements, "all").mockImplementationOnce(function (this: Database.Statement) {
        this.database.exec("ROLLBACK")
        throw thrown("SQLITE_IOERR_READ")
      })
      assert.throws(
        () => engine.listSnapshots({ streamId: "a", from: 0, count: 1 }),
        `${filename} cannot be read: a page of it, says SQLite (SQLITE_IOERR_READ`
      )
      unread.mockRestore()
      // What the next read sees has fallen back, and so has the index.
      assert.deepStrictEqual([engine.appliedIndex(), engine.setbacks()], [durable, 1])
      for (const n of [2, 3]) {
        assert.deepStrictEqual(plain(applyNext(engine, append("a", "any", event(n)))), [success("a", n - 1, n - 1)])
      }
      const copy = `${filename}.copy`
      yield* engine.snapshot(copy)
      yield* engine.install(copy)
      assert.strictEqual(engine.setbacks(), 1)
    })
  )

  it.scoped("keeps the node out of the store for as long as it is so, and not for longer", () =>
    Effect.gen(function* () {
      const dataDir = yield* folder
      const filename = path.join(dataDir, "stores", "default", "events.sqlite")
      const logged: Array<string> = []
      const log = Logger.replace(
        Logger.defaultLogger,
        Logger.make(({ logLevel, message }) => void logged.push(`${logLevel.label} ${String(message)}`))
      )
      const served = <A, E>(use: Effect.Effect<A, E, EventStore.Provided>) =>
        Effect.provide(use, EventStore.layer({ dataDir, timeout: "1 second" })).pipe(Effect.provide(log))
      yield* served(Effect.flatMap(EventStore.EventStore, store => store.append("a", "any", [large(1), large(2)])))
      const [page] = leafOf(filename, "event_ids_1", 0)
      const sound = fs.readFileSync(filename).subarray((page - 1) * 4096, page * 4096)
      yield* served(
        Effect.gen(function* () {
          const store = yield* EventStore.EventStore
          // To SQLite that is what a disk is that does not read.
          harm(filename, page)
          const error = yield* whileTimePasses(Effect.flip(store.append("a", "any", [large(3)])))
          assert.include(error.message, "SQLite says the same of a disk that cannot be read")
          yield* whileTimePasses(Effect.sleep("1 minute"))
          assert.strictEqual(
            (yield* whileTimePasses(Effect.flip(store.append("a", "any", [large(4)]))))._tag,
            "NoQuorum"
          )
          assert.lengthOf(logged, 1, logged.join("\n"))

          const file = fs.openSync(filename, "r+")
          fs.writeSync(file, sound, 0, sound.length, (page - 1) * 4096)
          fs.closeSync(file)
          yield* whileTimePasses(Effect.sleep("10 seconds"))
          // The one whose outcome was not known is there.
          assert.strictEqual((yield* whileTimePasses(store.append("a", 2, [large(5)]))).version, 3)
          assert.strictEqual((yield* whileTimePasses(store.read("a"))).events.length, 4)
        })
      )
      assert.deepStrictEqual(logged.slice(1), ["WARN supervisor report"])
    }).pipe(Effect.provide(quickTime))
  )
})

/** Lets SQLite find the disk of a file full for as long as the scope is open, or until room is made. */
const fill = (filename: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const statements: Database.Statement = Object.getPrototypeOf(new Database(":memory:").prepare("SELECT 1"))
      const run = statements.run
      return vi.spyOn(statements, "run").mockImplementation(function (this: Database.Statement, ...parameters) {
        const writes = /^(INSERT|UPDATE)/.test(this.source)
        if (writes && this.database.name === filename) throw thrown("SQLITE_FULL")
        return run.apply(this, parameters)
      })
    }),
    spy => Effect.sync(() => spy.mockRestore())
  )

describe("a disk that is full", () => {
  it.scoped("costs an engine nothing but the batch that it was met with", () =>
    Effect.gen(function* () {
      const filename = path.join(yield* folder, "store.db")
      const condition = { isDamaged: false }
      const engine = yield* SqliteStoreEngine.make({ filename, condition })
      applyNext(engine, append("a", "any", event(1)))
      yield* Effect.scoped(
        Effect.map(fill(filename), () =>
          assert.throws(
            () => applyNext(engine, append("a", "any", event(2))),
            /store.db cannot be written: .*its space/
          )
        )
      )
      assert.deepStrictEqual([engine.appliedIndex(), engine.setbacks(), condition.isDamaged], [1, 0, false])
      assert.deepStrictEqual(plain(applyNext(engine, append("a", "any", event(2)))), [success("a", 1, 1)])
    })
  )

  it.scoped.each(["raft.sqlite", "events.sqlite"])("keeps one store waiting, and no other: %s", name =>
    Effect.gen(function* () {
      const dataDir = yield* folder
      const filename = path.join(dataDir, "stores", "default", name)
      const errors: Array<string> = []
      const log = Logger.replace(
        Logger.defaultLogger,
        Logger.make(({ logLevel, message }) => {
          if (LogLevel.greaterThanEqual(logLevel, LogLevel.Error)) errors.push(String(message))
        })
      )
      yield* Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        const stores = yield* Stores.Stores
        const other = yield* EventStore.fromStore(yield* stores.start({ id: "other" }))
        yield* store.append("a", "any", [large(1)])
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* fill(filename)
            const unknown = yield* whileTimePasses(Effect.flip(store.append("a", "any", [large(2)])))
            assert.strictEqual(unknown._tag, "OutcomeUnknown")
            assert.include(unknown.message, filename)
            // Where there seems to be room every few seconds, and is none, its process is started again as often.
            yield* whileTimePasses(Effect.sleep("45 seconds"))
            const refused = yield* whileTimePasses(Effect.flip(store.append("a", "any", [large(3)])))
            assert.include(["NoQuorum", "OutcomeUnknown"], refused._tag)
            assert.include(refused.message, filename)
            assert.strictEqual((yield* whileTimePasses(other.append("a", "any", [large(1)]))).version, 0)
          })
        )
        yield* whileTimePasses(Effect.sleep("10 seconds"))
        yield* whileTimePasses(store.append("a", "any", [large(4)]))
        const ids = (yield* whileTimePasses(store.read("a"))).events.map(({ eventId }) => eventId)
        // What was not acknowledged may be there between them.
        assert.deepStrictEqual([ids.at(0), ids.at(-1)], [large(1).eventId, large(4).eventId])
        for (const line of errors) assert.match(line, /every few seconds, .* takes no part/)
      }).pipe(Effect.provide(EventStore.layer({ dataDir, timeout: "1 second" })), Effect.provide(log))
    }).pipe(Effect.provide(quickTime))
  )
})
