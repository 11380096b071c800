/**
 * `reckon import`: a file's rows as events.
 *
 * A row's event id follows from its content and its place among the rows, so importing a file again, in whatever batches and after whatever
 * interruption, writes only what is missing. A batch is answered before the next one is sent: were two under way, a failure of the first could let later
 * rows of a stream get in ahead of earlier ones. Reading and parsing go on meanwhile.
 *
 * @since 0.1.0
 */
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import { type Client, Event, type EventStore, type StoreRpcs } from "@reckon/client"
import type * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { readCsv } from "./importing/csv.js"
import { readNdjson } from "./importing/ndjson.js"
import * as Progress from "./importing/progress.js"
import { FileUnusable, InvalidRow, type Row } from "./importing/rows.js"
import { connect, sharedOptions, usage, wholeNumber } from "./shared/options.js"
import { printJson, printLine } from "./shared/print.js"

const file = Args.text({ name: "FILE" }).pipe(Args.withDescription("a .csv or .ndjson file"))

const column = (name: string, description: string) =>
  Options.text(name).pipe(Options.withPseudoName("COLUMN"), Options.withDescription(description), Options.optional)

const streamFrom = column("stream-from", "CSV: the column with the stream's name")
const typeFrom = column("type-from", "CSV: the column with the event's type")

const streamPrefix = Options.text("stream-prefix").pipe(
  Options.withPseudoName("PREFIX"),
  Options.withDescription("put before each stream's name"),
  Options.withDefault("")
)

const namespace = Options.text("namespace").pipe(
  Options.withPseudoName("TEXT"),
  Options.withDescription("goes into the event ids: tells apart files whose rows may be equal, in content and place"),
  Options.withDefault("")
)

const batch = wholeNumber("batch", 1, 100_000).pipe(
  Options.withDescription("events a request (default: 500)"),
  Options.withDefault(500)
)

/** Bytes of events a request carries at most, whatever `--batch` says; a single event may have more. */
const batchBytesMax = 4 * 1024 * 1024

const unusable =
  (file: string) =>
  (error: PlatformError): FileUnusable => {
    const reason = error._tag === "SystemError" ? error.reason : "BadArgument"
    switch (reason) {
      case "NotFound":
        return new FileUnusable({ file, why: "does not exist" })
      case "PermissionDenied":
        return new FileUnusable({ file, why: "may not be read" })
      default:
        return new FileUnusable({ file, why: `cannot be read: ${error.message}` })
    }
  }

const formatOf = (file: string) => {
  const lower = file.toLowerCase()
  if (lower.endsWith(".csv")) return Either.right("csv" as const)
  if (lower.endsWith(".ndjson")) return Either.right("ndjson" as const)
  return Either.left(usage(`'${file}' is neither a .csv nor an .ndjson file`))
}

/** The rows of a batch as appends, one per stream, a stream's rows in their order. */
const appendsOf = (rows: ReadonlyArray<Row>): ReadonlyArray<StoreRpcs.Append> => {
  const streams = new Map<string, Array<Event.NewEvent>>()
  for (const row of rows) {
    const events = streams.get(row.streamId)
    if (events === undefined) streams.set(row.streamId, [row.event])
    else events.push(row.event)
  }
  return Array.from(streams, ([streamId, events]) => ({ streamId, expectedVersion: "any", events }))
}

interface Totals {
  imported: number
  alreadyPresent: number
}

const described = (totals: Totals) => `imported ${totals.imported}, already present ${totals.alreadyPresent}`

/** What the rows end in, kept apart from what sending them fails with: after the latter nothing more may be sent. */
class Fault<E> {
  constructor(readonly error: E) {}
}

