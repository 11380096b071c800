/**
 * Streams with types: how the streams of one kind are named, and which types of events they hold.
 *
 * ```ts
 * const accounts = StreamDefinition.make({
 *   name: (id: string) => `account-${id}`,
 *   events: [Opened, Deposited, Withdrawn]
 * })
 *
 * yield* accounts.append("42", ExpectedVersion.NoStream, [Opened.make({ owner: "Ada" })])
 * yield* accounts.read("42").pipe(StreamDefinition.orFail, Stream.runForEach(({ event }) => ...))
 * ```
 *
 * Reading drops nothing without a word. Each event comes as a `Reading`: `Decoded`, `Unknown` (its type is none of these) or `Undecodable` (its data do not fit); {@link orFail} ends
 * with an error at the first that is not decoded, {@link orSkip} logs it and goes on. The events of other reads are read by `decode`: a subscription by
 * `Stream.map(accounts.decode)`.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import {
  type AppendFailure,
  type AppendOptions,
  EventStore,
  type FeedOptions,
  type PageOptions,
  type ReadFailure
} from "./EventStore.js"
import * as EventType from "./EventType.js"
import type { ExpectedVersion } from "./ExpectedVersion.js"
import * as Prepare from "./internal/typed/prepare.js"
import type { StreamError } from "./StoreError.js"
import type { Appended } from "./StoreRpcs.js"

/**
 * @since 0.1.0
 * @category options
 */
export interface TypedAppendOptions extends AppendOptions {
  /**
   * Makes the ids of the events follow from this one, 1 to 256 characters, and writes it as `command_id` into their metadata: the same append, made again with the same
   * id, is answered as the first one was and writes nothing. Default: random ids.
   */
  readonly commandId?: string | undefined
}

/**
 * One page of a stream, see `StoreRpcs.EventPage`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Page<E> {
  readonly readings: ReadonlyArray<EventType.Reading<E>>
  readonly isEnd: boolean
  readonly next: number
}

/**
 * The streams of one kind: `Id` says which of them, `E` what happens in them.
 *
 * @since 0.1.0
 * @category models
 */
export interface StreamDefinition<in Id, in out E> extends EventType.Union<E> {
  /** The name of a stream in the store. */
  readonly streamId: (id: Id) => string

  /** Appends the events to one stream, all or none, with the metadata that are said of them (`EventMetadata`). */
  readonly append: (
    id: Id,
    expectedVersion: ExpectedVersion,
    events: ReadonlyArray<E>,
    options?: TypedAppendOptions
  ) => Effect.Effect<Appended, AppendFailure | EventType.EventNotEncodable, EventStore>

  /** One page of a stream. */
  readonly readPage: (id: Id, options?: PageOptions) => Effect.Effect<Page<E>, ReadFailure | StreamError, EventStore>

  /** A stream, page after page, up to the last event there is when the reading gets there. */
  readonly read: (
    id: Id,
    options?: FeedOptions
  ) => Stream.Stream<EventType.Reading<E>, ReadFailure | StreamError, EventStore>
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = <Id, const Events extends ReadonlyArray<EventType.TypedEvent<string, unknown>>>(options: {
  readonly name: (id: Id) => string
  readonly events: { readonly [Index in keyof Events]: EventType.Member<Events[Index]> }
}): StreamDefinition<Id, Events[number]> => {
  const events = EventType.union<Events>(...options.events)
  const streamId = options.name
  return {
    ...events,
    streamId,
    append: (id, expectedVersion, typed, options) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const name = streamId(id)
        const prepared = yield* Prepare.prepare(events, typed, { commandId: options?.commandId, scope: name })
        const encoded = prepared.map(({ encoded }) => encoded)
        return yield* store.append(name, expectedVersion, encoded, options)
      }),
    readPage: (id, options) =>
      Effect.map(
        Effect.flatMap(EventStore, store => store.read(streamId(id), options)),
        page => ({ readings: page.events.map(events.decode), isEnd: page.isEnd, next: page.next })
      ),
    read: (id, options) =>
      Stream.unwrap(Effect.map(EventStore, store => Stream.map(store.readStream(streamId(id), options), events.decode)))
  }
}

/**
 * Ends the stream with `UnreadableEvent` at the first event that cannot be read.
 *
 * @since 0.1.0
 * @category combinators
 */
export const orFail = <E, Err, R>(
  readings: Stream.Stream<EventType.Reading<E>, Err, R>
): Stream.Stream<EventType.Decoded<E>, Err | EventType.UnreadableEvent, R> =>
  Stream.mapEffect(readings, reading =>
    Prepare.isDecoded(reading) ? Effect.succeed(reading) : Effect.fail(EventType.unreadable(reading))
  )

/**
 * Passes over events that cannot be read, with a warning in the log for each.
 *
 * @since 0.1.0
 * @category combinators
 */
export const orSkip = <E, Err, R>(
  readings: Stream.Stream<EventType.Reading<E>, Err, R>
): Stream.Stream<EventType.Decoded<E>, Err, R> => Stream.filter(Stream.tap(readings, Prepare.warn), Prepare.isDecoded)
