/**
 * The replicated state machine of one store: it applies the commands of committed log entries and answers reads of what it has applied.
 *
 * An engine is deterministic: two that were fed the same entries hold the same events at the same positions with the same times, however the entries
 * were grouped into batches. It knows nothing of the log, of leaders or of time.
 *
 * Its functions are synchronous. The SQLite engine behind it is, and on the hot path a fiber per event costs more than the query it would wait for.
 * A call that throws met a broken invariant or a failing disk: that is a defect, the engine has then applied nothing of the batch, and its owner
 * should restart it.
 *
 * @since 0.1.0
 */
import type { EventPage, StreamInfo } from "@reckon/client/StoreRpcs"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Command, Reply } from "./Command.js"

/**
 * A committed log entry. `command` is `null` in entries that carry nothing for the store: a new leader's no-op, a change of members.
 *
 * @since 0.1.0
 * @category models
 */
export interface Entry {
  readonly index: number
  readonly term: number
  readonly command: Command | null
}

/**
 * @since 0.1.0
 * @category models
 */
export type Direction = "forward" | "backward"

/**
 * How much to read of all events, and from where. `from` is a position, itself included; forward from below 0 starts at the first event, backward
 * from beyond the last event starts at the last one.
 *
 * A page ends after `count` events, or before the event with which its sizes (`Event.byteLength`) would exceed `bytesMax`. The first event is
 * returned whatever its size, so that a reader always gets on.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReadAll {
  readonly from: number
  readonly count: number
  readonly direction: Direction
  readonly bytesMax: number
}

/**
 * The same for one stream, with `from` a version.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReadStream extends ReadAll {
  readonly streamId: string
}

/**
 * One page of the names of streams. `isEnd`: there was nothing beyond it when it was read.
 *
 * @since 0.1.0
 * @category models
 */
export interface StreamsPage {
  readonly streams: ReadonlyArray<StreamInfo>
  readonly isEnd: boolean
}

/**
 * The file cannot be used as a store. Nothing in it was changed.
 *
 * - `damaged`: it is a store, and what it says cannot be true, or SQLite finds its pages broken;
 * - `foreign`: it is something else;
 * - `newer`: a later release wrote it;
 * - `in_use`: another engine or process has it open;
 * - `inaccessible`: it cannot be opened, read or written.
 *
 * @since 0.1.0
 * @category errors
 */
export class StoreFileRefused extends Schema.TaggedError<StoreFileRefused>("@reckon/db/StoreFileRefused")(
  "StoreFileRefused",
  {
    filename: Schema.String,
    reason: Schema.Literal("damaged", "foreign", "newer", "in_use", "inaccessible"),
    detail: Schema.String
  }
) {
  /** Only a file in use can be free a moment later. */
  get retryable(): boolean {
    return this.reason === "in_use"
  }
  override get message() {
    return `${this.filename} cannot be used as a store (${this.reason}): ${this.detail}`
  }
}

/**
 * What an engine does.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  /** The index of the last applied log entry, 0 where none is. */
  readonly appliedIndex: () => number

  /** The term of the last applied log entry, 0 where none is. */
  readonly appliedTerm: () => number

  /**
   * Applies `entries` in one transaction, together with the new applied index and term: after a crash either all of them are applied or none is.
   * Answers each entry in order, `null` for one without a command.
   *
   * The entries must continue the applied ones without a gap; anything else is a defect.
   *
   * **An append.** An event whose id its stream holds already, with the same type, payloads, content types and tags, is present and not written
   * again; with other content the append fails with `EventIdConflict`. Neither depends on the expected version or on time. If all events are
   * present, the append succeeds. If one is new, the stream's version must meet the expectation (else `WrongExpectedVersion`), and the new ones
   * are written in order, with the next versions and positions. Of an append that fails nothing is written; the other appends of its command do
   * not care, and see the effects of those before them.
   *
   * The answer has version and position of the request's last event, wherever that is. An append without events checks the expectation and answers
   * those of the stream's last event.
   *
   * The time of an event is that of its command, or that of the event before it if that is later.
   */
  readonly apply: (entries: ReadonlyArray<Entry>) => ReadonlyArray<Reply | null>

  /**
   * Makes durable all that is applied, and returns the applied index: the log may be cut up to there. Until then a power failure may take the
   * engine back to an earlier applied index (never to a half applied batch), from which the log has to be replayed.
   */
  readonly checkpoint: () => number

  /**
   * Writes a consistent copy of the store to a new file, which may stand at a later index than the store did when it was asked: the answer says
   * at which. Goes on in small steps between which everything else is served. Interrupted or failed it leaves no file.
   */
  readonly snapshot: (file: string) => Effect.Effect<{ readonly index: number }, StoreFileRefused>

  /**
   * Puts the copy in `file` in the place of all that the store holds, and takes the file. All or nothing: a file that is not a store is refused and
   * nothing is changed. That it stands at no earlier index is the caller's duty.
   */
  readonly install: (file: string) => Effect.Effect<void, StoreFileRefused>

  /** A page of one stream; `null` where there is no such stream. */
  readonly readStream: (options: ReadStream) => EventPage | null

  /** A page of the events of all streams, in the order of their positions. */
  readonly readAll: (options: ReadAll) => EventPage

  /** The version of a stream's last event, -1 where it has none. */
  readonly getVersion: (streamId: string) => number

  /** At most `count` streams, in the order of the UTF-8 bytes of their names, those after `after` (all with `null`). */
  readonly listStreams: (options: { readonly after: string | null; readonly count: number }) => StreamsPage

  /** The position of the last event, -1 where there is none. */
  readonly lastPosition: () => number

  /** How many streams have an event. */
  readonly streamCount: () => number

  /** How many events the store holds. */
  readonly eventCount: () => number
}

/**
 * The engine of a store.
 *
 * @since 0.1.0
 * @category services
 */
export class StoreEngine extends Context.Tag("@reckon/db/StoreEngine")<StoreEngine, Service>() {}
