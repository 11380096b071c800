/**
 * The Raft transport over `@effect/rpc` sockets: one connection to each peer, shared by all groups.
 *
 * Each peer has an outbox of Raft messages, bounded by count and bytes. One frame carries all that waits, up to its size, and the next one follows when the socket has
 * taken it: the slower the peer, the larger the frames. What does not fit is dropped; Raft sends it again.
 *
 * A node introduces itself to its peers, again and again, so that those that were not told of it reach it too, once a group has it as a member: see {@link Introductions}.
 *
 * @since 0.1.0
 */
import { RpcClientError } from "@effect/rpc/RpcClientError"
import * as Wire from "@reckon/client/Wire"
import type { Claim } from "@reckon/raft/Incarnation"
import type { Message } from "@reckon/raft/Message"
import {
  type ChangeError,
  ChangeUnknown,
  NotLeader,
  type ReadError,
  ReadTimeout,
  type TransferError,
  TransferFailed
} from "@reckon/raft/RaftError"
import { type Asker, askAs, RaftTransport, type Receiver } from "@reckon/raft/RaftTransport"
import { SnapshotRefused } from "@reckon/raft/SnapshotChunk"
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import { Deliveries } from "./Deliveries.js"
import * as Introductions from "./Introductions.js"
import { introducing } from "./internal/introducing.js"
import { makeOutbox, type Outbox } from "./internal/outbox.js"
import { connectPeer, type PeerClient } from "./internal/peerClient.js"
import { makeProposing, type Proposing } from "./internal/proposing.js"
import { type Member, Members } from "./Members.js"
import { PeerRpcs } from "./PeerRpcs.js"
import { Receivers, standingOf } from "./Receivers.js"

/** What a message has besides an entry is far below this; so is what an answer has besides the one event that made the entry large. */
const envelopeBytesMax = 1024 * 1024
const entryBytesMax = Wire.messageBytesMax - envelopeBytesMax

/** How long a forwarded read, or a piece of a snapshot, may take. Proposals have a limit of their own, see `proposing.ts`. */
const requestTimeoutMillis = 5_000
/** The same for a change of the membership and for a transfer, which wait for more than one round. Beyond it their outcome is unknown. */
const administrationTimeoutMillis = 15_000

const nobodyLeads = new NotLeader({ leader: null })
const unreachable = (detail: string) => new SnapshotRefused({ reason: "unreachable", detail })

/** From the outbox to the socket it takes fibers and no time: when the event loop comes round they are through. */
const departed = Effect.async<void>(resume => {
  const turn = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(turn))
})

/** Has a request that gets no answer, because its time runs out, the connection fails or the peer stops, end with what `lost` makes of that. */
const orLost =
  <Lost>(millis: number, lost: (how: string, isLate: boolean) => Lost) =>
  <A, E>(request: Effect.Effect<A, E | RpcClientError>): Effect.Effect<A, E | Lost> =>
    Effect.timeoutFail(request, { duration: millis, onTimeout: () => lost("did not answer in time", true) }).pipe(
      Effect.catchAll(error =>
        Effect.fail(
          error instanceof RpcClientError ? lost("could not be reached, or the connection failed", false) : error
        )
      ),
      // A node that stops interrupts what it has under way, and says so. Nobody has interrupted who asks.
      Effect.catchSomeCause(cause =>
        Cause.isInterruptedOnly(cause) ? Option.some(Effect.fail(lost("has stopped", false))) : Option.none()
      )
    )

/** How often those are left out that are no members any more. */
const forgetMillis = 30_000

