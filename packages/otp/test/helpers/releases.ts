/**
 * What nodes of other releases say and understand of the protocol of process groups.
 */
import { Effect, Layer, Schema } from "effect"
import * as Transport from "../../src/ProcessGroupTransport.js"

type Message = Transport.Message

/** What is left of a message on its way out of a node of the release, or into it. */
export type Release = (message: Message) => Message

export const present: Release = message => message

const wire = Schema.parseJson(Transport.Message)

const encode = Schema.encodeSync(wire)
const decode = Schema.decodeSync(wire)

// The wire as release 0.1.0 has it. Never to be edited: nodes that speak it are out there.
const pid0_1_0 = Schema.Struct({
  node: Schema.String,
  creation: Schema.String,
  id: Schema.Number,
  label: Schema.String
})
const wire0_1_0 = Schema.parseJson(
  Schema.Union(
    Schema.Struct({ _tag: Schema.Literal("Discover"), from: pid0_1_0 }),
    Schema.Struct({
      _tag: Schema.Literal("Sync"),
      from: pid0_1_0,
      groups: Schema.Array(Schema.Tuple(Schema.String, Schema.Array(pid0_1_0)))
    }),
    Schema.Struct({
      _tag: Schema.Literal("Join"),
      from: pid0_1_0,
      group: Schema.String,
      members: Schema.Array(pid0_1_0)
    }),
    Schema.Struct({
      _tag: Schema.Literal("Leave"),
      from: pid0_1_0,
      members: Schema.Array(pid0_1_0),
      groups: Schema.Array(Schema.String)
    }),
    Schema.Struct({ _tag: Schema.Literal("ScopeDown"), from: pid0_1_0 })
  )
)
const encode0_1_0 = Schema.encodeSync(wire0_1_0)
const decode0_1_0 = Schema.decodeSync(wire0_1_0)

/** A node of release 0.1.0 knows these fields and no others, needs all of them, and sends no others. */
export const release0_1_0: Release = message => decode(encode0_1_0(decode0_1_0(encode(message))))

const extended = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(extended)
  if (typeof value !== "object" || value === null) return value
  const fields = Object.entries(value).map(([key, field]) => [key, extended(field)] as const)
  return Object.fromEntries([...fields, ["zone", { name: "eu", weights: [1, 2] }]])
}

/** A node of a later release sends more fields than are known here, in every object. */
export const later: Release = message => decode(JSON.stringify(extended(JSON.parse(encode(message)))))

/** The network with nodes of other releases among its own: what is said passes the codecs of both ends. */
export const withReleases = (
  network: Transport.Network,
  releases: Readonly<Record<string, Release>>
): Transport.Network => {
  const releaseOf = (node: string): Release => releases[node] ?? present
  return {
    ...network,
    layer: node =>
      Layer.effect(
        Transport.ProcessGroupTransport,
        Effect.map(Transport.ProcessGroupTransport, transport => ({
          ...transport,
          send: (to, scope, message) => transport.send(to, scope, releaseOf(to)(releaseOf(node)(message)))
        }))
      ).pipe(Layer.provide(network.layer(node)))
  }
}
