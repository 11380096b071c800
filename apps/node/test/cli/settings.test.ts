import { createServer, type Server } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as ProcessCluster from "@reckon/testkit/ProcessCluster"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { Stdio } from "../../src/cli/shared/Stdio.js"
import * as Settings from "../../src/cli/shared/settings.js"
import { jsonLines, reckon } from "./helpers/reckon.js"
import { assertFailure, setUp } from "./helpers/setUp.js"

type Environment = Readonly<Record<string, string>>

const load = (environment: Environment, given: Partial<Settings.Given> = {}) =>
  Effect.withConfigProvider(
    Settings.load({ dataDir: Option.none(), stores: [], hasPeers: false, ...given }),
    ConfigProvider.fromMap(new Map(Object.entries(environment)))
  )

describe("the settings of a node", () => {
  it.effect("are those of the environment, and otherwise the defaults", () =>
    Effect.gen(function* () {
      const settings = yield* load({
        RECKON_DATA_DIR: "/var/reckon",
        RECKON_STORES: "orders,billing",
        RECKON_READER_POOL_SIZE: "7",
        RECKON_STORE_BILLING_WRITER_IDLE_TIMEOUT: "10 seconds",
        RECKON_EVENT_BYTES_MAX: "1MiB"
      })
      const [orders, billing] = settings.stores
      assert.deepInclude(orders, { id: "orders", dataDir: "/var/reckon/stores/orders", readerPoolSize: 7 })
      assert.deepInclude(billing, { id: "billing", readerPoolSize: 7, writerPoolSize: 1 })
      assert.isTrue(Duration.equals(billing?.writerIdleTimeout ?? 0, "10 seconds"))
      assert.deepStrictEqual(settings.limits, { eventBytesMax: 1_048_576, requestBytesMax: 16_777_216 })
      const untouched = yield* load({})
      assert.strictEqual(untouched.dataDir, "./.reckon")
      assert.deepStrictEqual(
        untouched.stores.map(({ id, mode }) => ({ id, mode })),
        [{ id: "default", mode: "single" }]
      )
    })
  )

  it.effect("on the command line win over the environment, and the stores follow them", () =>
    Effect.gen(function* () {
      const environment = { RECKON_DATA_DIR: "/elsewhere", RECKON_STORES: "x", RECKON_STORE_B_READER_POOL_SIZE: "9" }
      const settings = yield* load(environment, { dataDir: Option.some("/here"), stores: ["a", "b", "a"] })
      assert.deepStrictEqual(
        settings.stores.map(({ dataDir, id, readerPoolSize }) => ({ id, dataDir, readerPoolSize })),
        [
          { id: "a", dataDir: "/here/stores/a", readerPoolSize: 4 },
          { id: "b", dataDir: "/here/stores/b", readerPoolSize: 9 }
        ]
      )
    })
  )

  it.effect("with peers have stores that all nodes keep, unless one is set to be on a single node", () =>
    Effect.gen(function* () {
      const modes = (environment: Environment, hasPeers: boolean) =>
        Effect.map(load({ RECKON_STORES: "a,b", ...environment }, { hasPeers }), ({ stores }) =>
          stores.map(({ mode }) => mode)
        )
      assert.deepStrictEqual(yield* modes({}, true), ["cluster", "cluster"])
      assert.deepStrictEqual(yield* modes({ RECKON_MODE: "single" }, true), ["cluster", "cluster"])
      assert.deepStrictEqual(yield* modes({ RECKON_MODE: "" }, true), ["cluster", "cluster"])
      assert.deepStrictEqual(yield* modes({ RECKON_STORE_A_MODE: "single" }, true), ["single", "cluster"])
      assert.deepStrictEqual(yield* modes({ RECKON_MODE: "single" }, false), ["single", "single"])
      const wrong = yield* Effect.flip(load({ RECKON_MODE: "both" }, { hasPeers: true }))
      assert.include(String(wrong), 'RECKON_MODE is "both"')
    })
  )

  it.effect("that are unknown are told of, with the nearest name, and so is a secret that protects nothing", () =>
    Effect.gen(function* () {
      const told: Array<string> = []
      const stdio = Stdio.of({
        out: () => Effect.void,
        err: text => Effect.sync(() => void told.push(text)),
        inIsTerminal: false,
        outIsTerminal: false,
        errIsTerminal: false,
        input: Stream.empty,
        exitCodeIfInterrupted: () => Effect.void
      })
      const settings = yield* load({ RECKON_STORES: "orders", RECKON_CLUSTER_SECRET: "known to a few of us" })
      const variables = [
        ...["PATH", "RECKON_STORES", "RECKON_ENDPOINTS", "RECKON_STORE_ORDERS_MODE"],
        ...["RECKON_READER_IDLE_TIMEOUT_MS", "RECKON_STORE_ORDRES_MODE", "RECKON_\u001bXYZ"]
      ]
      yield* Effect.provideService(Settings.warnOfUnknown(settings, variables), Stdio, stdio)
      assert.deepStrictEqual(told, [
        "Warning: nothing reads RECKON_\\u001bXYZ\n",
        "Warning: nothing reads RECKON_READER_IDLE_TIMEOUT_MS; the nearest name is RECKON_READER_IDLE_TIMEOUT\n",
        "Warning: nothing reads RECKON_STORE_ORDRES_MODE; the nearest name is RECKON_STORE_ORDERS_MODE\n"
      ])
    })
  )
})

