/**
 * CSV as RFC 4180 has it: quoted cells, a header row, as many cells in each row as the header has. Cells become the string fields of an event's data.
 *
 * @since 0.1.0
 */
import type * as ValidationError from "@effect/cli/ValidationError"
import { Event, type Limits } from "@reckon/client"
import { CsvError, parse } from "csv-parse"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Stream from "effect/Stream"
import { usage } from "../shared/options.js"
import { type Fed, FileUnusable, feed, InvalidRow, makeRow, type Row, rowBytesMax } from "./rows.js"

/** A row's cells, and the line on which it begins. */
interface CsvRecord {
  readonly cells: ReadonlyArray<Uint8Array>
  readonly line: number
}

const encoder = new TextEncoder()
const decoder = new TextDecoder("utf-8", { fatal: true })

/** Without an encoding cells are bytes, whatever their declared type says. */
const bytesOf = (cell: unknown): Uint8Array => (cell instanceof Uint8Array ? cell : encoder.encode(String(cell)))

const why = (error: CsvError, bytesMax: number): string => {
  switch (error.code) {
    case "CSV_RECORD_INCONSISTENT_FIELDS_LENGTH":
      return error.message.replace(/^.*expect (\d+), got (\d+).*$/, "it has $2 cells, the header has $1")
    case "CSV_QUOTE_NOT_CLOSED":
      return "a quote is opened and never closed"
    case "INVALID_OPENING_QUOTE":
      return "a quote stands inside a cell that does not begin with one"
    case "CSV_INVALID_CLOSING_QUOTE":
      return "something other than a comma follows a closing quote"
    case "CSV_MAX_RECORD_SIZE":
      return `the row has more than ${bytesMax} bytes, or a quote is opened and never closed`
    default:
      return error.message
  }
}

/**
 * The parser reports rows in the call that carries their bytes. Taking them there, not from its readable side, saves those that precede a bad row: an error
 * destroys a Node stream with all it still holds.
 */
const makeReader = (file: string, bytesMax: number) =>
  Effect.gen(function* () {
    let taken: Array<CsvRecord> = []
    let lines = 0
    let emptyLines = 0
    const startsAt = (empty: number) => lines + 1 + (empty - emptyLines)

    const parser = yield* Effect.acquireRelease(
      Effect.sync(() =>
        parse({
          bom: true,
          encoding: null,
          skip_empty_lines: true,
          max_record_size: bytesMax,
          on_record: (cells, info) => {
            taken.push({ cells: cells.map(bytesOf), line: startsAt(info.empty_lines) })
            lines = info.lines
            emptyLines = info.empty_lines
            return null
          }
        })
          .on("error", () => {})
          .resume()
      ),
      parser => Effect.sync(() => parser.destroy())
    )

    const settle = (error: Error | null | undefined): Fed<CsvRecord, InvalidRow> => {
      const rows = taken
      taken = []
      if (error === null || error === undefined) return { rows }
      return {
        rows,
        fault:
          error instanceof CsvError
            ? new InvalidRow({
                file,
                line: startsAt(typeof error.empty_lines === "number" ? error.empty_lines : emptyLines),
                why: why(error, bytesMax)
              })
            : new InvalidRow({ file, line: startsAt(emptyLines), why: error.message })
      }
    }

    return (piece: Uint8Array | undefined) =>
      Effect.async<Fed<CsvRecord, InvalidRow>>(resume => {
        const done = (error?: Error | null) => resume(Effect.succeed(settle(error)))
        if (piece === undefined) parser.end(done)
        else parser.write(piece, done)
      })
  })

/**
 * The rows of a CSV file.
 *
 * @since 0.1.0
 * @category reading
 */
export const readCsv = <E, R>(
  bytes: Stream.Stream<Uint8Array, E, R>,
  options: {
    readonly file: string
    readonly limits: Limits.Limits
    readonly namespace: string
    readonly streamPrefix: string
    readonly streamFrom: string
    readonly typeFrom: string
  }
): Stream.Stream<Row, E | InvalidRow | FileUnusable | ValidationError.ValidationError, R> => {
  const { file, limits, namespace, streamFrom, streamPrefix, typeFrom } = options

  const decode = (record: CsvRecord): Either.Either<ReadonlyArray<string>, InvalidRow> =>
    Either.try({
      try: () => record.cells.map(cell => decoder.decode(cell)),
      catch: () => new InvalidRow({ file, line: record.line, why: "it is not UTF-8 text" })
    })

  const header = (record: CsvRecord) =>
    Either.gen(function* () {
      const names = yield* decode(record)
      const seen = new Set<string>()
      const twice = names.find(name => seen.size === seen.add(name).size)
      if (twice !== undefined) {
        return yield* Either.left(
          new InvalidRow({ file, line: record.line, why: `the header names the column '${twice.slice(0, 80)}' twice` })
        )
      }
      for (const [option, name] of [
        ["--stream-from", streamFrom],
        ["--type-from", typeFrom]
      ] as const) {
        if (names.includes(name)) continue
        return yield* Either.left(
          usage(`${option} names the column '${name}', ${file} has the columns ${names.join(", ").slice(0, 1000)}`)
        )
      }
      return { names, streamAt: names.indexOf(streamFrom), typeAt: names.indexOf(typeFrom) }
    })

  return Stream.unwrapScoped(
    Effect.map(makeReader(file, rowBytesMax(limits)), push => {
      let columns: Either.Either.Right<ReturnType<typeof header>> | undefined
      let ordinal = 0

      const convert = (
        record: CsvRecord
      ): Either.Either<Row | undefined, InvalidRow | ValidationError.ValidationError> => {
        if (columns === undefined) {
          return Either.map(header(record), found => {
            columns = found
            return undefined
          })
        }
        const { names, streamAt, typeAt } = columns
        return Either.flatMap(decode(record), cells => {
          ordinal++
          const row = makeRow({
            namespace,
            ordinal,
            limits,
            streamId: streamPrefix + (cells[streamAt] ?? ""),
            content: {
              eventType: cells[typeAt] ?? "",
              data: encoder.encode(
                JSON.stringify(Object.fromEntries(names.map((name, index) => [name, cells[index] ?? ""])))
              ),
              dataContentType: Event.contentTypeJson,
              metadata: null,
              metadataContentType: Event.contentTypeJson,
              tags: []
            }
          })
          return Either.mapLeft(row, why => new InvalidRow({ file, line: record.line, why }))
        })
      }

      return Stream.concat(
        feed(bytes, push, convert),
        Stream.suspend(() =>
          columns === undefined ? Stream.fail(new FileUnusable({ file, why: "has no header row" })) : Stream.empty
        )
      )
    })
  )
}
