/**
 * Who belongs to a group, and how that changes: one member at a time.
 *
 * A configuration is an entry of the log. It is in force from the moment a member has **appended** it, committed or
 * not, and out of force again when the log is cut before it; the {@link History} is what a cut can bring back. Two
 * configurations that follow each other differ in one voter at most, so that any majority of the one shares a member
 * with any majority of the other. That holds only between neighbours, hence one change at a time, and none before the
 * leader has committed an entry of its own term (D. Ongaro, "Consensus: Bridging Theory and Practice", §4.1, and the
 * correction to it of 2015).
 *
 * A member joins as a learner: it is sent everything and counts for nothing. Its leader makes it a voter once it keeps up.
 *
 * A name that was removed is never given again, and so the configuration keeps it: a machine that comes back with the
 * log of an earlier life, or without one, must not vote under a name whose votes and acknowledgements were counted
 * before.
 *
 * @since 0.1.0
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Incarnation } from "./Incarnation.js"
import { assertInvariant, broken } from "./internal/core/invariant.js"

/**
 * The name of a member, unique in its group for ever: a replaced machine gets a new one.
 *
 * @since 0.1.0
 * @category schemas
 */
export const MemberId = Schema.String.pipe(Schema.minLength(1), Schema.maxLength(255))

/**
 * @since 0.1.0
 * @category models
 */
export type MemberId = typeof MemberId.Type

/**
 * Voters and learners of a group together.
 *
 * @since 0.1.0
 * @category limits
 */
export const membersMax = 64

/**
 * Members a group may part with in its life. A change that would exceed this is refused as `full`, and the group lives on
 * under the members it has.
 *
 * @since 0.1.0
 * @category limits
 */
export const removedMax = 4_096

/**
 * `voters` elect and commit, `learners` only receive, `removed` were one or the other once and are so never again.
 * No name stands in it twice. `incarnation` is the group's, the same in all configurations from the first that has one.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Configuration = Schema.Struct({
  voters: Schema.Array(MemberId).pipe(Schema.maxItems(membersMax)),
  learners: Schema.Array(MemberId).pipe(Schema.maxItems(membersMax)),
  removed: Schema.Array(MemberId).pipe(Schema.maxItems(removedMax)),
  incarnation: Schema.optional(Incarnation)
})
  .pipe(
    Schema.filter(({ learners, removed, voters }) => {
      const names = [...voters, ...learners, ...removed]
      return new Set(names).size === names.length ? true : "a name stands in a configuration once"
    })
  )
  .annotations({ identifier: "Configuration" })

/**
 * @since 0.1.0
 * @category models
 */
export interface Configuration extends Schema.Schema.Type<typeof Configuration> {}

const isConfiguration = Schema.is(Configuration)

/**
 * The configuration a group begins with. All its founders are given the same one; so is, or is given an empty one,
 * whoever joins later.
 *
 * @since 0.1.0
 * @category constructors
 */
export const founding = (voters: ReadonlyArray<MemberId>): Configuration => {
  assertInvariant(new Set(voters).size === voters.length, "voters are distinct", { voters: voters.join(",") })
  // What no entry can hold would stop whoever leads first, and each of its successors.
  const configuration = { voters, learners: [], removed: [] }
  assertInvariant(isConfiguration(configuration), "there are at most 64 voters, with names of 1 to 255 characters", {
    count: voters.length,
    voters: voters.join(",")
  })
  return configuration
}

/**
 * Everybody a leader sends entries to, itself included: voters first.
 *
 * @since 0.1.0
 * @category getters
 */
export const members = ({ learners, voters }: Configuration): ReadonlyArray<MemberId> =>
  learners.length === 0 ? voters : [...voters, ...learners]

/**
 * A `member` is a voter or a learner.
 *
 * @since 0.1.0
 * @category models
 */
export type Standing = "member" | "removed" | "stranger"

/**
 * What somebody is to a group.
 *
 * @since 0.1.0
 * @category getters
 */
