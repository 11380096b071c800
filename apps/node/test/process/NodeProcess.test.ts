/** What keeps a node of the local cluster running. */
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as ProcessCluster from "@reckon/testkit/ProcessCluster"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import { keepRunning } from "../../src/cluster/NodeProcess.js"

describe("a node that is kept running", () => {
  it.scoped("and has no place for its log is told of, and started as soon as it has one", () =>
    Effect.gen(function* () {
      const place = path.join(yield* ProcessCluster.temporaryFolder, "node1")
      fs.writeFileSync(place, "")
      const failed = yield* Deferred.make<string>()
      const started = yield* Deferred.make<number>()
      yield* keepRunning({
        name: "node1",
        args: ["--version"],
        logFile: path.join(place, "node.log"),
        onStart: (_, restarts) => Deferred.succeed(started, restarts),
        onExit: reason => Deferred.succeed(failed, reason)
      })
      yield* TestClock.adjust(0)
      assert.match(yield* Deferred.await(failed), /^could not be started: /)
      fs.rmSync(place)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Deferred.await(started), 1)
    })
  )
})
