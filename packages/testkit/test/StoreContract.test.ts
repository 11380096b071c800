/**
 * The store's contract, on every kind of store that runs in this process. Real processes are in `apps/node/test/process/Contract.test.ts`.
 */
import { describe, it, layer } from "@effect/vitest"
import * as Embedded from "@reckon/db/EventStore"
import * as ProcessCluster from "@reckon/testkit/ProcessCluster"
import * as StoreCluster from "@reckon/testkit/StoreCluster"
import * as StoreContract from "@reckon/testkit/StoreContract"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as VirtualTime from "./helpers/virtualTime.js"

const quiet = Logger.minimumLogLevel(LogLevel.None)

const inFolder = Layer.unwrapScoped(
  Effect.map(ProcessCluster.temporaryFolder, folder => Embedded.layer({ dataDir: folder }))
)

layer(Embedded.layerMemory.pipe(Layer.provide(quiet)))("a store in memory", it => {
  for (const { name, test } of StoreContract.cases()) it.effect(name, () => test)
})

layer(inFolder.pipe(Layer.provide(quiet)))("a store in a folder", it => {
  for (const { name, test } of StoreContract.cases()) it.effect(name, () => test)
})

layer(Embedded.layerMemoryWith({ writerPoolSize: 4, readerPoolSize: 3 }).pipe(Layer.provide(quiet)))(
  "a store with pools of several",
  it => {
    for (const { name, test } of StoreContract.cases()) it.effect(name, () => test)
  }
)

describe("three nodes, through the codec and over links that take their time", () => {
  for (const [seed, { name, test }] of StoreContract.cases().entries()) {
    it(name, () =>
      VirtualTime.run(
        () =>
          test.pipe(
            Effect.provide(StoreCluster.layer({ latency: "2 millis" })),
            Logger.withMinimumLogLevel(LogLevel.None)
          ),
        { seed, limit: "1 minute" }
      )
    )
  }
})
