import type { MemberId } from "../../Membership.js"
import type { Contradiction } from "../../RaftState.js"
import type { Draft } from "./draft.js"
import { becomeFollower } from "./roles.js"

/**
 * What a message shows that cannot be as long as every disk keeps what it synced. It comes from outside, so it is no broken invariant of this member: to start anew would
 * change nothing about it.
 */

const report = (
  { outputs, state }: Draft,
  how: Contradiction["how"] | "two_leaders",
  member: MemberId,
  index: number
) => outputs.push({ _tag: "Contradicted", how, member, index, lastIndex: state.lastIndex })

/** This member takes no part any more: whatever it acknowledged, voted for or led from here on might rest on what was lost. */
export const setAside = (draft: Draft, how: Contradiction["how"], member: MemberId, index: number): void => {
  report(draft, how, member, index)
  draft.state.contradiction = { how, member, index }
  becomeFollower(draft, undefined)
}

/**
 * Somebody voted twice. Of two leaders none can be told to be the right one: each gives up the lead, and the next election is of another term. Who follows one of them stays with
 * it.
 */
export const noticeOther = (draft: Draft, leader: MemberId): void => {
  report(draft, "two_leaders", leader, draft.state.commitIndex)
  if (draft.state.role === "leader") becomeFollower(draft, undefined)
}
