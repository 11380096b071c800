/**
 * What became of each append, against what its client was told.
 */
import type { Violation } from "../../TortureCheck.js"
import type { Stored } from "../../TortureHistory.js"
import { type Batch, fateOf } from "./operations.js"

const showBatch = (batch: Batch): string =>
  `the append of ${batch.append.events.map(({ id }) => id).join(" ")} to ${batch.append.stream} by ${batch.client}`

/** Whether the events of a batch lie one behind the other. */
const isWhole = (found: ReadonlyArray<Stored>): boolean =>
  found.every((event, at) => {
    const first = found[0]
    return first !== undefined && event.version === first.version + at && event.position === first.position + at
  })

const checkBatch = (batch: Batch, places: ReadonlyMap<string, Stored>): ReadonlyArray<Violation> => {
  const { events } = batch.append
  const fate = fateOf(batch)
  const found = events.flatMap(({ id }) => places.get(id) ?? [])
  const last = found.at(-1)
  const object = (kind: Violation["kind"], what: string) => [{ kind, description: `${showBatch(batch)} ${what}` }]

  if (fate._tag === "Refused" && last !== undefined) {
    return object("Refused", `was refused, and ${last.id} is at ${last.stream}/${last.version}`)
  }
  if (fate._tag === "Written" && found.length < events.length) {
    const missing = events.find(({ id }) => !places.has(id))
    return object("Lost", `was acknowledged at version ${fate.version}, and ${missing?.id} is not there`)
  }
  if (last === undefined) return []
  if (found.length < events.length || !isWhole(found)) {
    return object("Torn", `is not whole: ${found.map(({ stream, version }) => `${stream}/${version}`).join(" ")}`)
  }
  if (fate._tag === "Written" && (last.version !== fate.version || last.position !== fate.position)) {
    return object(
      "Moved",
      `was acknowledged at version ${fate.version}, position ${fate.position}, and is at ${last.version}, ${last.position}`
    )
  }
  return []
}

/** Each client's acknowledged appends to a stream: what was acknowledged before another one was first asked for comes before it. */
const checkOrder = (batches: ReadonlyArray<Batch>): ReadonlyArray<Violation> => {
  const violations: Array<Violation> = []
  const written = new Map<string, Array<{ readonly batch: Batch; readonly version: number; readonly at: number }>>()
  for (const batch of batches) {
    const fate = fateOf(batch)
    if (fate._tag !== "Written") continue
    const key = `${batch.client} ${batch.append.stream}`
    const before = written.get(key) ?? []
    const calledAt = batch.attempts[0]?.calledAt ?? 0
    const later = before.find(({ at, version }) => at < calledAt && version >= fate.version)
    if (later !== undefined) {
      violations.push({
        kind: "Reordered",
        description: `${showBatch(batch)} got version ${fate.version}, behind ${later.version} that the client had been told before`
      })
    }
    const at = Math.min(
      ...batch.attempts.flatMap(({ end, endedAt }) =>
        typeof end === "object" && end._tag === "Appended" ? [endedAt] : []
      )
    )
    before.push({ batch, version: fate.version, at })
    written.set(key, before)
  }
  return violations
}

export const check = (batches: ReadonlyArray<Batch>, log: ReadonlyArray<Stored>): ReadonlyArray<Violation> => {
  const violations: Array<Violation> = []
  const written = new Map<string, { readonly stream: string; readonly content: string }>()
  for (const { append } of batches) {
    for (const { content, id } of append.events) written.set(id, { stream: append.stream, content })
  }
  const places = new Map<string, Stored>()
  for (const event of log) {
    const place = `${event.stream}/${event.version}`
    const twin = places.get(event.id)
    const source = written.get(event.id)
    if (twin !== undefined) {
      violations.push({
        kind: "Doubled",
        description: `${event.id} is at ${twin.stream}/${twin.version} and at ${place}`
      })
    } else if (source === undefined) {
      violations.push({ kind: "Foreign", description: `nobody has written ${event.id}, which is at ${place}` })
    } else if (source.stream !== event.stream || source.content !== event.content) {
      violations.push({
        kind: "Foreign",
        description: `${event.id} is at ${place} with ${event.content}, it was written to ${source.stream} with ${source.content}`
      })
    }
    if (twin === undefined) places.set(event.id, event)
  }
  for (const batch of batches) violations.push(...checkBatch(batch, places))
  violations.push(...checkOrder(batches))
  return violations
}
