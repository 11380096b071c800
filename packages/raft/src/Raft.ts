/**
 * One member of a Raft group as a supervised process: it feeds the pure core from a single queue and carries out what the core asks for.
 *
 * A walk through it: proposals gather while the queue is busy and enter the core as one batch; what the core wants durable is staged; once the queue
 * has drained, one flush makes everything staged durable (group commit); then the core is told, acknowledgements leave, and what is committed is
 * applied in one transaction of the state machine, whose replies go to the proposers.
 *
 * What is applied, and durably so, is cut from the log but for a tail; a member that needs more is sent a snapshot of the machine, piece by piece, beside
 * the queue.
 *
 * With everything that leaves goes the group's {@link Incarnation}, and what comes from another is dropped before the core hears of it.
 *
 * Messages to followers leave before the leader's own flush; votes and acknowledgements leave after it, because they promise durability.
 *
 * @since 0.1.0
 */
import type * as RpcGroup from "@effect/rpc/RpcGroup"
import * as ExitReason from "@reckon/otp/ExitReason"
import * as GenServer from "@reckon/otp/GenServer"
import type { ProcessTable } from "@reckon/otp/Process"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import * as Compaction from "./Compaction.js"
import * as Incarnation from "./Incarnation.js"
import * as Admission from "./internal/driver/admission.js"
import { isDamage } from "./internal/driver/applying.js"
import * as Aside from "./internal/driver/aside.js"
import * as Driver from "./internal/driver/driver.js"
import { type DriverInput, isDriverInput } from "./internal/driver/input.js"
import * as Pace from "./internal/driver/pace.js"
import * as Forwarded from "./internal/forwarded.js"
import { localRequests } from "./internal/localRequests.js"
import * as Snapshots from "./internal/snapshot/snapshots.js"
import type * as RaftCore from "./RaftCore.js"
import type { RaftLog } from "./RaftLog.js"
import { RaftProtocol } from "./RaftProtocol.js"
import { RaftTransport } from "./RaftTransport.js"
import type { StateMachine } from "./StateMachine.js"

/**
 * What a member has for one life of its process.
 *
 * @since 0.1.0
 * @category models
 */
