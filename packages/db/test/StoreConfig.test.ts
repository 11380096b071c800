import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as Limits from "@reckon/client/Limits"
import * as Compaction from "@reckon/raft/Compaction"
import * as ConfigError from "effect/ConfigError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import * as StoreConfig from "../src/StoreConfig.js"
import { complaints, load, withEnvironment, wrong } from "./helpers/config.js"

const encode = Schema.encodeSync(StoreConfig.ReckonConfig)

const page = readFileSync(new URL("../../../docs/configuration.md", import.meta.url), "utf8")

/** The only block of its kind on the page. */
const block = (kind: string): string => new RegExp(`^\`\`\`${kind}\n([\\s\\S]*?)^\`\`\``, "m").exec(page)?.[1] ?? ""

/** The rows of the page's two tables of settings. */
const table = page
  .split("\n")
  .map(line => line.split(" | ").map(cell => cell.replace(/^\| /, "")))
  .filter(cells => cells.length === 8 && cells[1]?.startsWith("`RECKON_"))
  .map(([key = "", variable = "", , standard = ""]) => ({
    key: key.replaceAll("`", ""),
    variable: /^`(\w+)`/.exec(variable)?.[1] ?? "",
    standard: standard.replaceAll("`", "")
  }))

const leaves = (value: unknown, path: string): ReadonlyArray<string> =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.entries(value).flatMap(([key, inner]) => leaves(inner, path === "" ? key : `${path}.${key}`))
    : [path]

describe("the table in docs/configuration.md", () => {
  it.effect("has every setting, once", () =>
    Effect.gen(function* () {
      const config = yield* StoreConfig.makeReckon({ clusterSecret: "known to a few of us" })
      const keys = table.map(({ key }) => key)
      assert.deepStrictEqual([...keys].sort(), [...leaves(encode(config), "")].sort())
      assert.deepStrictEqual(
        StoreConfig.unknownVariables(
          table.map(({ variable }) => variable),
          []
        ),
        []
      )
    })
  )

  for (const { key, standard, variable } of table) {
    it.effect(`${variable} is ${standard} where it is not set`, () =>
      Effect.gen(function* () {
        const untouched = yield* load({})
        if (standard === "none") assert.notProperty(encode(untouched), key)
        else assert.deepStrictEqual(encode(yield* load({ [variable]: standard })), encode(untouched))
      })
    )

    it.effect(`${variable} is read, and named when it is wrong`, () =>
      Effect.map(complaints({ [variable]: "\0".repeat(2000) }), found =>
        assert.deepStrictEqual(Object.keys(found), [variable])
      )
    )

    if (key !== "stores" && standard !== "none") {
      it.effect(`${key} takes what ${variable} takes`, () =>
        Effect.gen(function* () {
          const settings = key.split(".").reduceRight<unknown>((inner, name) => ({ [name]: inner }), standard)
          assert.deepStrictEqual(encode(yield* StoreConfig.fromUnknown(settings)), encode(yield* load({})))
          const [head = "", ...others] = key.split(".")
          const bad = { [head]: others.reduceRight<unknown>((inner, name) => ({ [name]: inner }), null) }
          assert.deepStrictEqual(wrong(bad), [key])
        })
      )
    }
  }

  it.effect("its example is the same in the environment and as an object", () =>
    Effect.gen(function* () {
      const lines = block("env").trim().split("\n")
      const environment = Object.fromEntries(lines.map(line => line.split("=")))
      const config = encode(yield* load(environment))
      assert.deepStrictEqual(encode(yield* StoreConfig.fromUnknown(JSON.parse(block("json")))), config)
      assert.deepStrictEqual(StoreConfig.unknownVariables(Object.keys(environment), ["orders", "billing-eu"]), [])
      assert.strictEqual(config.stores[1]?.log.bytesMax, 1_073_741_824)
    })
  )

  it("agrees with the rooms that have defaults of their own", () => {
    const { defaults, limits } = StoreConfig.defaults
    assert.deepStrictEqual(limits, Limits.defaults)
    assert.deepStrictEqual(defaults.log, Compaction.defaults)
  })
})

