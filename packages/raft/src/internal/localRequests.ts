/**
 * Requests to this member's own process, which are never forwarded: what the transport offers to the other members.
 */
import * as CallError from "@reckon/otp/CallError"
import * as GenServer from "@reckon/otp/GenServer"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Change, MemberId } from "../Membership.js"
import {
  type ChangeError,
  ChangeUnknown,
  NotLeader,
  ProposalUnknown,
  type ProposeError,
  type ReadError,
  ReadTimeout,
  type TransferError,
  TransferFailed
} from "../RaftError.js"
import { RaftProtocol, type Status } from "../RaftProtocol.js"

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

/** How long a proposal waits to be committed before its outcome is declared unknown, and a read for its confirmation. */
const outcomeLimit = Duration.seconds(5)
/** A change of the membership waits for its commit, a transfer for two election time-outs. */
const administrationLimit = Duration.seconds(15)

export const localRequests = (processName: string) =>
  Effect.map(GenServer.named(RaftProtocol, processName).bind, member => {
    const nobodyLeads = new NotLeader({ leader: null })
    const unproposed = unanswered(detail => new ProposalUnknown({ detail }), nobodyLeads)
    const unconfirmed = unanswered(() => new ReadTimeout(), new ReadTimeout())
    const unchanged = unanswered(detail => new ChangeUnknown({ detail }), nobodyLeads)
    const untransferred = unanswered(() => new TransferFailed({ outcome: "lost", leader: null }), nobodyLeads)

    const propose = (payload: Uint8Array): Effect.Effect<Uint8Array, ProposeError> =>
      Effect.mapError(member.call("Propose", { payload }, { timeout: outcomeLimit }), error =>
        isCallError(error) ? unproposed(error) : error
      )
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
    return { propose, readIndex, awaitApplied, changeMembership, transferLeadership, status }
  })