export interface Opened {
  readonly log: Context.Tag.Service<RaftLog>
  readonly machine: Context.Tag.Service<StateMachine>
  /**
   * Told where the member stands as its life begins, and of each transition of its core before anything comes of it, in one line each, see `Trace`. It runs
   * inside the process, so it is quick and does not throw. Without it no line is made. `TraceFile` keeps them.
   */
  readonly trace?: ((line: string) => void) | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Options<E, R> {
  /** The group's name, the same on all members. */
  readonly group: string
  readonly self: string
  /** The founding voters, `self` among them; none where this member joins a group that has others. What the log says counts for more. */
  readonly voters: ReadonlyArray<string>
  /** The name the process registers, by which {@link RaftClient} finds it across restarts. */
  readonly processName: string
  /** Opens what the member has anew at each start of the process; its scope closes with the process. */
  readonly open: Effect.Effect<Opened, E, R | Scope.Scope>
  /**
   * Why the member cannot be opened just now, where that may pass by itself: it is set aside then, says so, and is started anew once it can. Where this is absent, or has no answer, what cannot be opened
   * fails the start.
   */
  readonly passing?: (error: E) => string | undefined
  /** Told of each change of role, term or known leader. */
  readonly onRoleChanged?: (change: RaftCore.RoleChanged) => Effect.Effect<void>
  /** Told of each configuration that comes in force, and may yet be taken back. */
  readonly onMembershipChanged?: (change: RaftCore.MembershipChanged) => Effect.Effect<void>
  /** The unit of the core's time. */
  readonly tick?: Duration.DurationInput
  readonly limits?: Partial<RaftCore.Options>
  /** When the log is cut, and how much of it stays. */
  readonly compaction?: Partial<Compaction.Compaction>
}

/**
 * A member's process, by what it answers. It is asked by `RaftClient`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Member extends GenServer.Ref<RpcGroup.Rpcs<typeof RaftProtocol>> {}

/**
 * With the core's ten to twenty ticks until an election, a dead leader is replaced after one to two seconds.
 *
 * @since 0.1.0
 * @category constants
 */
export const tickDefault = Duration.millis(100)

/** How often a member that was set aside looks whether that is over. */
const probeEvery = Duration.seconds(5)
const over = ExitReason.shutdown("what kept it out is over")

/** Opens what the member has within a scope. */
type OpenIn<E> = (scope: Scope.Scope) => Effect.Effect<Opened, E>

const openerOf = <E, R>({ open }: Options<E, R>): Effect.Effect<OpenIn<E>, never, R | Scope.Scope> =>
  Effect.map(
    Effect.context<R | Scope.Scope>(),
    context => scope =>
      Effect.mapInputContext(open, (_: Context.Context<never>) => Context.add(context, Scope.Scope, scope))
  )

/** What the member has. Where it cannot be opened nothing of it stays open. */
const whole = <E>(openIn: OpenIn<E>) =>
  Effect.flatMap(Effect.scope, parent =>
    Effect.flatMap(Scope.fork(parent, ExecutionStrategy.sequential), scope =>
      Effect.tapErrorCause(openIn(scope), cause => Scope.close(scope, Exit.failCause(cause)))
    )
  )

/** A member with nothing open, until it can be opened, or cannot for a reason that does not pass. */
const standBy = <E>(
  openIn: OpenIn<E>,
  options: Pick<Options<E, never>, "group" | "onRoleChanged" | "passing" | "self" | "voters">,
  why: string
) =>
  Effect.gen(function* () {
    const { group, onRoleChanged, passing, self, voters } = options
    const problem = `${why}. Until it can be opened, which is tried every few seconds, ${self} takes no part in the group "${group}"`
    const isOver = Effect.map(
      Effect.exit(Effect.scoped(Effect.flatMap(Effect.scope, openIn))),
      Exit.match({
        onSuccess: () => true,
        onFailure: cause => Option.exists(Cause.failureOption(cause), error => passing?.(error) === undefined)
      })
    )
    const member = Aside.unopened({ self, voters, problem, isOver })
    yield* member.intake.lend
    yield* Effect.logError(problem)
    if (onRoleChanged !== undefined) {
      yield* onRoleChanged({ _tag: "RoleChanged", role: "follower", term: 0, leader: undefined })
    }
    return member
  })

/**
 * Starts the member, linked to the calling process. What cannot be opened fails the start, and is no crash: the starter alone is told.
 *
 * @since 0.1.0
 * @category constructors
 */
export const startLink = <E, R>(
  options: Options<E, R>
): Effect.Effect<Member, GenServer.StartError, ProcessTable | RaftTransport | Exclude<R, Scope.Scope>> =>
  GenServer.startLink(
    GenServer.make(RaftProtocol, {
      init: (self: GenServer.Self<DriverInput>) =>
        Effect.gen(function* () {
          const scope = yield* Effect.scope
          const probe = Effect.sync(() => self.unsafeSend({ _tag: "Probe" })).pipe(
            Effect.delay(probeEvery),
            Effect.forever,
            Effect.forkIn(scope),
            Effect.asVoid
          )
          const transport = yield* RaftTransport
          const openIn = yield* openerOf(options)
          const opened = yield* Effect.either(whole(openIn))
          if (Either.isLeft(opened)) {
            const why = options.passing?.(opened.left)
            if (why === undefined) return yield* Effect.fail(opened.left)
            return yield* Effect.zipLeft(standBy(openIn, options, why), probe)
          }
          const { log, machine, trace } = opened.right
          const wake = self.unsafeSend
          const admission = Admission.make(options)
          const snapshots = yield* Snapshots.make({ ...options, transport, log, machine, admission, wake })
          yield* snapshots.recover
          const pace = Pace.make({
            tick: options.tick ?? tickDefault,
            onTick: () => driver.tick(),
            isQuiet: () => driver.isQuiet()
          })
          const driver: Driver.Driver = Driver.make({
            group: options.group,
            self: options.self,
            voters: options.voters,
            limits: options.limits,
            compaction: { ...Compaction.defaults, ...options.compaction },
            onRoleChanged: options.onRoleChanged ?? (() => Effect.void),
            onMembershipChanged: options.onMembershipChanged ?? (() => Effect.void),
            trace,
            admission,
            seed: yield* Random.nextIntBetween(1, 2 ** 31),
            newIncarnation: yield* Incarnation.draw,
            clock: yield* Effect.clock,
            tickMillis: Duration.toMillis(options.tick ?? tickDefault),
            transport,
            log,
            machine,
            courier: snapshots.courier,
            install: snapshots.install,
            wake,
            stir: pace.stir,
            probe
          })
          yield* Effect.addFinalizer(() => Effect.sync(() => driver.close("the member's process stopped")))
          yield* driver.intake.lend
          const local = yield* localRequests(options.processName)
          yield* transport.listen(options.group, {
            ...local,
            proposeAll: Forwarded.readable(machine, local.proposeAll),
            receive: driver.receive,
            takeSnapshot: snapshots.take,
            claim: admission.claim,
            standingOf: admission.standingOf,
            admits: admission.admitsRequest
          })
          yield* Effect.forkScoped(pace.run)
          return driver
        }).pipe(
          // A file that cannot be used is no crash: whoever starts the member is told, and nobody else.
          Effect.catchAll(error => Effect.succeed(GenServer.initFail(ExitReason.crash(Cause.fail(error)))))
        ),
      handlers: {
        Intake: (_, driver) => Effect.succeed(GenServer.reply(driver.intake, driver)),
        ReadIndex: (_, driver, from) => {
          driver.readIndex(exit => from.settle(exit))
          return GenServer.noReply(driver)
        },
        AwaitApplied: ({ index }, driver, from) => {
          driver.awaitApplied(index, exit => from.settle(exit))
          return GenServer.noReply(driver)
        },
        ChangeMembership: ({ change }, driver, from) =>
          Effect.as(
            driver.changeMembership(change, exit => from.settle(exit)),
            GenServer.noReply(driver)
          ),
        TransferLeadership: ({ target }, driver, from) =>
          Effect.as(
            driver.transferLeadership(target, exit => from.settle(exit)),
            GenServer.noReply(driver)
          ),
        Status: (_, driver) => Effect.succeed(GenServer.reply(driver.status(), driver))
      },
      info: (message, driver) =>
        isDriverInput(message)
          ? Effect.matchCauseEffect(driver.handle(message), {
              onSuccess: () => GenServer.noReply(driver),
              onFailure: (cause): Effect.Effect<GenServer.Outcome<Driver.Driver, never, never>> => {
                const damage = Cause.squash(cause)
                if (damage instanceof Aside.Over) return Effect.succeed(GenServer.stop(over, driver))
                return isDamage(damage)
                  ? Effect.as(driver.setAside(damage), GenServer.noReply(Aside.make(driver)))
                  : Effect.failCause(cause)
              }
            })
          : // It traps no exits, monitors nobody and asks for no timeout.
            GenServer.noReply(driver)
    }),
    { name: options.processName }
  )
