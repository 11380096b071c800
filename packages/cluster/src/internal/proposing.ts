/**
 * Proposals on their way to one peer: a request is what costs, so those that wait at the same time share one.
 */
import { NotLeader, Overloaded, ProposalUnknown, type ProposeError } from "@reckon/raft/RaftError"
import type { Asker } from "@reckon/raft/RaftTransport"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FiberSet from "effect/FiberSet"
import type * as Scope from "effect/Scope"
import type { PeerClient } from "./peerClient.js"

export interface Proposing {
  readonly propose: (group: string, payload: Uint8Array) => Effect.Effect<Uint8Array, ProposeError>
}

interface Waiting {
  readonly group: string
  readonly payload: Uint8Array
  readonly settle: (result: Either.Either<Uint8Array, ProposeError>) => void
}

/** Proposals that may wait, and their bytes, before more are refused. */
const waitingMax = 16_384
const waitingBytesMax = 64 * 1024 * 1024
/** What one request takes; the peer's decoder takes frames of 32 MiB. */
const requestProposalsMax = 1_024
const requestBytesMax = 8 * 1024 * 1024
/** Requests that may be unanswered at once, so that what comes in does not wait for what the peer commits. */
const requestsMax = 8
/** How long a request may take, beyond which the outcome of what it carries is unknown. */
const timeoutMillis = 5_000

export const makeProposing = (
  peer: string,
  client: Pick<PeerClient, "PeerPropose">,
  askerFor: (group: string) => Asker
): Effect.Effect<Proposing, never, Scope.Scope> =>
  Effect.gen(function* () {
    const run = yield* FiberSet.makeRuntime<never>()
    let waiting: Array<Waiting> = []
    let waitingBytes = 0
    let requests = 0
    let isScheduled = false

    const unknown = (detail: string) => Either.left(new ProposalUnknown({ detail: `${peer} ${detail}` }))

    const leave = (batch: ReadonlyArray<Waiting>, detail: string): void => {
      for (const { settle } of batch) settle(unknown(detail))
    }

    const send = (group: string, batch: ReadonlyArray<Waiting>) =>
      client.PeerPropose({ ...askerFor(group), group, payloads: batch.map(({ payload }) => payload) }).pipe(
        Effect.timeoutFail({ duration: timeoutMillis, onTimeout: () => "did not answer in time" }),
        Effect.match({
          onSuccess: results => {
            for (const [at, { settle }] of batch.entries()) {
              settle(results[at] ?? unknown("left a proposal out of its answer"))
            }
          },
          onFailure: error =>
            leave(batch, typeof error === "string" ? error : "could not be reached, or the connection failed")
        }),
        // Given up here, or interrupted or broken there.
        Effect.onError(() => Effect.sync(() => leave(batch, "is not waited for any more, or broke on it"))),
        Effect.ensuring(
          Effect.sync(() => {
            requests -= 1
            schedule()
          })
        )
      )

    /** The oldest, and what else waits for its group, as much as fits. */
    const takeBatch = (): ReadonlyArray<Waiting> => {
      const batch: Array<Waiting> = []
      const left: Array<Waiting> = []
      let bytes = 0
      for (const one of waiting) {
        const fits =
          batch.length < requestProposalsMax && (batch.length === 0 || bytes + one.payload.length <= requestBytesMax)
        if (left.length === 0 && fits && (batch[0]?.group ?? one.group) === one.group) {
          batch.push(one)
          bytes += one.payload.length
        } else {
          left.push(one)
        }
      }
      waiting = left
      waitingBytes -= bytes
      return batch
    }

    const pump = Effect.sync(() => {
      isScheduled = false
      while (requests < requestsMax && waiting.length > 0) {
        const batch = takeBatch()
        requests += 1
        run(send(batch[0]?.group ?? "", batch))
      }
    })

    /** Not at once: whoever proposes in the same turn comes along. */
    const schedule = () => {
      if (isScheduled || requests >= requestsMax || waiting.length === 0) return
      isScheduled = true
      run(Effect.zipRight(Effect.yieldNow(), pump))
    }

    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        for (const { settle } of waiting) settle(Either.left(new NotLeader({ leader: null })))
      })
    )

    return {
      propose: (group, payload) =>
        Effect.async(resume => {
          if (waiting.length >= waitingMax || waitingBytes + payload.length > waitingBytesMax) {
            return resume(Effect.fail(new Overloaded()))
          }
          waiting.push({ group, payload, settle: resume })
          waitingBytes += payload.length
          schedule()
        })
    }
  })
