/** Workers that do what they are told, and pools of them. */
import { Rpc, RpcGroup } from "@effect/rpc"
import { Effect, Fiber, Layer, Logger, LogLevel, Schema, TestClock } from "effect"
import * as ExitReason from "../../src/ExitReason.js"
import * as GenServer from "../../src/GenServer.js"
import * as Pool from "../../src/Pool.js"
import * as Process from "../../src/Process.js"
import * as Supervisor from "../../src/Supervisor.js"

export const provided = Effect.provide(Layer.merge(Process.layer, Logger.minimumLogLevel(LogLevel.None)))

/** Lets everything that can run do so; no time passes. */
export const settle = TestClock.adjust(0)

export const Work = RpcGroup.make(
  /** Takes its time, then notes what, and answers with the pid of the worker. */
  Rpc.make("Do", {
    payload: { what: Schema.String, millis: Schema.optional(Schema.Number) },
    success: Schema.instanceOf(Process.Pid)
  }),
  /** Answers when the handler is long through. */
  Rpc.make("Defer", { payload: { millis: Schema.Number }, success: Schema.String }),
  /** Answers with what asking for something else came to. */
  Rpc.make("Ask", { payload: { key: Schema.String }, success: Schema.String }),
  /** Fails at once. */
  Rpc.make("Refuse", { payload: { why: Schema.String }, error: Schema.String }),
  Rpc.make("Crash"),
  Rpc.make("End")
)

export interface Way {
  readonly journal?: Array<string>
  readonly init?: (partition: number) => Effect.Effect<unknown, unknown>
  readonly terminate?: Effect.Effect<unknown>
  readonly capacity?: number
  readonly ask?: (key: string) => Effect.Effect<string>
}

export const worker = (
  partition: number,
  { ask = Effect.succeed, capacity, init = () => Effect.void, journal = [], terminate = Effect.void }: Way
) =>
  GenServer.make(Work, {
    trapExit: true,
    ...(capacity === undefined ? {} : { mailboxCapacity: capacity }),
    init: (self: GenServer.Self<never>) =>
      Effect.suspend(() => init(partition)).pipe(
        Effect.tap(() => journal.push(`+${partition}`)),
        Effect.map(outcome => (outcome === GenServer.ignore ? GenServer.ignore : self))
      ),
    handlers: {
      Do: ({ millis = 0, what }, self) =>
        Effect.suspend(() => {
          journal.push(what)
          return GenServer.reply(self.pid, self)
        }).pipe(millis === 0 ? effect => effect : Effect.delay(millis)),
      Defer: ({ millis }, self, from) =>
        GenServer.replyTo(from, "late").pipe(
          Effect.delay(millis),
          Effect.forkDaemon,
          Effect.as(GenServer.noReply(self))
        ),
      Ask: ({ key }, self) => Effect.map(ask(key), answer => GenServer.reply(answer, self)),
      Refuse: ({ why }, self) => GenServer.fail(why, self),
      Crash: () => Effect.dieMessage("crashed"),
      End: (_, self) => GenServer.stop(ExitReason.normal, self)
    },
    terminate: () =>
      Effect.zipRight(
        terminate,
        Effect.sync(() => journal.push(`-${partition}`))
      )
  })

export type Options = Partial<Omit<Pool.Pool<RpcGroup.Rpcs<typeof Work>, "hash", Process.ProcessTable>, "routing">>

export const keyed = (way: Way = {}, options: Options = {}) =>
  Pool.make({ size: 4, routing: "hash", worker: partition => GenServer.startLink(worker(partition, way)), ...options })

/** Keys of the partitions 0 and 1 of four. */
export const [zero, one] = ["d", "m"]

export const pidOf = (target: Supervisor.Target, id: string) =>
  Effect.map(Supervisor.whichChild(target, id), child => child.pid)

/** That there was an answer, or the error there was instead. */
export const outcome = <R>(answer: Effect.Effect<unknown, { readonly _tag: string }, R>) =>
  Effect.match(answer, { onFailure: error => error._tag, onSuccess: () => "answered" })

export const outcomes = (fibers: Iterable<Fiber.Fiber<unknown, { readonly _tag: string }>>) =>
  Effect.forEach(fibers, fiber => outcome(Fiber.join(fiber)))
