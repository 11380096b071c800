import { assert, describe, it } from "@effect/vitest"
import { Event } from "@reckon/client"
import * as Effect from "effect/Effect"
import { jsonLines, reckon } from "./helpers/reckon.js"
import { assertFailure, setUp } from "./helpers/setUp.js"

const at0 = "1970-01-01T00:00:00"

describe("stream info", () => {
  it.scopedLive("shows what is known of a stream, as JSON if asked", () =>
    Effect.gen(function* () {
      const { append, at, store } = yield* setUp
      yield* append("a", 1)
      yield* append("b", 3)
      store.metadata.set("b", { maxAgeUs: 86_400_000_000, maxCount: 5, truncateBefore: 1 })
      const bytes = (store.streams.get("b") ?? []).reduce((sum, event) => sum + Event.byteLength(event), 0)
      const plain = yield* reckon(["stream", "info", "b", ...at])
      assert.deepStrictEqual(plain.out.split("\n"), [
        "stream    b",
        "state     active",
        "versions  0 to 2",
        "last      2",
        `events    3, ${bytes} bytes`,
        `created   ${at0}.000001Z`,
        `updated   ${at0}.000003Z`,
        "keeps     the last 5, none older than 1d, none before version 1",
        ""
      ])
      const json = yield* reckon(["stream", "info", "b", "--json", ...at])
      assert.deepStrictEqual(jsonLines(json), [
        {
          ...{ streamId: "b", state: "active", firstVersion: 0, lastVersion: 2, count: 3, bytes },
          ...{ createdUs: 1, updatedUs: 3 },
          metadata: { maxAgeUs: 86_400_000_000, maxCount: 5, truncateBefore: 1 }
        }
      ])
      assertFailure(yield* reckon(["stream", "info", "c", ...at]), 1, 'StreamNotFound: there is no stream "c"')
    })
  )

  it.scopedLive("shows a stream that was deleted as well", () =>
    Effect.gen(function* () {
      const { append, at } = yield* setUp
      yield* append("a", 2)
      yield* reckon(["stream", "delete", "a", ...at])
      const { out } = yield* reckon(["stream", "info", "a", ...at])
      assert.include(out, "state     deleted\nversions  none kept\nlast      1\nevents    0, 0 bytes\n")
      assert.include(out, "keeps     all events\n")
    })
  )
})

describe("stream delete and stream tombstone", () => {
  it.scopedLive("hide the events until an append, or for good, and each command says so in one line", () =>
    Effect.gen(function* () {
      const { append, at } = yield* setUp
      yield* append("a", 2)
      const deleted = yield* reckon(["stream", "delete", "a", ...at])
      assert.deepStrictEqual(deleted, { code: 0, out: "a: deleted, an append creates it anew\n", err: "" })
      assertFailure(
        yield* reckon(["read", "a", ...at]),
        1,
        'StreamDeleted: stream "a" was deleted; an append creates it anew\n'
      )
      yield* append("a", 1)
      assert.strictEqual((yield* reckon(["read", "a", ...at])).code, 0)

      const gone = yield* reckon(["stream", "tombstone", "a", "--json", ...at])
      assert.deepStrictEqual(jsonLines(gone), [{ streamId: "a", state: "tombstoned" }])
      const line = 'StreamTombstoned: stream "a" was deleted for good; name another stream\n'
      assertFailure(yield* reckon(["read", "a", ...at]), 1, line)
      const append1 = ["append", "a", "--type", "T", "--data", "1", ...at]
      assertFailure(yield* reckon(append1), 1, line)
      assertFailure(yield* reckon([...append1, "--condition-type", "Other"]), 1, line)
      assertFailure(yield* reckon(["stream", "delete", "a", ...at]), 1, line)
    })
  )

  it.scopedLive("do nothing where the stream is not as expected", () =>
    Effect.gen(function* () {
      const { append, at, store } = yield* setUp
      yield* append("a", 2)
      for (const command of ["delete", "tombstone"]) {
        const outcome = yield* reckon(["stream", command, "a", "--expect", "0", ...at])
        assertFailure(outcome, 1, 'WrongExpectedVersion: stream "a" is at version 1, expected 0')
      }
      assert.deepStrictEqual([...store.removed.keys()], [])
      const json = yield* reckon(["stream", "delete", "a", "--expect", "1", "--json", ...at])
      assert.deepStrictEqual(jsonLines(json), [{ streamId: "a", state: "deleted" }])
    })
  )
})

