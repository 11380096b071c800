/**
 * How the members of a group reach each other. Sockets stand behind it in a cluster (`packages/cluster`), a {@link makeNetwork} in one process in tests.
 *
 * Messages may be lost, delayed or reordered; requests (all but `send`) are answered or fail with a typed error that says whether
 * they can have had an effect.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Either from "effect/Either"
import type * as Scope from "effect/Scope"
import type { Claim } from "./Incarnation.js"
import type * as Membership from "./Membership.js"
import type { Message } from "./Message.js"
import { type ChangeError, NotLeader, type ProposeError, type ReadError, type TransferError } from "./RaftError.js"
import { type Receipt, type SnapshotChunk, SnapshotRefused } from "./SnapshotChunk.js"

/**
 * A member that asks another one, with what it says of its group.
 *
 * @since 0.1.0
 * @category models
 */
export interface Asker extends Claim {
  readonly from: Membership.MemberId
}

/**
 * What a member offers to the others of its group.
 *
 * @since 0.1.0
 * @category models
 */
export interface Receiver {
  /** What this member says of its group's incarnation: it goes with all that is asked of others in its name. */
  readonly claim: () => Claim
  /** What somebody is to the group by the newest configuration in this member's log. */
  readonly standingOf: (id: Membership.MemberId) => Membership.Standing
  /** Whether what a member asks may be answered here: proposals, reads, changes and transfers. Messages and snapshots are looked at where they are taken. */
  readonly admits: (asker: Asker) => Effect.Effect<boolean>
  readonly receive: (messages: ReadonlyArray<Message>) => void
  /** Proposes all of them, in their order; each has an outcome of its own. */
  readonly proposeAll: (
    payloads: ReadonlyArray<Uint8Array>
  ) => Effect.Effect<ReadonlyArray<Either.Either<Uint8Array, ProposeError>>>
  readonly readIndex: Effect.Effect<number, ReadError>
  readonly changeMembership: (change: Membership.Change) => Effect.Effect<number, ChangeError>
  readonly transferLeadership: (target: Membership.MemberId) => Effect.Effect<void, TransferError>
  readonly takeSnapshot: (chunk: SnapshotChunk) => Effect.Effect<Receipt, SnapshotRefused>
}

const nobodyLeads = new NotLeader({ leader: null })

/**
 * Asks a member, if it admits the asker; one that does not leads nobody of the asker's.
 *
 * @since 0.1.0
 * @category requests
 */
export const askAs = <A, E>(
  receiver: Receiver,
  asker: Asker,
  ask: (receiver: Receiver) => Effect.Effect<A, E>
): Effect.Effect<A, E | NotLeader> =>
  Effect.flatMap(
    receiver.admits(asker),
    (isAdmitted): Effect.Effect<A, E | NotLeader> => (isAdmitted ? ask(receiver) : Effect.fail(nobodyLeads))
  )

/**
 * @since 0.1.0
 * @category services
 */
export class RaftTransport extends Context.Tag("@reckon/raft/RaftTransport")<
  RaftTransport,
  {
    /** Takes the group's messages and requests until the scope closes. */
    readonly listen: (group: string, receiver: Receiver) => Effect.Effect<void, never, Scope.Scope>
    /** The bytes that the payload of an entry may have for a message to carry it. More are refused where they are proposed. */
    readonly entryBytesMax: number
    /** Never waits: what does not fit the member's bounded outbox is lost, which Raft repairs. */
    readonly send: (group: string, message: Message) => void
    /** Ends when what was sent before is on its way, or cannot be yet: what then holds the process up does not hold that up. */
    readonly departed: Effect.Effect<void>
    /** Asks `to`, the supposed leader, to propose. */
    readonly propose: (group: string, to: string, payload: Uint8Array) => Effect.Effect<Uint8Array, ProposeError>
    /** Asks `to`, the supposed leader, for an index that a linearizable read must wait for. */
    readonly readIndex: (group: string, to: string) => Effect.Effect<number, ReadError>
    /** Asks `to`, the supposed leader, for a change of the membership. */
    readonly changeMembership: (
      group: string,
      to: string,
      change: Membership.Change
    ) => Effect.Effect<number, ChangeError>
    /** Asks `to`, the supposed leader, to hand over to `target`. */
    readonly transferLeadership: (
      group: string,
      to: string,
      target: Membership.MemberId
    ) => Effect.Effect<void, TransferError>
    /** Sends a piece of a snapshot and waits for the receipt. */
    readonly sendSnapshot: (group: string, chunk: SnapshotChunk) => Effect.Effect<Receipt, SnapshotRefused>
  }
>() {}

/**
 * A network of members in one process. Every message is delivered in order, at once, except over links that were cut.
 *
 * @since 0.1.0
 * @category models
 */
export interface Network {
  readonly transport: (self: string) => Context.Tag.Service<RaftTransport>
  /** Nothing goes from `from` to `to` until it is mended. */
  readonly cut: (from: string, to: string) => Effect.Effect<void>
  readonly mend: (from: string, to: string) => Effect.Effect<void>
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const makeNetwork: Effect.Effect<Network> = Effect.sync(() => {
  const receivers = new Map<string, Receiver>()
  const cutLinks = new Set<string>()
  const address = (group: string, member: string) => JSON.stringify([group, member])
  const link = (from: string, to: string) => JSON.stringify([from, to])

  const reach = (self: string, group: string, to: string): Receiver | undefined =>
    cutLinks.has(link(self, to)) || cutLinks.has(link(to, self)) ? undefined : receivers.get(address(group, to))

  const asking = <A, E>(
    self: string,
    group: string,
    to: string,
    ask: (receiver: Receiver) => Effect.Effect<A, E>
  ): Effect.Effect<A, E | NotLeader> =>
    Effect.suspend(() => {
      const receiver = reach(self, group, to)
      const claim = receivers.get(address(group, self))?.claim()
      return receiver === undefined ? Effect.fail(nobodyLeads) : askAs(receiver, { from: self, ...claim }, ask)
    })

  const transport = (self: string): Context.Tag.Service<RaftTransport> => ({
    listen: (group, receiver) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          receivers.set(address(group, self), receiver)
        }),
        () => Effect.sync(() => receivers.delete(address(group, self)))
      ).pipe(Effect.asVoid),
    // Nothing is packed here.
    entryBytesMax: Number.POSITIVE_INFINITY,
    send: (group, message) => {
      if (!cutLinks.has(link(self, message.to))) receivers.get(address(group, message.to))?.receive([message])
    },
    departed: Effect.void,
    propose: (group, to, payload) =>
      asking(self, group, to, ({ proposeAll }) =>
        Effect.flatMap(proposeAll([payload]), ([outcome]) => outcome ?? Effect.fail(nobodyLeads))
      ),
    readIndex: (group, to) => asking(self, group, to, ({ readIndex }) => readIndex),
    changeMembership: (group, to, change) =>
      asking(self, group, to, ({ changeMembership }) => changeMembership(change)),
    transferLeadership: (group, to, target) =>
      asking(self, group, to, ({ transferLeadership }) => transferLeadership(target)),
    sendSnapshot: (group, chunk) =>
      Effect.suspend(
        () =>
          reach(self, group, chunk.to)?.takeSnapshot(chunk) ??
          Effect.fail(new SnapshotRefused({ reason: "unreachable", detail: `there is no way to ${chunk.to}` }))
      )
  })

  return {
    transport,
    cut: (from, to) => Effect.sync(() => void cutLinks.add(link(from, to))),
    mend: (from, to) => Effect.sync(() => void cutLinks.delete(link(from, to)))
  }
})
