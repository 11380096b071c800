import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { jsonLines, type Outcome, reckon } from "./helpers/reckon.js"
import { assertFailure, setUp } from "./helpers/setUp.js"

const positions = (outcome: Outcome): ReadonlyArray<unknown> => {
  assert.strictEqual(outcome.code, 0, outcome.err)
  return jsonLines(outcome).map(value => (value as { position: number }).position)
}

/** Eight events; their positions and the microseconds since 1970 of their times are 0 to 7. */
const setUpOrders = Effect.gen(function* () {
  const cluster = yield* setUp
  const append = (stream: string, type: string, ...more: ReadonlyArray<string>) =>
    reckon(["append", stream, "--type", type, "--data", "1", ...more, ...cluster.at])
  yield* append("order-1", "Placed", "--tag", "vip", "--tag", "eu", "--metadata", '{"user":"ann","try":1}')
  yield* append("order-2", "Placed", "--tag", "eu", "--metadata", '{"user":"bob","try":"1"}')
  yield* append("order-1", "Paid", "--tag", "vip", "--metadata", '{"user":"ann","test":true}')
  yield* append("cart-1", "Placed", "--tag", "us")
  yield* append("order-1", "Shipped", "--tag", "eu", "--metadata", '{"note":"a=b","user":"ann"}')
  yield* append("order-2", "Paid", "--tag", "eu", "--tag", "vip", "--metadata", '{"test":"true"}')
  yield* append("order-12", "Placed")
  yield* append("cart-1", "Paid", "--tag", "us")
  const query = (...args: ReadonlyArray<string>) => reckon(["query", ...args, ...cluster.at])
  const found = (...args: ReadonlyArray<string>) => Effect.map(query("--json", ...args), positions)
  return { ...cluster, append, query, found }
})

describe("query", () => {
  it.scopedLive("without criteria finds every event, over as many pages as it takes", () =>
    Effect.gen(function* () {
      const { found } = yield* setUpOrders
      assert.deepStrictEqual(yield* found(), [0, 1, 2, 3, 4, 5, 6, 7])
    })
  )

  it.scopedLive("finds one of the types, all of the tags, any of the tags, and the names that match", () =>
    Effect.gen(function* () {
      const { found } = yield* setUpOrders
      assert.deepStrictEqual(yield* found("--type", "Paid", "--type", "Shipped"), [2, 4, 5, 7])
      assert.deepStrictEqual(yield* found("--tag", "vip", "--tag", "eu"), [0, 5])
      assert.deepStrictEqual(yield* found("--any-tag", "vip", "--any-tag", "us"), [0, 2, 3, 5, 7])
      assert.deepStrictEqual(yield* found("--stream-pattern", "order-?"), [0, 1, 2, 4, 5])
      assert.deepStrictEqual(yield* found("--stream-pattern", "*-1"), [0, 2, 3, 4, 7])
    })
  )

  it.scopedLive("finds what meets every kind of criterion", () =>
    Effect.gen(function* () {
      const { found } = yield* setUpOrders
      assert.deepStrictEqual(yield* found("--type", "Placed", "--any-tag", "us", "--any-tag", "vip"), [0, 3])
      assert.deepStrictEqual(yield* found("--tag", "eu", "--any-tag", "eu", "--any-tag", "us"), [0, 1, 4, 5])
      const narrow = ["--type", "Paid", "--tag", "vip", "--metadata", "user=ann", "--stream-pattern", "order-*"]
      assert.deepStrictEqual(yield* found(...narrow), [2])
      assert.deepStrictEqual(yield* found("--type", "Refunded"), [])
    })
  )

  it.scopedLive(
    "takes a number or a truth value in metadata for itself, quoted ones and anything else for a text",
    () =>
      Effect.gen(function* () {
        const { found } = yield* setUpOrders
        assert.deepStrictEqual(yield* found("--metadata", "user=ann"), [0, 2, 4])
        assert.deepStrictEqual(yield* found("--metadata", "try=1"), [0])
        assert.deepStrictEqual(yield* found("--metadata", 'try="1"'), [1])
        assert.deepStrictEqual(yield* found("--metadata", "test=true"), [2])
        assert.deepStrictEqual(yield* found("--metadata", 'test="true"'), [5])
        assert.deepStrictEqual(yield* found("--metadata", "note=a=b"), [4])
        assert.deepStrictEqual(yield* found("--metadata", "user=ann", "--metadata", "try=1"), [0])
        for (const value of ["null", "{}", "1e999", ""]) {
          assert.deepStrictEqual(yield* found("--metadata", `user=${value}`), [], value)
        }
      })
  )

  it.scopedLive("begins at a position, ends after a count, and goes backward", () =>
    Effect.gen(function* () {
      const { found } = yield* setUpOrders
      assert.deepStrictEqual(yield* found("--tag", "eu", "--from", "1", "--count", "2"), [1, 4])
      assert.deepStrictEqual(yield* found("--tag", "eu", "--backward", "--count", "3"), [5, 4, 1])
      assert.deepStrictEqual(yield* found("--backward", "--from", "6"), [6, 5, 4, 3, 2, 1, 0])
      assert.deepStrictEqual(yield* found("--count", "0"), [])
    })
  )

  it.scopedLive("looks at the store as it was at a position or at a time", () =>
    Effect.gen(function* () {
      const { found, gateway } = yield* setUpOrders
      assert.deepStrictEqual(yield* found("--tag", "eu", "--as-of", "4"), [0, 1, 4])
      assert.notInclude(gateway.tags, "PositionAt")
      assert.deepStrictEqual(yield* found("--tag", "eu", "--as-of", "1970-01-01T00:00:00.000003Z"), [0, 1])
      assert.deepStrictEqual(yield* found("--as-of", "1970-01-01"), [0])
      assert.deepStrictEqual(yield* found("--as-of", "1969-12-31T23:59:59.999999Z"), [])
    })
  )

  it.scopedLive("prints a line for people, unless JSON is asked for", () =>
    Effect.gen(function* () {
      const { query } = yield* setUpOrders
      const outcome = yield* query("--type", "Shipped")
      const line =
        '4  order-1@2  Shipped  1970-01-01T00:00:00.000004Z  1  metadata {"note":"a=b","user":"ann"}  tags eu\n'
      assert.deepStrictEqual(outcome, { code: 0, out: line, err: "" })
    })
  )

  it.effect("refuses what makes no sense, with exit code 2 and one line", () =>
    Effect.gen(function* () {
      const wrong: ReadonlyArray<readonly [string, string]> = [
        ["--metadata", "user"],
        ["--metadata", "=ann"],
        ["--from", "-1"],
        ["--count", "some"],
        ["--as-of", "yesterday"],
        ["--as-of", "2026-02-30"],
        ["--as-of", "2026-05-01T12:00:00"]
      ]
      for (const [option, value] of wrong) {
        const outcome = yield* reckon(["query", option, value])
        assertFailure(outcome, 2, "UsageError: ")
        assert.include(outcome.err, `${option} is '${value}'`)
        assert.include(outcome.err, "; see reckon query --help")
      }
      assertFailure(yield* reckon(["query", "surplus"]), 2, "UsageError: ")
    })
  )

  it.effect("refuses a criterion without a value, which would otherwise find everything", () =>
    Effect.gen(function* () {
      for (const option of ["--type", "--tag", "--any-tag", "--metadata"]) {
        const says = `UsageError: ${option} needs a value that is not empty; see reckon query --help`
        assertFailure(yield* reckon(["query", option, ""]), 2, says)
        assertFailure(yield* reckon(["query", "--type", "Paid", option]), 2, says)
        assertFailure(yield* reckon(["query", option, " ", "--json"]), 2, says)
      }
    })
  )

  it.scopedLive("fails with exit code 1 where the store would not take it", () =>
    Effect.gen(function* () {
      const { query } = yield* setUpOrders
      assertFailure(yield* query("--type", "x".repeat(513)), 1, "InvalidRequest: ")
      assertFailure(yield* query("--store", "other"), 1, "StoreNotFound: ")
      const tooMany = Array.from({ length: 65 }, (_, at) => ["--any-tag", `t${at}`]).flat()
      assertFailure(yield* query(...tooMany), 1, "InvalidRequest: ")
    })
  )
})

