/**
 * Proposals from the moment they are taken to the one outcome that each has.
 *
 * They are kept by the batch in which they went to the core, not in a table of each: a `Map` that many thousand entries a second go through
 * leaves its outgrown tables to the collector, each of which holds on to the next one and to what was in it, so that none of it dies young.
 */
import type * as Clock from "effect/Clock"
import * as Exit from "effect/Exit"
import type { LogEntry } from "../../LogEntry.js"
import { NotLeader, Overloaded, ProposalUnknown, type ProposeError } from "../../RaftError.js"
import type { ProposalsAppended } from "../../RaftOutput.js"
import { assertInvariant, broken } from "../core/invariant.js"
import type { Reply } from "./reply.js"

type Proposer = Reply<Uint8Array, ProposeError>

interface Proposal {
  readonly id: number
  readonly payload: Uint8Array
}

/** Accepted: its entries follow each other from `firstIndex` on, and each is applied after the one before. */
interface Batch {
  readonly firstIndex: number
  readonly term: number
  readonly proposers: ReadonlyArray<Proposer>
  /** When the first of them was taken. */
  readonly sinceMillis: number
  /** How many of the first have their outcome. */
  settled: number
}

export interface Proposals {
  /** How many have no outcome yet. */
  readonly open: () => number
  /** False where it was refused at once: too many have no outcome yet. */
  readonly gather: (payload: Uint8Array, reply: Proposer) => boolean
  /** Those that have gathered, as one batch, of which the core says at once whether it was `appended` or `refused`. */
  readonly take: () => ReadonlyArray<Proposal>
  readonly appended: (output: ProposalsAppended) => void
  readonly refused: (ids: ReadonlyArray<number>, error: ProposeError) => void
  /** The first of the entries have been applied, one for each answer: those that wait for their indexes are told whether it was theirs. */
  readonly applied: (
    entries: ReadonlyArray<LogEntry>,
    answers: ReadonlyArray<Uint8Array>,
    leader: string | undefined
  ) => void
  /** A snapshot stands for all entries up to its index: whether those of the proposals were among them is not to be seen. */
  readonly covered: (throughIndex: number) => void
  /** To be called now and then: answers those whose time is up. What is in the log may yet be applied, what was not taken to the core never will. */
  readonly expire: () => void
  /** Answers all of them, and refuses what comes after. `detail`: why. */
  readonly close: (detail: string) => void
}

/** Proposals without an outcome, before more are refused. */
const openMax = 16_384
/** How long a proposal waits to be applied before its outcome is declared unknown. */
const outcomeMillis = 5_000

export const make = (nextId: () => number, clock: Pick<Clock.Clock, "unsafeCurrentTimeNanos">): Proposals => {
  const nowMillis = () => Number(clock.unsafeCurrentTimeNanos()) / 1e6
  let isClosed = false
  let proposals: Array<Proposal> = []
  /** Of those that have gathered, and of those that were taken. */
  let gathered: Array<Proposer> = []
  let gatheredMillis = 0
  let taken: ReadonlyArray<Proposer> = []
  /** In the order in which they were appended, so that of two that claim an index the later term comes later. */
  let batches: Array<Batch> = []
  let open = 0

  const answerTaken = (count: number): ReadonlyArray<Proposer> => {
    const proposers = taken
    taken = []
    assertInvariant(proposers.length === count, "a batch is taken or refused as a whole", {
      batch: proposers.length,
      answered: count
    })
    return proposers
  }

  /** One outcome for all of them, which are no longer kept by now. */
  const answer = (proposers: ReadonlyArray<Proposer>, error: ProposeError) => {
    const outcome = Exit.fail(error)
    open -= proposers.length
    for (const reply of proposers) reply(outcome)
  }

  const giveUp = (ended: ReadonlyArray<Batch>, detail: string) => {
    if (ended.length === 0) return
    batches = batches.filter(batch => !ended.includes(batch))
    answer(
      ended.flatMap(({ proposers, settled }) => proposers.slice(settled)),
      new ProposalUnknown({ detail })
    )
  }

  const dropGathered = (error: ProposeError) => {
    const dropped = gathered
    proposals = []
    gathered = []
    answer(dropped, error)
  }

  /** Gives all up to the index that have none yet their outcome. */
  const settle = (
    throughIndex: number,
    outcome: (index: number, term: number) => Exit.Exit<Uint8Array, ProposeError>
  ) => {
    let ended = 0
    for (const batch of batches) {
      const { firstIndex, proposers, term } = batch
      const end = Math.min(proposers.length, throughIndex + 1 - firstIndex)
      while (batch.settled < end) {
        const at = batch.settled++
        open--
        proposers[at]?.(outcome(firstIndex + at, term))
      }
      if (batch.settled === proposers.length) ended++
    }
    if (ended > 0) batches = batches.filter(batch => batch.settled < batch.proposers.length)
  }

  return {
    open: () => open,
    gather: (payload, reply) => {
      if (open >= openMax) {
        reply(Exit.fail(new Overloaded()))
        return false
      }
      if (isClosed) {
        reply(Exit.fail(new NotLeader({ leader: null })))
        return false
      }
      // The steady clock: one that can be set would end some too soon. Asked once a batch, for it costs more than the rest of this.
      if (gathered.length === 0) gatheredMillis = nowMillis()
      open++
      proposals.push({ id: nextId(), payload })
      gathered.push(reply)
      return true
    },
    take: () => {
      const batch = proposals
      taken = gathered
      proposals = []
      gathered = []
      return batch
    },
    appended: output => {
      const [first] = output.proposals
      const proposers = answerTaken(output.proposals.length)
      if (first !== undefined) {
        batches.push({ firstIndex: first.index, term: first.term, proposers, sinceMillis: gatheredMillis, settled: 0 })
      }
    },
    refused: (ids, error) => answer(answerTaken(ids.length), error),
    applied: (entries, answers, leader) => {
      const [first] = entries
      if (first === undefined || batches.length === 0) return
      settle(first.index + answers.length - 1, (index, term) => {
        const entry = entries[index - first.index]
        const answer = answers[index - first.index]
        if (entry === undefined || answer === undefined) {
          return broken("a proposal has its outcome when its index is applied", { index, firstApplied: first.index })
        }
        // An entry of another term has taken the place for good, so the proposal never will be applied.
        return entry.term === term ? Exit.succeed(answer) : Exit.fail(new NotLeader({ leader: leader ?? null }))
      })
    },
    covered: throughIndex =>
      settle(throughIndex, () =>
        Exit.fail(new ProposalUnknown({ detail: "a snapshot took the place of the log it was in" }))
      ),
    expire: () => {
      if (open === 0) return
      const isLate = (sinceMillis: number) => nowMillis() - sinceMillis >= outcomeMillis
      giveUp(
        batches.filter(batch => isLate(batch.sinceMillis)),
        `it was not applied within ${outcomeMillis} ms`
      )
      if (gathered.length > 0 && isLate(gatheredMillis)) dropGathered(new Overloaded())
    },
    close: detail => {
      isClosed = true
      const inCore = taken
      taken = []
      answer(inCore, new ProposalUnknown({ detail }))
      giveUp(batches, detail)
      dropGathered(new NotLeader({ leader: null }))
    }
  }
}
