import { assert, describe, it } from "@effect/vitest"
import * as Event from "@reckon/client/Event"
import * as Snapshot from "@reckon/client/Snapshot"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import * as Aggregator from "../src/Aggregator.js"

const { overwrite, sum } = Aggregator

/** The state as it comes back when it has been written as JSON. */
const travelled = (state: Aggregator.Fields): unknown => JSON.parse(JSON.stringify(state))

describe("foldl", () => {
  it("adds sums up: 1 + 5 - 2 = 4", () => {
    const events = [{ balance: sum(1) }, { balance: sum(5) }, { balance: sum(-2) }]
    assert.deepStrictEqual(Aggregator.foldl(events), { balance: sum(4) })
  })

  it("of no events is the initial state, by default empty", () => {
    assert.deepStrictEqual(Aggregator.foldl([]), {})
    assert.deepStrictEqual(Aggregator.foldl([], { balance: sum(3), name: "a" }), { balance: sum(3), name: "a" })
  })

  it("begins with the initial state, and leaves it and the events as they are", () => {
    const initial = Object.freeze({ balance: sum(10), name: "old" })
    const event = Object.freeze({ balance: sum(5), name: "new" })
    assert.deepStrictEqual(Aggregator.foldl([event, event], initial), { balance: sum(20), name: "new" })
    assert.deepStrictEqual(initial, { balance: sum(10), name: "old" })
  })

  it("lets the last value stand, tagged as an overwrite or plain", () => {
    const events = [
      { status: "open", owner: overwrite("a"), items: [1] },
      { status: "closed", owner: overwrite("b"), items: [2] }
    ]
    assert.deepStrictEqual(Aggregator.foldl(events), { status: "closed", owner: "b", items: [2] })
  })

  it("adds a sum to a plain number", () => {
    assert.deepStrictEqual(Aggregator.foldl([{ n: 500 }, { n: sum(50) }]), { n: sum(550) })
    assert.deepStrictEqual(Aggregator.foldl([{ n: overwrite(500) }, { n: sum(50) }]), { n: sum(550) })
  })

  it("begins a sum anew where there is no number", () => {
    for (const before of ["7", null, true, [1], { $sum: "7" }]) {
      assert.deepStrictEqual(Aggregator.foldl([{ n: before }, { n: sum(5) }]), { n: sum(5) })
    }
  })

  it("replaces a sum by a plain value and by an overwrite", () => {
    assert.deepStrictEqual(Aggregator.foldl([{ n: sum(5) }, { n: 1 }]), { n: 1 })
    assert.deepStrictEqual(Aggregator.foldl([{ n: sum(5) }, { n: overwrite("none") }]), { n: "none" })
  })

  it("takes the fields in `data`; where `data` is no object of fields, it is a field itself", () => {
    assert.deepStrictEqual(Aggregator.foldl([{ type: "Deposited", data: { n: sum(1) } }, { n: sum(2) }]), { n: sum(3) })
    assert.deepStrictEqual(Aggregator.foldl([{ data: "text", n: 1 }]), { data: "text", n: 1 })
    assert.deepStrictEqual(Aggregator.foldl([{ data: sum(2) }, { data: sum(3) }]), { data: sum(5) })
  })

  it("takes nothing from an event whose data are bytes", () => {
    assert.deepStrictEqual(Aggregator.foldl([{ eventType: "Deposited", data: new Uint8Array(3) }]), {})
  })
})

describe("foldr", () => {
  it("lets the first value stand", () => {
    const events = [
      { status: "open", owner: overwrite("a") },
      { status: "closed", owner: overwrite("b") }
    ]
    assert.deepStrictEqual(Aggregator.foldr(events), { status: "open", owner: "a" })
  })

  it("adds up what foldl does, and merges into an initial state", () => {
    const events = [{ n: sum(1) }, { n: sum(5) }, { n: sum(-2) }]
    assert.deepStrictEqual(Aggregator.foldr(events, { n: 100 }), { n: sum(104) })
    assert.deepStrictEqual(events, [{ n: sum(1) }, { n: sum(5) }, { n: sum(-2) }])
  })
})

