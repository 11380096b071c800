/**
 * NDJSON: a JSON object a line, `{"stream", "type", "data", "metadata"?, "tags"?, "id"?}`.
 *
 * What is no JSON, or not on one line, stands as base64 in `dataBase64` and `metadataBase64` instead, and `dataContentType` and `metadataContentType` say how it is to be read where that is
 * not as JSON. So a line has every byte of an event. `position`, `version` and `epochUs` say where the event was and when it was committed; whoever reads the line passes over them.
 *
 * @since 0.1.0
 */
import { isUtf8 } from "node:buffer"
import { Event, type Limits } from "@reckon/client"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { jsonFault, jsonLine, memberTexts } from "../shared/json.js"
import { type Fed, feed, InvalidRow, makeRow, type Row, rowBytesMax } from "./rows.js"

const Base64 = Schema.String.pipe(
  Schema.filter(text => (Buffer.from(text, "base64").toString("base64") === text ? undefined : "it must be base64"))
)

const Line = Schema.Struct({
  stream: Schema.String,
  type: Schema.String,
  data: Schema.optional(Schema.Unknown),
  dataBase64: Schema.optional(Base64),
  dataContentType: Schema.optional(Event.ContentType),
  metadata: Schema.optional(Schema.Unknown),
  metadataBase64: Schema.optional(Base64),
  metadataContentType: Schema.optional(Event.ContentType),
  tags: Schema.optional(
    Schema.Array(Schema.String.pipe(Schema.minLength(1), Schema.maxLength(512))).pipe(Schema.maxItems(64))
  ),
  id: Schema.optional(
    Schema.String.pipe(
      Schema.pattern(/^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/, { message: () => "it must be a UUID" })
    )
  ),
  position: Schema.optional(Event.Position),
  version: Schema.optional(Event.Version),
  epochUs: Schema.optional(Schema.NonNegativeInt)
})

type Line = typeof Line.Type

const decodeLine = Schema.decodeUnknownEither(Line, { onExcessProperty: "error", exact: true })

const decoder = new TextDecoder("utf-8", { fatal: true })
const exactDecoder = new TextDecoder("utf-8", { ignoreBOM: true })
const encoder = new TextEncoder()

// -----------------------------------------------------------------------------
// writing
// -----------------------------------------------------------------------------

/** A payload as members of the line. JSON stands there as it is where a reader gets the same bytes of it again. */
const payloadMembers = (name: "data" | "metadata", bytes: Uint8Array | null, contentType: string): string => {
  const type = contentType === Event.contentTypeJson ? "" : `,"${name}ContentType":${JSON.stringify(contentType)}`
  if (bytes === null) return type
  const text = type === "" && isUtf8(bytes) ? exactDecoder.decode(bytes) : undefined
  // Metadata that is null is none.
  return text !== undefined && jsonLine(text) === text && !(name === "metadata" && text === "null")
    ? `,"${name}":${text}`
    : `,"${name}Base64":"${Buffer.from(bytes).toString("base64")}"${type}`
}

/**
 * An event as a line, without its end.
 *
 * @since 0.1.0
 * @category writing
 */
export const eventRow = (event: Event.RecordedEvent): string => {
  const head = JSON.stringify({
    position: event.position,
    stream: event.streamId,
    version: event.version,
    type: event.eventType,
    id: event.eventId,
    epochUs: event.epochUs,
    ...(event.tags.length === 0 ? {} : { tags: event.tags })
  })
  const data = payloadMembers("data", event.data, event.dataContentType)
  return `${head.slice(0, -1)}${data}${payloadMembers("metadata", event.metadata, event.metadataContentType)}}`
}

// -----------------------------------------------------------------------------
// reading
// -----------------------------------------------------------------------------

const lineFeed = 0x0a
const carriageReturn = 0x0d

interface NdjsonLine {
  readonly bytes: Uint8Array
  readonly line: number
}

