import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as CommitSignal from "../src/CommitSignal.js"
import { settle } from "./helpers/processes.js"

type Told = (signal: CommitSignal.CommitSignal) => void

const isHoped = () => false

/** For which of the indexes 1 to 5 somebody still waits, who came after the one was told and before the other. */
const waiting = (before: Told, after: Told) =>
  Effect.gen(function* () {
    const signal = CommitSignal.make()
    before(signal)
    const left = new Set([1, 2, 3, 4, 5])
    for (const index of [...left]) {
      yield* Effect.fork(Effect.andThen(signal.awaitIndex(index, isHoped), () => left.delete(index)))
    }
    yield* settle
    after(signal)
    yield* settle
    return [...left]
  })

const nothing: Told = () => {}

describe("CommitSignal", () => {
  for (const [what, before, after, left] of [
    ["nobody who waits while nothing is told", nothing, nothing, [1, 2, 3, 4, 5]],
    ["who waits for what is told, or for less", nothing, ({ notify }) => notify(3), [4, 5]],
    ["nobody for what was told before", ({ notify }) => notify(3), nothing, [1, 2, 3, 4, 5]],
    ["who waits for what is told again", ({ notify }) => notify(3), ({ notify }) => notify(2), [3, 4, 5]],
    ["all, whatever they wait for", nothing, ({ wakeAll }) => wakeAll(), []]
  ] as const satisfies ReadonlyArray<readonly [string, Told, Told, ReadonlyArray<number>]>) {
    it.effect(`wakes ${what}`, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* waiting(before, after), [...left])
      })
    )
  }

  it.effect("keeps nobody who has nothing to wait for", () =>
    Effect.gen(function* () {
      const signal = CommitSignal.make()
      yield* signal.awaitIndex(1, () => true)
    })
  )
})