/** Sends rows in batches. When the rows end in a fault, those before it are sent first. */
const send = Effect.fnUntraced(function* <E, R>(
  rows: Stream.Stream<Row, E, R>,
  client: Client.Service,
  options: { readonly batch: number; readonly totals: Totals; readonly progress: Progress.Progress }
) {
  const { progress, totals } = options
  let pending: Array<Row> = []
  let bytes = 0

  const flush = Effect.suspend(() => {
    const sent = pending
    pending = []
    bytes = 0
    const appends = appendsOf(sent)
    return Effect.flatMap(client.appendAll(appends), results => {
      let failure: EventStore.AppendFailure | undefined
      results.forEach((result, index) => {
        if (Either.isLeft(result)) {
          failure ??= result.left
          return
        }
        totals.alreadyPresent += result.right.alreadyPresent
        totals.imported += (appends[index]?.events.length ?? 0) - result.right.alreadyPresent
      })
      progress.rows += sent.length
      return failure === undefined ? Effect.void : Effect.fail(failure)
    })
  })

  const add = Effect.fnUntraced(function* (rows: Chunk.Chunk<Row>) {
    for (const row of rows) {
      const size = Event.byteLength(row.event)
      if (pending.length > 0 && (pending.length >= options.batch || bytes + size > batchBytesMax)) yield* flush
      pending.push(row)
      bytes += size
    }
  })

  yield* rows.pipe(
    Stream.mapError(error => new Fault(error)),
    Stream.bufferChunks({ capacity: 4 }),
    Stream.runForEachChunk(add),
    Effect.zipRight(flush),
    Effect.catchAll(error =>
      error instanceof Fault ? Effect.zipRight(flush, Effect.fail(error.error)) : Effect.fail(error)
    )
  )
})

/**
 * @since 0.1.0
 * @category commands
 */
export const importFile = Command.make(
  "import",
  { file, streamFrom, typeFrom, streamPrefix, namespace, batch, ...sharedOptions },
  options =>
    Effect.gen(function* () {
      const { file, namespace, streamPrefix } = options
      const format = yield* formatOf(file)
      const columns = Option.all([options.streamFrom, options.typeFrom])
      if (format === "csv" && Option.isNone(columns)) {
        return yield* Effect.fail(usage("a CSV file needs --stream-from COLUMN and --type-from COLUMN"))
      }
      if (format === "ndjson" && (Option.isSome(options.streamFrom) || Option.isSome(options.typeFrom))) {
        return yield* Effect.fail(usage("--stream-from and --type-from are for CSV files"))
      }

      const fileSystem = yield* FileSystem.FileSystem
      const info = yield* Effect.mapError(fileSystem.stat(file), unusable(file))
      if (info.type === "Directory") return yield* new FileUnusable({ file, why: "is a directory" })
      if (info.type === "File" && info.size === FileSystem.Size(0)) {
        return yield* new FileUnusable({ file, why: "is empty" })
      }

      const { client, limits } = yield* connect(options)
      const progress: Progress.Progress = { bytes: 0, rows: 0 }
      const totals: Totals = { imported: 0, alreadyPresent: 0 }
      const bytes = fileSystem.stream(file, { chunkSize: FileSystem.KiB(64) }).pipe(
        Stream.mapError(unusable(file)),
        Stream.tap(piece =>
          Effect.sync(() => {
            progress.bytes += piece.length
          })
        )
      )
      const common = { file, limits, namespace, streamPrefix }
      const rows = Option.match(columns, {
        onNone: () => readNdjson(bytes, common),
        onSome: ([streamFrom, typeFrom]) => readCsv(bytes, { ...common, streamFrom, typeFrom })
      })

      yield* Effect.scoped(
        Effect.zipRight(
          Progress.show(progress, Number(info.size)),
          send(rows, client, { batch: options.batch, totals, progress })
        )
      ).pipe(
        Effect.mapError(error =>
          error instanceof InvalidRow
            ? new InvalidRow({ file: error.file, line: error.line, why: error.why, progress: described(totals) })
            : error
        )
      )
      yield* options.json ? printJson(totals) : printLine(described(totals))
    }).pipe(Effect.scoped)
).pipe(Command.withDescription("Appends the rows of a CSV or NDJSON file; running it again writes nothing twice"))
