import * as RpcGroup from "@effect/rpc/RpcGroup"
import * as RpcTest from "@effect/rpc/RpcTest"
import { assert, describe, it } from "@effect/vitest"
import { ProposeRpc } from "@reckon/cluster/PeerRpcs"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { makeProposing } from "../src/internal/proposing.js"

const PeerPropose = RpcGroup.make(ProposeRpc)

const mebibyte = 1024 * 1024

/** A peer that answers what each proposal says, once it may. */
const peer = Effect.gen(function* () {
  const open = yield* Deferred.make<void>()
  const requests: Array<{ readonly group: string; readonly payloads: ReadonlyArray<Uint8Array> }> = []
  const handlers = PeerPropose.toLayer({
    PeerPropose: ({ group, payloads }) => {
      requests.push({ group, payloads })
      return Effect.as(
        Deferred.await(open),
        payloads.filter(([first]) => first !== 255).map(payload => Either.right(payload))
      )
    }
  })
  const client = yield* Effect.provide(RpcTest.makeClient(PeerPropose), handlers)
  const { propose } = yield* makeProposing("n2", client, () => ({ from: "n1" }))
  return { requests, propose, answer: Deferred.succeed(open, undefined) }
})

const turns = Effect.repeatN(Effect.yieldNow(), 200)

const failure = <A, E extends { readonly _tag: string }>(effect: Effect.Effect<A, E>) =>
  Effect.map(Effect.flip(effect), ({ _tag }) => _tag)

describe("proposals on their way to a peer", () => {
  it.scoped("share a request with those of their group that come at the same time, and get each its own answer", () =>
    Effect.gen(function* () {
      const { answer, propose, requests } = yield* peer
      const asking = yield* Effect.forEach([1, 2, 3], n => Effect.fork(propose(n === 3 ? "h" : "g", Uint8Array.of(n))))
      yield* turns
      assert.deepStrictEqual(
        requests.map(({ group, payloads }) => [group, ...payloads.map(([n]) => n)]),
        [
          ["g", 1, 2],
          ["h", 3]
        ]
      )
      yield* answer
      assert.deepStrictEqual(yield* Effect.forEach(asking, Fiber.join), [
        Uint8Array.of(1),
        Uint8Array.of(2),
        Uint8Array.of(3)
      ])
    })
  )

  it.scoped("are so many to a request, or so many bytes", () =>
    Effect.gen(function* () {
      const { propose, requests } = yield* peer
      for (let n = 0; n < 1_025; n++) yield* Effect.fork(propose("g", Uint8Array.of(0)))
      yield* turns
      assert.deepStrictEqual(
        requests.map(({ payloads }) => payloads.length),
        [1_024, 1]
      )
      for (const bytes of [4, 4, 1, 9, 1]) yield* Effect.fork(propose("g", new Uint8Array(bytes * mebibyte)))
      yield* turns
      assert.deepStrictEqual(
        requests.slice(2).map(({ payloads }) => payloads.map(({ length }) => length / mebibyte)),
        [[4, 4], [1], [9], [1]]
      )
    })
  )

  it.scoped("wait behind eight requests; where too many do, one more surely had no effect", () =>
    Effect.gen(function* () {
      const { answer, propose, requests } = yield* peer
      const ask = propose("g", Uint8Array.of(7))
      const first = yield* Effect.replicateEffect(Effect.fork(ask), 8 * 1_024)
      yield* turns
      assert.strictEqual(requests.length, 8)
      const underWay = requests.reduce((sum, { payloads }) => sum + payloads.length, 0)
      const others = yield* Effect.replicateEffect(Effect.fork(ask), 16_384 - (first.length - underWay))
      yield* turns
      assert.strictEqual(requests.length, 8)
      assert.strictEqual(yield* failure(ask), "Overloaded")
      yield* answer
      for (const fiber of [...first, ...others]) assert.deepStrictEqual(yield* Fiber.join(fiber), Uint8Array.of(7))
      assert.deepStrictEqual(yield* ask, Uint8Array.of(7))
    })
  )

  it.scoped("wait behind eight requests also where those of many groups come at the same time", () =>
    Effect.gen(function* () {
      const { answer, propose, requests } = yield* peer
      const groups = Array.from({ length: 12 }, (_, nth) => `g${nth}`)
      const asking = yield* Effect.forEach(groups, group => Effect.fork(propose(group, Uint8Array.of(1))))
      yield* turns
      assert.deepStrictEqual(
        requests.map(({ group }) => group),
        groups.slice(0, 8)
      )
      yield* answer
      yield* Effect.forEach(asking, Fiber.join)
      assert.deepStrictEqual(
        requests.map(({ group }) => group),
        groups
      )
    })
  )

  it.scoped("wait with so many bytes", () =>
    Effect.gen(function* () {
      const { propose, requests } = yield* peer
      // The same bytes again and again.
      const ask = propose("g", new Uint8Array(8 * mebibyte))
      yield* Effect.replicateEffect(Effect.fork(ask), 8)
      yield* turns
      assert.strictEqual(requests.length, 8)
      yield* Effect.replicateEffect(Effect.fork(ask), 8)
      yield* turns
      assert.strictEqual(yield* failure(propose("g", Uint8Array.of(1))), "Overloaded")
    })
  )

  it.scoped("have an unknown outcome where the answer does not come in time, or leaves them out", () =>
    Effect.gen(function* () {
      const { answer, propose } = yield* peer
      const late = yield* Effect.fork(failure(propose("g", Uint8Array.of(1))))
      yield* turns
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(yield* Fiber.join(late), "ProposalUnknown")
      yield* answer
      assert.strictEqual(yield* failure(propose("g", Uint8Array.of(255))), "ProposalUnknown")
    })
  )

  it.effect("that wait when the way is given up surely had no effect; of those under way nobody knows", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { propose } = yield* Scope.extend(peer, scope)
      const underWay = yield* Effect.replicateEffect(
        Effect.fork(failure(propose("g", new Uint8Array(8 * mebibyte)))),
        8
      )
      yield* turns
      const waiting = yield* Effect.fork(failure(propose("g", Uint8Array.of(1))))
      yield* turns
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(yield* Fiber.join(waiting), "NotLeader")
      for (const fiber of underWay) assert.strictEqual(yield* Fiber.join(fiber), "ProposalUnknown")
    })
  )
})
