/**
 * The store's contract, on three node processes and over sockets.
 */
import * as path from "node:path"
import { afterAll, beforeAll, describe, it } from "@effect/vitest"
import * as Client from "@reckon/client/Client"
import type { EventStore } from "@reckon/client/EventStore"
import * as ProcessCluster from "@reckon/testkit/ProcessCluster"
import * as StoreContract from "@reckon/testkit/StoreContract"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import { program } from "../program.js"

const cluster: Layer.Layer<EventStore> = Layer.unwrapScoped(
  Effect.gen(function* () {
    const folder = yield* ProcessCluster.temporaryFolder
    const { endpoints } = yield* ProcessCluster.make({
      program,
      basePort: yield* ProcessCluster.freeBasePort,
      dataDir: path.join(folder, "data")
    })
    return Client.layer({ endpoints })
  })
).pipe(Layer.orDie)

describe("three node processes", () => {
  const runtime = ManagedRuntime.make(cluster)
  beforeAll(() => runtime.runPromise(Effect.void), 60_000)
  afterAll(() => runtime.dispose(), 60_000)

  for (const { name, test } of StoreContract.cases()) {
    it(name, () => runtime.runPromise(test))
  }
})
