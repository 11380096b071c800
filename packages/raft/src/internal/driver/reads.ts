/**
 * Reads that wait for the index they must have seen, and then for that index to be applied.
 */
import * as Exit from "effect/Exit"
import { NotLeader, Overloaded, type ReadError } from "../../RaftError.js"
import type { Reply } from "./reply.js"

export interface Reads {
  /** False where it was refused at once. */
  readonly gather: (reply: Reply<number, ReadError>) => boolean
  /** One round of confirmations serves every read that asked before it began: the id of a round for those that gathered, if any did. */
  readonly take: () => number | undefined
  readonly settle: (id: number, exit: Exit.Exit<number, ReadError>) => void
  /** Tells when the index is applied. */
  readonly awaitApplied: (index: number, reply: Reply<void, ReadError>) => void
  readonly applied: () => void
  /** To all that wait: this member does not lead, nor does it hear of a leader. */
  readonly refuse: () => void
}

/** Reads that may gather, and callers that may wait for an index, before more are refused. */
const waitingMax = 16_384

export const make = (nextId: () => number, appliedIndex: () => number): Reads => {
  let gathered: Array<Reply<number, ReadError>> = []
  const rounds = new Map<number, ReadonlyArray<Reply<number, ReadError>>>()
  let waiting: Array<{ readonly index: number; readonly reply: Reply<void, ReadError> }> = []

  return {
    gather: reply => {
      if (gathered.length >= waitingMax) {
        reply(Exit.fail(new Overloaded()))
        return false
      }
      gathered.push(reply)
      return true
    },
    take: () => {
      if (gathered.length === 0) return undefined
      const id = nextId()
      rounds.set(id, gathered)
      gathered = []
      return id
    },
    settle: (id, exit) => {
      const replies = rounds.get(id) ?? []
      rounds.delete(id)
      for (const reply of replies) reply(exit)
    },
    awaitApplied: (index, reply) => {
      if (index <= appliedIndex()) reply(Exit.void)
      else if (waiting.length >= waitingMax) reply(Exit.fail(new Overloaded()))
      else waiting.push({ index, reply })
    },
    applied: () => {
      if (waiting.length === 0) return
      const applied = appliedIndex()
      const all = waiting
      waiting = []
      for (const waiter of all) {
        if (waiter.index <= applied) waiter.reply(Exit.void)
        else waiting.push(waiter)
      }
    },
    refuse: () => {
      const all = [...gathered, ...[...rounds.values()].flat(), ...waiting.map(({ reply }) => reply)]
      gathered = []
      rounds.clear()
      waiting = []
      for (const reply of all) reply(Exit.fail(new NotLeader({ leader: null })))
    }
  }
}
