import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as Query from "../src/Query.js"

type Queried = Parameters<ReturnType<typeof Query.matcher>>[0]

const bytes = (text: string) => new TextEncoder().encode(text)

const event = (fields: Partial<Queried> & { readonly json?: unknown } = {}): Queried => {
  const { json, ...rest } = fields
  return {
    eventType: "OrderPlaced",
    tags: [],
    metadata: json === undefined ? null : bytes(JSON.stringify(json)),
    metadataContentType: "application/json",
    streamId: "order-1",
    ...rest
  }
}

const isMatch = (query: Query.Query, event: Queried) => Query.matcher(query)(event)

describe("a query", () => {
  it("without items matches nothing, with an empty item everything", () => {
    assert.isFalse(isMatch(Query.none, event()))
    assert.isTrue(isMatch(Query.all, event()))
    assert.isTrue(isMatch(Query.make({ types: [], tags: [], metadata: [], stream: null }), event()))
  })

  it("types of an item: one of them is enough", () => {
    const query = Query.eventTypes("OrderPlaced", "OrderPaid")
    assert.isTrue(isMatch(query, event({ eventType: "OrderPaid" })))
    assert.isFalse(isMatch(query, event({ eventType: "OrderLost" })))
    assert.isFalse(isMatch(query, event({ eventType: "orderpaid" })))
  })

  it("tags of an item: all of them are needed, more do no harm, order does not count", () => {
    const query = Query.allTags("a", "b")
    assert.isTrue(isMatch(query, event({ tags: ["c", "b", "a"] })))
    assert.isFalse(isMatch(query, event({ tags: ["a"] })))
    assert.isFalse(isMatch(query, event({ tags: ["A", "b"] })))
  })

  it("any of several tags is one item for each", () => {
    const query = Query.anyTag("a", "b")
    assert.strictEqual(query.items.length, 2)
    assert.isTrue(isMatch(query, event({ tags: ["b"] })))
    assert.isFalse(isMatch(query, event({ tags: ["c"] })))
  })

  it("asked for none of a list in words, matches nothing", () => {
    for (const query of [Query.eventTypes(), Query.allTags(), Query.anyTag(), Query.or()]) {
      assert.isFalse(isMatch(query, event({ tags: ["a"] })))
    }
  })

  it("criteria of an item: all of them are needed", () => {
    const query = Query.make({
      types: ["OrderPlaced"],
      tags: ["a"],
      metadata: [{ field: "actor", value: "mia" }],
      stream: "order-*"
    })
    const whole = { tags: ["a"], json: { actor: "mia" } }
    assert.isTrue(isMatch(query, event(whole)))
    assert.isFalse(isMatch(query, event({ ...whole, eventType: "OrderPaid" })))
    assert.isFalse(isMatch(query, event({ ...whole, tags: [] })))
    assert.isFalse(isMatch(query, event({ ...whole, json: { actor: "ben" } })))
    assert.isFalse(isMatch(query, event({ ...whole, streamId: "invoice-1" })))
  })

  it("items: one of them is enough, and they do not mix", () => {
    const query = Query.or(Query.make({ types: ["A"], tags: ["x"] }), Query.make({ types: ["B"], tags: ["y"] }))
    assert.isTrue(isMatch(query, event({ eventType: "A", tags: ["x"] })))
    assert.isTrue(isMatch(query, event({ eventType: "B", tags: ["y"] })))
    assert.isFalse(isMatch(query, event({ eventType: "A", tags: ["y"] })))
  })

  it("a stream without wildcards is one stream", () => {
    assert.isTrue(isMatch(Query.streams("order-1"), event()))
    assert.isFalse(isMatch(Query.streams("order-1"), event({ streamId: "order-11" })))
  })
})

