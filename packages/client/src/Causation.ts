/**
 * What led to an event, and what came of it.
 *
 * Events name their cause in their metadata (`EventMetadata.causedBy` writes that into every typed event). So an event can be followed back to the one that all began with ({@link chain}),
 * onward to its effects ({@link effects}, {@link descendants}), or both ({@link graph}); and the events of a conversation are found by its id ({@link correlated}, {@link conversation}).
 *
 * ```ts
 * const { events } = yield* Causation.chain(orderFailed)
 * yield* fs.writeFileString("order.dot", Causation.toDot(yield* Causation.graph(orderFailed)))
 * ```
 *
 * Everything is found by index. Effects and conversations are queries of metadata fields. A cause is read where its effect says that it stands (`causation_at`); an effect that says nothing of that, for it
 * was not written here, has its conversation looked through for it. A cause that is not found that way is no event of the store, or none that is still there: the id may be that of a command.
 *
 * What is gathered is bounded, in events and in bytes, and says whether that was all. Metadata can say anything: causes that go round in a circle end where they come back.
 *
 * The functions are those of `reckon_db_causation`, and need the `EventStore` only.
 *
 * @since 0.1.0
 */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as EffectGraph from "effect/Graph"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { byteLength, type RecordedEvent } from "./Event.js"
import * as EventMetadata from "./EventMetadata.js"
import { EventStore, type FeedOptions, type ReadConsistency, type ReadFailure, type Service } from "./EventStore.js"
import * as Query from "./Query.js"

// -----------------------------------------------------------------------------
// models
// -----------------------------------------------------------------------------

/**
 * The events that are gathered where nothing else is asked for.
 *
 * @since 0.1.0
 * @category constants
 */
export const limitDefault = 1000

/**
 * The most events that are gathered, whatever is asked for.
 *
 * @since 0.1.0
 * @category constants
 */
export const limitMax = 10_000

/**
 * The bytes (`Event.byteLength`) of the events that are gathered, unless the first of them has more.
 *
 * @since 0.1.0
 * @category constants
 */
export const bytesMax = 64 * 1024 * 1024

/**
 * @since 0.1.0
 * @category options
 */
export interface Options extends ReadConsistency {
  /** The most events to gather, 1 to {@link limitMax}. Default {@link limitDefault}. */
  readonly limit?: number | undefined
}

/**
 * An event with what led to it: its cause, the cause of that, and so on, the earliest one first and the event itself last.
 *
 * `end` says what stands before the first one:
 *
 * - `root`: nothing, it has no cause;
 * - `unknown_cause`: something that is no event of the store, or none that was found;
 * - `cycle`: one of those in the chain;
 * - `limit`: perhaps more, but there are as many as may be gathered, or as many were looked through in search of it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Chain {
  readonly events: ReadonlyArray<RecordedEvent>
  readonly end: "root" | "unknown_cause" | "cycle" | "limit"
}

/**
 * That one event was caused by another, by their ids.
 *
 * @since 0.1.0
 * @category models
 */
export interface Edge {
  readonly cause: string
  readonly effect: string
}

/**
 * Events by rising position, and which of them caused which. `roots` are the ids of those whose cause is not among them, in the same order: none where all go round in a circle.
 *
 * @since 0.1.0
 * @category models
 */
export interface Graph {
  readonly nodes: ReadonlyArray<RecordedEvent>
  readonly edges: ReadonlyArray<Edge>
  readonly roots: ReadonlyArray<string>
  /** Not, where there were more events than may be gathered. */
  readonly isComplete: boolean
}

// -----------------------------------------------------------------------------
// gathering
// -----------------------------------------------------------------------------

const limitOf = ({ limit = limitDefault }: Options): number => Math.max(1, Math.min(Math.trunc(limit), limitMax))

/** Events, each once, as long as there is room. */
class Gathered {
  readonly #events = new Map<number, RecordedEvent>()
  #bytes = 0
  isComplete = true

  constructor(readonly limit: number) {}

  /** Whether it is there now. */
  add(event: RecordedEvent): boolean {
    if (this.has(event)) return true
    const bytes = this.#bytes + byteLength(event)
    const isFull = this.#events.size >= this.limit || (this.#events.size > 0 && bytes > bytesMax)
    if (isFull) {
      this.isComplete = false
      return false
    }
    this.#events.set(event.position, event)
    this.#bytes = bytes
    return true
  }

  has({ position }: RecordedEvent): boolean {
    return this.#events.has(position)
  }

