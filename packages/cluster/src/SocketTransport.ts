/**
 * The Raft transport over `@effect/rpc` sockets: one connection to each peer, shared by all groups.
 *
 * Each peer has an outbox of Raft messages, bounded by count and bytes. One request carries all that waits, up to a frame's size, and a few requests may be
 * unanswered at once: the slower the peer, the larger the frames. What does not fit is dropped; Raft sends it again.
 *
 * @since 0.1.0
 */
import { NotLeader, ProposalUnknown, type ProposeError, type ReadError, ReadTimeout } from "@reckon/raft/RaftError"
import { RaftTransport, type Receiver } from "@reckon/raft/RaftTransport"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { makeOutbox, type Outbox } from "./internal/outbox.js"
import { connectPeer, type PeerClient } from "./internal/peerClient.js"
import { Members } from "./Members.js"
import { PeerRpcs } from "./PeerRpcs.js"

/** How long a forwarded proposal or read may take, beyond which its outcome is unknown. */
const requestTimeoutMillis = 5_000

/**
 * The groups that listen on this node, for requests that come in from peers.
 *
 * @since 0.1.0
 * @category services
 */
export class Receivers extends Context.Tag("@reckon/cluster/Receivers")<Receivers, Map<string, Receiver>>() {}

/**
 * @since 0.1.0
 * @category layers
 */
export const layerReceivers: Layer.Layer<Receivers> = Layer.sync(Receivers, () => new Map())

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
  const peers = new Map<string, { readonly client: PeerClient; readonly outbox: Outbox }>()
  for (const peer of members.peers) {
    const client = yield* connectPeer(peer)
    peers.set(peer.name, { client, outbox: yield* makeOutbox(client) })
  }

  return RaftTransport.of({
    listen: (group, receiver) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          receivers.set(group, receiver)
        }),
        () =>
          Effect.sync(() => {
            if (receivers.get(group) === receiver) receivers.delete(group)
          })
      ),
    send: (group, message) => {
      peers.get(message.to)?.outbox.offer({ group, message })
    },
    propose: (group, to, payload) =>
      Effect.suspend((): Effect.Effect<Uint8Array, ProposeError> => {
        const peer = peers.get(to)
        if (peer === undefined) return Effect.fail(new NotLeader({ leader: null }))
        return peer.client.PeerPropose({ group, payload }).pipe(
          Effect.timeoutFail({
            duration: requestTimeoutMillis,
            onTimeout: () => new ProposalUnknown({ detail: `${to} did not answer in time` })
          }),
          Effect.catchTag("RpcClientError", () =>
            Effect.fail(new ProposalUnknown({ detail: `the connection to ${to} failed` }))
          )
        )
      }),
    readIndex: (group, to) =>
      Effect.suspend((): Effect.Effect<number, ReadError> => {
        const peer = peers.get(to)
        if (peer === undefined) return Effect.fail(new NotLeader({ leader: null }))
        return peer.client.PeerReadIndex({ group }).pipe(
          Effect.timeoutFail({ duration: requestTimeoutMillis, onTimeout: () => new ReadTimeout() }),
          Effect.catchTag("RpcClientError", () => Effect.fail(new NotLeader({ leader: null })))
        )
      })
  })
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<RaftTransport, never, Members | Receivers> = Layer.scoped(RaftTransport, make)

/**
 * Serves the peers' requests to the groups that listen here. Messages that claim to come from a stranger or go to somebody else are dropped.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerHandlers = PeerRpcs.toLayer(
  Effect.gen(function* () {
    const members = yield* Members
    const receivers = yield* Receivers
    const peerNames = new Set(members.peers.map(peer => peer.name))
    return PeerRpcs.of({
      PeerDeliver: ({ messages }) =>
        Effect.sync(() => {
          for (const { group, message } of messages) {
            if (message.to !== members.self.name || !peerNames.has(message.from)) continue
            receivers.get(group)?.receive([message])
          }
        }),
      PeerPropose: ({ group, payload }) =>
        Effect.suspend(() => receivers.get(group)?.propose(payload) ?? Effect.fail(new NotLeader({ leader: null }))),
      PeerReadIndex: ({ group }) =>
        Effect.suspend(() => receivers.get(group)?.readIndex ?? Effect.fail(new NotLeader({ leader: null })))
    })
  })
)
