/**
 * The durable half of a Raft member: its log and its term and vote, in one SQLite database per group.
 *
 * Invariants:
 * - `flush` returns only after the operating system was told to flush (journal_mode=WAL with synchronous=FULL: one fsync a
 *   commit). better-sqlite3 would leave WAL at synchronous=NORMAL, where a commit is not synced.
 * - term, vote, base with its configuration, and the log's end are one record with one checksum, written in the same transaction
 *   as the entries that go with them.
 * - many changes share one flush: whoever feeds the log stages a burst of them and then flushes once (group commit).
 * - commands of one term that share a flush share rows of the file, up to 256 entries or 64 KiB each. A row's checksum covers the indexes, the term, the
 *   kind and the payloads of its entries, and the incarnation of the file; no entry of a row that does not match is handed out.
 * - a write that failed leaves the log unusable: nothing is acknowledged after it. It is opened anew, once the disk takes something again where it was full.
 *
 * Disk: rows before the base are deleted in bounded steps with the flushes that follow; their space is used again, and goes back to
 * the disk where it is more than half of the file and more than the log took when it was cut the time before. The -wal is held near 16 MiB.
 *
 * Damage: SQLite commits all or nothing, so a crash can only tear the tail of its -wal, and that is cut. All else is refused with
 * a {@link RaftLogError}, and never mended: a -wal damaged before its tail, an empty or shortened file, a row that is missing
 * or does not match. An opening checks the record, the newest entries up to 1,024 or 4 MiB, and the few others where a term begins, so
 * that its time does not depend on the length of the log. Older entries are checked whenever they are read. What no check
 * can tell is a whole folder put back from an older copy, or a -wal removed from beside its database.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Incarnation from "./Incarnation.js"
import { assertInvariant, broken } from "./internal/core/invariant.js"
import { type Change, openLogDatabase } from "./internal/log/database.js"
import { makeTailCache } from "./internal/log/tailCache.js"
import { makeTermRuns } from "./internal/log/termRuns.js"
import type { LogEntry } from "./LogEntry.js"
import * as Membership from "./Membership.js"
import type { HardState } from "./RaftCore.js"
import type { RaftLogError } from "./RaftError.js"

/**
 * What a log begins after: the last entry that is no longer in it, because a snapshot of the state machine has taken its place. Index and
 * term are 0 in a log that is complete.
 *
 * `configuration` is the one in force at `index`, with the index of its own entry; `undefined` as long as that is the
 * founding one, of which the log knows nothing.
 *
 * @since 0.1.0
 * @category models
 */
export interface Base {
  readonly index: number
  readonly term: number
  readonly configuration: Membership.Placed | undefined
}

/**
 * One change, all of it or nothing, in this order: set term and vote, cut the log from `truncateFrom` on, begin after `snapshot`, add `entries`.
 *
 * Behind a snapshot the log keeps what it has if it agrees with it, that is if it has an entry of that index and term; else
 * it is empty. A snapshot from before the log's base is a defect.
 *
 * @since 0.1.0
 * @category models
 */
export interface Write {
  readonly hardState?: HardState | undefined
  readonly truncateFrom?: number | undefined
  readonly snapshot?: Base | undefined
  readonly entries: ReadonlyArray<LogEntry>
}

/**
 * Entries that stand together in the file, and about what they weigh (`LogEntry.sizeBytes`).
 *
 * @since 0.1.0
 * @category models
 */
export interface Piece {
  readonly lastIndex: number
  readonly bytes: number
}

/**
 * For whoever watches the member.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats {
  /** Database and -wal. */
  readonly bytesOnDisk: number
  /** From the base to the end, staged ones included. */
  readonly entries: number
  /** What the newest flush took, its sync included; `undefined` before the first. */
  readonly lastFlushMillis: number | undefined
}

/**
 * @since 0.1.0
 * @category services
 */
