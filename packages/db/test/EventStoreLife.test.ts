import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { NoQuorum } from "@reckon/client/StoreError"
import * as Process from "@reckon/otp/Process"
import * as Supervisor from "@reckon/otp/Supervisor"
import * as Chunk from "effect/Chunk"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import * as EventStore from "../src/EventStore.js"
import * as Stores from "../src/Stores.js"
import * as Telemetry from "../src/Telemetry.js"
import * as TelemetryEvents from "../src/TelemetryEvents.js"
import { withProcesses } from "./helpers/embedded.js"
import { event } from "./helpers/events.js"
import { folder, settle } from "./helpers/processes.js"

const using = <A, E>(options: EventStore.Options, use: (store: EventStore.Service) => Effect.Effect<A, E>) =>
  Effect.provide(Effect.flatMap(EventStore.EventStore, use), EventStore.layer(options))

const all = (store: EventStore.Service) =>
  Effect.map(Stream.runCollect(store.readAllStream()), events =>
    Chunk.toReadonlyArray(events).map(({ eventId }) => eventId)
  )

const idsOf = (...ns: ReadonlyArray<number>) => ns.map(n => event(n).eventId)

class Orders extends Context.Tag("test/Orders")<Orders, EventStore.Service>() {}
class Parts extends Context.Tag("test/Parts")<Parts, EventStore.Service>() {}

