/**
 * A supervisor as a server: its protocol, and how it follows its children.
 */
import * as Rpc from "@effect/rpc/Rpc"
import * as RpcGroup from "@effect/rpc/RpcGroup"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { ChildAlreadyStarted, ChildStartFailed, ChildStateError } from "../ChildError.js"
import * as ChildSpec from "../ChildSpec.js"
import * as ExitReason from "../ExitReason.js"
import * as GenServer from "../GenServer.js"
import { type ExitSignal, Message, type Pid } from "../Process.js"
import { currentProcess, type Process } from "./kernel.js"
import * as trees from "./tree.js"

/** The protocol never leaves the node, so its schemas only name the types. */
const local = <A>(): Schema.Schema<A> => Schema.declare((_): _ is A => true)

const id = { id: Schema.String }

export const Protocol = RpcGroup.make(
  Rpc.make("StartChild", {
    payload: local<{ readonly spec: ChildSpec.ChildSpec; readonly plan: trees.ChildPlan }>(),
    success: local<Pid | undefined>(),
    error: Schema.Union(ChildAlreadyStarted, ChildStateError, ChildStartFailed, ChildSpec.InvalidSpec)
  }),
  Rpc.make("TerminateChild", { payload: id, error: ChildStateError }),
  Rpc.make("RestartChild", {
    payload: id,
    success: local<Pid | undefined>(),
    error: Schema.Union(ChildStateError, ChildStartFailed)
  }),
  Rpc.make("DeleteChild", { payload: id, error: ChildStateError }),
  Rpc.make("WhichChildren", { success: local<ReadonlyArray<ChildSpec.ChildInfo>>() }),
  Rpc.make("CountChildren", { success: local<ChildSpec.Counts>() })
)

export interface Retry {
  readonly _tag: "Retry"
  readonly child: trees.Child
}

export const serverOf = (spec: ChildSpec.Spec, plans: ReadonlyArray<trees.ChildPlan>) =>
  GenServer.make(Protocol, {
    trapExit: true,
    init: (_: GenServer.Self<Retry>) =>
      Effect.gen(function* () {
        const process = yield* running
        const tree = new trees.Tree(process, {
          strategy: spec.strategy ?? "one_for_one",
          intensity: spec.intensity ?? 1,
          periodMillis: Duration.toMillis(spec.period ?? "5 seconds"),
          autoShutdown: spec.autoShutdown ?? "never",
          // Past the capacity: a supervisor that cannot tell itself to retry would lose the child.
          retryLater: child => process.mailbox.push(new Message({ _tag: "Retry", child } satisfies Retry)),
          isIgnore: error => error instanceof GenServer.StartIgnored,
          reasonOf: error => (error instanceof GenServer.StartFailed ? error.reason : undefined)
        })
        const failed = yield* tree.startAll(plans)
        return failed === undefined ? tree : GenServer.initStop(ExitReason.shutdown(failed))
      }),
    handlers: {
      StartChild: ({ plan, spec }, tree) =>
        Effect.gen(function* () {
          const known = tree.find(spec.id)
          if (known?.pid !== undefined) {
            return GenServer.fail(new ChildAlreadyStarted({ id: spec.id, pid: known.pid }), tree)
          }
          if (known !== undefined) {
            return GenServer.fail(new ChildStateError({ id: spec.id, state: "already_present" }), tree)
          }
          const checked = yield* Effect.either(ChildSpec.check([spec], tree.settings.autoShutdown))
          if (checked._tag === "Left") return GenServer.fail(checked.left, tree)
          const started = yield* tree.add(plan, "debug")
          return answerStart(started, spec.id, tree)
        }),
      TerminateChild: ({ id }, tree) =>
        Effect.gen(function* () {
          const child = tree.find(id)
          if (child === undefined) return GenServer.fail(new ChildStateError({ id, state: "not_found" }), tree)
          yield* tree.stop(child)
          tree.gone(child)
          return GenServer.reply(undefined, tree)
        }),
      RestartChild: ({ id }, tree) =>
        Effect.gen(function* () {
          const child = tree.find(id)
          if (child === undefined) return GenServer.fail(new ChildStateError({ id, state: "not_found" }), tree)
          const busy = busyState(child)
          if (busy !== undefined) return GenServer.fail(new ChildStateError({ id, state: busy }), tree)
          const started = yield* tree.boot(child, "debug")
          return answerStart(started, id, tree)
        }),
      DeleteChild: ({ id }, tree) => {
        const child = tree.find(id)
        if (child === undefined) return GenServer.fail(new ChildStateError({ id, state: "not_found" }), tree)
        const busy = busyState(child)
        if (busy !== undefined) return GenServer.fail(new ChildStateError({ id, state: busy }), tree)
        tree.remove(child)
        return GenServer.reply(undefined, tree)
      },
      WhichChildren: (_, tree) => GenServer.reply(tree.children.map(infoOf).reverse(), tree),
      CountChildren: (_, tree) => {
        const supervisors = tree.children.filter(child => child.plan.type === "supervisor").length
        const counts = {
          specs: tree.children.length,
          active: tree.children.filter(child => child.pid !== undefined).length,
          supervisors,
          workers: tree.children.length - supervisors
        }
        return GenServer.reply(counts, tree)
      }
    },
    info: (message, tree) => {
      if (message._tag === "ExitSignal") return follow(tree, exitedOf(tree, message))
      if (message._tag === "Retry") return follow(tree, tree.retry(message.child))
      return Effect.as(Effect.logWarning("unexpected message to a supervisor"), GenServer.noReply(tree))
    },
    terminate: (_, tree) => tree.stopAll()
  })

const running = Effect.withFiberRuntime<Process>(fiber => {
  const process = fiber.getFiberRef(currentProcess)
  return process === undefined ? Effect.dieMessage("a supervisor is a process") : Effect.succeed(process)
})

const exitedOf = (tree: trees.Tree, signal: ExitSignal): Effect.Effect<trees.Verdict> =>
  tree.exited(signal.from, signal.reason)

const follow = (tree: trees.Tree, verdict: Effect.Effect<trees.Verdict>) =>
  Effect.map(verdict, verdict =>
    verdict._tag === "Continue" ? GenServer.noReply(tree) : GenServer.stop(verdict.reason, tree)
  )

const answerStart = (started: trees.Started, id: string, tree: trees.Tree) => {
  switch (started._tag) {
    case "Running":
      return GenServer.reply(started.pid, tree)
    case "Ignored":
      return GenServer.reply(undefined, tree)
    case "Failed":
      return GenServer.fail(new ChildStartFailed({ id, reason: started.reason }), tree)
  }
}

const busyState = (child: trees.Child): "running" | "restarting" | undefined =>
  child.restarting ? "restarting" : child.pid === undefined ? undefined : "running"

const infoOf = (child: trees.Child): ChildSpec.ChildInfo => ({
  id: child.plan.id,
  pid: child.restarting ? "restarting" : child.pid,
  type: child.plan.type,
  restart: child.plan.restart
})
