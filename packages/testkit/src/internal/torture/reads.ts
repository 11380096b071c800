/**
 * Reads of the whole store: they show the store as it is in the end, up to where it was when they began at least.
 */
import type { Violation } from "../../TortureCheck.js"
import type { Entry, Stored } from "../../TortureHistory.js"

export const check = (
  entries: ReadonlyArray<Entry>,
  log: ReadonlyArray<Stored> | undefined
): ReadonlyArray<Violation> => {
  const violations: Array<Violation> = []
  const calls = new Map<number, { readonly from: number; readonly count: number; readonly told: number }>()
  /** The highest position that any client has been told of. */
  let told = -1
  for (const entry of entries) {
    if (entry._tag === "Call" && entry.operation._tag === "ReadAll") {
      calls.set(entry.id, { ...entry.operation, told })
    }
    if (entry._tag !== "Return") continue
    const { answer } = entry
    if (answer._tag === "Appended") told = Math.max(told, answer.position)
    const call = calls.get(entry.id)
    if (answer._tag !== "AllEvents" || call === undefined) continue

    const name = `read ${entry.id} of ${call.count} from position ${call.from}`
    for (const [at, event] of log === undefined ? [] : answer.events.entries()) {
      const place = call.from + at
      const real = log?.[place]
      const isSo =
        event.position === place &&
        event.id === real?.id &&
        event.content === real.content &&
        event.stream === real.stream &&
        event.version === real.version
      if (isSo) continue
      violations.push({
        kind: "WrongRead",
        description: `${name} showed ${event.id} as ${event.stream}/${event.version} at position ${event.position}; at ${place} there is ${real?.id ?? "nothing"}`
      })
      break
    }
    const next = call.from + answer.events.length
    if (answer.isEnd && next <= call.told) {
      violations.push({
        kind: "StaleRead",
        description: `${name} ended before position ${next}, and ${call.told} had been told of before it began`
      })
    }
    if (answer.events.length > 0) told = Math.max(told, next - 1)
  }
  return violations
}