  graph(): Graph {
    const nodes = [...this.#events.values()].sort((a, b) => a.position - b.position)
    const ids = new Set(nodes.map(({ eventId }) => eventId))
    const edges: Array<Edge> = []
    const roots: Array<string> = []
    for (const node of nodes) {
      const cause = EventMetadata.fromEvent(node).causation_id
      if (cause !== undefined && ids.has(cause)) edges.push({ cause, effect: node.eventId })
      else roots.push(node.eventId)
    }
    return { nodes, edges, roots, isComplete: this.isComplete }
  }
}

/** Gathers what a query finds, and answers what of that has room. */
const gather = (store: Service, into: Gathered, query: Query.Query, { consistency }: Options) =>
  store.queryStream(query, { consistency }).pipe(
    Stream.takeWhile(event => into.add(event)),
    Stream.runCollect,
    Effect.map(Chunk.toReadonlyArray)
  )

/** The items of a query. */
const askedAtOnce = 64

/** Gathers the effects of these ids, and the effects of those, nearest first. */
const spread = Effect.fnUntraced(function* (
  store: Service,
  into: Gathered,
  ids: ReadonlyArray<string>,
  options: Options
) {
  const known = new Set(ids)
  const toAsk = [...known]
  while (toAsk.length > 0 && into.isComplete) {
    const query = Query.or(...toAsk.splice(0, askedAtOnce).map(Query.causedBy))
    for (const { eventId } of yield* gather(store, into, query, options)) {
      if (known.has(eventId)) continue
      known.add(eventId)
      toAsk.push(eventId)
    }
  }
})

// -----------------------------------------------------------------------------
// causes
// -----------------------------------------------------------------------------

const isCriterion = Schema.is(Query.MetadataField)

/** How many events of conversations may still be looked through for a cause. */
interface Search {
  left: number
}

const eventAt = (store: Service, { stream, version }: EventMetadata.Place, { consistency }: Options) => {
  const nothing = () => Effect.succeed<RecordedEvent | undefined>(undefined)
  return store.read(stream, { from: version, count: 1, consistency }).pipe(
    Effect.map(({ events }) => events.find(event => event.version === version)),
    Effect.catchTags({ StreamNotFound: nothing, StreamDeleted: nothing, StreamTombstoned: nothing })
  )
}

const causeOf = Effect.fnUntraced(function* (store: Service, event: RecordedEvent, search: Search, options: Options) {
  const { causation_at, causation_id, correlation_id } = EventMetadata.fromEvent(event)
  if (causation_id === undefined) return undefined
  if (causation_at !== undefined) {
    const found = yield* eventAt(store, causation_at, options)
    // Somebody may have named another cause since the place was written down.
    if (found?.eventId === causation_id) return found
  }
  if (!isCriterion({ field: "correlation_id", value: correlation_id }) || correlation_id === undefined) return undefined
  // From the event back: what caused it was there before it.
  const conversation = store.queryStream(Query.correlatedWith(correlation_id), {
    from: event.position,
    direction: "backward",
    count: search.left,
    consistency: options.consistency
  })
  const found = yield* conversation.pipe(
    Stream.tap(() => Effect.sync(() => search.left--)),
    Stream.filter(({ eventId }) => eventId === causation_id),
    Stream.runHead
  )
  return Option.getOrUndefined(found)
})

/**
 * The event that caused this one, if it has a cause that is an event of the store and still there. `EventMetadata.fromEvent` tells what its cause is named.
 *
 * @since 0.1.0
 * @category causes
 */
export const cause = (
  event: RecordedEvent,
  options: Options = {}
): Effect.Effect<Option.Option<RecordedEvent>, ReadFailure, EventStore> =>
  Effect.flatMap(EventStore, store =>
    Effect.map(causeOf(store, event, { left: limitOf(options) }, options), Option.fromNullable)
  )

const chainOf = Effect.fnUntraced(function* (store: Service, event: RecordedEvent, options: Options) {
  const limit = limitOf(options)
  const gathered = new Gathered(limit)
  const search = { left: limit }
  gathered.add(event)
  const events = [event]
  const ended = (end: Chain["end"]): Chain => ({ events: events.reverse(), end })
  for (let effect = event; ; ) {
    if (EventMetadata.fromEvent(effect).causation_id === undefined) return ended("root")
    const found = yield* causeOf(store, effect, search, options)
    if (found === undefined) return ended(search.left > 0 ? "unknown_cause" : "limit")
    if (gathered.has(found)) return ended("cycle")
    if (!gathered.add(found)) return ended("limit")
    events.push(found)
    effect = found
  }
})

/**
 * The event and what led to it, back to the root.
 *
 * @since 0.1.0
 * @category causes
 */
export const chain = (event: RecordedEvent, options: Options = {}): Effect.Effect<Chain, ReadFailure, EventStore> =>
  Effect.flatMap(EventStore, store => chainOf(store, event, options))

// -----------------------------------------------------------------------------
// effects
// -----------------------------------------------------------------------------

/**
 * What was caused by this event (or command), and by nothing between, by position.
 *
 * @since 0.1.0
 * @category effects
 */
export const effects = (
  eventId: string,
  options?: FeedOptions
): Stream.Stream<RecordedEvent, ReadFailure, EventStore> =>
  Stream.unwrap(Effect.map(EventStore, store => store.queryStream(Query.causedBy(eventId), options)))

/**
 * All that came of this event (or command), directly or by way of others: nearest first, where there is more than may be gathered. The event itself is not part of it.
 *
 * @since 0.1.0
 * @category effects
 */
export const descendants = (eventId: string, options: Options = {}): Effect.Effect<Graph, ReadFailure, EventStore> =>
  Effect.flatMap(EventStore, store => {
    const gathered = new Gathered(limitOf(options))
    return Effect.map(spread(store, gathered, [eventId], options), () => gathered.graph())
  })

/**
 * The {@link chain} of the event, and all that came of what it begins with.
 *
 * @since 0.1.0
 * @category effects
 */
export const graph = (event: RecordedEvent, options: Options = {}): Effect.Effect<Graph, ReadFailure, EventStore> =>
  Effect.gen(function* () {
    const store = yield* EventStore
    const { end, events } = yield* chainOf(store, event, options)
    const gathered = new Gathered(limitOf(options))
    for (const one of events) gathered.add(one)
    yield* spread(
      store,
      gathered,
      [events[0] ?? event].map(({ eventId }) => eventId),
      options
    )
    const whole = gathered.graph()
    return { ...whole, isComplete: whole.isComplete && end !== "limit" }
  })

// -----------------------------------------------------------------------------
// conversations
// -----------------------------------------------------------------------------

/**
 * The events of a conversation, by position. The one that began it is not among them if it has no correlation id of its own, see {@link conversation}.
 *
 * @since 0.1.0
 * @category conversations
 */
export const correlated = (
  correlationId: string,
  options?: FeedOptions
): Stream.Stream<RecordedEvent, ReadFailure, EventStore> =>
  Stream.unwrap(Effect.map(EventStore, store => store.queryStream(Query.correlatedWith(correlationId), options)))

/**
 * The events of a conversation and which caused which, the one that began it included, where one of its effects says where it stands.
 *
 * @since 0.1.0
 * @category conversations
 */
export const conversation = (
  correlationId: string,
  options: Options = {}
): Effect.Effect<Graph, ReadFailure, EventStore> =>
  Effect.gen(function* () {
    const store = yield* EventStore
    const gathered = new Gathered(limitOf(options))
    const events = yield* gather(store, gathered, Query.correlatedWith(correlationId), options)
    const begunBy = events
      .map(event => EventMetadata.fromEvent(event))
      .find(({ causation_at, causation_id }) => causation_id === correlationId && causation_at !== undefined)
    if (begunBy?.causation_at !== undefined) {
      const first = yield* eventAt(store, begunBy.causation_at, options)
      if (first?.eventId === correlationId) gathered.add(first)
    }
    return gathered.graph()
  })

// -----------------------------------------------------------------------------
// graphs
// -----------------------------------------------------------------------------

/**
 * The graph as one of `effect/Graph`, which sorts it with causes first (`topo`), tells whether it has a circle (`isAcyclic`), and walks it from an event on (`dfs`, `bfs`).
 *
 * @since 0.1.0
 * @category graphs
 */
export const directed = ({ edges, nodes }: Graph): EffectGraph.DirectedGraph<RecordedEvent, Edge> =>
  EffectGraph.directed(mutable => {
    const indices = new Map(nodes.map(node => [node.eventId, EffectGraph.addNode(mutable, node)]))
    for (const edge of edges) {
      const [from, to] = [indices.get(edge.cause), indices.get(edge.effect)]
      if (from !== undefined && to !== undefined) EffectGraph.addEdge(mutable, from, to, edge)
    }
  })

const quoted = (text: string): string => `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`

/**
 * The graph in the language of Graphviz: `dot -Tsvg causation.dot`. A node is named by its event's id, and shows that and the event's type.
 *
 * @since 0.1.0
 * @category graphs
 */
export const toDot = ({ edges, nodes }: Graph): string =>
  [
    "digraph causation {",
    ...nodes.map(({ eventId, eventType }) => {
      const [id, type] = [quoted(eventId), quoted(eventType)]
      return `  ${id} [label=${id.slice(0, -1)}\\n${type.slice(1)}];`
    }),
    ...edges.map(({ cause, effect }) => `  ${quoted(cause)} -> ${quoted(effect)};`),
    "}",
    ""
  ].join("\n")
