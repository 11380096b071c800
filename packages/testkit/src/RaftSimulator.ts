/**
 * A machine of one's own on a simulated Raft group: replicas that crash, restart, fall behind and come back by a snapshot, disks that tear and rot, a network
 * that loses and doubles, clients that ask again. Each seed is one run, the same on every machine.
 *
 * What must hold: the machine's own invariant on every member after each command, the same answers and the same state on all members, and a history of the clients
 * in which each operation was done once, at one moment ({@link Linearizability}), by the machine itself or by a model that is simpler. What
 * the machine, its schemas, its model or a draw throws fails the run as well, with the words, the place and the command.
 *
 * ```ts
 * const counter = RaftSimulator.machine({
 *   input: Schema.Union(
 *     Schema.TaggedStruct("Add", { by: Schema.Int, request: Schema.Int }),
 *     Schema.TaggedStruct("Read", {})
 *   ),
 *   output: Schema.Int,
 *   state: Schema.Struct({ count: Schema.Int, answers: Schema.Record({ key: Schema.String, value: Schema.Int }) }),
 *   initial: { count: 0, answers: {} },
 *   apply: (state, input) => {
 *     if (input._tag === "Read") return [state, state.count]
 *     const known = state.answers[input.request]
 *     if (known !== undefined) return [state, known]
 *     const count = state.count + input.by
 *     return [{ count, answers: { ...state.answers, [input.request]: count } }, count]
 *   },
 *   isRead: ({ _tag }) => _tag === "Read",
 *   draw: (random, { number }) =>
 *     random.chance(0.5) ? { _tag: "Read" } : { _tag: "Add", by: random.between(1, 9), request: number },
 *   closing: [{ _tag: "Read" }]
 * })
 *
 * it.effect("counts each request once", () => RaftSimulator.run(counter, { seeds: 100 }))
 * ```
 *
 * The request's number is what lets this machine know a repeated request again. Without it the run fails, with the few events that show it.
 *
 * @since 0.1.0
 */
import * as Simulator from "@reckon/raft/Simulator"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"

/** @since 0.1.0 */
export type { Call, Definition, Faults, Last, Random, Workload } from "@reckon/raft/Simulator"

/**
 * A run broke a promise. `report` has the configuration of the run and a shortened list of what happened, in lines; `seed` runs it again.
 *
 * @since 0.1.0
 * @category errors
 */
export class SimulationFailed extends Schema.TaggedError<SimulationFailed>("@reckon/testkit/SimulationFailed")(
  "SimulationFailed",
  { seed: Schema.Int, invariant: Schema.String, detail: Schema.String, report: Schema.String }
) {
  get retryable() {
    return false
  }
  override get message() {
    return `seed ${this.seed} breaks "${this.invariant}"\n${this.report}`
  }
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Runs, at least one; 100 when absent. */
  readonly seeds?: number | undefined
  /** The first seed; another each time when absent. The next runs have the next ones. */
  readonly from?: number | undefined
  /** Members in the beginning; drawn from 2, 3 and 5 when absent. */
  readonly nodes?: number | undefined
  /** Events of a run before all is healed; 3,000 when absent. */
  readonly steps?: number | undefined
  /** Troubles that are to be as said here; each seed draws the others. */
  readonly faults?: Partial<Simulator.Faults> | undefined
}

/**
 * What the runs had in them, all together.
 *
 * @since 0.1.0
 * @category models
 */
export interface Summary {
  readonly seeds: number
  readonly from: number
  readonly crashes: number
  readonly snapshotsInstalled: number
  /** Calls, answers and refusals of clients. */
  readonly historyEvents: number
  /** Histories, one for each key of a run, that were too hard to judge. Should be rare: make keys smaller if it is not. */
  readonly undecided: number
}

/**
 * A machine, its clients and its model as the simulator runs them.
 *
 * @since 0.1.0
 * @category constructors
 */
export const machine = Simulator.workload

const checkWhole = (name: string, value: number, least: number) =>
  Number.isSafeInteger(value) && value >= least
    ? Effect.void
    : Effect.die(new RangeError(`${name} is ${value}: it must be a whole number from ${least} on`))

/**
 * Runs the machine through so many seeds, and fails with the first that breaks something. Takes some hundredths of a second a seed, and up to half a minute to
 * shorten a failure; other fibers get their turn between seeds. Options that make no sense are a defect: a test that runs no seed would pass.
 *
 * @since 0.1.0
 * @category running
 */
export const run = (workload: Simulator.Workload, options: Options = {}): Effect.Effect<Summary, SimulationFailed> =>
  Effect.gen(function* () {
    const { faults, nodes, seeds = 100, steps } = options
    const from = options.from ?? (yield* Random.nextIntBetween(0, 2 ** 31))
    yield* checkWhole("seeds", seeds, 1)
    yield* checkWhole("from", from, 0)
    yield* checkWhole("from + seeds", from + seeds, 1)
    if (nodes !== undefined) yield* checkWhole("nodes", nodes, 1)
    if (steps !== undefined) yield* checkWhole("steps", steps, 1)
    const summary = { seeds, from, crashes: 0, snapshotsInstalled: 0, historyEvents: 0, undecided: 0 }
    for (let seed = from; seed < from + seeds; seed++) {
      const report = Simulator.run({ seed, workload, faults, nodes, steps })
      const [violation] = report.violations
      if (violation !== undefined) {
        const { detail, invariant } = violation
        return yield* new SimulationFailed({ seed, invariant, detail, report: Simulator.render(report) })
      }
      summary.crashes += report.crashes
      summary.snapshotsInstalled += report.snapshotsInstalled
      summary.historyEvents += report.historyEvents
      summary.undecided += report.undecided
      yield* Effect.yieldNow()
    }
    return summary
  })
