/**
 * A service of a supervised child, reached through something that outlives the child's restarts.
 *
 * A Layer gives its service once, to whoever is built on it; when the child that made the service is restarted there is a new service,
 * and the old one is closed. So those around the child hold a handle, and ask it each time they need the service.
 *
 * ```ts
 * class Database extends Context.Tag("Database")<Database, { readonly query: (sql: string) => Effect.Effect<Rows> }>() {}
 *
 * const database = yield* ServiceHandle.make<Context.Tag.Service<Database>>("database")
 * yield* Supervisor.start({ children: [ServiceHandle.child("database", database, Database, DatabaseLive)] })
 *
 * const rows = yield* database.use(service => service.query("select 1"))
 * ```
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as ChildSpec from "./ChildSpec.js"
import { currentProcess, type Process } from "./internal/kernel.js"
import type { ProcessTable } from "./Process.js"
import type { StartError } from "./StartError.js"
import * as Supervisor from "./Supervisor.js"

/**
 * The child that offers the service is down: not started yet, being restarted, or stopped.
 *
 * @since 0.1.0
 * @category errors
 */
export class ServiceUnavailable extends Schema.TaggedError<ServiceUnavailable>("@reckon/otp/ServiceUnavailable")(
  "ServiceUnavailable",
  { service: Schema.String }
) {
  override get message(): string {
    return `the service "${this.service}" is down`
  }
  /** Its supervisor may be about to start it again. */
  get retryable(): boolean {
    return true
  }
}

/**
 * Where the service is found while its child is up.
 *
 * @since 0.1.0
 * @category models
 */
export interface ServiceHandle<S> {
  /** For people and errors. */
  readonly label: string
  /** The service as it is now; undefined while the child is down. */
  readonly current: () => S | undefined
  readonly get: Effect.Effect<S, ServiceUnavailable>
  /** The service, as soon as the child is up. */
  readonly ready: Effect.Effect<S>
  /** Uses the service as it is now. Should its child end meanwhile, the work goes on with a service that is closed. */
  readonly use: <A, E, R>(work: (service: S) => Effect.Effect<A, E, R>) => Effect.Effect<A, E | ServiceUnavailable, R>
  /** Offers a service for as long as the scope, the child's, is open. */
  readonly provide: (service: S) => Effect.Effect<void, never, Scope.Scope>
}

/**
 * Makes a handle; its service is down until a child provides it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <S>(label: string): Effect.Effect<ServiceHandle<S>> => Effect.sync(() => unsafeMake(label))

/**
 * `make`, synchronously.
 *
 * @since 0.1.0
 * @category constructors
 */
export const unsafeMake = <S>(label: string): ServiceHandle<S> => {
  let current: { readonly service: S } | undefined
  const waiting = new Set<(service: S) => void>()

  const get = Effect.suspend(() =>
    current === undefined ? Effect.fail(new ServiceUnavailable({ service: label })) : Effect.succeed(current.service)
  )
  const ready = Effect.async<S>(resume => {
    if (current !== undefined) {
      resume(Effect.succeed(current.service))
      return
    }
    const wake = (service: S): void => resume(Effect.succeed(service))
    waiting.add(wake)
    return Effect.sync(() => waiting.delete(wake))
  })
  const provide = (service: S): Effect.Effect<void, never, Scope.Scope> => {
    const offered = {
      service,
      release: (): void => {
        if (current === offered) current = undefined
      }
    }
    const offer = Effect.withFiberRuntime<Process | undefined>(fiber => {
      const process = fiber.getFiberRef(currentProcess)
      // A process that is killed closes its scope some time later, when a successor may be up already.
      process?.hold(offered)
      current = offered
      for (const wake of waiting) wake(service)
      waiting.clear()
      return Effect.succeed(process)
    })
    return Effect.asVoid(
      Effect.acquireRelease(offer, process =>
        Effect.sync(() => {
          process?.holdings?.delete(offered)
          offered.release()
        })
      )
    )
  }
  return {
    label,
    current: () => current?.service,
    get,
    ready,
    use: work => Effect.flatMap(get, work),
    provide
  }
}

/**
 * A child made from a Layer, whose service is offered through the handle. Each start builds the layer anew in a scope of its own; a
 * stop takes the service out of the handle and then closes that scope, within the child's shutdown limit.
 *
 * @since 0.1.0
 * @category children
 */
export const child = <I, S, E, R>(
  id: string,
  handle: ServiceHandle<S>,
  tag: Context.Tag<I, S>,
  layer: Layer.Layer<I, E, R>,
  options: ChildSpec.Options = {}
): ChildSpec.ChildSpec<StartError, ProcessTable | R> =>
  Supervisor.layered(id, layer, options, context => handle.provide(Context.get(context, tag)))
