/**
 * What a member does to the world while it leads: it hands out notifications, and keeps a fiber for each timer and monitor of the machine, which brings its news back
 * through the log. Nothing here is state of the machine: all of it is set up from the replicated state, and dropped with the lead.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as FiberMap from "effect/FiberMap"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { DownReason, Subject } from "../../MachineEffect.js"
import type { RefusalReason } from "../../MachineError.js"
import type { ProposeError } from "../../RaftError.js"
import type { Leadership } from "../../StateMachine.js"
import * as Steady from "../steady.js"
import * as Envelope from "./envelope.js"
import type { Monitor, Timer } from "./obligations.js"
import type { Replicated, Taken } from "./replicated.js"

export interface Leader<State, Notification> {
  readonly lead: (leadership: Leadership | undefined, replicated: Replicated<State, Notification>) => void
  /** An entry of this term was applied. */
  readonly taken: (term: number, taken: Taken<Notification>) => void
  /** What was applied may have changed what is owed. */
  readonly settle: (replicated: Replicated<State, Notification>) => void
}

/** Notifications that may wait for a slow host; more are lost. */
const waitingMax = 4096
/** Steps of a fiber that a notification takes, and more: all that wait are carried out in one go, unless the host itself waits. */
const stepsEach = 16
/** A proposal that failed is repeated after this time, for as long as the member leads. */
const againMillis = 500
/** No sleep is longer, since JavaScript's timers know no more than 24 days. */
const sleepMillisMax = 24 * 3_600_000

const again = Schedule.spaced(againMillis)

const sessionsKey = "sessions"
const timerKey = (name: string): string => `timer ${name}`
const monitorKey = (subject: string): string => `monitor ${subject}`

