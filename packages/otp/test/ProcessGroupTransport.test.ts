import { assert, describe, it } from "@effect/vitest"
import { Effect, Equal, Exit, Layer, Schema, Scope } from "effect"
import * as Transport from "../src/ProcessGroupTransport.js"
import { settle } from "./helpers/groups.js"

const from = new Transport.RemotePid({ node: "a", creation: "1", id: 1, label: "<1 pg>" })
const member = new Transport.RemotePid({ node: "a", creation: "1", id: 2, label: "<2 m>" })
const join = (group: string) => new Transport.Join({ from, group, members: [member] })

/** A node whose scope "pg" writes down what it hears. */
const makeNode = (network: Transport.Network, name: string) =>
  Effect.gen(function* () {
    const scope = yield* Effect.acquireRelease(Scope.make(), scope => Scope.close(scope, Exit.void))
    const context = yield* Layer.buildWithScope(network.layer(name), scope)
    const transport = yield* Effect.provide(Transport.ProcessGroupTransport, context)
    const heard: Array<string> = []
    const hear = (heard: Array<string>) => (notice: Transport.Notice) => {
      if (notice._tag === "NodeUp" || notice._tag === "NodeDown") heard.push(`${notice._tag} ${notice.node}`)
      else heard.push(notice._tag === "Join" ? notice.group : notice._tag)
    }
    yield* transport.listen("pg", hear(heard))
    return { ...transport, hear, heard, stop: Scope.close(scope, Exit.void) }
  })

const pair = (options?: { readonly inboxLimit?: number }) =>
  Effect.gen(function* () {
    const network = yield* Transport.makeNetwork(options)
    const a = yield* makeNode(network, "a")
    const b = yield* makeNode(network, "b")
    yield* settle
    return { a, b, network }
  })

