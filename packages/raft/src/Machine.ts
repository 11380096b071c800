/**
 * A replicated machine by its types and its transitions: commands in, replies and effects out.
 *
 * A transition is a pure function of the command, the state and the entry's {@link Meta}: every member runs it for the same entries in the same order, and all must
 * come to the same state. Time is `meta.timeMillis`; ids and random numbers come with the command. A transition that throws is a fault that stops
 * every member: say no by a reply.
 *
 * ```ts
 * const counter = Machine.make({
 *   command: Schema.Struct({ by: Schema.Int }),
 *   reply: Schema.Int,
 *   state: Schema.Int,
 *   initial: 0,
 *   apply: ({ by }, count) => Machine.reply(count + by, count + by)
 * })
 * ```
 *
 * Commands, replies and the state in a snapshot are kept as JSON: their schemas encode to what JSON can hold (`Schema.Uint8ArrayFromBase64` for bytes). A state that could not
 * be read back, as one with a number that is `NaN`, is not written: the member's process ends, and its log keeps what the state is made of.
 *
 * **Versions.** A version that has been in force anywhere is never changed, since members replay old entries by it; new rules are a new version on top
 * ({@link nextVersion}). A group begins with version 1 and goes on to another at one entry of its log, when a client asks for it.
 *
 * It is `ra_machine` of Ra, with OTP's words: `apply` is for commands, `info` for what the runtime brings.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import type * as Schema from "effect/Schema"
import * as Codec from "./internal/machine/codec.js"
import * as Instance from "./internal/machine/instance.js"
import * as Parts from "./internal/machine/parts.js"
import type { DownReason, MachineEffect, Subject } from "./MachineEffect.js"

// -----------------------------------------------------------------------------
// what a transition gets and gives
// -----------------------------------------------------------------------------

/**
 * What is known of an entry while it is applied, the same on every member.
 *
 * @since 0.1.0
 * @category models
 */
export interface Meta {
  /** The entry's place in the log: no two entries share it, so it serves as an id. */
  readonly index: number
  readonly term: number
  /**
   * The replicated time, in milliseconds since 1970: the highest that any proposer's clock showed so far. It never falls; a proposer whose clock is far ahead
   * takes it along, and all time-outs with it.
   */
  readonly timeMillis: number
  /** The version in force. */
  readonly version: number
  /** The client session that the command came in, if it did. */
  readonly session: number | undefined
}

/**
 * What the runtime brings to a machine: each one comes out of the log, and so to every member.
 *
 * @since 0.1.0
 * @category models
 */
export type Info =
  | { readonly _tag: "TimerFired"; readonly name: string }
  | { readonly _tag: "Down"; readonly subject: Subject; readonly reason: DownReason }
  /** The client closed its session, or nothing was heard of it for longer than its time-out. It cannot come back. */
  | { readonly _tag: "SessionEnded"; readonly session: number; readonly reason: "closed" | "expired" }

/**
 * The state from now on, and what the world is asked to do.
 *
 * @since 0.1.0
 * @category models
 */
