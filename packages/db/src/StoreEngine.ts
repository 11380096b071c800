/**
 * The replicated state machine of one store: it applies the commands of committed log entries and answers reads of what it has applied.
 *
 * An engine is deterministic: two that were fed the same entries hold the same events at the same positions with the same times, however the entries
 * were grouped into batches. It knows nothing of the log, of leaders or of time.
 *
 * Its functions are synchronous. The SQLite engine behind it is, and on the hot path a fiber per event costs more than the query it would wait for.
 * A call that throws met a broken invariant, a failing disk or damage (`StoreFileDamaged`): that is a defect, and the engine has then applied nothing of the batch. Its owner
 * should restart it, but for damage, which a restart would meet again: what stands elsewhere is served.
 *
 * @since 0.1.0
 */
import type { Query } from "@reckon/client/Query"
import type { Snapshot, SnapshotInfo } from "@reckon/client/Snapshot"
import type { EventPage, StreamsPage } from "@reckon/client/StoreRpcs"
import type { StreamDetails } from "@reckon/client/StreamMetadata"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Command, Reply } from "./Command.js"
import { checkDisk, remedy } from "./internal/helpers/remedy.js"
import type { Ahead } from "./internal/sqlite/ahead.js"

/**
 * What was read ahead of a page, see `Service.readAhead`. The engine alone looks into it.
 *
 * @since 0.1.0
 * @category models
 */
export type { Ahead } from "./internal/sqlite/ahead.js"

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
 * from beyond the last event starts at the last one. Events behind `asOf` (`null`: none) are left out.
 *
 * A page ends after `count` events, or before the event with which its sizes (`Event.byteLength`) would exceed `bytesMax`. The first event is
 * returned whatever its size, so that a reader always gets on. It also ends, perhaps empty, when it has looked at as many rows as one page may: `next` goes on from there.
 *
 * `nowUs` is the time by which `maxAgeUs` of a stream is reckoned, in microseconds since 1970.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReadAll {
  readonly from: number
  readonly count: number
  readonly direction: Direction
  readonly bytesMax: number
  readonly asOf: number | null
  readonly nowUs: number
}

/**
 * The same, with the events that match the query only.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReadQuery extends ReadAll {
  readonly query: Query
}

/**
 * The same for one stream, with `from` a version.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReadStream extends Omit<ReadAll, "asOf"> {
  readonly streamId: string
}

/**
 * A page that is about to be asked for, of one stream, or of all with `null`.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReadAhead extends Omit<ReadAll, "bytesMax" | "nowUs"> {
  readonly streamId: string | null
  /** How many reads are under way, this one among them. */
  readonly reads: number
}

/**
 * Which streams, see `StoreRpcs.ListStreamsRpc`.
 *
 * @since 0.1.0
 * @category models
 */
export interface ListStreams {
  readonly pattern: string | null
  readonly after: string | null
  readonly count: number
}

/**
 * Why a stream has nothing to read: it never had an event, or was deleted, perhaps for good.
 *
 * @since 0.1.0
 * @category models
 */
export type Absent = "not_found" | "deleted" | "tombstoned"

/**
 * The file cannot be used as a store. Nothing in it was changed.
 *
 * - `damaged`: it is a store, and what it says cannot be true, or SQLite finds its pages broken;
 * - `unreadable`: the disk refuses to read it;
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
    reason: Schema.Literal("damaged", "unreadable", "foreign", "newer", "in_use", "inaccessible"),
    /** What is wrong, and, of a file that was to be opened, what to do about it. */
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
 * SQLite finds a page of the file broken, or the disk refuses to read it, which SQLite does not always tell apart; or the disk takes no page, because it is full for one. What the file holds besides is
 * served as before.
 *
 * It is thrown by what would have had to look at it, and so is a defect there: to ask the same again at once cannot help, and nothing is guessed and nothing mended. Where an entry of the log
 * needs the page, none that follows can be applied either, until the page can be read, or written.
 *
 * @since 0.1.0
 * @category errors
 */
