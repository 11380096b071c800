/**
 * The store's contract, on every kind of store that runs in this process. Real processes are in `apps/node/test/process/Contract.test.ts`.
 */
import { describe, it } from "@effect/vitest"
import type { EventStore } from "@reckon/client/EventStore"
import * as Embedded from "@reckon/db/EventStore"
import * as ProcessCluster from "@reckon/testkit/ProcessCluster"
import * as StoreCluster from "@reckon/testkit/StoreCluster"
import * as StoreContract from "@reckon/testkit/StoreContract"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as VirtualTime from "./helpers/virtualTime.js"

const inFolder = Layer.unwrapScoped(
  Effect.map(ProcessCluster.temporaryFolder, folder => Embedded.layer({ dataDir: folder }))
)

const onStore = <E>(kind: string, store: Layer.Layer<EventStore, E>) =>
  describe(kind, () => {
    for (const { name, test } of StoreContract.cases()) {
      it.effect(name, () => test.pipe(Effect.provide(store), Logger.withMinimumLogLevel(LogLevel.None)))
    }
  })

onStore("a store in memory", Embedded.layerMemory)

onStore("a store in a folder", inFolder)

onStore("a store with pools of several", Embedded.layerMemoryWith({ writerPoolSize: 4, readerPoolSize: 3 }))

describe("three nodes, through the codec and over links that take their time", () => {
  for (const [seed, { name, test }] of StoreContract.cases().entries()) {
    it(name, () =>
      VirtualTime.run(
        still =>
          StoreCluster.layer({ latency: "2 millis" }).pipe(
            Layer.build,
            still,
            Effect.flatMap(cluster => Effect.provide(test, cluster)),
            Effect.scoped,
            Logger.withMinimumLogLevel(LogLevel.None)
          ),
        { seed, limit: "1 minute" }
      )
    )
  }
})