describe("ProcessGroupTransport", () => {
  describe("messages", () => {
    const messages: ReadonlyArray<Transport.Message> = [
      new Transport.Discover({ from }),
      new Transport.Sync({
        from,
        groups: new Map([
          ["__proto__", [member, member]],
          ["", [member]]
        ])
      }),
      new Transport.Join({ from, group: "g", members: [member, member] }),
      new Transport.Leave({ from, groups: ["g", "g"], members: [member] }),
      new Transport.ScopeDown({ from })
    ]
    for (const message of messages) {
      it.effect(`${message._tag} goes through JSON unchanged`, () =>
        Effect.gen(function* () {
          const wire = Schema.parseJson(Transport.Message)
          const carried = yield* Schema.decode(wire)(yield* Schema.encode(wire)(message))
          assert.strictEqual(carried._tag, message._tag)
          assert.isTrue(Equal.equals(carried.from, message.from))
          assert.deepStrictEqual({ ...carried }, { ...message })
        })
      )
    }

    it.effect("fields that are not known are ignored; tags that are not known are refused", () =>
      Effect.gen(function* () {
        const decode = Schema.decodeUnknown(Transport.Message)
        const carried = yield* decode({ _tag: "Discover", from: { ...from, zone: 1 }, version: 2 })
        assert.deepStrictEqual({ ...carried }, { ...new Transport.Discover({ from }) })
        assert.strictEqual((yield* Effect.flip(decode({ _tag: "Gossip", from: { ...from } })))._tag, "ParseError")
      })
    )

    it.effect("remote pids are equal if all their fields are", () =>
      Effect.sync(() => {
        assert.isTrue(Equal.equals(member, new Transport.RemotePid({ ...member })))
        for (const other of [{ node: "b" }, { creation: "2" }, { id: 3 }]) {
          assert.isFalse(Equal.equals(member, new Transport.RemotePid({ ...member, ...other })))
        }
      })
    )
  })

  describe("the network in memory", () => {
    it.effect("both ends of a connection hear of it before anything comes over it, then all in order", () =>
      Effect.gen(function* () {
        const { a, b } = yield* pair()
        for (const group of ["1", "2", "3"]) a.send("b", "pg", join(group))
        b.send("a", "pg", join("4"))
        yield* settle
        assert.deepStrictEqual(b.heard, ["NodeUp a", "1", "2", "3"])
        assert.deepStrictEqual(a.heard, ["NodeUp b", "4"])
      }).pipe(Effect.scoped)
    )

    it.effect("who listens later hears first of the connections there are, and only of its own scope", () =>
      Effect.gen(function* () {
        const { a, b } = yield* pair()
        const heard: Array<string> = []
        a.send("b", "own", join("early"))
        yield* settle
        yield* b.listen("own", b.hear(heard))
        a.send("b", "own", join("1"))
        a.send("b", "pg", join("2"))
        yield* settle
        assert.deepStrictEqual(heard, ["NodeUp a", "1"])
        assert.deepStrictEqual(b.heard, ["NodeUp a", "2"])
      }).pipe(Effect.scoped)
    )

    it.effect("a second listener takes the first one's place, also when the first goes after that", () =>
      Effect.gen(function* () {
        const { a, b } = yield* pair()
        const [first, second]: [Array<string>, Array<string>] = [[], []]
        const scope = yield* Scope.make()
        yield* Scope.extend(b.listen("own", b.hear(first)), scope)
        yield* b.listen("own", b.hear(second))
        yield* Scope.close(scope, Exit.void)
        a.send("b", "own", join("1"))
        yield* settle
        assert.deepStrictEqual(first, ["NodeUp a"])
        assert.deepStrictEqual(second, ["NodeUp a", "1"])
      }).pipe(Effect.scoped)
    )

    it.effect("a cut loses what is under way and is told to both ends; nothing passes until it is healed", () =>
      Effect.gen(function* () {
        const { a, b, network } = yield* pair()
        a.send("b", "pg", join("lost"))
        yield* network.cut("a", "b")
        yield* network.cut("b", "a")
        a.send("b", "pg", join("lost too"))
        yield* settle
        yield* network.heal("a", "b")
        yield* network.heal("a", "b")
        a.send("b", "pg", join("1"))
        yield* settle
        assert.deepStrictEqual(b.heard, ["NodeUp a", "NodeDown a", "NodeUp a", "1"])
        assert.deepStrictEqual(a.heard, ["NodeUp b", "NodeDown b", "NodeUp b"])
      }).pipe(Effect.scoped)
    )

    it.effect("nodes that are cut off before they are up do not meet", () =>
      Effect.gen(function* () {
        const network = yield* Transport.makeNetwork()
        yield* network.cut("a", "b")
        const a = yield* makeNode(network, "a")
        const b = yield* makeNode(network, "b")
        yield* settle
        assert.deepStrictEqual([a.heard, b.heard], [[], []])
        yield* network.heal("a", "b")
        yield* settle
        assert.deepStrictEqual([a.heard, b.heard], [["NodeUp b"], ["NodeUp a"]])
      }).pipe(Effect.scoped)
    )

    it.effect("a node that goes down is down for the others, and sends no more when its successor is up", () =>
      Effect.gen(function* () {
        const { a, b, network } = yield* pair()
        yield* a.stop
        a.send("b", "pg", join("from the dead"))
        b.send("a", "pg", join("to nobody"))
        yield* settle
        assert.deepStrictEqual(b.heard, ["NodeUp a", "NodeDown a"])
        yield* makeNode(network, "a")
        yield* settle
        a.send("b", "pg", join("from the dead"))
        yield* settle
        assert.deepStrictEqual(b.heard, ["NodeUp a", "NodeDown a", "NodeUp a"])
      }).pipe(Effect.scoped)
    )

    it.effect("a node is up once at a time", () =>
      Effect.gen(function* () {
        const { network } = yield* pair()
        assert.isTrue(Exit.isFailure(yield* Effect.exit(makeNode(network, "a"))))
      }).pipe(Effect.scoped)
    )

    it.effect("too much under way to a node costs the sender its connection, and it gets a new one", () =>
      Effect.gen(function* () {
        const { a, b } = yield* pair({ inboxLimit: 3 })
        for (const group of ["1", "2", "3", "4"]) a.send("b", "pg", join(group))
        a.send("b", "pg", join("5"))
        yield* settle
        assert.deepStrictEqual(b.heard, ["NodeUp a", "NodeDown a", "NodeUp a", "5"])
        assert.deepStrictEqual(a.heard, ["NodeUp b", "NodeDown b", "NodeUp b"])
      }).pipe(Effect.scoped)
    )

    it.effect("messages arrive as copies that went through the codec, unless that is turned off", () =>
      Effect.gen(function* () {
        for (const encode of [true, false]) {
          const network = yield* Transport.makeNetwork({ encode })
          const a = yield* makeNode(network, "a")
          const b = yield* makeNode(network, "b")
          const arrived: Array<Transport.Notice> = []
          yield* b.listen("own", notice => arrived.push(notice))
          const message = join("g")
          a.send("b", "own", message)
          yield* settle
          assert.strictEqual(arrived.at(-1) === message, !encode)
          assert.deepStrictEqual(arrived.at(-1), message)
        }
      }).pipe(Effect.scoped)
    )

    it.effect("what cannot be encoded is the sender's fault, at once", () =>
      Effect.gen(function* () {
        const { a } = yield* pair()
        const broken: Transport.Join = Object.assign(Object.create(Transport.Join.prototype), {
          _tag: "Join",
          from,
          group: 1
        })
        assert.throws(() => a.send("b", "pg", broken))
      }).pipe(Effect.scoped)
    )
  })

  it.effect("layerLocal is a node that is alone", () =>
    Effect.gen(function* () {
      const transport = yield* Transport.ProcessGroupTransport
      const heard: Array<Transport.Notice> = []
      yield* transport.listen("pg", notice => heard.push(notice))
      transport.send("other", "pg", join("g"))
      assert.strictEqual(transport.node, "local")
      assert.deepStrictEqual(heard, [])
    }).pipe(Effect.scoped, Effect.provide(Transport.layerLocal))
  )
})