describe("append with a condition", () => {
  it.scopedLive("fails with the position of the event that breaks it, and writes nothing", () =>
    Effect.gen(function* () {
      const { append, store } = yield* setUpOrders
      const broken = yield* append("seat-1", "Reserved", "--condition-type", "Paid", "--condition-tag", "us")
      assertFailure(
        broken,
        1,
        "AppendConditionFailed: an event at position 7 matches the append's condition, which allows none after -1; read"
      )
      assert.isFalse(store.streams.has("seat-1"))
    })
  )

  it.scopedLive("takes effect where nothing matches behind the position", () =>
    Effect.gen(function* () {
      const { append } = yield* setUpOrders
      const condition = ["--condition-type", "Placed", "--condition-type", "Shipped", "--condition-after"]
      assertFailure(yield* append("seat-1", "Reserved", ...condition, "5"), 1, "AppendConditionFailed: ")
      const appended = yield* append("seat-1", "Reserved", ...condition, "6", "--json")
      assert.deepStrictEqual(jsonLines(appended), [{ streamId: "seat-1", version: 0, position: 8, alreadyPresent: 0 }])
      const none = yield* append("seat-1", "Reserved", "--condition-tag", "us", "--condition-tag", "vip")
      assert.deepStrictEqual(none, { code: 0, out: "seat-1: version 1, position 9\n", err: "" })
    })
  )

  it.effect("needs a type or a tag, and neither may be empty", () =>
    Effect.gen(function* () {
      const append = (...condition: ReadonlyArray<string>) =>
        reckon(["append", "s", "--type", "T", "--data", "1", ...condition])
      const nothing = yield* append("--condition-after", "3")
      assertFailure(nothing, 2, "UsageError: --condition-after needs --condition-type or --condition-tag")
      assertFailure(yield* append("--condition-type", ""), 2, "UsageError: --condition-type needs a value")
      assertFailure(yield* append("--condition-tag"), 2, "UsageError: --condition-tag needs a value")
    })
  )
})
