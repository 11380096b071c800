import { assert, describe, it } from "@effect/vitest"
import * as GatewayWorker from "@reckon/gater/GatewayWorker"
import * as WorkerRegistry from "@reckon/gater/WorkerRegistry"
import * as Process from "@reckon/otp/Process"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Backend from "./helpers/backend.js"

const provided = Effect.provide(Layer.merge(Process.layer, WorkerRegistry.layer))

const start = (processName: string) => GatewayWorker.startLink({ store: "s", processName, backend: Backend.make() })

const kill = (processName: string) =>
  Effect.gen(function* () {
    const pid = Option.getOrThrow(yield* Process.whereis(processName))
    yield* Process.exit(pid, { _tag: "Killed" })
    // Its scope is closed behind its death.
    yield* Effect.repeatN(Effect.yieldNow(), 20)
  })

describe("the workers of a store", () => {
  it.scoped("take turns, and the others go on where one ends", () =>
    Effect.gen(function* () {
      const registry = yield* WorkerRegistry.WorkerRegistry
      yield* registry.announce("s")
      for (const name of ["w1", "w2", "w3"]) yield* start(name)
      const pick = registry.pick("s")
      const picks = yield* Effect.replicateEffect(pick, 6)
      assert.strictEqual(new Set(picks).size, 3)
      assert.deepStrictEqual(picks.slice(3), picks.slice(0, 3))
      yield* kill("w2")
      assert.strictEqual(new Set(yield* Effect.replicateEffect(pick, 6)).size, 2)
      for (const name of ["w1", "w3"]) yield* kill(name)
      assert.strictEqual((yield* Effect.flip(pick))._tag, "NoQuorum")
    }).pipe(provided)
  )
})

describe("the stores of a node", () => {
  it.scoped("are those that are announced, for as long as they are", () =>
    Effect.gen(function* () {
      const registry = yield* WorkerRegistry.WorkerRegistry
      yield* Effect.scoped(
        Effect.gen(function* () {
          for (const store of ["b", "a"]) yield* registry.announce(store)
          assert.deepStrictEqual(yield* registry.stores, ["a", "b"])
          assert.strictEqual((yield* Effect.flip(registry.pick("a")))._tag, "NoQuorum")
        })
      )
      assert.deepStrictEqual(yield* registry.stores, [])
      assert.strictEqual((yield* Effect.flip(registry.pick("a")))._tag, "StoreNotFound")
    }).pipe(provided)
  )
})