export class RaftLog extends Context.Tag("@reckon/raft/RaftLog")<
  RaftLog,
  {
    readonly filename: string
    /** What tells this log from every other one, also from an earlier one of the same member. That of its group stands in the configuration. */
    readonly incarnation: string
    /** Term and vote as last staged. */
    readonly hardState: () => HardState
    readonly base: () => Base
    /** The index after the base; the entry itself need not be there yet. */
    readonly firstIndex: () => number
    /** The end of the log, staged entries included; the base's index where it has none. */
    readonly lastIndex: () => number
    /** The term of the entry at `index`, or of the base; 0 for index 0. Asking for any other index is a defect. */
    readonly term: (index: number) => number
    /** Entries `from`…`to` (both included), cut where `LogEntry.sizeBytes` together would exceed `bytesMax`, but at least one. */
    readonly entries: (from: number, to: number, bytesMax: number) => ReadonlyArray<LogEntry>
    /** All of the log up to the end of the last piece that ends at `through` or before it, with no payload read: what a member needs at its start. Flushes what is staged. */
    readonly pieces: (through: number) => ReadonlyArray<Piece>
    /** All entries of the kind `configuration`, in their order: what a member needs at its start. Flushes what is staged. */
    readonly configurations: () => ReadonlyArray<LogEntry>
    /** Takes a change into the log as seen through this service. It is durable only after the next {@link flush}. */
    readonly stage: (write: Write) => void
    /**
     * Lets the log begin after this entry, in order with what is staged, and durable like it. An index that is gone already changes
     * nothing; one beyond the end is a defect. It flushes what is staged before, to look up the configuration in force.
     */
    readonly compact: (throughIndex: number) => void
    /**
     * Nobody is likely to ask for the entries up to here again: they need not be kept in memory any longer. Whoever does ask has them from the disk.
     */
    readonly release: (throughIndex: number) => void
    /**
     * Makes everything staged durable in one synced transaction, and clears a part of what compaction has left to delete, also when
     * nothing is staged. Throws where the write or its sync failed.
     */
    readonly flush: () => void
    /** Whether a flush has failed. The log takes nothing any more, and has to be opened anew. */
    readonly hasFailed: () => boolean
    /** Whether the disk has room for what a log that is opened anew may have to write. Tried with a file of a megabyte. */
    readonly hasRoom: () => boolean
    readonly stats: () => Stats
  }
>() {}

/**
 * Bytes that recent entries hold which are kept in memory, so that replication and apply seldom read the disk, as long as they are not released.
 */
const cacheBytesMax = 32 * 1024 * 1024

