import { assert, describe, it } from "@effect/vitest"
import * as Decider from "@reckon/client/Decider"
import * as EventType from "@reckon/client/EventType"
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as HashMap from "effect/HashMap"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as DeciderSpec from "../src/DeciderSpec.js"

const Borrowed = EventType.make("Borrowed", Schema.Struct({ book: Schema.String, due: Schema.Date }))
const Returned = EventType.make("Returned", Schema.Struct({ book: Schema.String }))
const Left = EventType.make("Left", Schema.Struct({}))
const events = EventType.union(Borrowed, Returned, Left)
type LoanEvent = EventType.Of<typeof events>

class TooMany extends Data.TaggedError("TooMany")<{ readonly books: ReadonlyArray<string> }> {}
class NotHere extends Data.TaggedError("NotHere")<{ readonly book: string }> {}

type Command = Data.TaggedEnum<{
  Borrow: { readonly book: string }
  Return: { readonly book: string }
  Leave: object
}>
const { Borrow, Leave, Return } = Data.taggedEnum<Command>()

const Loans = Schema.Struct({
  books: Schema.Array(Schema.String),
  latest: Schema.NullOr(Schema.Date),
  left: Schema.Boolean
})
type Loans = typeof Loans.Type

const due = new Date(86_400_000)

const decider = Decider.make({
  initial: { books: [], latest: null, left: false },
  decide: (command: Command, { books }: Loans) => {
    switch (command._tag) {
      case "Borrow":
        return books.length === 2 ? Either.left(new TooMany({ books })) : [Borrowed.make({ book: command.book, due })]
      case "Return":
        return books.includes(command.book) ? [Returned.make({ book: command.book })] : []
      case "Leave":
        return [...books.map(book => Returned.make({ book })), Left.make({})]
    }
  },
  evolve: (state: Loans, event: LoanEvent): Loans => {
    switch (event._tag) {
      case "Borrowed":
        return { ...state, books: [...state.books, event.data.book], latest: event.data.due }
      case "Returned":
        return { ...state, books: state.books.filter(book => book !== event.data.book) }
      case "Left":
        return { ...state, left: true }
    }
  },
  isTerminal: ({ left }) => left
})

const spec = DeciderSpec.make(events, decider, { state: Loans })
const emma = Borrowed.make({ book: "Emma", due })
const ulysses = Borrowed.make({ book: "Ulysses", due })

/** The message of the assertion that does not hold. */
const messageOf = (assertion: () => unknown): string => {
  try {
    assertion()
  } catch (error) {
    if (error instanceof Error && error.name === "AssertionError") return error.message
    throw error
  }
  return assert.fail("it holds")
}

describe("what holds", () => {
  it("a command leads to events", () => {
    spec
      .given([])
      .when(Borrow({ book: "Emma" }))
      .then([emma])
    spec
      .given([emma, ulysses])
      .when(Leave())
      .then([Returned.make({ book: "Emma" }), Returned.make({ book: "Ulysses" }), Left.make({})])
  })

  it("or to none", () => {
    spec
      .given([emma])
      .when(Return({ book: "Ulysses" }))
      .thenNothing()
  })

  it("or to a failure, of a class and with fields", () => {
    spec
      .given([emma, ulysses])
      .when(Borrow({ book: "Dubliners" }))
      .thenFails(new TooMany({ books: ["Emma", "Ulysses"] }))
  })

  it("and to a state", () => {
    spec
      .given([emma])
      .when(Return({ book: "Emma" }))
      .thenState({ books: [], latest: due, left: false })
  })

  it("a story that is over takes no command", () => {
    spec
      .given([emma, Left.make({})])
      .when(Borrow({ book: "Ulysses" }))
      .thenTerminal()
  })
})

describe("what does not hold", () => {
  it("other events are shown side by side, as they are encoded", () => {
    const message = messageOf(() =>
      spec
        .given([])
        .when(Borrow({ book: "Emma" }))
        .then([ulysses])
    )
    assert.match(message, /^the command led to something else/)
    assert.match(message, /^\+.*book: 'Emma'/m)
    assert.match(message, /^-.*book: 'Ulysses'/m)
    assert.match(message, /due: '1970-01-02T00:00:00.000Z'/)
  })

  it("events in another order, fewer, or more", () => {
    const leave = spec.given([emma, ulysses]).when(Leave())
    const all = [Returned.make({ book: "Emma" }), Returned.make({ book: "Ulysses" }), Left.make({})]
    for (const wrong of [[...all].reverse(), all.slice(0, 2), [...all, ...all], []]) messageOf(() => leave.then(wrong))
    messageOf(() => leave.thenNothing())
    leave.then(all)
  })

  it("a failure where events were expected, and the other way round", () => {
    const refused = spec.given([emma, ulysses]).when(Borrow({ book: "Dubliners" }))
    assert.match(
      messageOf(() => refused.then([])),
      /TooMany/
    )
    assert.match(
      messageOf(() => refused.thenState({ books: [], latest: null, left: false })),
      /TooMany/
    )
    const granted = spec.given([]).when(Borrow({ book: "Emma" }))
    assert.match(
      messageOf(() => granted.thenFails(new TooMany({ books: [] }))),
      /did not fail like this/
    )
    messageOf(() => granted.thenTerminal())
  })

  it("a failure with other fields", () => {
    const message = messageOf(() =>
      spec
        .given([emma, ulysses])
        .when(Borrow({ book: "Dubliners" }))
        .thenFails(new TooMany({ books: ["Emma"] }))
    )
    assert.match(message, /^\+.*'Ulysses'/m)
  })

  it("another state", () => {
    const message = messageOf(() =>
      spec
        .given([])
        .when(Borrow({ book: "Emma" }))
        .thenState({ books: ["Emma"], latest: null, left: false })
    )
    assert.match(message, /^-.*latest: null/m)
  })

  it("a story that is over where it should go on", () => {
    messageOf(() =>
      spec
        .given([Left.make({})])
        .when(Leave())
        .then([Left.make({})])
    )
  })

  it("is shown once", () => {
    const message = messageOf(() =>
      spec
        .given([])
        .when(Borrow({ book: "Emma" }))
        .then([ulysses])
    )
    assert.strictEqual(message.match(/book: 'Ulysses'/g)?.length, 1)
  })

  it("a test that awaits what it should assert does not pass", async () => {
    const forgotten = await Promise.allSettled([spec.given([]).when(Leave())])
    assert.strictEqual(forgotten[0]?.status, "rejected")
  })
})

