/**
 * Plays random histories on a model and on the real thing, and tells the shortest history in which they differ.
 */
import { randomInt } from "node:crypto"
import { Cause, Clock, Effect, Logger, LogLevel, Runtime, TestContext } from "effect"
import * as fc from "fast-check"
import * as ExitReason from "../../src/ExitReason.js"
import * as Process from "../../src/Process.js"
import type { Observation } from "./vocabulary.js"

/** A model and the real thing, for one history. */
export interface Play<Move> {
  /** The moves, each made when those before it were applied to the model. */
  readonly moves: Iterable<Move>
  readonly show: (move: Move) => string
  readonly predict: (move: Move) => Observation
  /** What the model's clock shows. */
  readonly nowMillis: () => number
  /** Processes of which nobody knows when their finalizers run; and of these, those of which nobody knows when they end. */
  readonly loose: ReadonlySet<string>
  readonly orphans: ReadonlySet<string>
  readonly real: {
    readonly observe: Effect.Effect<void, never, Process.ProcessTable>
    readonly play: (move: Move, millis: number) => Effect.Effect<Observation, never, Process.ProcessTable>
    /** Lets everybody end who still can, and tells what is left. */
    readonly close: Effect.Effect<ReadonlyArray<string>, never, Process.ProcessTable>
  }
}

class Difference {
  constructor(
    readonly history: ReadonlyArray<string>,
    readonly aspect: string,
    readonly model: string,
    readonly real: string
  ) {}
}

export interface Settings {
  readonly seed: number
  readonly runs: number
}

/** From `RECKON_OTP_SEED` and `RECKON_OTP_RUNS`, otherwise a fresh seed and the given number of histories. */
export const settingsOf = (runs: number): Settings => ({
  seed: Number(process.env.RECKON_OTP_SEED ?? randomInt(2 ** 31)),
  runs: Number(process.env.RECKON_OTP_RUNS ?? runs)
})

/** Histories are played side by side, because a test clock that is told to go on spends its time waiting. */
const lanes = 10
/** How often a history that shows a difference is cut down before the shortest so far is good enough. */
const shrinksMax = 1_000

/** Plays the histories, says with which seed, and dies with the shortest one in which the model and the real thing differ. */
export const holds = <History, Move>(
  name: string,
  histories: fc.Arbitrary<History>,
  playOf: (history: History, startedMillis: number) => Play<Move>,
  { runs, seed }: Settings
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const replay = `RECKON_OTP_SEED=${seed} RECKON_OTP_RUNS=${runs}`
    const progress = { histories: 0, moves: 0, isOver: false }
    const lane = (at: number): Effect.Effect<void> =>
      Effect.gen(function* () {
        const runtime = yield* Effect.runtime<never>()
        let found: Difference | undefined
        let shrinks = 0
        const property = fc.asyncProperty(histories, async history => {
          if (progress.isOver || (found !== undefined && shrinks++ >= shrinksMax)) return true
          const { difference, moves } = await Runtime.runPromise(runtime)(run(playOf, history))
          progress.moves += moves
          if (found === undefined) progress.histories++
          if (difference === undefined) return true
          found = difference
          return false
        })
        const parameters = { seed: seed + at, numRuns: Math.ceil((runs - at) / lanes) }
        const result = yield* Effect.promise(() => fc.check(property, parameters))
        if (!result.failed || progress.isOver) return
        progress.isOver = true
        const how = `${progress.histories} histories, ${result.numShrinks} shrinks, ${replay}`
        const shortest = found ?? new Difference([], "course", "no error", String(result.errorInstance))
        yield* Effect.die(new Error(render(name, shortest, how)))
      }).pipe(Effect.provide(TestContext.TestContext))
    const all = Array.from({ length: Math.min(lanes, runs) }, (_, at) => lane(at))
    yield* Effect.all(all, { concurrency: "unbounded", discard: true })
    process.stdout.write(`${name}: ${runs} histories, ${progress.moves} moves, ${replay}\n`)
  })

