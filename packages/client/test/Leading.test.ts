import { assert, describe, it } from "@effect/vitest"
import type * as StoreRpcs from "@reckon/client/StoreRpcs"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as TestClock from "effect/TestClock"
import * as Leading from "../src/internal/leading.js"

type Status = Pick<StoreRpcs.NodeStatus, "role" | "term">

const leader = (term: number): Status => ({ role: "leader", term })
const follower = (term: number): Status => ({ role: "follower", term })

/** A client of nodes that say of themselves what the test says. */
const makeClient = (statuses: Array<Status | null>) =>
  Effect.gen(function* () {
    const run = yield* FiberSet.makeRuntime<never>()
    const asked: Array<number> = []
    const hooks = { onAsked: (_index: number) => {} }
    let preferred = 0
    const leading = Leading.make({
      count: statuses.length,
      preferred: () => preferred,
      prefer: index => {
        preferred = index
      },
      status: index =>
        Effect.zipRight(
          Effect.yieldNow(),
          Effect.sync(() => {
            asked.push(index)
            hooks.onAsked(index)
            return statuses[index] ?? null
          })
        ),
      clock: yield* Effect.clock,
      run
    })
    const serve = Effect.zipRight(Effect.sync(leading.served), Effect.repeatN(Effect.yieldNow(), 20))
    return { serve, asked, hooks, preferred: () => preferred, avoid: () => (preferred = 1) }
  })

describe("a client of several nodes", () => {
  it.scoped("goes to the one that leads once it was served by another", () =>
    Effect.gen(function* () {
      const client = yield* makeClient([follower(3), follower(3), leader(3)])
      assert.deepStrictEqual(client.asked, [])
      yield* client.serve
      assert.strictEqual(client.preferred(), 2)
    })
  )

  it.scoped("asks nobody else where the one that serves leads", () =>
    Effect.gen(function* () {
      const client = yield* makeClient([leader(3), follower(3)])
      yield* client.serve
      assert.deepStrictEqual(client.asked, [0])
      assert.strictEqual(client.preferred(), 0)
    })
  )

  it.scoped("looks again when it is served three seconds later, and not before", () =>
    Effect.gen(function* () {
      const statuses = [leader(3), follower(3)]
      const client = yield* makeClient(statuses)
      yield* client.serve
      statuses[0] = follower(4)
      statuses[1] = leader(4)
      yield* TestClock.adjust("2999 millis")
      yield* client.serve
      assert.strictEqual(client.preferred(), 0)
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(client.asked, [0])
      yield* client.serve
      assert.strictEqual(client.preferred(), 1)
    })
  )

  it.scoped("does not follow one that leads in a term which is over", () =>
    Effect.gen(function* () {
      const client = yield* makeClient([follower(4), leader(3)])
      yield* client.serve
      assert.strictEqual(client.preferred(), 0)
    })
  )

  it.scoped("stays where it is while nobody leads or nobody says so", () =>
    Effect.gen(function* () {
      for (const statuses of [
        [follower(4), follower(4)],
        [follower(4), null],
        [null, leader(4)]
      ]) {
        const client = yield* makeClient(statuses)
        yield* client.serve
        assert.strictEqual(client.preferred(), 0)
      }
    })
  )

  it.scoped("does not go back on what a failure has taught it meanwhile", () =>
    Effect.gen(function* () {
      const client = yield* makeClient([follower(3), follower(3), leader(3)])
      client.hooks.onAsked = index => {
        if (index === 1) client.avoid()
      }
      yield* client.serve
      assert.strictEqual(client.preferred(), 1)
    })
  )

  it.scoped("looks once at a time", () =>
    Effect.gen(function* () {
      const client = yield* makeClient([follower(3), follower(3)])
      yield* Effect.all([client.serve, client.serve, client.serve], { concurrency: "unbounded" })
      assert.deepStrictEqual(client.asked, [0, 1])
    })
  )

  it.scoped("looks for nothing where there is one node", () =>
    Effect.gen(function* () {
      const client = yield* makeClient([follower(3)])
      yield* client.serve
      assert.deepStrictEqual(client.asked, [])
    })
  )
})
