/**
 * `reckon read`: the events of one stream.
 *
 * @since 0.1.0
 */
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { connect, sharedOptions, wholeNumber } from "./shared/options.js"
import { eventJson, eventLine, printAll } from "./shared/print.js"

const stream = Args.text({ name: "STREAM" }).pipe(Args.withDescription("the stream's name"))

const from = wholeNumber("from", 0).pipe(
  Options.withDescription("the version to start at (default: the first, backward the last)"),
  Options.optional
)

const count = wholeNumber("count", 0).pipe(
  Options.withDescription("how many events at most (default: all)"),
  Options.optional
)

const backward = Options.boolean("backward").pipe(Options.withDescription("the latest event first"))

/**
 * @since 0.1.0
 * @category commands
 */
export const read = Command.make("read", { stream, from, count, backward, ...sharedOptions }, options =>
  Effect.gen(function* () {
    const { client } = yield* connect(options)
    const events = client.readStream(options.stream, {
      from: Option.getOrUndefined(options.from),
      count: Option.getOrUndefined(options.count),
      direction: options.backward ? "backward" : "forward"
    })
    yield* printAll(events, options.json ? eventJson : eventLine)
  }).pipe(Effect.scoped)
).pipe(Command.withDescription("Prints the events of a stream"))
