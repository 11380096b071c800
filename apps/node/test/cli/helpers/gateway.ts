/**
 * A gateway for tests: `StoreRpcs` on a real loopback socket, in front of a store that is an array. Several gateways may serve one store, as the nodes of a
 * cluster do, and each can be cut off, silenced or made to refuse.
 */

import * as Net from "node:net"
import * as SocketServer from "@effect/platform/SocketServer"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import * as RpcServer from "@effect/rpc/RpcServer"
import type { Event, StoreError } from "@reckon/client"
import { StoreError as Errors, ExpectedVersion, StoreRpcs, Wire } from "@reckon/client"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"

const equalBytes = (left: Uint8Array | null, right: Uint8Array | null): boolean =>
  left === right || (left !== null && right !== null && Buffer.compare(left, right) === 0)

const sameContent = (left: Event.NewEvent, right: Event.NewEvent): boolean =>
  left.eventType === right.eventType &&
  equalBytes(left.data, right.data) &&
  equalBytes(left.metadata, right.metadata) &&
  left.tags.join("\n") === right.tags.join("\n")

/** A store in memory, with the contract's rules about versions and event ids. */
export class MemoryStore {
  readonly all: Array<Event.RecordedEvent> = []
  readonly streams = new Map<string, Array<Event.RecordedEvent>>()
  private readonly waiters = new Set<() => void>()

  constructor(readonly name: string = "default") {}

  versionOf(streamId: string): number {
    return (this.streams.get(streamId)?.length ?? 0) - 1
  }

  append(append: StoreRpcs.Append): Either.Either<StoreRpcs.Appended, StoreError.AppendError> {
    const { events, expectedVersion, streamId } = append
    const stream = this.streams.get(streamId) ?? []
    const present: Array<Event.RecordedEvent> = []
    for (const event of events) {
      const known = stream.find(recorded => recorded.eventId === event.eventId)
      if (known === undefined) continue
      if (!sameContent(known, event)) {
        return Either.left(new Errors.EventIdConflict({ streamId, eventId: event.eventId, version: known.version }))
      }
      present.push(known)
    }
    const fresh = events.filter(event => !present.some(known => known.eventId === event.eventId))
    if (fresh.length > 0 && !ExpectedVersion.isMet(expectedVersion, stream.length - 1)) {
      return Either.left(
        new Errors.WrongExpectedVersion({ streamId, expected: expectedVersion, actual: stream.length - 1 })
      )
    }
    for (const event of fresh) {
      const recorded = {
        ...event,
        streamId,
        version: stream.length,
        position: this.all.length,
        epochUs: this.all.length
      }
      stream.push(recorded)
      this.all.push(recorded)
    }
    if (fresh.length > 0) this.streams.set(streamId, stream)
    for (const wake of this.waiters) wake()
    const last = fresh.length > 0 ? stream.at(-1) : (present.at(-1) ?? stream.at(-1))
    return Either.right({
      streamId,
      version: last?.version ?? -1,
      position: last?.position ?? -1,
      alreadyPresent: present.length
    })
  }

  /** Ends when there is an event at or behind `from`. */
  arrival(list: () => ReadonlyArray<unknown>, from: number): Effect.Effect<void> {
    return Effect.async<void>(resume => {
      const wake = () => {
        if (list().length <= from) return
        this.waiters.delete(wake)
        resume(Effect.void)
      }
      this.waiters.add(wake)
      wake()
      return Effect.sync(() => this.waiters.delete(wake))
    })
  }
}

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

const page = (
  list: ReadonlyArray<Event.RecordedEvent>,
  request: { readonly from: number; readonly count: number; readonly direction: "forward" | "backward" },
  pageMax: number
): StoreRpcs.EventPage => {
  const count = Math.min(request.count, pageMax)
  if (request.direction === "forward") {
    const events = list.slice(request.from, request.from + count)
    return { events, isEnd: request.from + count >= list.length, next: request.from + events.length }
  }
  const end = Math.min(request.from, list.length - 1)
  const start = Math.max(0, end - count + 1)
  return { events: list.slice(start, end + 1).reverse(), isEnd: start === 0, next: start - 1 }
}

const notServed = () => Effect.dieMessage("no command asks for this")

/** What no command asks for. */
const unasked = {
  AppendBatch: notServed,
  DeleteStream: notServed,
  SetStreamMetadata: notServed,
  SaveSnapshot: notServed,
  DeleteSnapshots: notServed,
  Query: notServed,
  VersionAt: notServed,
  StreamDetails: notServed,
  HasEvents: notServed,
  LoadSnapshot: notServed,
  ListSnapshots: notServed
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
  options?: { readonly node?: string; readonly role?: StoreRpcs.NodeStatus["role"]; readonly pageMax?: number }
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
      return name === store.name ? gateway.before(tag) : new Errors.StoreNotFound({ store: name })
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
    Read: ({ store: name, streamId, ...request }) =>
      Effect.flatMap(enter("Read", name), () => {
        const stream = store.streams.get(streamId)
        return stream === undefined
          ? Effect.fail(new Errors.StreamNotFound({ streamId }))
          : Effect.succeed(page(stream, request, pageMax))
      }),
    ReadAll: ({ store: name, ...request }) =>
      Effect.map(enter("ReadAll", name), () => page(store.all, request, pageMax)),
    PositionAt: ({ epochUs, store: name }) =>
      Effect.map(
        enter("PositionAt", name),
        () => store.all.findLast(event => event.epochUs <= epochUs)?.position ?? -1
      ),
    GetVersion: ({ store: name, streamId }) => Effect.map(enter("GetVersion", name), () => store.versionOf(streamId)),
    ListStreams: ({ after, count, store: name }) =>
      Effect.map(enter("ListStreams", name), () => {
        const names = [...store.streams.keys()].sort().filter(streamId => after === null || streamId > after)
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
        healthy: true
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
