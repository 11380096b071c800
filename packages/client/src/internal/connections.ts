/**
 * The connections of a client: at most one per endpoint that takes requests, opened when first needed and never opened again by itself: once it breaks, its
 * requests fail and the next request gets a new one.
 */

import * as Socket from "@effect/platform/Socket"
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as RpcClient from "@effect/rpc/RpcClient"
import type { RpcClientError } from "@effect/rpc/RpcClientError"
import * as RpcSerialization from "@effect/rpc/RpcSerialization"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as ClusterSecret from "../ClusterSecret.js"
import * as Endpoint from "../Endpoint.js"
import * as Wire from "../Wire.js"
import * as Deadlines from "./deadlines.js"
import { closedDetail, Lost } from "./lost.js"
import { WireRpcs } from "./wireRpcs.js"

export type StoreClient = RpcClient.FromGroup<typeof WireRpcs, RpcClientError>

export interface Connection {
  readonly endpoint: string
  readonly rpc: StoreClient
  /** Whether the socket was ever open; while it was not, surely nothing has reached the node. */
  readonly opened: () => boolean
  /** Whether nothing has come on it, of a node to which no secret was shown. */
  readonly unanswered: () => boolean
}

export interface Connections {
  readonly endpoints: ReadonlyArray<string>
  /** The place in `endpoints` of the one to ask first: the one that served last, or that leads. */
  readonly preferred: () => number
  readonly prefer: (index: number) => void
  /** Says that an endpoint failed, so that requests that begin now try the one behind it first. */
  readonly avoid: (index: number) => void
  /** The connection to an endpoint, which may still be opening, for as long as the scope lasts. */
  readonly acquire: (endpoint: Endpoint.Endpoint) => Effect.Effect<Connection, Lost, Scope.Scope>
  /** The same for as long as it is used. */
  readonly use: <A, E>(
    endpoint: Endpoint.Endpoint,
    use: (connection: Connection) => Effect.Effect<A, E>
  ) => Effect.Effect<A, E | Lost>
  /** For what is asked of the endpoints. */
  readonly deadlines: Deadlines.Deadlines
  readonly at: (index: number) => Endpoint.Endpoint
  /** Takes no further requests to the connection; it closes when those it has have ended. */
  readonly retire: (connection: Connection) => Effect.Effect<void>
}

interface Entry extends Connection {
  readonly scope: Scope.CloseableScope
  readonly broken: () => boolean
  users: number
  retired: boolean
}

/** The socket of an entry, which has to know whether it was ever open, whether anything came on it, and whether it broke. */
const openSocket = (
  endpoint: Endpoint.Endpoint,
  secret: ClusterSecret.ClusterSecret | undefined,
  state: { opened: boolean; answered: () => boolean; broken: boolean }
) =>
  ClusterSecret.connect(endpoint, secret).pipe(
    Effect.tap(socket =>
      Effect.sync(() => {
        state.opened = true
        state.answered = () => socket.bytesRead > 0
        state.broken = socket.destroyed
        socket.once("close", () => {
          state.broken = true
        })
      })
    ),
    Effect.onExit(exit =>
      Effect.sync(() => {
        if (Exit.isFailure(exit)) state.broken = true
      })
    )
  )

/**
 * Closes a scope in a fiber of its own. Finalizers leave the fiber they run in with what was local to the one that added them, connections and all, on top of what it had: a program that
 * closes one connection after the other would keep all of them.
 */
