import { assert, describe, it } from "@effect/vitest"
import { Event, StoreError, StoreRpcs } from "@reckon/client"
import { Arbitrary, Either, ParseResult, Schema } from "effect"
import * as fc from "fast-check"
import {
  isAppend,
  isAppended,
  isGetVersion,
  isLoadSnapshot,
  isPositionAt,
  isRead,
  isReadAll,
  isVersionAt
} from "../src/internal/shapes.js"

/** What a field may be turned into: mostly something that it may not be, and at its edges. */
const odd = fc.oneof(
  fc.constantFrom<unknown>(
    undefined,
    null,
    "",
    0,
    -1,
    1.5,
    -0,
    Number.NaN,
    2 ** 53,
    Number.MAX_SAFE_INTEGER,
    "a\u0000b",
    "\ud800",
    "\u007f",
    "🐝",
    "x".repeat(128),
    "x".repeat(129),
    "x".repeat(512),
    "x".repeat(513),
    [],
    ["a", ""],
    ["a", 1],
    Array.from({ length: 64 }, () => "t"),
    Array.from({ length: 65 }, () => "t"),
    {},
    new Uint8Array(0),
    new Uint16Array(1),
    [1, 2],
    "0A1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d"
  ),
  fc.anything()
)

describe("an append", () => {
  const shape = Schema.is(StoreRpcs.Append)
  const append = Arbitrary.make(StoreRpcs.Append).filter(({ events }) => events.length > 0)

  it("has the shape that its schema says", () =>
    fc.assert(
      fc.property(append, fc.constantFrom("streamId", "expectedVersion", "events"), odd, (valid, field, value) => {
        assert.isTrue(isAppend(valid))
        const changed = { ...valid, [field]: value }
        assert.strictEqual(isAppend(changed), shape(changed), field)
      }),
      { numRuns: 2_000 }
    ))

  it("has events as their schema says", () =>
    fc.assert(
      fc.property(append, fc.constantFrom(...Object.keys(Event.NewEvent.fields)), odd, (valid, field, value) => {
        const changed = { ...valid, events: valid.events.map(event => ({ ...event, [field]: value })) }
        assert.strictEqual(isAppend(changed), shape(changed), field)
      }),
      { numRuns: 2_000 }
    ))
})

describe("a read", () => {
  const numbers = [null, -1, 0, 1, 999, 1000, 1001, -(2 ** 53)]
  const words = ["forward", "backward", "linearizable", "local", "any", "orders", ".orders", "a/b", "a".repeat(65)]
  const telling = fc.oneof(odd, fc.constantFrom<unknown>(...numbers, ...words))

  const tell = <A, I>(name: string, schema: Schema.Schema<A, I>, isShape: (value: unknown) => boolean) =>
    it(`has the shape that its schema says: ${name}`, () => {
      const says = Schema.is(schema)
      fc.assert(
        fc.property(Arbitrary.make(schema), fc.nat(), telling, (valid, at, value) => {
          assert.isTrue(isShape(valid))
          assert.isFalse(isShape(value))
          const fields = Object.entries(Object(valid))
          const changed = Object.fromEntries(
            fields.map((field, i) => (i === at % fields.length ? [field[0], value] : field))
          )
          assert.strictEqual(isShape(changed), says(changed))
          const lacking = Object.fromEntries(fields.filter((_, i) => i !== at % fields.length))
          assert.isFalse(isShape(lacking))
        }),
        { numRuns: 1_000 }
      )
    })

  tell("Read", StoreRpcs.ReadRpc.payloadSchema, isRead)
  tell("ReadAll", StoreRpcs.ReadAllRpc.payloadSchema, isReadAll)
  tell("VersionAt", StoreRpcs.VersionAtRpc.payloadSchema, isVersionAt)
  tell("PositionAt", StoreRpcs.PositionAtRpc.payloadSchema, isPositionAt)
  tell("GetVersion", StoreRpcs.GetVersionRpc.payloadSchema, isGetVersion)
  tell("LoadSnapshot", StoreRpcs.LoadSnapshotRpc.payloadSchema, isLoadSnapshot)
})

/** What comes of it, and what is wrong with it. */
const outcome = <A>(result: Either.Either<A, ParseResult.ParseError>) =>
  Either.mapLeft(result, error => ParseResult.ArrayFormatter.formatErrorSync(error))

describe("a request with appends", () => {
  const passing = Schema.decodeUnknownEither(StoreRpcs.AppendRpc.payloadSchema)
  const walked = Schema.decodeUnknownEither(
    Schema.Struct({ store: StoreRpcs.StoreId, appends: Schema.Array(StoreRpcs.Append) })
  )
  const append = Arbitrary.make(StoreRpcs.Append).filter(({ events }) => events.length > 0)

  it("is taken and refused as by the schema of each append, in the same words", () =>
    fc.assert(
      fc.property(append, fc.constantFrom("streamId", "expectedVersion", "events"), odd, (valid, field, value) => {
        const request = { store: "default", appends: [valid, { ...valid, [field]: value }] }
        assert.deepStrictEqual(outcome(passing(request)), outcome(walked(request)))
      }),
      { numRuns: 1_000 }
    ))
})

describe("the answers to appends", () => {
  const passing = StoreRpcs.AppendRpc.successSchema
  const walked = Schema.Array(Schema.Either({ left: StoreError.AppendError, right: StoreRpcs.Appended }))
  const appended = Arbitrary.make(StoreRpcs.Appended)
  const answers = fc.array(
    fc.oneof(appended.map(Either.right), Arbitrary.make(StoreError.AppendError).map(Either.left)),
    { maxLength: 5 }
  )
  const fields = Object.keys(StoreRpcs.Appended.fields)

  it("have the shape that their schema says", () =>
    fc.assert(
      fc.property(appended, fc.constantFrom(...fields), odd, (valid, field, value) => {
        assert.isTrue(isAppended(valid))
        const changed = { ...valid, [field]: value }
        assert.strictEqual(isAppended(changed), Schema.is(StoreRpcs.Appended)(changed), field)
      }),
      { numRuns: 2_000 }
    ))

  it("leave as their schema would have them, and arrive", () =>
    fc.assert(
      fc.property(answers, all => {
        const encoded = Schema.encodeSync(passing)(all)
        assert.deepStrictEqual(encoded, Schema.encodeSync(walked)(all))
        assert.deepStrictEqual(Schema.decodeUnknownSync(passing)(encoded), all)
      })
    ))

  it("are taken and refused as by their schema", () =>
    fc.assert(
      fc.property(appended, fc.constantFrom(...fields), odd, (valid, field, value) => {
        const encoded = [{ _tag: "Right", right: valid }, { _tag: "Right", right: { ...valid, [field]: value } }, value]
        for (const some of [encoded.slice(0, 2), encoded]) {
          assert.deepStrictEqual(Schema.decodeUnknownOption(passing)(some), Schema.decodeUnknownOption(walked)(some))
        }
      }),
      { numRuns: 1_000 }
    ))
})