export const standingOf = (configuration: Configuration, id: MemberId): Standing =>
  members(configuration).includes(id) ? "member" : configuration.removed.includes(id) ? "removed" : "stranger"

// -----------------------------------------------------------------------------
// changes
// -----------------------------------------------------------------------------

/**
 * What can be asked for: that somebody new joins, as a learner at first, or that a voter or learner goes, for ever.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Change = Schema.Union(
  Schema.TaggedStruct("Add", { member: MemberId }),
  Schema.TaggedStruct("Remove", { member: MemberId })
)

/**
 * @since 0.1.0
 * @category models
 */
export type Change = typeof Change.Type

/**
 * Why a configuration cannot be changed in this way: `last_voter` would leave nobody to commit anything, `full` exceeds
 * {@link membersMax} or {@link removedMax}.
 *
 * @since 0.1.0
 * @category models
 */
export type Impossible = "already_member" | "was_removed" | "not_a_member" | "last_voter" | "full"

/**
 * The configuration after a change.
 *
 * @since 0.1.0
 * @category arithmetic
 */
export const change = (
  configuration: Configuration,
  { _tag, member }: Change
): Either.Either<Configuration, Impossible> =>
  _tag === "Add" ? add(configuration, member) : remove(configuration, member)

const add = (configuration: Configuration, member: MemberId): Either.Either<Configuration, Impossible> => {
  const present = members(configuration)
  if (present.includes(member)) return Either.left("already_member")
  if (configuration.removed.includes(member)) return Either.left("was_removed")
  if (present.length >= membersMax) return Either.left("full")
  return Either.right({ ...configuration, learners: [...configuration.learners, member] })
}

const remove = (configuration: Configuration, member: MemberId): Either.Either<Configuration, Impossible> => {
  const { learners, removed, voters } = configuration
  if (!members(configuration).includes(member)) return Either.left("not_a_member")
  if (voters.length === 1 && voters.includes(member)) return Either.left("last_voter")
  if (removed.length >= removedMax) return Either.left("full")
  return Either.right({
    ...configuration,
    voters: voters.filter(voter => voter !== member),
    learners: learners.filter(learner => learner !== member),
    removed: [...removed, member]
  })
}

/**
 * The configuration in which a learner has become a voter. Only a leader does this, to a learner that keeps up.
 *
 * @since 0.1.0
 * @category arithmetic
 */
export const promote = (configuration: Configuration, learner: MemberId): Configuration => {
  const { learners, voters } = configuration
  assertInvariant(learners.includes(learner), "only a learner is promoted", { learner, learners: learners.join(",") })
  return { ...configuration, voters: [...voters, learner], learners: learners.filter(other => other !== learner) }
}

// -----------------------------------------------------------------------------
// as bytes
// -----------------------------------------------------------------------------

const Json = Schema.parseJson(Configuration)
const encodeJson = Schema.encodeSync(Json)
const decodeJson = Schema.decodeOption(Json)
const encoder = new TextEncoder()
const decoder = new TextDecoder()

/**
 * The payload of a configuration's entry: JSON in UTF-8.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encode = (configuration: Configuration): Uint8Array => encoder.encode(encodeJson(configuration))

/**
 * `None` where the bytes are no configuration.
 *
 * @since 0.1.0
 * @category encoding
 */
export const decode = (payload: Uint8Array): Option.Option<Configuration> => decodeJson(decoder.decode(payload))

// -----------------------------------------------------------------------------
// the configurations of a log
// -----------------------------------------------------------------------------

/**
 * A configuration and where it stands in the log; index 0 for the founding one.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Placed = Schema.Struct({ index: Schema.NonNegativeInt, configuration: Configuration })

/**
 * @since 0.1.0
 * @category models
 */
export interface Placed extends Schema.Schema.Type<typeof Placed> {}

/**
 * Whether both are the same configuration at the same place.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isSame = (a: Placed, b: Placed): boolean =>
  a === b || (a.index === b.index && encodeJson(a.configuration) === encodeJson(b.configuration))

/**
 * The configurations of a log, the newest first: that one is in force. The last is committed, all others could still be
 * cut off.
 *
 * @since 0.1.0
 * @category models
 */
