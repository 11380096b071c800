/** What was measured, as medians of the rounds, and what could not be. */
import { quantile } from "../table.js"
import type { Lengths } from "./figures.js"
import type { Measured } from "./loop.js"
import type { SubjectName } from "./options.js"
import type { Loaded } from "./subjects.js"

export const callerCounts = [1, 16, 128]
export const batches = [1, 10, 100]
export const readCallers = 16

export const appendFigure = (callers: number, batch: number): string => `appends by ${callers} of ${batch}`
export const readFigure = (title: string, callers: number): string => `${title}, ${callers} callers`

const median = <A>(results: ReadonlyArray<A>, pick: (result: A) => number): number => quantile(results.map(pick), 0.5)

interface OfSubject {
  readonly loaded: Loaded
  readonly measured: Map<string, Array<Measured>>
  readonly lengths: Array<Lengths>
}

export interface Results {
  readonly loaded: (subject: SubjectName, loaded: Loaded) => void
  readonly add: (subject: SubjectName, figure: string, result: Measured) => void
  readonly addLengths: (subject: SubjectName, result: Lengths) => void
  readonly of: (subject: SubjectName) => {
    readonly loaded: Loaded | undefined
    readonly figure: (figure: string) => Measured | undefined
    readonly lengths: Lengths | undefined
  }
}

export const make = (): Results => {
  const subjects = new Map<SubjectName, OfSubject>()
  return {
    loaded: (subject, loaded) => subjects.set(subject, { loaded, measured: new Map(), lengths: [] }),
    add: (subject, figure, result) => {
      const measured = subjects.get(subject)?.measured
      measured?.set(figure, [...(measured.get(figure) ?? []), result])
    },
    addLengths: (subject, result) => subjects.get(subject)?.lengths.push(result),
    of: subject => {
      const own = subjects.get(subject)
      return {
        loaded: own?.loaded,
        figure: figure => {
          const rounds = own?.measured.get(figure)
          return rounds === undefined
            ? undefined
            : {
                perSecond: median(rounds, result => result.perSecond),
                p50Millis: median(rounds, result => result.p50Millis),
                p99Millis: median(rounds, result => result.p99Millis)
              }
        },
        lengths:
          own === undefined || own.lengths.length === 0
            ? undefined
            : {
                shortMillis: median(own.lengths, result => result.shortMillis),
                longMillis: median(own.lengths, result => result.longMillis)
              }
      }
    }
  }
}
