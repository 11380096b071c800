/**
 * What whoever runs a cluster asks of a node: who the members of a store are, and that they be changed. Any node can be asked; what the leader has to decide is handed on to it.
 *
 * @since 0.1.0
 */
import * as Endpoint from "@reckon/client/Endpoint"
import {
  type MembershipError,
  MembershipRefused,
  MembershipRpcs,
  MembershipUnknown,
  type StoreMember,
  type StoreMembers
} from "@reckon/client/MembershipRpcs"
import { NoQuorum } from "@reckon/client/StoreError"
import { Introductions } from "@reckon/cluster/Introductions"
import { Members } from "@reckon/cluster/Members"
import type { ChangeError, TransferError } from "@reckon/raft/RaftError"
import type { Status } from "@reckon/raft/RaftProtocol"
import * as Effect from "effect/Effect"
import type { Store } from "./Store.js"
import { Stores } from "./Stores.js"

/** What became of a change, in the client's terms. */
const failed =
  (store: string) =>
  (error: ChangeError | TransferError): MembershipError => {
    switch (error._tag) {
      case "ChangeRefused":
      case "TransferRefused":
      case "TransferFailed":
        return new MembershipRefused({ detail: error.message, retryable: error.retryable })
      case "ChangeUnknown":
        return new MembershipUnknown({ detail: error.message })
      case "NotLeader":
        return new NoQuorum({ store, detail: error.message })
    }
  }

const roleOf = ({ leader, learners }: Status, name: string): StoreMember["role"] =>
  name === leader ? "leader" : learners.includes(name) ? "learner" : "voter"

const make = Effect.gen(function* () {
  const members = yield* Members
  const introductions = yield* Introductions
  const stores = yield* Stores

  const addressOf = (name: string): string | null => {
    const member = name === members.self.name ? members.self : members.known().get(name)
    return member === undefined ? null : Endpoint.format(member.address)
  }

  const seenBy = (store: string, status: Status, waiting: StoreMembers["waiting"]): StoreMembers => {
    const leads = status.leader === status.member
    return {
      store,
      node: status.member,
      leader: status.leader,
      members: [...status.voters, ...status.learners].sort().map(name => {
        const follower = status.followers.find(({ member }) => member === name)
        const isSelf = leads && name === status.member
        return {
          name,
          role: roleOf(status, name),
          address: addressOf(name),
          lag: isSelf ? 0 : (follower?.lag ?? null),
          active: isSelf ? true : (follower?.active ?? null)
        }
      }),
      waiting
    }
  }

  const stopped = (store: string) => new NoQuorum({ store, detail: "the store's process is being started again" })

  const change =
    (ask: (store: Store, member: string) => Effect.Effect<unknown, ChangeError | TransferError | MembershipRefused>) =>
    (request: { readonly store: string; readonly member: string }) =>
      Effect.flatMap(stores.get(request.store), store =>
        Effect.mapError(ask(store, request.member), error =>
          error._tag === "MembershipRefused" ? error : failed(store.id)(error)
        )
      ).pipe(Effect.asVoid)

  /** Asked before anything is done: a group with a member more that is nowhere is a machine nearer to the loss of its majority. */
  const isThere = (member: string): Effect.Effect<void, MembershipRefused> =>
    Effect.flatMap(introductions.waiting, waiting =>
      addressOf(member) !== null || waiting.some(({ name }) => name === member)
        ? Effect.void
        : new MembershipRefused({
            detail: `no node "${member}" has introduced itself here: start it first, with --join and a member of the cluster as its --peer`,
            retryable: true
          })
    )

  return MembershipRpcs.of({
    Members: ({ store }) =>
      Effect.gen(function* () {
        const { raft } = yield* stores.get(store)
        const status = yield* raft.status
        if (status === null) return yield* stopped(store)
        const waiting = yield* introductions.waiting
        return seenBy(
          store,
          status,
          waiting.map(({ address, name }) => ({ name, address: Endpoint.format(address) }))
        )
      }),
    AddMember: change(({ raft }, member) =>
      Effect.zipRight(isThere(member), raft.changeMembership({ _tag: "Add", member }))
    ),
    RemoveMember: change(({ raft }, member) => raft.changeMembership({ _tag: "Remove", member })),
    TransferLeadership: change(({ raft }, member) => raft.transferLeadership(member))
  })
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layerHandlers = MembershipRpcs.toLayer(make)
