import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream, TestContext } from "effect"
import { constant } from "effect/Function"
import * as fc from "fast-check"
import * as Process from "../src/Process.js"
import * as ProcessGroup from "../src/ProcessGroup.js"
import * as Transport from "../src/ProcessGroupTransport.js"
import { idle, makeMember, type Node, type NodeServices, namesOf, quiet, settle, tableOf } from "./helpers/groups.js"

const nodeNames = ["a", "b", "c"] as const
type NodeName = (typeof nodeNames)[number]
type Pair = readonly [NodeName, NodeName]
const pairs: ReadonlyArray<Pair> = [
  ["a", "b"],
  ["a", "c"],
  ["b", "c"]
]

type Step =
  | {
      readonly do: "join" | "leave"
      readonly node: NodeName
      readonly slots: ReadonlyArray<number>
      readonly group: string
    }
  | { readonly do: "die"; readonly node: NodeName; readonly slot: number }
  | { readonly do: "restart"; readonly node: NodeName }
  | { readonly do: "cut" | "heal"; readonly pair: Pair }
  | { readonly do: "wait"; readonly turns: number }
  | { readonly do: "settle" }

const node = fc.constantFrom(...nodeNames)
const slot = fc.nat(2)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constantFrom<"join" | "leave">("join", "join", "leave"),
      node,
      slots: fc.array(slot, { minLength: 1, maxLength: 3 }),
      group: fc.constantFrom("g", "h", "__proto__")
    })
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("die" as const), node, slot }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("restart" as const), node }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom<"cut" | "heal">("cut", "heal"), pair: fc.constantFrom(...pairs) })
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("wait" as const), turns: fc.nat(6) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("settle" as const) }) }
)

/** Groups with their members' names, as `tableOf` and the subscribers see them. */
class Tally {
  private groups = new Map<string, Array<string>>()

  reset(groups: ReadonlyMap<string, ReadonlyArray<ProcessGroup.Member>> = new Map()): void {
    this.groups = new Map(Array.from(groups, ([group, members]) => [group, [...namesOf(members)]]))
  }

  add(group: string, names: ReadonlyArray<string>): void {
    this.groups.set(group, [...(this.groups.get(group) ?? []), ...names])
  }

  /** Takes each name out once; false where there was none to take. */
  remove(group: string, names: ReadonlyArray<string>): ReadonlyArray<boolean> {
    const members = this.groups.get(group) ?? []
    const removed = names.map(name => {
      const at = members.indexOf(name)
      if (at >= 0) members.splice(at, 1)
      return at >= 0
    })
    if (members.length === 0) this.groups.delete(group)
    return removed
  }

  purge(name: string): void {
    for (const [group, members] of this.groups) {
      this.remove(
        group,
        members.filter(member => member === name)
      )
    }
  }

  /** A change must fit what is known: a leave of somebody who is not in would be a gap or a duplicate. */
  apply(change: ProcessGroup.GroupChange): void {
    const names = namesOf(change.members)
    if (change.kind === "join") this.add(change.group, names)
    else assert.notInclude(this.remove(change.group, names), false)
  }

  merge(other: Tally, suffix: string): void {
    for (const [group, members] of other.groups) {
      this.add(
        group,
        members.map(name => `${name}${suffix}`)
      )
    }
  }

  get sorted(): ReadonlyArray<readonly [string, ReadonlyArray<string>]> {
    return Array.from(this.groups, ([group, members]) => [group, [...members].sort()] as const).sort()
  }
}

/** A process that follows its node's scope through its mailbox, which holds so little that it overflows now and then. */
const follower = (tally: Tally) => {
  const attach: Effect.Effect<ProcessGroup.GroupMonitorRef, never, Process.ProcessTable> = Effect.matchEffect(
    ProcessGroup.monitorScope(),
    {
      onFailure: () => Effect.zipRight(Effect.yieldNow(), attach),
      onSuccess: ([ref, groups]) =>
        Effect.as(
          Effect.sync(() => tally.reset(groups)),
          ref
        )
    }
  )
  const follow = (ref: ProcessGroup.GroupMonitorRef): Effect.Effect<never, never, Process.ProcessTable> =>
    Effect.flatMap(Process.receive, signal => {
      const body = signal._tag === "Message" ? signal.body : undefined
      if (body instanceof ProcessGroup.MonitorLost && body.ref === ref) return Effect.flatMap(attach, follow)
      if (body instanceof ProcessGroup.GroupChange && body.ref === ref) tally.apply(body)
      return follow(ref)
    })
  return Process.spawn(Effect.flatMap(attach, follow), { mailboxCapacity: 1 })
}

