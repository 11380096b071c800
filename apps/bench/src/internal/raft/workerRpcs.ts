/** What a worker, one member in a process of its own, is asked for on the socket that its peers use too. */
import * as Rpc from "@effect/rpc/Rpc"
import * as RpcGroup from "@effect/rpc/RpcGroup"
import type { Member } from "@reckon/cluster/Members"
import { ProposeError } from "@reckon/raft/RaftError"
import * as Schema from "effect/Schema"
import { Measured } from "./subject.js"

export const group = "workers"
export const names = ["a", "b", "c"]
const host = "127.0.0.1"

/** Above the workers' ports, for one who only asks them: it has to have an address, at which nobody calls. */
const clientOffset = 12

export const membersAt = (basePort: number): ReadonlyArray<Member> =>
  names.map((name, at) => ({ name, address: { host, port: basePort + at } }))

export const clientAt = (basePort: number): Member => ({
  name: "client",
  address: { host, port: basePort + clientOffset }
})

/** Bytes, of the process that answers. */
export const Memory = Schema.Struct({ rss: Schema.Number, heapUsed: Schema.Number, external: Schema.Number })

export class WorkerRpcs extends RpcGroup.make(
  Rpc.make("Leads", { success: Schema.Boolean }),
  /** Measures in the worker itself, without a socket between the proposers and the member. */
  Rpc.make("Measure", { payload: { inFlight: Schema.Int }, success: Measured, error: ProposeError }),
  Rpc.make("Propose", { payload: { count: Schema.Int, inFlight: Schema.Int }, error: ProposeError }),
  Rpc.make("Memory", { success: Memory })
) {}
