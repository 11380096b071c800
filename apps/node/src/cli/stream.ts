/**
 * `reckon stream`: a stream as a whole: what is known of it, its deletion, and how much of it is kept.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import { StreamMetadata } from "@reckon/client"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { connect, expect, sharedOptions, stream as streamId, usage, wholeNumber } from "./shared/options.js"
import { plain, printJson, printLine } from "./shared/print.js"
import * as Time from "./shared/time.js"

/** How much is kept, in words. */
const kept = ({ maxAgeUs, maxCount, truncateBefore }: StreamMetadata.StreamMetadata): string => {
  const limits: Array<string> = []
  if (maxCount !== null) limits.push(`the last ${maxCount}`)
  if (maxAgeUs !== null) limits.push(`none older than ${Duration.format(Duration.micros(BigInt(maxAgeUs)))}`)
  if (truncateBefore !== null) limits.push(`none before version ${truncateBefore}`)
  return limits.length === 0 ? "all events" : limits.join(", ")
}

// -----------------------------------------------------------------------------
// info
// -----------------------------------------------------------------------------

const time = (epochUs: number): string => (epochUs === 0 ? "-" : Time.format(epochUs))

const describe = (details: StreamMetadata.StreamDetails): ReadonlyArray<string> => [
  `stream    ${plain(details.streamId)}`,
  `state     ${details.state}`,
  `versions  ${details.count === 0 ? "none kept" : `${details.firstVersion} to ${details.lastVersion}`}`,
  `last      ${details.lastVersion < 0 ? "-" : details.lastVersion}`,
  `events    ${details.count}, ${details.bytes} bytes`,
  `created   ${time(details.createdUs)}`,
  `updated   ${time(details.updatedUs)}`,
  `keeps     ${kept(details.metadata)}`
]

const info = Command.make("info", { streamId, ...sharedOptions }, options =>
  Effect.gen(function* () {
    const { client } = yield* connect(options)
    const details = yield* client.streamDetails(options.streamId)
    if (options.json) return yield* printJson(details)
    yield* Effect.forEach(describe(details), printLine, { discard: true })
  }).pipe(Effect.scoped)
).pipe(Command.withDescription("Shows what is known of a stream, also of one that was deleted"))

// -----------------------------------------------------------------------------
// delete and tombstone
// -----------------------------------------------------------------------------

const remove = Command.make("delete", { streamId, expect, ...sharedOptions }, options =>
  Effect.gen(function* () {
    const { client } = yield* connect(options)
    yield* client.deleteStream(options.streamId, { expectedVersion: options.expect })
    if (options.json) return yield* printJson({ streamId: options.streamId, state: "deleted" })
    yield* printLine(`${plain(options.streamId)}: deleted, an append creates it anew`)
  }).pipe(Effect.scoped)
).pipe(Command.withDescription("Hides the events of a stream; an append creates it anew, with the next version"))

const tombstone = Command.make("tombstone", { streamId, expect, ...sharedOptions }, options =>
  Effect.gen(function* () {
    const { client } = yield* connect(options)
    yield* client.tombstoneStream(options.streamId, { expectedVersion: options.expect })
    if (options.json) return yield* printJson({ streamId: options.streamId, state: "tombstoned" })
    yield* printLine(`${plain(options.streamId)}: deleted for good`)
  }).pipe(Effect.scoped)
).pipe(Command.withDescription("Deletes a stream for good: it never takes an event again"))

// -----------------------------------------------------------------------------
// set
// -----------------------------------------------------------------------------

const maxAge = Options.text("max-age").pipe(
  Options.withPseudoName("AGE"),
  Options.withDescription("keep no event that is older than this, such as '30 days' or '12 hours'"),
  Options.mapEffect(text => {
    const micros = Option.map(Duration.decodeUnknown(text), age => Math.round(Duration.toMillis(age) * 1000))
    return Option.match(
      Option.filter(micros, us => us >= 1 && Number.isSafeInteger(us)),
      {
        onNone: () => Effect.fail(usage(`--max-age is '${text}', it must be a time with a unit, such as '30 days'`)),
        onSome: Effect.succeed
      }
    )
  }),
  Options.optional
)

const maxCount = wholeNumber("max-count", 1).pipe(
  Options.withDescription("keep so many events, the last ones"),
  Options.optional
)

const truncateBefore = wholeNumber("truncate-before", 0).pipe(
  Options.withPseudoName("VERSION"),
  Options.withDescription("keep no event before this version"),
  Options.optional
)

const keepAll = Options.boolean("keep-all").pipe(
  Options.withDescription("set no limit; what is hidden already stays hidden")
)

const set = Command.make("set", { streamId, maxAge, maxCount, truncateBefore, keepAll, ...sharedOptions }, options =>
  Effect.gen(function* () {
    const { maxAge, maxCount, truncateBefore } = options
    if ([maxAge, maxCount, truncateBefore].some(Option.isSome) === options.keepAll) {
      const limits = "--max-age, --max-count and --truncate-before"
      return yield* Effect.fail(usage(`give at least one of ${limits}, or --keep-all alone`))
    }
    const { client } = yield* connect(options)
    const metadata: StreamMetadata.StreamMetadata = {
      maxAgeUs: Option.getOrNull(maxAge),
      maxCount: Option.getOrNull(maxCount),
      truncateBefore: Option.getOrNull(truncateBefore)
    }
    yield* client.setStreamMetadata(options.streamId, metadata)
    if (options.json) return yield* printJson({ streamId: options.streamId, metadata })
    yield* printLine(`${plain(options.streamId)}: keeps ${kept(metadata)}`)
  }).pipe(Effect.scoped)
).pipe(Command.withDescription("Sets how much of a stream is kept; limits that are not given again are lifted"))

/**
 * @since 0.1.0
 * @category commands
 */
export const stream = Command.make("stream").pipe(
  Command.withDescription("A stream as a whole"),
  Command.withSubcommands([info, remove, tombstone, set])
)
