import type { LogEntry } from "../../LogEntry.js"
import * as LogEntries from "../../LogEntry.js"
import * as Membership from "../../Membership.js"
import type { LogView } from "../../RaftState.js"
import type { Base } from "../../Snapshot.js"
import { Violation } from "./violation.js"

/** A log, in memory or on a simulated disk: entries, and what they begin after. */
export class Log {
  constructor(
    public base: Base,
    private entries: Array<LogEntry> = []
  ) {}

  get lastIndex(): number {
    return this.base.index + this.entries.length
  }

  /** `undefined` for what it does not have, or has no more. */
  at(index: number): LogEntry | undefined {
    return this.entries[index - this.base.index - 1]
  }

  /** The term of an entry, or of the base. */
  term(index: number): number | undefined {
    return index === this.base.index ? this.base.term : this.at(index)?.term
  }

  configurations(): Membership.History {
    return Membership.fromLog(this.base.configuration, this.placed())
  }

  /** The entries that are configurations. */
  placed(): ReadonlyArray<LogEntry> {
    return this.entries.filter(({ kind }) => kind === "configuration")
  }

  cut(from: number): void {
    this.entries.length = Math.max(0, from - this.base.index - 1)
  }

  push(entries: ReadonlyArray<LogEntry>): void {
    this.entries.push(...entries)
  }

  /** What it knows of a place: what a snapshot of it says, and what the log would begin after if it were cut there. */
  baseAt(index: number): Base {
    const term = this.term(index)
    if (term === undefined) throw new Violation("a log is cut where it has entries", `at ${index} of ${this.lastIndex}`)
    return { index, term, configuration: Membership.at(this.configurations(), index) }
  }

  /** Forgets the entries up to here. */
  compact(throughIndex: number): void {
    const base = this.baseAt(throughIndex)
    this.entries = this.entries.slice(throughIndex - this.base.index)
    this.base = base
  }

  replace(base: Base): void {
    this.base = base
    this.entries = []
  }

  copy(): Log {
    return new Log(this.base, [...this.entries])
  }

  /** Changes the payloads of these entries, as nobody meant to. */
  spoil(indexes: ReadonlySet<number>): void {
    this.entries = this.entries.map(entry =>
      indexes.has(entry.index) && entry.kind === "command"
        ? { ...entry, payload: entry.payload.map(byte => byte ^ 1) }
        : entry
    )
  }

  slice(from: number, toInclusive: number): ReadonlyArray<LogEntry> {
    return this.entries.slice(from - this.base.index - 1, toInclusive - this.base.index)
  }
}

/**
 * The view of whatever log there is at the time, which is told of the entries that are read. To ask for what it does not have is a broken promise.
 */
export const viewOf = (log: () => Log, onEntry: (index: number) => void): LogView => ({
  get firstIndex() {
    return log().base.index + 1
  },
  get lastIndex() {
    return log().lastIndex
  },
  term: index => {
    const term = log().term(index)
    if (term === undefined) throw new Violation("the log has what it is asked for", `the term of ${index}`)
    return term
  },
  entries: (from, toInclusive, bytesMax) => {
    if (from <= log().base.index) throw new Violation("the log has what it is asked for", `the entry ${from}`)
    const found: Array<LogEntry> = []
    let bytes = 0
    for (const entry of log().slice(from, toInclusive)) {
      bytes += LogEntries.sizeBytes(entry)
      if (found.length > 0 && bytes > bytesMax) break
      onEntry(entry.index)
      found.push(entry)
    }
    return found
  }
})