describe("errors", () => {
  class Failed extends Data.TaggedError("Failed")<{ readonly cause?: unknown; readonly of?: unknown }> {}

  const failing = (error: unknown) =>
    DeciderSpec.make(events, { ...decider, decide: () => Either.left(error) })
      .given([])
      .when(Leave())

  const alike: ReadonlyArray<readonly [name: string, make: (of: unknown) => unknown]> = [
    ["the cause of a tagged error", cause => new Failed({ cause })],
    ["the cause of its cause", cause => new Failed({ cause: new Error("down", { cause }) })],
    ["the cause of a plain error", cause => new Error("down", { cause })],
    ["the errors of an AggregateError", of => new AggregateError([of])],
    ["a list of Effect's", of => new Failed({ of: Chunk.append(Chunk.make(0), of) })],
    ["what is redacted", of => new Failed({ of: [Redacted.make(of)] })],
    ["what is no error", of => ({ of })]
  ]

  for (const [name, make] of alike) {
    it(`differ in ${name}, or not`, () => {
      failing(make("one")).thenFails(make("one"))
      messageOf(() => failing(make("one")).thenFails(make("other")))
    })
  }
})

describe("states without a schema", () => {
  const counted = (initial: unknown) =>
    DeciderSpec.make(events, { initial, decide: () => [], evolve: state => state })
      .given([])
      .when(null)

  it("are equal where Effect's data types are, however these came about", () => {
    const grown = HashMap.empty<string, number>().pipe(HashMap.set("a", 1), HashMap.set("b", 2))
    counted(grown).thenState(HashMap.make(["b", 2], ["a", 1]))
    counted({ loans: [grown] }).thenState({ loans: [HashMap.make(["b", 2], ["a", 1])] })
    messageOf(() => counted({ loans: [grown] }).thenState({ loans: [HashMap.make(["b", 2], ["a", 2])] }))
    messageOf(() => counted({ loans: [grown] }).thenState({ loans: [grown, grown] }))
    messageOf(() => counted({ loans: grown, left: undefined }).thenState({ loans: grown, gone: undefined }))
  })

  it("are not to be changed by the decider, as a store has one initial state for all its streams", () => {
    const changing = DeciderSpec.make(events, {
      initial: { books: [] as string[] },
      decide: (command: "borrow" | "forget", { books }) => {
        if (command === "forget") books.length = 0
        return [emma]
      },
      evolve: (state, { _tag }) => {
        state.books.push(_tag)
        return state
      }
    })
    assert.throws(
      () =>
        changing
          .given([])
          .when("borrow")
          .thenState({ books: ["Borrowed"] }),
      TypeError
    )
    assert.throws(() => changing.given([]).when("forget").then([emma]), TypeError)
    changing.given([]).when("borrow").then([emma])
  })
})

