/**
 * Who can be asked: the nodes of a cluster over their connections, or the store in this process. What is built on them does not see the difference.
 */
import { RpcClientError } from "@effect/rpc/RpcClientError"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Endpoint from "../Endpoint.js"
import type { RecordedEvent } from "../Event.js"
import type { Requests } from "../EventStore.js"
import type { RequestError, RequestTooLarge, SubscribeError } from "../StoreError.js"
import type { SubscribeFrom } from "../StoreRpcs.js"
import type { Connections, StoreClient } from "./connections.js"
import { explain, Lost } from "./lost.js"

/** What all public errors have. */
export interface Failure {
  readonly _tag: string
  readonly retryable: boolean
}

export type Call<A, E> = (requests: Requests<RpcClientError>) => Effect.Effect<A, E | RpcClientError>

export type Batches<E> = Stream.Stream<ReadonlyArray<RecordedEvent>, E>

/** Where a subscription goes on. */
export interface From {
  readonly streamId: string | null
  readonly from: SubscribeFrom
}

export interface Peers {
  /** For people. */
  readonly names: ReadonlyArray<string>
  /** Whom to ask first, as a place in `names`. */
  readonly preferred: () => number
  /** Says that one failed, so that requests that begin now try the one behind it first. */
  readonly avoid: (index: number) => void
  /** One attempt at one peer. */
  readonly ask: <A, E extends Failure>(
    index: number,
    call: Call<A, E>,
    timeoutMillis: number
  ) => Effect.Effect<A, E | Lost | RequestTooLarge>
  /** Finds out whether the peer answers at all, then the events from there on, until it stops serving them. */
  readonly follow: (
    index: number,
    request: From,
    timeoutMillis: number
  ) => Effect.Effect<Batches<SubscribeError | Lost>, RequestError | Lost, Scope.Scope>
}

const ended = (endpoint: string): Batches<Lost> =>
  Stream.fail(
    new Lost({ endpoint, detail: `${endpoint} ended the subscription`, sent: true, defect: false, silent: false })
  )

// -----------------------------------------------------------------------------
// nodes
// -----------------------------------------------------------------------------

/** Batches of events that may have arrived and not been taken; the node sends the next one only when there is room. */
const batchesMax = 2

/** One attempt at one endpoint. */
export const askAt = <A, E extends Failure>(
  connections: Connections,
  endpoint: Endpoint.Endpoint,
  call: (rpc: StoreClient) => Effect.Effect<A, E | RpcClientError>,
  timeoutMillis: number
): Effect.Effect<A, E | Lost | RequestTooLarge> =>
  connections.use(endpoint, connection => {
    const silent = Effect.suspend(
      () =>
        new Lost({
          endpoint: connection.endpoint,
          detail: `${connection.endpoint} gave no answer within ${Math.round(timeoutMillis)} ms`,
          sent: connection.opened(),
          defect: false,
          silent: true
        })
    )
    const answer = Effect.catchAllCause(call(connection.rpc), cause => explain(connection, cause))
    // Telling a silent node that its answer is no longer wanted can take a second.
    return connections.deadlines
      .within(answer, timeoutMillis, silent)
      .pipe(Effect.tapError(error => (error instanceof Lost ? connections.retire(connection) : Effect.void)))
  })

export const nodes = (connections: Connections, store: string, onServed: () => void): Peers => ({
  names: connections.endpoints,
  preferred: connections.preferred,
  avoid: connections.avoid,
  ask: (index, call, timeoutMillis) =>
    Effect.map(askAt(connections, connections.at(index), call, timeoutMillis), answer => {
      onServed()
      return answer
    }),
  follow: Effect.fnUntraced(function* (index, request, timeoutMillis) {
    const endpoint = connections.at(index)
    // A node with nothing to deliver is silent; asking for its status first tells it from one that does not answer.
    yield* askAt(connections, endpoint, rpc => rpc.Status({ store }), timeoutMillis)
    const connection = yield* connections.acquire(endpoint)
    return connection.rpc.Subscribe({ store, ...request }, { streamBufferSize: batchesMax }).pipe(
      Stream.catchAllCause(cause => Stream.fromEffect(explain(connection, cause))),
      Stream.concat(ended(connection.endpoint))
    )
  })
})

// -----------------------------------------------------------------------------
// this process
// -----------------------------------------------------------------------------

const here = "this process"

const isRpcClientError = (error: unknown): error is RpcClientError => error instanceof RpcClientError

/** No attempt is cut short here: the store answers every request within its own limits, and nothing gets lost on the way. */
export const local = (requests: Requests, follow: (request: From) => Batches<SubscribeError>): Peers => ({
  names: [here],
  preferred: () => 0,
  avoid: () => {},
  ask: (_, call) => Effect.catchIf(call(requests), isRpcClientError, Effect.die),
  follow: (_, request) => Effect.succeed(Stream.concat(follow(request), ended(here)))
})