describe("metadata in a query", () => {
  it("compares type and value", () => {
    assert.isTrue(isMatch(Query.metadata("n", 1), event({ json: { n: 1.0 } })))
    assert.isFalse(isMatch(Query.metadata("n", 1), event({ json: { n: "1" } })))
    assert.isFalse(isMatch(Query.metadata("n", "true"), event({ json: { n: true } })))
    assert.isTrue(isMatch(Query.metadata("n", true), event({ json: { n: true } })))
    assert.isTrue(isMatch(Query.metadata("n", 0), event({ metadata: bytes('{"n":-0}') })))
  })

  it("looks at fields of the top level that the JSON itself has", () => {
    assert.isFalse(isMatch(Query.metadata("n", 1), event({ json: { inner: { n: 1 } } })))
    assert.isFalse(isMatch(Query.metadata("length", 1), event({ json: ["n"] })))
    assert.isFalse(isMatch(Query.metadata("toString", "x"), event({ json: {} })))
    assert.isTrue(isMatch(Query.metadata("__proto__", "x"), event({ metadata: bytes('{"__proto__":"x"}') })))
  })

  it("of another content type, or broken, or absent, has no fields", () => {
    const query = Query.metadata("n", 1)
    assert.isFalse(isMatch(query, event()))
    assert.isFalse(isMatch(query, event({ json: { n: 1 }, metadataContentType: "text/plain" })))
    assert.isFalse(isMatch(query, event({ metadata: bytes('{"n":1') })))
    assert.isFalse(isMatch(query, event({ metadata: new Uint8Array([0xff, 0xfe]) })))
    for (const json of [null, 1, "n", true]) assert.strictEqual(Query.metadataFields(event({ json })).size, 0)
  })

  it("of many fields the first 16 that can be asked for are searchable; those that cannot do not count", () => {
    const fields = Array.from({ length: 20 }, (_, n) => [`f${n}`, n])
    const json = {
      list: [1],
      nothing: null,
      long: "x".repeat(257),
      ["x".repeat(257)]: 1,
      ...Object.fromEntries(fields)
    }
    assert.strictEqual(Query.metadataFields(event({ json })).size, 24)
    assert.deepStrictEqual(
      [...Query.searchableFields(event({ json })).keys()],
      Array.from({ length: 16 }, (_, n) => `f${n}`)
    )
    assert.isTrue(isMatch(Query.metadata("f15", 15), event({ json })))
    assert.isFalse(isMatch(Query.metadata("f16", 16), event({ json })))
  })

  it("texts are searchable up to 256 characters", () => {
    const text = "x".repeat(256)
    assert.isTrue(isMatch(Query.metadata("t", text), event({ json: { t: text } })))
    assert.isTrue(isMatch(Query.metadata(text, 1), event({ json: { [text]: 1 } })))
  })
})

describe("a query from outside", () => {
  const isQuery = Schema.is(Query.Query)
  const item = { types: [], tags: [], metadata: [], stream: null }

  it("has at most 64 items, 64 types, 64 tags and 16 metadata fields each", () => {
    assert.isTrue(isQuery({ items: Array.from({ length: 64 }, () => item) }))
    assert.isFalse(isQuery({ items: Array.from({ length: 65 }, () => item) }))
    const names = Array.from({ length: 65 }, (_, n) => `n${n}`)
    assert.isFalse(isQuery({ items: [{ ...item, types: names }] }))
    assert.isFalse(isQuery({ items: [{ ...item, tags: names }] }))
    const metadata = names.map(field => ({ field, value: 1 }))
    assert.isFalse(isQuery({ items: [{ ...item, metadata: metadata.slice(0, 17) }] }))
    assert.isTrue(isQuery({ items: [{ ...item, metadata: metadata.slice(0, 16) }] }))
  })

  it("asks for values that metadata can have", () => {
    const asks = (value: unknown) => isQuery({ items: [{ ...item, metadata: [{ field: "f", value }] }] })
    for (const value of ["", "x".repeat(256), 0, -1.5, true]) assert.isTrue(asks(value))
    for (const value of ["x".repeat(257), Number.NaN, Number.POSITIVE_INFINITY, null, {}, undefined])
      assert.isFalse(asks(value))
  })

  it("asks for text that stays the same on its way through UTF-8: a condition is judged before and behind it", () => {
    const asks = (field: string, value: string) => isQuery({ items: [{ ...item, metadata: [{ field, value }] }] })
    for (const text of ["\ud800", "a\udc00", "\udc00\ud800"]) {
      assert.isFalse(asks("f", text))
      assert.isFalse(asks(text, "v"))
    }
    assert.isTrue(asks("🧾", "\ud83e\uddfe"))
  })
})

describe("what a query may cost", () => {
  it("metadata are read at most once for an event, however many items ask for them", () => {
    let looks = 0
    const { metadata, ...rest } = event({ json: { a: 1 } })
    const watched: Queried = {
      ...rest,
      get metadata() {
        looks++
        return metadata
      }
    }
    const looksOf = (items: number): number => {
      looks = 0
      const query = Query.or(...Array.from({ length: items }, (_, n) => Query.metadata("a", n + 2)))
      assert.isFalse(isMatch(query, watched))
      return looks
    }
    assert.strictEqual(looksOf(64), looksOf(1))
  })

  it("its patterns have at most 1,024 characters together; names of streams do not count", () => {
    const isQuery = Schema.is(Query.Query)
    const patterns = (lengths: ReadonlyArray<number>) =>
      Query.or(...lengths.map(length => Query.streams(`${"a".repeat(length - 1)}*`)))
    assert.isTrue(isQuery(patterns([512, 512])))
    assert.isFalse(isQuery(patterns([512, 512, 1])))
    assert.isTrue(isQuery(Query.or(...Array.from({ length: 64 }, () => Query.streams("a".repeat(512))))))
  })
})
