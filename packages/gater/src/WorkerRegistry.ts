/**
 * Which gateway workers serve which store on this node.
 *
 * A worker's entry lives in the worker's scope, so that it is gone when the worker is: nobody is ever handed a dead one for longer than a restart.
 *
 * @since 0.1.0
 */
import { NoQuorum, StoreNotFound } from "@reckon/client/StoreError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { GatewayWorker } from "./GatewayWorker.js"

/**
 * @since 0.1.0
 * @category services
 */
export class WorkerRegistry extends Context.Tag("@reckon/gater/WorkerRegistry")<
  WorkerRegistry,
  {
    /** Says that this node keeps the store, whether or not a worker serves it right now. */
    readonly announce: (store: string) => Effect.Effect<void, never, Scope.Scope>
    readonly register: (worker: GatewayWorker) => Effect.Effect<void, never, Scope.Scope>
    /** The store's workers in turn. */
    readonly pick: (store: string) => Effect.Effect<GatewayWorker, StoreNotFound | NoQuorum>
    readonly stores: Effect.Effect<ReadonlyArray<string>>
  }
>() {}

/**
 * @since 0.1.0
 * @category constructors
 */
export const make: Effect.Effect<Context.Tag.Service<WorkerRegistry>> = Effect.sync(() => {
  const announced = new Set<string>()
  const workers = new Map<string, Array<GatewayWorker>>()
  let turn = 0

  return WorkerRegistry.of({
    announce: store =>
      Effect.acquireRelease(
        Effect.sync(() => announced.add(store)),
        () => Effect.sync(() => announced.delete(store))
      ).pipe(Effect.asVoid),
    register: worker =>
      Effect.acquireRelease(
        Effect.sync(() => {
          workers.set(worker.store, [...(workers.get(worker.store) ?? []), worker])
        }),
        () =>
          Effect.sync(() => {
            const left = (workers.get(worker.store) ?? []).filter(other => other !== worker)
            if (left.length === 0) workers.delete(worker.store)
            else workers.set(worker.store, left)
          })
      ),
    pick: store =>
      Effect.suspend((): Effect.Effect<GatewayWorker, StoreNotFound | NoQuorum> => {
        const serving = workers.get(store) ?? []
        turn = (turn + 1) % Number.MAX_SAFE_INTEGER
        const worker = serving[turn % serving.length]
        if (worker !== undefined) return Effect.succeed(worker)
        return announced.has(store)
          ? Effect.fail(new NoQuorum({ store, detail: "it is not in service on this node" }))
          : Effect.fail(new StoreNotFound({ store }))
      }),
    stores: Effect.sync(() => [...announced].sort())
  })
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<WorkerRegistry> = Layer.effect(WorkerRegistry, make)
