/**
 * What stands between the pure core and the world: the queue's burst of inputs, the staged writes, the answers that wait. One instance lives exactly as long
 * as one Raft process, and only that process calls it.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as LogEntry from "../LogEntry.js"
import * as Membership from "../Membership.js"
import type { Message } from "../Message.js"
import * as RaftCore from "../RaftCore.js"
import { NotLeader, Overloaded, type ProposeError, type ReadError } from "../RaftError.js"
import type { RaftLog } from "../RaftLog.js"
import type { Status } from "../RaftProtocol.js"
import type { RaftTransport } from "../RaftTransport.js"
import type { StateMachine } from "../StateMachine.js"
import { assertInvariant } from "./core/invariant.js"

/** What the process sends itself. Everything else it learns comes in through {@link Driver.receive} and the like, which send these. */
export type DriverInput =
  | { readonly _tag: "Tick" }
  | { readonly _tag: "Received"; readonly messages: ReadonlyArray<Message> }
  | { readonly _tag: "Gathered" }
  | { readonly _tag: "Flush" }
  | { readonly _tag: "Apply" }

const inputTags: ReadonlySet<string> = new Set(["Tick", "Received", "Gathered", "Flush", "Apply"])

export const isDriverInput = (message: { readonly _tag: string }): message is DriverInput => inputTags.has(message._tag)

type Reply<A, E> = (exit: Exit.Exit<A, E>) => void

export interface DriverOptions {
  readonly group: string
  readonly self: string
  readonly voters: ReadonlyArray<string>
  readonly limits: Partial<RaftCore.Options> | undefined
  readonly onRoleChanged: (change: RaftCore.RoleChanged) => Effect.Effect<void>
  readonly seed: number
  readonly transport: Context.Tag.Service<RaftTransport>
  readonly log: Context.Tag.Service<RaftLog>
  readonly machine: Context.Tag.Service<StateMachine>
  /** Puts an input at the end of the process's queue. */
  readonly wake: (input: DriverInput) => void
}

export interface Driver {
  readonly receive: (messages: ReadonlyArray<Message>) => void
  readonly tick: () => void
  readonly propose: (payload: Uint8Array, reply: Reply<Uint8Array, ProposeError>) => void
  readonly readIndex: (reply: Reply<number, ReadError>) => void
  readonly awaitApplied: (index: number, reply: Reply<void, ReadError>) => void
  readonly status: () => Status
  readonly handle: (input: DriverInput) => Effect.Effect<void>
}

/** Messages from peers that may wait in the queue; more are dropped, and Raft sends them again. */
const receivedMax = 4096
/** Proposals that may gather, and proposals whose outcome is open, before more are refused. */
const proposalsMax = 16_384
/** Reads that may gather, and callers that may wait for an index to be applied, before more are refused. */
const readersMax = 16_384
/** What one transaction of the state machine takes, so that no apply keeps heartbeats waiting for long. */
const applyBytesMax = 4 * 1024 * 1024
const applyEntriesMax = 1024

/** To the state machine an entry that concerns only the group is a no-op, which moves its applied index. */
const forMachine = (entry: LogEntry.LogEntry): LogEntry.LogEntry =>
  entry.kind === "configuration" ? LogEntry.noop(entry.index, entry.term) : entry

