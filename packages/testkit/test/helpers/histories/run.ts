/** What one run of the tests plays. */
import { assert } from "@effect/vitest"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import { hunt } from "./hunt.js"
import type { Kind } from "./script.js"

/** A thousand together. One on a cluster takes four times as long as one on a single node. */
const counts = { cluster: 100, single: 900 }

const settings = Config.all({
  seed: Config.option(Config.integer("RECKON_HISTORY_SEED")),
  count: Config.option(Config.integer("RECKON_HISTORIES"))
})

/** Plays histories nobody has seen yet, or the one that is asked for, and fails with the first that something is wrong with. */
export const nothingWrong = (kind: Kind): Promise<void> =>
  Effect.gen(function* () {
    const { count, seed } = yield* settings
    const first = yield* Option.match(seed, {
      onSome: Effect.succeed,
      onNone: () => Random.nextIntBetween(0, 1e9)
    })
    yield* Console.log(`histories (${kind}) from ${first} on`)
    const found = yield* Effect.promise(() =>
      hunt({ kind, seed: first, count: Option.isSome(seed) ? 1 : Option.getOrElse(count, () => counts[kind]) })
    )
    assert.isUndefined(found, found?.text)
  }).pipe(Effect.runPromise)
