import { assert, describe, it } from "@effect/vitest"
import { Event, ExpectedVersion, Query, StoreError, type StoreRpcs } from "@reckon/client"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import { emptyHistory } from "../src/internal/attempts.js"
import { conclude } from "../src/internal/conclude.js"
import { MemoryStore } from "./helpers/memoryStore.js"

const refused = (expected: ExpectedVersion.ExpectedVersion, actual: number) =>
  new StoreError.WrongExpectedVersion({ streamId: "s", expected, actual })

/** What is told of an append that expected this, after an attempt of unknown outcome and then this refusal. */
const told = (expectedVersion: ExpectedVersion.ExpectedVersion, refusal: StoreError.AppendError) => {
  const answer = conclude([{ streamId: "s", expectedVersion, events: [] }], Either.left(refusal), {
    ...emptyHistory(),
    uncertain: "the first answer was lost"
  })
  return Either.match(answer, { onLeft: ({ _tag }) => _tag, onRight: () => "Appended" })
}

describe("after an attempt of unknown outcome", () => {
  it("a refusal is believed where the store can never accept the append again", () => {
    assert.strictEqual(told(3, refused(3, 4)), "WrongExpectedVersion")
    assert.strictEqual(told("any", new StoreError.StreamTombstoned({ streamId: "s" })), "StreamTombstoned")
    const conflict = new StoreError.EventIdConflict({ streamId: "s", eventId: "e", version: 0 })
    assert.strictEqual(told("any", conflict), "EventIdConflict")
  })

  it("a refusal leaves it unknown where the stream can come to what was expected", () => {
    assert.strictEqual(told(3, refused(3, 2)), "OutcomeUnknown")
    assert.strictEqual(told(3, refused(3, -1)), "OutcomeUnknown")
    assert.strictEqual(told("stream_exists", refused("stream_exists", -1)), "OutcomeUnknown")
    assert.strictEqual(told("no_stream", refused("no_stream", 5)), "OutcomeUnknown")
  })

  it("a broken condition leaves it unknown: what broke it can be deleted", () => {
    assert.strictEqual(told("any", new StoreError.AppendConditionFailed({ after: 1, position: 2 })), "OutcomeUnknown")
  })

  it("one refusal that is final is enough for a batch, if it is of the stream that it names", () => {
    const history = { ...emptyHistory(), uncertain: "the first answer was lost" }
    const tagOf = (refusal: StoreError.AppendError) =>
      Either.flip(
        conclude(
          [
            { streamId: "s", expectedVersion: 3, events: [] },
            { streamId: "t", expectedVersion: "no_stream", events: [] }
          ],
          Either.left(refusal),
          history
        )
      ).pipe(Either.getOrThrow)._tag
    assert.strictEqual(tagOf(refused(3, 4)), "WrongExpectedVersion")
    const ofT = new StoreError.WrongExpectedVersion({ streamId: "t", expected: "no_stream", actual: 4 })
    assert.strictEqual(tagOf(ofT), "OutcomeUnknown")
  })

  it("success is believed, and without an uncertain attempt every answer is", () => {
    const history = { ...emptyHistory(), uncertain: "the first answer was lost" }
    assert.deepStrictEqual(conclude([], Either.right("written"), history), Either.right("written"))
    const refusal = refused("no_stream", 5)
    assert.deepStrictEqual(conclude([], Either.left(refusal), emptyHistory()), Either.left(refusal))
  })

  it("an append that the answer leaves out has an unknown outcome", () => {
    assert.deepInclude(Either.flip(conclude([], undefined, emptyHistory())).pipe(Either.getOrThrow), {
      _tag: "OutcomeUnknown"
    })
  })
})

// -----------------------------------------------------------------------------
// against a store
// -----------------------------------------------------------------------------

const idOf = (number: number): string => `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`

const eventOf = (number: number, type = "A"): Event.NewEvent => ({
  eventId: idOf(number),
  eventType: type,
  data: new Uint8Array(),
  dataContentType: Event.contentTypeJson,
  metadata: null,
  metadataContentType: Event.contentTypeJson,
  tags: []
})

type Step = readonly ["append" | "delete" | "tombstone" | "truncate", stream: string, number: number]

const step: FastCheck.Arbitrary<Step> = FastCheck.tuple(
  FastCheck.constantFrom<Step[0]>("append", "append", "append", "append", "delete", "tombstone", "truncate"),
  FastCheck.constantFrom("s", "t"),
  FastCheck.integer({ min: 1, max: 12 })
)

const play = (store: MemoryStore, [what, streamId, number]: Step) => {
  if (what === "append") return store.append({ streamId, expectedVersion: "any", events: [eventOf(number)] })
  if (what === "truncate") {
    return store.setMetadata(streamId, { maxAgeUs: null, maxCount: null, truncateBefore: number })
  }
  return store.deleteStream({ streamId, expectedVersion: "any", tombstone: what === "tombstone" })
}

const expected = FastCheck.oneof(
  FastCheck.constantFrom<ExpectedVersion.ExpectedVersion>("any", "no_stream", "stream_exists"),
  FastCheck.nat(3)
)

const batch: FastCheck.Arbitrary<ReadonlyArray<StoreRpcs.Append>> = FastCheck.record({
  ofS: expected,
  ofT: FastCheck.option(expected),
  /** Within the ids of others' events, so that some conflict. */
  id: FastCheck.integer({ min: 8, max: 20 })
}).map(({ id, ofS, ofT }) => [
  { streamId: "s", expectedVersion: ofS, events: [eventOf(id, "Mine")] },
  ...(ofT === null ? [] : [{ streamId: "t", expectedVersion: ofT, events: [eventOf(id, "Mine")] }])
])

const condition = FastCheck.option(
  FastCheck.integer({ min: -1, max: 6 }).map(
    (after): StoreRpcs.AppendCondition => ({ query: Query.streams("t"), after })
  )
)

describe("whatever happens to a store", () => {
  it("an append whose refusal was believed is never accepted by it again", () => {
    const seen = { believed: 0, unknown: 0, acceptedLater: 0 }
    FastCheck.assert(
      FastCheck.property(
        FastCheck.array(step, { maxLength: 12 }),
        batch,
        condition,
        FastCheck.array(step, { maxLength: 12 }),
        (before, appends, condition, after) => {
          const store = new MemoryStore()
          for (const one of before) play(store, one)
          const answer = store.appendBatch(appends, condition)
          if (Either.isRight(answer)) return
          const history = { ...emptyHistory(), uncertain: "the first answer was lost" }
          const conclusion = conclude(appends, answer, history)
          const believed = Either.isLeft(conclusion) && conclusion.left === answer.left
          seen[believed ? "believed" : "unknown"]++
          for (const one of after) {
            play(store, one)
            const accepted = Either.isRight(store.appendBatch(appends, condition))
            if (accepted) seen.acceptedLater++
            assert.isFalse(believed && accepted)
          }
        }
      ),
      { numRuns: 2000 }
    )
    // All kinds came up, or this would say nothing.
    assert.isTrue(seen.believed > 50 && seen.unknown > 50 && seen.acceptedLater > 50)
  })
})
