/**
 * The terms of a whole log in a few numbers. Terms never decrease along a log, so it is a row of runs, one for each term that left entries.
 */
import { assertInvariant } from "../core/invariant.js"

interface TermRun {
  readonly term: number
  readonly firstIndex: number
}

/** The place after which a log begins: the entry at `index` and all before it are no longer there. */
export interface Position {
  readonly index: number
  readonly term: number
}

export interface TermRuns {
  readonly lastIndex: () => number
  readonly term: (index: number) => number
  readonly append: (index: number, term: number) => void
  readonly truncateFrom: (index: number) => void
  /** The log begins after an entry that it has. */
  readonly compactThrough: (index: number) => void
  /** The log begins, and ends, after an entry that it does not have. */
  readonly reset: (base: Position) => void
}

/** What a log on disk tells of its terms. */
export interface StoredTerms {
  readonly base: Position
  readonly lastIndex: number
  readonly termAt: (index: number) => number
  /** The error for an entry whose term is lower than the one before it: no such log was ever written. */
  readonly fallAt: (index: number) => Error
}

/** Finds the runs of an existing log with O(runs · log n) looks at it, by bisection for the start of each run from the last one backwards. */
const findRuns = ({ base, fallAt, lastIndex, termAt }: StoredTerms): Array<TermRun> => {
  const runs: Array<TermRun> = []
  let end = lastIndex
  while (end > base.index) {
    const term = termAt(end)
    let low = base.index + 1
    let high = end
    while (low < high) {
      const middle = (low + high) >> 1
      if (termAt(middle) === term) high = middle
      else low = middle + 1
    }
    if (term > (runs[0]?.term ?? term)) throw fallAt(end + 1)
    runs.unshift({ term, firstIndex: low })
    end = low - 1
  }
  if (base.term > (runs[0]?.term ?? base.term)) throw fallAt(base.index + 1)
  return runs
}

export const makeTermRuns = (stored: StoredTerms): TermRuns => {
  let { base, lastIndex } = stored
  let runs = findRuns(stored)

  const term = (index: number) => {
    if (index === base.index) return base.term
    if (index === 0) return 0
    assertInvariant(index > base.index && index <= lastIndex, "term of an index outside the log", {
      index,
      baseIndex: base.index,
      lastIndex
    })
    let at = runs.length - 1
    while (at > 0 && (runs[at]?.firstIndex ?? 0) > index) at--
    return runs[at]?.term ?? 0
  }

  return {
    lastIndex: () => lastIndex,
    term,
    append: (index, entryTerm) => {
      assertInvariant(index === lastIndex + 1, "entries are appended without gap", { index, lastIndex })
      const lastTerm = runs[runs.length - 1]?.term ?? base.term
      assertInvariant(lastTerm <= entryTerm, "terms never decrease along the log", { index, term: entryTerm, lastTerm })
      if (runs.length === 0 || lastTerm < entryTerm) runs.push({ term: entryTerm, firstIndex: index })
      lastIndex = index
    },
    truncateFrom: index => {
      assertInvariant(index > base.index && index <= lastIndex, "truncation inside the log", {
        index,
        baseIndex: base.index,
        lastIndex
      })
      lastIndex = index - 1
      while ((runs[runs.length - 1]?.firstIndex ?? 0) > lastIndex) runs.pop()
    },
    compactThrough: index => {
      base = { index, term: term(index) }
      // The run that reaches beyond the base stays, though its first entry may be gone.
      const first = runs.findLastIndex(({ firstIndex }) => firstIndex <= index + 1)
      runs = index === lastIndex ? [] : runs.slice(Math.max(0, first))
    },
    reset: position => {
      base = position
      lastIndex = position.index
      runs = []
    }
  }
}
