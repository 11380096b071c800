import * as LogEntry from "../../LogEntry.js"
import type { Propose } from "../../RaftInput.js"
import type { ProposalsRefused } from "../../RaftOutput.js"
import { append, type Draft } from "./draft.js"
import { isFounding } from "./incarnation.js"
import { broadcastAppend } from "./replication.js"

const refuse = (draft: Draft, { proposals }: Propose, reason: ProposalsRefused["reason"]): void => {
  draft.outputs.push({
    _tag: "ProposalsRefused",
    ids: proposals.map(({ id }) => id),
    reason,
    leader: draft.state.leader
  })
}

/**
 * A batch is accepted as a whole or not at all. When nothing is uncommitted any batch is: a limit below the size of one
 * batch would otherwise refuse it for ever.
 */
export const onPropose = (draft: Draft, input: Propose): void => {
  const { state } = draft
  if (input.proposals.length === 0) return
  if (state.role !== "leader") {
    refuse(draft, input, "not_leader")
    return
  }
  if (state.transfer !== undefined) {
    refuse(draft, input, "transferring")
    return
  }
  if (isFounding(draft)) {
    refuse(draft, input, "founding")
    return
  }
  const bytes = LogEntry.totalBytes(input.proposals)
  if (state.uncommittedBytes > 0 && state.uncommittedBytes + bytes > state.options.uncommittedBytesMax) {
    refuse(draft, input, "overloaded")
    return
  }
  const first = state.lastIndex + 1
  append(
    draft,
    input.proposals.map(({ payload }, at) => LogEntry.command(first + at, state.term, payload))
  )
  state.uncommitted = [...state.uncommitted, { lastIndex: state.lastIndex, bytes }]
  state.uncommittedBytes += bytes
  draft.outputs.push({
    _tag: "ProposalsAppended",
    proposals: input.proposals.map(({ id }, at) => ({ id, index: first + at, term: state.term }))
  })
  broadcastAppend(draft)
}
