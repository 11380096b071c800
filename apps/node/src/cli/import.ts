/**
 * `reckon import`: a file's rows as events.
 *
 * A row's event id follows from its content and its place among the rows, unless the row has one, so importing a file again, in whatever batches and after whatever
 * interruption, writes only what is missing. A batch is one request, in which the events of all streams stand in the order of the rows, and is answered before the next one is sent: were two
 * under way, a failure of the first could let later rows get in ahead of earlier ones. Reading and parsing go on meanwhile.
 *
 * @since 0.1.0
 */
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import { Client, Event, type EventStore, Limits, type StoreError, type StoreRpcs } from "@reckon/client"
import type * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { readCsv } from "./importing/csv.js"
import { readNdjson } from "./importing/ndjson.js"
import { FileUnusable, InvalidRow, type Row } from "./importing/rows.js"
import { connect, sharedOptions, usage, wholeNumber } from "./shared/options.js"
import { printJson, printLine } from "./shared/print.js"
import * as Progress from "./shared/progress.js"
import { Stdio } from "./shared/Stdio.js"

const file = Args.text({ name: "FILE" }).pipe(
  Args.withDescription("a .csv or .ndjson file; '-' reads NDJSON from standard input, such as `reckon export` writes")
)

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

/** Bytes a request carries at most, whatever `--batch` says; a single event may have more. */
const batchBytesMax = 4 * 1024 * 1024

/** What a row adds to a request, as the limits count it: at most, for rows of one stream share its name. */
const bytesOf = (streamId: string, event: Event.NewEvent): number => Event.byteLength(event) + streamId.length + 64

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
  if (file === "-") return Either.right("ndjson" as const)
  const lower = file.toLowerCase()
  if (lower.endsWith(".csv")) return Either.right("csv" as const)
  if (lower.endsWith(".ndjson")) return Either.right("ndjson" as const)
  return Either.left(usage(`'${file}' is neither a .csv nor an .ndjson file`))
}

/** Rows that go out together. */
class Batch {
  private readonly appends: Array<{ readonly streamId: string; readonly events: Array<Event.NewEvent> }> = []
  private bytes = 0
  /** Events and their tags, as the limits count them. */
  private counted = 0
  rows = 0

  constructor(
    private readonly rowsMax: number,
    private readonly bytesMax: number
  ) {}

  /** Whether the row still fits; into an empty one any does. */
  fits({ event, streamId }: Row): boolean {
    return (
      this.rows === 0 ||
      (this.rows < this.rowsMax &&
        this.bytes + bytesOf(streamId, event) <= this.bytesMax &&
        this.counted + 1 + event.tags.length <= Limits.eventsMax &&
        (this.appends.length < Client.batchingDefaults.appendsMax || this.appends.at(-1)?.streamId === streamId))
    )
  }

  add({ event, streamId }: Row): void {
    const last = this.appends.at(-1)
    if (last?.streamId === streamId) last.events.push(event)
    else this.appends.push({ streamId, events: [event] })
    this.bytes += bytesOf(streamId, event)
    this.counted += 1 + event.tags.length
    this.rows++
  }

  /** One for each run of rows of a stream, in the order of the rows. */
  toAppends(): ReadonlyArray<StoreRpcs.Append> {
    return this.appends.map(append => ({ ...append, expectedVersion: "any" }))
  }
}

interface Totals {
  imported: number
  alreadyPresent: number
}

const described = (totals: Totals) => `imported ${totals.imported}, already present ${totals.alreadyPresent}`

const nameOf = (file: string): string => (file === "-" ? "standard input" : file)

interface Source {
  readonly bytes: Stream.Stream<Uint8Array, FileUnusable | StoreError.InvalidRequest>
  /** How many there are, where that is known. */
  readonly size: number | undefined
}

const open = Effect.fnUntraced(function* (file: string) {
  if (file === "-") return { bytes: (yield* Stdio).input, size: undefined }
  const fileSystem = yield* FileSystem.FileSystem
  const info = yield* Effect.mapError(fileSystem.stat(file), unusable(file))
  if (info.type === "Directory") return yield* new FileUnusable({ file, why: "is a directory" })
  const bytes = Stream.mapError(fileSystem.stream(file, { chunkSize: FileSystem.KiB(64) }), unusable(file))
  return { bytes, size: info.type === "File" ? Number(info.size) : undefined }
})

/** What the rows end in, kept apart from what sending them fails with: after the latter nothing more may be sent. */
class Fault<E> {
  constructor(readonly error: E) {}
}

/** Sends rows in batches. When the rows end in a fault, those before it are sent first. */
const send = Effect.fnUntraced(function* <E, R>(
  rows: Stream.Stream<Row, E, R>,
  client: Client.Service,
  options: {
    readonly batch: number
    readonly bytesMax: number
    readonly totals: Totals
    readonly progress: Progress.Progress
  }
) {
  const { progress, totals } = options
  const empty = () => new Batch(options.batch, options.bytesMax)
  let pending = empty()

  const flush = Effect.suspend(() => {
    const sent = pending
    pending = empty()
    const appends = sent.toAppends()
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
      progress.count += sent.rows
      return failure === undefined ? Effect.void : Effect.fail(failure)
    })
  })

  const add = Effect.fnUntraced(function* (rows: Chunk.Chunk<Row>) {
    for (const row of rows) {
      if (!pending.fits(row)) yield* flush
      pending.add(row)
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

      const name = nameOf(file)
      const source: Source = yield* open(file)
      const { client, limits } = yield* connect(options)
      const progress: Progress.Progress = { done: 0, count: 0 }
      const totals: Totals = { imported: 0, alreadyPresent: 0 }
      const bytes = Stream.tap(source.bytes, piece =>
        Effect.sync(() => {
          progress.done += piece.length
        })
      ).pipe(
        Stream.concat(
          // Of an input that is closed, or of what failed in front of a pipe, nothing comes either.
          Stream.suspend(() => (progress.done > 0 ? Stream.empty : new FileUnusable({ file: name, why: "is empty" })))
        )
      )
      const common = { file: name, limits, namespace, streamPrefix }
      const rows = Option.match(columns, {
        onNone: () => readNdjson(bytes, common),
        onSome: ([streamFrom, typeFrom]) => readCsv(bytes, { ...common, streamFrom, typeFrom })
      })

      yield* Effect.scoped(
        Effect.zipRight(
          Progress.show(progress, { doing: "importing", counted: "rows", whole: source.size }),
          send(rows, client, {
            batch: options.batch,
            bytesMax: Math.min(batchBytesMax, limits.requestBytesMax),
            totals,
            progress
          })
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
