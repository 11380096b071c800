/**
 * How nodes get to know those that joined after they were started. A node is told of others at its start, but these were not told of it, or not all of them: so each introduces itself to all that
 * it knows, and hears from them who else there is.
 *
 * Nobody becomes a member by that. Who introduces itself is known from then on where a group that listens here has it as a member, or had, and waits to be added until one has.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { isTellable, type Member, Members } from "./Members.js"
import type { IntroduceRpc } from "./PeerRpcs.js"
import { Receivers, standingOf } from "./Receivers.js"

/**
 * @since 0.1.0
 * @category services
 */
export class Introductions extends Context.Tag("@reckon/cluster/Introductions")<
  Introductions,
  {
    readonly take: (member: Member) => Effect.Effect<typeof IntroduceRpc.successSchema.Type>
    /** Those that have introduced themselves lately and are in no group of this node, by name. */
    readonly waiting: Effect.Effect<ReadonlyArray<Member>>
  }
>() {}

/** Who has not introduced itself for so long does not wait any more. */
const patienceNanos = 15_000_000_000n
const waitingMax = 64

const make = Effect.gen(function* () {
  const members = yield* Members
  const receivers = yield* Receivers
  const told = new Set(members.names)
  const applicants = new Map<string, { readonly member: Member; readonly sinceNanos: bigint }>()

  const isMember = (name: string): boolean => standingOf(receivers, name) === "member"
  /** Nobody is taken twice, so who was removed has nothing to wait for; but it is to hear that it was. */
  const mayJoin = (name: string): boolean => standingOf(receivers, name) === "stranger"

  return Introductions.of({
    take: member =>
      Effect.map(Clock.currentTimeNanos, sinceNanos => {
        const { name } = member
        applicants.delete(name)
        if (!mayJoin(name)) members.learn(member)
        else if (!told.has(name) && applicants.size < waitingMax) applicants.set(name, { member, sinceNanos })
        const others = [...members.known().values()].filter(other => told.has(other.name) || isMember(other.name))
        return {
          isKnown: members.known().has(name),
          members: isTellable(members.self.address) ? [members.self, ...others] : others
        }
      }),
    waiting: Effect.map(Clock.currentTimeNanos, now => {
      for (const [name, { sinceNanos }] of applicants) {
        if (now - sinceNanos > patienceNanos || !mayJoin(name)) applicants.delete(name)
      }
      return [...applicants.values()].map(({ member }) => member).sort((a, b) => (a.name < b.name ? -1 : 1))
    })
  })
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Introductions, never, Members | Receivers> = Layer.effect(Introductions, make)