describe("finalize", () => {
  it("takes the tags off, and leaves plain values", () => {
    assert.deepStrictEqual(Aggregator.finalize({ a: sum(5), b: overwrite("x"), c: [1], d: null }), {
      a: 5,
      b: "x",
      c: [1],
      d: null
    })
  })

  it("of what is final changes nothing", () => {
    const final = Aggregator.finalize(Aggregator.foldl([{ a: sum(5), b: "x" }]))
    assert.deepStrictEqual(Aggregator.finalize(final), final)
  })
})

describe("aggregate", () => {
  it("goes on from a snapshot: 500 + 100 - 50 = 550", () => {
    const snapshot = { version: 9, data: { balance: 500, owner: "ann" } }
    const events = [{ balance: sum(100) }, { balance: sum(-50) }]
    assert.deepStrictEqual(Aggregator.aggregate(events, snapshot), { balance: 550, owner: "ann" })
  })

  it("keeps the tags if it is asked to", () => {
    assert.deepStrictEqual(Aggregator.aggregate([{ n: sum(5) }], undefined, { finalize: false }), { n: sum(5) })
    assert.deepStrictEqual(Aggregator.aggregate([{ n: sum(5) }], undefined), { n: 5 })
  })

  it("begins with the initial state only where there is no snapshot", () => {
    const options = { initialState: { n: sum(1), m: 1 } }
    assert.deepStrictEqual(Aggregator.aggregate([{ n: sum(5) }], undefined, options), { n: 6, m: 1 })
    assert.deepStrictEqual(Aggregator.aggregate([{ n: sum(5) }], { data: { n: 10 } }, options), { n: 15 })
  })

  it("begins empty with a snapshot that holds no object", () => {
    for (const data of ["text", 7, null, [1], new Uint8Array(2)]) {
      assert.deepStrictEqual(Aggregator.aggregate([{ n: sum(5) }], { data }, { initialState: { n: 1 } }), { n: 5 })
    }
  })

  it("mixes tags: sums, overwrites and plain values of different fields", () => {
    const events = [
      { amount: sum(10), status: overwrite("new"), note: "first" },
      { amount: sum(15), status: overwrite("paid"), extra: true },
      { amount: sum(-5), note: "last" }
    ]
    assert.deepStrictEqual(Aggregator.aggregate(events, undefined), {
      amount: 20,
      status: "paid",
      note: "last",
      extra: true
    })
  })

  it("is the same in two parts, with a snapshot between that has travelled as JSON", () => {
    const value = fc.oneof(
      fc.integer().map(sum),
      fc.jsonValue({ maxDepth: 2 }),
      fc.jsonValue({ maxDepth: 2 }).map(overwrite),
      fc.integer().map(n => overwrite({ $sum: n }))
    )
    const events = fc.array(fc.dictionary(fc.constantFrom("a", "b", "__proto__"), value), { maxLength: 8 })
    fc.assert(
      fc.property(events, events, (before, after) => {
        const saved = Aggregator.aggregate(before, undefined, { finalize: false })
        assert.deepStrictEqual(
          travelled(Aggregator.aggregate(after, { data: travelled(saved) })),
          travelled(Aggregator.aggregate([...before, ...after], undefined))
        )
      })
    )
  })
})

