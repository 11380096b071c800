/**
 * `reckon read`: the events of one stream.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { backward, connect, count, sharedOptions, stream, usage, wholeNumber } from "./shared/options.js"
import { eventJson, eventLine, printAll } from "./shared/print.js"
import * as Time from "./shared/time.js"

const from = wholeNumber("from", 0).pipe(
  Options.withDescription("the version to start at (default: the first, backward the last)"),
  Options.optional
)

const until = Options.text("until").pipe(
  Options.withPseudoName("TIME"),
  Options.withDescription(`the events the stream had at a time: ${Time.accepted}`),
  Options.mapEffect(text =>
    Option.match(Time.parse(text), {
      onNone: () => Effect.fail(usage(`--until is '${text}', it must be ${Time.accepted}`)),
      onSome: Effect.succeed
    })
  ),
  Options.optional
)

const range = Options.text("range").pipe(
  Options.withPseudoName("TIME..TIME"),
  Options.withDescription("the events from one time to another, both included"),
  Options.mapEffect(text => {
    const [first = "", last = "", ...more] = text.split("..")
    const times = more.length > 0 ? Option.none() : Option.all([Time.parse(first), Time.parse(last)])
    if (Option.isNone(times)) {
      return Effect.fail(usage(`--range is '${text}', it must be FROM..TO, each ${Time.accepted}`))
    }
    const [fromUs, toUs] = times.value
    return fromUs <= toUs
      ? Effect.succeed({ fromUs, toUs })
      : Effect.fail(usage(`--range is '${text}', it ends before it begins`))
  }),
  Options.optional
)

/**
 * @since 0.1.0
 * @category commands
 */
export const read = Command.make("read", { stream, from, until, range, count, backward, ...sharedOptions }, options =>
  Effect.gen(function* () {
    const beginnings = [Option.isSome(options.from), Option.isSome(options.until), Option.isSome(options.range)]
    if (beginnings.filter(Boolean).length > 1) {
      return yield* Effect.fail(usage("give at most one of --from, --until and --range"))
    }
    const { client } = yield* connect(options)
    const direction = options.backward ? "backward" : "forward"
    const limit = Option.getOrUndefined(options.count)
    const events = Option.isSome(options.until)
      ? client.readUntil(options.stream, options.until.value, { direction, limit })
      : Option.isSome(options.range)
        ? client.readRange(options.stream, options.range.value.fromUs, options.range.value.toUs, { direction, limit })
        : client.readStream(options.stream, { from: Option.getOrUndefined(options.from), count: limit, direction })
    yield* printAll(events, options.json ? eventJson : eventLine)
  }).pipe(Effect.scoped)
).pipe(Command.withDescription("Prints the events of a stream"))
