import type { Event, Faults } from "../../Simulator.js"
import * as Clients from "./clients.js"
import type { Link } from "./link.js"
import { clockAt, machineFile, type Node, record } from "./node.js"
import type { Random } from "./random.js"
import type { World } from "./world.js"

/** How often each thing happens, as a share of all events. What is left over goes to messages and disks. */
const shares = { fault: 0.02, client: 0.1, compaction: 0.02, tick: 0.12, hastyTick: 0.4 }

/**
 * Chooses what happens next. All the troubles that last, cuts and pauses and hanging disks, live here and not in the
 * world: a cut link is one whose messages this drops, a paused member one that it does not let act.
 */
export class Schedule {
  private readonly cut = new Set<Link>()
  private readonly paused = new Set<Node>()
  private readonly stalled = new Set<Node>()
  /** Per member, how likely it is to be passed over by time: clocks do not run alike. */
  private readonly slowness: ReadonlyArray<number>

  constructor(
    private readonly world: World,
    private readonly faults: Faults,
    private readonly random: Random
  ) {
    this.slowness = world.nodes.map(() => (faults.skew ? random.next() * 0.5 : 0))
  }

  next(): Event {
    const { random } = this
    const roll = random.next()
    if (roll < shares.fault) {
      const event = this.fault()
      if (event !== undefined) return event
    } else if (roll < shares.fault + shares.client) {
      return this.client()
    } else if (this.faults.compaction && roll < shares.fault + shares.client + shares.compaction) {
      return { _tag: "Compact", node: this.anyone(), kept: random.pick([0, 0, 2, 10]) ?? 0 }
    } else if (roll > 1 - (this.faults.haste ? shares.hastyTick : shares.tick)) {
      return this.tick()
    }
    return this.storage(0.3) ?? this.snapshot(0.1) ?? this.network() ?? this.storage(1) ?? this.tick()
  }

  private tick(): Event {
    if (this.faults.lease) return this.timelyTick()
    const { nodes } = this.world
    const at = this.random.int(nodes.length)
    const node = nodes[at]
    if (node === undefined || this.paused.has(node) || this.random.chance(this.slowness[at] ?? 0)) {
      return { _tag: "Tick", node: this.anyone() }
    }
    return { _tag: "Tick", node: node.id }
  }

  /** Everybody awake whose clock has gone on gets its tick before time goes on. */
  private timelyTick(): Event {
    const { random, world } = this
    const awake = world.nodes.filter(node => node.up && !this.paused.has(node))
    const after = awake.some(node => clockAt(node, world.time) > node.clock) ? 0 : 1
    const at = world.time + after
    const node = random.pick(awake.filter(node => clockAt(node, at) > node.clock)) ?? random.pick(awake)
    return { _tag: "Tick", node: node?.id ?? this.anyone(), at }
  }

  private anyone(): string {
    const awake = this.world.nodes.filter(node => !this.paused.has(node))
    return (this.random.pick(awake) ?? this.random.pick(this.world.nodes))?.id ?? ""
  }

  /** Clients mostly know who leads; the rest is there to be refused. */
  private client(): Event {
    const { faults, random, world } = this
    const leader = random.pick(world.nodes.filter(node => node.up && node.core.role === "leader"))
    if (random.chance(0.6)) return this.operation(leader)
    const node = leader === undefined || random.chance(0.1) ? this.anyone() : leader.id
    if (faults.membership && random.chance(0.08)) return this.change(node)
    if (faults.transfer && random.chance(0.05)) {
      return { _tag: "Transfer", node, target: random.pick(world.nodes)?.id ?? node }
    }
    return random.chance(0.4)
      ? { _tag: "Read", node }
      : { _tag: "Propose", node, count: random.between(1, 4), bytes: random.pick([4, 4, 40, 400]) ?? 4 }
  }

  /** A client without an answer asks again, or gives up; another begins something, through any member if it can be a read. */
  private operation(leader: Node | undefined): Event {
    const { random, world } = this
    const { clients, group } = world
    const client = random.pick(Clients.names) ?? ""
    const elsewhere = leader === undefined || random.chance(0.1) ? this.anyone() : leader.id
    if (clients.isBusy(client)) {
      return clients.mayAbandon && random.chance(0.05)
        ? { _tag: "Abandon", client }
        : { _tag: "Retry", client, node: elsewhere }
    }
    const input = group.workload.draw(random, { client, number: clients.nextCall }, clients.lastOf(client))
    const node = group.workload.isRead(input) && random.chance(0.4) ? this.anyone() : elsewhere
    return { _tag: "Call", client, node, input }
  }

  /** Somebody joins or goes; a name that is gone already, or never came, is there to be refused. */
  private change(node: string): Event {
    const { random, world } = this
    const member = random.pick(random.chance(0.5) ? world.group.spares : world.nodes.map(({ id }) => id)) ?? node
    return { _tag: "Change", node, change: random.chance(0.6) ? "Add" : "Remove", member }
  }

  private network(): Event | undefined {
    const { faults, random } = this
    const busy = this.world.links.filter(link => link.messages.length > 0 && !this.paused.has(link.to))
    const link = random.pick(busy)
    if (link === undefined) return undefined
    const at = faults.reorder > 0 && random.chance(faults.reorder) ? random.int(link.messages.length) : 0
    const message = { from: link.from.id, to: link.to.id, at }
    if (faults.spoil && link.messages[at]?._tag === "Piece" && random.chance(0.1)) return { _tag: "Spoil", ...message }
    if (!link.to.up || this.cut.has(link) || random.chance(faults.loss)) return { _tag: "Drop", ...message }
    return random.chance(faults.duplicate) ? { _tag: "Duplicate", ...message } : { _tag: "Deliver", ...message }
  }

