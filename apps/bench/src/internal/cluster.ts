/** A three-node cluster of real processes in a temporary folder, for as long as the scope lives. */

import * as path from "node:path"
import * as ProcessCluster from "@reckon/testkit/ProcessCluster"
import * as Effect from "effect/Effect"

export const program = path.resolve(import.meta.dirname, "../../../node/bin/reckon.js")

export const makeCluster = Effect.gen(function* () {
  const folder = yield* ProcessCluster.temporaryFolder
  const basePort = yield* ProcessCluster.freeBasePort
  const cluster = yield* ProcessCluster.make({ program, basePort, dataDir: path.join(folder, "data") })
  return { ...cluster, folder }
})
