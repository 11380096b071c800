/**
 * NDJSON: a JSON object a line, `{"stream", "type", "data", "metadata"?, "tags"?, "id"?}`.
 *
 * @since 0.1.0
 */
import type { Limits } from "@reckon/client"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { jsonFault, memberTexts } from "../shared/json.js"
import { type Fed, feed, InvalidRow, makeRow, type Row, rowBytesMax } from "./rows.js"

const Line = Schema.Struct({
  stream: Schema.String,
  type: Schema.String,
  data: Schema.Unknown,
  metadata: Schema.optional(Schema.Unknown),
  tags: Schema.optional(
    Schema.Array(Schema.String.pipe(Schema.minLength(1), Schema.maxLength(512))).pipe(Schema.maxItems(64))
  ),
  id: Schema.optional(
    Schema.String.pipe(
      Schema.pattern(/^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/, { message: () => "it must be a UUID" })
    )
  )
})

/** A line's, with its payloads as JSON texts. */
interface Fields extends Omit<typeof Line.Type, "data" | "metadata"> {
  readonly data: string | undefined
  readonly metadata: string | undefined
}

const decodeLine = Schema.decodeUnknownEither(Line, { onExcessProperty: "error", exact: true })

const decoder = new TextDecoder("utf-8", { fatal: true })

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

  /** The payloads stay as they were written: a number may have more digits than a double. */
  const parse = (text: string): Either.Either<Fields, string> => {
    try {
      const value: unknown = JSON.parse(text)
      return Either.map(Either.mapLeft(decodeLine(value), issueOf), fields => {
        const written = memberTexts(text)
        return { ...fields, data: written.get("data"), metadata: written.get("metadata") }
      })
    } catch {
      return Either.left(`it is not JSON: ${jsonFault(text) ?? "unreadable"}`)
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
            eventType: fields.type,
            data: fields.data,
            metadata: fields.metadata,
            tags: fields.tags,
            id: fields.id
          })
        }),
        Either.mapLeft(why => new InvalidRow({ file, line: line.line, why }))
      )
    }
    return feed(bytes, makeReader(file, rowBytesMax(limits)), convert)
  })
}
