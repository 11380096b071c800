/** Who is measured: where each store is, how it is filled, and a worker that asks it. */
import * as path from "node:path"
import type * as CommandExecutor from "@effect/platform/CommandExecutor"
import * as ProcessCluster from "@reckon/testkit/ProcessCluster"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { makeCluster } from "../cluster.js"
import { failed, SubjectFailed } from "./adapter.js"
import * as emmett from "./emmett.js"
import type { Options, SubjectName } from "./options.js"
import * as Peers from "./peers.js"
import * as postgresServer from "./postgresServer.js"
import type { Place } from "./workerRpcs.js"
import * as Workers from "./workers.js"
import { type Plan, plan as planOf } from "./workload.js"

/** What is said of a size of the store: memory in bytes, times in milliseconds. */
export interface AtSize {
  readonly events: number
  readonly memory: number | null
  /** After kill -9; `null` for a store that is not in the worker's process. */
  readonly restart: Pick<Workers.Worker, "openMillis" | "processMillis"> | null
}

export interface Loaded {
  readonly perSecond: number
  /** A tenth of the events. */
  readonly small: AtSize
  readonly full: AtSize
  readonly bytesPerEvent: number
}

export interface Subject {
  readonly name: SubjectName
  readonly title: string
  readonly about: string
  readonly plan: Plan
  readonly loaded: Loaded
  /** A worker that failed is replaced, so that one figure that cannot be had does not cost the others. */
  readonly ask: Workers.Worker["ask"]
}

const titles: Record<SubjectName, string> = {
  embedded: "Reckon, embedded",
  cluster: "Reckon, three nodes",
  bare: "bare better-sqlite3",
  postgres: "PostgreSQL",
  "postgres-light": "PostgreSQL, fewer indexes",
  emmett: "Emmett, SQLite"
}

/** Emmett's store takes some thousand events a second at best, so it gets fewer; with fewer it is not slower. */
const emmettEventsMax = 100_000

/** Left: why it is not here, and how to get it. */
const placeOf = (
  name: SubjectName
): Effect.Effect<Either.Either<Place, string>, SubjectFailed, CommandExecutor.CommandExecutor | Scope.Scope> =>
  Effect.gen(function* () {
    switch (name) {
      case "embedded":
      case "bare":
        return Either.right({ subject: name, folder: yield* ProcessCluster.temporaryFolder })
      case "cluster": {
        const { endpoints, folder } = yield* Effect.mapError(makeCluster, failed)
        return Either.right({ subject: name, endpoints, folder: path.join(folder, "data") })
      }
      case "postgres":
      case "postgres-light": {
        const programs = yield* postgresServer.programs
        if (Option.isNone(programs)) return Either.left(`no server; ${postgresServer.installCommand}`)
        if (!Peers.isInstalled("pg")) return Either.left(`no npm pg; ${Peers.installCommand}`)
        return Either.right({ subject: name, ...(yield* postgresServer.start(programs.value)) })
      }
      case "emmett": {
        if (!emmett.packages.every(Peers.isInstalled)) return Either.left(Peers.installCommand)
        return Either.right({ subject: name, folder: yield* ProcessCluster.temporaryFolder })
      }
    }
  })

/** Longer than anything but the loading takes by itself. */
const patienceMillis = 60_000

const patiently = <A, R>(effect: Effect.Effect<A, SubjectFailed, R>, millis = patienceMillis) =>
  Effect.timeoutFail(effect, { duration: millis, onTimeout: () => new SubjectFailed({ what: "no answer" }) })

/** A worker, and how to have another one in its place. */
const makeWorker = (options: { readonly place: Place; readonly events: number }) =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const startOne = Effect.gen(function* () {
      const own = yield* Scope.fork(scope, ExecutionStrategy.sequential)
      return { own, worker: yield* Scope.extend(patiently(Workers.start(options)), own) }
    })
    let current = yield* startOne
    const replace = Effect.gen(function* () {
      yield* current.worker.kill
      yield* Scope.close(current.own, Exit.void)
      current = yield* startOne
      return current.worker
    })
    const ask: Workers.Worker["ask"] = question => Effect.suspend(() => current.worker.ask(question))
    return { replace, ask, about: () => current.worker.about }
  })

type Worker = Effect.Effect.Success<ReturnType<typeof makeWorker>>

const isPostgres = (name: SubjectName): boolean => name === "postgres" || name === "postgres-light"

/** Whether the process that is killed is the one that holds the store. */
const isHere = ({ subject }: Place): boolean => subject !== "cluster" && !isPostgres(subject)

const fill = (worker: Worker, place: Place, plan: Plan): Effect.Effect<Loaded, SubjectFailed> =>
  Effect.gen(function* () {
    const atSize = (passes: number) =>
      Effect.gen(function* () {
        const memory = yield* worker.ask(rpc => rpc.Memory())
        const events = (plan.events * passes) / plan.passes
        if (!isHere(place)) return { events, memory, restart: null }
        yield* worker.ask(rpc => rpc.Tail({ at: passes }))
        return { events, memory, restart: yield* worker.replace }
      })
    const smallPasses = Math.ceil(plan.passes / 10)
    yield* worker.ask(rpc => rpc.Load({ from: 0, to: smallPasses }))
    const small = yield* atSize(smallPasses)
    const perSecond = yield* worker.ask(rpc => rpc.Load({ from: smallPasses, to: plan.passes }))
    const bytes = yield* worker.ask(rpc => rpc.Bytes())
    return { perSecond, small, full: yield* atSize(plan.passes), bytesPerEvent: bytes / plan.events }
  })

/** Those whose failures are our own. */
export const isOurs = (name: SubjectName): boolean => !isPostgres(name) && name !== "emmett"

/** Starts the store and fills it. Left: why it is not here, and how to get it. */
export const open = (
  name: SubjectName,
  options: Options
): Effect.Effect<Either.Either<Subject, string>, SubjectFailed, CommandExecutor.CommandExecutor | Scope.Scope> =>
  Effect.gen(function* () {
    const place = yield* placeOf(name)
    if (Either.isLeft(place)) return Either.left(`${titles[name]} is not here: ${place.left}`)
    const events = name === "emmett" ? Math.min(options.events, emmettEventsMax) : options.events
    const plan = planOf(events)
    const title = events === options.events ? titles[name] : `${titles[name]} (${events.toLocaleString("en")} events)`
    yield* Console.error(`loading ${plan.events.toLocaleString("en")} events: ${title}`)
    const worker = yield* makeWorker({ place: place.right, events })
    const loaded = yield* fill(worker, place.right, plan)
    yield* worker.ask(rpc => rpc.Prepare({ rounds: options.rounds }))
    const ask: Worker["ask"] = question =>
      Effect.tapError(patiently(worker.ask(question), patienceMillis + options.seconds * 2000), () => worker.replace)
    return Either.right({ name, title, about: worker.about(), plan, loaded, ask })
  })
