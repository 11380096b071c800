import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as fc from "fast-check"
import * as Time from "../../src/cli/shared/time.js"
import { jsonLines, type Outcome, reckon } from "./helpers/reckon.js"
import { assertFailure, setUp } from "./helpers/setUp.js"

const versions = (outcome: Outcome): ReadonlyArray<unknown> => {
  assert.strictEqual(outcome.code, 0, outcome.err)
  return jsonLines(outcome).map(value => (value as { version: number }).version)
}

describe("a time on the command line", () => {
  it("is microseconds since 1970, or an ISO time with a zone, or a day", () => {
    const written: ReadonlyArray<readonly [string, number]> = [
      ["0", 0],
      ["1777636800000000", 1_777_636_800_000_000],
      ["2026-05-01T12:00:00Z", 1_777_636_800_000_000],
      ["2026-05-01T14:00+02:00", 1_777_636_800_000_000],
      ["2026-05-01T06:30:00.5-05:30", 1_777_636_800_500_000],
      ["2026-05-01T12:00:00.000001Z", 1_777_636_800_000_001],
      ["2026-05-01", 1_777_593_600_000_000],
      ["2024-02-29", 1_709_164_800_000_000],
      ["1969-12-31T23:59:59.999999Z", -1]
    ]
    for (const [text, epochUs] of written) assert.deepStrictEqual(Time.parse(text), Option.some(epochUs), text)
  })

  it("is nothing else: no time without a zone, no day that does not exist, no more than microseconds", () => {
    const wrong = [
      ...["", "now", "yesterday", "-1", "1.5", "1e3", "9007199254740993", "12345678901234567"],
      ...["2026-05-01T12:00:00", "2026-05-01 12:00:00Z", "2026-05-01T12Z", "2026-05"],
      ...["2025-02-29", "2026-02-30T00:00:00Z", "2026-13-01", "2026-05-01T25:00:00Z", "2026-05-01T12:60:00Z"],
      ...["2026-05-01T12:00:00.1234567Z", "2026-05-01T12:00:00+99:00", "2026-05-01T12:00:00Z "]
    ]
    for (const text of wrong) assert.isTrue(Option.isNone(Time.parse(text)), text)
  })

  it("is read as it is printed", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), epochUs => {
        const printed = Time.format(epochUs)
        assert.match(printed, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
        assert.deepStrictEqual(Time.parse(printed), Option.some(epochUs))
      })
    )
  })
})

/** The events of `a` have the versions 0 to 6, and their times are as many microseconds after the beginning of 1970. */
describe("read by time", () => {
  it.scopedLive("--until reads what the stream had at a time", () =>
    Effect.gen(function* () {
      const { append, at } = yield* setUp
      yield* append("a", 7)
      const until = (time: string, ...more: ReadonlyArray<string>) =>
        Effect.map(reckon(["read", "a", "--until", time, "--json", ...more, ...at]), versions)
      assert.deepStrictEqual(yield* until("5"), [0, 1, 2, 3, 4, 5])
      assert.deepStrictEqual(yield* until("1970-01-01T00:00:00.000002Z"), [0, 1, 2])
      assert.deepStrictEqual(yield* until("1970-01-01T01:00:00+01:00"), [0])
      assert.deepStrictEqual(yield* until("1969-12-31"), [])
      assert.deepStrictEqual(yield* until("2026-01-01"), [0, 1, 2, 3, 4, 5, 6])
      assert.deepStrictEqual(yield* until("5", "--backward", "--count", "2"), [5, 4])
      assertFailure(yield* reckon(["read", "b", "--until", "5", ...at]), 1, 'StreamNotFound: there is no stream "b"')
    })
  )

  it.scopedLive("--range reads from one time to another, both included", () =>
    Effect.gen(function* () {
      const { append, at } = yield* setUp
      yield* append("a", 7)
      const range = (times: string, ...more: ReadonlyArray<string>) =>
        Effect.map(reckon(["read", "a", "--range", times, "--json", ...more, ...at]), versions)
      assert.deepStrictEqual(yield* range("2..4"), [2, 3, 4])
      assert.deepStrictEqual(yield* range("3..3"), [3])
      assert.deepStrictEqual(yield* range("1970-01-01T00:00:00.000005Z..2026-01-01"), [5, 6])
      assert.deepStrictEqual(yield* range("1970-01-01..1970-01-01T00:00:00.000001Z"), [0, 1])
      assert.deepStrictEqual(yield* range("2..6", "--backward", "--count", "3"), [6, 5, 4])
      assert.deepStrictEqual(yield* range("100..200"), [])
    })
  )

  it.effect("refuses what is no time, and more than one beginning, with exit code 2 and one line", () =>
    Effect.gen(function* () {
      const wrong: ReadonlyArray<readonly [ReadonlyArray<string>, string]> = [
        [["--until", "soon"], "--until is 'soon'"],
        [["--range", "1"], "--range is '1'"],
        [["--range", "1..2..3"], "--range is '1..2..3'"],
        [["--range", "..2"], "--range is '..2'"],
        [["--range", "2026-01-02..2026-01-01"], "it ends before it begins"],
        [["--until", "1", "--range", "1..2"], "at most one of --from, --until and --range"],
        [["--until", "1", "--from", "0"], "at most one of --from, --until and --range"]
      ]
      for (const [args, says] of wrong) {
        const outcome = yield* reckon(["read", "a", ...args])
        assertFailure(outcome, 2, "UsageError: ")
        assert.include(outcome.err, says)
      }
    })
  )
})
