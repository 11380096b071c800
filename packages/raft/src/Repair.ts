/**
 * The way out where a majority of a group is lost for good: one member that is left goes on alone, and takes in new ones.
 *
 * A last resort. Raft keeps what it acknowledged as long as a majority lives, and this is for groups that have none: what the
 * lost ones had and this one lacks is gone. As long as enough of the others may come back, bring them back instead.
 *
 * It works on the log's file while its member is stopped. Ra has the same as `force_shrink_members_to_current_member`.
 *
 * @since 0.1.0
 */
import * as fs from "node:fs"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Incarnation } from "./Incarnation.js"
import * as LogEntry from "./LogEntry.js"
import * as Membership from "./Membership.js"
import { RaftLogError } from "./RaftError.js"
import * as RaftLog from "./RaftLog.js"

// -----------------------------------------------------------------------------
// looking
// -----------------------------------------------------------------------------

/**
 * What a member's log says. Of several members that are left the one whose log is the newest loses the least: compare
 * `lastTerm` first, then `lastIndex`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Inspection {
  readonly filename: string
  /** What tells this file from every other one. */
  readonly incarnation: string
  /** That of the group, committed or not; `undefined` where no leader has written one yet. */
  readonly groupIncarnation: Incarnation | undefined
  readonly term: number
  readonly votedFor: Membership.MemberId | undefined
  /** The log begins after this entry. */
  readonly baseIndex: number
  readonly baseTerm: number
  readonly lastIndex: number
  readonly lastTerm: number
  /**
   * The configuration in force, committed or not; `undefined` where the log has none, since no leader has given its group an
   * incarnation yet: then it is the one that a member is told when it starts.
   */
  readonly configuration: Membership.Placed | undefined
}

/**
 * Opens a log as its member would, which brings in what a crash has left and takes over older formats, and changes
 * nothing else. Fails with {@link RepairRefused} where there is none, with `RaftLogError` where it is in use or damaged.
 *
 * @since 0.1.0
 * @category repair
 */
export const inspect = (filename: string): Effect.Effect<Inspection, RepairRefused | RaftLogError> =>
  Effect.scoped(Effect.map(open(filename), examine))

type Log = Context.Tag.Service<RaftLog.RaftLog>

/** A log that is there: to open one that is not would begin a new one. */
const open = (filename: string) =>
  Effect.suspend(
    (): Effect.Effect<Log, RepairRefused | RaftLogError, Scope.Scope> =>
      fs.existsSync(filename) ? RaftLog.make({ filename }) : new RepairRefused({ filename, reason: "no_log" })
  )

const examine = (log: Log): Inspection => {
  const { configuration, index, term } = log.base()
  const founding = { index: 0, configuration: Membership.founding([]) }
  const [newest] = Membership.fromLog(configuration ?? founding, log.configurations())
  const lastIndex = log.lastIndex()
  return {
    filename: log.filename,
    incarnation: log.incarnation,
    groupIncarnation: newest.configuration.incarnation,
    term: log.hardState().term,
    votedFor: log.hardState().votedFor,
    baseIndex: index,
    baseTerm: term,
    lastIndex,
    lastTerm: log.term(lastIndex),
    configuration: newest === founding ? undefined : newest
  }
}

// -----------------------------------------------------------------------------
// shrinking
// -----------------------------------------------------------------------------

/**
 * What shrinking a group costs, in sentences for whoever is about to do it.
 *
 * @since 0.1.0
 * @category repair
 */
export const consequences: ReadonlyArray<string> = [
  "Lost for ever is what the other members had and this one lacks: writes that were acknowledged may be among it.",
  "What this member has and no majority ever had becomes valid: a write that was reported as failed may appear.",
  "The other members are out for ever, under their names; new ones need new names. They must never run again: as long as a majority of them runs apart from this one, it serves its clients a history of its own.",
  "Nobody can tell a log by its file: make sure that this is the member of the given name, and copy its folder first."
]

/**
 * What has to be said to {@link forceShrink}.
 *
 * @since 0.1.0
 * @category repair
 */
export const confirmationFor = (self: Membership.MemberId): string =>
  `I understand that acknowledged writes may be lost: ${self}`

