/**
 * Where a log's writes belong: on the thread of the member, or on one of their own. Batches of entries are committed one after the other, on a disk that
 * is as fast as it is, and on slow ones; the delay of the event loop meanwhile shows for how long nothing else could run. This is what the decision rests on that
 * `RaftLog` writes on the member's thread, see docs/raft.md.
 *
 * @since 0.1.0
 */
import * as path from "node:path"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { Worker } from "node:worker_threads"
import * as ProcessCluster from "@reckon/testkit/ProcessCluster"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { open } from "./internal/logIo/store.js"
import { makePayload } from "./internal/raft/sizes.js"
import { print, quantile, type Row } from "./internal/table.js"

const batches = [1, 16, 128]
const slowness = [0, 5, 50]
const measuredMillis = 1_500
const rounds = 3

interface Writer {
  readonly commit: (payloads: ReadonlyArray<Uint8Array>) => Promise<void>
}

const inline = (filename: string, slowMillis: number): Effect.Effect<Writer, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => open(filename, slowMillis)),
    store => Effect.sync(store.close)
  ).pipe(
    Effect.map(store => ({
      // A turn of the event loop between two commits, as between two bursts of a member's inputs.
      commit: payloads =>
        new Promise(resolve =>
          setImmediate(() => {
            store.commit(payloads)
            resolve()
          })
        )
    }))
  )

const threaded = (filename: string, slowMillis: number): Effect.Effect<Writer, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(
      () =>
        new Worker(path.join(import.meta.dirname, "internal", "logIo", "worker.js"), {
          workerData: { filename, slowMillis }
        })
    ),
    worker => Effect.promise(() => worker.terminate())
  ).pipe(
    Effect.map(worker => {
      let committed = () => {}
      worker.on("message", () => committed())
      return {
        commit: payloads =>
          new Promise(resolve => {
            committed = resolve
            worker.postMessage(payloads)
          })
      }
    })
  )

/** Entries a second and how late the event loop was, in the worst hundredth of its turns. */
const measure = (writer: Writer, batch: number) =>
  Effect.promise(async () => {
    const delay = monitorEventLoopDelay({ resolution: 1 })
    delay.enable()
    const end = performance.now() + measuredMillis
    let commits = 0
    while (performance.now() < end) {
      await writer.commit(Array.from({ length: batch }, makePayload))
      commits += 1
    }
    delay.disable()
    return { entriesPerSecond: (commits * batch * 1000) / measuredMillis, lateMillis: delay.percentile(99) / 1e6 }
  })

/**
 * @since 0.1.0
 * @category benchmarks
 */
export const logIo = Effect.gen(function* () {
  const rows: Array<Row> = []
  for (const slowMillis of slowness) {
    for (const batch of batches) {
      const results = { inline: [] as Array<Result>, threaded: [] as Array<Result> }
      for (let round = 0; round < rounds; round++) {
        results.inline.push(yield* once(inline, slowMillis, batch))
        results.threaded.push(yield* once(threaded, slowMillis, batch))
      }
      const median = (of: ReadonlyArray<Result>, pick: (result: Result) => number) => quantile(of.map(pick), 0.5)
      const rates = [median(results.inline, r => r.entriesPerSecond), median(results.threaded, r => r.entriesPerSecond)]
      rows.push([
        `+${slowMillis} ms, ${batch}`,
        ...rates,
        `${((rates[1] ?? 0) / (rates[0] ?? 1)).toFixed(2)}`,
        median(results.inline, r => r.lateMillis),
        median(results.threaded, r => r.lateMillis)
      ])
    }
  }
  yield* print(
    "a log's writes on the member's thread or on their own (300 bytes an entry, synchronous=FULL, medians of 3 rounds)",
    ["disk, entries a commit", "entries/s inline", "thread", "thread/inline", "inline late p99 ms", "thread"],
    rows
  )
})

type Result = Effect.Effect.Success<ReturnType<typeof measure>>

const once = (make: typeof inline, slowMillis: number, batch: number) =>
  Effect.scoped(
    Effect.gen(function* () {
      const folder = yield* ProcessCluster.temporaryFolder
      return yield* measure(yield* make(path.join(folder, "log.sqlite"), slowMillis), batch)
    })
  )
