/**
 * Where a member's group is told from others of its name: what it says of its incarnation with all it sends, and what it takes from whom.
 */
import * as Effect from "effect/Effect"
import type { Claim } from "../../Incarnation.js"
import * as Membership from "../../Membership.js"
import type { InstallSnapshot, Message } from "../../Message.js"
import type { State } from "../../RaftState.js"

type Tag = Message["_tag"] | InstallSnapshot["_tag"]

/** What says no more than that its sender lives, or asks: it makes nobody vote, follow, commit or leave. */
const harmless: ReadonlySet<Tag> = new Set(["AppendReply", "HeartbeatReply", "PreVote", "PreVoteReply", "VoteReply"])

/** What asks a member to help elect somebody, and what answers that. */
const elections: ReadonlySet<Tag> = new Set(["PreVote", "RequestVote"])
const ballots: ReadonlySet<Tag> = new Set([...elections, "PreVoteReply", "VoteReply"])

/** A member whose incarnation is not settled has nothing that was acknowledged under one, or no longer, and takes what comes: it may have everything to learn. */
const isSettled = ({ incarnation, isTentative }: Claim): boolean => incarnation !== undefined && isTentative !== true

const isForeign = (own: Claim, theirs: Claim): boolean =>
  isSettled(own) && isSettled(theirs) && own.incarnation !== theirs.incarnation

/**
 * Whether a member that says `own` of its group takes a message of one that says `theirs`.
 *
 * Nothing from one that is settled in another incarnation. From one that has none, or a tentative one, answers and pre-votes: it may have just joined, or missed the
 * beginning. But whoever leads its group, or can be elected in it, has its incarnation in the log: it follows no leader without, votes for no such
 * candidate, and learns no term from what they ask.
 *
 * A member that has none takes no part in the elections of those that have: it may have lost a disk with what it acknowledged, which the candidate may lack as well. It
 * follows whom the others elect, and has its vote again with the log. Nor does it elect anybody with others that have none, once it has heard of one that is settled (`knowsElder`): a majority had what was settled,
 * so that they have lost their disks, and would begin anew without what was acknowledged, which that one may have.
 */
export const admits = (own: Claim, theirs: Claim, tag: Tag, knowsElder = false): boolean => {
  if (own.incarnation === undefined) {
    if (knowsElder && theirs.incarnation === undefined) return !ballots.has(tag)
    return !(isSettled(theirs) && elections.has(tag))
  }
  return !isSettled(own) || own.incarnation === theirs.incarnation || (!isSettled(theirs) && harmless.has(tag))
}

/** Whether it answers what is asked of it as the leader: who asks means the group that it knows itself. */
export const admitsRequest = (own: Claim, theirs: Claim): boolean =>
  !isSettled(theirs) || (isSettled(own) && own.incarnation === theirs.incarnation)

/** What a member hears from another: a message, or a piece of a snapshot. */
interface Heard extends Claim {
  readonly from: Membership.MemberId
}

type Asking = Pick<State, "id" | "lastIndex" | "lastTerm" | "leader" | "term">

export interface Admission {
  /** What the log says now. */
  readonly follow: (history: Membership.History, commitIndex: number) => void
  readonly claim: () => Claim
  /** What somebody is to the group by what the log says now. */
  readonly standingOf: (id: Membership.MemberId) => Membership.Standing
  /** The message as it leaves. */
  readonly stamp: (message: Message) => Message
  /** Whether a message may reach the core, or a piece of a snapshot the disk. */
  readonly admits: (heard: Heard, tag: Tag) => boolean
  /** Whether what is asked of it as the leader is answered. Reports who asks the wrong one. */
  readonly admitsRequest: (asker: Heard) => Effect.Effect<boolean>
  /**
   * What a member that has nothing asks of all others at each tick, as long as it has heard of none that has something: for a vote in the term that it is in, which nobody gives. Who has something says so with the answer,
   * before those that have nothing begin to elect each other.
   */
  readonly inquiries: (member: Asking) => ReadonlyArray<Message>
  /** Tells, once for each member, that it is of another incarnation. */
  readonly report: (heard: Heard) => Effect.Effect<void>
  /** Why nobody may be elected: what was last reported, or who has nothing in its log, this member or others. */
  readonly hindrance: () => string | undefined
}

