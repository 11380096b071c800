import * as Machine from "@reckon/raft/Machine"
import * as Schema from "effect/Schema"

/** Counts, and remembers whose session ended how. */
export const counter = Machine.make({
  command: Schema.Int,
  reply: Schema.Int,
  state: Schema.Struct({ count: Schema.Int, ended: Schema.Array(Schema.String) }),
  initial: { count: 0, ended: [] },
  apply: (by, state) => Machine.reply(state.count + by, { ...state, count: state.count + by }),
  info: (info, state) =>
    Machine.noReply(
      info._tag === "SessionEnded" ? { ...state, ended: [...state.ended, `${info.session} ${info.reason}`] } : state
    )
})
