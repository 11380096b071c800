import type * as Context from "effect/Context"
import * as Membership from "../../Membership.js"
import type { RaftLog } from "../../RaftLog.js"
import type { Base } from "../../Snapshot.js"

/** What a member begins with, as its log tells it; a log that was never cut begins with the founders. */
export const baseOf = (log: Context.Tag.Service<RaftLog>, voters: ReadonlyArray<Membership.MemberId>): Base => {
  const { configuration, index, term } = log.base()
  return { index, term, configuration: configuration ?? { index: 0, configuration: Membership.founding(voters) } }
}
