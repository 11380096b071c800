/**
 * `reckon query`: the events that meet criteria, of all streams.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import { Query } from "@reckon/client"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import { backward, connect, count, repeated, sharedOptions, usage, wholeNumber } from "./shared/options.js"
import { eventJson, eventLine, printAll } from "./shared/print.js"
import * as Time from "./shared/time.js"

// -----------------------------------------------------------------------------
// criteria
// -----------------------------------------------------------------------------

const type = repeated("type").pipe(
  Options.withPseudoName("T"),
  Options.withDescription("events of this type, repeatable: of one of them")
)

const tag = repeated("tag").pipe(
  Options.withPseudoName("T"),
  Options.withDescription("events with this tag, repeatable: with all of them")
)

const anyTag = repeated("any-tag").pipe(
  Options.withPseudoName("T"),
  Options.withDescription("events with this tag, repeatable: with at least one of them")
)

const isFieldValue = (value: unknown): value is Query.MetadataField["value"] =>
  typeof value === "string" || typeof value === "boolean" || (typeof value === "number" && Number.isFinite(value))

/** JSON where that is a number, a truth value or a text; anything else is a text as it is. */
const fieldValue = (text: string): Query.MetadataField["value"] => {
  const value = Either.getOrUndefined(Either.try((): unknown => JSON.parse(text)))
  return isFieldValue(value) ? value : text
}

const metadata = repeated("metadata").pipe(
  Options.withPseudoName("FIELD=VALUE"),
  Options.withDescription(
    `events whose metadata has this value in this field, repeatable: in all of them. 1 and true are a number and a truth value, "1" in double quotes is a text`
  ),
  Options.mapEffect(texts =>
    Effect.forEach(texts, text => {
      const at = text.indexOf("=")
      return at < 1
        ? Effect.fail(usage(`--metadata is '${text}', it must be FIELD=VALUE`))
        : Effect.succeed({ field: text.slice(0, at), value: fieldValue(text.slice(at + 1)) })
    })
  )
)

const streamPattern = Options.text("stream-pattern").pipe(
  Options.withPseudoName("PATTERN"),
  Options.withDescription("events of the streams whose names match; '*' is any text, '?' any one character"),
  Options.optional
)

/** One item, or one for each of the tags of which one will do. */
const queryOf = (options: {
  readonly type: ReadonlyArray<string>
  readonly tag: ReadonlyArray<string>
  readonly anyTag: ReadonlyArray<string>
  readonly metadata: ReadonlyArray<Query.MetadataField>
  readonly streamPattern: Option.Option<string>
}): Query.Query => {
  const { anyTag, metadata, tag: tags, type: types } = options
  const item = { types, tags, metadata, stream: Option.getOrNull(options.streamPattern) }
  return anyTag.length === 0
    ? Query.make(item)
    : Query.make(...anyTag.map(one => ({ ...item, tags: tags.includes(one) ? tags : [...tags, one] })))
}

// -----------------------------------------------------------------------------
// what of them
// -----------------------------------------------------------------------------

const from = wholeNumber("from", 0).pipe(
  Options.withDescription("the position to start at (default: the first, backward the last)"),
  Options.optional
)

/** When the store is looked at: behind which event, or at what time. */
type Moment =
  | { readonly _tag: "Position"; readonly position: number }
  | { readonly _tag: "Time"; readonly epochUs: number }

const asOf = Options.text("as-of").pipe(
  Options.withPseudoName("POSITION|TIME"),
  Options.withDescription(
    "the store as it was at a position, at an ISO time such as 2026-05-01T12:00:00Z, or when a day began"
  ),
  Options.mapEffect((text): Effect.Effect<Moment, ReturnType<typeof usage>> => {
    if (/^\d{1,15}$/.test(text)) return Effect.succeed({ _tag: "Position", position: Number(text) })
    return Option.match(Time.parseIso(text), {
      onNone: () =>
        Effect.fail(usage(`--as-of is '${text}', it must be a position, an ISO time with a zone, or a day`)),
      onSome: epochUs => Effect.succeed({ _tag: "Time", epochUs })
    })
  }),
  Options.optional
)

/**
 * @since 0.1.0
 * @category commands
 */
export const query = Command.make(
  "query",
  { type, tag, anyTag, metadata, streamPattern, from, count, backward, asOf, ...sharedOptions },
  options =>
    Effect.gen(function* () {
      const { client } = yield* connect(options)
      const moment = Option.getOrUndefined(options.asOf)
      const asOf = moment?._tag === "Time" ? yield* client.positionAt(moment.epochUs) : moment?.position
      const events = client.queryStream(queryOf(options), {
        from: Option.getOrUndefined(options.from),
        count: Option.getOrUndefined(options.count),
        direction: options.backward ? "backward" : "forward",
        asOf
      })
      yield* printAll(events, options.json ? eventJson : eventLine)
    }).pipe(Effect.scoped)
).pipe(Command.withDescription("Prints the events of all streams that meet every kind of criterion given, by position"))
