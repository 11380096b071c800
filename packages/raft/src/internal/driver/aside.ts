/**
 * A member whose machine can apply nothing any more. To its group it is down: it hears nobody, votes for nobody and leads nothing, so that another is elected where it led. Its process lives on,
 * since to start it anew would change nothing, and says what is wrong to whoever asks.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { NotLeader } from "../../RaftError.js"
import type { Driver } from "./driver.js"

/** In the place of a driver that was closed. */
export const make = (closed: Driver): Driver => {
  const refused = Exit.fail(new NotLeader({ leader: null }))
  return {
    ...closed,
    readIndex: reply => reply(refused),
    awaitApplied: (index, reply) => reply(index <= closed.status().appliedIndex ? Exit.void : refused),
    changeMembership: (_, reply) => Effect.sync(() => reply(refused)),
    transferLeadership: (_, reply) => Effect.sync(() => reply(refused)),
    status: () => ({ ...closed.status(), role: "follower", leader: null, followers: [] }),
    handle: () => Effect.void
  }
}
