/**
 * Processes, servers and supervisors on this machine, beside two peers: what one writes with Effect's queue and deferred
 * alone, and Erlang/OTP itself, if it is installed. All three run the same loops, one after the other in each round, so that
 * the ratios hold while the machine's speed drifts.
 *
 * @since 0.1.0
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as erlang from "./internal/otp/erlang.js"
import { type Figure, figures } from "./internal/otp/figures.js"
import { print, quantile, type Row } from "./internal/table.js"

const rounds = 3

interface Results {
  readonly reckon: Array<number>
  readonly naive: Array<number>
  readonly erlang: Array<number>
}

const noResults = (): Results => ({ reckon: [], naive: [], erlang: [] })

const rowOf = (figure: Figure, results: Results): Row => {
  const ours = quantile(results.reckon, 0.5)
  /** The peer's value, how many times as good Reckon is, and how many times it is to be. */
  const beside = (values: ReadonlyArray<number>, aim: number | undefined): Row => {
    if (values.length === 0) return ["", "", ""]
    const peer = quantile(values, 0.5)
    const times = figure.higherIsBetter ? ours / peer : peer / ours
    return [peer, times.toFixed(2), aim === undefined ? "" : `≥ ${aim}`]
  }
  return [
    figure.title,
    ours,
    ...beside(results.naive, figure.aims?.naive),
    ...beside(results.erlang, figure.aims?.erlang)
  ]
}

/**
 * @since 0.1.0
 * @category benchmarks
 */
export const otp = Effect.gen(function* () {
  const peer = yield* erlang.make
  const measured = figures.map(figure => ({ figure, results: noResults() }))
  for (let round = 0; round < rounds; round++) {
    for (const { figure, results } of measured) {
      results.reckon.push(yield* Logger.withMinimumLogLevel(figure.reckon, LogLevel.None))
      if (figure.naive !== undefined) results.naive.push(yield* figure.naive)
      if (Option.isSome(peer)) results.erlang.push(yield* peer.value.figure(figure.erlang))
    }
  }
  const about = Option.match(peer, {
    onNone: () => "not on the PATH, its columns are empty",
    onSome: ({ about }) => about
  })
  yield* print(
    [
      `processes, servers and supervisors (medians of ${rounds} rounds)`,
      `Node.js ${process.version}, one thread; Erlang: ${about}`,
      "× is how many times as good Reckon is as the peer: more is better in every row"
    ].join("\n"),
    ["", "Reckon", "naive Effect", "×", "aim", "Erlang", "×", "aim"],
    measured.map(({ figure, results }) => rowOf(figure, results))
  )
}).pipe(Effect.scoped, Effect.provide(NodeContext.layer))
