import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Graph from "effect/Graph"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as fc from "fast-check"
import * as Causation from "../src/Causation.js"
import type { RecordedEvent } from "../src/Event.js"
import * as Event from "../src/Event.js"
import * as EventMetadata from "../src/EventMetadata.js"
import { EventStore } from "../src/EventStore.js"
import * as ExpectedVersion from "../src/ExpectedVersion.js"
import { accounts, Deposited } from "./helpers/accounts.js"
import { Memory, withStore } from "./helpers/memoryEventStore.js"

const id = (n: number): string => `00000000-0000-4000-8000-${n.toString(16).padStart(12, "0")}`

/** Appends the `n`th event, to a stream of its own unless another is named, with these metadata. */
const put = (memory: Memory, n: number, metadata: EventMetadata.EventMetadata = {}, streamId = `s${n}`) =>
  Effect.gen(function* () {
    const event = yield* Event.json({ id: id(n), type: `T${n}`, data: {}, metadata })
    yield* memory.service.append(streamId, "any", [event])
    const recorded = memory.all.at(-1)
    assert.isDefined(recorded)
    return recorded
  })

/** Typed events, each caused by the one whose number stands there, -1 for none. */
const grown = (memory: Memory, causes: ReadonlyArray<number>) =>
  Effect.gen(function* () {
    for (const [n, by] of causes.entries()) {
      const append = accounts.append(`${n % 3}`, ExpectedVersion.Any, [Deposited.make({ amount: n })])
      const before = memory.all[by]
      yield* before === undefined ? append : append.pipe(EventMetadata.causedBy(before))
    }
    return memory.all
  })

const at = (events: ReadonlyArray<RecordedEvent>, n: number): RecordedEvent => {
  const event = events[n]
  if (event === undefined) throw new Error(`there is no event ${n}`)
  return event
}

const places = (events: ReadonlyArray<RecordedEvent>) => events.map(({ position }) => position)

//        0        5
//       / \       |
//      1   2      6
//     /   / \
//    3   4   7
const family = [-1, 0, 0, 1, 2, -1, 5, 2]

describe("cause", () => {
  it.effect(
    "is read where the effect says that it stands, and nothing is searched",
    withStore(memory =>
      Effect.gen(function* () {
        const events = yield* grown(memory, family)
        memory.requests.length = 0
        assert.deepStrictEqual(yield* Causation.cause(at(events, 4)), Option.some(at(events, 2)))
        assert.notInclude(memory.requests, "query")
      })
    )
  )

  it.effect(
    "of an event that does not say where is looked for in its conversation, before it",
    withStore(memory =>
      Effect.gen(function* () {
        const first = yield* put(memory, 1, { correlation_id: "k" })
        const second = yield* put(memory, 2, { correlation_id: "k", causation_id: id(1) })
        assert.deepStrictEqual(yield* Causation.cause(second), Option.some(first))
        // Metadata may say anything: the place of another event is no cause.
        const wrong = { causation_id: id(1), causation_at: { stream: "s2", version: 0 }, correlation_id: "k" }
        assert.deepStrictEqual(yield* Causation.cause(yield* put(memory, 3, wrong)), Option.some(first))
      })
    )
  )

  it.effect(
    "is none of an event that has none, whose cause was deleted, or is a command",
    withStore(memory =>
      Effect.gen(function* () {
        const root = yield* put(memory, 1)
        const causation_at = { stream: "s1", version: 0 }
        const orphan = yield* put(memory, 2, { causation_id: id(1), causation_at, correlation_id: id(1) })
        const commanded = yield* put(memory, 3, { causation_id: "c1", correlation_id: "c1" })
        memory.deleteStream("s1")
        for (const event of [root, orphan, commanded]) assert.isTrue(Option.isNone(yield* Causation.cause(event)))
      })
    )
  )
})

