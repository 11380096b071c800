/**
 * One node, whole: members, transport, stores, gateway, RPC socket and HTTP, from one list of options.
 *
 * @since 0.1.0
 */

import * as Endpoint from "@reckon/client/Endpoint"
import { MembershipRpcs } from "@reckon/client/MembershipRpcs"
import { StoreRpcs } from "@reckon/client/StoreRpcs"
import * as Members from "@reckon/cluster/Members"
import * as NodeServer from "@reckon/cluster/NodeServer"
import { PeerRpcs } from "@reckon/cluster/PeerRpcs"
import * as Receivers from "@reckon/cluster/Receivers"
import * as SocketTransport from "@reckon/cluster/SocketTransport"
import * as Administration from "@reckon/db/Administration"
import type { ReckonConfig } from "@reckon/db/StoreConfig"
import * as Stores from "@reckon/db/Stores"
import * as Gateway from "@reckon/gater/Gateway"
import * as WorkerRegistry from "@reckon/gater/WorkerRegistry"
import * as ExitReason from "@reckon/otp/ExitReason"
import * as Observer from "@reckon/otp/Observer"
import * as Process from "@reckon/otp/Process"
import * as Supervisor from "@reckon/otp/Supervisor"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Exporter from "./Exporter.js"
import * as Health from "./Health.js"
import * as SystemError from "./SystemError.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface NodeOptions {
  readonly self: Members.Member
  readonly peers: ReadonlyArray<Members.Member>
  readonly http: Endpoint.Endpoint
  /** Whether it joins stores that others keep already: it founds none, and waits to be added to them. */
  readonly joins: boolean
  readonly settings: ReckonConfig
}

/**
 * An address that the node was told to listen at is not to be had.
 *
 * @since 0.1.0
 * @category errors
 */
export class ListenFailed extends Schema.TaggedError<ListenFailed>("@reckon/node/ListenFailed")("ListenFailed", {
  purpose: Schema.Literal("RPC", "HTTP"),
  /** As `HOST:PORT`. */
  address: Schema.String,
  detail: Schema.String
}) {
  readonly retryable = false
  override get message() {
    return `cannot listen at ${this.address} for ${this.purpose}: ${this.detail}`
  }
}

/** What the system says, in words for the codes that people meet. */
const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: "something else listens there",
  EADDRNOTAVAIL: "it is no address of this machine",
  EACCES: "this user may not"
}

const listening = <A, E extends { readonly cause: unknown }, R>(
  server: Layer.Layer<A, E, R>,
  purpose: ListenFailed["purpose"],
  address: Endpoint.Endpoint
): Layer.Layer<A, ListenFailed, R> =>
  Layer.mapError(server, ({ cause }) => {
    const detail = reasons[SystemError.codeOf(cause) ?? ""] ?? String(cause)
    return new ListenFailed({ purpose, address: Endpoint.format(address), detail })
  })

const layer = (options: NodeOptions) => {
  const { clusterSecret, dataDir, defaults, limits, stores, telemetryHandlers } = options.settings
  const handlers = Layer.mergeAll(Gateway.layerHandlers({ limits }), Administration.layerHandlers).pipe(
    Layer.provideMerge(SocketTransport.layerHandlers)
  )
  const { address } = options.self
  const rpc = listening(
    NodeServer.layer(StoreRpcs.merge(MembershipRpcs, PeerRpcs), address, clusterSecret),
    "RPC",
    address
  )
  const http = listening(Health.layer(options.http), "HTTP", options.http)
  return Layer.mergeAll(Layer.provide(rpc, handlers), http).pipe(
    Layer.provideMerge(Stores.layer({ dataDir, defaults, stores, joins: options.joins, telemetryHandlers })),
    Layer.provide(WorkerRegistry.layer),
    Layer.provide(SocketTransport.layer),
    Layer.provide(Receivers.layer),
    Layer.provide(Members.layer(options.self, options.peers, clusterSecret)),
    Layer.provideMerge(Process.layer),
    Layer.provide(Exporter.layer(options.self.name, telemetryHandlers))
  )
}

/**
 * The supervisors have given up: what they started again failed each time.
 *
 * @since 0.1.0
 * @category errors
 */
export class GaveUp extends Schema.TaggedError<GaveUp>("@reckon/node/GaveUp")("GaveUp", {
  /** How a process of the tree failed at last. */
  detail: Schema.String
}) {
  readonly retryable = false
  override get message() {
    return `what was started again failed each time, at last with ${this.detail}`
  }
}

/** The supervisors' reasons say only that they gave up. What failed below them they have reported before. */
const gaveUp = Effect.gen(function* () {
  const root = yield* Supervisor.Root
  let last: ExitReason.ExitReason | undefined
  yield* Observer.changes.pipe(
    Stream.runForEach(change =>
      Effect.sync(() => {
        const isFailure = change._tag === "Reported" && change.report._tag === "ErrorReport"
        if (isFailure && change.report.reason._tag === "Crash") last = change.report.reason
      })
    ),
    Effect.forkScoped
  )
  const reason = yield* root.awaitExit
  return yield* new GaveUp({ detail: ExitReason.format(last ?? reason) })
})

/**
 * Runs the node until it is interrupted, which stops it in good order: other nodes lead first what it leads. It fails where it cannot start, and when its supervision tree gives up.
 *
 * @since 0.1.0
 * @category constructors
 */
export const run = (options: NodeOptions) =>
  Layer.build(layer(options)).pipe(
    // While it still hears the others.
    Effect.flatMap(context =>
      Effect.provide(
        Effect.onInterrupt(gaveUp, () => Effect.flatMap(Stores.Stores, ({ handOver }) => handOver)),
        context
      )
    ),
    Effect.scoped
  )
