/**
 * The terms of a whole log in a few numbers. Terms never decrease along a log, so it is a row of runs, one for each term that left entries.
 */
import { assertInvariant } from "../core/invariant.js"

interface TermRun {
  readonly term: number
  readonly firstIndex: number
}

export interface TermRuns {
  readonly lastIndex: () => number
  readonly term: (index: number) => number
  readonly append: (index: number, term: number) => void
  readonly truncateFrom: (index: number) => void
}

/** Finds the runs of an existing log with O(runs · log n) looks at it, by bisection for the start of each run from the last one backwards. */
const findRuns = (lastIndex: number, termAt: (index: number) => number): Array<TermRun> => {
  const runs: Array<TermRun> = []
  let end = lastIndex
  while (end > 0) {
    const term = termAt(end)
    let low = 1
    let high = end
    while (low < high) {
      const middle = (low + high) >> 1
      if (termAt(middle) === term) high = middle
      else low = middle + 1
    }
    runs.unshift({ term, firstIndex: low })
    end = low - 1
  }
  return runs
}

export const makeTermRuns = (initialLastIndex: number, termAt: (index: number) => number): TermRuns => {
  const runs = findRuns(initialLastIndex, termAt)
  let lastIndex = initialLastIndex

  return {
    lastIndex: () => lastIndex,
    term: index => {
      if (index === 0) return 0
      assertInvariant(index >= 1 && index <= lastIndex, "term of an index outside the log", { index, lastIndex })
      let at = runs.length - 1
      while (at > 0 && (runs[at]?.firstIndex ?? 0) > index) at--
      return runs[at]?.term ?? 0
    },
    append: (index, term) => {
      assertInvariant(index === lastIndex + 1, "entries are appended without gap", { index, lastIndex })
      const last = runs[runs.length - 1]
      assertInvariant(last === undefined || last.term <= term, "terms never decrease along the log", {
        index,
        term,
        lastTerm: last?.term ?? 0
      })
      if (last === undefined || last.term < term) runs.push({ term, firstIndex: index })
      lastIndex = index
    },
    truncateFrom: index => {
      assertInvariant(index >= 1 && index <= lastIndex, "truncation inside the log", { index, lastIndex })
      lastIndex = index - 1
      while ((runs[runs.length - 1]?.firstIndex ?? 0) > lastIndex) runs.pop()
    }
  }
}
