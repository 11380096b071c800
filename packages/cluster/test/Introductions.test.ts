import { assert, describe, it } from "@effect/vitest"
import * as Introductions from "@reckon/cluster/Introductions"
import * as Members from "@reckon/cluster/Members"
import * as Receivers from "@reckon/cluster/Receivers"
import type { Standing } from "@reckon/raft/Membership"
import type { Receiver } from "@reckon/raft/RaftTransport"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import { introducing } from "../src/internal/introducing.js"

const member = (name: string, port: number): Members.Member => ({ name, address: { host: "127.0.0.1", port } })
const [n1, n2, n3] = [member("n1", 1), member("n2", 2), member("n3", 3)]

/** A group in which everybody is a stranger who is not named. */
const group = (standings: Record<string, Standing>): Receiver => ({
  claim: () => ({}),
  standingOf: name => standings[name] ?? "stranger",
  admits: () => Effect.succeed(true),
  receive: () => undefined,
  proposeAll: () => Effect.never,
  readIndex: Effect.never,
  changeMembership: () => Effect.never,
  transferLeadership: () => Effect.never,
  takeSnapshot: () => Effect.never
})

/** On "n1", which was told of "n2" and has these groups. */
const onNode = <A, E>(
  groups: ReadonlyArray<Record<string, Standing>>,
  test: (node: Introductions.Introductions["Type"], members: Members.Members["Type"]) => Effect.Effect<A, E>
) =>
  Effect.gen(function* () {
    return yield* test(yield* Introductions.Introductions, yield* Members.Members)
  }).pipe(
    Effect.provide(
      Introductions.layer.pipe(
        Layer.provideMerge(Members.layer(n1, [n2])),
        Layer.provide(
          Layer.succeed(
            Receivers.Receivers,
            new Map(groups.map((standings, at) => [`group ${at}`, group(standings)] as const))
          )
        )
      )
    )
  )

describe("a node that introduces itself", () => {
  it.effect("waits where it is in no group, and hears who else there is", () =>
    onNode([{ n1: "member", n2: "member" }], (node, members) =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* node.take(n3), { isKnown: false, members: [n1, n2] })
        assert.deepStrictEqual(yield* node.waiting, [n3])
        assert.isFalse(members.known().has("n3"))
      })
    )
  )

  it.effect("is known where it is in one of the groups, and others are told of it", () =>
    onNode([{ n1: "member" }, { n1: "member", n3: "member" }], (node, members) =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* node.take(n3), { isKnown: true, members: [n1, n2, n3] })
        assert.deepStrictEqual(yield* node.waiting, [])
        assert.deepStrictEqual(members.known().get("n3"), n3)
      })
    )
  )

  it.effect("is found at its new address when it has moved, unless its address was named", () =>
    onNode([{ n2: "member", n3: "member" }], (node, members) =>
      Effect.gen(function* () {
        for (const moved of [n3, member("n3", 9), member("n2", 9)]) yield* node.take(moved)
        assert.deepStrictEqual([...members.known().values()], [n2, member("n3", 9)])
      })
    )
  )

  it.effect("does not wait where it was removed, for it is never taken again; it is known, to hear so", () =>
    onNode([{ n3: "removed" }, { n3: "removed", n4: "stranger" }], (node, members) =>
      Effect.gen(function* () {
        yield* node.take(n3)
        yield* node.take(member("n4", 4))
        assert.deepStrictEqual(yield* node.waiting, [member("n4", 4)])
        assert.deepStrictEqual([...members.known().keys()], ["n2", "n3"])
        assert.deepStrictEqual((yield* node.take(member("n4", 4))).members, [n1, n2])
      })
    )
  )

  it.effect("does not wait any more once it is silent, and no more than 64 wait at once", () =>
    onNode([], node =>
      Effect.gen(function* () {
        yield* node.take(n3)
        yield* TestClock.adjust("14 seconds")
        assert.lengthOf(yield* node.waiting, 1)
        yield* TestClock.adjust("2 seconds")
        assert.lengthOf(yield* node.waiting, 0)
        for (let at = 0; at < 100; at++) yield* node.take(member(`m${at}`, 10 + at))
        assert.lengthOf(yield* node.waiting, 64)
      })
    )
  )

  it.effect("is not told of an address that stands for all of a machine's", () =>
    Effect.gen(function* () {
      const { take } = yield* Introductions.Introductions
      assert.deepStrictEqual((yield* take(n3)).members, [])
    }).pipe(
      Effect.provide(
        Introductions.layer.pipe(
          Layer.provide(
            Layer.sync(Members.Members, () =>
              Members.unsafeMake({ name: "n1", address: { host: "0.0.0.0", port: 1 } }, [])
            )
          ),
          Layer.provide(Receivers.layer)
        )
      )
    )
  )
})

describe("a node that hears of others", () => {
  it.effect("takes in those that it does not know; where the others are now, they say themselves", () =>
    Effect.gen(function* () {
      const members = Members.unsafeMake(n1, [n2])
      const told: Array<Members.Member> = []
      let hears = [n1, member("n2", 9), n3]
      const tell = (self: Members.Member) =>
        Effect.sync(() => {
          told.push(self)
          return { isKnown: true, members: hears }
        })
      yield* Effect.fork(introducing(members, "n2", tell))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(told, [n1])
      assert.deepStrictEqual([...members.known().values()], [n2, n3])
      hears = [member("n3", 9)]
      yield* TestClock.adjust("10 seconds")
      assert.lengthOf(told, 3)
      assert.deepStrictEqual([...members.known().values()], [n2, n3])
    })
  )

  it.effect("knows who looks for it where it is not, as long as they do", () =>
    Effect.gen(function* () {
      const members = Members.unsafeMake(n1, [n2, n3])
      const places: Record<string, ReadonlyArray<Members.Member>> = { n2: [n2, n1, n3], n3: [n2, n3] }
      for (const peer of ["n2", "n3"]) {
        const tell = () => Effect.sync(() => ({ isKnown: true, members: places[peer] ?? [] }))
        yield* Effect.fork(introducing(members, peer, tell))
      }
      yield* TestClock.adjust("1 second")
      assert.isUndefined(members.misplaced())
      places.n2 = [n2, member("n1", 8), n3]
      places.n3 = [n2, member("n1", 9), n3]
      yield* TestClock.adjust("5 seconds")
      assert.match(
        members.misplaced() ?? "",
        /^n1 is at 127\.0\.0\.1:1, but n2 looks for it at 127\.0\.0\.1:8, n3 looks for it at 127\.0\.0\.1:9\. /
      )
      places.n2 = [n2, n1, n3]
      yield* TestClock.adjust("5 seconds")
      assert.match(members.misplaced() ?? "", /, but n3 looks for it at 127\.0\.0\.1:9\. /)
      places.n3 = [n2, n1, n3]
      yield* TestClock.adjust("5 seconds")
      assert.isUndefined(members.misplaced())
    })
  )

  it.effect("asks again, and sooner, where it is not known there or is not answered", () =>
    Effect.gen(function* () {
      let asked = 0
      const answers = [Effect.fail("down"), Effect.die("unknown"), Effect.succeed({ isKnown: false, members: [] })]
      const tell = () => Effect.flatten(Effect.sync(() => answers[asked++ % answers.length] ?? Effect.never))
      yield* Effect.fork(introducing(Members.unsafeMake(n1, []), "n2", tell))
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(asked, 6)
    })
  )
})
