/**
 * A supervisor as a server: how it starts, how it answers, and how it follows its children. The first part serves both kinds.
 */
import type * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { ChildAlreadyStarted, ChildStartFailed, ChildStateError, InitFailed } from "../ChildError.js"
import * as ChildSpec from "../ChildSpec.js"
import * as ExitReason from "../ExitReason.js"
import * as GenServer from "../GenServer.js"
import { type Pid, ProcessTable } from "../Process.js"
import { AlreadyStarted, type StartError, type StartOptions } from "../StartError.js"
import { infoOf, Protocol, specOf, stateError } from "./administration.js"
import { type Booted, type Child, errorIn, isActive, planOf, Retry } from "./child.js"
import { current } from "./current.js"
import { Ignore } from "./outcome.js"
import { ExitSignal } from "./signal.js"
import { type Startable, startOn } from "./start.js"
import { summary } from "./summary.js"
import { type Design, settingsOf, Tree, type Verdict } from "./tree.js"

// -----------------------------------------------------------------------------------------------------------------
// both kinds
// -----------------------------------------------------------------------------------------------------------------

/** What a supervisor runs at its start, and again when it is reconfigured. */
export type Init<Checked, R> = Effect.Effect<Checked | Ignore, unknown, R>

/** What a supervisor keeps its children in. */
interface Children<Checked> {
  exited(pid: Pid, reason: ExitReason.ExitReason): Effect.Effect<Verdict>
  retry(retry: Retry): Effect.Effect<Verdict>
  reconfigure(checked: Checked): void
}

/**
 * A supervisor is described by a value, or by an effect that computes one. What the effect returns must have the essential field to be
 * a description at all.
 */
export const initOf = <Described extends object, Checked, R>(
  described: Described | Effect.Effect<Described | Ignore, unknown, R>,
  essential: keyof Described,
  check: (described: Described) => Effect.Effect<Checked, ChildSpec.InvalidSpec>
): Init<Checked, R> =>
  Effect.isEffect(described)
    ? Effect.flatMap(described, (returned): Init<Checked, never> => {
        if (returned instanceof Ignore) return Effect.succeed(returned)
        if (typeof returned === "object" && returned !== null && essential in returned) return check(returned)
        return Effect.fail(new ChildSpec.InvalidSpec({ problem: "bad_return", detail: summary(returned) }))
      })
    : check(described)

/** Starts a supervisor. That its description is wrong is an error of the start, not the reason of a crash. */
export const startSupervisor = <R>(
  server: Startable<Retry>,
  options: StartOptions,
  link: boolean
): Effect.Effect<{ readonly pid: Pid }, ChildSpec.InvalidSpec | StartError, ProcessTable | Exclude<R, Scope.Scope>> =>
  Effect.flatMap(ProcessTable, kernel =>
    startOn<never, Retry, Exclude<R, Scope.Scope>>(kernel, server, options, link, "supervisor")
  ).pipe(
    Effect.catchTag("StartFailed", failed => {
      const { reason } = failed
      const invalid = reason._tag === "Crash" ? errorIn(reason.cause, ChildSpec.InvalidSpec) : undefined
      return Effect.fail(invalid ?? failed)
    })
  )

/** Takes over what `init` computes, or somebody has handed over. All else it may come to changes nothing. */
export const reconfigure = <Checked, R, State extends Children<Checked>>(init: Init<Checked, R>, state: State) =>
  Effect.matchCause(init, {
    onFailure: (cause: Cause.Cause<unknown>) =>
      GenServer.fail(
        errorIn(cause, ChildSpec.InvalidSpec) ?? new InitFailed({ reason: ExitReason.fromCause(cause) }),
        state
      ),
    onSuccess: checked => {
      if (!(checked instanceof Ignore)) state.reconfigure(checked)
      return GenServer.reply(undefined, state)
    }
  })

/** What is no request: the ends of children, retries, and messages that nobody understands. */
export const attend = <State extends Children<never>>(message: unknown, state: State) => {
  if (message instanceof ExitSignal) return follow(state, state.exited(message.from, message.reason))
  if (message instanceof Retry) return follow(state, state.retry(message))
  return Effect.as(Effect.logWarning("unexpected message to a supervisor"), GenServer.noReply(state))
}

/** Goes on or stops, as the children's fate demands. */
const follow = <State>(state: State, verdict: Effect.Effect<Verdict>) =>
  Effect.map(verdict, verdict =>
    verdict._tag === "Continue" ? GenServer.noReply(state) : GenServer.stop(verdict.reason, state)
  )

// -----------------------------------------------------------------------------------------------------------------
// a supervisor of a tree
// -----------------------------------------------------------------------------------------------------------------

/** What the spec comes to, with the children's environment. */
export const designOf = (
  spec: ChildSpec.Spec,
  context: Context.Context<never>
): Effect.Effect<Design, ChildSpec.InvalidSpec> =>
  Effect.map(ChildSpec.checkSpec(spec), () => ({
    settings: settingsOf(spec),
    plans: spec.children.map(child => planOf(child, context))
  }))

export const serverOf = <R>(init: Init<Design, R>) =>
  GenServer.make(Protocol, {
    trapExit: true,
    init: (_: GenServer.Self<Retry>) =>
      Effect.gen(function* () {
        const design = yield* init
        if (design instanceof Ignore) return design
        const process = yield* current
        const tree = new Tree(process, design.settings)
        process.view = () => tree.view()
        const failed = yield* tree.startAll(design.plans)
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
          const child = stoppedChild(tree, id)
          if (child instanceof ChildStateError) return GenServer.fail(child, tree)
          return answerStart(yield* tree.boot(child, "debug"), id, tree)
        }),
      DeleteChild: ({ id }, tree) => {
        const child = stoppedChild(tree, id)
        if (child instanceof ChildStateError) return GenServer.fail(child, tree)
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
          active: children.filter(isActive).length,
          supervisors,
          workers: children.length - supervisors
        }
        return GenServer.reply(counts, tree)
      },
      Reconfigure: ({ checked }, tree) => reconfigure(checked, tree),
      ReconfigureDynamic: (_, tree) => GenServer.fail(stateError("", "not_simple_one_for_one"), tree),
      RunInitAgain: (_, tree) => reconfigure(init, tree)
    },
    info: attend,
    terminate: (_, tree) => tree.stopAll()
  })

const answerStart = (booted: Booted, id: string, tree: Tree) => {
  switch (booted._tag) {
    case "Running":
      return GenServer.reply(booted.value, tree)
    case "Ignored":
      return GenServer.reply(undefined, tree)
    case "Failed":
      return GenServer.fail(
        errorIn(booted.cause, AlreadyStarted) ?? new ChildStartFailed({ id, reason: booted.reason }),
        tree
      )
  }
}

/** The child, if it is one that does not run, or why it is not. */
const stoppedChild = (tree: Tree, id: string): Child | ChildStateError => {
  const child = tree.find(id)
  if (child === undefined) return stateError(id, "not_found")
  if (child.retry !== undefined) return stateError(id, "restarting")
  return child.pid === undefined ? child : stateError(id, "running")
}