/**
 * What a group was and has become. Whatever stood in the log up to `index` stays, and is committed with the next start.
 *
 * @since 0.1.0
 * @category models
 */
export interface Shrunk {
  readonly self: Membership.MemberId
  /** The voters and learners that are given up. */
  readonly givenUp: ReadonlyArray<Membership.MemberId>
  /** Where the new configuration stands in the log, and its term. */
  readonly index: number
  readonly term: number
  readonly configuration: Membership.Configuration
}

const refusals = {
  no_log: "there is no such file",
  not_confirmed: "it was not confirmed, word for word, that acknowledged writes may be lost",
  founders_unknown: "its log does not say who is a member: name all that the group was founded with",
  not_a_member: "its group has no such member",
  was_removed: "that member was removed from its group, and a name is never given again",
  alone: "that member is alone already",
  full: `its group has no room left for the names of the lost: it has parted with ${Membership.removedMax} members`
} as const

/**
 * Nothing was done to the log.
 *
 * @since 0.1.0
 * @category errors
 */
export class RepairRefused extends Schema.TaggedError<RepairRefused>("@reckon/raft/RepairRefused")("RepairRefused", {
  filename: Schema.String,
  reason: Schema.Literal("no_log", "not_confirmed", "founders_unknown", "not_a_member", "was_removed", "alone", "full")
}) {
  readonly retryable = false
  override get message() {
    return `${this.filename}: ${refusals[this.reason]}`
  }
}

const flush = (log: Log): Effect.Effect<void, RaftLogError> =>
  Effect.try({
    try: log.flush,
    catch: cause => {
      if (cause instanceof RaftLogError) return cause
      throw cause
    }
  })

/**
 * Terms that are left out. The lost ones may have been in later terms than this member ever heard of, and a term has one
 * leader.
 */
const termsLeftOut = 1_000

/**
 * Makes a member the only one of its group, by the configuration it appends to its log, in a later term than any that the
 * lost ones have reached: all others are removed. With its next start it elects itself, commits its whole log and serves; then
 * new members can be added. It does not matter that the node is still started with the old members' names: what the log says
 * goes before it.
 *
 * One of the removed that comes back is told so, and falls silent. It still hears it: the group keeps its incarnation, since what it goes on with is its own
 * history. A new one would leave a majority that comes back to serve its clients a history of its own.
 *
 * Read {@link consequences} first: `confirmation` must be what {@link confirmationFor} says. `founders` are the members with
 * which the group was founded, and matter only where its log has no configuration. Fails with `RaftLogError` where the
 * log is in use, which is where its member still runs. It is durable when this returns; whatever interrupts it, all of it is
 * done or nothing.
 *
 * @since 0.1.0
 * @category repair
 */
export const forceShrink = (options: {
  readonly filename: string
  readonly self: Membership.MemberId
  readonly founders?: ReadonlyArray<Membership.MemberId> | undefined
  readonly confirmation: string
}): Effect.Effect<Shrunk, RepairRefused | RaftLogError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { confirmation, filename, founders = [], self } = options
      const refuse = (reason: RepairRefused["reason"]) => new RepairRefused({ filename, reason })
      if (confirmation !== confirmationFor(self)) return yield* refuse("not_confirmed")

      const log = yield* open(filename)
      const found = examine(log)
      if (found.configuration === undefined && founders.length === 0) return yield* refuse("founders_unknown")
      const before = found.configuration?.configuration ?? Membership.founding(founders)
      if (before.removed.includes(self)) return yield* refuse("was_removed")
      if (!Membership.members(before).includes(self)) return yield* refuse("not_a_member")
      const givenUp = Membership.members(before).filter(member => member !== self)
      if (givenUp.length === 0) return yield* refuse("alone")
      const removed = [...before.removed, ...givenUp]
      if (removed.length > Membership.removedMax) return yield* refuse("full")

      const configuration: Membership.Configuration = { ...before, voters: [self], learners: [], removed }
      const index = found.lastIndex + 1
      const term = found.term + termsLeftOut
      // As if it had been elected in that term: then nobody else can be.
      log.stage({ hardState: { term, votedFor: self }, entries: [LogEntry.configuration(index, term, configuration)] })
      yield* flush(log)
      return { self, givenUp, index, term, configuration }
    })
  )
