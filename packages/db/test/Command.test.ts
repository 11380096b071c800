import { assert, describe, it } from "@effect/vitest"
import { EventIdConflict, WrongExpectedVersion } from "@reckon/client/StoreError"
import * as Either from "effect/Either"
import * as fc from "fast-check"
import { pack } from "msgpackr"
import * as Command from "../src/Command.js"
import { append, bytes, command, commandArbitrary, event, eventArbitrary, id, textArbitrary } from "./helpers/events.js"

/** A Uint8Array of the plain kind, so that equality does not hang on who allocated it. */
const plain = (value: Uint8Array): Uint8Array => new Uint8Array(value)

const plainPayloads = (value: Command.Command): Command.Command => ({
  ...value,
  appends: value.appends.map(append => ({
    ...append,
    events: append.events.map(event => ({
      ...event,
      data: plain(event.data),
      metadata: event.metadata === null ? null : plain(event.metadata)
    }))
  }))
})

const decoded = (encoded: Uint8Array): Command.Command => plainPayloads(Either.getOrThrow(Command.decode(encoded)))

const refused = (encoded: Uint8Array): string => {
  const error = Either.flip(Command.decode(encoded)).pipe(Either.getOrThrow)
  assert.strictEqual(error._tag, "UnreadableBytes")
  return error.message
}

const versioned = (value: unknown): Uint8Array => Buffer.concat([Uint8Array.of(Command.formatVersion), pack(value)])

const commands = commandArbitrary({ streams: textArbitrary, events: eventArbitrary(fc.uuid()) })

const replies: fc.Arbitrary<Command.Reply> = fc.array(
  fc.oneof(
    fc
      .record({
        streamId: textArbitrary,
        version: fc.integer({ min: -1 }),
        position: fc.integer({ min: -1, max: Number.MAX_SAFE_INTEGER }),
        alreadyPresent: fc.nat()
      })
      .map(appended => Either.right(appended)),
    fc
      .record({
        streamId: textArbitrary,
        expected: fc.oneof(fc.constantFrom("any", "no_stream", "stream_exists"), fc.nat()),
        actual: fc.integer({ min: -1 })
      })
      .map(fields => Either.left(new WrongExpectedVersion(fields))),
    fc
      .record({ streamId: textArbitrary, eventId: fc.uuid(), version: fc.nat() })
      .map(fields => Either.left(new EventIdConflict(fields)))
  )
)

