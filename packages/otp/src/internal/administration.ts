/**
 * What one can ask of a supervisor, of either kind: the protocol both serve and the way there.
 */
import * as Rpc from "@effect/rpc/Rpc"
import * as RpcGroup from "@effect/rpc/RpcGroup"
import type * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { type CallError, NoProcess } from "../CallError.js"
import { ChildAlreadyStarted, ChildStartFailed, ChildStateError, InitFailed } from "../ChildError.js"
import * as ChildSpec from "../ChildSpec.js"
import type { BoundClient } from "../Client.js"
import type { Pid } from "../Process.js"
import { ProcessTable } from "../Process.js"
import { AlreadyStarted } from "../StartError.js"
import type { Child, ChildPlan, Retry, Template, Value } from "./child.js"
import { clientOf } from "./client.js"
import { type Address, describe, find } from "./place.js"
import type { Design } from "./tree.js"

/** The protocol never leaves the node, so its schemas only name the types. */
const local = <A>(): Schema.Schema<A> => Schema.declare((_): _ is A => true)

/** A child by its id, or by its process where it has no id. */
const child = { child: local<string | Pid>() }

/** A start that failed in its own way: the template's error, as it is. */
export class RawFailure {
  readonly _tag = "RawFailure"
  constructor(readonly cause: Cause.Cause<unknown>) {}
}

export const Protocol = RpcGroup.make(
  Rpc.make("StartChild", {
    payload: local<{ readonly spec: ChildSpec.ChildSpec; readonly plan: ChildPlan }>(),
    success: local<Value | undefined>(),
    error: Schema.Union(ChildAlreadyStarted, ChildStateError, ChildStartFailed, AlreadyStarted, ChildSpec.InvalidSpec)
  }),
  Rpc.make("StartDynamic", {
    payload: { args: Schema.Unknown },
    success: local<Value | undefined>(),
    error: Schema.Union(local<RawFailure>(), ChildStateError)
  }),
  Rpc.make("TerminateChild", { payload: child, error: ChildStateError }),
  Rpc.make("RestartChild", {
    payload: { id: Schema.String },
    success: local<Value | undefined>(),
    error: Schema.Union(ChildStateError, ChildStartFailed, AlreadyStarted)
  }),
  Rpc.make("DeleteChild", { payload: { id: Schema.String }, error: ChildStateError }),
  Rpc.make("WhichChildren", { success: local<ReadonlyArray<ChildSpec.ChildInfo>>() }),
  Rpc.make("WhichChild", { payload: child, success: local<ChildSpec.ChildInfo>(), error: ChildStateError }),
  Rpc.make("GetChildSpec", { payload: child, success: local<ChildSpec.Normalised>(), error: ChildStateError }),
  Rpc.make("CountChildren", { success: local<ChildSpec.Counts>() }),
  // What is handed over is checked in the supervisor, in its turn.
  Rpc.make("Reconfigure", {
    payload: { checked: local<Effect.Effect<Design, ChildSpec.InvalidSpec>>() },
    error: Schema.Union(ChildStateError, ChildSpec.InvalidSpec, InitFailed)
  }),
  Rpc.make("ReconfigureDynamic", {
    payload: { checked: local<Effect.Effect<Template, ChildSpec.InvalidSpec>>() },
    error: Schema.Union(ChildStateError, ChildSpec.InvalidSpec, InitFailed)
  }),
  Rpc.make("RunInitAgain", { error: Schema.Union(ChildSpec.InvalidSpec, InitFailed) })
)

export type Administration = BoundClient<RpcGroup.Rpcs<typeof Protocol>, Retry>

export const ask = <A, E>(
  target: Address,
  use: (client: Administration) => Effect.Effect<A, E>
): Effect.Effect<A, E | NoProcess, ProcessTable> =>
  Effect.flatMap(ProcessTable, (kernel): Effect.Effect<A, E | NoProcess> => {
    const process = find(kernel, target)
    const label = describe(target)
    // Only a supervisor understands these requests; another server would crash on them.
    if (process === undefined || process.kind !== "supervisor") {
      return Effect.fail(new NoProcess({ server: label, request: "supervisor" }))
    }
    return use(clientOf(() => process, label))
  })

/** All questions to supervisors wait without limit, as in OTP: a child that starts slowly is no failure. */
export const patient = { timeout: Duration.infinity }

export const terminateChild = (
  target: Address,
  child: string | Pid
): Effect.Effect<void, ChildStateError | CallError, ProcessTable> =>
  ask(target, client => client.call("TerminateChild", { child }, patient))

export const whichChildren = (
  target: Address
): Effect.Effect<ReadonlyArray<ChildSpec.ChildInfo>, CallError, ProcessTable> =>
  ask(target, client => client.call("WhichChildren", undefined, patient))

export const whichChild = (
  target: Address,
  child: string | Pid
): Effect.Effect<ChildSpec.ChildInfo, ChildStateError | CallError, ProcessTable> =>
  ask(target, client => client.call("WhichChild", { child }, patient))

export const getChildSpec = (
  target: Address,
  child: string | Pid
): Effect.Effect<ChildSpec.Normalised, ChildStateError | CallError, ProcessTable> =>
  ask(target, client => client.call("GetChildSpec", { child }, patient))

export const countChildren = (target: Address): Effect.Effect<ChildSpec.Counts, CallError, ProcessTable> =>
  ask(target, client => client.call("CountChildren", undefined, patient))

export const stateError = (child: string | Pid, state: ChildStateError["state"]): ChildStateError =>
  new ChildStateError({ id: String(child), state })

export const infoOf = (child: Child, id: string | undefined): ChildSpec.ChildInfo => ({
  id,
  pid: child.retry !== undefined ? "restarting" : child.pid,
  type: child.plan.type,
  restart: child.plan.restart,
  restarts: child.restarts
})

export const specOf = (child: Child): ChildSpec.Normalised => ({ ...child.plan })
