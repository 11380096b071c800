/** A node that introduces itself to another: see `Introductions`. */
import * as Effect from "effect/Effect"
import { isTellable, type Member, type Members } from "../Members.js"
import type { IntroduceRpc } from "../PeerRpcs.js"

/** How soon it tries again while it is not known there, and how often it says so anew afterwards: who was started again knows only what it was told. */
const unknownMillis = 1_000
const knownMillis = 5_000
/** How long an answer is waited for. */
const answerMillis = 5_000

/** Tells the peer of this node, and takes in whom the peer knows, for as long as it is run. */
export const introducing = (
  members: Members["Type"],
  peer: string,
  tell: (self: Member) => Effect.Effect<typeof IntroduceRpc.successSchema.Type, unknown>
): Effect.Effect<void> => {
  if (!isTellable(members.self.address)) return Effect.void
  return tell(members.self).pipe(
    Effect.timeout(answerMillis),
    Effect.tap(answer => {
      const own = answer.members.find(({ name }) => name === members.self.name)
      const isElsewhere = own !== undefined && members.soughtAt(peer, own.address)
      return isElsewhere ? Effect.logInfo(members.misplaced()) : Effect.void
    }),
    Effect.map(answer => {
      // Where somebody is that is known already, it says itself.
      for (const member of answer.members) if (!members.known().has(member.name)) members.learn(member)
      return answer.isKnown
    }),
    // One that is down, or of a release that does not know the question: it is asked again.
    Effect.catchAllCause(() => Effect.succeed(false)),
    Effect.flatMap(isKnown => Effect.sleep(isKnown ? knownMillis : unknownMillis)),
    Effect.forever
  )
}
