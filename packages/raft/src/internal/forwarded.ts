/** What other members propose to this one, which leads. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { NotLeader, ProposalRefused } from "../RaftError.js"
import type { Receiver } from "../RaftTransport.js"
import type { StateMachine } from "../StateMachine.js"

type ProposeAll = Receiver["proposeAll"]

const nobodyLeads = Either.left(new NotLeader({ leader: null }))

/** Proposes those that the machine can read. Of the others, once committed, each would keep every member out of the group, one after the other, for good. */
export const readable = ({ unreadable }: Context.Tag.Service<StateMachine>, proposeAll: ProposeAll): ProposeAll => {
  if (unreadable === undefined) return proposeAll
  return payloads =>
    Effect.suspend(() => {
      const refusals = payloads.map(unreadable)
      if (refusals.every(detail => detail === undefined)) return proposeAll(payloads)
      return Effect.map(proposeAll(payloads.filter((_, at) => refusals[at] === undefined)), outcomes => {
        const rest = outcomes.values()
        return refusals.map(detail =>
          detail === undefined ? (rest.next().value ?? nobodyLeads) : Either.left(new ProposalRefused({ detail }))
        )
      })
    })
}
