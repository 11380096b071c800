/**
 * The promise of the store under faults, for half a minute and with another seed each time. `scripts/torture.mjs` does it for as long as one likes.
 */
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as ProcessCluster from "@reckon/testkit/ProcessCluster"
import * as Torture from "@reckon/testkit/Torture"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { program } from "../program.js"

describe("three nodes under faults", () => {
  it("no acknowledged append is lost, doubled or moved, and no read is stale", { timeout: 240_000 }, () =>
    Effect.gen(function* () {
      const folder = yield* ProcessCluster.temporaryFolder
      const seed = yield* Random.nextIntBetween(0, 2 ** 31)
      yield* Console.log(`torture: seed ${seed}`)
      const report = yield* Torture.run({
        program,
        folder: path.join(folder, "torture"),
        seed,
        durationMillis: 30_000
      })
      yield* Console.log(Torture.render(report))
      assert.deepStrictEqual(report.violations, [])
      assert.isAbove(report.events, 50)
    }).pipe(Effect.scoped, Effect.runPromise)
  )
})
