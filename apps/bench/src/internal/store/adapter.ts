/** How a store is asked, whoever's it is, in the process that measures it. */
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Append } from "./workload.js"

/** What is measured did not do what it was asked for. */
export class SubjectFailed extends Schema.TaggedError<SubjectFailed>("@reckon/bench/SubjectFailed")("SubjectFailed", {
  what: Schema.String
}) {
  override get message(): string {
    return this.what
  }
}

export const failed = (cause: unknown): SubjectFailed =>
  new SubjectFailed({ what: cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause) })

type Asked<A> = Effect.Effect<A, SubjectFailed>

/** A page answers how many events it has. What a store does not have is left out, and has no row. */
export interface Reads {
  /** The oldest events of a stream, 0 where it has none. */
  readonly stream: (stream: string, count: number) => Asked<number>
  readonly all?: (from: number, count: number) => Asked<number>
  readonly tagged?: (tag: string, from: number, count: number) => Asked<number>
  readonly typed?: (type: string, from: number, count: number) => Asked<number>
  /** A page of all events as they were at a position. */
  readonly asOf?: (asOf: number, from: number, count: number) => Asked<number>
  readonly time?: {
    /** Of the event at the position, microseconds. */
    readonly at: (position: number) => Asked<number>
    readonly versionAt: (stream: string, epochUs: number) => Asked<number>
    /** All events that the stream had. */
    readonly until: (stream: string, epochUs: number) => Asked<number>
  }
  readonly snapshots?: {
    readonly save: (stream: string, version: number, data: Uint8Array) => Asked<void>
    /** The version of the latest one. */
    readonly latest: (stream: string) => Asked<number>
  }
}

export interface Adapter {
  /** Its version, and what it does before it says that something is written. */
  readonly about: string
  /** One append, acknowledged when it is durable. It fails if the stream is not at `version`. */
  readonly append: (append: Append) => Asked<void>
  /** Appends to different streams, in the quickest way there is. */
  readonly load: (appends: ReadonlyArray<Append>) => Asked<void>
  readonly reads: Reads
  /** The last version of each stream that there is. */
  readonly versions: Asked<ReadonlyMap<string, number>>
  /** Bytes on disk, of one copy. */
  readonly bytes: Asked<number>
  /** Resident memory of the process that holds the store, bytes; `null` where it is more than one. */
  readonly memory: Asked<number | null>
}
