/**
 * The memory of a leader, in a process of its own, that has lost one of its two followers for good while a million entries go by: it must not keep for
 * the dead what it has on disk.
 *
 * @since 0.1.0
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { payloadBytes } from "./internal/raft/sizes.js"
import * as Workers from "./internal/raft/workers.js"
import { print, type Row } from "./internal/table.js"

const entries = 1_000_000
const step = 100_000
const inFlight = 128

const megabytes = (bytes: number) => (bytes / 2 ** 20).toFixed(0)

/**
 * @since 0.1.0
 * @category benchmarks
 */
export const raftMemory = Effect.gen(function* () {
  const workers = yield* Workers.make
  const leader = yield* workers.leader
  const follower = workers.all.find(worker => worker !== leader)
  if (follower !== undefined) yield* follower.kill

  const rows: Array<Row> = []
  const look = (proposed: number, perSecond: number | "") =>
    Effect.map(leader.rpc.Memory(), ({ external, heapUsed, rss }) => {
      rows.push([proposed.toLocaleString("en"), megabytes(rss), megabytes(heapUsed), megabytes(external), perSecond])
    })
  yield* look(0, "")
  for (let proposed = step; proposed <= entries; proposed += step) {
    const began = yield* Clock.currentTimeMillis
    yield* leader.rpc.Propose({ count: step, inFlight })
    const seconds = ((yield* Clock.currentTimeMillis) - began) / 1000
    yield* look(proposed, step / seconds)
  }
  yield* print(
    `memory of a leader with one follower of two dead, ${payloadBytes} bytes an entry, ${inFlight} in flight`,
    ["entries", "RSS MiB", "heap MiB", "external MiB", "entries/s"],
    rows
  )
}).pipe(Effect.scoped, Effect.provide(NodeContext.layer))
