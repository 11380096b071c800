import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { GroupScope } from "../src/internal/groupScope.js"
import * as Process from "../src/Process.js"
import * as ProcessGroup from "../src/ProcessGroup.js"
import * as Transport from "../src/ProcessGroupTransport.js"
import * as Sys from "../src/Sys.js"
import {
  groupsOf,
  idle,
  kill,
  listener,
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

/** What a scope says, in a line. */
const lineOf = (message: Transport.Message): string => {
  switch (message._tag) {
    case "Discover":
      return "discover"
    case "ScopeDown":
      return "down"
    case "Sync":
      return `sync ${JSON.stringify(groupsOf(message.groups))}`
    case "Join":
      return `join ${message.group}: ${namesOf(message.members).join(" ")}`
    case "Leave":
      return `leave ${[...message.groups].sort().join(" ")}: ${namesOf(message.members).join(" ")}`
  }
}

/** The node "p", whose part the test plays by hand: one scope process, incarnation `id`. */
const byHand = (network: Transport.Network) =>
  Effect.gen(function* () {
    const node = yield* makeNode(network, "p")
    const transport = yield* node.run(Transport.ProcessGroupTransport)
    const heard: Array<string> = []
    yield* transport.listen("pg", notice => {
      if (notice._tag !== "NodeUp" && notice._tag !== "NodeDown") heard.push(lineOf(notice))
    })
    const scope = (id: number) => {
      const from = new Transport.RemotePid({ node: "p", creation: "1", id, label: `<${id} pg>` })
      const say = (message: Transport.Message) =>
        Effect.zipRight(
          Effect.sync(() => transport.send("a", "pg", message)),
          settle
        )
      const toMap = (groups: Record<string, ReadonlyArray<Transport.RemotePid>>) => new Map(Object.entries(groups))
      return {
        discover: say(new Transport.Discover({ from })),
        down: say(new Transport.ScopeDown({ from })),
        sync: (groups: Record<string, ReadonlyArray<Transport.RemotePid>>) =>
          say(new Transport.Sync({ from, groups: toMap(groups) })),
        join: (group: string, ...members: ReadonlyArray<Transport.RemotePid>) =>
          say(new Transport.Join({ from, group, members })),
        leave: (groups: ReadonlyArray<string>, ...members: ReadonlyArray<Transport.RemotePid>) =>
          say(new Transport.Leave({ from, groups, members }))
      }
    }
    /** What was heard since the last time. */
    const news = Effect.zipRight(
      settle,
      Effect.sync(() => heard.splice(0))
    )
    return { news, scope, send: transport.send }
  })

const remote = (name: string, id: number) =>
  new Transport.RemotePid({ node: "p", creation: "1", id, label: `<${id} ${name}>` })

const [x, y] = [remote("x", 101), remote("y", 102)]

/** A node "a" that runs the code, and a node "p" played by hand. */
const scene = Effect.gen(function* () {
  const network = yield* Transport.makeNetwork()
  const a = yield* makeMember(network, "a")
  const p = yield* byHand(network)
  yield* settle
  return { a, network, p }
})

/** The same, acquainted. */
const acquainted = Effect.tap(scene, ({ p }) => Effect.zipRight(p.scope(1).sync({}), p.news))

describe("the protocol of process groups", () => {
  it.effect("a scope says discover at its start, and when a node comes up", () =>
    Effect.gen(function* () {
      const { a, network, p } = yield* scene
      assert.deepStrictEqual(yield* p.news, ["discover"])
      yield* network.cut("a", "p")
      yield* network.heal("a", "p")
      assert.deepStrictEqual(yield* p.news, ["discover"])
      yield* a.run(quiet(Effect.flatMap(scopeProcess(), kill)))
      assert.include(yield* p.news, "discover")
    }).pipe(Effect.scoped)
  )

  it.effect("discover: answered with sync; from a stranger also with discover", () =>
    Effect.gen(function* () {
      const { a, p } = yield* scene
      const m = yield* a.run(idle("m"))
      yield* a.run(ProcessGroup.join("g", [m, m]))
      assert.deepStrictEqual(yield* p.news, ["discover"])
      yield* p.scope(1).discover
      assert.deepStrictEqual(yield* p.news, ['sync {"g":["m@a","m@a"]}', "discover"])
      yield* p.scope(1).discover
      assert.deepStrictEqual(yield* p.news, ['sync {"g":["m@a","m@a"]}'])
    }).pipe(Effect.scoped)
  )

  it.effect("protocol_upgrade: a discover with more in it than is known gets the normal sync", () =>
    Effect.gen(function* () {
      const { p } = yield* acquainted
      const newer = {
        _tag: "Discover",
        from: { node: "p", creation: "1", id: 1, label: "<1 pg>", zone: "eu" },
        version: 2
      }
      p.send("a", "pg", yield* Schema.decodeUnknown(Transport.Message)(newer))
      assert.deepStrictEqual(yield* p.news, ["sync {}"])
    }).pipe(Effect.scoped)
  )

  it.effect("joins and leaves are told to scopes that are known only", () =>
    Effect.gen(function* () {
      const { a, p } = yield* scene
      yield* p.news
      const m = yield* a.run(idle("m"))
      yield* a.run(ProcessGroup.join("g", m))
      assert.deepStrictEqual(yield* p.news, [])
      yield* p.scope(1).sync({})
      assert.deepStrictEqual(yield* p.news, [])
      yield* a.run(ProcessGroup.join("h", [m, m]))
      yield* a.run(ProcessGroup.leave("h", [m, m, m]))
      yield* a.run(ProcessGroup.leave("h", m))
      assert.deepStrictEqual(yield* p.news, ["join h: m@a m@a", "leave h: m@a m@a"])
    }).pipe(Effect.scoped)
  )

  it.effect("a death is one leave, for all groups and multiplicities", () =>
    Effect.gen(function* () {
      const { a, p } = yield* acquainted
      const m = yield* a.run(idle("m"))
      yield* a.run(ProcessGroup.join("g", [m, m]))
      yield* a.run(ProcessGroup.join("h", m))
      yield* p.news
      yield* a.run(kill(m))
      assert.deepStrictEqual(yield* p.news, ["leave g g h: m@a"])
    }).pipe(Effect.scoped)
  )

  it.effect("join and leave of a stranger are ignored; its sync covers them later", () =>
    Effect.gen(function* () {
      const { a, p } = yield* scene
      yield* p.scope(1).join("g", x)
      yield* p.scope(1).leave(["g"], x)
      assert.deepStrictEqual(yield* a.run(ProcessGroup.whichGroups()), [])
      yield* p.scope(1).sync({ g: [x] })
      assert.deepStrictEqual(yield* a.run(tableOf), [["g", ["x@p"]]])
    }).pipe(Effect.scoped)
  )

  it.effect("sync takes the place of everything, is idempotent, and subscribers hear exactly the difference", () =>
    Effect.gen(function* () {
      const { a, p } = yield* acquainted
      const { heard } = yield* a.run(listener())
      yield* p.scope(1).sync({ g: [x, x, y], gone: [x], same: [y] })
      heard.length = 0
      const changed = { g: [x, y, y], new: [y], same: [y] }
      yield* p.scope(1).sync(changed)
      assert.deepStrictEqual(yield* a.run(tableOf), [
        ["g", ["x@p", "y@p", "y@p"]],
        ["new", ["y@p"]],
        ["same", ["y@p"]]
      ])
      assert.deepStrictEqual(heard, ["leave g: x@p", "leave gone: x@p", "join g: y@p", "join new: y@p"])
      heard.length = 0
      yield* p.scope(1).sync(changed)
      assert.deepStrictEqual(heard, [])
    }).pipe(Effect.scoped)
  )

  it.effect(
    "a leave takes out each member from each group as often as they are listed, and no more than there is",
    () =>
      Effect.gen(function* () {
        const { a, p } = yield* acquainted
        yield* p.scope(1).sync({ g: [x, x, x, y], h: [x] })
        const { heard } = yield* a.run(listener())
        yield* p.scope(1).leave(["g", "g", "h", "h", "none"], x)
        assert.deepStrictEqual(heard, ["leave g: x@p x@p", "leave h: x@p"])
        assert.deepStrictEqual(yield* a.run(tableOf), [["g", ["x@p", "y@p"]]])
      }).pipe(Effect.scoped)
  )

  it.effect("an empty join makes no group", () =>
    Effect.gen(function* () {
      const { a, p } = yield* acquainted
      yield* p.scope(1).join("g")
      yield* p.scope(1).sync({ h: [] })
      assert.deepStrictEqual(yield* a.run(ProcessGroup.whichGroups()), [])
    }).pipe(Effect.scoped)
  )

  it.effect("the end of a scope process takes its members out, with leave notices; it is a stranger again", () =>
    Effect.gen(function* () {
      const { a, p } = yield* acquainted
      yield* p.scope(1).sync({ g: [x, x] })
      const { heard } = yield* a.run(listener())
      yield* p.scope(1).down
      yield* p.scope(1).join("g", x)
      assert.deepStrictEqual(heard, ["leave g: x@p x@p"])
      assert.deepStrictEqual(yield* a.run(ProcessGroup.whichGroups()), [])
    }).pipe(Effect.scoped)
  )

  it.effect("a quick restart does not bring old members back: the new incarnation takes the old one's place", () =>
    Effect.gen(function* () {
      const { a, p } = yield* acquainted
      yield* p.scope(1).sync({ g: [x] })
      const { heard } = yield* a.run(listener())
      yield* p.scope(2).discover
      assert.deepStrictEqual(heard, ["leave g: x@p"])
      assert.deepStrictEqual(yield* a.run(ProcessGroup.whichGroups()), [])
      yield* p.scope(1).join("g", x)
      assert.deepStrictEqual(yield* a.run(ProcessGroup.whichGroups()), [])
      yield* p.scope(2).sync({ g: [y] })
      yield* p.scope(1).down
      yield* p.scope(1).leave(["g"], y)
      assert.deepStrictEqual(yield* a.run(tableOf), [["g", ["y@p"]]])
    }).pipe(Effect.scoped)
  )

  it.effect("a lost connection takes the members out, whoever spoke for the node", () =>
    Effect.gen(function* () {
      const { a, network, p } = yield* acquainted
      yield* p.scope(7).sync({ g: [x] })
      yield* network.cut("a", "p")
      yield* settle
      assert.deepStrictEqual(yield* a.run(ProcessGroup.whichGroups()), [])
      yield* network.heal("a", "p")
      yield* p.scope(7).join("g", x)
      assert.deepStrictEqual(yield* a.run(ProcessGroup.whichGroups()), [])
    }).pipe(Effect.scoped)
  )

  for (const [how, reason] of [
    ["is killed", { _tag: "Killed" }],
    ["is shut down", { _tag: "Shutdown" }]
  ] as const) {
    it.effect(`a scope that ${how} says so, and its successor presents itself`, () =>
      Effect.gen(function* () {
        const { a, p } = yield* acquainted
        yield* a.run(quiet(Effect.flatMap(scopeProcess(), pid => Process.exit(pid, reason))))
        assert.sameMembers([...(yield* p.news)], ["down", "discover"])
      }).pipe(Effect.scoped)
    )
  }

  it.effect("messages that do not fit the mailbox are made up for by exchanging everything", () =>
    Effect.gen(function* () {
      const network = yield* Transport.makeNetwork()
      const a = yield* makeNode(network, "a")
      yield* a.run(ProcessGroup.start({ mailboxCapacity: 3 }))
      const p = yield* byHand(network)
      yield* p.scope(1).sync({ g: [x] })
      yield* p.news
      const from = new Transport.RemotePid({ node: "p", creation: "1", id: 1, label: "<1 pg>" })
      for (let i = 0; i < 5; i++) p.send("a", "pg", new Transport.Join({ from, group: "g", members: [y] }))
      const asked = yield* quiet(p.news)
      assert.deepStrictEqual(asked, ["sync {}", "discover"])
      assert.deepStrictEqual(yield* a.run(membersOf("g")), ["x@p", "y@p", "y@p", "y@p"])
      yield* p.scope(1).sync({ g: [x, y, y, y, y, y] })
      assert.lengthOf(yield* a.run(ProcessGroup.getMembers("g")), 6)
    }).pipe(Effect.scoped, quiet)
  )

  it.effect("two nodes that start at the same time know each other exactly once", () =>
    Effect.gen(function* () {
      const network = yield* Transport.makeNetwork()
      const [a, b] = yield* Effect.all([makeNode(network, "a"), makeNode(network, "b")])
      yield* Effect.all([a.run(supervised), b.run(supervised)], { concurrency: "unbounded" })
      const m = yield* a.run(idle("m"))
      yield* a.run(ProcessGroup.join("g", m))
      yield* settle
      assert.deepStrictEqual(yield* b.run(membersOf("g")), ["m@a"])
    }).pipe(Effect.scoped)
  )

  it.effect("messages that find no room are made up for once, however many they are", () =>
    Effect.gen(function* () {
      const { a, p } = yield* acquainted
      yield* a.run(
        Effect.gen(function* () {
          const kernel = yield* Process.ProcessTable
          const pid = yield* scopeProcess()
          const mailbox = kernel.lookup(pid)?.mailbox
          const scope = yield* Sys.getState({ pid })
          assert(mailbox !== undefined && scope instanceof GroupScope)
          mailbox.capacity = 0
          const from = new Transport.RemotePid({ node: "p", creation: "1", id: 1, label: "<1 pg>" })
          for (let nth = 0; nth < 100; nth++) scope.receive(new Transport.Join({ from, group: "g", members: [x] }))
          assert.strictEqual(mailbox.length, 1)
        })
      )
      assert.deepStrictEqual(yield* p.news, ["sync {}", "discover"])
    }).pipe(Effect.scoped, quiet)
  )

  it.effect("a subscriber that dies is forgotten, also one that has left all its groups", () =>
    Effect.gen(function* () {
      const { a } = yield* scene
      yield* a.run(
        Effect.gen(function* () {
          const { pid } = yield* listener("g")
          yield* ProcessGroup.join("g", pid)
          yield* ProcessGroup.leave("g", pid)
          const scope = yield* Sys.getState({ pid: yield* scopeProcess() })
          assert(scope instanceof GroupScope)
          assert.strictEqual(scope.subscriptions, 1)
          yield* kill(pid)
          assert.strictEqual(scope.subscriptions, 0)
        })
      )
    }).pipe(Effect.scoped)
  )
})
