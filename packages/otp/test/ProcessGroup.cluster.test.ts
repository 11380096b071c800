import { assert, describe, it } from "@effect/vitest"
import { Array as Arr, Effect } from "effect"
import * as GenServer from "../src/GenServer.js"
import * as Process from "../src/Process.js"
import * as ProcessGroup from "../src/ProcessGroup.js"
import * as Transport from "../src/ProcessGroupTransport.js"
import {
  idle,
  kill,
  listener,
  localMembersOf,
  makeMember,
  makeNode,
  membersOf,
  namesOf,
  quiet,
  scopeProcess,
  settle,
  supervised,
  tableOf
} from "./helpers/groups.js"
import { later, present, type Release, release0_1_0, withReleases } from "./helpers/releases.js"

/** What else than the present release the node b runs. */
const neighbours: ReadonlyArray<readonly [string, Release]> = [
  ["of this release", present],
  ["with one of release 0.1.0", release0_1_0],
  ["with one of a later release", later]
]

const joined = (label: string, ...groups: ReadonlyArray<string>) =>
  Effect.tap(idle(label), pid => Effect.forEach(groups, group => ProcessGroup.join(group, pid)))

const restartScope = Effect.zipRight(Effect.flatMap(scopeProcess(), kill), settle)

describe.each(neighbours)("ProcessGroup on several nodes %s", (_, neighbour) => {
  const makeNetwork = Effect.map(Transport.makeNetwork(), network => withReleases(network, { b: neighbour }))

  const two = Effect.gen(function* () {
    const network = yield* makeNetwork
    const a = yield* makeMember(network, "a")
    const b = yield* makeMember(network, "b")
    yield* settle
    return { network, a, b }
  })

  const three = Effect.gen(function* () {
    const { network, a, b } = yield* two
    const c = yield* makeMember(network, "c")
    yield* settle
    return { network, a, b, c }
  })

  it.effect("two: joins, deaths and the end of a node are seen on the other, but never as local", () =>
    Effect.gen(function* () {
      const { a, b } = yield* two
      const m = yield* a.run(joined("m", "g"))
      yield* settle
      assert.deepStrictEqual(yield* b.run(membersOf("g")), ["m@a"])
      assert.deepStrictEqual(yield* b.run(localMembersOf("g")), [])
      assert.deepStrictEqual(yield* b.run(ProcessGroup.whichGroups()), ["g"])
      assert.deepStrictEqual(yield* b.run(ProcessGroup.whichLocalGroups()), [])
      yield* a.run(kill(m))
      assert.deepStrictEqual(yield* b.run(ProcessGroup.whichGroups()), [])

      yield* b.run(joined("n", "g"))
      yield* settle
      assert.deepStrictEqual(yield* a.run(membersOf("g")), ["n@b"])
      yield* b.stop
      yield* settle
      assert.deepStrictEqual(yield* a.run(ProcessGroup.whichGroups()), [])
    }).pipe(Effect.scoped)
  )

  it.effect("the same process is the same value wherever it is seen, and another one on another node", () =>
    Effect.gen(function* () {
      const { a, b, c } = yield* three
      yield* a.run(joined("m", "g", "h"))
      yield* c.run(joined("m", "i"))
      yield* settle
      const seen = (group: string) => Effect.map(b.run(ProcessGroup.getMembers(group)), Arr.head)
      assert.deepStrictEqual(yield* seen("g"), yield* seen("h"))
      assert.deepStrictEqual(yield* seen("g"), yield* Effect.map(c.run(ProcessGroup.getMembers("g")), Arr.head))
      assert.notDeepEqual(yield* seen("g"), yield* seen("i"))
    }).pipe(Effect.scoped)
  )

  it.effect("initial: a scope that starts later gets the members there are, and what becomes of them", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork
      const a = yield* makeMember(network, "a")
      const m = yield* a.run(joined("m", "g", "g"))
      const b = yield* makeNode(network, "b")
      yield* settle
      yield* b.run(supervised)
      yield* settle
      assert.deepStrictEqual(yield* b.run(membersOf("g")), ["m@a", "m@a"])
      yield* a.run(kill(m))
      assert.deepStrictEqual(yield* b.run(membersOf("g")), [])
    }).pipe(Effect.scoped)
  )

  it.effect("overlay_missing: a node without the scope neither disturbs nor learns", () =>
    Effect.gen(function* () {
      const { a, b } = yield* two
      const m = yield* a.run(Effect.zipRight(ProcessGroup.start({ scope: "own" }), idle("m")))
      yield* a.run(ProcessGroup.join("g", m, "own"))
      yield* settle
      assert.deepStrictEqual(yield* b.run(ProcessGroup.whichGroups("own")), [])
      assert.deepStrictEqual(yield* b.run(ProcessGroup.whichGroups()), [])
      yield* b.run(ProcessGroup.start({ scope: "own" }))
      yield* settle
      assert.deepStrictEqual(namesOf(yield* b.run(ProcessGroup.getMembers("g", "own"))), ["m@a"])
    }).pipe(Effect.scoped)
  )

  it.effect("netsplit: each side keeps its own members, and has the other's again after healing", () =>
    Effect.gen(function* () {
      const { a, b, network } = yield* two
      yield* a.run(joined("m", "g"))
      yield* b.run(joined("n", "g"))
      yield* settle
      assert.deepStrictEqual(yield* a.run(membersOf("g")), ["m", "n@b"])
      yield* network.cut("a", "b")
      yield* settle
      assert.deepStrictEqual(yield* a.run(membersOf("g")), ["m"])
      assert.deepStrictEqual(yield* b.run(membersOf("g")), ["n"])
      yield* network.heal("b", "a")
      yield* settle
      assert.deepStrictEqual(yield* a.run(membersOf("g")), ["m", "n@b"])
      assert.deepStrictEqual(yield* b.run(membersOf("g")), ["m@a", "n"])
    }).pipe(Effect.scoped)
  )

  it.effect("trisplit: a join right after reconnecting is seen, also by a third node that connects later", () =>
    Effect.gen(function* () {
      const { a, b, c, network } = yield* three
      yield* Effect.all([network.cut("a", "b"), network.cut("a", "c"), network.cut("b", "c")])
      yield* settle
      yield* network.heal("a", "b")
      yield* a.run(joined("m", "g"))
      yield* settle
      assert.deepStrictEqual(yield* b.run(membersOf("g")), ["m@a"])
      assert.deepStrictEqual(yield* c.run(membersOf("g")), [])
      yield* network.heal("b", "c")
      yield* settle
      // Not from b: membership is known from its own node alone.
      assert.deepStrictEqual(yield* c.run(membersOf("g")), [])
      yield* network.heal("a", "c")
      yield* settle
      assert.deepStrictEqual(yield* c.run(membersOf("g")), ["m@a"])
    }).pipe(Effect.scoped)
  )

  it.effect("foursplit: who died or left during a split is gone on both sides after it", () =>
    Effect.gen(function* () {
      const { a, b, network } = yield* two
      const [m, n] = yield* a.run(Effect.all([joined("m", "g"), joined("n", "g")]))
      yield* settle
      yield* network.cut("a", "b")
      yield* a.run(kill(m))
      assert.isTrue(yield* a.run(ProcessGroup.leave("g", n)))
      assert.isFalse(yield* a.run(ProcessGroup.leave("other", n)))
      yield* network.heal("a", "b")
      yield* settle
      assert.deepStrictEqual(yield* a.run(membersOf("g")), [])
      assert.deepStrictEqual(yield* b.run(membersOf("g")), [])
    }).pipe(Effect.scoped)
  )

  it.effect("nolocal: a remote process that joins twice is no local member", () =>
    Effect.gen(function* () {
      const { a, b } = yield* two
      yield* a.run(joined("m", "g", "g"))
      yield* settle
      assert.deepStrictEqual(yield* b.run(membersOf("g")), ["m@a", "m@a"])
      assert.deepStrictEqual(yield* b.run(localMembersOf("g")), [])
    }).pipe(Effect.scoped)
  )

  it.effect("process_owner_check: the member another node told of cannot be made to join or leave here", () =>
    Effect.gen(function* () {
      const { a, b } = yield* two
      yield* a.run(joined("m", "g"))
      yield* settle
      const members = yield* b.run(ProcessGroup.getMembers("g"))
      assert.strictEqual((yield* b.run(Effect.flip(ProcessGroup.leave("g", members))))._tag, "NotLocal")
      assert.strictEqual((yield* b.run(Effect.flip(ProcessGroup.join("h", members))))._tag, "NotLocal")
      assert.deepStrictEqual(yield* b.run(tableOf), [["g", ["m@a"]]])
    }).pipe(Effect.scoped)
  )

  it.effect("empty_group_by_remote_leave: the last leave elsewhere ends the group here", () =>
    Effect.gen(function* () {
      const { a, b } = yield* two
      const m = yield* a.run(joined("m", "g"))
      yield* settle
      assert.deepStrictEqual(yield* b.run(ProcessGroup.whichGroups()), ["g"])
      yield* a.run(ProcessGroup.leave("g", m))
      yield* settle
      assert.deepStrictEqual(yield* b.run(ProcessGroup.whichGroups()), [])
    }).pipe(Effect.scoped)
  )

  it.effect("scope_restart: remote members come back, local ones are lost, here and elsewhere", () =>
    Effect.gen(function* () {
      const { a, b } = yield* two
      const m = yield* a.run(joined("m", "g"))
      yield* b.run(joined("n", "g"))
      yield* settle
      yield* a.run(quiet(restartScope))
      assert.deepStrictEqual(yield* a.run(membersOf("g")), ["n@b"])
      assert.deepStrictEqual(yield* b.run(membersOf("g")), ["n"])
      yield* a.run(ProcessGroup.join("g", m))
      yield* settle
      assert.deepStrictEqual(yield* b.run(membersOf("g")), ["m@a", "n"])
    }).pipe(Effect.scoped)
  )

  it.effect("a scope that is stopped takes its members along; its node stays connected", () =>
    Effect.gen(function* () {
      const { a, b } = yield* two
      yield* a.run(Effect.zipRight(ProcessGroup.start({ scope: "own" }), Effect.void))
      const scope = yield* b.run(ProcessGroup.start({ scope: "own" }))
      const n = yield* b.run(idle("n"))
      yield* b.run(ProcessGroup.join("g", n, "own"))
      yield* b.run(ProcessGroup.join("h", n))
      yield* settle
      assert.deepStrictEqual(yield* a.run(ProcessGroup.whichGroups("own")), ["g"])
      yield* b.run(GenServer.stopServer(scope))
      yield* settle
      assert.deepStrictEqual(yield* a.run(ProcessGroup.whichGroups("own")), [])
      assert.deepStrictEqual(yield* a.run(ProcessGroup.whichGroups()), ["h"])
    }).pipe(Effect.scoped)
  )

  it.effect("missing_scope_join: a node without the scope refuses, though others have it", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork
      yield* makeMember(network, "a")
      const b = yield* makeNode(network, "b")
      const n = yield* b.run(idle("n"))
      assert.strictEqual((yield* b.run(Effect.flip(ProcessGroup.join("g", n))))._tag, "NoProcess")
      assert.strictEqual((yield* b.run(Effect.flip(ProcessGroup.leave("g", n))))._tag, "NoProcess")
    }).pipe(Effect.scoped)
  )

  it.effect("group_leave: sixteen join, four leave, twelve are seen; none after the node's end", () =>
    Effect.gen(function* () {
      const { a, b } = yield* two
      const members = yield* b.run(Effect.replicateEffect(idle("n"), 16))
      yield* b.run(ProcessGroup.join("g", members))
      yield* settle
      assert.lengthOf(yield* a.run(ProcessGroup.getMembers("g")), 16)
      yield* b.run(ProcessGroup.leave("g", members.slice(0, 4)))
      yield* settle
      assert.lengthOf(yield* a.run(ProcessGroup.getMembers("g")), 12)
      yield* b.stop
      yield* settle
      assert.lengthOf(yield* a.run(ProcessGroup.getMembers("g")), 0)
    }).pipe(Effect.scoped)
  )

  it.effect("monitor_nonempty_scope: the snapshot has local and remote members and only groups that exist", () =>
    Effect.gen(function* () {
      const { a, b } = yield* two
      const m = yield* a.run(joined("m", "g", "gone"))
      yield* b.run(joined("n", "g", "h"))
      yield* a.run(ProcessGroup.leave("gone", m))
      yield* settle
      const there = { g: ["m", "n@b"], h: ["n@b"] }
      const { ref, snapshot } = yield* a.run(listener())
      assert.deepStrictEqual(snapshot, there)
      assert.isTrue(yield* a.run(ProcessGroup.demonitor(ref)))
      assert.deepStrictEqual((yield* a.run(listener())).snapshot, there)
    }).pipe(Effect.scoped)
  )

  it.effect("subscribers hear of remote joins, leaves, deaths, splits and healing", () =>
    Effect.gen(function* () {
      const { a, b, network } = yield* two
      const { heard } = yield* a.run(listener())
      const n = yield* b.run(joined("n", "g"))
      yield* b.run(ProcessGroup.join("g", n))
      yield* b.run(ProcessGroup.leave("g", n))
      yield* settle
      yield* network.cut("a", "b")
      yield* settle
      yield* network.heal("a", "b")
      yield* settle
      yield* b.run(kill(n))
      assert.deepStrictEqual(heard, [
        "join g: n@b",
        "join g: n@b",
        "leave g: n@b",
        "leave g: n@b",
        "join g: n@b",
        "leave g: n@b"
      ])
    }).pipe(Effect.scoped)
  )

  it.effect("dyn_distribution: a node-up for the node itself is ignored; members are not doubled", () =>
    Effect.gen(function* () {
      const { a, b } = yield* two
      yield* a.run(joined("m", "g"))
      const itself = new Transport.NodeUp({ node: "a" })
      yield* a.run(Effect.flatMap(scopeProcess(), pid => Process.send(pid, itself)))
      yield* settle
      assert.deepStrictEqual(yield* a.run(membersOf("g")), ["m"])
      assert.deepStrictEqual(yield* b.run(membersOf("g")), ["m@a"])
    }).pipe(Effect.scoped)
  )
})
