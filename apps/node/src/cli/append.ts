/**
 * `reckon append`: one event to one stream.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import { Event, Query, type StoreRpcs } from "@reckon/client"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { jsonBytes } from "./shared/json.js"
import { connect, expect, repeated, sharedOptions, stream, usage, wholeNumber } from "./shared/options.js"
import { plain, printJson, printLine } from "./shared/print.js"
import { readText } from "./shared/Stdio.js"

const type = Options.text("type").pipe(Options.withPseudoName("T"), Options.withDescription("the event's type"))

const data = Options.text("data").pipe(
  Options.withPseudoName("JSON"),
  Options.withDescription("the event's data; '-' reads it from standard input")
)

const metadata = Options.text("metadata").pipe(
  Options.withPseudoName("JSON"),
  Options.withDescription("the event's metadata"),
  Options.optional
)

const tag = repeated("tag").pipe(Options.withPseudoName("T"), Options.withDescription("a tag of the event, repeatable"))

const id = Options.text("id").pipe(
  Options.withPseudoName("UUID"),
  Options.withDescription("the event's id: appending it again writes nothing (default: a random one)"),
  Options.mapEffect(text =>
    /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)
      ? Effect.succeed(text.toLowerCase())
      : Effect.fail(usage(`--id is '${text}', it must be a UUID`))
  ),
  Options.optional
)

const conditionType = repeated("condition-type").pipe(
  Options.withPseudoName("T"),
  Options.withDescription("append only if no event of this type is in the store, repeatable: of none of them")
)

const conditionTag = repeated("condition-tag").pipe(
  Options.withPseudoName("T"),
  Options.withDescription("append only if no event with this tag is in the store, repeatable: with all of them")
)

const conditionAfter = wholeNumber("condition-after", 0).pipe(
  Options.withPseudoName("POSITION"),
  Options.withDescription("the condition is about events behind this position only (default: about all)"),
  Options.optional
)

/** What must hold of the whole store, where anything must. */
const conditionOf = (options: {
  readonly conditionType: ReadonlyArray<string>
  readonly conditionTag: ReadonlyArray<string>
  readonly conditionAfter: Option.Option<number>
}): Effect.Effect<StoreRpcs.AppendCondition | undefined, ReturnType<typeof usage>> => {
  const { conditionAfter, conditionTag: tags, conditionType: types } = options
  if (types.length + tags.length > 0) {
    return Effect.succeed({ query: Query.make({ types, tags }), after: Option.getOrElse(conditionAfter, () => -1) })
  }
  return Option.isSome(conditionAfter)
    ? Effect.fail(usage("--condition-after needs --condition-type or --condition-tag"))
    : Effect.succeed(undefined)
}

/**
 * @since 0.1.0
 * @category commands
 */
export const append = Command.make(
  "append",
  { stream, type, data, metadata, tag, id, expect, conditionType, conditionTag, conditionAfter, ...sharedOptions },
  options =>
    Effect.gen(function* () {
      const condition = yield* conditionOf(options)
      const { client, limits } = yield* connect(options)
      // Some more than an event may have, so that the client can say by how much it is too large.
      const text = options.data === "-" ? yield* readText(limits.requestBytesMax * 2) : options.data
      const event: Event.NewEvent = {
        eventId: Option.isSome(options.id) ? options.id.value : yield* Event.randomId,
        eventType: options.type,
        data: yield* jsonBytes("--data", text),
        dataContentType: Event.contentTypeJson,
        metadata: Option.isSome(options.metadata) ? yield* jsonBytes("--metadata", options.metadata.value) : null,
        metadataContentType: Event.contentTypeJson,
        tags: options.tag
      }
      const appended = yield* client.append(options.stream, options.expect, [event], { condition })
      if (options.json) return yield* printJson(appended)
      const already = appended.alreadyPresent > 0 ? " (already present)" : ""
      yield* printLine(
        `${plain(appended.streamId)}: version ${appended.version}, position ${appended.position}${already}`
      )
    }).pipe(Effect.scoped)
).pipe(Command.withDescription("Appends one event to a stream"))
