import { assert, describe, it } from "@effect/vitest"
import { Event } from "@reckon/client"
import { Arbitrary, Either, Schema } from "effect"
import * as fc from "fast-check"
import { EventBatch, pack, unpack } from "../src/internal/eventBatch.js"

const isEvent = Schema.is(Event.RecordedEvent)
const event = Arbitrary.make(Event.RecordedEvent)
const batches = fc.array(event, { maxLength: 20 })

const packed = (events: ReadonlyArray<Event.RecordedEvent>) => Either.getOrThrow(pack(events))

const oddTexts = fc.oneof(
  fc.constantFrom("", "a\u0000b", "\ud800", "\u007f", "🐝", "__proto__", '"', "\\"),
  fc.constantFrom(127, 128, 129, 511, 512, 513).map(length => "x".repeat(length)),
  fc.string({ unit: "binary" })
)
const oddNumbers = fc.oneof(
  fc.constantFrom(-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, Number.MAX_SAFE_INTEGER, 0),
  fc.double()
)
const oddTags = fc.oneof(
  fc.array(oddTexts, { maxLength: 3 }),
  fc.constantFrom(64, 65).map(length => Array.from({ length }, () => "t"))
)
/** What a field may be turned into, of what can be written at all. */
const changes = fc.oneof(
  fc.tuple(fc.constantFrom("streamId", "eventType", "dataContentType", "metadataContentType"), oddTexts),
  fc.tuple(fc.constantFrom("version", "position", "epochUs"), oddNumbers),
  fc.tuple(fc.constant("tags"), oddTags)
)

describe("events on the wire", () => {
  it("come back as they were sent", () =>
    fc.assert(
      fc.property(batches, fc.nat(9), (events, offset) => {
        const bytes = packed(events)
        const within = new Uint8Array(bytes.length + 2 * offset).fill(0xff)
        within.set(bytes, offset)
        assert.deepStrictEqual(Either.getOrThrow(unpack(within.subarray(offset, offset + bytes.length))), events)
        assert.deepStrictEqual(Schema.decodeSync(EventBatch)(Schema.encodeSync(EventBatch)(events)), events)
      })
    ))

  it("say each text once, and no more of an event than it is", () => {
    const [one] = fc.sample(event, { numRuns: 1, seed: 5 })
    assert.isDefined(one)
    const payload = one.data.length + (one.metadata?.length ?? 0)
    const bytesOf = (count: number) => packed(Array.from({ length: count }, () => one)).length
    assert.strictEqual(bytesOf(1000) - bytesOf(1), 999 * (16 + 52 + 4 * one.tags.length + payload))
    assert.strictEqual(bytesOf(0), 0)
  })

  it("arrive only where the schema of each takes them", () => {
    let refused = 0
    fc.assert(
      fc.property(event, changes, (valid, [field, value]) => {
        const changed = { ...valid, [field]: value }
        const arrived = unpack(packed([valid, changed]))
        assert.strictEqual(Either.isRight(arrived), isEvent(changed), field)
        if (Either.isLeft(arrived)) refused += 1
      }),
      { numRuns: 3_000, seed: 11 }
    )
    assert.isAbove(refused, 500)
  })

  it("do not leave with an id that is none", () => {
    const [valid] = fc.sample(event, { numRuns: 1, seed: 5 })
    assert.isDefined(valid)
    const events = [valid, { ...valid, eventId: valid.eventId.replace("-", "_") }]
    assert.isTrue(Either.isLeft(pack(events)))
    const refused = Schema.encodeEither(EventBatch)(events)
    assert.include(Either.isLeft(refused) ? refused.left.message : "", "is no event id")
  })

  it("are what their schema says they are, whatever the bytes, or are refused", () => {
    let refused = 0
    let taken = 0
    fc.assert(
      fc.property(
        batches,
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }),
        fc.nat(30),
        (events, flips, cut) => {
          const bytes = packed(events).slice()
          for (const [at, value] of flips) if (bytes.length > 0) bytes[at % bytes.length] = value
          const found = unpack(bytes.subarray(0, Math.max(0, bytes.length - cut)))
          if (Either.isLeft(found)) refused += 1
          else {
            taken += 1
            assert.isTrue(found.right.every(isEvent))
          }
        }
      ),
      { numRuns: 3_000, seed: 7 }
    )
    assert.isAbove(refused, 500)
    assert.isAbove(taken, 100)
  })

  it("are refused wherever they end too early, or go on", () => {
    const [one, two] = fc.sample(event, { numRuns: 2, seed: 3 })
    assert.isDefined(one)
    assert.isDefined(two)
    const bytes = packed([one, { ...two, data: Uint8Array.of(1, 2, 3), metadata: null }])
    // Nothing at all is no events.
    for (let length = 1; length < bytes.length; length++) {
      assert.isTrue(Either.isLeft(unpack(bytes.subarray(0, length))), `${length} bytes`)
    }
    assert.deepStrictEqual(
      unpack(bytes.subarray(0, bytes.length - 1)),
      Either.left("they end within the payload of event 1")
    )
    assert.deepStrictEqual(unpack(Uint8Array.of(...bytes, 0)), Either.left("more lies in them"))
  })

  it("are refused before room is made for as many as they announce", () => {
    const bytes = new Uint8Array(12).fill(0xff)
    assert.deepStrictEqual(unpack(bytes), Either.left("they end before their payloads"))
  })
})
