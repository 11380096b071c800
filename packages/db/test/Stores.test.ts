import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Members from "@reckon/cluster/Members"
import * as WorkerRegistry from "@reckon/gater/WorkerRegistry"
import * as ExitReason from "@reckon/otp/ExitReason"
import * as Process from "@reckon/otp/Process"
import * as RaftTransport from "@reckon/raft/RaftTransport"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as StoreNames from "../src/StoreNames.js"
import * as Stores from "../src/Stores.js"

const folder = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "reckon-stores-"))),
  folder => Effect.sync(() => fs.rmSync(folder, { recursive: true, force: true }))
)

const self = { name: "n1", address: { host: "127.0.0.1", port: 1 } }

const node = Layer.unwrapScoped(
  Effect.map(folder, dataDir => Stores.layer({ dataDir, stores: ["orders", "orders", "parts"] }))
).pipe(
  Layer.provideMerge(WorkerRegistry.layer),
  Layer.provide(Members.layer(self, [])),
  Layer.provide(
    Layer.effect(
      RaftTransport.RaftTransport,
      Effect.map(RaftTransport.makeNetwork, network => network.transport("n1"))
    )
  ),
  Layer.provideMerge(Process.layer),
  Layer.provide(Logger.minimumLogLevel(LogLevel.None))
)

describe("the stores of a node", () => {
  it.scopedLive("are its own also while one of them is being started again", () =>
    Effect.gen(function* () {
      const registry = yield* WorkerRegistry.WorkerRegistry
      assert.deepStrictEqual(yield* registry.stores, ["orders", "parts"])
      const core = Option.getOrThrow(yield* Process.whereis(StoreNames.coreSup("orders")))
      yield* Process.exit(core, ExitReason.killed)
      const met = new Set<string>()
      // Until there is another core, which serves.
      for (let served = 0; served < 50; ) {
        const picked = yield* Effect.either(registry.pick("orders"))
        met.add(Either.isRight(picked) ? "served" : picked.left._tag)
        const now = yield* Process.whereis(StoreNames.coreSup("orders"))
        const isAnother = Option.isSome(now) && now.value !== core
        if (isAnother && Either.isRight(picked)) served += 1
        yield* Effect.yieldNow()
      }
      assert.deepStrictEqual([...met].sort(), ["NoQuorum", "served"])
      assert.strictEqual((yield* Effect.flip(registry.pick("others")))._tag, "StoreNotFound")
    }).pipe(Effect.provide(node))
  )
})
