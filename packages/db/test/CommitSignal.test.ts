import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as CommitSignal from "../src/CommitSignal.js"
import { settle } from "./helpers/processes.js"

type Told = (signal: CommitSignal.CommitSignal) => void

const nothing: Told = () => {}
const of =
  (...streams: ReadonlyArray<string>): Told =>
  ({ notify }) =>
    notify(() => streams)

/** Who is woken of those who follow all streams (`*`), `a` (two of them) and `b`, where the one is told before they wait and the other while they do. */
const woken = (before: Told, during: Told) =>
  Effect.gen(function* () {
    const signal = CommitSignal.make()
    const woken: Array<string> = []
    const followers = yield* Effect.forEach([null, "a", "a", "b"], streamId =>
      Effect.map(signal.follow(streamId), follower => ({ streamId, follower }))
    )
    for (const { follower } of followers) follower.begin()
    before(signal)
    for (const { follower, streamId } of followers) {
      yield* Effect.forkScoped(Effect.andThen(follower.news, () => woken.push(streamId ?? "*")))
    }
    yield* settle
    during(signal)
    yield* settle
    return woken.sort()
  })

describe("CommitSignal", () => {
  for (const [what, before, during, who] of [
    ["nobody while nothing is told", nothing, nothing, []],
    ["who follows the stream, and who follows all", nothing, of("a"), ["*", "a", "a"]],
    ["them also where it was told before they wait", of("b"), nothing, ["*", "b"]],
    ["who follows one of several", nothing, of("c", "b", "a"), ["*", "a", "a", "b"]],
    ["who follows all for what is done to no stream", nothing, of(), ["*"]],
    ["all, whatever they wait for", nothing, ({ wakeAll }) => wakeAll(), ["*", "a", "a", "b"]],
    ["all, before they wait", ({ wakeAll }) => wakeAll(), nothing, ["*", "a", "a", "b"]]
  ] as const satisfies ReadonlyArray<readonly [string, Told, Told, ReadonlyArray<string>]>) {
    it.scoped(`wakes ${what}`, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* woken(before, during), [...who])
      })
    )
  }

  it.scoped("wakes again only for what was told since", () =>
    Effect.gen(function* () {
      const signal = CommitSignal.make()
      const { begin, news } = yield* signal.follow("a")
      signal.notify(() => ["a"])
      yield* news
      begin()
      const again = yield* Effect.fork(news)
      yield* settle
      assert.isNull(again.unsafePoll())
      // Whoever stopped waiting can wait again.
      yield* Fiber.interrupt(again)
      const later = yield* Effect.fork(news)
      yield* settle
      signal.notify(() => ["a"])
      yield* Fiber.join(later)
    })
  )

  it.effect("asks for the streams only where somebody follows one", () =>
    Effect.gen(function* () {
      const signal = CommitSignal.make()
      let asked = 0
      const tell = () =>
        signal.notify(() => {
          asked++
          return ["a"]
        })
      const scope = yield* Scope.make()
      yield* Scope.extend(signal.follow(null), scope)
      tell()
      assert.strictEqual(asked, 0)
      yield* Scope.extend(signal.follow("b"), scope)
      tell()
      assert.strictEqual(asked, 1)
      yield* Scope.close(scope, Exit.void)
      tell()
      assert.strictEqual(asked, 1)
    })
  )
})
