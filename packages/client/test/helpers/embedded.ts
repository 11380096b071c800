/** A store in memory as a program in the same process sees it, and what tests say about events. */
import { Event, EventStore, type Limits } from "@reckon/client"
import * as Chunk from "effect/Chunk"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Handlers from "./handlers.js"
import { MemoryStore } from "./memoryStore.js"

export interface Options extends Handlers.Bounds {
  readonly name?: string
  readonly timeout?: Duration.DurationInput
  readonly limits?: Limits.Limits
  /** Requests that are answered in another way. */
  readonly instead?: Partial<EventStore.Requests>
  /** Around each subscription that the store is asked for. */
  readonly around?: (
    feed: ReturnType<EventStore.Subscribe>,
    payload: Parameters<EventStore.Subscribe>[0]
  ) => typeof feed
}

export const make = (options: Options = {}) =>
  Effect.gen(function* () {
    const { instead, limits, timeout } = options
    const memory = new MemoryStore(options.name)
    const hooks = Handlers.hooks()
    const handlers = Handlers.make(memory, hooks, options)
    const store = yield* EventStore.make({
      store: memory.name,
      requests: { ...handlers, ...instead },
      subscribe: payload => {
        const feed = handlers.Subscribe(payload)
        return options.around === undefined ? feed : options.around(feed, payload)
      },
      limits,
      timeout
    })
    return { memory, hooks, store }
  })

export const event = (type: string, options: { readonly data?: unknown; readonly tags?: ReadonlyArray<string> } = {}) =>
  Event.json({ type, data: options.data ?? {}, tags: options.tags ?? [] })

export const typesOf = (events: Iterable<Event.RecordedEvent>): ReadonlyArray<string> =>
  [...events].map(({ eventType }) => eventType)

export const collect = <A, E>(feed: Stream.Stream<A, E>) =>
  Effect.map(Stream.runCollect(feed), items => Chunk.toReadonlyArray(items))

/** The types of all events of a feed. */
export const types = <E>(feed: Stream.Stream<Event.RecordedEvent, E>) => Effect.map(collect(feed), typesOf)

/** The tag of the error. */
export const failure = <A, E extends { readonly _tag: string }>(effect: Effect.Effect<A, E>) =>
  Effect.map(Effect.flip(effect), ({ _tag }) => _tag)
