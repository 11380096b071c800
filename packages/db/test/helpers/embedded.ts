/** An embedded store whose processes are in reach. */
import * as Members from "@reckon/cluster/Members"
import * as WorkerRegistry from "@reckon/gater/WorkerRegistry"
import * as Process from "@reckon/otp/Process"
import * as RaftTransport from "@reckon/raft/RaftTransport"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as EventStore from "../../src/EventStore.js"
import * as Stores from "../../src/Stores.js"

const self = { name: "embedded", address: { host: "127.0.0.1", port: 0 } }

/** As `EventStore.layerMemoryWith`, which keeps its process table to itself. */
export const withProcesses = ({ store = "default", telemetryHandlers, ...settings }: EventStore.MemoryOptions = {}) =>
  Layer.effect(
    EventStore.EventStore,
    Stores.Stores.pipe(
      Effect.flatMap(stores => stores.start({ ...settings, id: store })),
      Effect.flatMap(started => EventStore.fromStore(started))
    )
  ).pipe(
    Layer.provideMerge(
      Stores.layer({ dataDir: "memory", stores: [], defaults: { mode: "single" }, telemetryHandlers, memory: true })
    ),
    Layer.provideMerge(Process.layer),
    Layer.provide(WorkerRegistry.layer),
    Layer.provide(Members.layer(self, [])),
    Layer.provide(
      Layer.effect(
        RaftTransport.RaftTransport,
        Effect.map(RaftTransport.makeNetwork, network => network.transport(self.name))
      )
    )
  )
