/**
 * Plays random histories here and in Erlang, and tells the shortest history in which the two differ.
 */
import { Effect, Runtime } from "effect"
import * as fc from "fast-check"
import { Difference, type Model, playThrough, type Real } from "../model/property.js"
import type { Observation } from "../model/vocabulary.js"
import type { Erlang } from "./erlang.js"

/** One history on both sides. */
export interface Duel<in out Move> {
  readonly moves: Iterable<Move>
  readonly show: (move: Move) => string
  /** Told of each move before it is made: what is left to chance is known from here, and what the next moves are about. */
  readonly model: Pick<Model<Move>, "loose" | "orphans"> & { readonly apply: (move: Move) => unknown }
  readonly real: Real<Move>
  /** What Erlang is asked to do. */
  readonly question: (move: Move) => object
  /** Whether starts and ends come one after the other, and not all at once. */
  readonly isOrdered: boolean
  /** What of ours Erlang can say as well, in its words. */
  readonly comparable: (observation: Observation) => Observation
}

export interface Settings {
  readonly seed: number
  readonly runs: number
}

/** How often a history that shows a difference is cut down before the shortest so far is good enough. */
const shrinksMax = 1_000

/** Dies with the shortest history that shows a difference; tells how many moves were made. */
export const agree = <History, Move>(
  erlang: Erlang,
  histories: fc.Arbitrary<History>,
  duelOf: (history: History) => Duel<Move>,
  { runs, seed }: Settings
): Effect.Effect<number> =>
  Effect.gen(function* () {
    const runtime = yield* Effect.runtime<never>()
    const played = { histories: 0, moves: 0, shrinks: 0 }
    let found: Difference | undefined
    const property = fc.asyncProperty(histories, async history => {
      if (found === undefined) played.histories++
      else if (played.shrinks++ >= shrinksMax) return true
      const { difference, moves } = await Runtime.runPromise(runtime)(run(erlang, duelOf(history)))
      played.moves += moves
      if (difference === undefined) return true
      found = difference
      return false
    })
    const result = yield* Effect.promise(() => fc.check(property, { seed, numRuns: runs }))
    if (!result.failed) return played.moves
    const shortest = found ?? new Difference([], "course", "no error", String(result.errorInstance))
    const how = `history ${played.histories}, ${result.numShrinks} shrinks, RECKON_OTP_SEED=${seed} RECKON_OTP_RUNS=${runs}`
    return yield* Effect.die(new Error(render(shortest, how)))
  })

const render = ({ aspect, history, model, real }: Difference, how: string): string =>
  [
    `Erlang does otherwise (${how})`,
    ...history.map((line, at) => `  ${at + 1}. ${line}`),
    `the ${aspect} of the last move:`,
    `  Erlang: ${model}`,
    `  here:   ${real}`
  ].join("\n")

const run = <Move>(erlang: Erlang, duel: Duel<Move>) => {
  const { comparable, isOrdered, model, question, real } = duel
  const played = playThrough(duel, move =>
    Effect.gen(function* () {
      model.apply(move)
      const lines = yield* Effect.promise(() => erlang(question(move)))
      return [observationOf(lines, isOrdered), comparable(yield* real.play(move, 0))]
    })
  )
  return Effect.zipRight(
    Effect.promise(() => erlang({ _: "Begin" })),
    played
  )
}

/** Each line begins with what it is about. */
const observationOf = (lines: ReadonlyArray<string>, isOrdered: boolean): Observation => {
  const about = (word: string) =>
    lines.flatMap(line => (line.startsWith(`${word} `) ? [line.slice(word.length + 1)] : []))
  const journal = about("journal")
  return {
    answers: about("answer"),
    journal: isOrdered ? journal.map(line => [line]) : [journal],
    ends: about("end"),
    listing: about("list")
  }
}