/** A peer over its connection, which lasts as long as the scope. */
interface Connected {
  readonly client: PeerClient
  readonly outbox: Outbox
  readonly proposing: Proposing
  readonly scope: Scope.CloseableScope
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const make: Effect.Effect<
  Context.Tag.Service<RaftTransport>,
  never,
  Members | Receivers | Scope.Scope
> = Effect.gen(function* () {
  const members = yield* Members
  const receivers = yield* Receivers
  const peers = new Map<string, Connected>()
  const askerFor = (group: string): Asker => ({ from: members.self.name, ...receivers.get(group)?.claim() })

  const all = yield* Effect.scope
  const oneAtATime = (yield* Effect.makeSemaphore(1)).withPermits(1)
  const connect = (peer: Member): Effect.Effect<void> =>
    Effect.gen(function* () {
      const scope = yield* Scope.fork(all, ExecutionStrategy.sequential)
      yield* Effect.gen(function* () {
        const { client, opened, send } = yield* connectPeer(peer, members.secret)
        const outbox = yield* makeOutbox(send)
        const proposing = yield* makeProposing(peer.name, client, askerFor)
        peers.set(peer.name, { client, outbox, proposing, scope })
        yield* Effect.forkScoped(
          Effect.zipRight(
            opened,
            introducing(members, peer.name, self => client.PeerIntroduce(self))
          )
        )
      }).pipe(Scope.extend(scope))
    })
  yield* Effect.forEach(members.peers, connect, { discard: true })

  /** Ends the connection to where somebody was before, and makes one to where it is now. */
  const follow = (name: string): Effect.Effect<void> =>
    Effect.suspend(() => {
      const before = peers.get(name)
      peers.delete(name)
      const closed = before === undefined ? Effect.void : Scope.close(before.scope, Exit.void)
      const now = members.known().get(name)
      return now === undefined ? closed : Effect.zipRight(closed, connect(now))
    }).pipe(oneAtATime)
  const run = yield* FiberSet.makeRuntime<never>()
  members.onChange(name => run(follow(name)))

  // Otherwise those that were removed would be called for ever.
  yield* Effect.sync(() => {
    for (const name of members.known().keys()) if (standingOf(receivers, name) === "removed") members.forget(name)
  }).pipe(Effect.delay(forgetMillis), Effect.forever, Effect.forkScoped)

  /** Asks a peer; `absent` is the answer of one that there is not. */
  const asking = <A, E>(to: string, absent: E, ask: (client: PeerClient) => Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.suspend(() => {
      const peer = peers.get(to)
      return peer === undefined ? Effect.fail(absent) : ask(peer.client)
    })

  return RaftTransport.of({
    departed,
    entryBytesMax,
    listen: (group, receiver) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          receivers.set(group, receiver)
        }),
        () =>
          Effect.sync(() => {
            if (receivers.get(group) === receiver) receivers.set(group, undefined)
          })
      ),
    send: (group, message) => {
      peers.get(message.to)?.outbox.offer({ group, message })
    },
    propose: (group, to, payload) =>
      Effect.suspend(() => peers.get(to)?.proposing.propose(group, payload) ?? Effect.fail(nobodyLeads)),
    readIndex: (group, to) =>
      asking<number, ReadError>(to, nobodyLeads, ({ PeerReadIndex }) =>
        PeerReadIndex({ ...askerFor(group), group }).pipe(
          orLost(requestTimeoutMillis, (_, isLate) => (isLate ? new ReadTimeout() : nobodyLeads))
        )
      ),
    changeMembership: (group, to, change) =>
      asking<number, ChangeError>(to, nobodyLeads, ({ PeerChangeMembership }) =>
        PeerChangeMembership({ ...askerFor(group), group, change }).pipe(
          orLost(administrationTimeoutMillis, lost => new ChangeUnknown({ detail: `${to} ${lost}` }))
        )
      ),
    transferLeadership: (group, to, target) =>
      asking<void, TransferError>(to, nobodyLeads, ({ PeerTransferLeadership }) =>
        PeerTransferLeadership({ ...askerFor(group), group, target }).pipe(
          orLost(administrationTimeoutMillis, () => new TransferFailed({ outcome: "lost", leader: null }))
        )
      ),
    sendSnapshot: (group, chunk) =>
      asking(chunk.to, unreachable(`${chunk.to} is not a peer`), ({ PeerSnapshot }) =>
        PeerSnapshot({ group, chunk }).pipe(orLost(requestTimeoutMillis, lost => unreachable(`${chunk.to} ${lost}`)))
      )
  })
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<RaftTransport, never, Members | Receivers> = Layer.scoped(RaftTransport, make)

/** So many are told of before it is no more than noise, or somebody's play. */
const reportedMax = 64

/** Why a message is not for this node, in words for whoever gave the nodes their names. */
const misnamed = (self: string, { from, to }: Message): string =>
  to === self
    ? `a node that calls itself ${JSON.stringify(from)} sends messages to "${self}", which was not told of it`
    : `${JSON.stringify(from)} takes this node, "${self}", for ${JSON.stringify(to)}`

const absent = (self: string, group: string, { from }: Message): string =>
  `${JSON.stringify(from)} sends messages of the group ${JSON.stringify(group)}, which "${self}" does not have`

/**
 * Hands the messages of peers to the groups that listen here. Those that claim to come from a stranger or go to somebody else are dropped, and the first of each is reported: a name is misspelt where a
 * node was started. So are those of a group that never was here: the node was started without it.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerDeliveries: Layer.Layer<Deliveries, never, Members | Receivers> = Layer.effect(
  Deliveries,
  Effect.gen(function* () {
    const members = yield* Members
    const receivers = yield* Receivers
    const log = Runtime.runFork(yield* Effect.runtime())
    const reported = new Set<string>()
    const report = (words: string, what: "names" | "stores") => {
      if (reported.has(words) || reported.size >= reportedMax) return
      reported.add(words)
      log(Effect.logWarning(`${words}: nothing is taken from it. Compare the ${what} with which the two were started`))
    }
    return messages => {
      const byGroup = new Map<string, Array<Message>>()
      for (const { group, message } of messages) {
        if (message.to !== members.self.name || !members.known().has(message.from)) {
          report(misnamed(members.self.name, message), "names")
          continue
        }
        if (!receivers.has(group)) {
          report(absent(members.self.name, group, message), "stores")
          continue
        }
        const before = byGroup.get(group)
        if (before === undefined) byGroup.set(group, [message])
        else before.push(message)
      }
      for (const [group, received] of byGroup) receivers.get(group)?.receive(received)
    }
  })
)

const layerRequests = PeerRpcs.toLayer(
  Effect.gen(function* () {
    const members = yield* Members
    const receivers = yield* Receivers
    const deliver = yield* Deliveries
    const introductions = yield* Introductions.Introductions

    /** Asks the group that listens here, in the name of a peer; `someone` is one that does not tell its name. */
    const asking = <A, E>(
      {
        from = "someone",
        group,
        incarnation,
        isTentative
      }: Claim & { readonly from?: string | undefined; readonly group: string },
      ask: (receiver: Receiver) => Effect.Effect<A, E>
    ): Effect.Effect<A, E | NotLeader> =>
      Effect.suspend(() => {
        const receiver = receivers.get(group)
        return receiver === undefined
          ? Effect.fail(nobodyLeads)
          : askAs(receiver, { from, incarnation, isTentative }, ask)
      })