export type History = NonEmptyReadonlyArray<Placed>

/**
 * The history that a log shows from its beginning, or from a snapshot, to its **end**: entries that are not committed
 * count as well. An entry that is no configuration is a defect.
 *
 * @since 0.1.0
 * @category history
 */
export const fromLog = (
  beginning: Placed,
  entries: Iterable<{ readonly index: number; readonly payload: Uint8Array }>
): History => {
  let history: History = [beginning]
  for (const entry of entries) history = record(history, entry)
  return history
}

/**
 * Adds an entry that was appended. An entry that is no configuration is a defect: whoever let it in did not decode it. So is one of another
 * incarnation; one without inherits it.
 *
 * @since 0.1.0
 * @category history
 */
export const record = (
  history: History,
  { index, payload }: { readonly index: number; readonly payload: Uint8Array }
): History => {
  const [newest] = history
  assertInvariant(index > newest.index, "configurations follow each other", { index, newest: newest.index })
  const configuration = Option.getOrElse(decode(payload), () => broken("a configuration can be read", { index }))
  const { incarnation } = newest.configuration
  if (incarnation === undefined) return [{ index, configuration }, ...history]
  assertInvariant((configuration.incarnation ?? incarnation) === incarnation, "a log is of one incarnation", {
    index,
    incarnation,
    other: configuration.incarnation
  })
  return [{ index, configuration: { ...configuration, incarnation } }, ...history]
}

/**
 * Takes back what stood at this index and after it, when the log is cut there.
 *
 * @since 0.1.0
 * @category history
 */
export const undo = (history: History, fromIndex: number): History => {
  if (history[0].index < fromIndex) return history
  const [newest, ...older] = history.filter(({ index }) => index < fromIndex)
  return newest === undefined ? broken("a committed configuration is never cut off", { fromIndex }) : [newest, ...older]
}

/**
 * Forgets what no cut can bring back any more: all that is older than the newest committed one.
 *
 * @since 0.1.0
 * @category history
 */
export const settle = (history: History, commitIndex: number): History => {
  if (history.length === 1) return history
  const [newest, ...older] = history
  if (newest.index <= commitIndex) return [newest]
  const committed = older.findIndex(({ index }) => index <= commitIndex)
  return committed === -1 || committed === older.length - 1 ? history : [newest, ...older.slice(0, committed + 1)]
}

/**
 * The configuration in force at an index, as a snapshot of that place has to carry it. An index from before the history is
 * a defect.
 *
 * @since 0.1.0
 * @category history
 */
export const at = (history: History, index: number): Placed =>
  history.find(placed => placed.index <= index) ?? broken("a configuration is in force everywhere", { index })

/**
 * The newest configuration that is known to be committed: what it says of removed members is final.
 *
 * @since 0.1.0
 * @category history
 */
export const committed = (history: History, commitIndex: number): Configuration =>
  at(history, commitIndex).configuration

/**
 * Whether the incarnation that stands in the log may yet be replaced by another, as far as is known.
 *
 * @since 0.1.0
 * @category history
 */
export const isTentative = (history: History, commitIndex: number): boolean =>
  history[0].configuration.incarnation !== undefined && committed(history, commitIndex).incarnation === undefined

/**
 * Whether a member may lead: a voter may, and so may one that is leaving until it knows that its removal is committed.
 * Without the second nobody could be elected after the leader of two had removed itself and failed before the other
 * heard of it: the other lacks an entry, and this one, which has it, would no longer ask.
 *
 * @since 0.1.0
 * @category history
 */
export const mayLead = (history: History, commitIndex: number, member: MemberId): boolean => {
  const [newest, before] = history
  if (newest.configuration.voters.includes(member)) return true
  const isLeaving = newest.index > commitIndex && newest.configuration.removed.includes(member)
  return isLeaving && before?.configuration.voters.includes(member) === true
}
