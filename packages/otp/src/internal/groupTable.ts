/**
 * Who is in which group: the table of a scope, which its process writes and everybody reads.
 */
import * as MutableHashMap from "effect/MutableHashMap"
import type { RemotePid } from "../ProcessGroupTransport.js"
import type { Pid } from "./signal.js"

/**
 * A member of a group: a process of this node, or of another.
 *
 * @since 0.1.0
 * @category models
 */
export type Member = Pid | RemotePid

/** Groups with their members. */
export type Groups<M = Member> = ReadonlyMap<string, ReadonlyArray<M>>

/**
 * What one node has in a scope: for each group how often each member has joined. Pids are told apart as objects, remote
 * ones by their fields. There are no empty groups.
 */
export class Membership<M extends Member> {
  private readonly counts = new Map<string, MutableHashMap.MutableHashMap<M, number>>()

  static of<M extends Member>(groups: Groups<M>): Membership<M> {
    const membership = new Membership<M>()
    for (const [group, members] of groups) membership.add(group, members)
    return membership
  }

  get groups(): Iterable<string> {
    return this.counts.keys()
  }

  has(group: string): boolean {
    return this.counts.has(group)
  }

  count(group: string, member: M): number {
    const counts = this.counts.get(group)
    return counts === undefined ? 0 : countIn(counts, member)
  }

  /** Each member as often as it has joined. */
  members(group: string): Array<M> {
    const members: Array<M> = []
    for (const [member, count] of this.counts.get(group) ?? []) {
      for (let i = 0; i < count; i++) members.push(member)
    }
    return members
  }

  toMap(): Map<string, ReadonlyArray<M>> {
    return new Map(Array.from(this.counts.keys(), group => [group, this.members(group)]))
  }

  add(group: string, members: ReadonlyArray<M>): void {
    if (members.length === 0) return
    let counts = this.counts.get(group)
    if (counts === undefined) {
      counts = MutableHashMap.empty()
      this.counts.set(group, counts)
    }
    for (const member of members) MutableHashMap.set(counts, member, countIn(counts, member) + 1)
  }

  /** Takes each member out once, and returns those that were in. */
  remove(group: string, members: ReadonlyArray<M>): Array<M> {
    const counts = this.counts.get(group)
    if (counts === undefined) return []
    const removed = members.filter(member => {
      const count = countIn(counts, member)
      if (count > 1) MutableHashMap.set(counts, member, count - 1)
      else if (count === 1) MutableHashMap.remove(counts, member)
      return count > 0
    })
    if (MutableHashMap.size(counts) === 0) this.counts.delete(group)
    return removed
  }

  /** What is here and not in the other, each member as often as it is here more often. */
  without(other: Membership<M>): Map<string, ReadonlyArray<M>> {
    const rest = Membership.of(this.toMap())
    for (const group of other.groups) rest.remove(group, other.members(group))
    return rest.toMap()
  }
}

const countIn = <M>(counts: MutableHashMap.MutableHashMap<M, number>, member: M): number => {
  const count = MutableHashMap.get(counts, member)
  return count._tag === "None" ? 0 : count.value
}

/** The scope process of another node, and what that node has. */
export interface Peer {
  readonly pid: RemotePid
  members: Membership<RemotePid>
}

export class GroupTable {
  readonly local = new Membership<Pid>()
  /**
   * By node, because a node has one scope process at a time. Which one it is decides whether a message counts: what an
   * earlier incarnation said is not true of the present one.
   */
  readonly peers = new Map<string, Peer>()
  /** The members of groups that were asked for since they changed last: many readers ask again and again. */
  private readonly asked = new Map<string, ReadonlyArray<Member>>()

  members(group: string): ReadonlyArray<Member> {
    const known = this.asked.get(group)
    if (known !== undefined) return known
    const theirs = Array.from(this.peers.values(), peer => peer.members.members(group))
    const members: ReadonlyArray<Member> = [this.local.members(group), ...theirs].flat()
    if (members.length > 0) this.asked.set(group, members)
    return members
  }

  groups(): ReadonlyArray<string> {
    const groups = new Set(this.local.groups)
    for (const peer of this.peers.values()) {
      for (const group of peer.members.groups) groups.add(group)
    }
    return Array.from(groups)
  }

  /** All groups, or just the one if it has members. */
  snapshot(group: string | undefined): Groups {
    const groups = group === undefined ? this.groups() : this.members(group).length > 0 ? [group] : []
    return new Map(groups.map(group => [group, this.members(group)]))
  }

  changed(group: string): void {
    this.asked.delete(group)
  }
}
