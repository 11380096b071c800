/**
 * What stands between the pure core and the world: the queue's burst of inputs, the staged writes, the answers that wait. One instance lives exactly as long
 * as one Raft process, and only that process calls it.
 */

import type * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Compaction } from "../../Compaction.js"
import type { Incarnation } from "../../Incarnation.js"
import * as LogEntry from "../../LogEntry.js"
import * as Membership from "../../Membership.js"
import type { InstallSnapshot, Message } from "../../Message.js"
import * as RaftCore from "../../RaftCore.js"
import {
  type ChangeError,
  EntryTooLarge,
  NotLeader,
  Overloaded,
  type ProposeError,
  type ReadError,
  type TransferError
} from "../../RaftError.js"
import type { RaftLog } from "../../RaftLog.js"
import type { Status } from "../../RaftProtocol.js"
import type { RaftTransport } from "../../RaftTransport.js"
import type { Snapshot } from "../../Snapshot.js"
import type { StateMachine } from "../../StateMachine.js"
import * as Trace from "../../Trace.js"
import { committedIndexOf } from "../core/incarnation.js"
import { assertInvariant } from "../core/invariant.js"
import type { Courier } from "../snapshot/courier.js"
import * as Administration from "./administration.js"
import type { Admission } from "./admission.js"
import * as Applying from "./applying.js"
import { baseOf } from "./base.js"
import * as Contradiction from "./contradiction.js"
import type { DriverInput } from "./input.js"
import { Intake } from "./intake.js"
import * as Proposals from "./proposals.js"
import * as Reads from "./reads.js"
import type { Reply } from "./reply.js"
import { statusOf } from "./status.js"
import * as Successions from "./successions.js"
import * as Tail from "./tail.js"
import * as Ticks from "./ticks.js"

export interface DriverOptions {
  readonly group: string
  readonly self: Membership.MemberId
  readonly voters: ReadonlyArray<Membership.MemberId>
  readonly limits: Partial<RaftCore.Options> | undefined
  readonly compaction: Compaction
  readonly onRoleChanged: (change: RaftCore.RoleChanged) => Effect.Effect<void>
  readonly onMembershipChanged: (change: RaftCore.MembershipChanged) => Effect.Effect<void>
  readonly trace: ((line: string) => void) | undefined
  readonly newIncarnation: Incarnation
  readonly admission: Admission
  readonly seed: number
  readonly clock: Clock.Clock
  readonly tickMillis: number
  readonly transport: Context.Tag.Service<RaftTransport>
  readonly log: Context.Tag.Service<RaftLog>
  readonly machine: Context.Tag.Service<StateMachine>
  /** Absent where the machine makes no snapshots: its log is never cut. */
  readonly courier: Courier | undefined
  /** Puts a snapshot that is all here in the machine's place. */
  readonly install: (snapshot: Snapshot) => Effect.Effect<void>
  /** Puts an input at the end of the process's queue. False where that is full. */
  readonly wake: (input: DriverInput) => boolean
  /** Told of what may depend on time from now on: a member that is quiet is not ticked. */
  readonly stir: () => void
  /** Has a member that was set aside probe whether that is over, for the rest of its life. */
  readonly probe: Effect.Effect<void>
}

export interface Driver {
  readonly receive: (messages: ReadonlyArray<Message>) => void
  readonly tick: () => void
  /** Whether nothing would come of a tick: it leads alone, and nothing is under way. */
  readonly isQuiet: () => boolean
  readonly intake: Intake
  readonly readIndex: (reply: Reply<number, ReadError>) => void
  readonly awaitApplied: (index: number, reply: Reply<void, ReadError>) => void
  readonly changeMembership: (change: Membership.Change, reply: Reply<number, ChangeError>) => Effect.Effect<void>
  readonly transferLeadership: (target: Membership.MemberId, reply: Reply<void, TransferError>) => Effect.Effect<void>
  readonly status: () => Status
  readonly handle: (input: DriverInput) => Effect.Effect<void>
  /** The member takes no part any more, for this reason: says so, and is closed. See `aside.ts` for what takes its place. */
  readonly setAside: (damage: Applying.Damage) => Effect.Effect<void>
  /** Of a member that was set aside: whether what comes next can be read and applied. */
  readonly isOver: () => boolean
  /** Whoever has proposed is told that there will be no answer, and why. */
  readonly close: (detail: string) => void
}

/** Messages from peers that may wait in the queue; more are dropped, and Raft sends them again. */
const receivedMax = 4096