describe("stream set", () => {
  it.scopedLive("says how much is kept from now on, in the place of what was said before", () =>
    Effect.gen(function* () {
      const { at, store } = yield* setUp
      const set = (...args: ReadonlyArray<string>) => reckon(["stream", "set", "a", ...args, ...at])
      const first = yield* set("--max-age", "36 hours", "--max-count", "3")
      assert.deepStrictEqual(first, { code: 0, out: "a: keeps the last 3, none older than 1d 12h\n", err: "" })
      assert.deepStrictEqual(store.metadata.get("a"), { maxAgeUs: 129_600_000_000, maxCount: 3, truncateBefore: null })
      const metadata = { maxAgeUs: null, maxCount: null, truncateBefore: 0 }
      const json = yield* set("--truncate-before", "0", "--json")
      assert.deepStrictEqual(jsonLines(json), [{ streamId: "a", metadata }])
      assert.deepStrictEqual(store.metadata.get("a"), metadata)
      assert.strictEqual((yield* set("--keep-all")).out, "a: keeps all events\n")
      assert.deepStrictEqual(store.metadata.get("a"), { ...metadata, truncateBefore: null })
    })
  )

  it.effect("refuses limits that make no sense, with exit code 2 and one line", () =>
    Effect.gen(function* () {
      const wrong: ReadonlyArray<readonly [ReadonlyArray<string>, string]> = [
        [[], "give at least one of --max-age"],
        [["--keep-all", "--max-count", "3"], "--keep-all alone"],
        [["--max-age", "30"], "--max-age is '30'"],
        [["--max-age", "0 days"], "--max-age is '0 days'"],
        [["--max-age", "1 nano"], "--max-age is '1 nano'"],
        [["--max-age", "999999999 weeks"], "--max-age is '999999999 weeks'"],
        [["--max-count", "0"], "--max-count is '0'"],
        [["--truncate-before", "1.5"], "--truncate-before is '1.5'"]
      ]
      for (const [args, says] of wrong) {
        const outcome = yield* reckon(["stream", "set", "a", ...args])
        assertFailure(outcome, 2, "UsageError: ")
        assert.include(outcome.err, says)
        assert.include(outcome.err, "; see reckon stream --help")
      }
      for (const command of ["info", "delete", "tombstone", "set", "forget"]) {
        assertFailure(yield* reckon(["stream", command]), 2, "UsageError: ")
      }
      assertFailure(yield* reckon(["stream", "delete", "a", "--expect", "soon"]), 2, "UsageError: --expect is 'soon'")
    })
  )
})

describe("streams --pattern", () => {
  it.scopedLive("prints the streams whose names match", () =>
    Effect.gen(function* () {
      const { append, at } = yield* setUp
      for (const stream of ["order-1", "order-2", "order-10", "cart-1", "order"]) yield* append(stream, 1)
      const names = (pattern: string) =>
        Effect.map(reckon(["streams", "--pattern", pattern, "--json", ...at]), outcome =>
          jsonLines(outcome).map(value => (value as { streamId: string }).streamId)
        )
      assert.deepStrictEqual(yield* names("order-*"), ["order-1", "order-10", "order-2"])
      assert.deepStrictEqual(yield* names("*-?"), ["cart-1", "order-1", "order-2"])
      assert.deepStrictEqual(yield* names("order"), ["order"])
      assert.deepStrictEqual(yield* names("nothing*"), [])
      assertFailure(yield* reckon(["streams", "--pattern", "", ...at]), 1, "InvalidRequest: ")
    })
  )
})
