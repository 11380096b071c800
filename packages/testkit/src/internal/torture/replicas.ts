/**
 * What the nodes hold at the end: the same, and without gaps.
 */
import type { Violation } from "../../TortureCheck.js"
import type { Entry, Stored } from "../../TortureHistory.js"

export interface Replicas {
  /** What the first node holds, in the order in which it gave it. None where no node was read. */
  readonly log: ReadonlyArray<Stored> | undefined
  readonly nodes: number
  readonly violations: ReadonlyArray<Violation>
}

const showStored = (event: Stored | undefined): string =>
  event === undefined ? "nothing" : `${event.id} as ${event.stream}/${event.version} (${event.digest})`

const gaps = (node: string, events: ReadonlyArray<Stored>): ReadonlyArray<Violation> => {
  const versions = new Map<string, number>()
  let epochUs = 0
  for (const [at, event] of events.entries()) {
    const version = versions.get(event.stream) ?? 0
    const wrong =
      event.position !== at
        ? `position ${event.position} where ${at} is next`
        : event.version !== version
          ? `${event.stream}/${event.version} where version ${version} is next`
          : event.epochUs < epochUs
            ? `the commit time of position ${at} is before that of the one before`
            : undefined
    if (wrong !== undefined) return [{ kind: "Gap", description: `${node} holds ${wrong}` }]
    versions.set(event.stream, version + 1)
    epochUs = event.epochUs
  }
  return []
}

export const collect = (entries: ReadonlyArray<Entry>): Replicas => {
  const byNode = new Map<string, Array<Stored>>()
  const violations: Array<Violation> = []
  for (const entry of entries) {
    if (entry._tag === "NotSettled") violations.push({ kind: "NotSettled", description: entry.detail })
    if (entry._tag !== "Holds") continue
    const held = byNode.get(entry.node) ?? []
    for (const event of entry.events) held.push(event)
    byNode.set(entry.node, held)
  }
  const [first, ...others] = [...byNode]
  if (first === undefined) return { log: undefined, nodes: 0, violations }
  const [name, log] = first
  violations.push(...gaps(name, log))
  for (const [other, events] of others) {
    violations.push(...gaps(other, events))
    const at = Math.max(log.length, events.length)
    const differing = Array.from({ length: at }).findIndex((_, index) => log[index]?.digest !== events[index]?.digest)
    if (differing < 0) continue
    violations.push({
      kind: "NodesDiffer",
      description: `at position ${differing} ${name} holds ${showStored(log[differing])}, ${other} holds ${showStored(events[differing])}`
    })
  }
  return { log, nodes: byNode.size, violations }
}
