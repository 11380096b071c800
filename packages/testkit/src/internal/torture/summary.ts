/**
 * A run in numbers.
 */
import type { Entry } from "../../TortureHistory.js"
import * as Recovery from "./recovery.js"

export interface Summary {
  /** For each kind of operation how often it ended in which way. */
  readonly operations: ReadonlyMap<string, ReadonlyMap<string, number>>
  readonly faults: ReadonlyMap<string, number>
  /** The longest time between two acknowledged appends of any clients. */
  readonly unavailable: Recovery.Span
  /** The same while one majority was up all along, where that is known. */
  readonly recovery: Recovery.Span | undefined
  readonly leaders: number
  /** Nodes that ended by themselves, and how. */
  readonly exits: ReadonlyMap<string, number>
  readonly settledAfterMillis: number | undefined
}

const count = (counts: Map<string, number>, key: string) => counts.set(key, (counts.get(key) ?? 0) + 1)

export const make = (entries: ReadonlyArray<Entry>): Summary => {
  const operations = new Map<string, Map<string, number>>()
  const faults = new Map<string, number>()
  const exits = new Map<string, number>()
  const open = new Map<number, string>()
  let leaders = 0
  let unavailable = { fromMillis: 0, millis: 0 }
  let acknowledgedAtMillis: number | undefined
  let settledAfterMillis: number | undefined

  const end = (id: number, outcome: string) => {
    const kind = open.get(id)
    if (kind === undefined) return
    open.delete(id)
    const outcomes = operations.get(kind) ?? new Map<string, number>()
    operations.set(kind, outcomes)
    count(outcomes, outcome)
  }

  for (const entry of entries) {
    switch (entry._tag) {
      case "Call":
        open.set(entry.id, entry.operation._tag)
        break
      case "Return":
        end(entry.id, entry.answer._tag)
        if (entry.answer._tag !== "Appended") break
        if (acknowledgedAtMillis !== undefined && entry.atMillis - acknowledgedAtMillis > unavailable.millis) {
          unavailable = { fromMillis: acknowledgedAtMillis, millis: entry.atMillis - acknowledgedAtMillis }
        }
        acknowledgedAtMillis = entry.atMillis
        break
      case "Fail":
      case "Unknown":
        end(entry.id, entry.error.split(":", 1)[0] ?? entry.error)
        break
      case "Fault":
        count(faults, entry.kind)
        break
      case "Leader":
        leaders++
        break
      case "Exit":
        count(exits, `${entry.node} with ${entry.how}`)
        break
      case "Settled":
        settledAfterMillis = entry.afterMillis
        break
      default:
    }
  }
  for (const id of [...open.keys()]) end(id, "no end")
  return { operations, faults, unavailable, recovery: Recovery.longest(entries), leaders, exits, settledAfterMillis }
}

const showCounts = (counts: ReadonlyMap<string, number>): string =>
  [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([name, times]) => `${name} (${times})`)
    .join(", ")

const showSpan = ({ fromMillis, millis }: Recovery.Span): string =>
  `${millis} ms at the longest, from ${(fromMillis / 1000).toFixed(1)} s on`

export const show = (summary: Summary): ReadonlyArray<string> => [
  ...[...summary.operations].map(([kind, outcomes]) => `${kind.padEnd(12)} ${showCounts(outcomes)}`),
  `faults       ${showCounts(summary.faults)}`,
  `leaders      ${summary.leaders} seen`,
  `unavailable  ${showSpan(summary.unavailable)}`,
  `recovery     ${summary.recovery === undefined ? "unknown" : `${showSpan(summary.recovery)}, while one majority was up`}`,
  `settled      ${summary.settledAfterMillis === undefined ? "never" : `${summary.settledAfterMillis} ms after all was healed`}`,
  `exits        ${summary.exits.size === 0 ? "no node ended by itself" : showCounts(summary.exits)}`
]
