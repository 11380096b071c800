/**
 * Proposals from the moment they are taken to the one outcome that each has.
 */
import * as Exit from "effect/Exit"
import type { LogEntry } from "../../LogEntry.js"
import { NotLeader, Overloaded, ProposalUnknown, type ProposeError } from "../../RaftError.js"
import type { ProposalsAppended } from "../../RaftOutput.js"
import type { Reply } from "./reply.js"

type Proposer = Reply<Uint8Array, ProposeError>

interface Gathered {
  readonly id: number
  readonly payload: Uint8Array
}

export interface Proposals {
  /** How many have no outcome yet. */
  readonly open: () => number
  /** False where it was refused at once: too many have no outcome yet. */
  readonly gather: (payload: Uint8Array, reply: Proposer) => boolean
  /** Those that have gathered, as one batch. */
  readonly take: () => ReadonlyArray<Gathered>
  readonly appended: (output: ProposalsAppended) => void
  readonly refused: (ids: ReadonlyArray<number>, error: ProposeError) => void
  /** The entry has been applied: those that wait for its index are told whether it was theirs. */
  readonly applied: (entry: LogEntry, answer: Uint8Array, leader: string | undefined) => void
  /** A snapshot stands for all entries up to its index: whether those of the proposals were among them is not to be seen. */
  readonly covered: (throughIndex: number) => void
}

/** Proposals without an outcome, before more are refused. */
const openMax = 16_384

export const make = (nextId: () => number): Proposals => {
  let gathered: Array<Gathered> = []
  const proposers = new Map<number, Proposer>()
  const byIndex = new Map<number, Array<{ readonly id: number; readonly term: number }>>()

  const settle = (id: number, exit: Exit.Exit<Uint8Array, ProposeError>) => {
    const reply = proposers.get(id)
    proposers.delete(id)
    reply?.(exit)
  }

  return {
    open: () => proposers.size,
    gather: (payload, reply) => {
      if (proposers.size >= openMax) {
        reply(Exit.fail(new Overloaded()))
        return false
      }
      const id = nextId()
      proposers.set(id, reply)
      gathered.push({ id, payload })
      return true
    },
    take: () => {
      const batch = gathered
      gathered = []
      return batch
    },
    appended: ({ proposals }) => {
      for (const { id, index, term } of proposals) {
        const there = byIndex.get(index)
        if (there === undefined) byIndex.set(index, [{ id, term }])
        else there.push({ id, term })
      }
    },
    refused: (ids, error) => {
      for (const id of ids) settle(id, Exit.fail(error))
    },
    applied: (entry, answer, leader) => {
      const there = byIndex.get(entry.index)
      if (there === undefined) return
      byIndex.delete(entry.index)
      for (const { id, term } of there) {
        // An entry of another term has taken the place for good, so the proposal never will be applied.
        settle(id, term === entry.term ? Exit.succeed(answer) : Exit.fail(new NotLeader({ leader: leader ?? null })))
      }
    },
    covered: throughIndex => {
      for (const [index, there] of byIndex) {
        if (index > throughIndex) continue
        byIndex.delete(index)
        for (const { id } of there) {
          settle(id, Exit.fail(new ProposalUnknown({ detail: "a snapshot took the place of the log it was in" })))
        }
      }
    }
  }
}
