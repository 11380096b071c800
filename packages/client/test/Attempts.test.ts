import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import * as Attempts from "../src/internal/attempts.js"
import { Lost } from "../src/internal/lost.js"
import type { Peers } from "../src/internal/peers.js"

/** One peer that refuses the first attempts, and is silent from then on. */
const refusingPeer = (refusals: number): { readonly peers: Peers; readonly asked: () => number } => {
  let asked = 0
  const loss = (detail: string, silent: boolean) =>
    new Lost({ endpoint: "n1", detail, sent: false, defect: false, silent })
  return {
    asked: () => asked,
    peers: {
      names: ["n1"],
      preferred: () => 0,
      avoid: () => {},
      ask: (_, __, timeoutMillis) =>
        asked++ < refusals
          ? Effect.fail(loss("n1: connect ECONNREFUSED", false))
          : Effect.zipRight(Effect.sleep(timeoutMillis), Effect.fail(loss("n1 gave no answer", true))),
      follow: () => Effect.die("not asked for")
    }
  }
}

const endOf = (peers: Peers) =>
  Effect.gen(function* () {
    const attempts = Attempts.make({ peers, timeoutMillis: 1_000, attemptTimeoutMillis: 500 })
    const fiber = yield* Effect.fork(Effect.flip(attempts.now(() => Effect.never, "read")))
    yield* TestClock.adjust("1 second")
    return yield* Fiber.join(fiber)
  })

describe("when the time is up", () => {
  it.effect("what a node refused is told, and not that the last attempt was cut short", () =>
    Effect.gen(function* () {
      const { asked, peers } = refusingPeer(3)
      assert.deepInclude(yield* endOf(peers), { _tag: "Unreachable", detail: "n1: connect ECONNREFUSED" })
      assert.isAbove(asked(), 3)
    })
  )

  it.effect("a node that was silent all the time is told to have been", () =>
    Effect.gen(function* () {
      assert.deepInclude(yield* endOf(refusingPeer(0).peers), { _tag: "Unreachable", detail: "n1 gave no answer" })
    })
  )
})
