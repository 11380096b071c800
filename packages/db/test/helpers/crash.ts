import type { Entry } from "../../src/StoreEngine.js"
import { append, command, entries, event } from "./events.js"

const commandOf = (index: number, weight: number) => {
  const dataOf = (index: number) => new Uint8Array(((index * 37) % 900) * weight)
  const events = Array.from({ length: (index % 5) + 1 }, (_, n) =>
    event(index * 8 + n, { data: dataOf(index), eventType: `type-${index % 3}` })
  )
  const again = event((index - 1) * 8, { data: dataOf(index - 1), eventType: "another" })
  return command(
    index * 10,
    append(`stream-${index % 17}`, "any", ...events),
    append(`stream-${(index - 1) % 17}`, "any", again),
    append("counter", index % 7 === 0 ? "no_stream" : "any", event(index))
  )
}

/**
 * `count` entries of the log that the crash test applies, from `index` on. It has no end, and entry `n` is the same in every process. An event has 450 bytes on average, times the `weight`.
 */
export const logFrom = (index: number, count: number, weight = 1): ReadonlyArray<Entry> =>
  entries(
    index,
    Array.from({ length: count }, (_, n) => ((index + n) % 11 === 0 ? null : commandOf(index + n, weight)))
  )