const close = (scope: Scope.CloseableScope, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> =>
  Effect.flatMap(Effect.forkDaemon(Scope.close(scope, exit)), Fiber.await).pipe(Effect.flatten)

export const make = Effect.fnUntraced(function* (options: {
  readonly endpoints: ReadonlyArray<Endpoint.Endpoint>
  readonly connectTimeout: Duration.DurationInput
  readonly secret?: ClusterSecret.ClusterSecret | undefined
}) {
  let isClosed = false
  const scope = yield* Effect.acquireRelease(Scope.make(), (scope, exit) =>
    Effect.suspend(() => {
      isClosed = true
      return close(scope, exit)
    })
  )
  const deadlines = yield* Deadlines.make
  const entries = new Map<string, Entry>()
  let preferred = 0

  const open = Effect.fnUntraced(function* (endpoint: Endpoint.Endpoint) {
    const own = yield* Scope.fork(scope, ExecutionStrategy.sequential)
    const state = { opened: false, answered: () => false, broken: false }
    const socket = yield* NodeSocket.fromDuplex(openSocket(endpoint, options.secret, state), {
      openTimeout: options.connectTimeout
    })
    const rpc = yield* RpcClient.makeProtocolSocket({ retrySchedule: Schedule.recurs(0) }).pipe(
      Effect.provideService(Socket.Socket, socket),
      Effect.provideService(RpcSerialization.RpcSerialization, Wire.serialization),
      Effect.flatMap(protocol =>
        Effect.provideService(RpcClient.make(WireRpcs, { disableTracing: true }), RpcClient.Protocol, protocol)
      ),
      Scope.extend(own)
    )
    const entry: Entry = {
      endpoint: Endpoint.format(endpoint),
      rpc,
      scope: own,
      opened: () => state.opened,
      unanswered: () => options.secret === undefined && !state.answered(),
      broken: () => state.broken,
      users: 0,
      retired: false
    }
    entries.set(entry.endpoint, entry)
    return entry
  })

  const closeIfIdle = (entry: Entry) =>
    entry.retired && entry.users === 0 ? close(entry.scope, Exit.void) : Effect.void

  const retireEntry = (entry: Entry) =>
    Effect.suspend(() => {
      if (entry.retired) return Effect.void
      entry.retired = true
      if (entries.get(entry.endpoint) === entry) entries.delete(entry.endpoint)
      return closeIfIdle(entry)
    })

  const opening = Effect.unsafeMakeSemaphore(1)

  const entered = (entry: Entry): Entry => {
    entry.users++
    return entry
  }

  const closed = (endpoint: Endpoint.Endpoint) =>
    new Lost({
      endpoint: Endpoint.format(endpoint),
      detail: closedDetail,
      sent: false,
      // To ask again cannot help, at this endpoint or another.
      defect: true,
      silent: false
    })

  /** The connection there is, or a new one in the place of none or of one that broke. */
  const enter = (endpoint: Endpoint.Endpoint): Effect.Effect<Entry, Lost> => {
    const find = (otherwise: Effect.Effect<Entry, Lost>): Effect.Effect<Entry, Lost> =>
      Effect.suspend(() => {
        if (isClosed) return closed(endpoint)
        const entry = entries.get(Endpoint.format(endpoint))
        if (entry === undefined) return otherwise
        return entry.broken() ? Effect.zipRight(retireEntry(entry), otherwise) : Effect.succeed(entered(entry))
      })
    // One at a time, so that two first requests do not open two connections.
    return find(opening.withPermits(1)(find(Effect.map(open(endpoint), entered))))
  }

  const leave = (entry: Entry) =>
    Effect.suspend(() => {
      entry.users--
      return closeIfIdle(entry)
    })

  const connections: Connections = {
    endpoints: options.endpoints.map(Endpoint.format),
    deadlines,
    at: index => options.endpoints[index % options.endpoints.length] ?? { host: "", port: 0 },
    preferred: () => preferred,
    prefer: index => {
      preferred = index % options.endpoints.length
    },
    avoid: index => {
      if (preferred === index % options.endpoints.length) preferred = (index + 1) % options.endpoints.length
    },
    acquire: endpoint => Effect.acquireRelease(enter(endpoint), leave),
    use: (endpoint, use) => Effect.acquireUseRelease(enter(endpoint), use, leave),
    retire: connection =>
      Effect.suspend(() => {
        const entry = entries.get(connection.endpoint)
        return entry !== undefined && entry.rpc === connection.rpc ? retireEntry(entry) : Effect.void
      })
  }
  return connections
})
