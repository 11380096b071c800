import { assert, describe, it } from "@effect/vitest"
import {
  AppendConditionFailed,
  EventIdConflict,
  SnapshotOutOfRange,
  StreamDeleted,
  StreamNotFound,
  StreamTombstoned,
  WrongExpectedVersion
} from "@reckon/client/StoreError"
import * as Either from "effect/Either"
import * as fc from "fast-check"
import { pack } from "msgpackr"
import * as Command from "../src/Command.js"
import {
  append,
  appendIf,
  batch,
  bytes,
  command,
  commandArbitrary,
  deleteSnapshots,
  deleteStream,
  event,
  eventArbitrary,
  id,
  saveSnapshot,
  setMetadata,
  snapshot,
  textArbitrary,
  tombstone
} from "./helpers/events.js"

/** A Uint8Array of the plain kind, so that equality does not hang on who allocated it. */
const plain = (value: Uint8Array): Uint8Array => new Uint8Array(value)

const withPlainPayloads = <A extends { readonly data: Uint8Array; readonly metadata: Uint8Array | null }>(
  value: A
): A => ({
  ...value,
  data: plain(value.data),
  metadata: value.metadata === null ? null : plain(value.metadata)
})

const plainPayloads = ({ at, operations }: Command.Command): Command.Command => ({
  at,
  operations: operations.map(operation => {
    switch (operation._tag) {
      case "Append": {
        const { appends, condition } = operation
        const plainAppends = appends.map(one => ({ ...one, events: one.events.map(withPlainPayloads) }))
        return Command.Operation.Append({ appends: plainAppends, condition })
      }
      case "SaveSnapshot":
        return Command.Operation.SaveSnapshot({ ...operation, snapshot: withPlainPayloads(operation.snapshot) })
      default:
        return operation
    }
  })
})

/** The appends of a command that has nothing else. */
const appendsOf = ({ operations }: Command.Command) =>
  operations.flatMap(operation => (operation._tag === "Append" ? operation.appends : []))

const decoded = (encoded: Uint8Array): Command.Command => plainPayloads(Either.getOrThrow(Command.decode(encoded)))

const refused = (encoded: Uint8Array): string => {
  const error = Either.flip(Command.decode(encoded)).pipe(Either.getOrThrow)
  assert.strictEqual(error._tag, "UnreadableBytes")
  return error.message
}

const versioned = (value: unknown, format = Command.formatVersion): Uint8Array =>
  Buffer.concat([Uint8Array.of(format), pack(value)])

const commands = commandArbitrary({
  streams: textArbitrary,
  events: eventArbitrary(fc.uuid()),
  times: fc.nat({ max: Number.MAX_SAFE_INTEGER })
})

const places = {
  streamId: textArbitrary,
  version: fc.integer({ min: -1 }),
  position: fc.integer({ min: -1, max: Number.MAX_SAFE_INTEGER })
}
const ofStream = fc.record({ streamId: textArbitrary })

const errors = fc.oneof(
  fc
    .record({
      streamId: textArbitrary,
      expected: fc.oneof(fc.constantFrom("any", "no_stream", "stream_exists"), fc.nat()),
      actual: fc.integer({ min: -1 })
    })
    .map(fields => new WrongExpectedVersion(fields)),
  fc
    .record({ streamId: textArbitrary, eventId: fc.uuid(), version: fc.nat() })
    .map(fields => new EventIdConflict(fields)),
  fc.record({ after: fc.integer({ min: -1 }), position: fc.nat() }).map(fields => new AppendConditionFailed(fields)),
  ofStream.map(fields => new StreamTombstoned(fields)),
  ofStream.map(fields => new StreamNotFound(fields)),
  ofStream.map(fields => new StreamDeleted(fields)),
  fc
    .record({ streamId: textArbitrary, version: fc.nat(), least: fc.nat(), most: fc.nat() })
    .map(fields => new SnapshotOutOfRange(fields))
)

const replies: fc.Arbitrary<Command.Reply> = fc.array(
  fc.oneof(
    fc
      .array(fc.record({ ...places, alreadyPresent: fc.nat() }), { maxLength: 3 })
      .map(outcome => Either.right(outcome)),
    errors.map(error => Either.left(error))
  )
)

const checkedAppend = (condition: Command.Condition) =>
  Command.Operation.Append({ appends: [append("a", "any")], condition })

