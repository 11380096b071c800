/**
 * A client's session with a replicated machine: what is asked in it takes effect at most once, though it may have to be sent again and again.
 *
 * Each request has a number, and the machine keeps the answer to it until the client says that it has it; a request that comes a second time gets the first answer.
 * The group remembers a session until it is closed, or until nothing was heard of it for its time-out, by the replicated time. After that its
 * requests are refused, never applied in silence. It is the exactly-once of the Raft dissertation (6.3).
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { ask, encodeCommand, type Group, type Language, readReply, unexpected } from "./internal/machine/ask.js"
import { sessionTimeoutMillisMax, sessionTimeoutMillisMin } from "./internal/machine/envelope.js"
import { insist } from "./internal/machine/insist.js"
import {
  type ReplyUnreadable,
  type SessionError,
  SessionExpired,
  SessionOutdated,
  SessionOverloaded,
  SessionsExhausted
} from "./MachineError.js"
import type { ProposeError } from "./RaftError.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Session<in Command, out Reply> {
  /** The index of the entry that registered it: no other session of the group has it, ever. `Meta.session` shows it to the machine. */
  readonly id: number
  /**
   * The machine's reply. The command takes effect once, or not at all; a failure says which, or that it is not known. It is sent again until it is answered or the patience is
   * at its end. Calls go side by side and may be applied in any order; one waits for its turn where the oldest without an answer is 128 behind it. The command of a call that is interrupted may still take effect.
   */
  readonly propose: (command: Command) => Effect.Effect<Reply, SessionError>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** How long nothing may be heard of the session before the group forgets it; between 100 ms and a day. One that is shorter than an election, one to two seconds, does not outlive its leader. */
  readonly timeout?: Duration.DurationInput
  /** How long a request is sent again before its failure is told; by default as long as the time-out. */
  readonly patience?: Duration.DurationInput
}

/**
 * @since 0.1.0
 * @category constants
 */
export const timeoutDefault: Duration.DurationInput = "30 seconds"

/** Fewer than the answers that the group keeps for a session, so that a slow one does not stop the others. */
const pipelineMax = 128
/** What closing may cost whoever closes the scope. A session that could not be closed ends by its time-out. */
const closeMillis = 1_000

/**
 * Registers a session, keeps it alive and closes it with the scope.
 *
 * @since 0.1.0
 * @category constructors
 */
export const open = <Command, Reply>(
  machine: Language<Command, Reply>,
  group: Group,
  options: Options = {}
): Effect.Effect<Session<Command, Reply>, ProposeError | SessionsExhausted | ReplyUnreadable, Scope.Scope> =>
  Effect.gen(function* () {
    const timeoutMillis = Math.min(
      Math.max(Math.ceil(Duration.toMillis(options.timeout ?? timeoutDefault)), sessionTimeoutMillisMin),
      sessionTimeoutMillisMax
    )
    const patienceMillis = options.patience === undefined ? timeoutMillis : Duration.toMillis(options.patience)

    // One that was registered by an attempt without an answer is nobody's: it ends by its time-out.
    const registered = yield* insist(patienceMillis, () =>
      ask(group, timeMillis => ({ _tag: "Register", timeMillis, timeoutMillis }))
    )
    if (registered._tag === "SessionsExhausted") return yield* new SessionsExhausted()
    if (registered._tag !== "Registered") return yield* unexpected(registered)
    const id = registered.session

    let isOver = false
    let next = 1
    /** In their order, since a set keeps that of its insertions. */
    const unanswered = new Set<number>()
    const lowest = (): number => unanswered.values().next().value ?? next

    yield* Effect.addFinalizer(() => {
      if (isOver) return Effect.void
      isOver = true
      return ask(group, timeMillis => ({ _tag: "Close", timeMillis, session: id })).pipe(
        Effect.interruptible,
        Effect.timeout(closeMillis),
        Effect.catchAll(error => Effect.logDebug(`session ${id} is left to its time-out`, error))
      )
    })

    const signOfLife = ask(group, timeMillis => ({
      _tag: "KeepAlive",
      timeMillis,
      session: id,
      lowest: lowest()
    })).pipe(
      Effect.timeout(timeoutMillis / 3),
      Effect.tap(answer => {
        isOver ||= answer._tag === "SessionExpired"
      }),
      Effect.tapError(error => Effect.logDebug(`session ${id} could not be kept alive`, error)),
      // Soon, since whoever is elected may be just in time. If none gets through, the group says so to the next request.
      Effect.retry({ schedule: Schedule.spaced(timeoutMillis / 12), until: () => isOver }),
      Effect.ignore
    )
    yield* signOfLife.pipe(Effect.delay(timeoutMillis / 3), Effect.repeat({ until: () => isOver }), Effect.forkScoped)

    const request = (sequence: number, body: Uint8Array): Effect.Effect<Reply, SessionError> =>
      Effect.suspend(() => {
        /** An earlier attempt may be in a log somewhere, or applied. */
        let isOpen = false
        const expired = () => new SessionExpired({ session: id, outcome: isOpen ? "unknown" : "not_applied" })
        return insist(patienceMillis, () => {
          if (isOver) return Effect.fail(expired())
          return ask(group, timeMillis => ({
            _tag: "Request",
            timeMillis,
            session: id,
            sequence,
            lowest: lowest(),
            body
          })).pipe(
            Effect.tapErrorTag("ProposalUnknown", () => {
              isOpen = true
              return Effect.void
            }),
            Effect.flatMap((answer): Effect.Effect<Reply, SessionError> => {
              switch (answer._tag) {
                case "SessionExpired":
                  isOver = true
                  return Effect.fail(expired())
                case "SessionOutdated":
                  return Effect.fail(new SessionOutdated({ session: id, sequence }))
                case "SessionOverloaded":
                  return Effect.fail(new SessionOverloaded({ session: id }))
                default:
                  return readReply(machine, answer)
              }
            })
          )
        })
      })

    // A place is free again once everything up to its request is answered, so the group never has to keep more answers than there are places.
    const places = yield* Effect.makeSemaphore(pipelineMax)
    const settle = (sequence: number) =>
      Effect.suspend(() => {
        const before = lowest()
        unanswered.delete(sequence)
        return places.release(lowest() - before)
      })

    return {
      id,
      propose: command =>
        Effect.flatMap(encodeCommand(machine, command), body =>
          Effect.uninterruptibleMask(restore =>
            Effect.flatMap(restore(places.take(1)), () => {
              const sequence = next++
              unanswered.add(sequence)
              return Effect.ensuring(restore(request(sequence, body)), settle(sequence))
            })
          )
        )
    }
  })
