import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import Database from "better-sqlite3"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as EventStore from "../src/EventStore.js"
import * as SqliteStoreEngine from "../src/SqliteStoreEngine.js"
import { StoreFileDamaged } from "../src/StoreEngine.js"
import { plain, success } from "./helpers/answers.js"
import { append, applyNext, event, eventsOf, readAll } from "./helpers/events.js"
import { folder, provided, whileTimePasses } from "./helpers/processes.js"
import { damaged, first, makeReaders } from "./helpers/readers.js"

/** Writes nonsense over the page on which about the ninth leaf of events lies. */
const harm = (filename: string): void => {
  const db = new Database(filename)
  const page = Number(
    db
      .prepare("SELECT pageno FROM dbstat WHERE name = 'events' AND pagetype = 'leaf' ORDER BY path LIMIT 1 OFFSET 8")
      .pluck()
      .get()
  )
  db.close()
  const file = fs.openSync(filename, "r+")
  fs.writeSync(file, new Uint8Array(4096).fill(0xa5), 0, 4096, (page - 1) * 4096)
  fs.closeSync(file)
}

const large = (n: number) => event(n, { data: new Uint8Array(300) })

describe("a page of the file that makes no sense", () => {
  it.scoped("is told as damage by what looks at it, and what stands elsewhere is served", () =>
    Effect.gen(function* () {
      const filename = path.join(yield* folder, "store.db")
      const using = <A>(use: (engine: Effect.Effect.Success<ReturnType<typeof SqliteStoreEngine.make>>) => A) =>
        Effect.scoped(Effect.map(SqliteStoreEngine.make({ filename }), use))
      yield* using(engine => {
        for (let n = 0; n < 200; n++) applyNext(engine, append("a", "any", large(n)))
        engine.checkpoint()
      })
      harm(filename)
      yield* using(engine => {
        assert.throws(() => readAll(engine, 0, 200), SqliteStoreEngine.StoreFileDamaged, "SQLITE_CORRUPT")
        assert.throws(() => readAll(engine, 0, 200), `${filename} is damaged`)
        assert.throws(() => readAll(engine, 0, 200), "Stop this node, move its whole folder away")
        assert.deepStrictEqual(
          eventsOf(readAll(engine, 0, 3)).map(({ position }) => position),
          [0, 1, 2]
        )
        assert.deepStrictEqual(plain(applyNext(engine, append("a", 199, event(500)))), [success("a", 200, 200)])
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
      harm(filename)
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
