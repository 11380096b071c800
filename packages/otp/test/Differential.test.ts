/**
 * Whether Erlang does the same, where there is an Erlang: without one the suite says that it compared nothing, and passes. The same
 * histories each time; `scripts/otp-differential.mjs` plays others.
 */
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type * as fc from "fast-check"
import * as actors from "./differential/actors.js"
import * as duel from "./differential/duel.js"
import * as dynamics from "./differential/dynamics.js"
import * as erlang from "./differential/erlang.js"
import * as servers from "./differential/servers.js"
import * as trees from "./differential/trees.js"

const settings: duel.Settings = {
  seed: Number(process.env.RECKON_OTP_SEED ?? 1),
  runs: Number(process.env.RECKON_OTP_RUNS ?? 100)
}

const agrees = <History, Move>(
  what: string,
  histories: fc.Arbitrary<History>,
  duelOf: (history: History) => duel.Duel<Move>
) =>
  it.scoped(
    what,
    () =>
      Effect.gen(function* () {
        if (!erlang.isInstalled()) {
          process.stdout.write(`${what}: not compared, there is no Erlang on the PATH\n`)
          return
        }
        const peer = yield* erlang.make
        const moves = yield* duel.agree(peer, histories, duelOf, settings)
        process.stdout.write(`${what}: ${settings.runs} histories, ${moves} moves\n`)
      }),
    7_200_000
  )

describe("Erlang does the same", () => {
  agrees("with trees of supervisors", trees.timeless, trees.duelOf)
  agrees("with dynamic supervisors", dynamics.timeless, dynamics.duelOf)
  agrees("with processes that link, monitor, take names and end", actors.histories, actors.duelOf)
  agrees("with a server and what it is sent", servers.histories, servers.duelOf)
})