const wrongEnvironment = {
  RECKON_WRITER_POOL_SIZE: "0",
  RECKON_STORES: "orders,a b",
  RECKON_STORE_ORDERS_LOG_BYTES_MAX: "much",
  RECKON_HEALTH_PROBE_TYPE: "khepri"
}

const nodeStart = ["node", "start", "--name", "n1", "--rpc", "127.0.0.1:1", "--http", "127.0.0.1:2"]

describe("node start and cluster start", () => {
  it.effect("tell all that is wrong in the environment, a line each, with exit code 2", () =>
    Effect.gen(function* () {
      for (const command of [nodeStart, [...nodeStart, "--peer", "n2=127.0.0.1:3"], ["cluster", "start"]]) {
        const outcome = yield* reckon(command, { env: wrongEnvironment })
        assert.strictEqual(outcome.code, 2)
        assert.strictEqual(outcome.out, "")
        const lines = outcome.err.trimEnd().split("\n")
        assert.deepStrictEqual(
          lines.map(line => /^UsageError: (\w+) is .*; correct the environment$/.exec(line)?.[1]).sort(),
          ["RECKON_HEALTH_PROBE_TYPE", "RECKON_STORES", "RECKON_STORE_ORDERS_LOG_BYTES_MAX", "RECKON_WRITER_POOL_SIZE"]
        )
        assert.include(outcome.err, 'RECKON_WRITER_POOL_SIZE is "0": must be a whole number from 1 to 65536')
      }
    })
  )

  it.effect("refuse a collector's address to which nothing could be sent, where telemetry is to go there", () =>
    Effect.gen(function* () {
      for (const command of [nodeStart, ["cluster", "start"]]) {
        for (const [address, says] of [
          ["localhost:4318", 'is "localhost:4318": must be an http or https URL'],
          ["collector", 'is "collector": must be an http or https URL'],
          ["http://me:hidden@collector", "is wrong: it must have no user's name and no password in it; "]
        ]) {
          const env = { RECKON_TELEMETRY_HANDLERS: "opentelemetry", OTEL_EXPORTER_OTLP_ENDPOINT: address ?? "" }
          const outcome = yield* reckon(command, { env })
          assertFailure(outcome, 2, `UsageError: OTEL_EXPORTER_OTLP_ENDPOINT ${says}`)
        }
      }
    })
  )

  it.effect("refuse options that make no sense with one line", () =>
    Effect.gen(function* () {
      const wrong: ReadonlyArray<readonly [ReadonlyArray<string>, string]> = [
        [[...nodeStart, "--data-dir", ""], '--data-dir is "": must be the path of a folder'],
        [[...nodeStart, "--store", "a b"], "--store is 'a b'"],
        [[...nodeStart, "--store", ""], "--store needs a value"],
        [[...nodeStart, "--peer", ""], "--peer needs a value"],
        [[...nodeStart, "--peer", "n2"], '"n2" is not NAME=HOST:PORT'],
        [[...nodeStart, "--peer", "n1=127.0.0.1:9"], "two members have the name n1"],
        [[...nodeStart, "--peer", "n2=127.0.0.1:1"], "two members have the address 127.0.0.1:1"],
        [
          [...nodeStart, "--peer", "n2=10.0.0.1:9"],
          "n2 is at 10.0.0.1:9, where others can reach it: give all nodes and clients one secret (RECKON_CLUSTER_SECRET)"
        ],
        [[...nodeStart.slice(0, -1), "127.0.0.1:1"], "--rpc and --http are both 127.0.0.1:1"],
        [["cluster", "start", "--data-dir", ""], '--data-dir is "": must be the path of a folder'],
        [["cluster", "start", "--base-port", "0"], "--base-port is '0', it must be a whole number from 1 to 65523"]
      ]
      for (const [args, says] of wrong) {
        const outcome = yield* reckon(args)
        assertFailure(outcome, 2, "UsageError: ")
        assert.include(outcome.err, says)
      }
    })
  )

  it.scopedLive("node start says which address it cannot have, and what for", () =>
    Effect.gen(function* () {
      const folder = yield* ProcessCluster.temporaryFolder
      const port = yield* ProcessCluster.freeBasePort
      yield* Effect.acquireRelease(
        Effect.async<Server>(resume => {
          const server = createServer().listen(port, "127.0.0.1", () => resume(Effect.succeed(server)))
        }),
        server => Effect.sync(() => server.close())
      )
      const [taken, free] = [`127.0.0.1:${port}`, `127.0.0.1:${port + 1}`]
      for (const [rpc, http, purpose] of [
        [taken, free, "RPC"],
        [free, taken, "HTTP"]
      ] as const) {
        const outcome = yield* reckon(
          ["node", "start", "--name", "n1", "--rpc", rpc, "--http", http, "--data-dir", folder],
          {}
        ).pipe(Logger.withMinimumLogLevel(LogLevel.None))
        assertFailure(
          outcome,
          1,
          `ListenFailed: cannot listen at ${taken} for ${purpose}: something else listens there; `
        )
      }
    })
  )

  it.effect("cluster start refuses one folder for the same store of all its nodes", () =>
    Effect.gen(function* () {
      const env = { RECKON_STORES: "orders,billing", RECKON_STORE_ORDERS_DATA_DIR: "./.reckon/stores/orders" }
      const outcome = yield* reckon(["cluster", "start"], { env })
      assertFailure(
        outcome,
        2,
        "UsageError: three nodes cannot share the folder that is set for orders: set RECKON_DATA_DIR"
      )
    })
  )

  it.scopedLive("node start keeps the stores that the environment names, each with its own settings", () =>
    Effect.gen(function* () {
      const folder = yield* ProcessCluster.temporaryFolder
      const port = yield* ProcessCluster.freeBasePort
      const addresses = ["--rpc", `127.0.0.1:${port}`, "--http", `127.0.0.1:${port + 1}`]
      const env = {
        RECKON_DATA_DIR: `${folder}/node`,
        RECKON_STORES: "orders,billing",
        RECKON_STORE_BILLING_DATA_DIR: `${folder}/billing`,
        RECKON_EVENT_BYTES_MAX: "1KiB"
      }
      const start = (...args: ReadonlyArray<string>) =>
        reckon(["node", "start", "--name", "n1", ...addresses, ...args], { env }).pipe(
          Logger.withMinimumLogLevel(LogLevel.Warning),
          Effect.fork
        )
      const node = yield* start()
      const at = ["--endpoint", `127.0.0.1:${port}`, "--json"]
      for (const store of ["orders", "billing"]) {
        const append = ["append", "s", "--type", "T", "--data", "1", "--store", store, ...at]
        const appended = yield* Effect.repeat(reckon(append), { until: ({ code }) => code === 0, times: 20 })
        assert.deepStrictEqual(jsonLines(appended), [{ streamId: "s", version: 0, position: 0, alreadyPresent: 0 }])
      }
      const append = ["append", "s", "--type", "T", "--data", JSON.stringify("x".repeat(1024)), "--store", "orders"]
      assertFailure(yield* reckon([...append, ...at]), 1, "EventTooLarge: ")
      assertFailure(yield* reckon(["read", "s", ...at]), 1, "StoreNotFound: ")
      yield* Fiber.interrupt(node)
      // The store is where it was said to be: a node with another folder of its own finds it there.
      const second = yield* start("--store", "billing", "--data-dir", `${folder}/other`)
      const read = ["read", "s", "--store", "billing", ...at]
      const found = yield* Effect.repeat(reckon(read), { until: ({ code }) => code === 0, times: 20 })
      assert.strictEqual(jsonLines(found).length, 1)
      assertFailure(yield* reckon(["read", "s", "--store", "orders", ...at]), 1, "StoreNotFound: ")
      yield* Fiber.interrupt(second)
    })
  )
})

