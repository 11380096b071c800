/**
 * Real nodes under faults: clients write and read while nodes are killed and held, links are cut one way or both, and a disk runs full; then the history
 * is judged by `TortureCheck`.
 *
 * The nodes are processes of the `reckon` program on loopback addresses. Each reaches each peer through a proxy of the harness. Everything that is done
 * to them, and what the clients try, follows from the seed; what comes of it depends on the machine as well.
 *
 * @since 0.1.0
 */
import * as fs from "node:fs"
import * as path from "node:path"
import type { InvalidRequest } from "@reckon/client/StoreError"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as Archive from "./internal/torture/archive.js"
import * as Disk from "./internal/torture/disk.js"
import * as Links from "./internal/torture/links.js"
import * as Nemesis from "./internal/torture/nemesis.js"
import * as Nodes from "./internal/torture/nodes.js"
import { plan } from "./internal/torture/schedule.js"
import * as Summary from "./internal/torture/summary.js"
import * as Watch from "./internal/torture/watch.js"
import * as Workload from "./internal/torture/workload.js"
import { freeBasePort } from "./ProcessCluster.js"
import * as TortureCheck from "./TortureCheck.js"
import * as TortureHistory from "./TortureHistory.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The path of the `reckon` script. */
  readonly program: string
  /** Where the history, the nodes' data and their logs go; it must be empty. */
  readonly folder: string
  readonly seed: number
  /** How long clients and faults go on. Healing and the check come on top. */
  readonly durationMillis: number
  /** 3 to 5, default 3. */
  readonly nodes?: number | undefined
  /** Clients that read and write, default 4. One more for each node only reads, and asks no other. */
  readonly clients?: number | undefined
  /** The longest pause of a client between two operations, in milliseconds. Default 80. */
  readonly pauseMillisMax?: number | undefined
  /** Told every thirty seconds how far the run is. */
  readonly onProgress?: ((line: string) => void) | undefined
}

/**
 * How a run went.
 *
 * @since 0.1.0
 * @category models
 */
export interface Report extends TortureCheck.Verdict {
  readonly seed: number | undefined
  /** The run in numbers, several lines. */
  readonly summary: string
}

/** The healed cluster must agree within this time. */
const settleMillisMax = 120_000
const progressMillis = 30_000

/** Logs that are cut after some seconds of work, so that whoever was away comes back by a snapshot. */
const environment = { RECKON_LOG_ENTRIES_MAX: "60", RECKON_LOG_TAIL_ENTRIES: "8" }

const historyFile = (folder: string) => path.join(folder, "history.jsonl")

// -----------------------------------------------------------------------------
// the run
// -----------------------------------------------------------------------------

const makeCluster = (options: Options, journal: TortureHistory.Journal) =>
  Effect.gen(function* () {
    const { folder, program } = options
    const basePort = yield* freeBasePort
    const addresses = Array.from({ length: options.nodes ?? 3 }, (_, at) => ({
      host: "127.0.0.1",
      port: basePort + at
    }))
    const names = addresses.map((_, at) => `n${at}`)
    const endpoints = addresses.map(({ host, port }) => `${host}:${port}`)
    const links = yield* Links.make(addresses)
    const diskNode = names.length - 1
    const disk = yield* Disk.make(path.join(folder, `n${diskNode}`))
    const nodes = yield* Nodes.make({
      program,
      folder,
      environment,
      journal,
      addresses: addresses.map(({ host, port }, at) => ({
        name: `n${at}`,
        rpc: `${host}:${port}`,
        http: `${host}:${port + 10}`,
        peers: names.flatMap((name, to) => (to === at ? [] : [`${name}=${links.address(at, to)}`]))
      }))
    })
    yield* journal.write({ _tag: "Begin", seed: options.seed, nodes: names.length, means: disk.means })
    yield* Effect.forEach(names.keys(), nodes.start, { discard: true })
    const watch = yield* Watch.make(endpoints, names, journal)
    const nemesis = Nemesis.make({ nodes, links, disk, diskNode, watch, journal })
    return { endpoints, names, watch, nemesis }
  })

type Cluster = Effect.Effect.Success<ReturnType<typeof makeCluster>>

