/**
 * A gateway for tests: `StoreRpcs` on a real loopback socket, in front of a store in memory. Several gateways may serve one store, as the nodes of a
 * cluster do, and each can be cut off, silenced or made to refuse.
 */

import * as Net from "node:net"
import * as SocketServer from "@effect/platform/SocketServer"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import * as RpcServer from "@effect/rpc/RpcServer"
import { StoreError, StoreRpcs, Wire } from "@reckon/client"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Handlers from "./handlers.js"
import type { MemoryStore } from "./memoryStore.js"

export { MemoryStore } from "./memoryStore.js"

export interface Gateway extends Handlers.Hooks {
  /** Where clients reach it. */
  readonly endpoint: string
  /** Destroys its connections. */
  readonly cut: () => void
  /** Destroys its connections and takes no new ones. */
  readonly vanish: Effect.Effect<void>
  /** From now on nothing that arrives is passed on; connections stay open. */
  readonly silence: () => void
}

/** A port in front of another: what the fake node's network does. */
const listen = Effect.fnUntraced(function* (target: number) {
  const sockets = new Set<Net.Socket>()
  let silent = false
  const server = Net.createServer(client => {
    const upstream = Net.createConnection({ host: "127.0.0.1", port: target })
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on("error", () => {})
      socket.on("close", () => {
        sockets.delete(socket)
        client.destroy()
        upstream.destroy()
      })
    }
    client.on("data", bytes => silent || upstream.write(bytes))
    upstream.on("data", bytes => silent || client.write(bytes))
  })
  yield* Effect.async<void>(resume => void server.listen(0, "127.0.0.1", () => resume(Effect.void)))
  const cut = () => {
    for (const socket of sockets) socket.destroy()
  }
  const vanish = Effect.async<void>(resume => {
    server.close(() => resume(Effect.void))
    cut()
  })
  yield* Effect.addFinalizer(() => vanish)
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  const silence = () => {
    silent = true
  }
  return { port, cut, vanish, silence }
})

export const make = Effect.fnUntraced(function* (
  store: MemoryStore,
  options: Handlers.Bounds & { readonly node?: string; readonly role?: StoreRpcs.NodeStatus["role"] } = {}
) {
  const server = yield* NodeSocketServer.make({ host: "127.0.0.1", port: 0 })
  const network = yield* listen(server.address._tag === "TcpAddress" ? server.address.port : 0)
  const gateway: Gateway = {
    ...Handlers.hooks(),
    endpoint: `127.0.0.1:${network.port}`,
    cut: network.cut,
    vanish: network.vanish,
    silence: network.silence
  }
  const status = (name: string): StoreRpcs.NodeStatus => ({
    node: options.node ?? "node-1",
    store: name,
    role: options.role ?? "leader",
    leader: "node-1",
    term: 3,
    commitIndex: store.all.length,
    appliedIndex: store.all.length,
    lastPosition: store.all.length - 1,
    pid: 4711,
    healthy: true,
    problem: null
  })
  const handlers = StoreRpcs.StoreRpcs.toLayer({
    ...Handlers.make(store, gateway, options),
    Status: ({ store: name }) =>
      Effect.suspend(() => {
        gateway.tags.push("Status")
        return name === store.name
          ? Effect.as(gateway.before("Status"), status(name))
          : new StoreError.StoreNotFound({ store: name })
      })
  })

  yield* Layer.build(
    RpcServer.layer(StoreRpcs.StoreRpcs, { disableTracing: true, disableFatalDefects: true }).pipe(
      Layer.provide(handlers),
      Layer.provide(RpcServer.layerProtocolSocketServer),
      Layer.provide(Layer.succeed(SocketServer.SocketServer, server)),
      Layer.provide(Wire.layer)
    )
  )
  return gateway
})
