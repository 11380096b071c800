/**
 * A group as its users on one node see it: propose and read through whichever member leads, across elections and restarts of the local process.
 *
 * @since 0.1.0
 */
import type { ProcessTable } from "@reckon/otp/Process"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { coalesce } from "./internal/coalesce.js"
import { localRequests } from "./internal/localRequests.js"
import { replaceMember } from "./internal/replaceMember.js"
import * as Steady from "./internal/steady.js"
import * as Membership from "./Membership.js"
import {
  type ChangeError,
  ChangeRefused,
  NotLeader,
  ProposalUnknown,
  type ProposeError,
  type ReadError,
  type TransferError,
  TransferRefused
} from "./RaftError.js"
import type { Status } from "./RaftProtocol.js"
import { RaftTransport } from "./RaftTransport.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface RaftClient {
  /** The state machine's reply, once the command is committed and applied. */
  readonly propose: (payload: Uint8Array) => Effect.Effect<Uint8Array, ProposeError>
  /**
   * Returns once this member has applied everything that was acknowledged anywhere before the call: what is read then is linearizable. Of a machine that can fall back to an earlier index, when its disk
   * fails or with the member's process, only where it did not since the call.
   */
  readonly readBarrier: Effect.Effect<void, ReadError>
  /**
   * Adds a member, as a learner whom its leader makes a voter once it keeps up, or removes one for ever. Answers the index at which the change is
   * committed. One change at a time: while there is another, or the leader has committed nothing in its term, it waits for a few seconds before it is refused.
   */
  readonly changeMembership: (change: Membership.Change) => Effect.Effect<number, ChangeError>
  /**
   * Puts a new member in the place of another: adds it, waits until it keeps up and votes, and removes the other one, for ever. However long that takes: interrupt it to
   * give up. Where it failed or was interrupted it can be called again, and goes on with what is left to do.
   */
  readonly replaceMember: (members: {
    readonly add: Membership.MemberId
    readonly remove: Membership.MemberId
  }) => Effect.Effect<void, ChangeError>
  /** Makes another voter the leader; returns once it leads. Proposals are refused, and wait here, while it takes over. */
  readonly transferLeadership: (target: Membership.MemberId) => Effect.Effect<void, TransferError>
  /** Why this member was set aside, and answers nobody before it is started anew, as far as a request has found out. */
  readonly problem: () => string | undefined
  /** `null` while the member's process is down. */
  readonly status: Effect.Effect<Status | null>
}

/** How long a request waits for a leader to be known: a little more than an election takes, and less than a client's patience with one node. */
const leaderMillis = 3_000
const leaderPollMillis = 50
/**
 * How long the answer to a proposal is waited for once its leader was replaced. One that lives hears of its successor with the next heartbeat, and knows soon after what became of its entries; one
 * that is stopped or cut off would hold the proposer up, and with it what has to stay behind that, for as long as a request may take.
 */
const farewellMillis = 500

/**
 * What is refused for a moment only is asked again for as long as a leader is waited for: one that was elected just now has committed nothing in its term, and a change or a transfer that is under way is
 * over soon, where there is a majority. Nothing was done.
 */
