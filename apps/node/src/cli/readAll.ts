/**
 * `reckon read-all`: the events of the whole store.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { connect, count, fromPosition, sharedOptions } from "./shared/options.js"
import { eventJson, eventLine, printAll } from "./shared/print.js"

/**
 * @since 0.1.0
 * @category commands
 */
export const readAll = Command.make("read-all", { fromPosition, count, ...sharedOptions }, options =>
  Effect.gen(function* () {
    const { client } = yield* connect(options)
    const events = client.readAllStream({
      from: Option.getOrUndefined(options.fromPosition),
      count: Option.getOrUndefined(options.count)
    })
    yield* printAll(events, options.json ? eventJson : eventLine)
  }).pipe(Effect.scoped)
).pipe(Command.withDescription("Prints all events of the store in the order of their positions"))
