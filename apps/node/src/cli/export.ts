/**
 * `reckon export`: the events of a store as lines, of which `reckon import` makes the same events again.
 *
 * An export ends at the event that was the last when it began, however much is appended meanwhile. It tells on standard error how far it came, whatever it ended with: what a reader or a disk
 * has not taken is a failure here, for nobody could tell the beginning of an export from all of it.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { eventRow } from "./importing/ndjson.js"
import { connect, fromPosition, sharedOptions } from "./shared/options.js"
import { printAll } from "./shared/print.js"
import * as Progress from "./shared/progress.js"
import { OutputFailed, Stdio } from "./shared/Stdio.js"

/** How far it came, and where one that was cut off goes on: nothing of one that never began. */
const described = (count: number, next: number, isWhole: boolean): string => {
  if (count === 0) return isWhole ? "exported 0 events\n" : ""
  const events = `exported ${count} events, up to position ${next - 1}`
  return isWhole ? `${events}\n` : `${events}; --from-position ${next} goes on there\n`
}

/**
 * @since 0.1.0
 * @category commands
 */
export const exportEvents = Command.make("export", { fromPosition, ...sharedOptions }, options =>
  Effect.gen(function* () {
    const { client } = yield* connect(options)
    const stdio = yield* Stdio
    const from = Option.getOrElse(options.fromPosition, () => 0)
    const progress: Progress.Progress = { done: 0, count: 0 }
    yield* Effect.addFinalizer(exit => stdio.err(described(progress.count, from + progress.done, Exit.isSuccess(exit))))
    const last = yield* Stream.runHead(client.readAllStream({ direction: "backward", count: 1 }))
    const asOf = Option.match(last, { onNone: () => -1, onSome: event => event.position })
    yield* Progress.show(progress, { doing: "exporting", counted: "events", whole: asOf + 1 - from })

    yield* Stream.runForEachChunk(client.readAllStream({ from, asOf }), events =>
      printAll(Stream.fromChunk(events), eventRow).pipe(
        Effect.tap(() => {
          for (const { position } of events) progress.done = position + 1 - from
          progress.count += events.length
        })
      )
    )
  }).pipe(
    Effect.catchTag("OutputClosed", () => new OutputFailed({ detail: "whoever read it has stopped" })),
    Effect.scoped
  )
).pipe(
  Command.withDescription(
    "Writes all events of the store to standard output, by position, as lines of JSON that `reckon import` takes"
  )
)