describe("chain", () => {
  it.effect(
    "leads from the root to the event",
    withStore(memory =>
      Effect.gen(function* () {
        const events = yield* grown(memory, family)
        const { end, events: chain } = yield* Causation.chain(at(events, 7))
        assert.deepStrictEqual([places(chain), end], [[0, 2, 7], "root"])
        assert.deepStrictEqual(yield* Causation.chain(at(events, 0)), { events: [at(events, 0)], end: "root" })
      })
    )
  )

  it.effect(
    "says where it breaks off: at a command, in a circle, at the limit",
    withStore(memory =>
      Effect.gen(function* () {
        const commanded = yield* put(memory, 0, { causation_id: "c1", correlation_id: "c1" })
        const broken = yield* Causation.chain(commanded)
        assert.deepStrictEqual([places(broken.events), broken.end], [[0], "unknown_cause"])

        yield* put(memory, 1, { causation_id: id(2), causation_at: { stream: "s2", version: 0 } })
        const second = yield* put(memory, 2, { causation_id: id(1), causation_at: { stream: "s1", version: 0 } })
        const circle = yield* Causation.chain(second)
        assert.deepStrictEqual([places(circle.events), circle.end], [[1, 2], "cycle"])

        const limited = yield* Causation.chain(second, { limit: 1 })
        assert.deepStrictEqual([places(limited.events), limited.end], [[2], "limit"])
      })
    )
  )

  it.effect(
    "looks through no more of conversations than it may gather",
    withStore(memory =>
      Effect.gen(function* () {
        yield* put(memory, 1, { correlation_id: "k" })
        for (let n = 2; n < 20; n++) yield* put(memory, n, { correlation_id: "k", causation_id: "c" })
        const last = yield* put(memory, 20, { correlation_id: "k", causation_id: id(1) })
        assert.strictEqual((yield* Causation.chain(last, { limit: 10 })).end, "limit")
        assert.strictEqual((yield* Causation.chain(last, { limit: 30 })).end, "root")
      })
    )
  )
})

describe("effects, descendants and graph", () => {
  it.effect(
    "effects are what an event caused itself; descendants are what came of it, which caused which; a graph has also what led to it",
    withStore(memory =>
      Effect.gen(function* () {
        const events = yield* grown(memory, family)
        const ids = (...ns: ReadonlyArray<number>) => ns.map(n => at(events, n).eventId)
        const direct = yield* Stream.runCollect(Causation.effects(at(events, 0).eventId))
        assert.deepStrictEqual(places([...direct]), [1, 2])

        const below = yield* Causation.descendants(at(events, 0).eventId)
        assert.deepStrictEqual([places(below.nodes), below.roots], [[1, 2, 3, 4, 7], ids(1, 2)])

        const graph = yield* Causation.graph(at(events, 3))
        assert.deepStrictEqual(places(graph.nodes), [0, 1, 2, 3, 4, 7])
        assert.deepStrictEqual(graph.roots, ids(0))
        assert.deepStrictEqual(
          graph.edges.map(({ cause, effect }) => [cause, effect]),
          [ids(0, 1), ids(0, 2), ids(1, 3), ids(2, 4), ids(2, 7)]
        )
        assert.isTrue(graph.isComplete)
      })
    )
  )

  it("a graph is the component of the event, whatever was caused by what and whichever event is asked about", () =>
    fc.assert(
      fc.asyncProperty(fc.array(fc.nat(), { minLength: 1, maxLength: 30 }), fc.nat(), (choices, chosen) =>
        Effect.gen(function* () {
          const memory = new Memory()
          // Each event's cause is one before it, or none.
          const causes = choices.map((choice, n) => (choice % (n + 1)) - 1)
          const events = yield* Effect.provideService(grown(memory, causes), EventStore, memory.service)
          const rootOf = (n: number): number => {
            const by = causes[n] ?? -1
            return by < 0 ? n : rootOf(by)
          }
          const asked = chosen % events.length
          const expected = causes.flatMap((_, n) => (rootOf(n) === rootOf(asked) ? [n] : []))
          const graph = yield* Effect.provideService(Causation.graph(at(events, asked)), EventStore, memory.service)
          assert.deepStrictEqual(places(graph.nodes), expected)
          assert.strictEqual(graph.edges.length, expected.length - 1)
          assert.deepStrictEqual(graph.roots, [at(events, rootOf(asked)).eventId])
        }).pipe(Effect.runPromise)
      ),
      { numRuns: 50 }
    ))

  it.effect(
    "of more events than may be gathered have the nearest, and say that it was not all",
    withStore(memory =>
      Effect.gen(function* () {
        // A chain of a hundred, and a hundred effects of its first event.
        const events = yield* grown(
          memory,
          Array.from({ length: 200 }, (_, n) => (n < 100 ? n - 1 : 0))
        )
        const { isComplete, nodes } = yield* Causation.descendants(at(events, 0).eventId, { limit: 101 })
        assert.isFalse(isComplete)
        assert.deepStrictEqual(places(nodes), [1, ...Array.from({ length: 100 }, (_, n) => 100 + n)])
        assert.isTrue((yield* Causation.descendants(at(events, 0).eventId, { limit: 199 })).isComplete)
        assert.isFalse((yield* Causation.graph(at(events, 99), { limit: 50 })).isComplete)
      })
    )
  )

  it.effect(
    "with more bytes than may be gathered have the first of them, of which one may have more by itself",
    withStore(memory =>
      Effect.gen(function* () {
        // The same bytes again and again, so that they are there once.
        const data = new Uint8Array(Causation.bytesMax / 4)
        const said = { correlation_id: "k" }
        for (let n = 0; n < 5; n++) {
          const event = yield* Event.json({ id: id(n), type: "Large", data: null, metadata: said })
          yield* memory.service.append("s", "any", [{ ...event, data }])
        }
        const { isComplete, nodes } = yield* Causation.conversation("k")
        assert.deepStrictEqual([places(nodes), isComplete], [[0, 1, 2], false])

        const huge = yield* Event.json({ id: id(9), type: "Huge", data: null, metadata: { correlation_id: "h" } })
        yield* memory.service.append("s", "any", [{ ...huge, data: new Uint8Array(Causation.bytesMax + 1) }])
        assert.strictEqual((yield* Causation.conversation("h")).nodes.length, 1)
      })
    )
  )

  it.effect(
    "that go round in a circle end",
    withStore(memory =>
      Effect.gen(function* () {
        const around = (n: number, by: number) =>
          put(memory, n, { causation_id: id(by), causation_at: { stream: `s${by}`, version: 0 } })
        yield* around(1, 3)
        yield* around(2, 1)
        const third = yield* around(3, 2)
        const graph = yield* Causation.graph(third)
        assert.deepStrictEqual([places(graph.nodes), graph.edges.length, graph.roots], [[0, 1, 2], 3, []])
      })
    )
  )
})