/** One of each kind, with everything in it that it can have. */
const everything: Command.Command = {
  at: 1_700_000_000_000_000,
  operations: [
    Command.single(append("a", "no_stream", event(1, { metadata: bytes('{"by":1}'), tags: ["x", "ß"] }))),
    batch(append("a", "any", event(1)), append("b", "stream_exists"), append("c", 7)),
    appendIf(
      {
        items: [
          {
            types: ["t", "u"],
            tags: ["x"],
            metadata: [
              { field: "by", value: "" },
              { field: "n", value: -1.5 },
              { field: "ok", value: false }
            ],
            stream: "order-*"
          },
          { types: [], tags: [], metadata: [], stream: null }
        ]
      },
      -1,
      append("a", "any", event(2))
    ),
    appendIf({ items: [] }, 12, append("a", "any")),
    checkedAppend({ query: { items: [] }, after: -1, checkedThrough: 0 }),
    checkedAppend({ query: { items: [] }, after: 3, checkedThrough: Number.MAX_SAFE_INTEGER }),
    deleteStream("a", 3),
    tombstone("a"),
    setMetadata("a", { maxAgeUs: 5, maxCount: 6, truncateBefore: 0 }),
    setMetadata("a", {}),
    saveSnapshot(snapshot("a", 9, { metadata: bytes("m"), dataContentType: "x", metadataContentType: "y" }), 3),
    saveSnapshot(snapshot("a", 0)),
    deleteSnapshots("a"),
    deleteSnapshots("a", 4)
  ]
}