/** A fiber that follows its node's scope through a stream with a small buffer. */
const reader = (tally: Tally) =>
  Stream.runForEach(ProcessGroup.scopeChanges({ bufferSize: 2 }), event =>
    Effect.sync(() => (event._tag === "GroupSnapshot" ? tally.reset(event.groups) : tally.apply(event)))
  ).pipe(Effect.ignore, Effect.zipRight(Effect.yieldNow()), Effect.forever, Effect.forkScoped)

/** A node as it runs, and what must be true of it. */
interface Actor {
  readonly node: Node
  readonly members: Array<{ readonly name: string; readonly pid: Process.Pid } | undefined>
  /** What living processes of the node have joined since the scope's last start. */
  readonly joined: Tally
  readonly follower: Tally
  readonly reader: Tally
}

const run = (steps: ReadonlyArray<Step>) =>
  Effect.gen(function* () {
    const network = yield* Transport.makeNetwork()
    const severed = new Set<Pair>()
    let born = 0

    const makeActor = (name: NodeName) =>
      Effect.gen(function* () {
        const node = yield* makeMember(network, name)
        const actor: Actor = { node, members: [], joined: new Tally(), follower: new Tally(), reader: new Tally() }
        yield* node.run(follower(actor.follower))
        yield* node.run(reader(actor.reader))
        return actor
      })
    const actors = { a: yield* makeActor("a"), b: yield* makeActor("b"), c: yield* makeActor("c") }

    const memberOf = (actor: Actor, slot: number) =>
      Effect.gen(function* () {
        const known = actor.members[slot]
        if (known !== undefined) return known
        const name = `m${++born}`
        const member = { name, pid: yield* actor.node.run(idle(name)) }
        actor.members[slot] = member
        return member
      })

    const act = (step: Step): Effect.Effect<unknown, unknown> =>
      Effect.gen(function* () {
        switch (step.do) {
          case "join":
          case "leave": {
            const actor = actors[step.node]
            const members = yield* Effect.forEach(step.slots, slot => memberOf(actor, slot))
            const pids = members.map(({ pid }) => pid)
            const names = members.map(({ name }) => name)
            const change: Effect.Effect<
              unknown,
              Effect.Effect.Error<ReturnType<typeof ProcessGroup.join>>,
              NodeServices
            > = step.do === "join" ? ProcessGroup.join(step.group, pids) : ProcessGroup.leave(step.group, pids)
            // The scope may be about to start again: then nothing was done.
            const tried = Effect.catchTag(Effect.asSome(change), "NoProcess", constant(Effect.succeedNone))
            const done = yield* actor.node.run(tried)
            if (done._tag === "None") return
            if (step.do === "join") actor.joined.add(step.group, names)
            else assert.strictEqual(done.value, actor.joined.remove(step.group, names).includes(true))
            return
          }
          case "die": {
            const actor = actors[step.node]
            const member = actor.members[step.slot]
            if (member === undefined) return
            actor.members[step.slot] = undefined
            actor.joined.purge(member.name)
            return yield* actor.node.run(Process.exit(member.pid, { _tag: "Killed" }))
          }
          case "restart": {
            const { joined, node } = actors[step.node]
            const scope = yield* node.run(Process.whereis(ProcessGroup.nameOf(ProcessGroup.defaultScope)))
            if (scope._tag === "None") return
            joined.reset()
            return yield* node.run(Process.exit(scope.value, { _tag: "Killed" }))
          }
          case "cut":
            severed.add(step.pair)
            return yield* network.cut(...step.pair)
          case "heal":
            severed.delete(step.pair)
            return yield* network.heal(...step.pair)
          case "wait":
            return yield* Effect.repeatN(Effect.yieldNow(), step.turns)
          case "settle":
            return yield* Effect.zipRight(settle, check)
        }
      })

    /** Each node has what it and those it is connected to have joined; so do its subscribers. */
    const check = Effect.forEach(nodeNames, name =>
      Effect.gen(function* () {
        const { follower, joined, node, reader } = actors[name]
        const expected = new Tally()
        expected.merge(joined, "")
        for (const pair of pairs.filter(pair => pair.includes(name) && !severed.has(pair))) {
          const other = pair[0] === name ? pair[1] : pair[0]
          expected.merge(actors[other].joined, `@${other}`)
        }
        assert.deepStrictEqual(yield* node.run(tableOf), expected.sorted)
        assert.deepStrictEqual(follower.sorted, expected.sorted)
        assert.deepStrictEqual(reader.sorted, expected.sorted)
      })
    )

    yield* settle
    yield* Effect.forEach(steps, act)
    yield* Effect.forEach(pairs, pair => act({ do: "heal", pair }))
    yield* act({ do: "settle" })
  })

describe("ProcessGroup, whatever happens", () => {
  it("every node has what living processes have joined on the nodes it reaches, and subscribers can follow", () =>
    fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), steps =>
        run(steps).pipe(Effect.scoped, quiet, Effect.provide(TestContext.TestContext), Effect.runPromise)
      ),
      { numRuns: 200 }
    ))
})
