/**
 * `reckon import` of a CSV file of 20,000 rows in 2,000 streams into an empty three-node cluster, then once more, when everything is present.
 *
 * @since 0.1.0
 */

import * as fs from "node:fs"
import * as path from "node:path"
import * as ProcessCluster from "@reckon/testkit/ProcessCluster"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { makeCluster, program } from "./internal/cluster.js"
import { print, type Row } from "./internal/table.js"

const streams = 2000
const rowsPerStream = 10

/**
 * @since 0.1.0
 * @category benchmarks
 */
export const importRate = Effect.gen(function* () {
  const cluster = yield* makeCluster
  const file = path.join(cluster.folder, "rows.csv")
  const lines = ["case,activity,resource,note"]
  for (let stream = 0; stream < streams; stream++) {
    for (let row = 0; row < rowsPerStream; row++) lines.push(`c${stream},did ${row},r${row % 3},${"n".repeat(200)}`)
  }
  fs.writeFileSync(file, lines.join("\n"))

  const rows: Array<Row> = []
  for (const pass of ["into an empty store", "again, all present"]) {
    const began = yield* Clock.currentTimeMillis
    const result = yield* ProcessCluster.run(
      program,
      ["import", file, "--stream-from", "case", "--type-from", "activity"],
      { RECKON_ENDPOINTS: cluster.endpoints.join(",") }
    )
    const seconds = ((yield* Clock.currentTimeMillis) - began) / 1000
    if (result.code !== 0) return yield* Effect.dieMessage(`the import failed: ${result.stderr}`)
    rows.push([pass, (streams * rowsPerStream) / seconds, seconds, result.stdout.trim()])
  }
  yield* print("reckon import, whole process with its start", ["", "rows/s", "seconds", "said"], rows)
}).pipe(Effect.scoped)
