/** Events that the search for a shorter run may replay in all: some ten seconds' worth. */
const replayedEventsMax = 3_000_000

/**
 * A shorter list that still fails in the same way, by leaving out ever smaller pieces. `failsAfter` says after how many
 * events a list fails, so that what follows goes as well. Greedy: what it ends with is short, not the shortest there is.
 */
export const shrink = <A>(
  events: ReadonlyArray<A>,
  failsAfter: (events: ReadonlyArray<A>) => number | undefined
): ReadonlyArray<A> => {
  let shortest = events
  let replayed = 0
  let size = Math.ceil(events.length / 2)
  while (size >= 1) {
    const before = shortest.length
    for (let at = shortest.length - size; at > -size; at -= size) {
      const candidate = [...shortest.slice(0, Math.max(0, at)), ...shortest.slice(at + size)]
      replayed += candidate.length
      if (replayed > replayedEventsMax) return shortest
      const length = failsAfter(candidate)
      if (length !== undefined) shortest = candidate.slice(0, length)
    }
    // leaving out single events may have made others superfluous
    if (size > 1 || shortest.length === before) size = Math.floor(size / 2)
  }
  return shortest
}