/** Cuts the file into lines, leaving out empty ones; none may be longer than `bytesMax`. */
const makeReader = (file: string, bytesMax: number) => {
  let pieces: Array<Uint8Array> = []
  let held = 0
  let line = 1

  const takeLine = (): Uint8Array => {
    const whole = pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces, held)
    pieces = []
    held = 0
    return whole.at(-1) === carriageReturn ? whole.subarray(0, -1) : whole
  }

  const keep = (piece: Uint8Array): boolean => {
    if (piece.length > 0) pieces.push(piece)
    held += piece.length
    return held <= bytesMax
  }

  return (piece: Uint8Array | undefined) =>
    Effect.sync((): Fed<NdjsonLine, InvalidRow> => {
      const rows: Array<NdjsonLine> = []
      const tooLong = () => new InvalidRow({ file, line, why: `the line has more than ${bytesMax} bytes` })
      const put = () => {
        const whole = takeLine()
        if (whole.length > 0) rows.push({ bytes: whole, line })
        line++
      }
      if (piece === undefined) {
        put()
        return { rows }
      }
      let at = 0
      for (let end = piece.indexOf(lineFeed); end >= 0; end = piece.indexOf(lineFeed, at)) {
        if (!keep(piece.subarray(at, end))) return { rows, fault: tooLong() }
        put()
        at = end + 1
      }
      // A copy, or a short rest would hold on to the whole piece.
      return keep(piece.slice(at)) ? { rows } : { rows, fault: tooLong() }
    })
}

const issueOf = (error: ParseResult.ParseError): string => {
  const issue = ParseResult.ArrayFormatter.formatErrorSync(error)[0]
  const field = issue?.path.join(".") ?? ""
  const message = (issue?.message ?? "it does not fit").split("\n", 1)[0]?.slice(0, 200) ?? ""
  return field === "" ? message : `"${field}": ${message}`
}

/** The bytes of a line's payloads. */
interface Payloads {
  readonly data: Uint8Array
  readonly metadata: Uint8Array | null
}

/** JSON stays as it was written: a number may have more digits than a double. */
const payloadsOf = (line: Line, text: string): Either.Either<Payloads, string> => {
  const written = memberTexts(text)
  const bytesOf = (json: string | undefined, base64: string | undefined) =>
    json !== undefined ? encoder.encode(json) : base64 !== undefined ? Buffer.from(base64, "base64") : null
  for (const name of ["data", "metadata"] as const) {
    if (written.has(name) && line[`${name}Base64`] !== undefined) {
      return Either.left(`it has both "${name}" and "${name}Base64"`)
    }
  }
  const data = bytesOf(written.get("data"), line.dataBase64)
  if (data === null) return Either.left('"data": is missing')
  const metadata = written.get("metadata")
  return Either.right({ data, metadata: bytesOf(metadata === "null" ? undefined : metadata, line.metadataBase64) })
}

/**
 * The rows of an NDJSON file.
 *
 * @since 0.1.0
 * @category reading
 */
export const readNdjson = <E, R>(
  bytes: Stream.Stream<Uint8Array, E, R>,
  options: {
    readonly file: string
    readonly limits: Limits.Limits
    readonly namespace: string
    readonly streamPrefix: string
  }
): Stream.Stream<Row, E | InvalidRow, R> => {
  const { file, limits, namespace, streamPrefix } = options

  const parse = (text: string): Either.Either<Line & Payloads, string> => {
    try {
      const value: unknown = JSON.parse(text)
      return Either.flatMap(Either.mapLeft(decodeLine(value), issueOf), line =>
        Either.map(payloadsOf(line, text), payloads => ({ ...line, ...payloads }))
      )
    } catch {
      const fault = jsonFault(text)
      // Of what does not fit and is very deep, not even that can be said.
      return Either.left(fault === undefined ? "it is not an object with a row's members" : `it is not JSON: ${fault}`)
    }
  }

  const textOf = (line: NdjsonLine): Either.Either<string, string> =>
    Either.try({ try: () => decoder.decode(line.bytes), catch: () => "it is not UTF-8 text" })

  return Stream.suspend(() => {
    let ordinal = 0
    const convert = (line: NdjsonLine): Either.Either<Row | undefined, InvalidRow> => {
      const text = textOf(line)
      if (Either.isRight(text) && text.right.trim() === "") return Either.right(undefined)
      return Either.flatMap(text, parse).pipe(
        Either.flatMap(fields => {
          ordinal++
          return makeRow({
            namespace,
            ordinal,
            limits,
            streamId: streamPrefix + fields.stream,
            content: {
              eventType: fields.type,
              data: fields.data,
              dataContentType: fields.dataContentType ?? Event.contentTypeJson,
              metadata: fields.metadata,
              metadataContentType: fields.metadataContentType ?? Event.contentTypeJson,
              tags: fields.tags ?? []
            },
            id: fields.id
          })
        }),
        Either.mapLeft(why => new InvalidRow({ file, line: line.line, why }))
      )
    }
    return feed(bytes, makeReader(file, rowBytesMax(limits)), convert)
  })
}
