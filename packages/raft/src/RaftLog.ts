/**
 * The durable half of a Raft member: its log and its term and vote, in one SQLite database per group.
 *
 * Invariants:
 * - `flush` returns only after the operating system was told to flush (journal_mode=WAL with synchronous=FULL: one fdatasync a
 *   commit). better-sqlite3 would leave WAL at synchronous=NORMAL, where a commit is not synced.
 * - term and vote are one record, written in the same transaction as the entries that go with them.
 * - many changes share one flush: whoever feeds the log stages a burst of them and then flushes once (group commit).
 * - an entry's checksum covers its index, term, kind and payload; an entry that does not match is never handed out.
 * - a write that failed leaves the member unusable: nothing is acknowledged after it. The supervisor opens the log anew.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { openLogDatabase } from "./internal/log/database.js"
import { makeTailCache } from "./internal/log/tailCache.js"
import { makeTermRuns } from "./internal/log/termRuns.js"
import type { LogEntry } from "./LogEntry.js"
import type { HardState } from "./RaftCore.js"
import { RaftLogError } from "./RaftError.js"

/**
 * One change: cut the log from `truncateFrom` on, add `entries`, set term and vote; all or none.
 *
 * @since 0.1.0
 * @category models
 */
export interface Write {
  readonly hardState?: HardState | undefined
  readonly truncateFrom?: number | undefined
  readonly entries: ReadonlyArray<LogEntry>
}

/**
 * @since 0.1.0
 * @category services
 */
export class RaftLog extends Context.Tag("@reckon/raft/RaftLog")<
  RaftLog,
  {
    readonly filename: string
    /** Term and vote as last staged. */
    readonly hardState: () => HardState
    readonly firstIndex: () => number
    /** The end of the log, staged entries included; 0 where it is empty. */
    readonly lastIndex: () => number
    /** The term of the entry at `index`; 0 for index 0. Asking for an index that is not in the log is a defect. */
    readonly term: (index: number) => number
    /** Entries `from`…`to` (both included), cut where `LogEntry.sizeBytes` together would exceed `bytesMax`, but at least one. */
    readonly entries: (from: number, to: number, bytesMax: number) => ReadonlyArray<LogEntry>
    /** All entries of the kind `configuration`, in their order: what a member needs at its start. Flushes what is staged. */
    readonly configurations: () => ReadonlyArray<LogEntry>
    /** Takes a change into the log as seen through this service. It is durable only after the next {@link flush}. */
    readonly stage: (write: Write) => void
    /** Makes everything staged durable in one synced transaction. Throws where the write or its sync failed. */
    readonly flush: () => void
  }
>() {}

/**
 * Payload bytes of recent entries that are kept in memory, so that replication and apply seldom read the disk.
 */
const cacheBytesMax = 32 * 1024 * 1024

/**
 * Opens, or creates, the log in the file; `":memory:"` is for tests only and survives nothing.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: {
  readonly filename: string
}): Effect.Effect<Context.Tag.Service<RaftLog>, RaftLogError, Scope.Scope> =>
  Effect.gen(function* () {
    const database = yield* openLogDatabase(options.filename)
    const runs = yield* Effect.try({
      try: () => makeTermRuns(database.lastIndex(), database.termAt),
      catch: cause =>
        cause instanceof RaftLogError
          ? cause
          : new RaftLogError({ filename: options.filename, detail: `cannot be read (${String(cause)})` })
    })
    const cache = makeTailCache(cacheBytesMax)
    let hardState = database.hardState()
    let staged: Array<Write> = []
    let failed: unknown

    const stage = (write: Write) => {
      staged.push(write)
      if (write.hardState !== undefined) hardState = write.hardState
      if (write.truncateFrom !== undefined) {
        runs.truncateFrom(write.truncateFrom)
        cache.truncateFrom(write.truncateFrom)
      }
      for (const entry of write.entries) {
        runs.append(entry.index, entry.term)
        cache.append(entry)
      }
    }

    const flush = () => {
      if (failed !== undefined) {
        throw new Error(`the log ${options.filename} failed before and must be opened anew`, { cause: failed })
      }
      if (staged.length === 0) return
      const writes = staged
      staged = []
      try {
        database.write(writes)
      } catch (cause) {
        failed = cause
        throw cause
      }
    }

    const entries = (from: number, to: number, bytesMax: number) => {
      const cached = cache.entries(from, to, bytesMax)
      if (cached !== undefined) return cached
      // What the cache has dropped may still be staged only. Making it durable a little early harms nobody.
      flush()
      return database.entries(from, to, bytesMax)
    }

    const configurations = () => {
      flush()
      return database.configurations()
    }

    return RaftLog.of({
      filename: options.filename,
      hardState: () => hardState,
      firstIndex: () => 1,
      lastIndex: runs.lastIndex,
      term: runs.term,
      entries,
      configurations,
      stage,
      flush
    })
  })

/**
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: { readonly filename: string }): Layer.Layer<RaftLog, RaftLogError> =>
  Layer.scoped(RaftLog, make(options))
