/**
 * What is said of a cluster that does not come up. Those that do are in `apps/node/test/process`.
 */
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as ProcessCluster from "@reckon/testkit/ProcessCluster"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

describe("ProcessCluster", () => {
  it.scopedLive("one whose process has ended is not waited for, and what it said last is told", () =>
    Effect.gen(function* () {
      const folder = yield* ProcessCluster.temporaryFolder
      const basePort = yield* ProcessCluster.freeBasePort
      const started = yield* Effect.exit(
        ProcessCluster.make({ program: join(folder, "no-such-program.js"), basePort, dataDir: folder })
      )
      const told = Exit.isFailure(started) ? Cause.pretty(started.cause) : "it came up"
      assert.match(told, /the cluster ended with code 1 before it had settled/)
      assert.match(told, /Cannot find module .*no-such-program\.js/)
    })
  )

  it.live("no two get the same ports, also where they look at the same time", () =>
    Effect.gen(function* () {
      const ports = yield* Effect.all(
        Array.from({ length: 12 }, () => ProcessCluster.freeBasePort),
        { concurrency: "unbounded" }
      )
      assert.lengthOf(new Set(ports), ports.length)
    })
  )
})
