/**
 * Who the members of the client's store are, and changes of that. Whichever node is asked hands on what the leader has to decide.
 */
import type { RpcClientError } from "@effect/rpc/RpcClientError"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Endpoint from "../Endpoint.js"
import { type MembershipError, MembershipUnknown, type StoreMembers } from "../MembershipRpcs.js"
import { type NoQuorum, type RequestTooLarge, type StoreNotFound, Unreachable } from "../StoreError.js"
import type { Connections, StoreClient } from "./connections.js"
import type { Lost } from "./lost.js"
import * as Peers from "./peers.js"

export const make = (options: {
  readonly connections: Connections
  readonly store: string
  readonly attemptTimeoutMillis: number
}) => {
  const { attemptTimeoutMillis, connections, store } = options
  const { endpoints } = connections

  /** Those to ask, one after the other. */
  const places = Effect.sync(() => endpoints.map((_, place) => connections.at(connections.preferred() + place)))
  const ask = <A, E extends Peers.Failure>(
    endpoint: Endpoint.Endpoint,
    call: (rpc: StoreClient) => Effect.Effect<A, E | RpcClientError>
  ) => Effect.either(Peers.askAt(connections, endpoint, call, attemptTimeoutMillis))
  const askMembers = (endpoint: Endpoint.Endpoint) => ask(endpoint, rpc => rpc.Members({ store }))
  const leads = ({ leader, node }: StoreMembers) => leader === node
  const noEndpoint = new Unreachable({ endpoints, detail: "there is none" })
  const unreachable = ({ detail }: Lost) => new Unreachable({ endpoints, detail })

  /** Goes on to the next endpoint from one that has surely done nothing. */
  const change = (call: (rpc: StoreClient) => Effect.Effect<void, MembershipError | RpcClientError>) =>
    Effect.gen(function* () {
      let failure: NoQuorum | Unreachable = noEndpoint
      for (const endpoint of yield* places) {
        const outcome = yield* ask(endpoint, call)
        if (Either.isRight(outcome)) return
        const error = outcome.left
        if (error._tag === "NoQuorum") failure = error
        else if (error._tag !== "Lost") return yield* Effect.fail(error)
        else if (!error.sent) failure = unreachable(error)
        else {
          const detail = `it is not known whether the members were changed: ${error.detail}`
          return yield* new MembershipUnknown({ detail })
        }
      }
      return yield* Effect.fail(failure)
    })

  return {
    members: Effect.gen(function* () {
      let found: StoreMembers | undefined
      let failure: NoQuorum | RequestTooLarge | StoreNotFound | Unreachable = noEndpoint
      for (const endpoint of yield* places) {
        const outcome = yield* askMembers(endpoint)
        if (Either.isLeft(outcome)) failure = outcome.left._tag === "Lost" ? unreachable(outcome.left) : outcome.left
        else if (leads(outcome.right)) return outcome.right
        else if (found === undefined || found.leader === null) found = outcome.right
      }
      if (found === undefined) return yield* Effect.fail(failure)
      // It may have joined since this client was told of the endpoints.
      const leader = found.members.find(({ role }) => role === "leader")
      const endpoint = Either.getRight(Endpoint.parse(leader?.address ?? ""))
      const asked = Option.isSome(endpoint) ? yield* askMembers(endpoint.value) : undefined
      return asked !== undefined && Either.isRight(asked) && leads(asked.right) ? asked.right : found
    }),
    addMember: (member: string) => change(rpc => rpc.AddMember({ store, member })),
    removeMember: (member: string) => change(rpc => rpc.RemoveMember({ store, member })),
    transferLeadership: (member: string) => change(rpc => rpc.TransferLeadership({ store, member }))
  }
}
