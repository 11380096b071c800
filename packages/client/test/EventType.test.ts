import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import * as EventType from "../src/EventType.js"
import * as Ids from "../src/internal/typed/ids.js"

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

const Line = Schema.Struct({ sku: Schema.String, price: Schema.Number, "odd name": Schema.optional(Schema.Unknown) })
const OrderPlaced = EventType.make("OrderPlaced", Schema.Struct({ placedAt: Schema.Date, lines: Schema.Array(Line) }), {
  tags: ({ lines }) => lines.map(({ sku }) => `sku:${sku}`)
})
const order = { placedAt: new Date(0), lines: [{ sku: "tea", price: 3 }] }

const recorded = (eventType: string, data: Uint8Array, dataContentType = "application/json") => ({
  eventId: "00000000-0000-4000-8000-000000000000",
  eventType,
  data,
  dataContentType,
  metadata: null,
  metadataContentType: "application/json",
  tags: [],
  streamId: "s",
  version: 4,
  position: 9,
  epochUs: 0
})

describe("encoding", () => {
  it("writes the data by their schema as JSON, with the tags that follow from them", () => {
    const encoded = Either.getOrThrow(OrderPlaced.encode(order))
    assert.strictEqual(text(encoded.data), '{"placedAt":"1970-01-01T00:00:00.000Z","lines":[{"sku":"tea","price":3}]}')
    assert.deepInclude(encoded, { eventType: "OrderPlaced", dataContentType: "application/json", tags: ["sku:tea"] })
  })

  it("fails with the type and the path of what does not fit", () => {
    const error = Either.getOrThrow(Either.flip(OrderPlaced.encode({ ...order, lines: [{ sku: "tea", price: "3" }] })))
    assert.deepInclude(error, { _tag: "EventNotEncodable", eventType: "OrderPlaced", path: "lines[0].price" })
    assert.isFalse(error.retryable)
    assert.match(error.message, /"OrderPlaced".*lines\[0\]\.price: Expected number/)
  })

  it("refuses what JSON would change or leave out, at its path", () => {
    const pathOf = (value: unknown) => {
      const lines = [
        { sku: "a", price: 1 },
        { sku: "b", price: 1, "odd name": value }
      ]
      return Either.match(OrderPlaced.encode({ ...order, lines }), {
        onLeft: ({ path }) => path,
        onRight: () => "taken"
      })
    }
    const circle: Array<unknown> = []
    circle.push(circle)
    const at = 'lines[1]["odd name"]'
    assert.deepStrictEqual(
      [
        Number.NaN,
        1n,
        new Date(0),
        new Map(),
        utf8("x"),
        () => 1,
        [undefined],
        { a: [0, Number.POSITIVE_INFINITY] }
      ].map(pathOf),
      [at, at, at, at, at, at, `${at}[0]`, `${at}.a[1]`]
    )
    assert.strictEqual(pathOf(circle), "")
    assert.deepStrictEqual([undefined, null, { a: undefined }, Object.create(null)].map(pathOf), Array(4).fill("taken"))
  })

  it("whatever JSON a program writes, it reads back", () => {
    const Anything = EventType.make("Anything", Schema.Unknown)
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), value => {
        // -0 is the one number that JSON writes as another.
        const expected: unknown = JSON.parse(JSON.stringify(value))
        const read = Anything.decode(Either.getOrThrow(Anything.encode(value)))
        assert.deepStrictEqual(Either.getOrThrow(read).data, expected)
      })
    )
  })

  it("keeps bytes as they are, with their content type", () => {
    const Photo = EventType.bytes("PhotoTaken", { contentType: "image/png", tags: data => [`bytes:${data.length}`] })
    const pixels = Uint8Array.of(0, 255, 7)
    const encoded = Either.getOrThrow(Photo.encode(pixels))
    assert.deepStrictEqual(encoded, {
      eventType: "PhotoTaken",
      data: pixels,
      dataContentType: "image/png",
      tags: ["bytes:3"]
    })
    assert.deepStrictEqual(Either.getOrThrow(Photo.decode(encoded)), Photo.make(pixels))
    assert.strictEqual(Either.getOrThrow(Either.flip(Photo.encode("pixels")))._tag, "EventNotEncodable")
    const json = Photo.decode({ ...encoded, dataContentType: "application/json" })
    assert.match(Either.getOrThrow(Either.flip(json)).message, /application\/json, not image\/png/)
  })
})

