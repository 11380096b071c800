/**
 * Who is in the cluster, by name and address: this node, the peers that it was told of when it started, and those that it has learned of since, see `SocketTransport`.
 *
 * @since 0.1.0
 */
import * as Net from "node:net"
import type { ClusterSecret } from "@reckon/client/ClusterSecret"
import * as Endpoint from "@reckon/client/Endpoint"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

/**
 * Whether an address can be reached from this machine only.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isLoopback = (address: Endpoint.Endpoint): boolean =>
  address.host === "localhost" ||
  address.host === "::1" ||
  (Net.isIPv4(address.host) && address.host.startsWith("127."))

/**
 * Whether others can be told of an address: not of one that stands for all of a machine's.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isTellable = ({ host }: Endpoint.Endpoint): boolean => host !== "0.0.0.0" && host !== "::"

/**
 * @since 0.1.0
 * @category models
 */
export interface Member {
  readonly name: string
  readonly address: Endpoint.Endpoint
}

/**
 * The list of members makes no cluster.
 *
 * @since 0.1.0
 * @category errors
 */
export class MembersError extends Schema.TaggedError<MembersError>("@reckon/cluster/MembersError")("MembersError", {
  detail: Schema.String
}) {
  readonly retryable = false
  override get message() {
    return this.detail
  }
}

/**
 * @since 0.1.0
 * @category services
 */
export class Members extends Context.Tag("@reckon/cluster/Members")<
  Members,
  {
    readonly self: Member
    /** Everyone but `self` that this node was told of when it started. */
    readonly peers: ReadonlyArray<Member>
    /** The names of these and of `self`, in order. */
    readonly names: ReadonlyArray<string>
    /** Everyone but `self` that it knows of now. */
    readonly known: () => ReadonlyMap<string, Member>
    /** Takes in one that it was not told of, or where such a one is now. Who is at an address that may not be used here is left out. */
    readonly learn: (member: Member) => void
    /** Leaves out one that it has learned of. */
    readonly forget: (name: string) => void
    /** Notes where a peer looks for this node. Whether that is news, and not where it is. */
    readonly soughtAt: (by: string, address: Endpoint.Endpoint) => boolean
    /** Why peers may not reach this node, in words for whoever runs them: they look for it elsewhere. `undefined` where none has said so. */
    readonly misplaced: () => string | undefined
    /** Has the listener told of each that is learned of, or forgotten, from now on. */
    readonly onChange: (listener: (name: string) => void) => void
    /** What protects the connections between them, and those of clients. */
    readonly secret: ClusterSecret | undefined
  }
>() {}

/** Those learned of beside those told of, before no more are taken in. Each is a member of a group, of which there are few. */
const learnedMax = 1_024

/** What logs and messages can carry, and a line for people show. */
const isName = (name: string): boolean => name.length <= 255 && /^\P{Cc}+$/u.test(name)

/**
 * The list as it is given, which is not checked.
 *
 * @since 0.1.0
 * @category constructors
 */
export const unsafeMake = (
  self: Member,
  peers: ReadonlyArray<Member>,
  secret?: ClusterSecret | undefined
): Context.Tag.Service<Members> => {
  const told = new Set([self, ...peers].map(({ name }) => name))
  const known = new Map(peers.map(peer => [peer.name, peer]))
  /** By the peer that looks there, where this node is not. */
  const sought = new Map<string, string>()
  const listeners: Array<(name: string) => void> = []
  const changed = (name: string) => {
    for (const listener of listeners) listener(name)
  }
  return Members.of({
    self,
    peers,
    names: [...told].sort(),
    secret,
    known: () => known,
    learn: member => {
      const { address, name } = member
      const before = known.get(name)
      const isNews = before === undefined || Endpoint.format(before.address) !== Endpoint.format(address)
      const isFull = before === undefined && known.size >= peers.length + learnedMax
      const isUsable = isName(name) && (secret !== undefined || isLoopback(address))
      if (told.has(name) || !isNews || isFull || !isUsable) return
      known.set(name, member)
      changed(name)
    },
    forget: name => {
      if (told.has(name) || !known.delete(name)) return
      sought.delete(name)
      changed(name)
    },
    soughtAt: (by, address) => {
      const there = Endpoint.format(address)
      if (there === Endpoint.format(self.address) || !known.has(by)) {
        sought.delete(by)
        return false
      }
      const isNews = sought.get(by) !== there
      sought.set(by, there)
      return isNews
    },
    misplaced: () => {
      if (sought.size === 0) return undefined
      const places = [...sought].sort().map(([by, there]) => `${by} looks for it at ${there}`)
      return `${self.name} is at ${Endpoint.format(self.address)}, but ${places.join(", ")}. If another node has this name, stop one of the two; else start those with the address at which it is`
    },
    onChange: listener => {
      listeners.push(listener)
    }
  })
}

/**
 * Checks the list: names are unique, and so are addresses. This node may stand among its peers, so that all can have the same list.
 *
 * Without a secret nobody proves to be a member, and what members say can be read: then addresses other than loopback are refused.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  self: Member,
  peers: ReadonlyArray<Member>,
  secret?: ClusterSecret | undefined
): Effect.Effect<Context.Tag.Service<Members>, MembersError> =>
  Effect.gen(function* () {
    const address = Endpoint.format(self.address)
    const others = peers.filter(peer => peer.name !== self.name || Endpoint.format(peer.address) !== address)
    const all = [self, ...others]
    for (const { name } of all) {
      if (!isName(name)) {
        return yield* new MembersError({
          detail: `${JSON.stringify(name.slice(0, 64))} is no name of a node: it has 1 to 255 characters, and no control characters`
        })
      }
    }
    for (const part of ["name", "address"] as const) {
      const seen = new Set<string>()
      for (const member of all) {
        const value = part === "name" ? member.name : Endpoint.format(member.address)
        if (seen.has(value)) return yield* new MembersError({ detail: `two members have the ${part} ${value}` })
        seen.add(value)
      }
    }
    for (const member of all) {
      if (secret === undefined && !isLoopback(member.address)) {
        return yield* new MembersError({
          detail: `${member.name} is at ${Endpoint.format(member.address)}, where others can reach it: give all nodes and clients one secret (RECKON_CLUSTER_SECRET), or use loopback addresses (127.0.0.1)`
        })
      }
    }
    return unsafeMake(self, others, secret)
  })

/**
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  self: Member,
  peers: ReadonlyArray<Member>,
  secret?: ClusterSecret | undefined
): Layer.Layer<Members, MembersError> => Layer.effect(Members, make(self, peers, secret))