    return PeerRpcs.of({
      PeerDeliver: ({ messages }) => Effect.sync(() => deliver(messages)),
      PeerPropose: ({ payloads, ...asker }) =>
        Effect.catchAll(
          asking(asker, ({ proposeAll }) => proposeAll(payloads)),
          error => Effect.succeed(payloads.map(() => Either.left(error)))
        ),
      PeerReadIndex: asker => asking(asker, ({ readIndex }) => readIndex),
      PeerChangeMembership: ({ change, ...asker }) => asking(asker, ({ changeMembership }) => changeMembership(change)),
      PeerTransferLeadership: ({ target, ...asker }) =>
        asking(asker, ({ transferLeadership }) => transferLeadership(target)),
      PeerSnapshot: ({ chunk, group }) =>
        Effect.suspend(() => {
          const receiver = receivers.get(group)
          return receiver === undefined || chunk.to !== members.self.name || !members.known().has(chunk.from)
            ? Effect.fail(unreachable(`the group does not listen on ${members.self.name}`))
            : receiver.takeSnapshot(chunk)
        }),
      PeerIntroduce: introductions.take
    })
  })
)

/**
 * Serves what peers say and ask to the groups that listen here.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerHandlers = Layer.provideMerge(layerRequests, Layer.merge(layerDeliveries, Introductions.layer))
