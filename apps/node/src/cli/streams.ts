/**
 * `reckon streams`: the streams there are.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Effect from "effect/Effect"
import { connect, sharedOptions } from "./shared/options.js"
import { plain, printAll } from "./shared/print.js"

/**
 * @since 0.1.0
 * @category commands
 */
export const streams = Command.make("streams", sharedOptions, options =>
  Effect.gen(function* () {
    const { client } = yield* connect(options)
    yield* printAll(client.listStreams(), stream =>
      options.json ? JSON.stringify(stream) : `${plain(stream.streamId)}  ${stream.version}`
    )
  }).pipe(Effect.scoped)
).pipe(Command.withDescription("Prints each stream and the version of its last event"))
