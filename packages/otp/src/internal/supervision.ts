/**
 * A supervisor as a server: how it answers, and how it follows its children.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { ChildAlreadyStarted, ChildStartFailed } from "../ChildError.js"
import * as ChildSpec from "../ChildSpec.js"
import * as ExitReason from "../ExitReason.js"
import * as GenServer from "../GenServer.js"
import { infoOf, Protocol, specOf, stateError } from "./administration.js"
import { alreadyStarted, type Booted, type Child, type ChildPlan, Retry } from "./child.js"
import { current } from "./current.js"
import { ExitSignal } from "./signal.js"
import { Tree, type TreeSettings, type Verdict } from "./tree.js"

const settingsOf = (spec: ChildSpec.Spec): TreeSettings => ({
  strategy: spec.strategy ?? "one_for_one",
  intensity: spec.intensity ?? 1,
  periodMillis: Duration.toMillis(spec.period ?? "5 seconds"),
  autoShutdown: spec.autoShutdown ?? "never"
})

export const serverOf = (spec: ChildSpec.Spec, plans: ReadonlyArray<ChildPlan>) =>
  GenServer.make(Protocol, {
    trapExit: true,
    init: (_: GenServer.Self<Retry>) =>
      Effect.gen(function* () {
        const process = yield* current
        const tree = new Tree(process, settingsOf(spec))
        process.view = () => tree.view()
        const failed = yield* tree.startAll(plans)
        return failed === undefined ? tree : GenServer.initStop(ExitReason.shutdown(failed))
      }),
    handlers: {
      StartChild: ({ plan, spec }, tree) =>
        Effect.gen(function* () {
          const checked = yield* Effect.either(ChildSpec.check([spec], tree.settings.autoShutdown))
          if (checked._tag === "Left") return GenServer.fail(checked.left, tree)
          const known = tree.find(spec.id)
          if (known?.pid !== undefined) {
            return GenServer.fail(new ChildAlreadyStarted({ id: spec.id, pid: known.pid }), tree)
          }
          if (known !== undefined) return GenServer.fail(stateError(spec.id, "already_present"), tree)
          return answerStart(yield* tree.add(plan, "debug"), spec.id, tree)
        }),
      StartDynamic: (_, tree) => GenServer.fail(stateError("", "not_simple_one_for_one"), tree),
      TerminateChild: ({ child: id }, tree) =>
        Effect.gen(function* () {
          const child = typeof id === "string" ? tree.find(id) : undefined
          if (child === undefined) return GenServer.fail(stateError(id, "not_found"), tree)
          yield* tree.stop(child)
          tree.gone(child)
          return GenServer.reply(undefined, tree)
        }),
      RestartChild: ({ id }, tree) =>
        Effect.gen(function* () {
          const child = tree.find(id)
          const state = child === undefined ? "not_found" : busyState(child)
          if (child === undefined || state !== undefined)
            return GenServer.fail(stateError(id, state ?? "not_found"), tree)
          return answerStart(yield* tree.boot(child, "debug"), id, tree)
        }),
      DeleteChild: ({ id }, tree) => {
        const child = tree.find(id)
        const state = child === undefined ? "not_found" : busyState(child)
        if (child === undefined || state !== undefined)
          return GenServer.fail(stateError(id, state ?? "not_found"), tree)
        tree.remove(child)
        return GenServer.reply(undefined, tree)
      },
      WhichChildren: (_, tree) =>
        GenServer.reply(tree.children.map(child => infoOf(child, child.plan.id)).reverse(), tree),
      WhichChild: ({ child: key }, tree) => {
        const child = tree.find(key)
        return child === undefined
          ? GenServer.fail(stateError(key, "not_found"), tree)
          : GenServer.reply(infoOf(child, child.plan.id), tree)
      },
      GetChildSpec: ({ child: key }, tree) => {
        const child = tree.find(key)
        return child === undefined
          ? GenServer.fail(stateError(key, "not_found"), tree)
          : GenServer.reply(specOf(child), tree)
      },
      CountChildren: (_, tree) => {
        const children = tree.children
        const supervisors = children.filter(child => child.plan.type === "supervisor").length
        const counts = {
          specs: children.length,
          active: children.filter(child => child.pid !== undefined).length,
          supervisors,
          workers: children.length - supervisors
        }
        return GenServer.reply(counts, tree)
      },
      Reconfigure: ({ plans, spec }, tree) => {
        tree.reconfigure(settingsOf(spec), plans)
        return GenServer.reply(undefined, tree)
      },
      ReconfigureDynamic: (_, tree) => GenServer.fail(stateError("", "not_simple_one_for_one"), tree)
    },
    info: (message, tree) => {
      if (message instanceof ExitSignal) return follow(tree, tree.exited(message.from, message.reason))
      if (message instanceof Retry) return follow(tree, tree.retry(message))
      return Effect.as(Effect.logWarning("unexpected message to a supervisor"), GenServer.noReply(tree))
    },
    terminate: (_, tree) => tree.stopAll()
  })

/** Goes on or stops, as the children's fate demands. */
export const follow = <State>(state: State, verdict: Effect.Effect<Verdict>) =>
  Effect.map(verdict, verdict =>
    verdict._tag === "Continue" ? GenServer.noReply(state) : GenServer.stop(verdict.reason, state)
  )

const answerStart = (booted: Booted, id: string, tree: Tree) => {
  switch (booted._tag) {
    case "Running":
      return GenServer.reply(booted.value, tree)
    case "Ignored":
      return GenServer.reply(undefined, tree)
    case "Failed":
      return GenServer.fail(alreadyStarted(booted.cause) ?? new ChildStartFailed({ id, reason: booted.reason }), tree)
  }
}

const busyState = (child: Child): "running" | "restarting" | undefined =>
  child.retry !== undefined ? "restarting" : child.pid === undefined ? undefined : "running"