const nothing: Claim = {}

export const make = ({ group, self }: { readonly group: string; readonly self: Membership.MemberId }): Admission => {
  let own = nothing
  let inForce = Membership.founding([])
  const reported = new Set<Membership.MemberId>()
  let newest: string | undefined
  /** Voters that have nothing in their logs where this member has, and one that has where this member has nothing. */
  const empty = new Set<Membership.MemberId>()
  let elder: Membership.MemberId | undefined

  const hear = (heard: Heard): void => {
    const { from, incarnation } = heard
    if (incarnation !== undefined) empty.delete(from)
    else if (isSettled(own) && inForce.voters.includes(from)) empty.add(from)
    if (own.incarnation === undefined && isSettled(heard)) elder = from
  }

  const lacking = (): string | undefined => {
    const lack =
      "nothing in its log, as with an empty folder, and takes no part in elections of those that have something"
    if (own.incarnation === undefined && elder !== undefined)
      return `${self} has ${lack}, as ${elder} has: it is sent everything when they have elected a leader. If what ${elder} has is not to be kept, stop that one and move its folder away`
    if (empty.size === 0) return undefined
    const others = inForce.voters.filter(voter => !empty.has(voter))
    const whose = [...empty]
      .sort()
      .map(voter => `${voter} has ${lack}`)
      .join("; ")
    return others.length > inForce.voters.length / 2
      ? `${whose}. The others have to elect a leader, which sends it everything: ${others.join(", ")}`
      : `${whose}. The others are too few to elect a leader: ${others.join(", ")}. Put back a folder of one that has nothing, or restore all of them from one that has everything`
  }

  const words = ({ from, incarnation }: Heard): string =>
    `${from} is of another incarnation of the group "${group}", ${incarnation}, than ${self}, which is of ${own.incarnation}: nothing is taken from it. ` +
    "One of the two has the data of another group, or of one of this name that was made anew. Stop that one and bring its own data folder back; " +
    "where there is none, move the folder away and start it with an empty one: it is sent everything"

  const report = (heard: Heard): Effect.Effect<void> =>
    Effect.suspend(() => {
      const isKnown = reported.has(heard.from) || reported.size >= Membership.membersMax
      if (isKnown || !isForeign(own, heard)) return Effect.void
      reported.add(heard.from)
      newest = words(heard)
      return Effect.logError(newest)
    })

  return {
    follow: (history, commitIndex) => {
      inForce = history[0].configuration
      if (isSettled(own)) return
      const { incarnation } = history[0].configuration
      if (incarnation === undefined) own = nothing
      else own = Membership.isTentative(history, commitIndex) ? { incarnation, isTentative: true } : { incarnation }
    },
    claim: () => own,
    standingOf: id => Membership.standingOf(inForce, id),
    stamp: message => (own === nothing ? message : { ...message, ...own }),
    admits: (heard, tag) => {
      hear(heard)
      return admits(own, heard, tag, elder !== undefined)
    },
    admitsRequest: asker =>
      Effect.suspend(() => (admitsRequest(own, asker) ? Effect.succeed(true) : Effect.as(report(asker), false))),
    inquiries: ({ id, lastIndex, lastTerm, leader, term }) =>
      own.incarnation !== undefined || elder !== undefined || leader !== undefined
        ? []
        : inForce.voters
            .filter(voter => voter !== id)
            .map(to => ({ _tag: "PreVote", from: id, to, term, askedTerm: term, lastIndex, lastTerm })),
    report,
    hindrance: () => newest ?? lacking()
  }
}