export const makeDriver = (options: DriverOptions): Driver => {
  const { group, log, machine, transport, wake } = options
  const lastIndex = log.lastIndex()
  let core = RaftCore.make({
    id: options.self,
    configurations: Membership.fromLog(
      { index: 0, configuration: Membership.founding(options.voters) },
      log.configurations()
    ),
    hardState: log.hardState(),
    lastIndex,
    lastTerm: log.term(lastIndex),
    appliedIndex: machine.appliedIndex(),
    seed: options.seed,
    options: options.limits
  })

  const view: RaftCore.LogView = {
    get firstIndex() {
      return log.firstIndex()
    },
    get lastIndex() {
      return log.lastIndex()
    },
    term: log.term,
    entries: log.entries
  }

  // ---------------------------------------------------------------------------
  // what waits
  // ---------------------------------------------------------------------------

  let nextId = 1
  let gathered: Array<{ readonly id: number; readonly payload: Uint8Array }> = []
  const proposers = new Map<number, Reply<Uint8Array, ProposeError>>()
  const appended = new Map<number, Array<{ readonly id: number; readonly term: number }>>()

  let gatheredReads: Array<Reply<number, ReadError>> = []
  const readers = new Map<number, ReadonlyArray<Reply<number, ReadError>>>()
  let appliedWaiters: Array<{ readonly index: number; readonly reply: Reply<void, ReadError> }> = []

  let held: Array<RaftCore.SendAfterPersist> = []
  let staged: RaftCore.Persist | undefined
  let receivedWaiting = 0
  const scheduled = { Tick: false, Gathered: false, Flush: false, Apply: false }

  /** At most one of each is in the queue: what it stands for is done for everything that has gathered until its turn. */
  const schedule = (tag: keyof typeof scheduled) => {
    if (scheduled[tag]) return
    scheduled[tag] = true
    wake({ _tag: tag })
  }

  // ---------------------------------------------------------------------------
  // core in, outputs out
  // ---------------------------------------------------------------------------

  const feed = (input: RaftCore.Input): Effect.Effect<void> => {
    const step = RaftCore.step(core, input, view)
    core = step.state
    let after: Effect.Effect<void> = Effect.void
    for (const output of step.outputs) {
      switch (output._tag) {
        case "Persist":
          log.stage(output)
          staged = output
          schedule("Flush")
          break
        case "RoleChanged":
          after = Effect.zipRight(after, options.onRoleChanged(output))
          break
        case "Truncated":
          // Another member may still hold and commit what was cut here: the proposers learn their fate when something is applied at their index.
          break
        case "Commit":
          schedule("Apply")
          break
        case "Send":
          transport.send(group, output.message)
          break
        case "SendAfterPersist":
          if (output.token <= core.persistedToken) transport.send(group, output.message)
          else held.push(output)
          break
        case "ProposalsAppended":
          for (const { id, index, term } of output.proposals) {
            const there = appended.get(index)
            if (there === undefined) appended.set(index, [{ id, term }])
            else there.push({ id, term })
          }
          break
        case "ProposalsRefused":
          for (const id of output.ids) settle(id, Exit.fail(refusal(output)))
          break
        case "ReadReady":
          settleReads(output.id, Exit.succeed(output.index))
          break
        case "ReadRefused":
          settleReads(output.id, Exit.fail(refusal(output)))
          break
      }
    }
    return after
  }

  const refusal = (refused: {
    readonly reason: "not_leader" | "overloaded" | "transferring"
    readonly leader: string | undefined
  }) => {
    if (refused.reason === "overloaded") return new Overloaded()
    // One that hands over names no leader: the next is not known yet.
    return new NotLeader({ leader: refused.reason === "transferring" ? null : (refused.leader ?? null) })
  }

  const settle = (id: number, exit: Exit.Exit<Uint8Array, ProposeError>) => {
    const reply = proposers.get(id)
    proposers.delete(id)
    reply?.(exit)
  }

  const settleReads = (id: number, exit: Exit.Exit<number, ReadError>) => {
    const replies = readers.get(id) ?? []
    readers.delete(id)
    for (const reply of replies) reply(exit)
  }

  // ---------------------------------------------------------------------------
  // the turns
  // ---------------------------------------------------------------------------

  const submitGathered = Effect.suspend(() => {
    const proposals = gathered
    const reads = gatheredReads
    gathered = []
    gatheredReads = []
    let work: Effect.Effect<void> = Effect.void
    if (proposals.length > 0) work = feed({ _tag: "Propose", proposals })
    if (reads.length > 0) {
      // One round of confirmations serves every read that asked before it began.
      const id = nextId++
      readers.set(id, reads)
      work = Effect.zipRight(
        work,
        Effect.suspend(() => feed({ _tag: "ReadIndex", id }))
      )
    }
    return work
  })

  const flush = Effect.suspend(() => {
    const persist = staged
    if (persist === undefined) return Effect.void
    staged = undefined
    log.flush()
    const after = feed({ _tag: "Persisted", token: persist.token, lastIndex: persist.lastIndex })
    const waiting = held
    held = []
    for (const output of waiting) {
      if (output.token <= persist.token) transport.send(group, output.message)
      else held.push(output)
    }
    return after
  })

  const apply = Effect.sync(() => {
    const applied = machine.appliedIndex()
    if (applied >= core.applyIndex) return
    const last = Math.min(core.applyIndex, applied + applyEntriesMax)
    const entries = log.entries(applied + 1, last, applyBytesMax)
    const replies = machine.apply(entries.map(forMachine))
    assertInvariant(replies.length === entries.length, "the machine answers every entry", {
      entries: entries.length,
      replies: replies.length
    })
    for (const [at, entry] of entries.entries()) settleApplied(entry, replies[at] ?? new Uint8Array(0))
    settleAppliedWaiters()
    if (machine.appliedIndex() < core.applyIndex) schedule("Apply")
  })

  const settleApplied = (entry: LogEntry.LogEntry, reply: Uint8Array) => {
    const there = appended.get(entry.index)
    if (there === undefined) return
    appended.delete(entry.index)
    for (const { id, term } of there) {
      // An entry of another term has taken the place for good, so the proposal never will be applied.
      settle(id, term === entry.term ? Exit.succeed(reply) : Exit.fail(new NotLeader({ leader: core.leader ?? null })))
    }
  }

  const settleAppliedWaiters = () => {
    if (appliedWaiters.length === 0) return
    const applied = machine.appliedIndex()
    const waiting = appliedWaiters
    appliedWaiters = []
    for (const waiter of waiting) {
      if (waiter.index <= applied) waiter.reply(Exit.void)
      else appliedWaiters.push(waiter)
    }
  }

  return {
    receive: messages => {
      if (receivedWaiting + messages.length > receivedMax) return
      receivedWaiting += messages.length
      wake({ _tag: "Received", messages })
    },
    // A process that was held up gets one tick for the whole time, or it would count its own silence as its leader's.
    tick: () => schedule("Tick"),
    propose: (payload, reply) => {
      if (proposers.size >= proposalsMax) return reply(Exit.fail(new Overloaded()))
      const id = nextId++
      proposers.set(id, reply)
      gathered.push({ id, payload })
      schedule("Gathered")
    },
    readIndex: reply => {
      if (gatheredReads.length >= readersMax) return reply(Exit.fail(new Overloaded()))
      gatheredReads.push(reply)
      schedule("Gathered")
    },
    awaitApplied: (index, reply) => {
      if (index <= machine.appliedIndex()) return reply(Exit.void)
      if (appliedWaiters.length >= readersMax) return reply(Exit.fail(new Overloaded()))
      appliedWaiters.push({ index, reply })
    },
    status: () => ({
      member: core.id,
      role: core.role,
      leader: core.leader ?? null,
      term: core.term,
      commitIndex: core.commitIndex,
      appliedIndex: machine.appliedIndex(),
      lastIndex: core.lastIndex
    }),
    handle: input => {
      switch (input._tag) {
        case "Tick":
          scheduled.Tick = false
          return feed(RaftCore.tick)
        case "Received":
          receivedWaiting -= input.messages.length
          return Effect.forEach(input.messages, message => feed({ _tag: "Receive", message }), { discard: true })
        case "Gathered":
          scheduled.Gathered = false
          return submitGathered
        case "Flush":
          scheduled.Flush = false
          // Lets the messages that the core has just sent reach their sockets before the flush holds everything up.
          return Effect.zipRight(Effect.yieldNow(), flush)
        case "Apply":
          scheduled.Apply = false
          return apply
      }
    }
  }
}
