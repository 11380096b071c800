/** A Raft group of one that does what a test wants, with a real engine behind it. */

import type { RaftClient } from "@reckon/raft/RaftClient"
import * as RaftError from "@reckon/raft/RaftError"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Command from "../../src/Command.js"
import type { ConditionCheck } from "../../src/internal/processes/conditionCheck.js"
import type { Service } from "../../src/StoreEngine.js"
import { applyAt } from "./events.js"

/** What becomes of a proposal. `apply` applies it, now, and answers. */
export type Fate = (
  command: Command.Command,
  apply: Effect.Effect<Uint8Array>
) => Effect.Effect<Uint8Array, RaftError.ProposeError>

export const applied: Fate = (_, apply) => apply
export const notLeader: Fate = () => Effect.fail(new RaftError.NotLeader({ leader: null }))
export const overloaded: Fate = () => Effect.fail(new RaftError.Overloaded())
export const lost: Fate = () => Effect.fail(new RaftError.ProposalUnknown({ detail: "the way to the leader broke" }))
export const never: Fate = () => Effect.never

/** Leaves a condition to be judged as a whole when its append is applied. */
export const unchecked: ConditionCheck = condition => Effect.succeed({ ...condition, checkedThrough: -1 })

const streamsOf = (operation: Command.Operation): ReadonlyArray<string> => {
  switch (operation._tag) {
    case "Append":
      return operation.appends.map(({ streamId }) => streamId)
    case "SaveSnapshot":
      return [operation.snapshot.streamId]
    default:
      return [operation.streamId]
  }
}

/** The streams of each proposal, in order, are kept in `proposals`. */
export const makeRaft = (engine: Service, options: { fate: Fate; readBarrier?: RaftClient["readBarrier"] }) => {
  const proposals: Array<ReadonlyArray<string>> = []
  const raft: RaftClient = {
    propose: payload =>
      Effect.suspend(() => {
        const command = Either.getOrThrowWith(Command.decode(payload), error => error)
        proposals.push(command.operations.flatMap(streamsOf))
        return options.fate(
          command,
          Effect.sync(() => Command.encodeReply(applyAt(engine, command.at, ...command.operations)))
        )
      }),
    readBarrier: options.readBarrier ?? Effect.void,
    changeMembership: () => Effect.fail(new RaftError.ChangeRefused({ reason: "last_voter" })),
    replaceMember: () => Effect.fail(new RaftError.ChangeRefused({ reason: "last_voter" })),
    transferLeadership: () => Effect.fail(new RaftError.TransferRefused({ reason: "not_a_member" })),
    problem: () => undefined,
    status: Effect.succeed(null)
  }
  return { raft, proposals }
}
