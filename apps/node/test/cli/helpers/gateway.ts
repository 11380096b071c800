/**
 * A gateway for tests: `StoreRpcs` on a real loopback socket, in front of a store in memory. Several gateways may serve one store, as the nodes of a
 * cluster do, and each can be cut off, silenced or made to refuse.
 */

import * as Net from "node:net"
import * as SocketServer from "@effect/platform/SocketServer"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import * as RpcServer from "@effect/rpc/RpcServer"
import { StoreError, StoreRpcs, StreamPattern, Wire } from "@reckon/client"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { type MemoryStore, page } from "./memoryStore.js"

export { MemoryStore } from "./memoryStore.js"

export interface Gateway {
  /** Where clients reach it. */
  readonly endpoint: string
  /** The appends of each Append request it has answered or refused, in the order of arrival. */
  readonly requests: Array<ReadonlyArray<StoreRpcs.Append>>
  /** The tags of all requests. */
  readonly tags: Array<string>
  /** Runs before a request is looked at; failing refuses it. */
  before: (tag: string) => Effect.Effect<void, StoreError.RequestError>
  /** Runs after a write took effect and before it is answered. */
  after: () => Effect.Effect<void>
  /** Destroys its connections. */
  readonly cut: () => void
  /** Destroys its connections and takes no new ones. */
  readonly vanish: Effect.Effect<void>
  /** From now on nothing that arrives is passed on; connections stay open. */
  readonly silence: () => void
}

const notServed = () => Effect.dieMessage("no command asks for this")

/** What no command asks for. */
const unasked = { SaveSnapshot: notServed, HasEvents: notServed }

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
  options?: {
    readonly node?: string
    readonly role?: StoreRpcs.NodeStatus["role"]
    readonly problem?: string
    readonly pageMax?: number
  }
) {
  const server = yield* NodeSocketServer.make({ host: "127.0.0.1", port: 0 })
  const network = yield* listen(server.address._tag === "TcpAddress" ? server.address.port : 0)
  const pageMax = options?.pageMax ?? StoreRpcs.pageEventsMax

  const gateway: Gateway = {
    endpoint: `127.0.0.1:${network.port}`,
    requests: [],
    tags: [],
    before: () => Effect.void,
    after: () => Effect.void,
    cut: network.cut,
    vanish: network.vanish,
    silence: network.silence
  }

  const enter = (tag: string, name: string) =>
    Effect.suspend(() => {
      gateway.tags.push(tag)
      return name === store.name ? gateway.before(tag) : new StoreError.StoreNotFound({ store: name })
    })

  const handlers = StoreRpcs.StoreRpcs.toLayer({
    ...unasked,
    Append: ({ appends, store: name }) =>
      Effect.suspend(() => {
        gateway.requests.push(appends)
        return enter("Append", name)
      }).pipe(
        Effect.andThen(Effect.sync(() => appends.map(append => store.append(append)))),
        Effect.tap(() => gateway.after())
      ),
    AppendBatch: ({ appends, condition, store: name }) =>
      Effect.andThen(enter("AppendBatch", name), () =>
        Effect.zipRight(
          store.conditionHolds(condition),
          Effect.forEach(appends, append => store.append(append))
        )
      ),
    DeleteStream: ({ expectedVersion, store: name, streamId, tombstone }) =>
      Effect.andThen(enter("DeleteStream", name), () => store.remove(streamId, expectedVersion, tombstone)),
    SetStreamMetadata: ({ metadata, store: name, streamId }) =>
      Effect.map(enter("SetStreamMetadata", name), () => void store.metadata.set(streamId, metadata)),
    Read: ({ store: name, streamId, ...request }) =>
      Effect.andThen(enter("Read", name), () =>
        Effect.map(store.readable(streamId), events => page(events, request, pageMax, event => event.version))
      ),
    ReadAll: ({ asOf, store: name, ...request }) =>
      Effect.map(enter("ReadAll", name), () => {
        const events = store.all.filter(({ position }) => asOf === null || position <= asOf)
        return page(events, request, pageMax, event => event.position)
      }),
    Query: ({ query, store: name, ...request }) =>
      Effect.map(enter("Query", name), () =>
        page(store.matching(query, request.asOf), request, pageMax, event => event.position)
      ),
    VersionAt: ({ epochUs, store: name, streamId }) =>
      Effect.andThen(enter("VersionAt", name), () =>
        Effect.map(
          store.readable(streamId),
          events => events.findLast(event => event.epochUs <= epochUs)?.version ?? -1
        )
      ),
    PositionAt: ({ epochUs, store: name }) =>
      Effect.map(
        enter("PositionAt", name),
        () => store.all.findLast(event => event.epochUs <= epochUs)?.position ?? -1
      ),
    StreamDetails: ({ store: name, streamId }) =>
      Effect.andThen(enter("StreamDetails", name), () => store.details(streamId)),
    LoadSnapshot: ({ store: name, streamId, version }) =>
      Effect.andThen(enter("LoadSnapshot", name), () => {
        const found = store.snapshotsOf(streamId).findLast(snapshot => version === null || snapshot.version === version)
        return found === undefined ? new StoreError.SnapshotNotFound({ streamId, version }) : Effect.succeed(found)
      }),
    ListSnapshots: ({ count, from, store: name, streamId }) =>
      Effect.map(enter("ListSnapshots", name), () => {
        const rest = store.snapshotsOf(streamId).filter(({ version }) => version >= from)
        const listed = rest.slice(0, Math.min(count, pageMax))
        const snapshots = listed.map(({ data, epochUs, version }) => ({
          streamId,
          version,
          epochUs,
          bytes: data.length
        }))
        return { snapshots, isEnd: listed.length === rest.length }
      }),
    DeleteSnapshots: ({ store: name, streamId, version }) =>
      Effect.map(enter("DeleteSnapshots", name), () => {
        const others = store.snapshotsOf(streamId).filter(snapshot => version !== null && snapshot.version !== version)
        store.snapshots.set(streamId, others)
      }),
    GetVersion: ({ store: name, streamId }) => Effect.map(enter("GetVersion", name), () => store.versionOf(streamId)),
    ListStreams: ({ after, count, pattern, store: name }) =>
      Effect.map(enter("ListStreams", name), () => {
        const matches = StreamPattern.matcher(pattern ?? "*")
        const names = [...store.streams.keys()]
          .sort()
          .filter(streamId => matches(streamId) && (after === null || streamId > after))
        const listed = names.slice(0, Math.min(count, pageMax))
        return {
          streams: listed.map(streamId => ({ streamId, version: store.versionOf(streamId) })),
          isEnd: listed.length === names.length,
          next: listed.at(-1) ?? after
        }
      }),
    Subscribe: ({ from, store: name, streamId }) =>
      Stream.unwrap(
        Effect.map(enter("Subscribe", name), () => {
          const list = () => (streamId === null ? store.all : (store.streams.get(streamId) ?? []))
          const start = from === "origin" ? 0 : from === "current" ? list().length : from
          return Stream.unfoldEffect(start, at =>
            Effect.map(store.arrival(list, at), () => {
              const batch = list().slice(at, at + pageMax)
              return Option.some([batch, at + batch.length] as const)
            })
          )
        })
      ),
    Status: ({ store: name }) =>
      Effect.map(enter("Status", name), () => ({
        node: options?.node ?? "node-1",
        store: name,
        role: options?.role ?? ("leader" as const),
        leader: "node-1",
        term: 3,
        commitIndex: store.all.length,
        appliedIndex: store.all.length,
        lastPosition: store.all.length - 1,
        pid: 4711,
        healthy: true,
        problem: options?.problem ?? null
      }))
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
