/**
 * Requests to this member's own process, which are never forwarded: what the transport offers to the other members.
 */
import * as CallError from "@reckon/otp/CallError"
import * as GenServer from "@reckon/otp/GenServer"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import type { Change, MemberId } from "../Membership.js"
import {
  type ChangeError,
  ChangeUnknown,
  NotLeader,
  type ProposeError,
  type ReadError,
  ReadTimeout,
  type TransferError,
  TransferFailed
} from "../RaftError.js"
import { RaftProtocol, type Status } from "../RaftProtocol.js"
import type { Intake, Requests } from "./driver/intake.js"

const isCallError = Schema.is(CallError.CallError)

/** What it means that there was no answer in time, or the process ended before it (`lost`), and that there was nobody to ask (`absent`). */
const unanswered =
  <Lost, Absent>(lost: (detail: string) => Lost, absent: Absent) =>
  (error: CallError.CallError): Lost | Absent => {
    switch (error._tag) {
      case "CallTimeout":
        return lost(`there was no answer within ${error.timeoutMillis} ms`)
      case "ServerExited":
        return lost("the member's process stopped")
      default:
        return absent
    }
  }

/** How long a read waits for its confirmation, and whoever proposes for the process to take it. */
const outcomeLimit = Duration.seconds(5)
/** A change of the membership waits for its commit, a transfer for two election time-outs. */
const administrationLimit = Duration.seconds(15)

const proposeTo = (intake: Requests, payload: Uint8Array): Effect.Effect<Uint8Array, ProposeError> =>
  Effect.async(resume => intake.propose(payload, resume))

/** One wait for all of them: a fiber for each would cost more than the proposals do. */
const proposeAllTo = (
  intake: Requests,
  payloads: ReadonlyArray<Uint8Array>
): Effect.Effect<ReadonlyArray<Either.Either<Uint8Array, ProposeError>>> =>
  Effect.async(resume => {
    const outcomes: Array<Exit.Exit<Uint8Array, ProposeError>> = []
    let open = payloads.length
    if (open === 0) resume(Effect.succeed([]))
    for (const [at, payload] of payloads.entries()) {
      intake.propose(payload, outcome => {
        outcomes[at] = outcome
        open -= 1
        if (open === 0) resume(Effect.forEach(outcomes, Effect.either))
      })
    }
  })

export const localRequests = (processName: string) =>
  Effect.gen(function* () {
    const member = yield* GenServer.named(RaftProtocol, processName).bind
    const nobodyLeads = new NotLeader({ leader: null })
    const unconfirmed = unanswered(() => new ReadTimeout(), new ReadTimeout())
    const unchanged = unanswered(detail => new ChangeUnknown({ detail }), nobodyLeads)
    const untransferred = unanswered(() => new TransferFailed({ outcome: "lost", leader: null }), nobodyLeads)

    let lent: Intake | undefined
    /** Where proposals go, as long as that is known. */
    const intake = (): Requests | undefined => lent?.current()
    // Whoever does not get as far as there has proposed nothing.
    const ask = Effect.matchEffect(member.call("Intake", undefined, { timeout: outcomeLimit }), {
      onFailure: () => Effect.fail(nobodyLeads),
      onSuccess: asked => {
        lent = asked
        const open = intake()
        return open === undefined ? Effect.fail(nobodyLeads) : Effect.succeed(open)
      }
    })
    const found = Effect.suspend(() => {
      const known = intake()
      return known === undefined ? ask : Effect.succeed(known)
    })
    const propose = (payload: Uint8Array): Effect.Effect<Uint8Array, ProposeError> =>
      Effect.flatMap(found, to => proposeTo(to, payload))
    const proposeAll = (
      payloads: ReadonlyArray<Uint8Array>
    ): Effect.Effect<ReadonlyArray<Either.Either<Uint8Array, ProposeError>>> =>
      Effect.matchEffect(found, {
        onFailure: error => Effect.succeed(payloads.map(() => Either.left(error))),
        onSuccess: to => proposeAllTo(to, payloads)
      })
    const readIndex: Effect.Effect<number, ReadError> = Effect.mapError(
      member.call("ReadIndex", undefined, { timeout: outcomeLimit }),
      error => (isCallError(error) ? unconfirmed(error) : error)
    )
    const awaitApplied = (index: number): Effect.Effect<void, ReadError> =>
      Effect.mapError(member.call("AwaitApplied", { index }, { timeout: outcomeLimit }), error =>
        isCallError(error) ? unconfirmed(error) : error
      )
    const changeMembership = (change: Change): Effect.Effect<number, ChangeError> =>
      Effect.mapError(member.call("ChangeMembership", { change }, { timeout: administrationLimit }), error =>
        isCallError(error) ? unchanged(error) : error
      )
    const transferLeadership = (target: MemberId): Effect.Effect<void, TransferError> =>
      Effect.mapError(member.call("TransferLeadership", { target }, { timeout: administrationLimit }), error =>
        isCallError(error) ? untransferred(error) : error
      )
    const status: Effect.Effect<Status | null> = Effect.orElseSucceed(member.call("Status", undefined), () => null)
    return { intake, found, propose, proposeAll, readIndex, awaitApplied, changeMembership, transferLeadership, status }
  })