const work = (options: Options, journal: TortureHistory.Journal, { endpoints, nemesis, names }: Cluster) =>
  Effect.gen(function* () {
    const { durationMillis, seed } = options
    const board = Workload.makeBoard()
    const beganAt = yield* Clock.currentTimeMillis
    const shared = {
      seed,
      endpoints,
      journal,
      board,
      untilMillis: beganAt + durationMillis,
      pauseMillisMax: options.pauseMillisMax ?? 80
    }
    const clients = yield* Effect.fork(
      Effect.all(
        [
          ...Array.from({ length: options.clients ?? 4 }, (_, at) => Workload.roam({ ...shared, at })),
          ...names.map((_, at) => Workload.stick({ ...shared, at }))
        ],
        { concurrency: "unbounded", discard: true }
      )
    )
    const progress = Effect.map(Clock.currentTimeMillis, now => {
      const seconds = Math.round((now - beganAt) / 1000)
      options.onProgress?.(`${seconds} s: ${board.calls} operations, ${board.acknowledged} appends acknowledged`)
    })
    yield* Effect.forkScoped(Effect.schedule(progress, Schedule.spaced(progressMillis)))
    yield* nemesis.run(plan(seed, durationMillis, names.length))
    yield* Fiber.join(clients)
  }).pipe(Effect.scoped)

/** Waits until the healed cluster agrees, and writes down what each node holds, also where they do not agree. */
const conclude = (journal: TortureHistory.Journal, { endpoints, names, nemesis, watch }: Cluster) =>
  Effect.gen(function* () {
    const healedAt = yield* Clock.currentTimeMillis
    yield* nemesis.heal
    yield* watch.settled(settleMillisMax).pipe(
      Effect.zipRight(Clock.currentTimeMillis),
      Effect.flatMap(now => journal.write({ _tag: "Settled", afterMillis: now - healedAt })),
      // A request whose client has given up may still be on its way.
      Effect.zipRight(Effect.sleep("1 second")),
      Effect.zipRight(watch.settled(settleMillisMax)),
      Effect.catchAll(last =>
        journal.write({ _tag: "NotSettled", detail: `the healed cluster did not settle: ${last}` })
      )
    )
    for (const [at, endpoint] of endpoints.entries()) {
      const name = names[at] ?? endpoint
      yield* Archive.node(endpoint, name, journal).pipe(
        Effect.catchAll(({ message }) =>
          journal.write({ _tag: "NotSettled", detail: `${name} cannot be read: ${message}` })
        )
      )
    }
  })

const snapshotsInstalled = (folder: string): number => {
  let installed = 0
  for (const name of fs.readdirSync(folder)) {
    if (!/^n\d+\.log$/.test(name)) continue
    installed += fs.readFileSync(path.join(folder, name), "utf8").split("installed a snapshot").length - 1
  }
  return installed
}

/**
 * Runs the cluster for the time given, heals it, and judges what happened. All that it starts ends with it; the folder stays.
 *
 * @since 0.1.0
 * @category running
 */
export const run = (options: Options): Effect.Effect<Report, InvalidRequest> =>
  Effect.gen(function* () {
    fs.mkdirSync(options.folder, { recursive: true })
    yield* Effect.scoped(
      Effect.gen(function* () {
        const journal = yield* TortureHistory.make(historyFile(options.folder))
        const cluster = yield* makeCluster(options, journal)
        // A cluster that does not even begin is no cluster to be tortured.
        yield* cluster.watch.settled(settleMillisMax).pipe(Effect.orDie)
        yield* work(options, journal, cluster)
        yield* conclude(journal, cluster)
      })
    )
    return yield* judge(options.folder)
  })

/**
 * Judges the history in a folder that a run has left, also one that was cut short.
 *
 * @since 0.1.0
 * @category running
 */
export const judge = (folder: string): Effect.Effect<Report> =>
  Effect.gen(function* () {
    const entries = yield* TortureHistory.read(historyFile(folder))
    const verdict = TortureCheck.check(entries)
    const begin = entries.find(entry => entry._tag === "Begin")
    return {
      ...verdict,
      seed: begin?.seed,
      summary: [
        ...Summary.show(Summary.make(entries)),
        `full disk    ${begin?.means ?? "unknown"}`,
        `snapshots    ${snapshotsInstalled(folder)} installed`,
        `store        ${verdict.events} events in ${verdict.streams} streams`
      ].join("\n")
    }
  })

/** How many violations are worth reading. */
const violationsShown = 10

/**
 * The report as text, the numbers first and then what is wrong, the shortest description first.
 *
 * @since 0.1.0
 * @category rendering
 */
export const render = (report: Report): string => {
  const { summary, undecided, violations } = report
  const shown = [...violations].sort((a, b) => a.description.length - b.description.length).slice(0, violationsShown)
  return [
    summary,
    ...(undecided.length === 0 ? [] : [`undecided    ${undecided.join(", ")}`]),
    violations.length > 0
      ? `seed ${report.seed}: ${violations.length} VIOLATIONS`
      : report.nodes > 0
        ? `seed ${report.seed}: every promise was kept`
        : `seed ${report.seed}: cut short; what there is breaks no promise, what the nodes hold is not known`,
    ...shown.map(({ description, kind }) => `  ${kind}: ${description}`),
    ...(violations.length > shown.length ? [`  and ${violations.length - shown.length} more`] : [])
  ].join("\n")
}
