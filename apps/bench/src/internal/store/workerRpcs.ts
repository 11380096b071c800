/** What a worker, the process that asks one store, is told to do. */
import * as Rpc from "@effect/rpc/Rpc"
import * as RpcGroup from "@effect/rpc/RpcGroup"
import * as Schema from "effect/Schema"
import { SubjectFailed } from "./adapter.js"
import { Lengths } from "./figures.js"
import { Measured } from "./loop.js"

const InFolder = Schema.Struct({ subject: Schema.Literal("embedded", "bare", "emmett"), folder: Schema.String })

const OfCluster = Schema.Struct({
  subject: Schema.Literal("cluster"),
  endpoints: Schema.Array(Schema.String),
  folder: Schema.String
})

const OfPostgres = Schema.Struct({
  subject: Schema.Literal("postgres", "postgres-light"),
  host: Schema.String,
  port: Schema.Int,
  user: Schema.String
})

/** Where the store is. */
export const Place = Schema.Union(InFolder, OfCluster, OfPostgres)

export type Place = typeof Place.Type

/** The only argument of a worker's command line. */
export const WorkerOptions = Schema.parseJson(Schema.Struct({ place: Place, events: Schema.Int }))

/** `openMillis`: from nothing in the process to the first answer of a read. */
export const Opened = Schema.Struct({ about: Schema.String, openMillis: Schema.Number })

const load = { callers: Schema.Int, millis: Schema.Number }

export class WorkerRpcs extends RpcGroup.make(
  Rpc.make("Opened", { success: Opened }),
  /** Loads the passes from `from` up to `to`, that one not included. Events a second. */
  Rpc.make("Load", {
    payload: { from: Schema.Int, to: Schema.Int },
    success: Schema.Number,
    error: SubjectFailed
  }),
  Rpc.make("Tail", { payload: { at: Schema.Int }, error: SubjectFailed }),
  Rpc.make("Prepare", { payload: { rounds: Schema.Int }, error: SubjectFailed }),
  Rpc.make("Append", { payload: { ...load, batch: Schema.Int }, success: Measured, error: SubjectFailed }),
  Rpc.make("CompareLengths", { payload: { round: Schema.Int }, success: Lengths, error: SubjectFailed }),
  /** `null` where the store has no such read. */
  Rpc.make("Read", {
    payload: { ...load, title: Schema.String },
    success: Schema.NullOr(Measured),
    error: SubjectFailed
  }),
  Rpc.make("Bytes", { success: Schema.Number, error: SubjectFailed }),
  Rpc.make("Memory", { success: Schema.NullOr(Schema.Number), error: SubjectFailed })
) {}