describe("an embedded store", () => {
  it.scoped("finds everything when it is opened again", () =>
    Effect.gen(function* () {
      const dataDir = yield* folder
      for (const life of [0, 1, 2]) {
        const found = yield* using({ dataDir }, store =>
          Effect.zipRight(store.append("a", "any", [event(life)]), all(store))
        )
        assert.deepStrictEqual(found, idsOf(0, 1, 2).slice(0, life + 1))
      }
    })
  )

  it.effect("can be one of several in one graph of layers", () =>
    Effect.gen(function* () {
      const orders = yield* Orders
      const parts = yield* Parts
      yield* orders.append("a", "no_stream", [event(1)])
      yield* parts.append("a", "no_stream", [event(2)])
      assert.deepStrictEqual([yield* all(orders), yield* all(parts)], [idsOf(1), idsOf(2)])
    }).pipe(
      Effect.provide(
        Layer.merge(
          Layer.provide(Layer.effect(Orders, EventStore.EventStore), EventStore.layerMemoryWith({ store: "orders" })),
          Layer.provide(Layer.effect(Parts, EventStore.EventStore), EventStore.layerMemoryWith({ store: "parts" }))
        )
      )
    )
  )

  it.scoped("lives beside others in one data folder, which know nothing of it", () =>
    Effect.gen(function* () {
      const dataDir = yield* folder
      yield* using({ dataDir, store: "orders" }, orders =>
        using({ dataDir, store: "parts" }, parts =>
          Effect.gen(function* () {
            yield* orders.append("a", "no_stream", [event(1)])
            yield* parts.append("a", "no_stream", [event(2)])
            assert.deepStrictEqual([yield* all(orders), yield* all(parts)], [idsOf(1), idsOf(2)])
          })
        )
      )
      assert.deepStrictEqual(fs.readdirSync(path.join(dataDir, "stores")), ["orders", "parts"])
    })
  )

  it.scoped("lies where it is told to lie", () =>
    Effect.gen(function* () {
      const [dataDir, storeDir] = [yield* folder, path.join(yield* folder, "elsewhere")]
      yield* using({ dataDir, storeDir }, store => store.append("a", "no_stream", [event(1)]))
      assert.include(fs.readdirSync(storeDir), "events.sqlite")
      assert.deepStrictEqual(yield* using({ dataDir: yield* folder, storeDir }, all), idsOf(1))
    })
  )

  it.scoped("starts others in its tree", () =>
    Effect.gen(function* () {
      const stores = yield* Stores.Stores
      const parts = yield* EventStore.fromStore(yield* stores.start({ id: "parts" }))
      yield* parts.append("a", "no_stream", [event(1)])
      assert.deepStrictEqual(yield* stores.which, ["default", "parts"])
      const { store } = yield* EventStore.EventStore
      assert.deepStrictEqual([store, parts.store], ["default", "parts"])
    }).pipe(Effect.provide(EventStore.layerMemory))
  )

  it.scoped("refuses a folder that is in use, by its name", () =>
    Effect.gen(function* () {
      const dataDir = yield* folder
      const refused = yield* using({ dataDir }, () => Effect.flip(using({ dataDir }, () => Effect.void)))
      assert.strictEqual(refused._tag, "StoreFileRefused")
      assert.include(refused.message, path.join(dataDir, "stores", "default", "events.sqlite"))
      assert.include(refused.message, "in_use")
    })
  )

  it.scoped(
    "refuses a folder that cannot be had, and files that cannot be used, and leaves the host's log to the host",
    () =>
      Effect.gen(function* () {
        const file = path.join(yield* folder, "file")
        fs.writeFileSync(file, "")
        const logged: Array<unknown> = []
        const logger = Logger.replace(
          Logger.defaultLogger,
          Logger.make(({ message }) => void logged.push(message))
        )
        for (const dataDir of [file, path.join(file, "below")]) {
          const refused = yield* Effect.flip(
            Effect.provide(
              using({ dataDir }, () => Effect.void),
              logger
            )
          )
          assert.strictEqual(refused._tag === "StoreFileRefused" && refused.reason, "inaccessible")
          assert.include(refused.message, path.join(dataDir, "stores", "default"))
        }
        assert.deepStrictEqual(logged, [])
        const place = path.join(path.dirname(file), "data", "stores", "default")
        fs.mkdirSync(place, { recursive: true })
        for (const [name, tag] of [
          ["raft.sqlite", "RaftLogError"],
          ["events.sqlite", "StoreFileRefused"]
        ] as const) {
          fs.writeFileSync(path.join(place, name), "this is no database, however long it may be")
          const dataDir = path.join(path.dirname(file), "data")
          const refused = yield* Effect.flip(
            Effect.provide(
              using({ dataDir }, () => Effect.void),
              logger
            )
          )
          assert.strictEqual(refused._tag, tag)
          assert.include(refused.message, "put back a copy of the folder")
        }
        assert.deepStrictEqual(logged, [])
      })
  )

  it.scoped("refuses settings that make no sense, by their names", () =>
    Effect.gen(function* () {
      const dataDir = yield* folder
      const refused = yield* Effect.flip(using({ dataDir, store: "a/b", readerPoolSize: 0 }, () => Effect.void))
      assert.strictEqual(refused._tag, "InvalidConfig")
      assert.include(refused.message, "readerPoolSize")
      for (const [name, wrong] of Object.entries({
        "limits.eventBytesMax": { limits: { eventBytesMax: Number.NaN, requestBytesMax: 1000 } },
        "limits.requestBytesMax": { limits: { eventBytesMax: 1000, requestBytesMax: 0 } },
        dataDir: { dataDir: "" }
      })) {
        const error = yield* Effect.flip(using({ dataDir, ...wrong }, () => Effect.void))
        assert.strictEqual(error._tag, "InvalidConfig")
        assert.include(error.message, name)
      }
    })
  )

  it.scoped("is configured by the environment", () =>
    Effect.gen(function* () {
      const dataDir = yield* folder
      const provider = ConfigProvider.fromMap(
        new Map([
          ["RECKON_DATA_DIR", dataDir],
          ["RECKON_READER_POOL_SIZE", "2"],
          ["RECKON_STORE_DEFAULT_READER_POOL_SIZE", "3"],
          ["RECKON_EVENT_BYTES_MAX", "1000"]
        ])
      )
      yield* Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        const { config } = yield* Effect.flatMap(Stores.Stores, stores => stores.get("default"))
        assert.deepStrictEqual([config.dataDir, config.readerPoolSize], [path.join(dataDir, "stores", "default"), 3])
        const refused = yield* Effect.flip(store.append("a", "any", [event(1, { data: new Uint8Array(1001) })]))
        assert.strictEqual(refused._tag, "EventTooLarge")
      }).pipe(Effect.provide(Layer.provide(EventStore.layerConfig(), Layer.setConfigProvider(provider))))
    })
  )

  it.effect("repeats a request that may yet succeed for the time that is set for it", () =>
    Effect.gen(function* () {
      const store = yield* Effect.flatMap(Stores.Stores, stores => stores.get("default"))
      const refusal = new NoQuorum({ store: store.id, detail: "nobody leads" })
      const backend = { ...store.backend, getVersion: () => Effect.fail(refusal) }
      const leaderless = yield* EventStore.fromStore({ ...store, backend })
      const asking = yield* Effect.fork(Effect.flip(leaderless.getVersion("a")))
      yield* TestClock.adjust("19 seconds")
      assert.isTrue(Option.isNone(yield* Fiber.poll(asking)))
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(asking))._tag, "NoQuorum")
    }).pipe(Effect.provide(EventStore.layerMemoryWith({ timeout: "20 seconds" })))
  )

  it.scoped("that is closed answers what was under way, and its files are free at once", () =>
    Effect.gen(function* () {
      const dataDir = yield* folder
      const scope = yield* Scope.make()
      const context = yield* Scope.extend(Layer.build(EventStore.layer({ dataDir })), scope)
      const write = (n: number) =>
        Effect.provide(
          Effect.flatMap(EventStore.EventStore, store => store.append(`s${n}`, "any", [event(n)])),
          context
        )
      const appending = yield* Effect.forEach(
        Array.from({ length: 100 }, (_, n) => n),
        n => Effect.fork(Effect.either(write(n)))
      )
      yield* Effect.yieldNow()
      yield* Scope.close(scope, Exit.void)
      const written = yield* using({ dataDir }, all)
      assert.sameMembers([...written], idsOf(...Array.from({ length: 100 }, (_, n) => n)))
      const ends = yield* Effect.forEach(appending, fiber => Fiber.join(fiber))
      assert.isTrue(ends.every(Either.isRight))
    })
  )

  it.effect("whose tree gives up says so at the level fatal, and ends who runs under `whileAlive`", () =>
    Effect.gen(function* () {
      const logged: Array<string> = []
      const logger = Logger.replace(
        Logger.defaultLogger,
        Logger.make(({ logLevel, message }) => void logged.push(`${logLevel.label} ${String(message)}`))
      )
      const ended = yield* Effect.gen(function* () {
        const { pid } = yield* Supervisor.Root
        const started = yield* Deferred.make<void>()
        const host = yield* Effect.fork(
          Supervisor.whileAlive(Effect.zipRight(Deferred.succeed(started, undefined), Effect.never))
        )
        yield* Deferred.await(started)
        yield* Process.exit(pid, { _tag: "Killed" })
        return yield* Effect.flip(Fiber.join(host))
      }).pipe(Effect.provide(withProcesses()), Effect.provide(logger))
      assert.strictEqual(ended._tag, "TreeExited")
      assert.include(logged, "FATAL the supervision tree ended")
    })
  )

  /** The log of a host. */
  const makeLog = () => {
    const lines: Array<unknown> = []
    const hear = Logger.make(({ message }) => void lines.push(message))
    return { lines, logger: Logger.replace(Logger.defaultLogger, hear) }
  }

  it.effect("says nothing of itself in its host's log while all is well", () =>
    Effect.gen(function* () {
      const { lines, logger } = makeLog()
      yield* Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        yield* store.append("a", "any", [event(1)])
        yield* Effect.logInfo("the host's")
      }).pipe(Effect.provide(EventStore.layerMemory), Effect.provide(logger))
      assert.deepStrictEqual(lines.flat(), ["the host's"])
    })
  )

  it.effect("says what is amiss in its host's log, if that is to hear of such things", () =>
    Effect.gen(function* () {
      const linesAt = (level: LogLevel.LogLevel) =>
        Effect.gen(function* () {
          const { lines, logger } = makeLog()
          yield* Effect.gen(function* () {
            const telemetry = yield* Telemetry.Telemetry
            yield* telemetry.attach("broken", [TelemetryEvents.streamDeleted], () => Effect.fail("broken"))
            yield* Effect.flatMap(EventStore.EventStore, store => store.deleteStream("a"))
            yield* settle
          }).pipe(Effect.provide(EventStore.layerMemory), Effect.provide(logger), Logger.withMinimumLogLevel(level))
          return lines.length
        })
      assert.deepStrictEqual(yield* Effect.forEach([LogLevel.Info, LogLevel.Error], linesAt), [1, 0])
    })
  )
})

