/** A cluster with a secret, and those who have it or not. */
import { assert, describe, it } from "@effect/vitest"
import * as ProcessCluster from "@reckon/testkit/ProcessCluster"
import * as Effect from "effect/Effect"
import { program } from "../program.js"

const secret = "known to a few of us"

describe("a cluster with a secret", () => {
  it.scopedLive("serves those who have it through the loss of its leader, and tells nobody else a word", () =>
    Effect.gen(function* () {
      const dataDir = yield* ProcessCluster.temporaryFolder
      const basePort = yield* ProcessCluster.freeBasePort
      const cluster = yield* ProcessCluster.make({
        program,
        basePort,
        dataDir,
        environment: { RECKON_CLUSTER_SECRET: secret }
      })
      const endpoint = cluster.endpoints.flatMap(each => ["--endpoint", each])
      const reckon = (its: string, timeout: string, ...args: ReadonlyArray<string>) =>
        ProcessCluster.run(program, [...args, ...endpoint], { RECKON_CLUSTER_SECRET: its, RECKON_TIMEOUT: timeout })
      const append = (its: string, total: number, timeout = "15 seconds") =>
        reckon(its, timeout, "append", "order-1", "--type", "OrderPlaced", "--data", JSON.stringify({ total }))

      const first = yield* append(secret, 1)
      assert.deepStrictEqual([first.code, first.stderr], [0, ""])

      const { pid } = yield* cluster.settled
      // Their clients know it from all nodes, and do not wait until a day is over.
      const withAnother = yield* append("known to all the others", 4, "1 day")
      assert.strictEqual(withAnother.code, 1)
      assert.include(withAnother.stderr, "does not have the same cluster secret")
      const without = yield* append("", 3, "2 seconds")
      assert.strictEqual(without.code, 1)
      assert.include(without.stderr, "RECKON_CLUSTER_SECRET has to be set here")

      process.kill(pid, "SIGKILL")
      const second = yield* append(secret, 2)
      assert.deepStrictEqual([second.code, second.stderr], [0, ""])

      const read = yield* reckon(secret, "15 seconds", "read", "order-1", "--json")
      const totals = read.stdout
        .trim()
        .split("\n")
        .map(line => JSON.parse(line).data.total)
      assert.deepStrictEqual(totals, [1, 2])
    })
  )
})
