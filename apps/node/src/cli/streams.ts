/**
 * `reckon streams`: the streams there are.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { connect, sharedOptions } from "./shared/options.js"
import { plain, printAll } from "./shared/print.js"

const pattern = Options.text("pattern").pipe(
  Options.withPseudoName("PATTERN"),
  Options.withDescription("those whose names match; '*' is any text, '?' any one character (default: all)"),
  Options.optional
)

/**
 * @since 0.1.0
 * @category commands
 */
export const streams = Command.make("streams", { pattern, ...sharedOptions }, options =>
  Effect.gen(function* () {
    const { client } = yield* connect(options)
    yield* printAll(client.listStreams({ pattern: Option.getOrUndefined(options.pattern) }), stream =>
      options.json ? JSON.stringify(stream) : `${plain(stream.streamId)}  ${stream.version}`
    )
  }).pipe(Effect.scoped)
).pipe(Command.withDescription("Prints each stream and the version of its last event"))
