/**
 * What the conformance tests of processes and servers share: processes and a server that do as they are told, and ways to look at
 * what came of it.
 */
import { Rpc, RpcGroup } from "@effect/rpc"
import { Deferred, Effect, Fiber, Logger, Schema } from "effect"
import * as ExitReason from "../../src/ExitReason.js"
import * as GenServer from "../../src/GenServer.js"
import * as Process from "../../src/Process.js"

/** A process table of the test's own. */
export const provided = Effect.provide(Process.layer)

/** Lets every fiber run until nothing is under way any more; no time passes. */
export const settle = Effect.yieldNow().pipe(Effect.repeatN(60))

export const boom = ExitReason.crashWith("boom")

/** What a caller without a type checker may pass. */
export const untyped = (value: unknown) => value as never

// -----------------------------------------------------------------------------------------------------------------
// processes
// -----------------------------------------------------------------------------------------------------------------

/** Runs an effect in a process of its own, and gives its result. */
export const inProcess = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  options: Omit<Process.SpawnOptions, "name"> = { trapExit: true }
) =>
  Effect.gen(function* () {
    const result = yield* Deferred.make<A, E>()
    yield* Process.spawn(Effect.intoDeferred(effect, result), options)
    return yield* Deferred.await(result)
  })

/** What an actor can be sent to do. */
export class Task {
  constructor(readonly effect: Effect.Effect<unknown>) {}
}

/** A process that does what it is told, and keeps what else it gets. */
export const actor = (label: string, options: Omit<Process.SpawnOptions, "name" | "label"> = {}) =>
  Effect.gen(function* () {
    const inbox: Array<string> = []
    const pid = yield* Process.spawn(
      Effect.forever(
        Effect.flatMap(Process.receive, signal =>
          signal._tag === "Message" && signal.body instanceof Task
            ? signal.body.effect
            : Effect.sync(() => inbox.push(say(signal)))
        )
      ),
      { ...options, label }
    )
    return {
      pid,
      inbox,
      do: <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | Process.ProcessTable> =>
        Effect.gen(function* () {
          const answer = yield* Deferred.make<A, E>()
          const context = yield* Effect.context<R>()
          yield* Process.send(pid, new Task(Effect.intoDeferred(Effect.provide(effect, context), answer)))
          return yield* Deferred.await(answer)
        })
    }
  })

/** What an actor got since it was asked last, once everything has arrived. */
export const heard = (of: { readonly inbox: Array<string> }) => Effect.map(settle, () => of.inbox.splice(0))

/** Does nothing but live. */
export const idle = (label: string, options: Omit<Process.SpawnOptions, "name" | "label"> = {}) =>
  Process.spawn(Effect.never, { ...options, label })

/** A process that has died. */
export const dead = Effect.tap(Process.spawn(Effect.void, { label: "dead" }), pid => Process.awaitExit(pid))

/** Begins to wait for a process's end; the inner effect tells the reason. */
export const endOf = (pid: Process.Pid) =>
  Effect.map(Effect.zipLeft(Effect.fork(Process.awaitExit(pid)), settle), fiber => Fiber.join(fiber))

export const nameOf = (pid: Process.Pid): string => pid.label.replace(/^<\d+ (.*)>$/, "$1")

export const say = (signal: Process.Message | Process.ExitSignal | Process.Down): string => {
  switch (signal._tag) {
    case "Message":
      return String(signal.body)
    case "ExitSignal":
      return `exit ${nameOf(signal.from)} ${ExitReason.format(signal.reason)}`
    case "Down":
      return `down ${nameOf(signal.pid)} ${ExitReason.format(signal.reason)}`
  }
}

/** Whatever is in the mailbox of the calling process now. */
export const flush = Effect.gen(function* () {
  yield* settle
  const self = yield* Effect.flatten(Process.self)
  const end = {}
  yield* Process.send(self, end)
  const seen: Array<string> = []
  for (;;) {
    const signal = yield* Process.receive
    if (signal._tag === "Message" && signal.body === end) return seen
    seen.push(say(signal))
  }
})

// -----------------------------------------------------------------------------------------------------------------
// a server
// -----------------------------------------------------------------------------------------------------------------

export type Outcome = GenServer.Outcome<number, number, string, string>

/** What the server is to do when this message's turn comes. */
export type Turn = (
  n: number,
  from: GenServer.From<number, string>
) => Effect.Effect<Outcome, unknown, Process.ProcessTable>

const Turn = Schema.declare((value: unknown): value is Turn => typeof value === "function")

const Run = Rpc.make("Run", { payload: Turn, success: Schema.Number, error: Schema.String })

export const Scripted = RpcGroup.make(Run)

/** A started server of this kind. */
export type ScriptedRef = GenServer.Ref<typeof Run, string>

/** A server whose messages say what it does. It writes down its infos, its continues and its end. */
export const scripted = (
  journal: Array<string> = [],
  options: {
    readonly trapExit?: boolean
    readonly mailboxCapacity?: number
    /** Is given the server's own address, before `init`. */
    readonly meet?: (self: GenServer.Self<string>) => Effect.Effect<unknown>
    readonly init?: Effect.Effect<number | GenServer.InitOutcome<number, string>, unknown>
    readonly terminate?: Effect.Effect<unknown, unknown>
  } = {}
) =>
  GenServer.make(Scripted, {
    init: (self: GenServer.Self<string>): Effect.Effect<number | GenServer.InitOutcome<number, string>, unknown> =>
      Effect.zipRight(options.meet?.(self) ?? Effect.void, options.init ?? Effect.succeed(0)),
    handlers: { Run: (turn, n, from) => turn(n, from) },
    info: (message, n) => {
      journal.push(typeof message === "string" ? message : message._tag === "Timeout" ? "timeout" : say(message))
      return GenServer.noReply(n)
    },
    continue: (token, n) => {
      journal.push(`continue ${String(token)}`)
      return GenServer.noReply(n)
    },
    terminate: reason =>
      Effect.zipRight(
        Effect.sync(() => journal.push(`terminate ${ExitReason.format(reason)}`)),
        options.terminate ?? Effect.void
      ),
    trapExit: options.trapExit ?? false,
    ...(options.mailboxCapacity === undefined ? {} : { mailboxCapacity: options.mailboxCapacity })
  })

/** Answers with the state. */
export const get: Turn = n => GenServer.reply(n, n)

/** Never answers. */
export const silence: Turn = n => GenServer.noReply(n)

/** Writes a word down and answers. */
export const note =
  (journal: Array<string>, word: string): Turn =>
  n => {
    journal.push(word)
    return GenServer.reply(n, n)
  }

/** Answers when the gate opens; until then the server is busy. */
export const held =
  (gate: Deferred.Deferred<void>): Turn =>
  n =>
    Effect.as(Deferred.await(gate), GenServer.reply(n, n))

// -----------------------------------------------------------------------------------------------------------------
// the log
// -----------------------------------------------------------------------------------------------------------------

export interface Line {
  readonly level: string
  readonly message: string
  readonly cause: string
  readonly annotations: Readonly<Record<string, unknown>>
}

/** Keeps what a test logs instead of showing it. */
export const logging = <A, E, R>(test: (lines: Array<Line>) => Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const lines: Array<Line> = []
    const logger = Logger.make(({ annotations, cause, logLevel, message }) => {
      lines.push({
        level: logLevel.label,
        message: String(message),
        cause: ExitReason.format(ExitReason.crash(cause)),
        annotations: Object.fromEntries(annotations)
      })
    })
    return Effect.provide(test(lines), Logger.replace(Logger.defaultLogger, logger))
  })