describe("conversation", () => {
  it.effect(
    "has the events that share a correlation, and the one that began it, which has none",
    withStore(memory =>
      Effect.gen(function* () {
        const events = yield* grown(memory, family)
        const began = at(events, 0)
        assert.isUndefined(EventMetadata.fromEvent(began).correlation_id)
        assert.deepStrictEqual(
          places([...(yield* Stream.runCollect(Causation.correlated(began.eventId)))]),
          [1, 2, 3, 4, 7]
        )
        const { edges, nodes, roots } = yield* Causation.conversation(began.eventId)
        assert.deepStrictEqual([places(nodes), edges.length, roots], [[0, 1, 2, 3, 4, 7], 5, [began.eventId]])
        assert.deepStrictEqual(yield* Causation.conversation("nobody's"), {
          nodes: [],
          edges: [],
          roots: [],
          isComplete: true
        })
      })
    )
  )
})

describe("directed", () => {
  it.effect(
    "is the same graph for the algorithms of effect/Graph: causes come first, and a circle is seen",
    withStore(memory =>
      Effect.gen(function* () {
        // Written in an order in which effects stand before their causes.
        const around = (n: number, by: number) =>
          put(memory, n, { causation_id: id(by), causation_at: { stream: `s${by}`, version: 0 }, correlation_id: "k" })
        yield* around(1, 2)
        yield* around(2, 3)
        yield* put(memory, 3, { correlation_id: "k" })
        const line = Causation.directed(yield* Causation.conversation("k"))
        assert.deepStrictEqual(places([...Graph.values(Graph.topo(line))]), [2, 1, 0])
        assert.isTrue(Graph.isAcyclic(line))

        yield* around(4, 5)
        const last = yield* around(5, 4)
        assert.isFalse(Graph.isAcyclic(Causation.directed(yield* Causation.graph(last))))
      })
    )
  )
})

describe("toDot", () => {
  it.effect(
    "draws nodes with their ids and types, and an arrow from each cause to its effect; all names are quoted",
    withStore(memory =>
      Effect.gen(function* () {
        const said = { correlation_id: "k" }
        yield* memory.service.append("s", "any", [
          yield* Event.json({ id: id(1), type: 'Said "hi\\"', data: {}, metadata: said })
        ])
        yield* put(memory, 2, { ...said, causation_id: id(1) })
        assert.strictEqual(
          Causation.toDot(yield* Causation.conversation("k")),
          [
            "digraph causation {",
            `  "${id(1)}" [label="${id(1)}\\nSaid \\"hi\\\\\\""];`,
            `  "${id(2)}" [label="${id(2)}\\nT2"];`,
            `  "${id(1)}" -> "${id(2)}";`,
            "}",
            ""
          ].join("\n")
        )
        assert.strictEqual(
          Causation.toDot({ nodes: [], edges: [], roots: [], isComplete: true }),
          "digraph causation {\n}\n"
        )
      })
    )
  )
})
