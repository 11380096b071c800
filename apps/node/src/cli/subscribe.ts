/**
 * `reckon subscribe`: events as they commit.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import type { StoreRpcs } from "@reckon/client"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { connect, sharedOptions, usage, wholeNumber } from "./shared/options.js"
import { eventJson, eventLine, printAll } from "./shared/print.js"
import { Stdio } from "./shared/Stdio.js"

const stream = Options.text("stream").pipe(
  Options.withPseudoName("STREAM"),
  Options.withDescription("the events of this stream"),
  Options.optional
)

const all = Options.boolean("all").pipe(Options.withDescription("the events of the whole store"))

const from = Options.text("from").pipe(
  Options.withPseudoName("origin|current|POSITION"),
  Options.withDescription(
    "the first event, only what comes from now on, or a position (with --stream: a version) (default: origin)"
  ),
  Options.withDefault("origin"),
  Options.mapEffect((text): Effect.Effect<StoreRpcs.SubscribeFrom, ReturnType<typeof usage>> => {
    if (text === "origin" || text === "current") return Effect.succeed(text)
    return /^\d{1,15}$/.test(text)
      ? Effect.succeed(Number(text))
      : Effect.fail(usage(`--from is '${text}', it must be origin, current or a position`))
  })
)

const count = wholeNumber("count", 0).pipe(
  Options.withDescription("end after so many events (default: go on until Ctrl-C)"),
  Options.optional
)

/**
 * @since 0.1.0
 * @category commands
 */
export const subscribe = Command.make("subscribe", { stream, all, from, count, ...sharedOptions }, options =>
  Effect.gen(function* () {
    if (Option.isSome(options.stream) === options.all) {
      return yield* Effect.fail(usage("give exactly one of --stream STREAM and --all"))
    }
    // It was to go on until then.
    if (Option.isNone(options.count)) yield* (yield* Stdio).exitCodeIfInterrupted(0)
    const { client } = yield* connect(options)
    const events = client.subscribe({ streamId: Option.getOrNull(options.stream), from: options.from })
    const wanted = Option.isSome(options.count) ? Stream.take(events, options.count.value) : events
    yield* printAll(wanted, options.json ? eventJson : eventLine)
  }).pipe(Effect.scoped)
).pipe(Command.withDescription("Prints events as they commit"))
