/** What a member has handed on to its leader, which falls silent and is replaced. */
import { assert, describe, it } from "@effect/vitest"
import { ProposalRefused, ProposalUnknown } from "@reckon/raft/RaftError"
import * as RaftTransport from "@reckon/raft/RaftTransport"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import {
  decode,
  eventually,
  leaderOf,
  type Member,
  makeMachine,
  makeMember,
  propose,
  whileTimePasses
} from "./helpers/group.js"
import { processes } from "./helpers/processes.js"

const names = ["a", "b", "c"]

/** A follower has asked its leader, which took the request and keeps the answer to itself until it is woken, as one does that is stopped for a while. */
const asking = <A, E>(ask: (follower: Member) => Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const network = yield* RaftTransport.makeNetwork
    const asked = yield* Deferred.make<void>()
    const awake = yield* Deferred.make<void>()
    let silent: string | undefined
    const through = <B, E2>(to: string, request: Effect.Effect<B, E2>) =>
      Effect.suspend(() =>
        to !== silent
          ? request
          : Effect.zipLeft(request, Effect.zipRight(Deferred.succeed(asked, undefined), Deferred.await(awake)))
      )
    const slow: RaftTransport.Network = {
      ...network,
      transport: self => {
        const transport = network.transport(self)
        return {
          ...transport,
          propose: (group, to, payload) => through(to, transport.propose(group, to, payload)),
          readIndex: (group, to) => through(to, transport.readIndex(group, to))
        }
      }
    }
    const members = yield* Effect.forEach(names, self => makeMember(slow, self, names))
    yield* Effect.forEach(members, ({ start }) => start)
    const leader = yield* leaderOf(members)
    const follower = members.find(member => member !== leader)
    assert(follower !== undefined)
    yield* whileTimePasses(propose(follower, "before"))

    silent = leader.self
    const request = yield* Effect.fork(ask(follower))
    yield* whileTimePasses(Deferred.await(asked))
    return {
      follower,
      wake: Deferred.succeed(awake, undefined),
      /** Cuts the leader off, until the follower knows another one. */
      replace: Effect.gen(function* () {
        for (const { self } of members) {
          yield* network.cut(self, leader.self)
          yield* network.cut(leader.self, self)
        }
        const follows = Effect.map(follower.status, status => status.leader)
        yield* eventually(Effect.map(follows, next => next !== null && next !== leader.self))
      }),
      /** What came of the request within a second, if anything did. */
      outcome: Effect.map(
        Effect.zipRight(whileTimePasses(Effect.sleep("1 second")), Fiber.poll(request)),
        Option.getOrUndefined
      )
    }
  })

describe("a leader that is replaced while it owes an answer", () => {
  it.scoped("holds no read up: it is made at the next one", () =>
    Effect.gen(function* () {
      const { outcome, replace } = yield* asking(follower => follower.client.readBarrier)
      yield* replace
      const ended = yield* outcome
      assert(ended !== undefined && Exit.isSuccess(ended))
    }).pipe(Effect.provide(processes))
  )

  it.scoped("leaves it open what became of a proposal, and does not hold up who waits to hear that", () =>
    Effect.gen(function* () {
      const { follower, outcome, replace } = yield* asking(follower => Effect.flip(propose(follower, "handed on")))
      yield* replace
      const ended = yield* outcome
      assert(ended !== undefined && Exit.isSuccess(ended))
      assert.instanceOf(ended.value, ProposalUnknown)
      assert.strictEqual(yield* whileTimePasses(propose(follower, "after")), `${follower.applied.length}`)
    }).pipe(Effect.provide(processes))
  )

  it.scoped("may still answer for a moment, for it hears of its successor as well", () =>
    Effect.gen(function* () {
      const { outcome, replace, wake } = yield* asking(follower => propose(follower, "handed on"))
      yield* replace
      yield* wake
      const ended = yield* outcome
      assert(ended !== undefined && Exit.isSuccess(ended))
      assert.strictEqual(ended.value, "2")
    }).pipe(Effect.provide(processes))
  )

  it.scoped("is waited for as long as nobody else leads", () =>
    Effect.gen(function* () {
      const { outcome, wake } = yield* asking(follower => follower.client.readBarrier)
      assert.isUndefined(yield* outcome)
      yield* wake
      const ended = yield* outcome
      assert(ended !== undefined && Exit.isSuccess(ended))
    }).pipe(Effect.provide(processes))
  )
})

describe("what a member hands on", () => {
  it.scoped("is refused by a leader that could not apply it, each by itself, and nothing else is", () =>
    Effect.gen(function* () {
      const network = yield* RaftTransport.makeNetwork
      const members = yield* Effect.forEach(names, self =>
        makeMember(network, self, names, {
          state: makeMachine(command => (decode(command) === "of tomorrow" ? "of another release" : undefined))
        })
      )
      yield* Effect.forEach(members, ({ start }) => start)
      const leader = yield* leaderOf(members)
      const follower = members.find(member => member !== leader)
      assert(follower !== undefined)
      const proposed = Effect.forEach(["a", "of tomorrow", "b"], text => Effect.either(propose(follower, text)), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(yield* whileTimePasses(proposed), [
        Either.right("1"),
        Either.left(new ProposalRefused({ detail: "of another release" })),
        Either.right("2")
      ])
      assert.deepStrictEqual(leader.applied, ["a", "b"])
    }).pipe(Effect.provide(processes))
  )
})