/**
 * Opens, or creates, the log in the file; `":memory:"` is for tests only and survives nothing.
 *
 * A new log gets the `incarnation`, or draws one of 128 bits. An existing one must have the incarnation that is given. The logs
 * of older formats are taken over; those of formats 1 and 2 get theirs then.
 *
 * One that is in doubt is checked as a whole, at the price of a scan: a copy that was made while the log was open has pages of several moments.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: {
  readonly filename: string
  readonly incarnation?: string | undefined
  readonly isInDoubt?: boolean | undefined
}): Effect.Effect<Context.Tag.Service<RaftLog>, RaftLogError, Scope.Scope> =>
  Effect.gen(function* () {
    const { filename } = options
    const clock = yield* Effect.clock
    const database = yield* openLogDatabase({
      filename,
      incarnation: options.incarnation ?? (yield* Incarnation.draw),
      isExpected: options.incarnation !== undefined,
      isInDoubt: options.isInDoubt === true
    })
    const runs = yield* Effect.try({ try: () => makeTermRuns(database), catch: database.fromCause })
    const cache = makeTailCache(cacheBytesMax)
    let hardState = database.hardState
    let base: Base = {
      index: database.base.index,
      term: database.base.term,
      configuration: database.base.configuration && placed(database.base.configuration)
    }
    let staged: Array<Change> = []
    /** The first index that the file does not show as the log has it, because of what is staged. */
    let stagedFrom = Number.POSITIVE_INFINITY
    let failed: unknown
    let lastFlushMillis: number | undefined

    // ---------------------------------------------------------------------------
    // into the log
    // ---------------------------------------------------------------------------

    const stage = (write: Write) => {
      if (write.hardState !== undefined) hardState = write.hardState
      if (write.truncateFrom !== undefined) {
        runs.truncateFrom(write.truncateFrom)
        cache.truncateFrom(write.truncateFrom)
      }
      staged.push(write.snapshot === undefined ? write : { ...write, ...install(write.snapshot) })
      const first = write.snapshot === undefined ? (write.entries[0]?.index ?? stagedFrom) : 0
      stagedFrom = Math.min(stagedFrom, first, write.truncateFrom ?? stagedFrom)
      for (const entry of write.entries) {
        runs.append(entry.index, entry.term)
        cache.append(entry)
      }
      const lastTerm = runs.term(runs.lastIndex())
      assertInvariant(lastTerm <= hardState.term, "the log is not of a later term than the member", {
        lastTerm,
        term: hardState.term
      })
    }

    /** What installing a snapshot does to the file. */
    const install = (snapshot: Base): Pick<Change, "base" | "truncateFrom"> => {
      const { index, term } = snapshot
      assertInvariant(index >= base.index, "a snapshot never takes the log back", { index, baseIndex: base.index })
      const agrees = index <= runs.lastIndex() && runs.term(index) === term
      if (agrees) begin(snapshot)
      else {
        runs.reset(snapshot)
        cache.clear()
        base = snapshot
      }
      return agrees ? { base: stored(snapshot) } : { base: stored(snapshot), truncateFrom: index + 1 }
    }

    const begin = (next: Base) => {
      runs.compactThrough(next.index)
      cache.dropThrough(next.index)
      base = next
    }

    const compact = (throughIndex: number) => {
      if (throughIndex <= base.index) return
      flushStaged()
      const entry = database.configurationAt(throughIndex)
      const next: Base = {
        index: throughIndex,
        term: runs.term(throughIndex),
        configuration: entry === undefined ? base.configuration : placed(entry)
      }
      begin(next)
      staged.push({ base: stored(next), entries: [] })
    }

    const write = () => {
      if (failed !== undefined) {
        throw new Error(`the log ${filename} failed before and must be opened anew`, { cause: failed })
      }
      const changes = staged
      staged = []
      stagedFrom = Number.POSITIVE_INFINITY
      const begun = clock.unsafeCurrentTimeNanos()
      try {
        database.write(changes)
      } catch (cause) {
        failed = cause
        throw cause
      }
      lastFlushMillis = Number(clock.unsafeCurrentTimeNanos() - begun) / 1e6
    }

    const flushStaged = () => {
      if (failed !== undefined || staged.length > 0) write()
    }

    const flush = () => {
      if (failed !== undefined || staged.length > 0 || database.hasLeftovers()) write()
    }

    // ---------------------------------------------------------------------------
    // out of it
    // ---------------------------------------------------------------------------

    const entries = (from: number, to: number, bytesMax: number) => {
      assertInvariant(from > base.index, "entries are read from inside the log", { from, baseIndex: base.index })
      const last = Math.min(to, runs.lastIndex())
      if (from > last) return []
      const cached = cache.entries(from, last, bytesMax)
      if (cached !== undefined) return cached
      // What the cache has dropped may still be staged only. Making it durable a little early harms nobody, but a follower that is
      // far behind must not cost a sync a page.
      if (failed !== undefined || last >= stagedFrom) flushStaged()
      return database.entries(from, last, bytesMax)
    }

    const configurations = () => {
      flushStaged()
      return database.configurations()
    }

    const pieces = (through: number) => {
      flushStaged()
      return database.pieces(through)
    }

    return RaftLog.of({
      filename,
      incarnation: database.incarnation,
      hardState: () => hardState,
      base: () => base,
      firstIndex: () => base.index + 1,
      lastIndex: runs.lastIndex,
      term: runs.term,
      entries,
      pieces,
      configurations,
      stage,
      compact,
      release: cache.dropThrough,
      flush,
      hasFailed: () => failed !== undefined,
      hasRoom: database.hasRoom,
      stats: () => ({
        bytesOnDisk: database.bytesOnDisk(),
        entries: runs.lastIndex() - base.index,
        lastFlushMillis
      })
    })
  })

const placed = ({ index, payload }: { readonly index: number; readonly payload: Uint8Array }): Membership.Placed => ({
  index,
  configuration: Option.getOrElse(Membership.decode(payload), () => broken("a configuration can be read", { index }))
})

const stored = ({ configuration, index, term }: Base) => ({
  index,
  term,
  configuration: configuration && {
    index: configuration.index,
    payload: Membership.encode(configuration.configuration)
  }
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: {
  readonly filename: string
  readonly incarnation?: string | undefined
}): Layer.Layer<RaftLog, RaftLogError> => Layer.scoped(RaftLog, make(options))
