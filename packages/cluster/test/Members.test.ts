import { assert, describe, it } from "@effect/vitest"
import * as Members from "@reckon/cluster/Members"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"

const member = (name: string, port: number, host = "127.0.0.1"): Members.Member => ({ name, address: { host, port } })

const refusal = (self: Members.Member, ...peers: ReadonlyArray<Members.Member>) =>
  Effect.map(Effect.flip(Members.make(self, peers)), error => error.message)

describe("the members of a cluster", () => {
  it.effect("may be the same list on each of them, itself included", () =>
    Effect.gen(function* () {
      const list = [member("n1", 1), member("n2", 2)]
      for (const self of list) {
        const { names, peers } = yield* Members.make(self, list)
        assert.deepStrictEqual(names, ["n1", "n2"])
        assert.deepStrictEqual(
          peers,
          list.filter(other => other !== self)
        )
      }
    })
  )

  it.effect("have one address each: not this one's name at another", () =>
    Effect.gen(function* () {
      assert.include(yield* refusal(member("n1", 1), member("n1", 2)), "the name n1")
      assert.include(yield* refusal(member("n1", 1), member("n2", 1)), "the address 127.0.0.1:1")
    })
  )

  it.effect("have names that can be stored, sent and shown", () =>
    Effect.gen(function* () {
      for (const name of ["", "n\n1", "\u0000", "n".repeat(256)]) {
        assert.include(yield* refusal(member(name, 1)), "is no name of a node")
        assert.include(yield* refusal(member("n1", 1), member(name, 2)), "is no name of a node")
      }
      for (const name of ["n", "a b", "ünï", "n".repeat(255)]) yield* Members.make(member(name, 1), [])
    })
  )

  it.effect("are on this machine, unless they have a secret", () =>
    Effect.gen(function* () {
      assert.include(yield* refusal(member("n1", 1), member("n2", 1, "10.0.0.1")), "n2 is at 10.0.0.1:1")
      assert.include(yield* refusal(member("n1", 1, "0.0.0.0")), "n1 is at 0.0.0.0:1")
      assert.include(yield* refusal(member("n1", 1, "127.999.1.1")), "n1 is at 127.999.1.1:1")
      yield* Members.make(member("n1", 1, "127.9.1.1"), [member("n2", 1, "localhost")])
      const secret = Redacted.make("known to a few of us")
      const { peers } = yield* Members.make(member("n1", 1, "0.0.0.0"), [member("n2", 1, "10.0.0.1")], secret)
      assert.deepStrictEqual(peers, [member("n2", 1, "10.0.0.1")])
    })
  )

  it.effect(
    "are also those that are learned of: told once, at each address, and never in the place of one that was named",
    () =>
      Effect.gen(function* () {
        const members = yield* Members.make(member("n1", 1), [member("n2", 2)])
        const told: Array<Members.Member | undefined> = []
        members.onChange(name => told.push(members.known().get(name)))
        const [there, elsewhere] = [member("n3", 3), member("n3", 4)]
        for (const learned of [there, there, elsewhere, member("n2", 9), member("n1", 9)]) members.learn(learned)
        assert.deepStrictEqual(told, [there, elsewhere])
        assert.deepStrictEqual([...members.known().values()], [member("n2", 2), elsewhere])
        assert.deepStrictEqual(members.names, ["n1", "n2"])
        for (const name of ["n3", "n3", "n2"]) members.forget(name)
        assert.deepStrictEqual(told, [there, elsewhere, undefined])
        assert.deepStrictEqual([...members.known().values()], [member("n2", 2)])
      })
  )

  it.effect("are not learned of at an address that others can reach, unless there is a secret, nor without bound", () =>
    Effect.gen(function* () {
      const far = member("n3", 3, "10.0.0.3")
      const open = yield* Members.make(member("n1", 1), [])
      open.learn(far)
      assert.strictEqual(open.known().size, 0)
      for (let at = 0; at < 2000; at++) open.learn(member(`m${at}`, 1 + at))
      assert.strictEqual(open.known().size, 1024)
      const secured = yield* Members.make(member("n1", 1), [], Redacted.make("a secret that is long"))
      secured.learn(far)
      assert.deepStrictEqual([...secured.known().values()], [far])
    })
  )
})
