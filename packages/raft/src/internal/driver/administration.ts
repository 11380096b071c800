/**
 * Changes of the membership and transfers of the leadership that somebody waits for. The core takes one of each at a time and
 * refuses the others, so few ever wait.
 */
import * as Exit from "effect/Exit"
import type { MemberId } from "../../Membership.js"
import {
  type ChangeError,
  ChangeRefused,
  ChangeUnknown,
  NotLeader,
  type TransferError,
  TransferFailed,
  TransferRefused
} from "../../RaftError.js"
import type * as RaftOutput from "../../RaftOutput.js"
import type { Reply } from "./reply.js"

export interface Administration {
  /** The id under which the core will answer. */
  readonly change: (reply: Reply<number, ChangeError>) => number
  readonly transfer: (reply: Reply<void, TransferError>) => number
  readonly answer: (
    output:
      | RaftOutput.ChangeCommitted
      | RaftOutput.ChangeRefused
      | RaftOutput.ChangeUnknown
      | RaftOutput.TransferEnded
      | RaftOutput.TransferRefused,
    leader: MemberId | undefined
  ) => void
}

/** Takes what stands under the id out of the map. */
const take = <A>(waiting: Map<number, A>, id: number): A | undefined => {
  const found = waiting.get(id)
  waiting.delete(id)
  return found
}

export const make = (nextId: () => number): Administration => {
  const changes = new Map<number, Reply<number, ChangeError>>()
  const transfers = new Map<number, Reply<void, TransferError>>()

  const enter = <A>(waiting: Map<number, A>, reply: A): number => {
    const id = nextId()
    waiting.set(id, reply)
    return id
  }

  return {
    change: reply => enter(changes, reply),
    transfer: reply => enter(transfers, reply),
    answer: (output, leader) => {
      switch (output._tag) {
        case "ChangeCommitted":
          return take(changes, output.id)?.(Exit.succeed(output.index))
        case "ChangeRefused":
          return take(
            changes,
            output.id
          )?.(
            Exit.fail(
              output.reason === "not_leader"
                ? new NotLeader({ leader: output.leader ?? null })
                : new ChangeRefused({ reason: output.reason })
            )
          )
        case "ChangeUnknown":
          return take(
            changes,
            output.id
          )?.(
            Exit.fail(new ChangeUnknown({ detail: `its leader stepped down with the change at index ${output.index}` }))
          )
        case "TransferRefused":
          return take(
            transfers,
            output.id
          )?.(
            Exit.fail(
              output.reason === "not_leader"
                ? new NotLeader({ leader: output.leader ?? null })
                : new TransferRefused({ reason: output.reason })
            )
          )
        case "TransferEnded":
          return take(
            transfers,
            output.id
          )?.(
            output.outcome === "transferred"
              ? Exit.void
              : Exit.fail(new TransferFailed({ outcome: output.outcome, leader: leader ?? null }))
          )
      }
    }
  }
}
