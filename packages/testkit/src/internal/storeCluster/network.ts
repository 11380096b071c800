/**
 * Links between members that take their time and can be cut, at any moment: what is on its way then is lost, and so is an answer to what had arrived before.
 */
import * as RaftError from "@reckon/raft/RaftError"
import * as RaftTransport from "@reckon/raft/RaftTransport"
import { SnapshotRefused } from "@reckon/raft/SnapshotChunk"
import type * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import type * as Scope from "effect/Scope"

export interface Network {
  readonly transport: (self: string) => Context.Tag.Service<RaftTransport.RaftTransport>
  /** Nothing gets from one to the other, either way. */
  readonly cut: (one: string, other: string) => Effect.Effect<void>
  readonly mend: (one: string, other: string) => Effect.Effect<void>
}

/** `latency`: what a message takes one way; without, it is there at once. */
export const make = (latency: Duration.Duration | undefined): Effect.Effect<Network, never, Scope.Scope> =>
  Effect.gen(function* () {
    const network = yield* RaftTransport.makeNetwork
    const later = yield* FiberSet.makeRuntime<never>()
    const travel = latency === undefined ? Effect.void : Effect.sleep(latency)
    const cutLinks = new Set<string>()
    const link = (one: string, other: string) => (one < other ? `${one} ${other}` : `${other} ${one}`)

    /** There and back, unless the link is cut when the answer comes. One that is cut at the beginning lets nothing through that could be lost. */
    const crossing =
      <Lost>(self: string, to: string, lost: (detail: string) => Lost) =>
      <A, E>(request: Effect.Effect<A, E>): Effect.Effect<A, E | Lost> =>
        Effect.suspend(() => {
          if (cutLinks.has(link(self, to))) return request
          return travel.pipe(
            Effect.zipRight(Effect.exit(request)),
            Effect.zipLeft(travel),
            Effect.flatMap(
              (exit): Effect.Effect<A, E | Lost> =>
                cutLinks.has(link(self, to)) ? Effect.fail(lost(`the way to ${to} broke`)) : exit
            )
          )
        })

    return {
      transport: self => {
        const inner = network.transport(self)
        return {
          ...inner,
          send:
            latency === undefined
              ? inner.send
              : (group, message) => {
                  later(
                    Effect.delay(
                      Effect.sync(() => inner.send(group, message)),
                      latency
                    )
                  )
                },
          propose: (group, to, payload) =>
            inner
              .propose(group, to, payload)
              .pipe(crossing(self, to, detail => new RaftError.ProposalUnknown({ detail }))),
          readIndex: (group, to) =>
            inner.readIndex(group, to).pipe(crossing(self, to, () => new RaftError.ReadTimeout())),
          changeMembership: (group, to, change) =>
            inner
              .changeMembership(group, to, change)
              .pipe(crossing(self, to, detail => new RaftError.ChangeUnknown({ detail }))),
          transferLeadership: (group, to, target) =>
            inner
              .transferLeadership(group, to, target)
              .pipe(crossing(self, to, () => new RaftError.TransferFailed({ outcome: "lost", leader: null }))),
          sendSnapshot: (group, chunk) =>
            inner
              .sendSnapshot(group, chunk)
              .pipe(crossing(self, chunk.to, detail => new SnapshotRefused({ reason: "unreachable", detail })))
        }
      },
      cut: (one, other) =>
        Effect.zipRight(
          Effect.sync(() => void cutLinks.add(link(one, other))),
          Effect.zipRight(network.cut(one, other), network.cut(other, one))
        ),
      mend: (one, other) =>
        Effect.zipRight(
          Effect.sync(() => void cutLinks.delete(link(one, other))),
          Effect.zipRight(network.mend(one, other), network.mend(other, one))
        )
    }
  })