describe("decoding", () => {
  const events = EventType.union(OrderPlaced, EventType.make("OrderShipped", Schema.Struct({})))

  it("reads what was written", () => {
    const { data } = Either.getOrThrow(events.encode(OrderPlaced.make(order)))
    const event = recorded("OrderPlaced", data)
    assert.deepStrictEqual(events.decode(event), { _tag: "Decoded", event: OrderPlaced.make(order), recorded: event })
  })

  it("reports an event of an unknown type, with all there is of it", () => {
    const event = recorded("OrderLost", utf8("{}"))
    assert.deepStrictEqual(events.decode(event), { _tag: "Unknown", recorded: event })
  })

  it("reports data that do not fit, are no JSON, or are something else", () => {
    const faultOf = (data: Uint8Array, contentType?: string) => {
      const reading = events.decode(recorded("OrderPlaced", data, contentType))
      return reading._tag === "Undecodable" ? `${reading.error.path}|${reading.error.detail}` : reading._tag
    }
    assert.match(
      faultOf(utf8('{"placedAt":"1970-01-01","lines":[{"sku":1,"price":3}]}')),
      /^lines\[0\]\.sku\|Expected string/
    )
    assert.match(faultOf(utf8('{"placedAt":"1970-01-01"}')), /^lines\|is missing/)
    assert.match(faultOf(utf8("{")), /^\|it is not valid JSON/)
    assert.match(faultOf(Uint8Array.of(0xff)), /^\|it is not valid JSON/)
    assert.match(
      faultOf(utf8("{}"), "application/protobuf"),
      /^\|they are application\/protobuf, not application\/json/
    )
  })

  it("reports data that are nested more deeply than can be looked at, and what its schema throws at", () => {
    const deep = `{"placedAt":${"[".repeat(100_000)}${"]".repeat(100_000)},"lines":[]}`
    const Tried = EventType.make(
      "Tried",
      Schema.transform(Schema.String, Schema.String, {
        decode: text => decodeURIComponent(text),
        encode: text => text
      })
    )
    const faultOf = (type: EventType.Member<unknown>, data: string) =>
      Either.getOrThrow(Either.flip(type.decode(recorded(type.name, utf8(data)))))
    assert.deepInclude(faultOf(OrderPlaced, deep), { _tag: "EventNotDecodable", eventType: "OrderPlaced", path: "" })
    assert.match(faultOf(OrderPlaced, deep).detail, /its schema gave up: RangeError/)
    assert.match(faultOf(Tried, '"%"').detail, /its schema gave up: URIError/)
  })

  it("passes over fields that a newer program added", () => {
    assert.strictEqual(events.decode(recorded("OrderShipped", utf8('{"by":"sea"}')))._tag, "Decoded")
  })

  it("an older shape is read through a transformation, and the newer one is written", () => {
    const V1 = Schema.Struct({ amount: Schema.Int })
    const V2 = Schema.Struct({ amount: Schema.Int, currency: Schema.String })
    const fromV1 = Schema.transform(V1, Schema.typeSchema(V2), {
      decode: ({ amount }) => ({ amount, currency: "EUR" }),
      encode: ({ amount }) => ({ amount })
    })
    const Paid = EventType.make("Paid", Schema.Union(V2, fromV1))
    assert.deepStrictEqual(
      Either.getOrThrow(Paid.decode(recorded("Paid", utf8('{"amount":3}')))),
      Paid.make({ amount: 3, currency: "EUR" })
    )
    const encoded = Either.getOrThrow(Paid.encode({ amount: 3, currency: "USD" }))
    assert.strictEqual(text(encoded.data), '{"amount":3,"currency":"USD"}')
  })

  it("an event that must be read and cannot is named by its place", () => {
    const reading = events.decode(recorded("OrderLost", utf8("{}")))
    assert.strictEqual(reading._tag, "Unknown")
    if (reading._tag !== "Unknown") return
    assert.match(
      EventType.unreadable(reading).message,
      /version 4 of stream "s" \(position 9\).*"OrderLost".*not known/
    )
  })

  it("two types of one name are a mistake", () => {
    assert.throws(() => EventType.union(OrderPlaced, EventType.make("OrderPlaced", Schema.Unknown)), /"OrderPlaced"/)
  })
})

describe("ids of a command's events", () => {
  it("are name-based UUIDs, as RFC 9562 A.4 has them", () => {
    assert.strictEqual(
      Ids.nameBased("6ba7b810-9dad-11d1-80b4-00c04fd430c8", "www.example.com"),
      "2ed6657d-e927-568b-95e1-2665a8aea6a2"
    )
  })

  it("are the same for the same command, and differ by command, stream, place and number of events", () => {
    assert.strictEqual(Ids.ofCommand("c", "s", 0, 1), Ids.ofCommand("c", "s", 0, 1))
    const ids = [
      Ids.ofCommand("c", "s", 0, 1),
      Ids.ofCommand("c", "s", 0, 2),
      Ids.ofCommand("c", "s", 1, 2),
      Ids.ofCommand("d", "s", 0, 1),
      Ids.ofCommand("c", "t", 0, 1),
      Ids.ofCommand("c", null, 0, 1),
      Ids.ofCommand("cs", "", 0, 1)
    ]
    assert.strictEqual(new Set(ids).size, ids.length)
  })
})