export const make = <State, Notification, R>(options: {
  readonly notify: (notification: Notification) => Effect.Effect<unknown, unknown, R>
  readonly monitor: (subject: Subject) => Effect.Effect<DownReason, never, R>
}): Effect.Effect<Leader<State, Notification>, never, R | Scope.Scope> =>
  Effect.gen(function* () {
    const duties = yield* FiberMap.make<string, void>()
    const run = yield* FiberMap.runtime(duties)<R>()
    const waiting = yield* Queue.dropping<{ readonly term: number; readonly act: Effect.Effect<unknown, never, R> }>(
      waitingMax
    )
    let leadership: Leadership | undefined
    /** The log has come to the term it leads: what follows may have effects. */
    let acting = false
    let lost = 0

    const drop = (key: string): void => {
      const fiber = FiberMap.unsafeGet(duties, key)
      if (Option.isSome(fiber)) fiber.value.unsafeInterruptAsFork(FiberId.none)
    }

    // ---------------------------------------------------------------------------
    // notifications
    // ---------------------------------------------------------------------------

    const enqueue = (term: number, act: Effect.Effect<unknown, never, R>): void => {
      if (!waiting.unsafeOffer({ term, act })) lost++
    }

    const reportLost = Effect.suspend(() => {
      const count = lost
      lost = 0
      return count === 0
        ? Effect.void
        : Effect.logWarning(`${count} effects of a machine were lost: too many were waiting for its host`)
    })

    const carryOut = Effect.flatMap(Queue.take(waiting), ({ act, term }) => {
      const wanted = leadership?.term === term ? act : Effect.void
      return lost === 0 ? wanted : Effect.zipRight(reportLost, wanted)
    })
    // Not `forever`, which gives way after each: a turn of the event loop may bring thousands, and would see one of them carried out.
    yield* Effect.whileLoop({ while: () => true, body: () => carryOut, step: () => {} }).pipe(
      Effect.withMaxOpsBeforeYield(stepsEach * waitingMax),
      Effect.forkScoped
    )

    const notified = (notification: Notification): Effect.Effect<unknown, never, R> =>
      Effect.suspend(() => options.notify(notification)).pipe(
        Effect.catchAllCause(cause => Effect.logWarning("a machine's notification failed", cause))
      )

    const refused = (reason: RefusalReason): Effect.Effect<void> =>
      Effect.logWarning(`a machine's transition changed nothing: ${reason}`)

    // ---------------------------------------------------------------------------
    // duties
    // ---------------------------------------------------------------------------

    const propose = (payload: Uint8Array): Effect.Effect<Exit.Exit<Uint8Array, ProposeError>> =>
      Effect.async(resume => {
        leadership?.propose(payload, exit => resume(Effect.succeed(exit)))
      })

    /** Until it is applied: then what is owed has changed, which ends this as well. A second one that gets in says nothing new. */
    const bringBack = (envelope: (timeMillis: number) => Envelope.Envelope): Effect.Effect<void> =>
      Clock.currentTimeMillis.pipe(
        Effect.flatMap(now => propose(Envelope.encode(envelope(now)))),
        Effect.repeat({ while: exit => exit._tag === "Failure", schedule: again }),
        Effect.asVoid
      )

    const sleepUntil = (millis: number): Effect.Effect<void> =>
      Effect.flatMap(Clock.currentTimeMillis, now =>
        now >= millis
          ? Effect.void
          : Effect.zipRight(Effect.sleep(Math.min(millis - now, sleepMillisMax)), sleepUntil(millis))
      )

    const clocks = Effect.all([Clock.currentTimeMillis, Steady.millis])

    /** Until so much has passed by one of the clocks: the steady one stands still while a machine sleeps, on some systems, and the other one can be set back. */
    const sleepFor = (millis: number): Effect.Effect<void> =>
      Effect.flatMap(clocks, ([began, steadyBegan]) => {
        const rest: Effect.Effect<void> = Effect.flatMap(clocks, ([now, steady]) => {
          const left = millis - Math.max(now - began, steady - steadyBegan)
          return left <= 0 ? Effect.void : Effect.zipRight(Effect.sleep(Math.min(left, sleepMillisMax)), rest)
        })
        return rest
      })

    /** Where the replicated time is ahead of this clock, the time that is left counts from there: no timer fires early. */
    const fire = ({ armed, deadlineMillis, name }: Timer, replicatedMillis: number): Effect.Effect<void> =>
      Clock.currentTimeMillis.pipe(
        Effect.flatMap(now => sleepFor(deadlineMillis - Math.max(now, replicatedMillis))),
        Effect.zipRight(bringBack(timeMillis => ({ _tag: "TimerFired", timeMillis, name, armed })))
      )

    const watch = (subject: string, monitor: Monitor): Effect.Effect<void, never, R> =>
      Effect.suspend(() => options.monitor(monitor.subject)).pipe(
        Effect.catchAllDefect(defect =>
          Effect.as(
            Effect.logError("a machine's monitor failed: its subject counts as lost", defect),
            "NoConnection" as const
          )
        ),
        Effect.flatMap(reason =>
          bringBack(timeMillis => ({ _tag: "Down", timeMillis, subject, armed: monitor.armed, reason }))
        )
      )

    /** Sessions end by the time of entries. Where no other comes, an entry that carries only the time does it. */
    const expireSessions = (replicated: Replicated<State, Notification>): Effect.Effect<void> =>
      Effect.suspend(() => {
        const deadline = replicated.sessions.deadlineMillis()
        if (deadline === undefined) return Effect.void
        return Effect.flatMap(Clock.currentTimeMillis, now =>
          Effect.zipRight(
            now > deadline ? bringBack(timeMillis => ({ _tag: "Tick", timeMillis })) : sleepUntil(deadline + 1),
            expireSessions(replicated)
          )
        )
      })

    const setTimer = (name: string, replicated: Replicated<State, Notification>): void => {
      const timer = replicated.obligations.timers.get(name)
      if (timer === undefined) drop(timerKey(name))
      else run(timerKey(name), fire(timer, replicated.timeMillis))
    }

    const setMonitor = (subject: string, replicated: Replicated<State, Notification>): void => {
      const monitor = replicated.obligations.monitors.get(subject)
      if (monitor === undefined) drop(monitorKey(subject))
      else run(monitorKey(subject), watch(subject, monitor))
    }

    const settle = (replicated: Replicated<State, Notification>): void => {
      const { obligations, sessions } = replicated
      const begins = !acting && leadership?.term === replicated.term
      acting ||= begins
      if (acting) {
        const timers = begins ? obligations.timers.keys() : obligations.changedTimers
        const monitors = begins ? obligations.monitors.keys() : obligations.changedMonitors
        for (const name of timers) setTimer(name, replicated)
        for (const subject of monitors) setMonitor(subject, replicated)
        if (begins || sessions.grown) run(sessionsKey, expireSessions(replicated))
      }
      obligations.changedTimers.clear()
      obligations.changedMonitors.clear()
      sessions.grown = false
    }

    const lead: Leader<State, Notification>["lead"] = (next, replicated) => {
      if (next?.term !== leadership?.term) {
        acting = false
        for (const [, fiber] of duties) fiber.unsafeInterruptAsFork(FiberId.none)
      }
      leadership = next
      settle(replicated)
    }

    return {
      lead,
      taken: (term, { notifications, refusals }) => {
        if (leadership?.term !== term) return
        for (const notification of notifications) enqueue(term, notified(notification))
        for (const reason of refusals) enqueue(term, refused(reason))
      },
      settle
    }
  })
