/**
 * The appends of a history by batch: a client may have asked several times for the same one.
 */
import type { Answer, Append, Entry } from "../../TortureHistory.js"

export interface Attempt {
  /** The place of the call, and of its end, in the history. */
  readonly calledAt: number
  endedAt: number
  end: Answer | "failed" | "unknown"
}

export interface Batch {
  readonly client: string
  readonly append: Append
  readonly attempts: Array<Attempt>
}

/** What is known of a batch, from all its attempts together. */
export type Fate =
  | { readonly _tag: "Written"; readonly version: number; readonly position: number }
  /** Each attempt was answered, and none wrote it: it is not there and never will be. */
  | { readonly _tag: "Refused" }
  | { readonly _tag: "Unknown" }

export const fateOf = (batch: Batch): Fate => {
  let isRefused = true
  for (const { end } of batch.attempts) {
    if (end === "unknown") isRefused = false
    else if (end !== "failed" && end._tag === "Appended") return { ...end, _tag: "Written" }
  }
  return isRefused ? { _tag: "Refused" } : { _tag: "Unknown" }
}

/** In the order of their first calls. */
export const collect = (entries: ReadonlyArray<Entry>): ReadonlyArray<Batch> => {
  const batches = new Map<string, Batch>()
  const open = new Map<number, Attempt>()
  for (const [at, entry] of entries.entries()) {
    switch (entry._tag) {
      case "Call": {
        if (entry.operation._tag !== "Append") break
        const key = entry.operation.events.map(({ id }) => id).join()
        const batch = batches.get(key) ?? { client: entry.client, append: entry.operation, attempts: [] }
        batches.set(key, batch)
        const attempt: Attempt = { calledAt: at, endedAt: Number.POSITIVE_INFINITY, end: "unknown" }
        batch.attempts.push(attempt)
        open.set(entry.id, attempt)
        break
      }
      case "Return":
      case "Fail": {
        const attempt = open.get(entry.id)
        if (attempt === undefined) break
        attempt.endedAt = at
        attempt.end = entry._tag === "Return" ? entry.answer : "failed"
        break
      }
      default:
    }
  }
  return [...batches.values()]
}
