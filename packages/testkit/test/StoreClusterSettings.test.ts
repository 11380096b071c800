/** Settings of a store that only show where it has several nodes. */
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Event from "@reckon/client/Event"
import * as TraceFile from "@reckon/raft/TraceFile"
import * as ProcessCluster from "@reckon/testkit/ProcessCluster"
import * as StoreCluster from "@reckon/testkit/StoreCluster"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"

const onCluster = <A, E, R>(
  options: StoreCluster.Options,
  test: (cluster: StoreCluster.Service) => Effect.Effect<A, E, R>
) =>
  StoreCluster.whileTimePasses(Effect.flatMap(StoreCluster.make(options), test)).pipe(
    Logger.withMinimumLogLevel(LogLevel.None)
  )

const event = Event.json({ type: "OrderPlaced", data: {} })

/** Whether a leader that has just been cut off still answers, within so much time, a read that must see everything. */
const answersAlone = (leaseReads: boolean) =>
  onCluster({ settings: { leaseReads } }, cluster =>
    Effect.gen(function* () {
      const leader = yield* cluster.leader
      const here = yield* cluster.embedded(leader)
      yield* here.append("order-1", "no_stream", [yield* event])
      // The lease begins with a heartbeat.
      yield* Effect.sleep("300 millis")
      yield* cluster.isolate(leader)
      const read = Effect.option(Effect.timeout(here.read("order-1"), "200 millis"))
      const soon = yield* read
      yield* Effect.sleep("1 second")
      return { soon: Option.isSome(soon), later: Option.isSome(yield* read) }
    })
  )

describe("the settings of a cluster's store", () => {
  it.scoped("leaseReads: a leader answers reads without the others, for less time than an election takes them", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* answersAlone(true), { soon: true, later: false })
    })
  )

  it.scoped("leaseReads off: a leader asks the others for every read", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* answersAlone(false), { soon: false, later: false })
    })
  )

  it.scoped("traceBytesMax: the nodes' traces, through a kill and a restart, are of one Raft", () =>
    Effect.gen(function* () {
      const dataDir = yield* ProcessCluster.temporaryFolder
      const filenames = yield* onCluster({ dataDir, settings: { traceBytesMax: "1MiB" } }, cluster =>
        Effect.gen(function* () {
          const store = yield* cluster.client()
          yield* store.append("order-1", "no_stream", [yield* event])
          const leader = yield* cluster.leader
          yield* cluster.kill(leader)
          yield* store.append("order-1", 0, [yield* event])
          yield* cluster.restart(leader)
          yield* cluster.settled
          return cluster.nodes.map(node => path.join(dataDir, node, "stores", cluster.store, "raft.trace"))
        })
      )
      const { lines, refusal } = yield* TraceFile.check(filenames)
      assert.isUndefined(refusal)
      const traces = filenames.map(filename => fs.readFileSync(filename, "utf8"))
      assert.strictEqual(lines, traces.join("").split("\n").length - 1)
      assert.lengthOf(traces.join("").match(/ n\d Restart /g) ?? [], 4)
      assert.lengthOf(
        traces.filter(trace => trace.includes(" | leader ")),
        2
      )
    })
  )

  it.scoped("traceBytesMax off: there is no trace", () =>
    Effect.gen(function* () {
      const dataDir = yield* ProcessCluster.temporaryFolder
      yield* onCluster({ dataDir, nodes: 1 }, cluster => cluster.settled)
      assert.notInclude(fs.readdirSync(path.join(dataDir, "n1", "stores", "default")), "raft.trace")
    })
  )
})