describe("the time a client command may take", () => {
  it.scopedLive("is a number of seconds, down to a millisecond", () =>
    Effect.gen(function* () {
      const { at } = yield* setUp
      for (const right of ["86400", "1.2345"]) {
        const outcome = yield* reckon(["append", "s", "--type", "T", "--data", "1", "--timeout", right, ...at])
        assert.strictEqual(outcome.code, 0, outcome.err)
      }
      for (const wrong of ["0", "0.0004", "-1", "5s", "NaN", "1e3", "86400.1", "99999999"]) {
        const outcome = yield* reckon(["append", "s", "--type", "T", "--data", "1", "--timeout", wrong, ...at])
        assertFailure(
          outcome,
          2,
          `UsageError: --timeout is '${wrong}', it must be a number of seconds from 0.001 to 86400;`
        )
      }
    })
  )
})

describe("the sizes a client command checks", () => {
  it.scopedLive("take units, and settings of a node do not concern it", () =>
    Effect.gen(function* () {
      const { at } = yield* setUp
      const append = ["append", "s", "--type", "T", "--data", JSON.stringify("x".repeat(2000)), ...at]
      const outcome = yield* reckon(append, { env: { RECKON_EVENT_BYTES_MAX: "1KiB", ...wrongEnvironment } })
      assertFailure(outcome, 1, "EventTooLarge: ")
      assert.include(outcome.err, "the limit is 1024")
      const larger = yield* reckon(append, { env: { RECKON_EVENT_BYTES_MAX: " 4 kB ", ...wrongEnvironment } })
      assert.strictEqual(larger.code, 0, larger.err)
      const wrong = yield* reckon(append, { env: { RECKON_EVENT_BYTES_MAX: "4M", RECKON_REQUEST_BYTES_MAX: "0" } })
      assert.strictEqual(wrong.code, 2)
      assert.match(
        wrong.err,
        /^UsageError: RECKON_EVENT_BYTES_MAX is "4M": .*\nUsageError: RECKON_REQUEST_BYTES_MAX is "0": .*\n$/
      )
    })
  )
})