export class StoreFileDamaged extends Schema.TaggedError<StoreFileDamaged>("@reckon/db/StoreFileDamaged")(
  "StoreFileDamaged",
  {
    filename: Schema.String,
    /** What of it. */
    what: Schema.String,
    /** `damaged`: SQLite finds it broken, or cannot read it; `unreadable`: the disk refuses to read it, and SQLite says so; `unwritable`: the disk does not take it. */
    how: Schema.optionalWith(Schema.Literal("damaged", "unreadable", "unwritable"), { default: () => "damaged" })
  }
) {
  override get message() {
    if (this.how === "unwritable")
      return `${this.filename} cannot be written: ${this.what}. Check the disk and its space`
    return this.how === "damaged"
      ? `${this.filename} is damaged: ${this.what}. ${checkDisk}. ${remedy(this.filename)}`
      : `${this.filename} cannot be read: ${this.what}. Check the disk. Where it has lost the page: ${remedy(this.filename)}`
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
   * How often this engine fell back to an earlier applied index, because the disk did not take or give what it had to. Whoever finds it unchanged, and asks the same engine, is shown no earlier state than before.
   */
  readonly setbacks: () => number

  /**
   * Applies `entries` as one, together with the new applied index and term: after a crash either all of them are applied or none is, nor what came after them.
   * Answers each entry in order, `null` for one without a command.
   *
   * The entries must continue the applied ones without a gap; anything else is a defect.
   *
   * **An append** of events to one stream or several takes effect as a whole or not at all. An event whose id its stream holds already, hidden or not, with the same type, payloads, content types and tags, is present and not written
   * again; with other content the append fails with `EventIdConflict`. Neither depends on the expected version, on the condition or on time. If all events are
   * present, the append succeeds. If one is new, the versions of all its streams must meet their expectations (else `WrongExpectedVersion`), no event behind the condition's `after` may match its query
   * (else `AppendConditionFailed`), and the new ones are written in order, with the next versions and positions. Of an append that fails nothing is written; the other operations of its command do
   * not care, and see the effects of those before them. A deleted stream has no events to an expectation (version -1) and is created anew; its versions go on. A tombstoned one takes none: `StreamTombstoned`.
   *
   * The answer has version and position of the last event of each stream's part, wherever that is. A part without events checks the expectation and answers
   * those of the stream's last event.
   *
   * The time of an event is that of its command, or that of the event before it if that is later.
   */
  readonly apply: (entries: ReadonlyArray<Entry>) => ReadonlyArray<Reply | null>

  /**
   * Makes durable all that is applied, and returns the applied index: the log may be cut up to there. It returns an earlier one, 0 at first, while somebody outside reads the file, who can be in the way.
   * Until then a crash of the process may take the engine back to an earlier applied index (never to a half applied batch), from which the log has to be replayed.
   */
  readonly checkpoint: () => number

  /** To be called after damage was met, before anything is applied again: gives up what cannot be committed any more, and stands at an earlier applied index then, no earlier than was durable. */
  readonly restore: () => void

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

  /**
   * Has the events of a page read by a thread beside this one, as far as they are committed; nobody has to ask for that. `undefined`, now or in the end, where this thread does as well: where few reads are under
   * way, say, or the store is in memory.
   */
  readonly readAhead: (options: ReadAhead) => Effect.Effect<Ahead | undefined> | undefined

  /** A page of one stream. With what was read ahead it is the same, and takes less. */
  readonly readStream: (options: ReadStream, ahead?: Ahead) => EventPage | Absent

  /** A page of the events of all streams, in the order of their positions. With what was read ahead it is the same, and takes less. */
  readonly readAll: (options: ReadAll, ahead?: Ahead) => EventPage

  /** A page of the events that match a query, in the order of their positions, from the indexes. */
  readonly readQuery: (options: ReadQuery) => EventPage

  /** The version of a stream's last event, -1 where it has none or is deleted. */
  readonly getVersion: (streamId: string) => number

  /** The version of the last event that a stream had at a time (microseconds since 1970, inclusive), -1 where it had none. */
  readonly versionAt: (streamId: string, epochUs: number) => number | Absent

  /** The position of the last event that the store had at a time, -1 where it had none. */
  readonly positionAt: (epochUs: number) => number

  /** A stream as a whole, also a deleted one; `null` where there never was one. */
  readonly streamDetails: (streamId: string) => StreamDetails | null

  /** Whether any stream keeps an event at this time. */
  readonly hasEvents: (nowUs: number) => boolean

  /** At most `count` streams that are not deleted, in the order of the UTF-8 bytes of their names, those after `after` (all with `null`) that match the pattern. */
  readonly listStreams: (options: ListStreams) => StreamsPage

  /** The snapshot of a stream at a version, or the latest one (`null`); `null` where there is none. */
  readonly loadSnapshot: (streamId: string, version: number | null) => Snapshot | null

  /** At most `count` snapshots of a stream by rising version, from one version on. */
  readonly listSnapshots: (options: { readonly streamId: string; readonly from: number; readonly count: number }) => {
    readonly snapshots: ReadonlyArray<SnapshotInfo>
    readonly isEnd: boolean
  }

  /** The position of the last event, -1 where there is none. */
  readonly lastPosition: () => number

  /** The time of the last event, which no later one falls short of, in microseconds since 1970; 0 where there is none. */
  readonly lastEpochUs: () => number

  /** How many streams there are that were not deleted. */
  readonly streamCount: () => number

  /** How many events the store holds, hidden ones included. */
  readonly eventCount: () => number
}

/**
 * The engine of a store.
 *
 * @since 0.1.0
 * @category services
 */
export class StoreEngine extends Context.Tag("@reckon/db/StoreEngine")<StoreEngine, Service>() {}
