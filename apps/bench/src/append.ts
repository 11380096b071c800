/**
 * Appends to a three-node cluster on this machine: one event of about 300 bytes a call, 1,000 streams, 1, 16 and 128 callers that share one client. Between the rounds
 * the same disk is measured with bare SQLite commits of the same payload, so that the ratio holds while the machine's speed drifts.
 *
 * @since 0.1.0
 */

import * as path from "node:path"
import * as Client from "@reckon/client/Client"
import * as Event from "@reckon/client/Event"
import { Database } from "@reckon/raft/Sqlite"
import * as ProcessCluster from "@reckon/testkit/ProcessCluster"
import * as Effect from "effect/Effect"
import { makeCluster } from "./internal/cluster.js"
import { closedLoop } from "./internal/load.js"
import { print, quantile, type Row } from "./internal/table.js"

const rounds = 3
const callerCounts = [1, 16, 128]
const streams = 1000
const data = { note: "x".repeat(270) }

/** One synced commit after the other on an otherwise idle table: what the disk and SQLite give a single writer. */
const bareCommits = Effect.gen(function* () {
  const folder = yield* ProcessCluster.temporaryFolder
  const database = yield* Effect.acquireRelease(
    Effect.sync(() => new Database(path.join(folder, "bare.sqlite"))),
    opened => Effect.sync(() => opened.close())
  )
  database.pragma("journal_mode = WAL")
  database.pragma("synchronous = FULL")
  database.exec("CREATE TABLE log (idx INTEGER PRIMARY KEY, payload BLOB)")
  const insert = database.prepare("INSERT INTO log (payload) VALUES (?)")
  const payload = Buffer.from(JSON.stringify(data))
  return yield* closedLoop({
    callers: 1,
    warmUpMillis: 200,
    measuredMillis: 1000,
    operation: () => Effect.sync(() => insert.run(payload))
  })
}).pipe(Effect.scoped)

/**
 * @since 0.1.0
 * @category benchmarks
 */
export const append = Effect.gen(function* () {
  const cluster = yield* makeCluster
  const client = yield* Client.make({ endpoints: cluster.endpoints })
  const bare: Array<number> = []
  const measured = new Map(
    callerCounts.map(callers => [callers, [] as Array<Effect.Effect.Success<typeof bareCommits>>])
  )
  for (let round = 0; round < rounds; round++) {
    bare.push((yield* bareCommits).perSecond)
    for (const callers of callerCounts) {
      const result = yield* closedLoop({
        callers,
        warmUpMillis: 1000,
        measuredMillis: 4000,
        operation: (caller, call) =>
          Effect.flatMap(Event.json({ type: "Measured", data }), event =>
            client.append(`bench-${(caller * 7919 + call) % streams}`, "any", [event])
          )
      })
      measured.get(callers)?.push(result)
    }
  }
  const bareMedian = quantile(bare, 0.5)
  const rows: Array<Row> = [...measured].map(([callers, results]) => {
    const perSecond = quantile(
      results.map(result => result.perSecond),
      0.5
    )
    const median = (pick: (result: (typeof results)[number]) => number) => quantile(results.map(pick), 0.5)
    return [
      `${callers} caller${callers > 1 ? "s" : ""}`,
      perSecond,
      median(result => result.p50Millis),
      median(result => result.p99Millis),
      (perSecond / bareMedian).toFixed(2)
    ]
  })
  yield* print(
    `appends to three nodes, one event a call (log: WAL, synchronous=FULL; medians of ${rounds} rounds)`,
    ["", "appends/s", "p50 ms", "p99 ms", "ratio to bare"],
    [...rows, ["bare SQLite commits, synchronous=FULL", bareMedian, "", "", "1.00"]]
  )
}).pipe(Effect.scoped)