describe("tagged values as JSON", () => {
  it("are { $sum } and { $overwrite }, by JSON.stringify and by the schema", () => {
    assert.strictEqual(JSON.stringify({ a: sum(5), b: overwrite([1]) }), '{"a":{"$sum":5},"b":{"$overwrite":[1]}}')
    for (const [tagged, json] of [
      [sum(-1.5), { $sum: -1.5 }],
      [overwrite(null), { $overwrite: null }]
    ] as const) {
      assert.deepStrictEqual(Schema.encodeSync(Aggregator.TaggedValue)(tagged), json)
      assert.deepStrictEqual(Schema.decodeUnknownSync(Aggregator.TaggedValue)(json), tagged)
    }
  })

  it("fold as those in memory do", () => {
    const events = [
      { n: sum(1), s: overwrite("a") },
      { n: sum(5), s: "b" }
    ]
    const asJson = [
      { n: { $sum: 1 }, s: { $overwrite: "a" } },
      { n: { $sum: 5 }, s: "b" }
    ]
    assert.deepStrictEqual(Aggregator.foldl(asJson), Aggregator.foldl(events))
    assert.deepStrictEqual(Aggregator.foldl([], { n: { $sum: 5 } }), { n: sum(5) })
    assert.deepStrictEqual(Aggregator.finalize({ n: { $sum: 5 }, s: { $overwrite: "a" } }), { n: 5, s: "a" })
  })

  it("are plain values if they are malformed: stored as they are", () => {
    for (const value of [
      { $sum: "5" },
      { $sum: null },
      { $sum: 1, $overwrite: 2 },
      { $sum: 1, more: 2 },
      [{ $sum: 1 }]
    ]) {
      assert.strictEqual(Aggregator.foldl([{ n: sum(1) }, { n: value }]).n, value)
      assert.strictEqual(Aggregator.finalize({ n: value }).n, value)
      assert.isTrue(Either.isLeft(Schema.decodeUnknownEither(Aggregator.TaggedValue)(value)))
    }
    const inherited = Object.create({ $sum: 1 })
    assert.strictEqual(Aggregator.foldl([{ n: inherited }]).n, inherited)
  })

  it("are not looked for in the value of an overwrite", () => {
    const literal = { $sum: 5 }
    const state = Aggregator.foldl([{ n: sum(1) }, { n: overwrite(literal) }])
    assert.deepStrictEqual(Aggregator.finalize(state).n, literal)
    assert.deepStrictEqual(Aggregator.finalize(Aggregator.foldl([], state)).n, literal)
    assert.deepStrictEqual(Aggregator.foldl([{ n: sum(2) }], state), { n: sum(2) })
  })
})

describe("events and snapshots of the store", () => {
  it.effect("fold when they are decoded", () =>
    Effect.gen(function* () {
      const recorded = yield* Effect.forEach(
        [{ balance: sum(100), owner: "ann" }, { balance: sum(-50) }, { balance: { $sum: 1 } }],
        data => Event.json({ type: "Moved", data })
      )
      const events = yield* Effect.forEach(recorded, Aggregator.decodeEvent)
      const snapshot = yield* Snapshot.json({ streamId: "account-1", version: 4, data: { balance: sum(500) } })
      assert.deepStrictEqual(Aggregator.aggregate(events, yield* Aggregator.decodeSnapshot(snapshot)), {
        balance: 551,
        owner: "ann"
      })
    })
  )

  it.effect("have the fields of their payload, also where one of those is called data", () =>
    Effect.gen(function* () {
      const event = yield* Event.json({ type: "Measured", data: { data: { n: 1 }, unit: "m" } })
      assert.deepStrictEqual(Aggregator.foldl([yield* Aggregator.decodeEvent(event)]), { data: { n: 1 }, unit: "m" })
    })
  )

  it.effect("have no fields if their data are no object, or no JSON", () =>
    Effect.gen(function* () {
      for (const data of [[1], "text", 7, null]) {
        const event = yield* Event.json({ type: "Noted", data })
        assert.deepStrictEqual(yield* Aggregator.decodeEvent(event), { data: {} })
      }
      const event = yield* Event.json({ type: "Noted", data: { n: 1 } })
      assert.deepStrictEqual(yield* Aggregator.decodeEvent({ ...event, dataContentType: "application/x-raw" }), {
        data: {}
      })
    })
  )

  it.effect("are refused if they say that they are JSON and are not", () =>
    Effect.gen(function* () {
      const event = { ...(yield* Event.json({ type: "Noted", data: {} })), data: Uint8Array.of(0x7b) }
      assert.strictEqual((yield* Effect.flip(Aggregator.decodeEvent(event)))._tag, "InvalidRequest")
    })
  )
})

