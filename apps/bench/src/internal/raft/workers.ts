/** A group of three workers: members in processes of their own, connected by sockets on loopback. */

import * as path from "node:path"
import type * as CommandExecutor from "@effect/platform/CommandExecutor"
import type { PlatformError } from "@effect/platform/Error"
import * as Socket from "@effect/platform/Socket"
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as RpcClient from "@effect/rpc/RpcClient"
import type { RpcClientError } from "@effect/rpc/RpcClientError"
import type * as RpcGroup from "@effect/rpc/RpcGroup"
import * as Wire from "@reckon/client/Wire"
import * as Members from "@reckon/cluster/Members"
import * as Receivers from "@reckon/cluster/Receivers"
import * as SocketTransport from "@reckon/cluster/SocketTransport"
import type { ProposeError } from "@reckon/raft/RaftError"
import * as ProcessCluster from "@reckon/testkit/ProcessCluster"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as daemon from "./daemon.js"
import { awaitLeader } from "./member.js"
import { makePayload } from "./sizes.js"
import { measure, type Subject } from "./subject.js"
import { clientAt, group, membersAt, WorkerRpcs } from "./workerRpcs.js"

const program = path.join(import.meta.dirname, "worker.js")
const reconnectMillis = 100

export interface Worker {
  readonly name: string
  readonly rpc: RpcClient.RpcClient<RpcGroup.Rpcs<typeof WorkerRpcs>, RpcClientError>
  readonly kill: Effect.Effect<void, PlatformError>
}

export interface Workers {
  readonly all: ReadonlyArray<Worker>
  readonly leader: Effect.Effect<Worker>
  /** Proposes from this process, at the worker that leads. */
  readonly propose: (leader: Worker) => Effect.Effect<Uint8Array, ProposeError>
}

const connect = ({ address }: Members.Member) =>
  Effect.gen(function* () {
    const socket = Layer.effect(
      Socket.Socket,
      Effect.orDie(NodeSocket.makeNet({ host: address.host, port: address.port, noDelay: true }))
    )
    const protocol = Layer.scoped(
      RpcClient.Protocol,
      RpcClient.makeProtocolSocket({ retrySchedule: Schedule.spaced(reconnectMillis) })
    ).pipe(Layer.provide([socket, Wire.layer]))
    const context = yield* Layer.build(protocol)
    return yield* RpcClient.make(WorkerRpcs, { disableTracing: true }).pipe(Effect.provide(context))
  })

/** Runs until the scope closes. */
export const make: Effect.Effect<
  Workers,
  PlatformError | Members.MembersError,
  CommandExecutor.CommandExecutor | Scope.Scope
> = Effect.gen(function* () {
  const folder = yield* ProcessCluster.temporaryFolder
  const basePort = yield* ProcessCluster.freeBasePort
  const members = membersAt(basePort)
  const all = yield* Effect.forEach(members, member =>
    Effect.gen(function* () {
      const child = yield* daemon.start(process.execPath, program, member.name, `${basePort}`, folder)
      const worker: Worker = { name: member.name, rpc: yield* connect(member), kill: child.kill("SIGKILL") }
      return worker
    })
  )
  const transport = yield* SocketTransport.make.pipe(
    Effect.provideServiceEffect(Members.Members, Members.make(clientAt(basePort), members)),
    Effect.provide(Receivers.layer)
  )
  return {
    all,
    leader: awaitLeader(all, worker => worker.rpc.Leads()),
    propose: leader => Effect.suspend(() => transport.propose(group, leader.name, makePayload()))
  }
})

/** Nothing but the members' messages crosses a socket. */
export const inLeader = (title: string, workers: Workers): Subject<ProposeError | RpcClientError> => ({
  title,
  measure: inFlight => Effect.flatMap(workers.leader, leader => leader.rpc.Measure({ inFlight }))
})

/** Each proposal and its answer cross a socket too. */
export const fromOutside = (title: string, workers: Workers): Subject<ProposeError> => ({
  title,
  measure: inFlight => Effect.flatMap(workers.leader, leader => measure(inFlight, workers.propose(leader)))
})
