/**
 * `reckon append`: one event to one stream.
 *
 * @since 0.1.0
 */
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import { Event, type ExpectedVersion } from "@reckon/client"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { jsonBytes } from "./shared/json.js"
import { connect, sharedOptions, usage } from "./shared/options.js"
import { plain, printJson, printLine } from "./shared/print.js"
import { Stdio } from "./shared/Stdio.js"

const stream = Args.text({ name: "STREAM" }).pipe(Args.withDescription("the stream's name"))

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

const tag = Options.text("tag").pipe(
  Options.withPseudoName("T"),
  Options.withDescription("a tag of the event, repeatable"),
  Options.repeated
)

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

const expect = Options.text("expect").pipe(
  Options.withPseudoName("any|no_stream|stream_exists|N"),
  Options.withDescription("what the stream must be like, N being the version of its last event (default: any)"),
  Options.withDefault("any"),
  Options.mapEffect((text): Effect.Effect<ExpectedVersion.ExpectedVersion, ReturnType<typeof usage>> => {
    if (text === "any" || text === "no_stream" || text === "stream_exists") return Effect.succeed(text)
    return /^\d{1,15}$/.test(text)
      ? Effect.succeed(Number(text))
      : Effect.fail(usage(`--expect is '${text}', it must be any, no_stream, stream_exists or a version`))
  })
)

/**
 * @since 0.1.0
 * @category commands
 */
export const append = Command.make(
  "append",
  { stream, type, data, metadata, tag, id, expect, ...sharedOptions },
  options =>
    Effect.gen(function* () {
      const { client, limits } = yield* connect(options)
      const stdio = yield* Stdio
      // Some more than an event may have, so that the client can say by how much it is too large.
      const text = options.data === "-" ? yield* stdio.readAll(limits.requestBytesMax * 2) : options.data
      const appended = yield* client.append(options.stream, options.expect, [
        {
          eventId: Option.isSome(options.id) ? options.id.value : yield* Event.randomId,
          eventType: options.type,
          data: yield* jsonBytes("--data", text),
          dataContentType: Event.contentTypeJson,
          metadata: Option.isSome(options.metadata) ? yield* jsonBytes("--metadata", options.metadata.value) : null,
          metadataContentType: Event.contentTypeJson,
          tags: options.tag
        }
      ])
      if (options.json) return yield* printJson(appended)
      const already = appended.alreadyPresent > 0 ? " (already present)" : ""
      yield* printLine(
        `${plain(appended.streamId)}: version ${appended.version}, position ${appended.position}${already}`
      )
    }).pipe(Effect.scoped)
).pipe(Command.withDescription("Appends one event to a stream"))
