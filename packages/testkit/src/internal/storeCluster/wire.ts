/**
 * The contract between a client and a node in the same process, through the codec all the same: what goes either way is encoded by its schema and as MessagePack, lies there as bytes, and
 * is decoded from them. What a socket would not carry does not get through here either: it is a defect.
 */
import { RecordedEvent } from "@reckon/client/Event"
import type { Requests, Subscribe } from "@reckon/client/EventStore"
import { SubscribeError } from "@reckon/client/StoreError"
import * as Rpcs from "@reckon/client/StoreRpcs"
import * as Wire from "@reckon/client/Wire"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

/** One request of the contract, as `Rpc.make` has it. */
interface Contract<P, PI, A, AI, E, EI> {
  readonly payloadSchema: Schema.Schema<P, PI>
  readonly successSchema: Schema.Schema<A, AI>
  readonly errorSchema: Schema.Schema<E, EI>
}

/**
 * Each value as the other end gets it. Encoder and decoder take note of the shapes of what they have seen, so what one writes is read by the other at once, in that order.
 */
const carrier = <A, I>(schema: Schema.Schema<A, I>): ((value: A) => Effect.Effect<A>) => {
  const encode = Schema.encode(schema)
  const decode = Schema.decodeUnknown(Schema.Struct({ value: schema }))
  const parser = Wire.serialization.unsafeMake()
  return value =>
    encode(value).pipe(
      Effect.map(value => parser.decode(parser.encode({ value }) ?? "")),
      Effect.flatMap(([message]) => decode(message)),
      Effect.map(({ value }) => value),
      Effect.orDie
    )
}

type Answer<P, A, E> = (payload: P) => Effect.Effect<A, E>

const carried = <P, PI, A, AI, E, EI>({
  errorSchema,
  payloadSchema,
  successSchema
}: Contract<P, PI, A, AI, E, EI>): ((answer: Answer<P, A, E>) => Answer<P, A, E>) => {
  const there = carrier(payloadSchema)
  const back = carrier(Schema.Exit({ success: successSchema, failure: errorSchema, defect: Schema.Defect }))
  return answer => payload =>
    there(payload).pipe(
      Effect.flatMap(received => Effect.exit(answer(received))),
      Effect.flatMap(back),
      Effect.flatten
    )
}

const carry = {
  Append: carried(Rpcs.AppendRpc),
  AppendBatch: carried(Rpcs.AppendBatchRpc),
  DeleteStream: carried(Rpcs.DeleteStreamRpc),
  SetStreamMetadata: carried(Rpcs.SetStreamMetadataRpc),
  SaveSnapshot: carried(Rpcs.SaveSnapshotRpc),
  DeleteSnapshots: carried(Rpcs.DeleteSnapshotsRpc),
  Read: carried(Rpcs.ReadRpc),
  ReadAll: carried(Rpcs.ReadAllRpc),
  Query: carried(Rpcs.QueryRpc),
  VersionAt: carried(Rpcs.VersionAtRpc),
  PositionAt: carried(Rpcs.PositionAtRpc),
  GetVersion: carried(Rpcs.GetVersionRpc),
  StreamDetails: carried(Rpcs.StreamDetailsRpc),
  HasEvents: carried(Rpcs.HasEventsRpc),
  ListStreams: carried(Rpcs.ListStreamsRpc),
  LoadSnapshot: carried(Rpcs.LoadSnapshotRpc),
  ListSnapshots: carried(Rpcs.ListSnapshotsRpc)
}

const subscription = {
  there: carrier(Rpcs.SubscribeRpc.payloadSchema),
  batch: carrier(Schema.Array(RecordedEvent)),
  failure: carrier(SubscribeError)
}

/** The requests of a node, over bytes. */
export const requests = (node: Requests): Requests => ({
  Append: carry.Append(node.Append),
  AppendBatch: carry.AppendBatch(node.AppendBatch),
  DeleteStream: carry.DeleteStream(node.DeleteStream),
  SetStreamMetadata: carry.SetStreamMetadata(node.SetStreamMetadata),
  SaveSnapshot: carry.SaveSnapshot(node.SaveSnapshot),
  DeleteSnapshots: carry.DeleteSnapshots(node.DeleteSnapshots),
  Read: carry.Read(node.Read),
  ReadAll: carry.ReadAll(node.ReadAll),
  Query: carry.Query(node.Query),
  VersionAt: carry.VersionAt(node.VersionAt),
  PositionAt: carry.PositionAt(node.PositionAt),
  GetVersion: carry.GetVersion(node.GetVersion),
  StreamDetails: carry.StreamDetails(node.StreamDetails),
  HasEvents: carry.HasEvents(node.HasEvents),
  ListStreams: carry.ListStreams(node.ListStreams),
  LoadSnapshot: carry.LoadSnapshot(node.LoadSnapshot),
  ListSnapshots: carry.ListSnapshots(node.ListSnapshots)
})

/** The same for the one request that is answered by a stream. */
export const subscribe =
  (node: Subscribe): Subscribe =>
  payload =>
    Stream.unwrap(Effect.map(subscription.there(payload), node)).pipe(
      Stream.mapEffect(subscription.batch),
      Stream.catchAll(error => Stream.fromEffect(Effect.flatMap(subscription.failure(error), Effect.fail)))
    )
