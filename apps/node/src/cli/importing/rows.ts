/**
 * Rows of a file on their way to becoming events, whatever the file's format.
 *
 * @since 0.1.0
 */

import { createHash } from "node:crypto"
import { Event, type Limits } from "@reckon/client"
import * as Chunk from "effect/Chunk"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

/**
 * A row that cannot be an event. `line` is the line of the file, from 1, on which the row begins.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidRow extends Data.TaggedError("InvalidRow")<{
  readonly file: string
  readonly line: number
  readonly why: string
  /** What became of the rows before it. */
  readonly progress?: string
}> {
  override get message() {
    return `${this.file} line ${this.line}: ${this.why}${this.progress === undefined ? "" : ` (${this.progress})`}`
  }
}

/**
 * A file that cannot be imported at all.
 *
 * @since 0.1.0
 * @category errors
 */
export class FileUnusable extends Data.TaggedError("FileUnusable")<{ readonly file: string; readonly why: string }> {
  override get message() {
    return `${this.file} ${this.why}`
  }
}

/**
 * A row as an event of a stream.
 *
 * @since 0.1.0
 * @category models
 */
export interface Row {
  readonly streamId: string
  readonly event: Event.NewEvent
}

/**
 * What a piece of the file gave: rows, and then perhaps the fault at which reading stops.
 *
 * @since 0.1.0
 * @category models
 */
export interface Fed<A, E> {
  readonly rows: ReadonlyArray<A>
  readonly fault?: E | undefined
}

/**
 * Feeds a reader piece by piece, then once with undefined for the end of the file, and converts what it finds; undefined is passed over.
 * All rows before a fault come out before it.
 *
 * @since 0.1.0
 * @category streams
 */
export const feed = <A, B, E, E2, R>(
  bytes: Stream.Stream<Uint8Array, E, R>,
  push: (piece: Uint8Array | undefined) => Effect.Effect<Fed<A, E2>>,
  convert: (found: A) => Either.Either<B | undefined, E2>
): Stream.Stream<B, E | E2, R> =>
  Stream.map(bytes, Option.some).pipe(
    Stream.concat(Stream.succeed(Option.none<Uint8Array>())),
    Stream.mapEffect(piece => push(Option.getOrUndefined(piece))),
    Stream.flatMap(fed => {
      const rows: Array<B> = []
      let fault = fed.fault
      for (const found of fed.rows) {
        const row = convert(found)
        if (Either.isLeft(row)) {
          fault = row.left
          break
        }
        if (row.right !== undefined) rows.push(row.right)
      }
      const good = Stream.fromChunk(Chunk.unsafeFromArray(rows))
      return fault === undefined ? good : Stream.concat(good, Stream.fail(fault))
    })
  )

/**
 * The bytes a row of the file may have: those of an event, which as base64 are a third more, and slack for what JSON or CSV need around it.
 *
 * @since 0.1.0
 * @category limits
 */
export const rowBytesMax = (limits: Limits.Limits): number => Math.ceil((limits.eventBytesMax * 4) / 3) + 1024 * 1024

const isStreamId: (text: string) => boolean = Schema.is(Event.StreamId)
const isNewEvent: (event: Event.NewEvent) => boolean = Schema.is(Event.NewEvent)
const validateEvent = Schema.validateEither(Event.NewEvent)

/** The first thing that is wrong with an event, briefly. */
const issueOf = (event: Event.NewEvent): string => {
  const issue = Either.flip(validateEvent(event)).pipe(
    Either.map(error => ParseResult.ArrayFormatter.formatErrorSync(error)[0]),
    Either.getOrUndefined
  )
  return `${issue?.path.join(".") ?? "event"}: ${(issue?.message ?? "not valid").split("\n", 1)[0]?.slice(0, 200)}`
}

/**
 * An id that depends on nothing but a row's content and place, in the layout of a UUID version 8: the same row gets the same id in every
 * run. Each part goes in with its length, so that no two lists of parts look alike.
 *
 * @since 0.1.0
 * @category ids
 */
export const rowId = (
  namespace: string,
  ordinal: number,
  streamId: string,
  eventType: string,
  data: Uint8Array
): string => {
  const hash = createHash("sha256")
  for (const part of ["reckon import", namespace, String(ordinal), streamId, eventType]) {
    hash.update(`${Buffer.byteLength(part)}:${part}`)
  }
  const hex = hash.update(data).digest("hex")
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 0x3) | 0x8).toString(16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

/**
 * The event a row stands for, or why it can be none.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeRow = (options: {
  readonly namespace: string
  readonly ordinal: number
  readonly limits: Limits.Limits
  readonly streamId: string
  readonly content: Omit<Event.NewEvent, "eventId">
  readonly id?: string | undefined
}): Either.Either<Row, string> => {
  const { content, limits, streamId } = options
  const { data, eventType, tags } = content
  if (!isStreamId(streamId)) {
    return Either.left(
      `'${streamId.slice(0, 80)}' cannot name a stream: that takes 1 to 512 characters, none of them a control character`
    )
  }
  if (eventType === "" || eventType.length > 512) {
    return Either.left("the event's type must have 1 to 512 characters")
  }
  const twice = tags.find((tag, at) => tags.indexOf(tag) !== at)
  if (twice !== undefined) return Either.left(`the event has the tag '${twice.slice(0, 80)}' twice`)
  const event: Event.NewEvent = {
    ...content,
    eventId: options.id?.toLowerCase() ?? rowId(options.namespace, options.ordinal, streamId, eventType, data)
  }
  if (!isNewEvent(event)) return Either.left(issueOf(event))
  const bytes = Event.byteLength(event)
  return bytes > limits.eventBytesMax
    ? Either.left(`the event has ${bytes} bytes, the limit is ${limits.eventBytesMax}`)
    : Either.right({ streamId, event })
}
