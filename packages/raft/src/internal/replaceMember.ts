/**
 * A member in the place of another. It takes two changes, because two configurations that follow each other may differ in one voter only, and the new
 * member comes first: a group that lost one before it gained one would be a machine away from losing its majority.
 */
import * as Effect from "effect/Effect"
import type { MemberId } from "../Membership.js"
import type { RaftClient } from "../RaftClient.js"
import { ChangeRefused, NotLeader } from "../RaftError.js"

const pollMillis = 100

type Group = Pick<RaftClient, "changeMembership" | "status">

/** Another change ends by itself, the promotion of the new member for one. */
const afterOthers = (change: ReturnType<Group["changeMembership"]>): ReturnType<Group["changeMembership"]> =>
  Effect.catchAll(change, error =>
    error instanceof ChangeRefused && error.reason === "change_pending"
      ? Effect.delay(afterOthers(change), pollMillis)
      : Effect.fail(error)
  )

const done = (reason: ChangeRefused["reason"]) => (error: unknown) =>
  error instanceof ChangeRefused && error.reason === reason

/** Returns once the member is a voter; a member that was one of the group and is no more will never be. */
const promoted = (status: Group["status"], member: MemberId, seen: boolean): Effect.Effect<void, ChangeRefused> =>
  Effect.flatMap(status, found => {
    // Who was removed itself hears of nothing any more, and has its leader answer.
    if (found?.voters.includes(member) === true || found?.removed === true) return Effect.void
    const isLearner = found?.learners.includes(member) === true
    return seen && found !== null && !isLearner
      ? Effect.fail(new ChangeRefused({ reason: "was_removed" }))
      : Effect.delay(promoted(status, member, seen || isLearner), pollMillis)
  })

/** What an earlier call did, or a stranger, is not done again: the whole may be repeated until it is through. */
export const replaceMember =
  ({ changeMembership, status }: Group): RaftClient["replaceMember"] =>
  ({ add, remove }) =>
    Effect.gen(function* () {
      const before = yield* status
      if (before === null) return yield* new NotLeader({ leader: null })
      // Asked before anything is done: a mistyped name must not leave the group with a member more.
      if (![...before.voters, ...before.learners].includes(remove)) {
        return before.voters.includes(add) ? undefined : yield* new ChangeRefused({ reason: "not_a_member" })
      }
      // What an earlier call has added is a member too; but nobody is taken for that who is to go.
      if (add === remove) return yield* new ChangeRefused({ reason: "already_member" })
      yield* Effect.catchIf(
        afterOthers(changeMembership({ _tag: "Add", member: add })),
        done("already_member"),
        () => Effect.void
      )
      yield* promoted(status, add, false)
      yield* Effect.catchIf(
        afterOthers(changeMembership({ _tag: "Remove", member: remove })),
        done("not_a_member"),
        () => Effect.void
      )
    })