describe("the way through the codecs", () => {
  it("an event that its schema does not take is named", () => {
    const wrong = { ...emma, data: { book: "Emma", due: new Date(Number.NaN) } }
    assert.match(
      messageOf(() => spec.given([emma, wrong]).when(Leave()).thenNothing()),
      /^event 1 that was given: .*"Borrowed"/
    )
    assert.match(
      messageOf(() => spec.given([]).when(Leave()).then([wrong])),
      /^event 0 that is expected/
    )
  })

  it("an event that would be read as another one is seen as that", () => {
    const Counted = EventType.make(
      "Counted",
      Schema.transform(Schema.Struct({ to: Schema.Int }), Schema.typeSchema(Schema.Struct({ to: Schema.Int })), {
        decode: ({ to }) => ({ to }),
        encode: ({ to }) => ({ to: Math.min(to, 3) })
      })
    )
    const counting = DeciderSpec.make(EventType.union(Counted), {
      initial: 0,
      decide: (_command: "count", state) => [Counted.make({ to: state + 1 })],
      evolve: (_state, { data }) => data.to
    })
    counting
      .given([Counted.make({ to: 9 })])
      .when("count")
      .thenState(3)
  })

  it("an event that no store takes is named", () => {
    const Tagged = EventType.make("Tagged", Schema.Struct({ tags: Schema.Array(Schema.String) }), {
      tags: ({ tags }) => tags
    })
    const Nameless = EventType.make("", Schema.Struct({}))
    const tagging = DeciderSpec.make(EventType.union(Tagged, Nameless), {
      initial: 0,
      decide: (tags: ReadonlyArray<string>) => [tags.length === 0 ? Nameless.make({}) : Tagged.make({ tags })],
      evolve: count => count + 1
    })
    tagging.given([]).when(["a"]).thenState(1)
    for (const [tags, words] of [
      [["a", ""], /^event 0 of the decision: no store takes it: tags\.1: /],
      [["x".repeat(513)], /tags\.0: /],
      [Array.from({ length: 65 }, (_, n) => `${n}`), /at most 64/],
      [[], /eventType/]
    ] as const) {
      assert.match(
        messageOf(() => tagging.given([]).when(tags).thenState(1)),
        words
      )
    }
  })

  it("bytes are compared as bytes, a Buffer is as good as any", () => {
    const Scanned = EventType.bytes("Scanned")
    const scanning = DeciderSpec.make(EventType.union(Scanned), {
      initial: 0,
      decide: (text: string) => [Scanned.make(Buffer.from(text))],
      evolve: count => count + 1
    })
    scanning
      .given([])
      .when("a")
      .then([Scanned.make(Uint8Array.of(0x61))])
    messageOf(() =>
      scanning
        .given([])
        .when("b")
        .then([Scanned.make(Uint8Array.of(0x61))])
    )
  })

  it("a state that its schema loses something of is decided on as it will be found", () => {
    const narrow = Schema.transform(Schema.Struct({ books: Schema.Array(Schema.String) }), Schema.typeSchema(Loans), {
      decode: ({ books }) => ({ books, latest: null, left: false }),
      encode: ({ books }) => ({ books })
    })
    const forgetful = DeciderSpec.make(events, decider, { state: narrow })
    assert.throws(() =>
      forgetful
        .given([Left.make({})])
        .when(Leave())
        .thenTerminal()
    )
  })

  it("a state that its schema does not take is named", () => {
    const positive = Schema.Struct({
      books: Schema.Array(Schema.String).pipe(Schema.maxItems(1)),
      latest: Schema.Null,
      left: Schema.Boolean
    })
    const strict = DeciderSpec.make(events, decider, {
      state: Schema.Struct({ ...Loans.fields, books: positive.fields.books })
    })
    assert.match(
      messageOf(() => strict.given([emma, ulysses]).when(Leave()).thenNothing()),
      /^the state cannot be kept/
    )
  })
})

describe("decisions that are effects", () => {
  class Shelf extends Context.Tag("test/Shelf")<Shelf, ReadonlySet<string>>() {}

  const lending = Decider.make({
    initial: { books: [], latest: null, left: false },
    decide: (book: string, _state: Loans) =>
      Effect.gen(function* () {
        yield* Effect.yieldNow()
        yield* Effect.promise(() => Promise.resolve())
        if (!(yield* Shelf).has(book)) return yield* new NotHere({ book })
        return [Borrowed.make({ book, due })]
      }),
    evolve: decider.evolve
  })
  const lendingSpec = DeciderSpec.effect(events, lending)
  const provide = Effect.provideService(Shelf, new Set(["Emma"]))

  it.effect("are run by the test, with what they require", () =>
    Effect.gen(function* () {
      yield* lendingSpec.given([]).when("Emma").then([emma])
      yield* lendingSpec
        .given([emma])
        .when("Ulysses")
        .thenFails(new NotHere({ book: "Ulysses" }))
      const exit = yield* Effect.exit(lendingSpec.given([]).when("Emma").thenNothing())
      assert.match(Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "", /the command led to something else/)
    }).pipe(provide)
  )

  it("do not keep a test waiting that awaits what it should assert", () => {
    const never = lendingSpec.given([]).when("Emma")
    // What `await` does: it gives two functions, and waits until one of them is called.
    assert.throws(() => Reflect.apply(never.then, never, [() => undefined, () => undefined]), /await/)
  })

  it("that have to wait are no matter for plain assertions, which say so", () => {
    const waiting = DeciderSpec.make(events, {
      ...lending,
      decide: (book: string, state) => provide(Decider.decide(lending, book, state))
    })
    assert.match(
      messageOf(() => waiting.given([]).when("Emma").then([emma])),
      /DeciderSpec\.effect/
    )
  })

  it("a mistake in the decider is shown as it is", () => {
    const broken = DeciderSpec.make(events, {
      ...decider,
      decide: (): ReadonlyArray<LoanEvent> => {
        throw new TypeError("a mistake")
      }
    })
    assert.throws(() => broken.given([]).when(Leave()).thenNothing(), TypeError)
  })
})