describe("Command", () => {
  it("comes back as it was encoded", () => {
    fc.assert(fc.property(commands, value => assert.deepStrictEqual(decoded(Command.encode(value)), value)))
    assert.deepStrictEqual(decoded(Command.encode(everything)), everything)
  })

  it("of format 1, whose operations are appends to one stream each, can still be read", () => {
    const ids = [1, 2].map(n => Buffer.from(id(n).replaceAll("-", ""), "hex"))
    const [first, second] = ids.map(eventId => [eventId, "thing-happened", Buffer.from("{}"), 0, null, 0, ["t"]])
    const written = versioned(
      [
        12,
        [
          ["a", -1, [first, second]],
          ["b", -4, []]
        ]
      ],
      1
    )
    const [one, two] = [1, 2].map(n => event(n, { data: bytes("{}"), tags: ["t"] }))
    if (one === undefined || two === undefined) throw new Error("there are two")
    const expected = command(12, append("a", "no_stream", one, two), append("b", "stream_exists"))
    assert.deepStrictEqual(decoded(written), expected)
  })

  it("keeps its bytes: a log written today must be readable tomorrow", () => {
    const written = Command.encode({
      at: 1,
      operations: [
        Command.single(append("a", "no_stream")),
        appendIf({ items: [{ types: ["t"], tags: [], metadata: [], stream: null }] }, 5, append("a", "any")),
        deleteStream("a", 3),
        setMetadata("a", { maxCount: 6 }),
        saveSnapshot(snapshot("a", 2, { data: bytes("x") }), 3),
        deleteSnapshots("a", 4),
        checkedAppend({ query: { items: [] }, after: -1, checkedThrough: 9 })
      ]
    })
    const expected = [
      1,
      [
        [0, [["a", -1, []]]],
        [1, [["a", -2, []]], [5, [[["t"], [], [], null]]]],
        [2, "a", 3, false],
        [3, "a", null, 6, null],
        [4, ["a", 2, Buffer.from("x"), 0, null, 0], 3],
        [5, "a", 4],
        [6, [["a", -2, []]], [-1, []], 9]
      ]
    ]
    assert.strictEqual(Buffer.from(written).toString("hex"), Buffer.from(versioned(expected, 2)).toString("hex"))
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
    assert.strictEqual(Command.encode(command(1))[0], 2)
    assert.strictEqual(Command.encodeReply([])[0], 2)
  })

  it("decodes payloads without copying them", () => {
    const encoded = Command.encode(command(1, append("a", "any", event(1, { data: bytes("payload") }))))
    const data = appendsOf(Either.getOrThrow(Command.decode(encoded)))[0]?.events[0]?.data
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
    const [only] = appendsOf(decoded(Command.encode(value)))
    assert.strictEqual(only?.streamId, "a\ufffd")
    assert.strictEqual(only?.events[0]?.eventType, "\ufffd")
    assert.deepStrictEqual(only?.events[0]?.tags, ["x\ufffdy"])
    const half = "\udc00"
    const query = { items: [{ types: [half], tags: [half], metadata: [{ field: half, value: half }], stream: half }] }
    const others = [
      appendIf(query, 0, append(half, "any")),
      deleteStream(half),
      setMetadata(half, {}),
      saveSnapshot(snapshot(half, 0, { dataContentType: half, metadataContentType: half })),
      deleteSnapshots(half)
    ]
    const replaced = JSON.stringify(decoded(Command.encode({ at: 1, operations: others })))
    assert.notInclude(replaced, "\\udc00")
    assert.strictEqual(replaced.split("\ufffd").length - 1, 12)
  })

  it("does not encode an append that names a stream twice: applied, it would stop every replica", () => {
    const encode = (...streams: ReadonlyArray<string>) =>
      Command.encode({ at: 1, operations: [batch(...streams.map(name => append(name, "any")))] })
    assert.throws(() => encode("a", "b", "a"), /names each stream once/)
    assert.throws(() => encode("\ud800", "\udc00"), /names each stream once/)
    assert.strictEqual(encode("a", "b", "c")[0], 2)
  })

  it("does not encode an event id that would come back differently", () => {
    for (const eventId of ["", "1", id(1).toUpperCase().replace("8", "A"), `${id(1)}0`, id(1).replaceAll("-", "0")]) {
      assert.throws(() => Command.encode(command(1, append("a", "any", event(1, { eventId })))), /lower-case UUID/)
    }
  })

  it("is refused when cut off anywhere", () => {
    const encoded = Command.encode(everything)
    for (let length = 0; length < encoded.length; length++) refused(encoded.subarray(0, length))
  })

  it("is refused with bytes behind it", () => {
    refused(Buffer.concat([Command.encode(everything), Uint8Array.of(1)]))
  })

  it("is refused in an unknown format, by name", () => {
    const encoded = Command.encode(command(1))
    encoded[0] = 3
    assert.include(refused(encoded), "format 3, this release reads format 1 and 2")
    encoded[0] = 0
    assert.include(refused(encoded), "format 0")
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
        assert.isTrue(Either.isLeft(Command.decode(Buffer.concat([Uint8Array.of(2, 0xc1), tail]))))
      })
    )
  })

  describe("is refused when well-formed bytes say something else", () => {
    const sound: ReadonlyArray<unknown> = [Buffer.alloc(16), "type", Buffer.alloc(1), 0, null, 0, []]
    const operation = (...fields: ReadonlyArray<unknown>) => versioned([1, [fields]])
    const withAppend = (...fields: ReadonlyArray<unknown>) => operation(0, [fields])
    const withField = (at: number, value: unknown) =>
      withAppend("a", -2, [sound.map((field, place) => (place === at ? value : field))])
    const withItem = (item: unknown) => operation(1, [], [0, [item]])
    const withSnapshot = (...fields: ReadonlyArray<unknown>) => operation(4, fields, null)

    const check = (cases: ReadonlyArray<readonly [Uint8Array, string]>) => {
      for (const [encoded, words] of cases) assert.include(refused(encoded), words)
    }

    it("of a command", () =>
      check([
        [versioned("text"), "the command is not an array"],
        [versioned([1]), "1 fields instead of 2"],
        [versioned([-1, []]), "the time"],
        [versioned([1.5, []]), "the time"],
        [versioned([1, {}]), "the operations"],
        [versioned([1, [1]]), "an operation is not an array"],
        [operation(7, "a"), "an operation is of no known kind"],
        [operation(), "an operation is of no known kind"]
      ]))

    it("of an append", () => {
      assert.isTrue(Either.isRight(Command.decode(withField(1, "type"))))
      check([
        [operation(0, {}), "the appends"],
        [operation(0, [], null), "3 fields instead of 2"],
        [withAppend("", -2, []), "the stream"],
        [withAppend("a", -3, []), "the expected version"],
        [withAppend("a", "any", []), "the expected version"],
        [withAppend("a", 0), "2 fields instead of 3"],
        [withField(0, Buffer.alloc(15)), "15 bytes"],
        [withField(0, Buffer.alloc(32)), "32 bytes"],
        [withField(0, id(1)), "the event id"],
        [withField(1, ""), "the event type"],
        [withField(2, "text"), "the data"],
        [withField(2, null), "the data"],
        [withField(3, 1), "the content type of the data"],
        [withField(4, 0), "the metadata"],
        [withField(5, null), "the content type of the metadata"],
        [withField(6, ["a", 1]), "a tag"]
      ])
    })

    it("of a condition", () => {
      assert.isTrue(Either.isRight(Command.decode(withItem([[], [], [["f", 1]], null]))))
      check([
        [operation(1, [], 7), "the condition"],
        [operation(1, [], null), "the condition"],
        [operation(1, []), "2 fields instead of 3"],
        [operation(1, [], [-2, []]), "the position of the condition"],
        [operation(1, [], [0, "q"]), "the query"],
        [operation(6, [], [0, []]), "3 fields instead of 4"],
        [operation(6, [], [0, []], -1), "the position up to which the condition was checked"],
        [operation(6, [], [0, []], null), "the position up to which the condition was checked"],
        [withItem([[], [], []]), "3 fields instead of 4"],
        [withItem([[1], [], [], null]), "an event type"],
        [withItem([[], [""], [], null]), "a tag"],
        [withItem([[], [], [["f"]], null]), "a criterion"],
        [withItem([[], [], [["", 1]], null]), "the field of a criterion"],
        [withItem([[], [], [["f", null]], null]), "the value of a criterion"],
        [withItem([[], [], [["f", Number.NaN]], null]), "the value of a criterion"],
        [withItem([[], [], [], ""]), "the pattern of a query"]
      ])
    })

    it("of a deletion or of metadata", () =>
      check([
        [operation(2, "a", -2), "3 fields instead of 4"],
        [operation(2, "", -2, true), "the stream"],
        [operation(2, "a", -3, true), "the expected version"],
        [operation(2, "a", -2, 1), "the tombstone"],
        [operation(3, "a", null, null), "4 fields instead of 5"],
        [operation(3, 1, null, null, null), "the stream"],
        [operation(3, "a", 0, null, null), "the greatest age"],
        [operation(3, "a", null, 0, null), "the greatest count"],
        [operation(3, "a", null, 2 ** 53, null), "the greatest count"],
        [operation(3, "a", null, null, -1), "the version to truncate before"]
      ]))

    it("of a snapshot", () => {
      assert.isTrue(Either.isRight(Command.decode(withSnapshot("a", 0, Buffer.alloc(1), 0, null, 0))))
      check([
        [operation(4, [], null), "0 fields instead of 6"],
        [withSnapshot("", 0, Buffer.alloc(1), 0, null, 0), "the stream"],
        [withSnapshot("a", -1, Buffer.alloc(1), 0, null, 0), "the version"],
        [withSnapshot("a", 0, null, 0, null, 0), "the data"],
        [withSnapshot("a", 0, Buffer.alloc(1), "", null, 0), "the content type of the data"],
        [withSnapshot("a", 0, Buffer.alloc(1), 0, 1, 0), "the metadata"],
        [withSnapshot("a", 0, Buffer.alloc(1), 0, null, 1), "the content type of the metadata"],
        [operation(4, ["a", 0, Buffer.alloc(1), 0, null, 0], 0), "the number of snapshots to keep"],
        [operation(5, "a"), "2 fields instead of 3"],
        [operation(5, "", null), "the stream"],
        [operation(5, "a", -1), "the version"]
      ])
    })
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
    const encoded = Command.encodeReply([
      Either.right([{ streamId: "a", version: 0, position: 0, alreadyPresent: 0 }]),
      Either.left(new WrongExpectedVersion({ streamId: "a", expected: "any", actual: 3 }))
    ])
    for (let length = 0; length < encoded.length; length++) {
      assert.isTrue(Either.isLeft(Command.decodeReply(encoded.subarray(0, length))))
    }
    for (const answer of [
      [0, [["a", 0, 0]]],
      [0, [["a", -2, 0, 0]]],
      [0, "a"],
      [0],
      [1, "a", -1, 0],
      [1, "a", 0],
      [2, "a", 1, 0],
      [3, -2, 0],
      [3, 0, -1],
      [4, ""],
      [5],
      [6, "a", 1],
      [7, "a", 0, 0],
      [7, "a", 0, 0, -1],
      [8, "a"],
      ["a"],
      [],
      1
    ]) {
      const outcome = Command.decodeReply(versioned([answer]))
      assert.strictEqual(Either.isLeft(outcome) && outcome.left.what, "reply", JSON.stringify(answer))
    }
    const older = Command.encodeReply([])
    older[0] = 1
    assert.isTrue(Either.isLeft(Command.decodeReply(older)))
  })
})
