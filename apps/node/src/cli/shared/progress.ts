/**
 * Progress on standard error: a bar that moves on a terminal, otherwise a line every few seconds.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { Stdio } from "./Stdio.js"

/**
 * How far a long piece of work has come.
 *
 * @since 0.1.0
 * @category models
 */
export interface Progress {
  /** Of the whole of it, in its units. */
  done: number
  /** Rows, or events. */
  count: number
}

const clearLine = "\r\u001b[2K"
const barCells = 24

/**
 * Shows the progress until the scope closes.
 *
 * @since 0.1.0
 * @category progress
 */
export const show = (
  progress: Progress,
  options: {
    /** `importing`, say. */
    readonly doing: string
    /** What is counted. */
    readonly counted: string
    /** The whole of it; undefined where nobody knows. */
    readonly whole: number | undefined
  }
): Effect.Effect<void, never, Stdio | Scope.Scope> =>
  Effect.gen(function* () {
    const { counted, doing, whole } = options
    const stdio = yield* Stdio
    const began = yield* Clock.currentTimeMillis

    const line = Effect.map(Clock.currentTimeMillis, now => {
      const seconds = Math.max(0.001, (now - began) / 1000)
      const rate = `${Math.round(progress.count / seconds)} ${counted}/s`
      const share = whole === undefined ? undefined : Math.min(1, progress.done / Math.max(1, whole))
      const percent = share === undefined ? "" : `${Math.floor(share * 100)}%  `
      const text = `${progress.count} ${counted}  ${percent}${rate}`
      if (!stdio.errIsTerminal) return `${doing}: ${text}\n`
      const full = Math.round((share ?? 0) * barCells)
      const bar = share === undefined ? "" : `[${"#".repeat(full)}${".".repeat(barCells - full)}] `
      return `${clearLine}${bar}${text}`
    })

    // Gone before the result or the error is printed, so that neither has to share its line.
    if (stdio.errIsTerminal) yield* Effect.addFinalizer(() => stdio.err(clearLine))
    const pause = stdio.errIsTerminal ? "200 millis" : "3 seconds"
    yield* Effect.flatMap(line, stdio.err).pipe(Effect.delay(pause), Effect.repeat(Schedule.forever), Effect.forkScoped)
  })
