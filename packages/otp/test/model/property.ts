/**
 * Plays random histories on a model and on the real thing, and tells the shortest history in which they differ.
 */
import { randomInt } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
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
  readonly model: Model<Move>
  readonly real: Real<Move>
}

export interface Model<in Move> {
  readonly nowMillis: number
  readonly apply: (move: Move) => Observation
  /** Processes of which nobody knows when their finalizers run; and of these, those of which nobody knows when they end. */
  readonly loose: ReadonlySet<string>
  readonly orphans: ReadonlySet<string>
}

export interface Real<in Move> {
  /** Runs for as long as the history does. */
  readonly observe: Effect.Effect<void, never, Process.ProcessTable>
  readonly play: (move: Move, millis: number) => Effect.Effect<Observation, never, Process.ProcessTable>
  /** Lets everybody end who still can, and tells what is left. */
  readonly close: Effect.Effect<ReadonlyArray<string>, never, Process.ProcessTable>
}

export class Difference {
  constructor(
    readonly history: ReadonlyArray<string>,
    readonly aspect: string,
    readonly model: string,
    readonly real: string
  ) {}
}

interface Settings {
  readonly seed: number
  readonly runs: number
}

/** From `RECKON_OTP_SEED` and `RECKON_OTP_RUNS`, otherwise a fresh seed and the given number of histories. */
const settingsOf = (runs: number): Settings => ({
  seed: Number(process.env.RECKON_OTP_SEED ?? randomInt(2 ** 31)),
  runs: Number(process.env.RECKON_OTP_RUNS ?? runs)
})

/** Histories are played side by side, because a test clock that is told to go on spends its time waiting. */
const lanes = 10
/** How often a history that shows a difference is cut down before the shortest so far is good enough. */
const shrinksMax = 1_000

/**
 * The tests of one kind of supervisor: that it does what its model says, in random histories; and that these meet what they are there
 * to meet, as their moves and the model's answers tell.
 */
export const agree = <History, Move>(
  name: string,
  runs: number,
  histories: fc.Arbitrary<History>,
  playOf: (history: History, startedMillis: number) => Play<Move>,
  meets: ReadonlyArray<readonly [what: string, told: RegExp]>
): void => {
  describe(`${name} and its model`, () => {
    const settings = settingsOf(runs)
    it.effect(
      "agree on every answer, start, stop, end and listing, in random histories",
      () => holds(name, histories, playOf, settings),
      300_000
    )
    const met = predictions(histories, playOf)
    it.each(meets)("the histories meet %s", (_, told) => assert.match(met, told))
  })
}

/** Plays the histories, says with which seed, and dies with the shortest one in which the model and the real thing differ. */
const holds = <History, Move>(
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

/** Histories that are the same in each run, and everything the model says about them. */
const predictions = <History, Move>(
  histories: fc.Arbitrary<History>,
  playOf: (history: History, startedMillis: number) => Play<Move>
): string =>
  fc
    .sample(histories, { seed: 1, numRuns: 500 })
    .flatMap(history => {
      const { model, moves, show } = playOf(history, 0)
      return Array.from(moves, move => {
        const { answers, ends, journal, listing } = model.apply(move)
        return [show(move), ...answers, ...ends, ...journal.flat(), ...listing].join("\n")
      })
    })
    .join("\n")

/** A history that is broken off leaves processes that wait for time to pass, which it never will. */
const abandoned = Effect.flatMap(Process.list, pids =>
  Effect.forEach(pids, pid => Process.exit(pid, ExitReason.killed), { discard: true })
)

const run = <History, Move>(playOf: (history: History, startedMillis: number) => Play<Move>, history: History) =>
  Effect.flatMap(Clock.currentTimeMillis, startedMillis => {
    const play = playOf(history, startedMillis)
    const { model, real } = play
    return playThrough(play, move =>
      Effect.gen(function* () {
        const before = model.nowMillis
        const predicted = model.apply(move)
        return [predicted, yield* real.play(move, model.nowMillis - before)]
      })
    )
  })

/** Makes a history's moves up to the first one that does not lead to what it should. A step tells both, in this order. */
export const playThrough = <Move>(
  {
    model,
    moves: chosen,
    real,
    show
  }: Pick<Play<Move>, "moves" | "real" | "show"> & { readonly model: Pick<Model<Move>, "loose" | "orphans"> },
  step: (move: Move) => Effect.Effect<readonly [Observation, Observation], never, Process.ProcessTable>
) =>
  Effect.gen(function* () {
    const moves: Array<string> = []
    const played = Effect.gen(function* () {
      yield* Effect.fork(real.observe)
      for (const move of chosen) {
        moves.push(show(move))
        const [expected, observed] = yield* step(move)
        const difference = compare(model, moves, expected, observed)
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

const compare = (
  { loose, orphans }: Pick<Model<never>, "loose" | "orphans">,
  history: ReadonlyArray<string>,
  model: Observation,
  real: Observation
): Difference | undefined => {
  const settled = (lines: ReadonlyArray<string>): ReadonlyArray<string> =>
    lines.filter(line => !(line.startsWith("-") && loose.has(tagIn(line))))
  const certain = (lines: ReadonlyArray<string>): ReadonlyArray<string> =>
    lines.filter(line => !orphans.has(tagIn(line)))
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
