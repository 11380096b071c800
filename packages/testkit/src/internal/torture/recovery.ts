/**
 * How long nothing was acknowledged though it could have been: what is left of the time without an append once the faults' own share is taken off.
 */
import type { Entry } from "../../TortureHistory.js"

export interface Span {
  readonly fromMillis: number
  readonly millis: number
}

interface State {
  readonly runs: boolean
  readonly held: boolean
  readonly full: boolean
}

/** What an entry says of its node. */
const changes: Record<Extract<Entry, { readonly _tag: "Node" }>["became"], Partial<State>> = {
  started: { runs: true },
  ended: { runs: false, held: false },
  held: { held: true },
  released: { held: false },
  full: { full: true },
  free: { full: false }
}

/** So many of them, in every way. */
const choose = <A>(all: ReadonlyArray<A>, count: number): ReadonlyArray<ReadonlyArray<A>> =>
  count === 0 ? [[]] : all.flatMap((one, at) => choose(all.slice(at + 1), count - 1).map(rest => [one, ...rest]))

const isAcknowledgement = (entry: Entry) => entry._tag === "Return" && entry.answer._tag === "Appended"

/**
 * The longest time between two acknowledged appends, or a part of one, in which one majority was up all along: its processes ran, were not held and had room on their disks, and nothing was
 * cut between any two of them. Where another majority takes over the count starts anew, for one of it was away until then. A process counts from its first line on, when its program
 * is loaded: what it needs from there until it is of use is our own slowness. Of a history that does not tell what its nodes became nothing is known.
 */
export const longest = (entries: ReadonlyArray<Entry>): Span | undefined => {
  const names = new Set(entries.flatMap(entry => (entry._tag === "Node" ? entry.node : [])))
  if (names.size === 0) return undefined
  const majorities = choose([...names], Math.floor(names.size / 2) + 1)
  const states = new Map<string, State>()
  const cuts = new Map<string, number>()
  const upSince = new Map<ReadonlyArray<string>, number>()
  let acknowledgedAt = Number.POSITIVE_INFINITY
  let found: Span = { fromMillis: 0, millis: 0 }

  const isUp = (name: string) => {
    const state = states.get(name)
    return state?.runs === true && !state.held && !state.full
  }
  const areUp = (majority: ReadonlyArray<string>) =>
    majority.every(from => isUp(from) && majority.every(to => (cuts.get(`${from}>${to}`) ?? 0) === 0))

  /** Counts up to here, where an append was acknowledged or a majority may have come or gone. */
  const look = (at: number) => {
    for (const majority of majorities) {
      const fromMillis = Math.max(upSince.get(majority) ?? at, acknowledgedAt)
      if (at - fromMillis > found.millis) found = { fromMillis, millis: at - fromMillis }
      if (!areUp(majority)) upSince.delete(majority)
      else if (!upSince.has(majority)) upSince.set(majority, at)
    }
  }

  // Behind the last one nobody may have asked for any.
  for (const entry of entries.slice(0, entries.findLastIndex(isAcknowledgement) + 1)) {
    switch (entry._tag) {
      case "Return":
        if (!isAcknowledgement(entry)) break
        look(entry.atMillis)
        acknowledgedAt = entry.atMillis
        break
      case "Node":
      case "Exit": {
        const change = changes[entry._tag === "Node" ? entry.became : "ended"]
        states.set(entry.node, { runs: false, held: false, full: false, ...states.get(entry.node), ...change })
        look(entry.atMillis)
        break
      }
      case "Link": {
        const way = `${entry.from}>${entry.to}`
        cuts.set(way, (cuts.get(way) ?? 0) + (entry.became === "cut" ? 1 : -1))
        look(entry.atMillis)
        break
      }
      default:
    }
  }
  return found
}