describe("another process with an embedded store", () => {
  const hooks = new URL("./helpers/typescript-hooks.mjs", import.meta.url).href
  const child = fileURLToPath(new URL("./helpers/embedded-child.ts", import.meta.url))
  const register = `import { register } from "node:module"; register(${JSON.stringify(hooks)})`

  /** Starts one, lets `act` decide whenever it writes whether it is to be killed, and tells what it wrote. */
  const untilKilled = (args: ReadonlyArray<string>, act: (lines: ReadonlyArray<string>) => boolean) =>
    Effect.async<{ readonly lines: ReadonlyArray<string>; readonly errors: string; readonly signal: string | null }>(
      resume => {
        const running = spawn(
          process.execPath,
          [
            // Of the hooks above, which Node.js 20 has no others for; what is looked for is what the store says.
            "--disable-warning=DEP0205",
            ...["--import", `data:text/javascript,${encodeURIComponent(register)}`, child, ...args]
          ],
          { stdio: ["ignore", "pipe", "pipe"] }
        )
        let output = ""
        let errors = ""
        const lines = () => output.split("\n").slice(0, -1)
        running.stdout.on("data", chunk => {
          output += String(chunk)
          if (act(lines())) running.kill("SIGKILL")
        })
        running.stderr.on("data", chunk => {
          errors += String(chunk)
        })
        running.on("close", (_, signal) => resume(Effect.succeed({ lines: lines(), errors, signal })))
        return Effect.sync(() => running.kill("SIGKILL"))
      }
    )

  it.scopedLive("that is killed leaves behind everything that was acknowledged, once, and a store that opens", () =>
    Effect.gen(function* () {
      const dataDir = yield* folder
      const acknowledged = new Set<string>()
      for (const wanted of [50, 400]) {
        const { errors, lines, signal } = yield* untilKilled([dataDir], lines => lines.length > wanted)
        assert.deepStrictEqual([signal, errors], ["SIGKILL", ""])
        assert.strictEqual(lines[0], "ready")
        for (const n of lines.slice(1)) acknowledged.add(event(Number(n)).eventId)
        const found = yield* using({ dataDir }, all)
        const missing = [...acknowledged].filter(id => !found.includes(id))
        assert.deepStrictEqual(missing, [])
        assert.strictEqual(new Set(found).size, found.length)
      }
      assert.isAbove(acknowledged.size, 300)
    })
  )

  it.scopedLive("keeps the folder for itself", () =>
    Effect.gen(function* () {
      const dataDir = yield* folder
      const ready = yield* Deferred.make<void>()
      const holding = yield* Effect.fork(
        untilKilled([dataDir, "0"], () => {
          Deferred.unsafeDone(ready, Effect.void)
          return false
        })
      )
      yield* Deferred.await(ready)
      const refused = yield* Effect.flip(using({ dataDir }, () => Effect.void))
      assert.deepStrictEqual(refused._tag === "StoreFileRefused" && [refused.reason, refused.retryable], [
        "in_use",
        true
      ])
      yield* Fiber.interrupt(holding)
    }).pipe(Effect.provide(Logger.minimumLogLevel(LogLevel.None)))
  )
})