const onceItMay = <A, E>(change: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.retry(change, {
    while: error => (error instanceof ChangeRefused || error instanceof TransferRefused) && error.retryable,
    schedule: Schedule.spaced(leaderPollMillis),
    times: leaderMillis / leaderPollMillis
  })

/** Asked before anything is sent: no message can carry another name, nor an entry. */
const isName = Schema.is(Membership.MemberId)

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: {
  readonly group: string
  readonly self: string
  readonly processName: string
}): Effect.Effect<RaftClient, never, ProcessTable | RaftTransport | Scope.Scope> =>
  Effect.gen(function* () {
    const transport = yield* RaftTransport
    const local = yield* localRequests(options.processName)

    /**
     * Tries here, then at the leader that this member names; while nobody is named, again until there is one. Only `NotLeader` is tried again: it is the
     * one failure that says that nothing happened. At the leader it costs no more than the attempt. A member that takes no part will never name one.
     */
    const atLeader = <A, E>(
      here: Effect.Effect<A, E | NotLeader>,
      there: (leader: string) => Effect.Effect<A, E | NotLeader>,
      first = here
    ): Effect.Effect<A, E | NotLeader> =>
      Effect.catchAll(first, error =>
        error instanceof NotLeader
          ? Effect.flatMap(Steady.millis, now => elsewhere(here, there, error, now + leaderMillis))
          : Effect.fail(error)
      )

    const takesPart = Effect.match(local.found, {
      onFailure: () => true,
      onSuccess: intake => intake.problem() === undefined
    })

    const elsewhere = <A, E>(
      here: Effect.Effect<A, E | NotLeader>,
      there: (leader: string) => Effect.Effect<A, E | NotLeader>,
      { leader }: NotLeader,
      deadline: number
    ): Effect.Effect<A, E | NotLeader> => {
      const named = leader === null || leader === options.self ? Effect.fail(new NotLeader({ leader })) : there(leader)
      return Effect.catchAll(named, error =>
        error instanceof NotLeader
          ? Effect.flatMap(Effect.all([Steady.millis, takesPart]), ([now, isInGroup]) =>
              now >= deadline || !isInGroup
                ? Effect.fail(error)
                : Effect.catchAll(Effect.delay(here, leaderPollMillis), again =>
                    again instanceof NotLeader ? elsewhere(here, there, again, deadline) : Effect.fail(again)
                  )
            )
          : Effect.fail(error)
      )
    }

    /** The answer of a leader, or what `otherwise` makes of its silence once this member knows of another one. */
    const whileItLeads = <A, E>(leader: string, request: Effect.Effect<A, E>, otherwise: Effect.Effect<A, E>) => {
      const replaced = Effect.async<void>(resume => {
        const callOff = local.intake()?.whenReplaced(leader, () => resume(Effect.void))
        return Effect.sync(() => callOff?.())
      })
      // To take a request back can take as long as to have it answered.
      return Effect.raceFirst(Effect.disconnect(request), Effect.zipRight(replaced, otherwise))
    }

    const confirmation = yield* coalesce(
      atLeader<number, ReadError>(local.readIndex, leader =>
        whileItLeads(leader, transport.readIndex(options.group, leader), new NotLeader({ leader: null }))
      ).pipe(Effect.flatMap(local.awaitApplied))
    )

    /** Where this member can say by itself that it is where it has to be, a read waits for nothing, and does not even give way. */
    const readBarrier: RaftClient["readBarrier"] = Effect.suspend(() => {
      const intake = local.intake()
      if (intake?.isCurrent() === true) return Effect.void
      // For the reads that follow.
      return intake === undefined ? Effect.zipLeft(confirmation, Effect.ignore(local.found)) : confirmation
    })

    const proposeAtLeader = (payload: Uint8Array, first?: Effect.Effect<Uint8Array, ProposeError>) =>
      atLeader<Uint8Array, ProposeError>(
        local.propose(payload),
        leader =>
          whileItLeads(
            leader,
            transport.propose(options.group, leader, payload),
            Effect.delay(
              new ProposalUnknown({ detail: `${leader} leads no more, and has not said what became of it` }),
              farewellMillis
            )
          ),
        first
      )

    /** Where this member leads there is nothing between the proposer and its process. */
    const propose: RaftClient["propose"] = payload =>
      Effect.async(resume => {
        const intake = local.intake()
        if (intake === undefined) resume(proposeAtLeader(payload))
        else {
          intake.propose(payload, outcome =>
            resume(Exit.isSuccess(outcome) ? outcome : proposeAtLeader(payload, outcome))
          )
        }
      })

    const changeMembership: RaftClient["changeMembership"] = change =>
      isName(change.member)
        ? onceItMay(
            atLeader<number, ChangeError>(local.changeMembership(change), leader =>
              transport.changeMembership(options.group, leader, change)
            )
          )
        : new ChangeRefused({ reason: change._tag === "Add" ? "invalid_name" : "not_a_member" })

    return {
      propose,
      readBarrier,
      changeMembership,
      replaceMember: replaceMember({ changeMembership, status: local.status }),
      transferLeadership: target =>
        isName(target)
          ? onceItMay(
              atLeader<void, TransferError>(local.transferLeadership(target), leader =>
                transport.transferLeadership(options.group, leader, target)
              )
            )
          : new TransferRefused({ reason: "not_a_member" }),
      problem: () => local.intake()?.problem(),
      status: local.status
    }
  })
