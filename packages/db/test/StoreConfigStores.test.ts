import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as StoreConfig from "../src/StoreConfig.js"
import { complaints, load } from "./helpers/config.js"

describe("stores", () => {
  it.effect("a store has what is set for it, then what is set for all, then the default", () =>
    Effect.gen(function* () {
      const { defaults, stores } = yield* load({
        RECKON_STORES: "orders, billing-eu.1",
        RECKON_DATA_DIR: "/data",
        RECKON_DEFAULT_TIMEOUT: "2000",
        RECKON_WRITER_POOL_SIZE: "2",
        RECKON_LOG_ENTRIES_MAX: "20000",
        RECKON_STORE_ORDERS_DATA_DIR: "/orders",
        RECKON_STORE_ORDERS_WRITER_POOL_SIZE: "3",
        RECKON_STORE_BILLING_EU_1_TIMEOUT: "1 second",
        RECKON_STORE_BILLING_EU_1_LOG_TAIL_ENTRIES: "10"
      })
      const seen = stores.map(({ dataDir, id, log, readerPoolSize, timeout, writerPoolSize }) => [
        ...[id, dataDir, writerPoolSize, readerPoolSize, Duration.toMillis(timeout), log.entriesMax, log.tailEntries]
      ])
      assert.deepStrictEqual(seen, [
        ["orders", "/orders", 3, 4, 2000, 20_000, 8192],
        ["billing-eu.1", "/data/stores/billing-eu.1", 2, 4, 1000, 20_000, 10]
      ])
      assert.strictEqual(defaults.writerPoolSize, 2)
    })
  )

  it.effect("one that is started later has what its node has for all", () =>
    Effect.gen(function* () {
      const node = yield* StoreConfig.makeReckon({ dataDir: "/data", defaults: { mode: "cluster" }, stores: [] })
      const store = yield* StoreConfig.make({ id: "late", readerPoolSize: 9 }, node)
      assert.deepStrictEqual(
        [node.stores.length, store.dataDir, store.mode, store.readerPoolSize],
        [0, "/data/stores/late", "cluster", 9]
      )
      const error = yield* Effect.flip(StoreConfig.make({ id: "", timeout: 0 }, node))
      assert.deepStrictEqual(error.problems.map(({ key }) => key).sort(), ["id", "timeout"])
    })
  )

  it.effect("ids with the same variables can live side by side until one of these is set", () =>
    Effect.gen(function* () {
      const environment = { RECKON_STORES: "a-b,a.b,A_B,b" }
      assert.strictEqual((yield* load(environment)).stores.length, 4)
      const found = yield* complaints({
        ...environment,
        RECKON_STORE_A_B_MODE: "cluster",
        RECKON_STORE_B_MODE: "cluster"
      })
      assert.deepStrictEqual(Object.keys(found), ["RECKON_STORE_A_B_MODE"])
    })
  )

  it.effect("one that is named twice is what is wrong, and not what is set for it", () =>
    Effect.gen(function* () {
      const found = yield* complaints({ RECKON_STORES: "a,a", RECKON_STORE_A_MODE: "cluster" })
      assert.deepStrictEqual(Object.keys(found), ["RECKON_STORES"])
    })
  )

  it.effect("a variable that ends like the setting of one store and like that of another is refused", () =>
    Effect.gen(function* () {
      const environment = { RECKON_STORE_A_READER_IDLE_TIMEOUT: "3000" }
      const [alone] = (yield* load({ ...environment, RECKON_STORES: "a" })).stores
      assert.strictEqual(alone && Duration.toMillis(alone.readerIdleTimeout), 3000)
      const found = yield* complaints({ ...environment, RECKON_STORES: "a,a_reader_idle" })
      assert.deepStrictEqual(Object.keys(found), ["RECKON_STORE_A_READER_IDLE_TIMEOUT"])
    })
  )

  it("variables that nothing reads are listed with the nearest that something reads", () => {
    const nearest = (name: string) => StoreConfig.unknownVariables([name], ["orders"]).map(({ nearest }) => nearest)
    assert.deepStrictEqual(nearest("RECKON_READER_IDLE_TIMEOUT_MS"), ["RECKON_READER_IDLE_TIMEOUT"])
    assert.deepStrictEqual(nearest("RECKON_DB_CLUSTER_SECRET"), ["RECKON_CLUSTER_SECRET"])
    assert.deepStrictEqual(nearest("RECKON_MULTICAST_ADDR"), ["RECKON_DISCOVERY_MULTICAST_ADDR"])
    assert.deepStrictEqual(nearest("RECKON_STORE_ORDRES_MODE"), ["RECKON_STORE_ORDERS_MODE"])
    assert.deepStrictEqual(nearest("RECKON_XYZZY"), [undefined])
    assert.deepStrictEqual(nearest("RECKON_MODAL"), [undefined])
    assert.deepStrictEqual(nearest(`RECKON_${"X".repeat(100_000)}`), [undefined])
    const known = [
      "PATH",
      "RECKON_STORES",
      "RECKON_ENDPOINTS",
      "RECKON_STORE",
      "RECKON_TIMEOUT",
      "RECKON_STORE_ORDERS_MODE"
    ]
    assert.deepStrictEqual(StoreConfig.unknownVariables(known, ["orders"]), [])
    const unknown = StoreConfig.unknownVariables(["RECKON_B", ...known, "RECKON_A"], ["orders"])
    assert.deepStrictEqual(
      unknown.map(({ name }) => name),
      ["RECKON_A", "RECKON_B"]
    )
  })
})
