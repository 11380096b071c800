/**
 * Requests to whichever node serves, in the way of the client's connections: the one that served last is asked first, and the next one once that fails. What is repeated, and for how long, is left
 * to the client's own rules, which see here what they would see of a socket: a node that was never reached, or one whose answer got lost.
 */
import type { Requests, Subscribe } from "@reckon/client/EventStore"
import { NoQuorum, OutcomeUnknown, type RequestError } from "@reckon/client/StoreError"
import type { AppendRpc } from "@reckon/client/StoreRpcs"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

/** A node that runs, as a connection to it. */
export interface Connection {
  readonly requests: Requests
  readonly subscribe: Subscribe
  /** Ends with the node's life. */
  readonly closed: Effect.Effect<void>
}

export interface Endpoint {
  readonly name: string
  /** Undefined while it does not run. */
  readonly connection: () => Connection | undefined
}

/** How long a node may keep a request before another one is asked, as in the client by default. */
const attemptTimeout = "5 seconds"

interface Failure {
  readonly _tag: string
  readonly retryable: boolean
}

export const make = (options: {
  readonly store: string
  readonly endpoints: ReadonlyArray<Endpoint>
  /** The place of the one to ask first. */
  readonly first: number
  /** What a request, and its answer, takes on its way. */
  readonly latency: Duration.Duration | undefined
}): { readonly requests: Requests; readonly subscribe: Subscribe } => {
  const { endpoints, store } = options
  const travel = options.latency === undefined ? Effect.void : Effect.sleep(options.latency)
  let preferred = options.first

  const avoid = (place: number) => {
    if (preferred === place) preferred = (place + 1) % endpoints.length
  }

  const unreached = (name: string) => new NoQuorum({ store, detail: `${name} cannot be reached` })

  /** What a node that is gone, or silent, leaves behind of a request that it got. */
  const lost = (name: string, writes: boolean) =>
    writes ? new OutcomeUnknown({ detail: `the answer of ${name} got lost` }) : unreached(name)

  const at =
    (writes: boolean) =>
    <P, A, E extends Failure>(
      request: (requests: Requests) => (payload: P) => Effect.Effect<A, E | RequestError>
    ): ((payload: P) => Effect.Effect<A, E | RequestError>) =>
    payload =>
      Effect.suspend(() => {
        const place = preferred
        const endpoint = endpoints[place]
        const name = endpoint?.name ?? "no node"
        const connection = endpoint?.connection()
        const attempt =
          connection === undefined
            ? Effect.fail(unreached(name))
            : travel.pipe(
                Effect.zipRight(Effect.exit(request(connection.requests)(payload))),
                Effect.zipLeft(travel),
                Effect.flatten,
                Effect.raceFirst(Effect.zipRight(connection.closed, Effect.fail(lost(name, writes)))),
                Effect.timeoutFail({ duration: attemptTimeout, onTimeout: () => lost(name, writes) })
              )
        return Effect.tapError(attempt, error => Effect.sync(() => (error.retryable ? avoid(place) : undefined)))
      })
  const read = at(false)
  const write = at(true)

  return {
    requests: {
      Append: write<Parameters<Requests["Append"]>[0], typeof AppendRpc.successSchema.Type, RequestError>(
        requests => requests.Append
      ),
      AppendBatch: write(requests => requests.AppendBatch),
      DeleteStream: write(requests => requests.DeleteStream),
      SetStreamMetadata: write(requests => requests.SetStreamMetadata),
      SaveSnapshot: write(requests => requests.SaveSnapshot),
      DeleteSnapshots: write(requests => requests.DeleteSnapshots),
      Read: read(requests => requests.Read),
      ReadAll: read(requests => requests.ReadAll),
      Query: read(requests => requests.Query),
      VersionAt: read(requests => requests.VersionAt),
      PositionAt: read(requests => requests.PositionAt),
      GetVersion: read(requests => requests.GetVersion),
      StreamDetails: read(requests => requests.StreamDetails),
      HasEvents: read(requests => requests.HasEvents),
      ListStreams: read(requests => requests.ListStreams),
      LoadSnapshot: read(requests => requests.LoadSnapshot),
      ListSnapshots: read(requests => requests.ListSnapshots)
    },
    subscribe: payload =>
      Stream.suspend(() => {
        const place = preferred
        const endpoint = endpoints[place]
        const name = endpoint?.name ?? "no node"
        const connection = endpoint?.connection()
        const batches =
          connection === undefined
            ? Stream.fail(unreached(name))
            : Stream.merge(
                connection.subscribe(payload),
                Stream.fromEffect(Effect.zipRight(connection.closed, Effect.fail(unreached(name)))),
                { haltStrategy: "left" }
              )
        return Stream.tapError(batches, error => Effect.sync(() => (error.retryable ? avoid(place) : undefined)))
      })
  }
}
