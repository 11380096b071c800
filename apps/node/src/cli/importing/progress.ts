/**
 * Progress on standard error: a bar that moves on a terminal, otherwise a line every few seconds.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { Stdio } from "../shared/Stdio.js"

/**
 * How far a long piece of work has come.
 *
 * @since 0.1.0
 * @category models
 */
export interface Progress {
  bytes: number
  rows: number
}

const clearLine = "\r\u001b[2K"
const barCells = 24

/**
 * Shows the progress until the scope closes.
 *
 * @since 0.1.0
 * @category progress
 */
export const show = (progress: Progress, totalBytes: number): Effect.Effect<void, never, Stdio | Scope.Scope> =>
  Effect.gen(function* () {
    const stdio = yield* Stdio
    const began = yield* Clock.currentTimeMillis

    const line = Effect.map(Clock.currentTimeMillis, now => {
      const seconds = Math.max(0.001, (now - began) / 1000)
      const share = Math.min(1, progress.bytes / Math.max(1, totalBytes))
      const rate = Math.round(progress.rows / seconds)
      const text = `${progress.rows} rows  ${Math.floor(share * 100)}%  ${rate} rows/s`
      if (!stdio.errIsTerminal) return `importing: ${text}\n`
      const full = Math.round(share * barCells)
      return `${clearLine}[${"#".repeat(full)}${".".repeat(barCells - full)}] ${text}`
    })

    // Gone before the result or the error is printed, so that neither has to share its line.
    if (stdio.errIsTerminal) yield* Effect.addFinalizer(() => stdio.err(clearLine))
    const pause = stdio.errIsTerminal ? "200 millis" : "3 seconds"
    yield* Effect.flatMap(line, stdio.err).pipe(Effect.delay(pause), Effect.repeat(Schedule.forever), Effect.forkScoped)
  })