  private storage(probability: number): Event | undefined {
    const { random } = this
    if (!random.chance(probability)) return undefined
    const node = random.pick(this.world.nodes.filter(({ writes }) => writes.length > 0))
    if (node === undefined || this.stalled.has(node) || this.paused.has(node)) return undefined
    const install = node.writes.findIndex(({ output }) => output._tag === "Install")
    if (install !== -1 && this.faults.crash && random.chance(0.3)) return this.crash("Crash", node, install)
    const event = { _tag: "Sync" as const, node: node.id, writes: random.between(1, node.writes.length) }
    return this.faults.stall && random.chance(0.05)
      ? { ...event, heldUp: random.between(1, 3 * node.core.options.electionTicks) }
      : event
  }

  /** A snapshot's delivery is reported, or its failure: also of one that is only late. */
  private snapshot(probability: number): Event | undefined {
    const { random } = this
    const node = random.pick(this.world.nodes.filter(({ deliveries, up }) => up && deliveries.size > 0))
    if (node === undefined || this.paused.has(node) || !random.chance(probability)) return undefined
    const delivery = random.pick([...node.deliveries.values()])
    if (delivery === undefined || (delivery.state === "under_way" && !random.chance(0.1))) return undefined
    return { _tag: "SnapshotEnd", node: node.id, to: delivery.to }
  }

  /** Starts a trouble or ends one. */
  private fault(): Event | undefined {
    const { faults, random, world } = this
    const down = world.nodes.filter(({ up }) => !up)
    const unlucky = random.pick(world.nodes)
    if (unlucky === undefined) return undefined
    switch (random.int(9)) {
      case 0:
        return faults.crash ? this.crash("Crash", unlucky) : undefined
      case 1:
        return faults.failedSync ? this.crash("FailSync", unlucky) : undefined
      case 2:
        return faults.rot ? this.rot(unlucky) : undefined
      case 3:
      case 4: {
        const node = random.pick(down)
        if (node === undefined) return undefined
        return faults.amnesia && random.chance(0.2)
          ? { _tag: "LoseMachine", node: node.id, older: random.chance(0.5) }
          : { _tag: "Restart", node: node.id }
      }
      case 5:
        return faults.campaign ? { _tag: "Campaign", node: unlucky.id } : undefined
      case 6:
        if (faults.pause) toggle(this.paused, unlucky, random.chance(0.4))
        if (faults.stall) toggle(this.stalled, random.pick(world.nodes) ?? unlucky, random.chance(0.4))
        return undefined
      case 7:
        this.cutSome(unlucky)
        return undefined
      default:
        this.cut.clear()
        return undefined
    }
  }

  /** A snapshot on its way in or out, if there is one; now and then an entry, the record, or the machine's own file. */
  private rot({ copy, disk: { inbox, log }, id }: Node): Event | undefined {
    const { random } = this
    if (!random.chance(0.3)) {
      const hasIncoming = inbox.part !== undefined || inbox.wholes.length > 0
      if (!hasIncoming && copy === undefined) return undefined
      const file = hasIncoming && (copy === undefined || random.chance(0.7)) ? "incoming" : "outgoing"
      return { _tag: "RotSnapshot", node: id, file, at: random.int(1_000) }
    }
    const entry = random.between(log.base.index + 1, log.lastIndex)
    const roll = random.next()
    return { _tag: "Rot", node: id, index: roll < 0.2 ? record : roll < 0.3 ? machineFile : entry }
  }

  /** `among`: the write that is torn, where that is not drawn. */
  private crash(_tag: "Crash" | "FailSync", node: Node, among?: number): Event | undefined {
    // a sync can only fail where one is under way
    if (!node.up || (_tag === "FailSync" && node.writes.length === 0)) return undefined
    const { random } = this
    const writes = among ?? random.int(node.writes.length + 1)
    const torn = node.writes[writes]?.output
    // an install has two steps
    const parts = torn?._tag === "Persist" ? torn.entries.length : 1
    const tornAfter = this.faults.tear ? random.between(-1, parts) : -1
    return { _tag, node: node.id, writes, torn: tornAfter, forgotten: random.int(5) }
  }

  private cutSome(node: Node): void {
    const { faults, random, world } = this
    if (faults.cut && random.chance(0.5)) {
      const link = random.pick(world.links)
      if (link !== undefined) this.cut.add(link)
    } else if (faults.partition) {
      const side = new Set(world.nodes.filter(other => other === node || random.chance(0.3)))
      for (const link of world.links) if (side.has(link.from) !== side.has(link.to)) this.cut.add(link)
    }
  }
}

const toggle = <A>(set: Set<A>, value: A, on: boolean): void => {
  if (on) set.add(value)
  else set.clear()
}

/** Which troubles a seed has, and how much of each: a run with all of them at once finds less than many with some. */
export const drawFaults = (random: Random): Faults => {
  const share = (max: number): number => (random.chance(0.5) ? random.next() * max : 0)
  return {
    loss: share(0.3),
    duplicate: share(0.2),
    reorder: share(0.8),
    crash: random.chance(0.5),
    tear: random.chance(0.5),
    rot: random.chance(0.3),
    failedSync: random.chance(0.4),
    stall: random.chance(0.4),
    pause: random.chance(0.4),
    cut: random.chance(0.4),
    partition: random.chance(0.5),
    skew: random.chance(0.5),
    campaign: random.chance(0.3),
    haste: random.chance(0.3),
    membership: random.chance(0.5),
    transfer: random.chance(0.4),
    compaction: random.chance(0.5),
    lease: random.chance(0.25),
    spoil: random.chance(0.3),
    amnesia: random.chance(0.3)
  }
}
