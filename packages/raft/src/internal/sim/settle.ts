import * as Membership from "../../Membership.js"
import * as RaftCore from "../../RaftCore.js"
import type { Event } from "../../Simulator.js"
import type { Node } from "./node.js"
import { Violation } from "./violation.js"
import type { World } from "./world.js"

/** Rounds of time, each with all traffic delivered, within which a healed group must be of one mind. */
const electionsMax = 30

/** Deliveries within one round of time; a group that talks more than this talks in circles. */
const deliveriesMax = 20_000

type Apply = (event: Event) => void

const deliverAll = (world: World, apply: Apply): void => {
  for (let delivered = 0; delivered < deliveriesMax; ) {
    const before = delivered
    for (const { from, messages, to } of world.links) {
      for (let waiting = messages.length; waiting > 0; waiting--, delivered++) {
        apply({ _tag: to.up ? "Deliver" : "Drop", from: from.id, to: to.id, at: 0 })
      }
    }
    for (const { id, offers } of world.nodes) {
      for (const to of offers.keys()) {
        apply({ _tag: "SnapshotEnd", node: id, to })
        delivered += 1
      }
    }
    for (const node of world.nodes) {
      if (node.writes.length === 0) continue
      apply({ _tag: "Sync", node: node.id, writes: node.writes.length })
      delivered += 1
    }
    if (delivered === before) return
  }
  throw new Violation("the group falls silent", `${deliveriesMax} deliveries without a tick`)
}

const unlike = (world: World): string | undefined => {
  const leaders = world.nodes.filter(({ core }) => core.role === "leader")
  const [leader] = leaders
  if (leader === undefined || leaders.length > 1) return `${leaders.length} leaders`
  const { lastIndex, term } = leader.core
  const configuration = RaftCore.configuration(leader.core)
  if (configuration.learners.length > 0) return `${configuration.learners} still learn`
  for (const { changes, core, id, machine, proposals, reads, transfers, up } of world.nodes) {
    // who is away owes nothing
    if (!up) continue
    if (changes.size > 0 || transfers.size > 0)
      return `${id} has ${changes.size} changes and ${transfers.size} transfers open`
    if (!configuration.voters.includes(id)) {
      const asks = !core.removed && Membership.mayLead(core.configurations, core.commitIndex, id)
      if (asks) return `${id} was removed and does not know`
      continue
    }
    if (core.term !== term) return `${id} is in term ${core.term}, the leader in ${term}`
    if (core.lastIndex !== lastIndex || core.commitIndex !== lastIndex || machine.index !== lastIndex) {
      return `${id} has ${core.lastIndex}/${core.commitIndex}/${machine.index} of ${lastIndex} entries`
    }
    if (reads.size > 0 || core.reads.length > 0) return `${id} has ${reads.size} reads open`
    if (id === leader.id && proposals.size > 0) return `${id} has ${proposals.size} proposals open`
  }
  const owed = leader.core.progress.some(({ id, inflightBytes }) => inflightBytes !== 0 && world.node(id).up)
  if (leader.core.uncommittedBytes !== 0 || owed) {
    return `${leader.id} counts bytes that nobody owes it`
  }
  return undefined
}

/**
 * Ends all trouble and demands what a healthy group owes: within so many election time-outs one leader, equal logs, all
 * of it committed and applied, every learner a voter, nobody who was removed still asking, no question unanswered; then
 * a proposal and a read at the leader, another leader, one back that was away while the logs were cut, another member, and
 * the same after each.
 */
export const settle = (world: World, electionTicks: number, apply: Apply): void => {
  for (const { id, up } of world.nodes) if (!up) apply({ _tag: "Restart", node: id })
  converge(world, electionTicks, apply)
  serve(world, electionTicks, apply)
  handOver(world, electionTicks, apply)
  bringBack(world, electionTicks, apply)
  admit(world, electionTicks, apply)
}

const leaderOf = (world: World): Node => {
  const leader = world.nodes.find(({ core }) => core.role === "leader")
  if (leader === undefined) throw new Violation("a healed group converges", "nobody leads")
  return leader
}

const serve = (world: World, electionTicks: number, apply: Apply): void => {
  const leader = leaderOf(world)
  const { acknowledged } = world.checker
  const { readsServed } = world
  apply({ _tag: "Propose", node: leader.id, count: 3, bytes: 40 })
  apply({ _tag: "Read", node: leader.id })
  converge(world, electionTicks, apply)
  if (world.checker.acknowledged !== acknowledged + 3 || world.readsServed !== readsServed + 1) {
    throw new Violation(
      "a healthy group serves",
      `${leader.id} acknowledged ${world.checker.acknowledged - acknowledged} of 3`
    )
  }
}

const handOver = (world: World, electionTicks: number, apply: Apply): void => {
  const { core, id: node } = leaderOf(world)
  const target = RaftCore.configuration(core).voters.find(voter => voter !== node)
  if (target === undefined) return
  const { transfersDone } = world
  apply({ _tag: "Transfer", node, target })
  converge(world, electionTicks, apply)
  if (leaderOf(world).id !== target || world.transfersDone !== transfersDone + 1) {
    throw new Violation("a healthy leader hands over", `${leaderOf(world).id} leads instead of ${target}`)
  }
}

/** Everybody but one goes on, and keeps none of what that one lacks. */
const bringBack = (world: World, electionTicks: number, apply: Apply): void => {
  const { core, id: leader } = leaderOf(world)
  const { voters } = RaftCore.configuration(core)
  const away = voters.find(voter => voter !== leader)
  if (away === undefined || voters.length < 3) return
  const { snapshotsInstalled } = world
  apply({ _tag: "Crash", node: away, writes: 0, torn: -1, forgotten: 0 })
  apply({ _tag: "Propose", node: leader, count: 3, bytes: 40 })
  converge(world, electionTicks, apply)
  for (const { id } of world.nodes) apply({ _tag: "Compact", node: id, kept: 0 })
  apply({ _tag: "Restart", node: away })
  converge(world, electionTicks, apply)
  if (world.snapshotsInstalled === snapshotsInstalled) {
    throw new Violation("who was away is sent a snapshot", `${away} came back without one`)
  }
}

const admit = (world: World, electionTicks: number, apply: Apply): void => {
  const { core, id: node } = leaderOf(world)
  const { removed, voters } = RaftCore.configuration(core)
  const member = world.group.spares.find(spare => !voters.includes(spare) && !removed.includes(spare))
  if (member === undefined) return
  apply({ _tag: "Change", node, change: "Add", member })
  converge(world, electionTicks, apply)
  if (!RaftCore.configuration(leaderOf(world).core).voters.includes(member)) {
    throw new Violation("a healthy group grows", `${member} was asked for and does not vote`)
  }
}

const converge = (world: World, electionTicks: number, apply: Apply): void => {
  for (let round = 0; round < electionsMax * electionTicks; round++) {
    deliverAll(world, apply)
    if (unlike(world) === undefined) return
    for (const { id } of world.nodes) apply({ _tag: "Tick", node: id })
  }
  deliverAll(world, apply)
  const difference = unlike(world)
  if (difference !== undefined) {
    throw new Violation("a healed group converges", `${difference}, after ${electionsMax} election time-outs`)
  }
}