describe("values", () => {
  const timeout = (timeout: number | string) => StoreConfig.make({ id: "a", timeout })
  const size = (bytesMax: number | string) => StoreConfig.make({ id: "a", log: { bytesMax, tailBytes: 0 } })
  const handlers = (telemetryHandlers: string) => StoreConfig.fromUnknown({ telemetryHandlers })

  it.effect("a wait is a number of milliseconds, or a text with a unit", () =>
    Effect.gen(function* () {
      for (const [written, millis] of [
        [1, 1],
        ["5000", 5000],
        ["10 seconds", 10_000],
        ["1.5 minutes", 90_000],
        ["200 millis", 200],
        [2_147_483_647, 2_147_483_647]
      ] as const) {
        assert.strictEqual(Duration.toMillis((yield* timeout(written)).timeout), millis, String(written))
      }
      const given = yield* StoreConfig.make({ id: "a", timeout: Duration.hours(2) })
      assert.strictEqual(Duration.toMillis(given.timeout), 7_200_000)
    })
  )

  it("a wait is not zero, negative, broken, endless, or longer than a timer can wait", () => {
    const bad = [
      0,
      -1,
      0.5,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      2_147_483_648,
      "",
      "5s",
      "-5",
      "soon",
      "25 days",
      "1e3"
    ]
    for (const written of bad) assert.isTrue(Either.isLeft(timeout(written)), String(written))
  })

  it.effect("a size is a number of bytes, or a text with a unit of 1000 or 1024", () =>
    Effect.gen(function* () {
      for (const [written, bytes] of [
        [1, 1],
        ["512", 512],
        ["512 B", 512],
        ["16MiB", 16_777_216],
        ["16 mib", 16_777_216],
        ["16MB", 16_000_000],
        ["1.5KiB", 1536],
        ["2TiB", 2_199_023_255_552]
      ] as const) {
        assert.strictEqual((yield* size(written)).log.bytesMax, bytes, String(written))
      }
    })
  )

  it("a size is not a broken number of bytes, negative, or too large to count", () => {
    for (const written of [0, -1, 0.5, "1.5", "16M", "MiB", "-1MiB", "16MiBs", "9007199254740993", "99999999TiB"]) {
      assert.isTrue(Either.isLeft(size(written)), String(written))
    }
  })

  it.effect("a list has words with commas between them, each once, or is none", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual((yield* handlers("none")).telemetryHandlers, [])
      assert.deepStrictEqual((yield* handlers("opentelemetry, logger")).telemetryHandlers, ["opentelemetry", "logger"])
      for (const text of ["logger,logger", "logger,", "statsd", "none,logger"]) {
        assert.isTrue(Either.isLeft(handlers(text)), text)
      }
    })
  )

  it("what lies just outside of its range is refused, and what lies on its edge is not", () => {
    const settings = (group: string, key: string, value: unknown) => wrong({ [group]: { [key]: value } })
    for (const [group, key, right, bad] of [
      ["defaults", "leaseReads", [true, false, "true"], ["yes", "1", 1, null]],
      ["defaults", "readThread", [true, false, "false"], ["off", 0, null]],
      ["defaults", "traceBytesMax", [0, "64MiB"], [-1, true]],
      ["defaults", "writerPoolSize", [1, 65_536, "65536"], [0, 65_537, 1.5, "1.0", "0x10", null, true]],
      ["defaults", "mode", ["single", "cluster"], ["Single", "", 1]],
      ["discovery", "port", [1, 65_535], [0, 65_536]],
      [
        "discovery",
        "multicastAddr",
        ["224.0.0.0", "239.255.255.255"],
        ["223.0.0.1", "240.0.0.0", "239.256.0.1", "239.1"]
      ],
      ["consistency", "checkInterval", [1000], [999]],
      ["health", "failureThreshold", [1], [0]],
      ["memory", "criticalThreshold", [0.71, "0.99"], [0, 1, 1.5, "1", "85%", Number.NaN]]
    ] as const) {
      for (const value of right) assert.deepStrictEqual(settings(group, key, value), [], `${key}: ${value}`)
      for (const value of bad)
        assert.deepStrictEqual(settings(group, key, value), [`${group}.${key}`], `${key}: ${value}`)
    }
    for (const [key, most] of [
      ["clusterSecret", 1024],
      ["dataDir", 4096]
    ] as const) {
      assert.deepStrictEqual(wrong({ [key]: "x".repeat(most) }), [])
      assert.deepStrictEqual(wrong({ [key]: "x".repeat(most + 1) }), [key])
    }
  })

  it.effect("a variable that is empty is not set, and white space around a value does not count", () =>
    Effect.gen(function* () {
      const config = yield* load({ RECKON_MODE: "  ", RECKON_WRITER_POOL_SIZE: " 7 ", RECKON_STORES: "" })
      assert.strictEqual(config.defaults.mode, "single")
      assert.strictEqual(config.defaults.writerPoolSize, 7)
      assert.deepStrictEqual(
        config.stores.map(({ id }) => id),
        ["default"]
      )
    })
  )
})

