/**
 * The stores of a node, running under their supervision tree.
 *
 * @since 0.1.0
 */

import * as path from "node:path"
import type { NodeStatus } from "@reckon/client/StoreRpcs"
import { WorkerRegistry } from "@reckon/gater/WorkerRegistry"
import * as Supervisor from "@reckon/otp/Supervisor"
import type { Compaction } from "@reckon/raft/Compaction"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Store from "./Store.js"
import { reckonDbSup } from "./supervision/ReckonDbSup.js"

/**
 * @since 0.1.0
 * @category services
 */
export class Stores extends Context.Tag("@reckon/db/Stores")<
  Stores,
  {
    readonly get: (id: string) => Store.Store | undefined
    /** How this node sees itself in each of its stores. */
    readonly statuses: Effect.Effect<ReadonlyArray<NodeStatus>>
  }
>() {}

/**
 * Starts the stores and stops them, in order, when the layer's scope closes. Every member of the cluster keeps every store. The tree's `Root` tells when it
 * has given up.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: {
  readonly dataDir: string
  readonly stores: ReadonlyArray<string>
  /** The same for each store. */
  readonly pools?: Partial<Store.Pools> | undefined
  /** When a store's log is cut, and how much of it stays. The same for each store. */
  readonly compaction?: Partial<Compaction> | undefined
}) =>
  Layer.unwrapScoped(
    Effect.gen(function* () {
      const stores = yield* Effect.forEach([...new Set(options.stores)], id =>
        Store.make({ ...options, id, dataDir: path.join(options.dataDir, "stores", id) })
      )
      const registry = yield* WorkerRegistry
      // Here and not in the tree: a store that is being started again is still this node's, and its clients are to wait for it.
      yield* Effect.forEach(stores, ({ id }) => registry.announce(id))
      const byId = new Map(stores.map(store => [store.id, store]))
      return Layer.merge(
        Layer.succeed(Stores, {
          get: id => byId.get(id),
          statuses: Effect.forEach(stores, store => store.backend.status)
        }),
        Supervisor.layer(reckonDbSup(stores))
      )
    })
  )
