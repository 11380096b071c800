/**
 * Proposals of 300 bytes to groups of one and of three members on this machine, every log synced before it counts, beside two peers: bare SQLite commits of the
 * same payload, which are the limit of one member, and etcd, if it is installed. All take turns in each round, so that the ratios hold while the machine's
 * speed drifts.
 *
 * @since 0.1.0
 */

import * as os from "node:os"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Process from "@reckon/otp/Process"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as bare from "./internal/raft/bare.js"
import * as etcd from "./internal/raft/etcd.js"
import * as inProcess from "./internal/raft/inProcess.js"
import { inFlightCounts, measuredMillis, payloadBytes, rounds } from "./internal/raft/sizes.js"
import type { Measured, Subject } from "./internal/raft/subject.js"
import * as Workers from "./internal/raft/workers.js"
import { print, quantile, type Row } from "./internal/table.js"

/** In flight where the aims are set. */
const aimInFlight = 128
const aims = { bare: 0.5, etcd: 3 }

const load = () => os.loadavg()[0]?.toFixed(1)

const medians = (results: ReadonlyArray<Measured>): Measured => {
  const median = (pick: (result: Measured) => number) => quantile(results.map(pick), 0.5)
  return {
    perSecond: median(result => result.perSecond),
    p50Millis: median(result => result.p50Millis),
    p99Millis: median(result => result.p99Millis)
  }
}

/**
 * @since 0.1.0
 * @category benchmarks
 */
export const raft = Effect.gen(function* () {
  const loadBefore = load()
  const one = yield* inProcess.make({ title: "one member", group: "one", voters: ["a"] })
  const limit = yield* bare.make
  const three = yield* inProcess.make({ title: "three in one process", group: "three", voters: ["a", "b", "c"] })
  const workers = yield* Workers.make
  yield* workers.leader
  const inLeader = Workers.inLeader("three processes, asked in the leader's", workers)
  const fromOutside = Workers.fromOutside("three processes, asked from a fourth", workers)
  const version = yield* etcd.about
  const etcds = Option.isNone(version)
    ? undefined
    : {
        one: yield* etcd.make("etcd, one process, asked from another", 1),
        three: yield* etcd.make("etcd, three processes, asked from a fourth", 3)
      }

  const subjects: ReadonlyArray<Subject> = [
    limit,
    one,
    ...(etcds === undefined ? [] : [etcds.one]),
    three,
    inLeader,
    fromOutside,
    ...(etcds === undefined ? [] : [etcds.three])
  ]
  const cells = inFlightCounts.flatMap(inFlight =>
    subjects.map(subject => ({ subject, inFlight, results: [] as Measured[] }))
  )
  for (let round = 0; round < rounds; round++) {
    for (const { inFlight, results, subject } of cells) results.push(yield* subject.measure(inFlight))
  }

  const resultOf = (subject: Subject, inFlight: number) =>
    medians(cells.find(cell => cell.subject === subject && cell.inFlight === inFlight)?.results ?? [])
  yield* print(
    [
      `proposals of ${payloadBytes} bytes, so many in flight (medians of ${rounds} rounds of ${measuredMillis} ms)`,
      "every log: SQLite, WAL, synchronous=FULL, one sync for all that is in flight; etcd: fsync on, gRPC over one connection",
      `etcd: ${Option.getOrElse(version, () => "not on the PATH, it has no rows")}`,
      `Node.js ${process.version}, ${os.availableParallelism()} cores, load ${loadBefore} before and ${load()} after: figures of a shared machine are noisy`
    ].join("\n"),
    ["", "in flight", "proposals/s", "p50 ms", "p99 ms"],
    subjects.flatMap(subject =>
      inFlightCounts.map((inFlight): Row => {
        const { p50Millis, p99Millis, perSecond } = resultOf(subject, inFlight)
        return [inFlight === inFlightCounts[0] ? subject.title : "", `${inFlight}`, perSecond, p50Millis, p99Millis]
      })
    )
  )

  const ratio = (ours: Subject, peer: Subject, aim?: number): Row => [
    `${ours.title} / ${peer.title}`,
    ...inFlightCounts.map(inFlight => {
      const times = resultOf(ours, inFlight).perSecond / resultOf(peer, inFlight).perSecond
      return times.toFixed(2)
    }),
    aim === undefined ? "" : `≥ ${aim}`
  ]
  yield* print(
    `ratios of proposals/s by what is in flight (the aim is for ${aimInFlight})`,
    ["", ...inFlightCounts.map(String), "aim"],
    [
      ratio(one, limit, aims.bare),
      ...(etcds === undefined
        ? []
        : [
            ratio(one, etcds.one),
            ratio(three, etcds.three, aims.etcd),
            ratio(inLeader, etcds.three, aims.etcd),
            ratio(fromOutside, etcds.three, aims.etcd)
          ])
    ]
  )
}).pipe(Effect.scoped, Effect.provide([NodeContext.layer, Process.layer]), Logger.withMinimumLogLevel(LogLevel.Warning))