describe("settings that must fit each other", () => {
  const cases: ReadonlyArray<readonly [string, unknown, ReadonlyArray<string>]> = [
    ["a probe takes at most as long as the interval", { health: { probeInterval: 999 } }, ["health.probeTimeout"]],
    ["a probe may take as long as the interval", { health: { probeInterval: 1000 } }, []],
    ["elevated is below critical", { memory: { elevatedThreshold: 0.85 } }, ["memory.elevatedThreshold"]],
    [
      "what stays of a log is less than it is cut at",
      { defaults: { log: { entriesMax: 8192 } } },
      ["defaults.log.tailEntries"]
    ],
    [
      "a store's own tail is held against the limit of all",
      { stores: [{ id: "a", log: { tailBytes: "256MiB" } }] },
      ["stores.a.log.tailBytes"]
    ],
    [
      "the log of all is not blamed on each store",
      { defaults: { log: { entriesMax: 1 } }, stores: [{ id: "a" }] },
      ["defaults.log.tailEntries"]
    ],
    ["discovery needs a secret", { discovery: { method: "multicast" } }, ["discovery.method"]],
    ["discovery has one", { clusterSecret: "known to a few of us", discovery: { method: "k8s_dns" } }, []],
    ["a store is there once", { stores: [{ id: "a" }, { id: "a", mode: "bad" }] }, ["stores[1].id"]],
    [
      "no two stores have one folder, however it is written",
      {
        stores: [
          { id: "a", dataDir: "./x/../y" },
          { id: "b", dataDir: "y" }
        ]
      },
      ["stores.b.dataDir"]
    ]
  ]
  for (const [name, settings, keys] of cases) it(name, () => assert.deepStrictEqual(wrong(settings), keys))
})

describe("errors", () => {
  it.effect("all that is wrong is said at once, with name, value and what is accepted", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        load({
          RECKON_STORES: "orders,or/ders",
          RECKON_WRITER_POOL_SIZE: "0",
          RECKON_STORE_ORDERS_TIMEOUT: "5s",
          RECKON_MEMORY_ELEVATED_THRESHOLD: "0.9",
          RECKON_HEALTH_PROBE_TYPE: "khepri"
        })
      )
      assert.strictEqual(error._tag, "InvalidConfig")
      assert.deepStrictEqual(error.message.split("; ").sort(), [
        'RECKON_HEALTH_PROBE_TYPE is "khepri": must be "ping" or "rpc" or "deep"',
        "RECKON_MEMORY_ELEVATED_THRESHOLD is 0.9: must be less than RECKON_MEMORY_CRITICAL_THRESHOLD, which is 0.85, set both",
        `RECKON_STORES is "or/ders": must be a store's name, 1 to 64 letters, digits, '_', '.' or '-', the first of them a letter or digit`,
        'RECKON_STORE_ORDERS_TIMEOUT is "5s": must be a time from 1 to 2147483647 milliseconds: a whole number of them, or a text such as "10 seconds"',
        'RECKON_WRITER_POOL_SIZE is "0": must be a whole number from 1 to 65536'
      ])
    })
  )

  it.effect("as a Config, it fails with as many", () =>
    Effect.gen(function* () {
      const environment = { RECKON_STORE_A_MODE: "both", RECKON_DISCOVERY_PORT: "0" }
      const error = yield* Effect.flip(withEnvironment(environment)(StoreConfig.config(["a"])))
      assert.isTrue(ConfigError.isAnd(error))
      assert.include(error.message, "RECKON_STORE_A_MODE")
      assert.include(error.message, "RECKON_DISCOVERY_PORT")
    })
  )

  it.effect("a secret is not told", () =>
    Effect.gen(function* () {
      const secret = "correct horse battery staple ".repeat(40)
      const error = yield* Effect.flip(load({ RECKON_CLUSTER_SECRET: secret }))
      assert.notInclude(error.message, "correct")
      assert.notInclude(JSON.stringify(error), "correct")
      const config = yield* load({ RECKON_CLUSTER_SECRET: "a battery staple" })
      assert.notInclude(`${JSON.stringify(config)} ${config.clusterSecret}`, "staple")
      const misplaced = {
        clusterSecrt: "staple",
        cluster: { clusterSecret: "staple" },
        memory: [{ clusterSecret: "staple" }]
      }
      assert.notInclude((yield* Effect.flip(StoreConfig.fromUnknown(misplaced))).message, "staple")
      assert.strictEqual(config.clusterSecret && Redacted.value(config.clusterSecret), "a battery staple")
    })
  )

  it("a key that there is not is wrong, with the nearest that there is", () => {
    const error = StoreConfig.fromUnknown({
      helth: {},
      defaults: { writer_pool_sizes: 1 },
      stores: [{ id: "a", x: 1 }]
    })
    const problems = Either.match(error, { onLeft: ({ problems }) => problems, onRight: () => [] })
    const of = (key: string) => problems.find(found => found.key === key)?.problem ?? ""
    assert.strictEqual(problems.length, 3)
    assert.strictEqual(of("helth"), "there is no such setting, the nearest is health")
    assert.strictEqual(of("defaults.writer_pool_sizes"), "there is no such setting, the nearest is writerPoolSize")
    assert.include(of("stores.a.x"), "there is no such setting, only mode, ")
  })

  it("what has another shape is wrong, and nothing breaks on it", () => {
    assert.deepStrictEqual(wrong(null), ["the configuration"])
    assert.deepStrictEqual(wrong([]), ["the configuration"])
    assert.deepStrictEqual(wrong({ health: 5, stores: {} }), ["health", "stores"])
    assert.deepStrictEqual(wrong({ stores: [1, {}, { id: "a", log: [] }] }), [
      "stores[0]",
      "stores[1].id",
      "stores.a.log"
    ])
    assert.deepStrictEqual(wrong(JSON.parse('{"__proto__": {"dataDir": "x"}}')), ["__proto__"])
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withMap: true, withNullPrototype: true }), anything => {
        StoreConfig.fromUnknown(anything)
        StoreConfig.fromUnknown({ defaults: anything, stores: [anything, { id: "a", log: anything, mode: anything }] })
      })
    )
  })
})