const render = (name: string, difference: Difference, how: string): string =>
  [
    `${name}: the model and the real thing differ (${how})`,
    ...difference.history.map((line, at) => `  ${at + 1}. ${line}`),
    `the ${difference.aspect} of the last move:`,
    `  model: ${difference.model}`,
    `  real:  ${difference.real}`
  ].join("\n")

/** Everything the model says about histories that are the same in each run: to see that they meet what they are there to meet. */
export const predictions = <History, Move>(
  histories: fc.Arbitrary<History>,
  playOf: (history: History, startedMillis: number) => Play<Move>
): string =>
  fc
    .sample(histories, { seed: 1, numRuns: 500 })
    .flatMap(history => {
      const { moves, predict } = playOf(history, 0)
      return Array.from(moves, predict).flatMap(({ answers, ends, journal, listing }) => [
        ...answers,
        ...ends,
        ...journal.flat(),
        ...listing
      ])
    })
    .join("\n")

/** A history that is broken off leaves processes that wait for time to pass, which it never will. */
const abandoned = Effect.flatMap(Process.list, pids =>
  Effect.forEach(pids, pid => Process.exit(pid, ExitReason.killed), { discard: true })
)

const run = <History, Move>(playOf: (history: History, startedMillis: number) => Play<Move>, history: History) =>
  Effect.gen(function* () {
    const play = playOf(history, yield* Clock.currentTimeMillis)
    const moves: Array<string> = []
    const played = Effect.gen(function* () {
      yield* Effect.fork(play.real.observe)
      for (const move of play.moves) {
        moves.push(play.show(move))
        const before = play.nowMillis()
        const model = play.predict(move)
        const real = yield* play.real.play(move, play.nowMillis() - before)
        const difference = compare(play, moves, model, real)
        if (difference !== undefined) return difference
      }
      const left = yield* play.real.close
      return left.length === 0 ? undefined : new Difference(moves, "leftovers", "none", left.join(" | "))
    })
    const difference = yield* Effect.catchAllCause(played, cause =>
      Effect.succeed(new Difference(moves, "course", "no defect", Cause.pretty(cause)))
    )
    return { difference, moves: moves.length }
  }).pipe(Effect.ensuring(abandoned), Effect.provide(Process.layer), Logger.withMinimumLogLevel(LogLevel.None))

const compare = <Move>(
  play: Play<Move>,
  history: ReadonlyArray<string>,
  model: Observation,
  real: Observation
): Difference | undefined => {
  const settled = (lines: ReadonlyArray<string>): ReadonlyArray<string> =>
    lines.filter(line => !(line.startsWith("-") && play.loose.has(tagIn(line))))
  const certain = (lines: ReadonlyArray<string>): ReadonlyArray<string> =>
    lines.filter(line => !play.orphans.has(tagIn(line)))
  const groups = model.journal.map(group => [...settled(group)].sort())
  const aspects: ReadonlyArray<readonly [string, ReadonlyArray<string>, ReadonlyArray<string>]> = [
    ["journal", groups.flat(), inGroups(settled(real.journal.flat()), groups)],
    ["answers", [...model.answers].sort(), [...real.answers].sort()],
    ["ends", [...certain(model.ends)].sort(), [...certain(real.ends)].sort()],
    ["listing", model.listing, real.listing]
  ]
  for (const [aspect, expected, found] of aspects) {
    const at = expected.findIndex((line, index) => line !== found[index])
    if (at === -1 && expected.length === found.length) continue
    return new Difference(history, aspect, expected.join(" | "), found.join(" | "))
  }
  return undefined
}

/** The lines cut into pieces as long as the groups, each in the order in which a group is written. */
const inGroups = (
  lines: ReadonlyArray<string>,
  groups: ReadonlyArray<ReadonlyArray<string>>
): ReadonlyArray<string> => {
  const left = [...lines]
  return [...groups.flatMap(group => left.splice(0, group.length).sort()), ...left]
}

/** The process that a line is about. */
const tagIn = (line: string): string => line.replace(/^[-+!~]/, "").replace(/( at |: ).*$/, "")
