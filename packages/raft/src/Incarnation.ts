/**
 * Which life of a group a member belongs to.
 *
 * A group's name can be given again: its machines are wiped and made anew, or a node comes back with the data folder of another group. Names and addresses are
 * right then, and terms and indexes mean nothing. So a group has an id that no other group has: its first leader draws one and writes it into the log with the
 * first entry of all, as a part of the {@link Membership.Configuration}, which hands it down from entry to entry and from snapshot to snapshot. It is settled
 * for ever once that entry is committed; until then another leader may come who has not got the entry and writes its own.
 *
 * Until its incarnation is settled a leader takes no proposals. Hence whoever has an entry that somebody proposed, written after the incarnation, knows that
 * the incarnation is settled; and whoever does not know it yet has nothing that was acknowledged under it.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"

/**
 * 128 bits drawn by chance, hexadecimal.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Incarnation = Schema.String.pipe(Schema.pattern(/^[0-9a-f]{32}$/)).annotations({
  identifier: "Incarnation"
})

/**
 * @since 0.1.0
 * @category models
 */
export type Incarnation = typeof Incarnation.Type

/**
 * A new one.
 *
 * @since 0.1.0
 * @category constructors
 */
export const draw: Effect.Effect<Incarnation> = Effect.map(
  Effect.replicateEffect(Random.nextIntBetween(0, 2 ** 32), 4),
  words => words.map(word => word.toString(16).padStart(8, "0")).join("")
)

/**
 * What a member says of its group with all it sends. Nothing, as long as its log says nothing. `isTentative`: that it stands in its log, but is not known
 * there to be settled.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Claim = Schema.Struct({
  incarnation: Schema.optional(Incarnation),
  isTentative: Schema.optional(Schema.Boolean)
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Claim extends Schema.Schema.Type<typeof Claim> {}