describe("any settings", () => {
  const maybe = <A>(value: fc.Arbitrary<A>) => fc.option(value, { nil: undefined })
  const wait = fc.integer({ min: 1, max: 2 ** 31 - 1 })
  const pool = fc.integer({ min: 1, max: 65_536 })
  const settings = {
    mode: maybe(fc.constantFrom("single" as const, "cluster" as const)),
    timeout: maybe(wait),
    writerPoolSize: maybe(pool),
    readerIdleTimeout: maybe(wait)
  }
  const log = maybe(
    fc.record({ entriesMax: maybe(fc.integer({ min: 10_000 })), tailBytes: maybe(fc.nat({ max: 1000 })) })
  )
  const store = fc.record({ id: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/), ...settings, log })
  const options = fc.record({
    dataDir: maybe(fc.stringMatching(/^[a-z/]{1,20}$/)),
    clusterSecret: maybe(fc.stringMatching(/^\S{16,40}$/)),
    telemetryHandlers: maybe(fc.uniqueArray(fc.constantFrom("logger" as const, "opentelemetry" as const))),
    defaults: maybe(fc.record({ ...settings, log })),
    stores: maybe(fc.uniqueArray(store, { selector: ({ id }) => id, maxLength: 5 })),
    memory: maybe(fc.record({ criticalThreshold: fc.double({ min: 0.71, max: 0.999, noNaN: true }) }))
  })

  it("come back from JSON as they were", () =>
    fc.assert(
      fc.property(options, given => {
        const config = Either.getOrThrow(StoreConfig.makeReckon(given))
        const again = Either.getOrThrow(StoreConfig.fromUnknown(JSON.parse(JSON.stringify(encode(config)))))
        assert.deepStrictEqual(encode(again), encode(config))
        assert.isTrue(Schema.equivalence(StoreConfig.ReckonConfig)(again, config))
      })
    ))

  it("are a store's own before they are those of all, and those of all before the defaults", () =>
    fc.assert(
      fc.property(options, given => {
        const { defaults, stores } = encode(Either.getOrThrow(StoreConfig.makeReckon(given)))
        assert.strictEqual(defaults.timeout, given.defaults?.timeout ?? 5000)
        assert.deepStrictEqual(
          stores.map(({ id, log, mode, timeout }) => [id, mode, timeout, log.entriesMax]),
          (given.stores ?? [{ id: "default", mode: undefined, timeout: undefined, log: undefined }]).map(own => [
            own.id,
            own.mode ?? given.defaults?.mode ?? "single",
            own.timeout ?? given.defaults?.timeout ?? 5000,
            own.log?.entriesMax ?? given.defaults?.log?.entriesMax ?? 65_536
          ])
        )
      })
    ))
})