describe("a field may have any name", () => {
  const names = ["__proto__", "constructor", "toString", "hasOwnProperty", "valueOf"]

  it("and is a field of the state then, not a part of its prototype", () => {
    for (const name of names) {
      const event = Schema.decodeUnknownSync(Schema.Struct({ data: Schema.Object }))(
        JSON.parse(`{ "data": { "${name}": { "polluted": true }, "n": { "$sum": 1 } } }`)
      )
      const outcomes = [
        Aggregator.foldl([{ ...event }]),
        Aggregator.foldr([{ ...event }]),
        Aggregator.aggregate([{ ...event }], { ...event }),
        Aggregator.mergeTaggedBatch([[name, { polluted: true }]], { ...event.data })
      ]
      for (const state of outcomes) {
        assert.deepStrictEqual(Object.entries(state).at(0), [name, { polluted: true }])
        assert.isFalse("polluted" in state)
        assert.isNull(Object.getPrototypeOf(state))
      }
    }
    assert.isFalse("polluted" in {})
    assert.strictEqual(Object.getPrototypeOf({}), Object.prototype)
  })

  it("and is not there where no event has it", () => {
    for (const name of names) {
      const state = Aggregator.aggregate([{ n: sum(1) }], undefined)
      assert.isUndefined(state[name])
      assert.deepStrictEqual(Aggregator.foldl([{ [name]: sum(2) }])[name], sum(2))
      assert.strictEqual(Aggregator.sumField([{ n: 1 }, { [name]: 2 }], name), 2)
      assert.strictEqual(Aggregator.countWhere([{ n: 1 }], name, Reflect.get({}, name)), 0)
    }
  })
})

describe("statistics", () => {
  it("sumField adds numbers and sums, and counts everything else as 0", () => {
    const events = [{ n: 1 }, { n: sum(5) }, { data: { n: { $sum: 2 } } }, { n: "7" }, { n: overwrite(9) }, { m: 1 }]
    assert.strictEqual(Aggregator.sumField(events, "n"), 8)
    assert.strictEqual(Aggregator.sumField([], "n"), 0)
  })

  it("countWhere counts values that are exactly equal, all through", () => {
    const events = [{ v: 1 }, { v: "1" }, { data: { v: 1 } }, { v: { a: [1] } }, { v: { a: [1, 2] } }, { v: null }, {}]
    assert.strictEqual(Aggregator.countWhere(events, "v", 1), 2)
    assert.strictEqual(Aggregator.countWhere(events, "v", "1"), 1)
    assert.strictEqual(Aggregator.countWhere(events, "v", { a: [1] }), 1)
    assert.strictEqual(Aggregator.countWhere(events, "v", null), 1)
    assert.strictEqual(Aggregator.countWhere(events, "v", undefined), 0)
    assert.strictEqual(Aggregator.countWhere([{ v: sum(5) }, { v: { $sum: 5 } }, { v: 5 }], "v", sum(5)), 2)
  })

  it("mergeTaggedBatch merges pairs into a copy of a state, one after the other", () => {
    const state = { n: sum(1), s: "a" }
    const pairs = [
      ["n", sum(5)],
      ["s", "b"],
      ["n", { $sum: -2 }],
      ["t", overwrite(1)]
    ] as const
    assert.deepStrictEqual(Aggregator.mergeTaggedBatch(pairs, state), { n: sum(4), s: "b", t: 1 })
    assert.deepStrictEqual(state, { n: sum(1), s: "a" })
    assert.deepStrictEqual(Aggregator.mergeTaggedBatch([], state), state)
  })

  it("statistics counts events, those with a field, and the names of fields", () => {
    const events = [{ a: 1, b: 2 }, { data: { b: 3, c: 4 } }, {}, { data: {} }, { data: new Uint8Array(1) }]
    assert.deepStrictEqual(Aggregator.statistics(events), { totalEvents: 5, eventsWithData: 2, uniqueFields: 3 })
    assert.deepStrictEqual(Aggregator.statistics([]), { totalEvents: 0, eventsWithData: 0, uniqueFields: 0 })
  })
})
