/**
 * The event store as a user has it, embedded and as a cluster of three nodes, beside what there is otherwise: bare better-sqlite3 with the same tables, which is the limit, PostgreSQL
 * and Emmett. Each is filled with the same events, in a process of its own; then all take turns in each round, so that the ratios hold while the
 * machine's speed drifts.
 *
 * @since 0.1.0
 */
import * as os from "node:os"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import type { SubjectFailed } from "./internal/store/adapter.js"
import { isInMemory } from "./internal/store/disk.js"
import { type Options, parse, usage } from "./internal/store/options.js"
import * as Peers from "./internal/store/peers.js"
import { printReport, readCells } from "./internal/store/report.js"
import * as Results from "./internal/store/results.js"
import { isOurs, open, type Subject } from "./internal/store/subjects.js"

const load = () => os.loadavg()[0]?.toFixed(1)

const machineOf = (loadBefore: string | undefined): ReadonlyArray<string> => {
  const [cpu] = os.cpus()
  const memory = Math.round(os.totalmem() / 2 ** 30)
  const folder = os.tmpdir()
  return [
    `Node.js ${process.version}, ${os.availableParallelism()} × ${cpu?.model ?? "unknown"}, ${memory} GiB, load ${loadBefore} before and ${load()} after: figures of a shared machine are noisy`,
    `data in ${folder}${isInMemory(folder) ? ", WHICH IS IN MEMORY: nothing is ever synced; set TMPDIR" : ""}; after kill -9 the files are in the system's cache`
  ]
}

/** One figure of one subject in one round. */
interface Cell {
  readonly subject: Subject
  readonly figure: string
  readonly measure: Effect.Effect<void, SubjectFailed>
}

const cellsOf = (all: ReadonlyArray<Subject>, options: Options, results: Results.Results, round: number) => {
  const millis = options.seconds * 1000
  const cells: Array<Cell> = []
  // Another one begins in each round: what one leaves to be done behind its figure is not always the same one's loss.
  const subjects = [...all.slice(round % all.length), ...all.slice(0, round % all.length)]
  for (const batch of Results.batches) {
    for (const callers of Results.callerCounts) {
      const figure = Results.appendFigure(callers, batch)
      for (const subject of subjects) {
        const measure = Effect.map(
          subject.ask(rpc => rpc.Append({ callers, batch, millis })),
          result => results.add(subject.name, figure, result)
        )
        cells.push({ subject, figure, measure })
      }
    }
  }
  for (const { callers, title } of readCells) {
    const figure = Results.readFigure(title, callers)
    for (const subject of subjects) {
      const measure = Effect.map(
        subject.ask(rpc => rpc.Read({ title, callers, millis })),
        result => {
          if (result !== null) results.add(subject.name, figure, result)
        }
      )
      cells.push({ subject, figure, measure })
    }
  }
  for (const subject of subjects) {
    const measure = Effect.map(
      subject.ask(rpc => rpc.CompareLengths({ round })),
      result => results.addLengths(subject.name, result)
    )
    cells.push({ subject, figure: "appends by length", measure })
  }
  return cells
}

const run = (options: Options) =>
  Effect.gen(function* () {
    const loadBefore = load()
    if (options.installPeers) yield* Peers.install
    const subjects: Array<Subject> = []
    const missing: Array<string> = []
    const results = Results.make()
    for (const name of options.only) {
      const opened = yield* Effect.catchIf(
        open(name, options),
        () => !isOurs(name),
        error => Effect.succeed(Either.left(`${name} could not be measured: ${error.message}`))
      )
      if (Either.isLeft(opened)) {
        missing.push(opened.left)
        continue
      }
      subjects.push(opened.right)
      results.loaded(name, opened.right.loaded)
    }

    const without = new Set<string>()
    for (let round = 0; round < options.rounds; round++) {
      yield* Console.error(`round ${round + 1} of ${options.rounds}`)
      for (const { figure, measure, subject } of cellsOf(subjects, options, results, round)) {
        const key = `${subject.title}: no ${figure}`
        if (without.has(key)) continue
        yield* Effect.catchAll(measure, error =>
          Effect.sync(() => {
            without.add(key)
            missing.push(`${key}: ${error.message}`)
            if (isOurs(subject.name)) process.exitCode = 1
          })
        )
      }
    }
    yield* printReport(subjects, results, { options, machine: machineOf(loadBefore), missing })
  }).pipe(Effect.scoped, Effect.provide(NodeContext.layer), Logger.withMinimumLogLevel(LogLevel.Warning))

/**
 * With the flags of the command line, see `usage`.
 *
 * @since 0.1.0
 * @category benchmarks
 */
export const store = (flags: ReadonlyArray<string>) =>
  Either.match(parse(flags), {
    onLeft: wrong =>
      Effect.zipRight(
        Console.error(`${wrong}\n${usage}`),
        Effect.sync(() => {
          process.exitCode = 2
        })
      ),
    onRight: run
  })
