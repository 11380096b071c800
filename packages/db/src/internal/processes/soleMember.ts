/** The first election of a member that is alone. */
import type { RaftLog } from "@reckon/raft/RaftLog"
import type { RaftTransport } from "@reckon/raft/RaftTransport"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"

type Log = Context.Tag.Service<RaftLog>
type Transport = Context.Tag.Service<RaftTransport>

/** Whether the group has had no member but this one, ever. */
const isAlone = (log: Log): boolean => log.base().configuration === undefined && log.configurations().length === 0

/** Whom the word to lead comes from. No member has an empty name. */
const nobody = ""

/**
 * A transport that tells a member to lead as soon as it listens, in the words of a leader that hands over. Others wait for an election time-out, lest they depose a
 * leader that lives: where there is nobody else there is nothing to wait for, and a store is in service as soon as it is open.
 */
export const leadingAtOnce = (transport: Transport, self: string, log: () => Log | undefined): Transport => ({
  ...transport,
  listen: (group, receiver) =>
    Effect.zipRight(
      transport.listen(group, receiver),
      Effect.sync(() => {
        const opened = log()
        if (opened === undefined || !isAlone(opened)) return
        receiver.receive([{ _tag: "TimeoutNow", from: nobody, to: self, term: opened.hardState().term }])
      })
    )
})
