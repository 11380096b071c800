/**
 * `GET /health`: whether this node can serve, for load balancers and people.
 *
 * @since 0.1.0
 */

import { createServer, type Server } from "node:http"
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServer from "@effect/platform/HttpServer"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import type { Endpoint } from "@reckon/client/Endpoint"
import { Stores } from "@reckon/db/Stores"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/**
 * 200 while every store of the node has a leader it can reach and follows, 503 otherwise; the body tells the same either way.
 */
const health = Effect.gen(function* () {
  const stores = yield* Stores
  const statuses = yield* stores.statuses
  const healthy = statuses.length > 0 && statuses.every(status => status.healthy)
  return yield* HttpServerResponse.json({ healthy, stores: statuses }, { status: healthy ? 200 : 503 })
})

const router = HttpRouter.empty.pipe(
  HttpRouter.get("/health", health),
  HttpRouter.catchAllCause(cause =>
    Effect.logError("a health request failed", cause).pipe(
      Effect.andThen(HttpServerResponse.json({ healthy: false, stores: [] }, { status: 503 })),
      Effect.orDie
    )
  ),
  HttpRouter.get("/", HttpServerResponse.redirect("/health"))
)

/** Connections at once: each takes one of the handles that RPC and the stores' files need too. */
const connectionsMax = 256
/** What a request may take to arrive whole. */
const requestMillisMax = 10_000

const makeServer = () => {
  const options = {
    headersTimeout: requestMillisMax,
    requestTimeout: requestMillisMax,
    connectionsCheckingInterval: 1000
  }
  const server = createServer(options)
  server.maxConnections = connectionsMax
  return server
}

/** A server that closes waits for requests of which only a part has come, and with it would the node's whole stop. */
const layerCutOff = (server: Server) =>
  Layer.scopedDiscard(
    Effect.addFinalizer(() =>
      Effect.sync(() => {
        server.close()
        server.closeAllConnections()
      })
    )
  )

/**
 * @since 0.1.0
 * @category layers
 */
export const layer = (address: Endpoint) =>
  Layer.suspend(() => {
    const server = makeServer()
    return HttpServer.serve(router).pipe(
      Layer.merge(layerCutOff(server)),
      Layer.provide(NodeHttpServer.layer(() => server, { host: address.host, port: address.port }))
    )
  })
