import * as Membership from "../../Membership.js"
import * as Quorum from "../../Quorum.js"
import * as RaftCore from "../../RaftCore.js"
import type { Event } from "../../Simulator.js"
import * as Clients from "./clients.js"
import { isDamaged } from "./damage.js"
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
    for (const node of world.nodes) {
      if (node.writes.length === 0) continue
      apply({ _tag: "Sync", node: node.id, writes: node.writes.length })
      delivered += 1
    }
    for (const { deliveries, id } of world.nodes) {
      for (const { state, to } of deliveries.values()) {
        // where nothing moves any more a piece was lost
        if (state === "under_way" && delivered > before) continue
        apply({ _tag: "SnapshotEnd", node: id, to })
        delivered += 1
      }
    }
    if (delivered === before) return
  }
  throw new Violation("the group falls silent", `${deliveriesMax} deliveries without a tick`)
}

const unlike = (world: World): string | undefined => {
  const leaders = world.nodes.filter(({ core, up }) => up && core.role === "leader")
  const [leader] = leaders
  if (leader === undefined || leaders.length > 1) return `${leaders.length} leaders`
  const { lastIndex, term } = leader.core
  const configuration = RaftCore.configuration(leader.core)
  const learners = configuration.learners.filter(id => !isDamaged(world.node(id)))
  if (learners.length > 0) return `${learners} still learn`
  for (const { changes, core, id, machine, proposals, reads, transfers, up, waiting } of world.nodes) {
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
    if (waiting.length > 0) return `${id} has ${waiting.length} reads that wait`
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
 * a proposal and a read at the leader, an answer for every client, another leader, one back that was away while the logs were
 * cut, another member, and the same after each. Members with rotten disks are found out first, and then removed.
 */
export const settle = (world: World, electionTicks: number, apply: Apply): void => {
  for (const node of world.nodes) {
    if (isDamaged(node)) apply({ _tag: "Crash", node: node.id, writes: 0, torn: -1, forgotten: 0 })
    // what rotted under way to the disk is lost with the crash: who is sound without it goes on
    if (!node.up) apply({ _tag: "Restart", node: node.id })
  }
  converge(world, electionTicks, apply)
  replaceDamaged(world, electionTicks, apply)
  serve(world, electionTicks, apply)
  answer(world, electionTicks, apply)
  handOver(world, electionTicks, apply)
  bringBack(world, electionTicks, apply)
  admit(world, electionTicks, apply)
  world.checker.onSettled()
}

const leaderOf = (world: World): Node => {
  const leader = world.nodes.find(({ core, up }) => up && core.role === "leader")
  if (leader === undefined) throw new Violation("a healed group converges", "nobody leads")
  return leader
}

const serve = (world: World, electionTicks: number, apply: Apply): void => {
  const leader = leaderOf(world)
  const { acknowledged } = world.checker
  const { readsServed } = world.tally
  apply({ _tag: "Propose", node: leader.id, count: 3, bytes: 40 })
  apply({ _tag: "Read", node: leader.id })
  converge(world, electionTicks, apply)
  if (world.checker.acknowledged !== acknowledged + 3 || world.tally.readsServed !== readsServed + 1) {
    throw new Violation(
      "a healthy group serves",
      `${leader.id} acknowledged ${world.checker.acknowledged - acknowledged} of 3`
    )
  }
}

/** One with a rotten disk never starts again: it is removed, and another may come in its place. */
const replaceDamaged = (world: World, electionTicks: number, apply: Apply): void => {
  const damaged = Membership.members(RaftCore.configuration(leaderOf(world).core)).filter(id =>
    isDamaged(world.node(id))
  )
  for (const member of damaged) {
    apply({ _tag: "Change", node: leaderOf(world).id, change: "Remove", member })
    converge(world, electionTicks, apply)
    if (!RaftCore.configuration(leaderOf(world).core).removed.includes(member)) {
      throw new Violation("a healthy group shrinks", `${member}, whose disk has rotted, is still a member`)
    }
  }
}

/**
 * Every client gets its answer, and then all that there is gets read, each part through another member. One after the other:
 * a leader may refuse what comes all at once.
 */
const answer = (world: World, electionTicks: number, apply: Apply): void => {
  const demandAnswer = (client: string): void => {
    converge(world, electionTicks, apply)
    if (world.clients.isBusy(client)) throw new Violation("a healthy group serves", `${client} got no answer`)
  }
  for (const client of Clients.names) {
    apply({ _tag: "Retry", client, node: leaderOf(world).id })
    demandAnswer(client)
  }
  const { voters } = RaftCore.configuration(leaderOf(world).core)
  world.group.workload.closing.forEach((input, at) => {
    const client = Clients.names[at % Clients.names.length] ?? ""
    apply({ _tag: "Call", client, node: voters[at % voters.length] ?? "", input })
    demandAnswer(client)
  })
}

const handOver = (world: World, electionTicks: number, apply: Apply): void => {
  const { core, id: node } = leaderOf(world)
  const target = RaftCore.configuration(core).voters.find(voter => voter !== node && world.node(voter).up)
  if (target === undefined) return
  const { transfers } = world.tally
  apply({ _tag: "Transfer", node, target })
  converge(world, electionTicks, apply)
  if (leaderOf(world).id !== target || world.tally.transfers !== transfers + 1) {
    throw new Violation("a healthy leader hands over", `${leaderOf(world).id} leads instead of ${target}`)
  }
}

/** Everybody but one goes on, and keeps none of what that one lacks. */
const bringBack = (world: World, electionTicks: number, apply: Apply): void => {
  const { core, id: leader } = leaderOf(world)
  const { voters } = RaftCore.configuration(core)
  const away = voters.find(voter => voter !== leader && world.node(voter).up)
  const others = voters.filter(voter => voter !== away && world.node(voter).up)
  if (away === undefined || others.length < Quorum.size(voters.length)) return
  const { snapshotsInstalled } = world.tally
  apply({ _tag: "Crash", node: away, writes: 0, torn: -1, forgotten: 0 })
  apply({ _tag: "Propose", node: leader, count: 3, bytes: 40 })
  converge(world, electionTicks, apply)
  for (const { id } of world.nodes) apply({ _tag: "Compact", node: id, kept: 0 })
  apply({ _tag: "Restart", node: away })
  converge(world, electionTicks, apply)
  if (world.tally.snapshotsInstalled === snapshotsInstalled) {
    throw new Violation("who was away is sent a snapshot", `${away} came back without one`)
  }
}

const admit = (world: World, electionTicks: number, apply: Apply): void => {
  const { core, id: node } = leaderOf(world)
  const { removed, voters } = RaftCore.configuration(core)
  const member = world.group.spares.find(
    spare => !voters.includes(spare) && !removed.includes(spare) && !isDamaged(world.node(spare))
  )
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
    const at = world.time + 1
    for (const { id } of world.nodes) apply({ _tag: "Tick", node: id, at })
  }
  deliverAll(world, apply)
  const difference = unlike(world)
  if (difference !== undefined) {
    throw new Violation("a healed group converges", `${difference}, after ${electionsMax} election time-outs`)
  }
}