export const make = (options: DriverOptions): Driver => {
  const { admission, courier, group, log, machine, transport, wake } = options
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

  const base = baseOf(log, options.voters)
  const configurations = log.configurations()
  let core = RaftCore.make({
    id: options.self,
    base,
    configurations,
    hardState: log.hardState(),
    lastIndex: log.lastIndex(),
    lastTerm: log.term(log.lastIndex()),
    appliedIndex: machine.appliedIndex(),
    committedIndex: committedIndexOf(view, base.configuration, configurations),
    newIncarnation: options.newIncarnation,
    seed: options.seed,
    options: options.limits
  })
  admission.follow(core.configurations, core.commitIndex)
  options.trace?.(Trace.restart(core))

  // ---------------------------------------------------------------------------
  // what waits
  // ---------------------------------------------------------------------------

  let lastId = 0
  const nextId = () => {
    lastId += 1
    return lastId
  }
  const proposals = Proposals.make(nextId, options.clock)
  const reads = Reads.make(nextId, machine.appliedIndex)
  const administration = Administration.make(nextId)
  const successions = Successions.make(core.leader)
  const tail = Tail.make(options.compaction, log.pieces(machine.appliedIndex()))
  const ticks = Ticks.make(options.clock, options.tickMillis)

  let held: Array<RaftCore.SendAfterPersist> = []
  let staged: { readonly token: number; readonly lastIndex: number } | undefined
  /** How far the machine was. */
  let reached = machine.appliedIndex()
  /** Until this is in the machine's place, the machine does not know what the log is about. */
  let installing: Snapshot | undefined
  /** Why this member was set aside. */
  let problem: string | undefined
  /** Whether that may be over some time. */
  let mayPass = false
  /** The newest term in which two led, as far as was said. */
  let secondLeaderTerm = 0
  /** Whether something was sent since the last flush. */
  let hasSent = false
  let receivedWaiting = 0
  let isClosed = false
  const scheduled = { Tick: false, Gathered: false, Flush: false, Apply: false }
  /** What found the queue full, and is to be there as soon as there is room. */
  const refused = new Set<keyof typeof scheduled>()

  /** At most one of each is in the queue: what it stands for is done for everything that has gathered until its turn. */
  const schedule = (tag: keyof typeof scheduled) => {
    if (scheduled[tag]) return
    scheduled[tag] = true
    if (tag !== "Tick") options.stir()
    if (!wake({ _tag: tag })) refused.add(tag)
  }

  const removal = `${options.self} was removed from the group "${group}", and takes no part in it for ever. Stop it: whoever is to take its place joins under a name of its own`

  const { entryBytesMax } = transport

  const propose = (payload: Uint8Array, reply: Reply<Uint8Array, ProposeError>) => {
    // In the log it would stand in the way of all that follows: no follower can be sent it.
    if (payload.length > entryBytesMax) {
      return reply(Exit.fail(new EntryTooLarge({ bytes: payload.length, limitBytes: entryBytesMax })))
    }
    if (proposals.gather(payload, reply)) schedule("Gathered")
  }

  const intake = new Intake({
    propose,
    isCurrent: () => {
      if (isClosed) return false
      const index = RaftCore.readIndexAlone(core)
      return index !== undefined && index <= machine.appliedIndex()
    },
    whenReplaced: successions.whenReplaced,
    problem: () => problem
  })

  // ---------------------------------------------------------------------------
  // core in, outputs out
  // ---------------------------------------------------------------------------

  const feed = (input: RaftCore.Input): Effect.Effect<void> => {
    const step = RaftCore.step(core, input, view)
    core = step.state
    admission.follow(core.configurations, core.commitIndex)
    options.trace?.(Trace.line(input, step))
    let after: Effect.Effect<void> = Effect.void
    for (const output of step.outputs) {
      switch (output._tag) {
        case "Persist":
          log.stage(output)
          staged = output
          schedule("Flush")
          break
        case "Install":
          log.stage({ hardState: output.hardState, snapshot: output.snapshot, entries: [] })
          staged = { token: output.token, lastIndex: output.snapshot.index }
          installing = output.snapshot
          proposals.covered(output.snapshot.index)
          schedule("Flush")
          break
        case "RoleChanged":
          after = Effect.zipRight(after, roleChanged(output))
          break
        case "Truncated":
          // Another member may still hold and commit what was cut here: the proposers learn their fate when something is applied at their index.
          break
        case "MembershipChanged":
          after = Effect.zipRight(after, options.onMembershipChanged(output))
          break
        case "MemberRemoved":
          after = Effect.zipRight(after, Effect.logWarning(removal))
          break
        case "Contradicted":
          after = Effect.zipRight(after, contradicted(output))
          break
        case "Commit":
          schedule("Apply")
          break
        case "Send":
          transport.send(group, admission.stamp(output.message))
          hasSent = true
          break
        case "SendAfterPersist":
          if (output.token <= core.persistedToken) transport.send(group, admission.stamp(output.message))
          else held.push(output)
          break
        case "SendSnapshot":
          // Without one the log was never cut, and nobody can need what is not in it.
          courier?.send(output)
          break
        case "ProposalsAppended":
          proposals.appended(output)
          break
        case "ProposalsRefused":
          proposals.refused(output.ids, refusal(output))
          break
        case "ReadReady":
          reads.settle(output.id, Exit.succeed(output.index))
          break
        case "ReadRefused":
          reads.settle(output.id, Exit.fail(refusal(output)))
          break
        case "ChangeCommitted":
        case "ChangeRefused":
        case "ChangeUnknown":
        case "TransferEnded":
        case "TransferRefused":
          administration.answer(output, core.leader)
          break
      }
    }
    return after
  }

  const refusal = (refused: {
    readonly reason: RaftCore.ProposalsRefused["reason"]
    readonly leader: string | undefined
  }) => {
    switch (refused.reason) {
      case "overloaded":
        return new Overloaded()
      case "transferring":
      case "founding":
        // One that hands over names no leader, since the next is not known yet; nor does one that is no more than elected.
        return new NotLeader({ leader: null })
      case "not_leader":
        return new NotLeader({ leader: refused.leader ?? null })
    }
  }

  /** A second leader is heard of again and again. */
  const contradicted = (output: RaftCore.Contradicted): Effect.Effect<void> => {
    const words = Contradiction.words(group, core.id, output)
    if (output.how !== "two_leaders") problem = words
    else if (secondLeaderTerm === core.term) return Effect.void
    else secondLeaderTerm = core.term
    return Effect.logError(words)
  }

  const take = (message: Message | InstallSnapshot): Effect.Effect<void> =>
    admission.admits(message, message._tag) ? feed({ _tag: "Receive", message }) : admission.report(message)

  const roleChanged = (change: RaftCore.RoleChanged): Effect.Effect<void> => {
    const leads = change.role === "leader"
    successions.follow(change.leader)
    machine.leading?.(leads ? { term: change.term, propose } : undefined)
    const stopped = leads || courier === undefined ? Effect.void : courier.stop
    return Effect.zipRight(stopped, options.onRoleChanged(change))
  }

  // ---------------------------------------------------------------------------
  // the turns
  // ---------------------------------------------------------------------------

  const submitGathered = Effect.suspend(() => {
    const batch = proposals.take()
    const proposed = batch.length > 0 ? feed({ _tag: "Propose", proposals: batch }) : Effect.void
    const round = reads.take()
    return round === undefined
      ? proposed
      : Effect.zipRight(proposed, feed({ _tag: "ReadIndex", id: round, elapsed: ticks.begun() }))
  })

  const flush = Effect.suspend(() => {
    const written = staged
    staged = undefined
    const begun = options.clock.unsafeCurrentTimeNanos()
    log.flush()
    const heldUp = Math.floor(Number(options.clock.unsafeCurrentTimeNanos() - begun) / 1e6 / options.tickMillis)
    if (written === undefined) return Effect.void
    const done = Effect.suspend(() => {
      const after = feed({ _tag: "Persisted", token: written.token, lastIndex: written.lastIndex, heldUp })
      const waiting = held
      held = []
      for (const output of waiting) {
        if (output.token <= written.token) transport.send(group, admission.stamp(output.message))
        else held.push(output)
      }
      return after
    })
    return installing === undefined ? done : Effect.zipRight(install(installing), done)
  })

  /** The log is already the snapshot's: should the process end in here, its next start installs before it does anything else. */
  const install = (snapshot: Snapshot) =>
    Effect.map(options.install(snapshot), () => {
      installing = undefined
      reached = machine.appliedIndex()
      assertInvariant(machine.appliedIndex() === snapshot.index, "the machine stands where its snapshot does", {
        appliedIndex: machine.appliedIndex(),
        snapshotIndex: snapshot.index
      })
      tail.compacted(snapshot.index)
      reads.applied()
      schedule("Apply")
    })

  const apply = Effect.suspend(() => {
    if (installing !== undefined || machine.appliedIndex() >= core.applyIndex) return Effect.void
    const { answers, applied, entries } = Applying.applyNext(log, machine, core.applyIndex)
    reached = machine.appliedIndex()
    assertInvariant(machine.appliedIndex() === applied + answers.length, "the machine answers every entry it takes", {
      applied,
      answers: answers.length,
      appliedIndex: machine.appliedIndex()
    })
    proposals.applied(entries, answers, core.leader)
    reads.applied()
    log.release(Math.min(reached, ...core.progress.map(({ matchIndex }) => matchIndex)))
    // A machine that takes only some of the entries stops before one of a version it does not know.
    if (answers.length < entries.length) return Effect.logError(stuck(applied + answers.length))
    if (machine.appliedIndex() < core.applyIndex) schedule("Apply")
    if (courier === undefined) return Effect.void
    tail.applied({ lastIndex: machine.appliedIndex(), bytes: LogEntry.totalBytes(entries) })
    return compact
  })

  const stuck = (index: number): string => {
    const { required, supported } = machine.version?.() ?? { required: undefined, supported: undefined }
    return `the machine of "${group}" stops at ${index}: what follows needs version ${required}, it knows those up to ${supported}`
  }

  const compact = Effect.suspend(() => {
    const applied = machine.appliedIndex()
    const { index: baseIndex } = log.base()
    if (courier === undefined || machine.persist === undefined || !tail.isLong(baseIndex, applied)) return Effect.void
    return Effect.map(courier.floor, floor => {
      const through = Math.min(tail.cut(applied), floor)
      if (through <= baseIndex || machine.persist === undefined) return
      const durable = Math.min(through, machine.persist())
      // The machine may still be at it.
      if (durable <= baseIndex) return
      log.compact(durable)
      schedule("Flush")
      tail.compacted(log.base().index)
      courier.compacted(log.base().index)
    })
  })

  const close = (detail: string) => {
    isClosed = true
    proposals.close(detail)
  }

  const setAside = (damage: Applying.Damage): Effect.Effect<void> =>
    Effect.suspend(() => {
      const { message } = damage
      mayPass = Applying.mayPass(damage, machine)
      close(message)
      reads.refuse()
      const until = mayPass ? "that is over, which is tried every few seconds," : "it is started anew"
      problem = `${message}. Until ${until} ${core.id} takes no part in the group "${group}"`
      const told = roleChanged({ _tag: "RoleChanged", role: "follower", term: core.term, leader: undefined })
      return Effect.all([Effect.logError(problem), told, options.probe], { discard: true })
    })

  return {
    receive: messages => {
      if (receivedWaiting + messages.length > receivedMax) return
      if (wake({ _tag: "Received", messages })) receivedWaiting += messages.length
    },
    // A process that was held up gets one tick for the whole time, or it would count its own silence as its leader's.
    tick: () => {
      proposals.expire()
      // A machine whose disk has no room for a commit takes back what was in it, and nobody may be about to propose anything.
      if (machine.appliedIndex() < reached) schedule("Apply")
      for (const tag of refused) if (wake({ _tag: tag })) refused.delete(tag)
      schedule("Tick")
    },
    isQuiet: () =>
      RaftCore.readIndexAlone(core) !== undefined &&
      core.progress.length === 0 &&
      core.change === undefined &&
      proposals.open() === 0 &&
      machine.appliedIndex() >= Math.max(reached, core.lastIndex) &&
      refused.size === 0,
    intake,
    readIndex: reply => {
      if (reads.gather(reply)) schedule("Gathered")
    },
    awaitApplied: reads.awaitApplied,
    changeMembership: (change, reply) =>
      Effect.suspend(() => feed({ _tag: "ChangeMembership", id: administration.change(reply), change })),
    transferLeadership: (target, reply) =>
      Effect.suspend(() => feed({ _tag: "TransferLeadership", id: administration.transfer(reply), target })),
    status: () =>
      statusOf({
        core,
        log,
        machine,
        openProposals: proposals.open(),
        problem: problem ?? (core.removed ? removal : core.leader === undefined ? admission.hindrance() : undefined)
      }),
    close,
    setAside,
    isOver: () => mayPass && Applying.isOver(log, machine, Math.min(core.applyIndex, reached + 1)),
    handle: input => {
      switch (input._tag) {
        case "Tick":
          scheduled.Tick = false
          for (const message of admission.inquiries(core)) transport.send(group, message)
          return feed({ _tag: "Tick", elapsed: ticks.tick() })
        case "Received":
          receivedWaiting -= input.messages.length
          return Effect.forEach(input.messages, take, { discard: true })
        case "Gathered":
          // Those who were answered together ask again together, and the first of them puts this into the queue before the others are in it.
          if (wake({ _tag: "Submit" })) return Effect.void
          scheduled.Gathered = false
          return submitGathered
        case "Submit":
          scheduled.Gathered = false
          return submitGathered
        case "Flush":
          scheduled.Flush = false
          if (!hasSent) return flush
          // Followers write while this member does.
          hasSent = false
          return Effect.zipRight(transport.departed, flush)
        case "Apply":
          scheduled.Apply = false
          return apply
        case "Probe":
          return Effect.void
        case "InstallSnapshot":
          return take(input)
        case "SnapshotDelivered":
        case "SnapshotFailed":
          return feed(input)
      }
    }
  }
}
