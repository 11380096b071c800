/** Workers as the benchmark has them: each a process of its own, so that no store has another one's garbage in its heap. */
import { fork } from "node:child_process"
import * as path from "node:path"
import * as NodeWorker from "@effect/platform-node/NodeWorker"
import * as RpcClient from "@effect/rpc/RpcClient"
import type { RpcClientError } from "@effect/rpc/RpcClientError"
import type * as RpcGroup from "@effect/rpc/RpcGroup"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { failed, SubjectFailed } from "./adapter.js"
import { type Place, WorkerOptions, WorkerRpcs } from "./workerRpcs.js"

const program = path.join(import.meta.dirname, "worker.js")

type Client = RpcClient.RpcClient<RpcGroup.Rpcs<typeof WorkerRpcs>, RpcClientError>

export interface Worker {
  readonly about: string
  /** From the opening of the store to the answer of the first read. */
  readonly openMillis: number
  /** The same from the start of the process, Node.js and its modules included. */
  readonly processMillis: number
  /** Fails if the worker is, or gets, dead meanwhile. */
  readonly ask: <A>(
    question: (rpc: Client) => Effect.Effect<A, SubjectFailed | RpcClientError>
  ) => Effect.Effect<A, SubjectFailed>
  /** kill -9. */
  readonly kill: Effect.Effect<void>
}

/** Starts a worker, and waits until its store has answered. It is stopped with the scope, in order. */
export const start = (options: {
  readonly place: Place
  readonly events: number
}): Effect.Effect<Worker, SubjectFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const argument = yield* Effect.mapError(Schema.encode(WorkerOptions)(options), failed)
    const began = yield* Clock.currentTimeMillis
    // What it prints goes to the standard error: the tables alone are the result.
    const child = fork(program, [argument], { stdio: ["ignore", 2, 2, "ipc"], serialization: "advanced" })
    yield* Effect.addFinalizer(() => Effect.sync(() => child.kill("SIGKILL")))
    const exited = Effect.async<void>(resume => {
      if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
      const listener = () => resume(Effect.void)
      child.once("exit", listener)
      return Effect.sync(() => child.off("exit", listener))
    })
    const died = Effect.flatMap(
      exited,
      () => new SubjectFailed({ what: `its process ended: ${child.signalCode ?? child.exitCode}` })
    )
    const protocol = RpcClient.layerProtocolWorker({ size: 1 }).pipe(
      Layer.provide(NodeWorker.layerPlatform(() => child)),
      Layer.build,
      Effect.mapError(failed)
    )
    const context = yield* Effect.raceFirst(protocol, died)
    const rpc = yield* Effect.provide(RpcClient.make(WorkerRpcs, { disableTracing: true }), context)
    const ask: Worker["ask"] = question => Effect.raceFirst(Effect.mapError(question(rpc), failed), died)
    const { about, openMillis } = yield* ask(rpc => rpc.Opened())
    return {
      about,
      openMillis,
      processMillis: (yield* Clock.currentTimeMillis) - began,
      ask,
      kill: Effect.zipRight(
        Effect.sync(() => child.kill("SIGKILL")),
        exited
      )
    }
  })