export interface Outcome<out State, out Notification> {
  readonly state: State
  readonly effects: ReadonlyArray<MachineEffect<Notification>>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Replied<out State, out Reply, out Notification> extends Outcome<State, Notification> {
  readonly reply: Reply
}

/**
 * Answer the command and go on with the state. A transition whose effects go beyond a limit changes nothing, and the command fails with `CommandRefused`.
 *
 * @since 0.1.0
 * @category outcomes
 */
export const reply = <State, const Reply, Notification = never>(
  reply: Reply,
  state: State,
  effects: ReadonlyArray<MachineEffect<Notification>> = []
): Replied<State, Reply, Notification> => ({ reply, state, effects })

/**
 * Go on with the state. A transition whose effects go beyond a limit changes nothing, and the leader logs it.
 *
 * @since 0.1.0
 * @category outcomes
 */
export const noReply = <State, Notification = never>(
  state: State,
  effects: ReadonlyArray<MachineEffect<Notification>> = []
): Outcome<State, Notification> => ({ state, effects })

/**
 * Answer the command with what else came out: for a step that a command shares with news, which nobody asked for.
 *
 * @since 0.1.0
 * @category outcomes
 */
export const replyWith = <const Reply, State, Notification>(
  reply: Reply,
  outcome: Outcome<State, Notification>
): Replied<State, Reply, Notification> => ({ ...outcome, reply })

// -----------------------------------------------------------------------------
// definition
// -----------------------------------------------------------------------------

/**
 * @since 0.1.0
 * @category symbols
 */
export const InPartsTypeId: unique symbol = Symbol.for("@reckon/raft/Machine/InParts")

/**
 * How a state of many parts is kept in a snapshot. Opaque, see {@link inParts}.
 *
 * @since 0.1.0
 * @category models
 */
export interface InParts<in out State> {
  readonly [InPartsTypeId]: Parts.Parts<State>
}

/**
 * For a large state, in the place of its schema: each of its parts is kept by itself. A member that makes a snapshot gives others their turn, heartbeats among them,
 * whenever it has written some 64 KiB, and goes on with commands meanwhile; a state with one schema is encoded all in one go.
 *
 * The state must be a value in which no transition changes anything, such as Effect's `HashMap`: it is split bit by bit, while newer states take its place. Reading it
 * begins with `empty` and adds the parts in the order in which `split` has given them.
 *
 * ```ts
 * const balances = Machine.inParts({
 *   part: Schema.Tuple(Schema.String, Schema.Int),
 *   split: (balances: HashMap.HashMap<string, number>) => balances,
 *   empty: HashMap.empty<string, number>(),
 *   add: (balances, [account, balance]) => HashMap.set(balances, account, balance)
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const inParts = <State, Part, PartI>(options: {
  readonly part: Schema.Schema<Part, PartI>
  readonly split: (state: State) => Iterable<NoInfer<Part>>
  readonly empty: NoInfer<State>
  readonly add: (state: NoInfer<State>, part: NoInfer<Part>) => NoInfer<State>
}): InParts<State> => ({
  [InPartsTypeId]: Parts.many<State, Part>({ ...options, codec: Codec.make(options.part) })
})

/**
 * The rules of one version.
 *
 * @since 0.1.0
 * @category models
 */
export interface Definition<
  State,
  Command,
  Reply,
  Notification,
  CommandI = unknown,
  ReplyI = unknown,
  StateI = unknown
> {
  readonly command: Schema.Schema<Command, CommandI>
  readonly reply: Schema.Schema<Reply, ReplyI>
  readonly state: Schema.Schema<State, StateI> | InParts<State>
  readonly apply: (command: Command, state: State, meta: Meta) => Replied<NoInfer<State>, NoInfer<Reply>, Notification>
  /** Without it such news changes nothing. */
  readonly info?: (info: Info, state: State, meta: Meta) => Outcome<NoInfer<State>, Notification>
}

/**
 * A machine with all versions that its code knows. Opaque: see `MachineReplica` for a member that runs it, and `MachineClient` for its users.
 *
 * @since 0.1.0
 * @category models
 */
export interface Machine<out State, in out Command, in out Reply, out Notification = never> {
  /** The newest version. */
  readonly version: number
  readonly command: Codec.Codec<Command>
  readonly reply: Codec.Codec<Reply>
  readonly initial: Instance.Instance<State, Notification>
  /** Reads the state in a snapshot that was made by this version; or why nobody here can. */
  readonly restore: (
    version: number
  ) => Either.Either<Parts.Reader<Instance.Instance<State, Notification>>, Codec.Unreadable>
}

/**
 * A machine's first version. A new group begins with the state `initial`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <State, Command, Reply, CommandI, ReplyI, StateI, Notification = never>(
  definition: Definition<State, Command, Reply, Notification, CommandI, ReplyI, StateI> & {
    readonly initial: NoInfer<State>
  }
): Machine<State, Command, Reply, Notification> => {
  const rules = rulesOf(definition)
  const begin = (state: State) => Instance.make(1, rules, definition, state)
  return {
    version: 1,
    command: rules.command,
    reply: rules.reply,
    initial: begin(definition.initial),
    restore: version =>
      version === 1
        ? Either.right(Parts.map(rules.state.read(), begin))
        : Either.left({ message: `version ${version} is not known` })
  }
}

/**
 * A machine with one more version. When it comes into force, `upgrade` makes its state of the old one, on every member at the same entry.
 *
 * A client of this version reads the replies, and may send the commands, of the older ones too: what its `reply` schema reads includes what they wrote, and a
 * command that they cannot read is refused while they are in force.
 *
 * @since 0.1.0
 * @category constructors
 */
export const nextVersion = <
  Old,
  OldCommand,
  OldReply,
  OldNotification,
  State,
  Command,
  Reply,
  CommandI,
  ReplyI,
  StateI,
  Notification = never
>(
  machine: Machine<Old, OldCommand, OldReply, OldNotification>,
  definition: Definition<State, Command, Reply, Notification, CommandI, ReplyI, StateI> & {
    readonly upgrade: (state: Old) => NoInfer<State>
  }
): Machine<State, Command, Reply, Notification | OldNotification> => {
  const rules = rulesOf(definition)
  const version = machine.version + 1
  const begin = (state: State): Instance.Instance<State, Notification | OldNotification> =>
    Instance.make(version, rules, definition, state)
  const outgrow = (old: Instance.Instance<Old, Notification | OldNotification>) =>
    Instance.outgrow(old, definition.upgrade, begin)
  return {
    version,
    command: rules.command,
    reply: rules.reply,
    initial: outgrow(machine.initial),
    restore: written =>
      written === version
        ? Either.right(Parts.map(rules.state.read(), begin))
        : Either.map(machine.restore(written), reader => Parts.map(reader, outgrow))
  }
}

const rulesOf = <State, Command, Reply, CommandI, ReplyI, StateI>(definition: {
  readonly command: Schema.Schema<Command, CommandI>
  readonly reply: Schema.Schema<Reply, ReplyI>
  readonly state: Schema.Schema<State, StateI> | InParts<State>
}): Instance.Rules<State, Command, Reply> => ({
  command: Codec.make(definition.command),
  reply: Codec.make(definition.reply),
  state: InPartsTypeId in definition.state ? definition.state[InPartsTypeId] : Parts.whole(Codec.make(definition.state))
})
