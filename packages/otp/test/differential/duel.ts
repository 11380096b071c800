/**
 * Plays random histories here and in Erlang, and tells the shortest history in which the two differ.
 */
import { Cause, Effect, Logger, LogLevel, Runtime } from "effect"
import * as fc from "fast-check"
import * as Process from "../../src/Process.js"
import { abandoned, compare, Difference, type Model, type Real } from "../model/property.js"
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

const run = <Move>(erlang: Erlang, duel: Duel<Move>) =>
  Effect.gen(function* () {
    const { comparable, model, question, real, show } = duel
    const moves: Array<string> = []
    const played = Effect.gen(function* () {
      yield* Effect.fork(real.observe)
      yield* Effect.promise(() => erlang({ _: "Begin" }))
      for (const move of duel.moves) {
        moves.push(show(move))
        model.apply(move)
        const lines = yield* Effect.promise(() => erlang(question(move)))
        const observed = comparable(yield* real.play(move, 0))
        const difference = compare(model, moves, observationOf(lines, duel.isOrdered), observed)
        if (difference !== undefined) return difference
      }
      const left = yield* real.close
      return left.length === 0 ? undefined : new Difference(moves, "leftovers", "none", left.join(" | "))
    })
    const difference = yield* Effect.catchAllCause(played, cause =>
      Effect.succeed(new Difference(moves, "course", "no defect", Cause.pretty(cause)))
    )
    return { difference, moves: moves.length }
  }).pipe(Effect.ensuring(abandoned), Effect.provide(Process.layer), Logger.withMinimumLogLevel(LogLevel.None))

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