describe("Command", () => {
  it("comes back as it was encoded", () => {
    fc.assert(fc.property(commands, value => assert.deepStrictEqual(decoded(Command.encode(value)), value)))
  })

  it("comes back when its encoding lies anywhere in a larger buffer", () => {
    fc.assert(
      fc.property(commands, fc.nat({ max: 9 }), (value, offset) => {
        const encoded = Command.encode(value)
        const larger = new Uint8Array(encoded.length + offset + 5).fill(0xff)
        larger.set(encoded, offset)
        assert.deepStrictEqual(decoded(larger.subarray(offset, offset + encoded.length)), value)
      })
    )
  })

  it("is not overwritten by what is encoded after it", () => {
    fc.assert(
      fc.property(commands, commands, (first, second) => {
        const encoded = Command.encode(first)
        Command.encode(second)
        assert.deepStrictEqual(decoded(encoded), first)
      })
    )
  })

  it("begins with the format's version", () => {
    assert.strictEqual(Command.encode(command(1))[0], 1)
    assert.strictEqual(Command.encodeReply([])[0], 1)
  })

  it("decodes payloads without copying them", () => {
    const encoded = Command.encode(command(1, append("a", "any", event(1, { data: bytes("payload") }))))
    const data = Either.getOrThrow(Command.decode(encoded)).appends[0]?.events[0]?.data
    assert.strictEqual(data?.buffer, encoded.buffer)
  })

  it("costs little more than its payloads", () => {
    const encoded = Command.encode(command(1_700_000_000_000_000, append("order-1", "any", event(1))))
    assert.isAtMost(encoded.length, event(1).data.length + event(1).eventType.length + "order-1".length + 45)
  })

  it("carries a payload of 4 MiB and an empty one", () => {
    const value = command(
      1,
      append(
        "a",
        "any",
        event(1, { data: new Uint8Array(4 * 1024 * 1024).fill(7) }),
        event(2, { data: new Uint8Array(0), metadata: new Uint8Array(0) })
      )
    )
    assert.deepStrictEqual(decoded(Command.encode(value)), value)
  })

  it("replaces what has no UTF-8, before the log", () => {
    const value = command(1, append("a\ud800", "any", event(1, { eventType: "\udc00", tags: ["x\udbffy"] })))
    const [only] = decoded(Command.encode(value)).appends
    assert.strictEqual(only?.streamId, "a\ufffd")
    assert.strictEqual(only?.events[0]?.eventType, "\ufffd")
    assert.deepStrictEqual(only?.events[0]?.tags, ["x\ufffdy"])
  })

  it("does not encode an event id that would come back differently", () => {
    for (const eventId of ["", "1", id(1).toUpperCase().replace("8", "A"), `${id(1)}0`, id(1).replaceAll("-", "0")]) {
      assert.throws(() => Command.encode(command(1, append("a", "any", event(1, { eventId })))), /lower-case UUID/)
    }
  })

  it("is refused when cut off anywhere", () => {
    const encoded = Command.encode(
      command(5, append("a", 3, event(1, { metadata: bytes("{}"), tags: ["t"] }), event(2)))
    )
    for (let length = 0; length < encoded.length; length++) refused(encoded.subarray(0, length))
  })

  it("is refused with bytes behind it", () => {
    refused(Buffer.concat([Command.encode(command(5, append("a", 3, event(1)))), Uint8Array.of(1)]))
  })

  it("is refused in an unknown format, by name", () => {
    const encoded = Command.encode(command(1))
    encoded[0] = 2
    assert.include(refused(encoded), "format 2")
  })

  it("never fails otherwise, whatever the bytes", () => {
    fc.assert(
      fc.property(commands, fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1 }), (value, flips) => {
        const encoded = new Uint8Array(Command.encode(value))
        for (const [at, byte] of flips) encoded[at % encoded.length] = byte
        const outcome = Command.decode(encoded)
        assert.isTrue(Either.isRight(outcome) || outcome.left._tag === "UnreadableBytes")
      })
    )
    fc.assert(
      fc.property(fc.uint8Array(), tail => {
        assert.isTrue(Either.isLeft(Command.decode(Buffer.concat([Uint8Array.of(1, 0xc1), tail]))))
      })
    )
  })

  it("is refused when well-formed bytes say something else", () => {
    const sound: ReadonlyArray<unknown> = [Buffer.alloc(16), "type", Buffer.alloc(1), 0, null, 0, []]
    const withField = (at: number, value: unknown) =>
      versioned([1, [["a", -2, [sound.map((field, place) => (place === at ? value : field))]]]])
    assert.isTrue(Either.isRight(Command.decode(withField(1, "type"))))

    const cases: ReadonlyArray<readonly [Uint8Array, string]> = [
      [versioned("text"), "the command is not an array"],
      [versioned([1]), "1 fields instead of 2"],
      [versioned([-1, []]), "the time"],
      [versioned([1.5, []]), "the time"],
      [versioned([1, {}]), "the appends"],
      [versioned([1, [["", -2, []]]]), "the stream"],
      [versioned([1, [["a", -3, []]]]), "the expected version"],
      [versioned([1, [["a", "any", []]]]), "the expected version"],
      [versioned([1, [["a", 0]]]), "2 fields instead of 3"],
      [withField(0, Buffer.alloc(15)), "15 bytes"],
      [withField(0, id(1)), "the event id"],
      [withField(1, ""), "the event type"],
      [withField(2, "text"), "the data"],
      [withField(2, null), "the data"],
      [withField(3, 1), "the content type of the data"],
      [withField(4, 0), "the metadata"],
      [withField(5, null), "the content type of the metadata"],
      [withField(6, ["a", 1]), "a tag"]
    ]
    for (const [encoded, words] of cases) assert.include(refused(encoded), words)
  })
})

describe("Reply", () => {
  it("comes back as it was encoded", () => {
    fc.assert(
      fc.property(replies, value =>
        assert.deepStrictEqual(Either.getOrThrow(Command.decodeReply(Command.encodeReply(value))), value)
      )
    )
  })

  it("is refused when damaged", () => {
    const encoded = Command.encodeReply([Either.right({ streamId: "a", version: 0, position: 0, alreadyPresent: 0 })])
    for (let length = 0; length < encoded.length; length++) {
      assert.isTrue(Either.isLeft(Command.decodeReply(encoded.subarray(0, length))))
    }
    for (const answer of [
      [3, "a", 0, 0],
      [0, "a", 0, 0],
      [0, "a", -2, 0, 0],
      [1, "a", -1, 0],
      [2, "a", 1, 0],
      ["a"],
      1
    ]) {
      const outcome = Command.decodeReply(versioned([answer]))
      assert.strictEqual(Either.isLeft(outcome) && outcome.left.what, "reply")
    }
  })
})
