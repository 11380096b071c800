/**
 * How results look on standard output.
 *
 * @since 0.1.0
 */
import { isUtf8 } from "node:buffer"
import { Event, type Snapshot } from "@reckon/client"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { jsonLine } from "./json.js"
import { type OutputClosed, type OutputFailed, Stdio } from "./Stdio.js"
import * as Time from "./time.js"

const decoder = new TextDecoder()

/**
 * A payload as JSON text on one line. JSON goes out as it was written (numbers beyond a double's precision keep their digits), anything else as
 * `{"base64": …}`.
 */
const payload = (bytes: Uint8Array | null, contentType: string): string => {
  if (bytes === null) return "null"
  // It may only claim to be JSON; what it is goes out unharmed.
  const line = contentType === Event.contentTypeJson && isUtf8(bytes) ? jsonLine(decoder.decode(bytes)) : undefined
  return line ?? JSON.stringify({ base64: Buffer.from(bytes).toString("base64") })
}

/**
 * An event as one JSON object on one line.
 *
 * @since 0.1.0
 * @category printing
 */
export const eventJson = (event: Event.RecordedEvent): string => {
  const head = JSON.stringify({
    eventId: event.eventId,
    streamId: event.streamId,
    version: event.version,
    position: event.position,
    eventType: event.eventType
  })
  const data = payload(event.data, event.dataContentType)
  const metadata = payload(event.metadata, event.metadataContentType)
  const tags = JSON.stringify(event.tags)
  return `${head.slice(0, -1)},"data":${data},"metadata":${metadata},"tags":${tags},"epochUs":${event.epochUs}}`
}

/**
 * Text from outside, harmless on a terminal: control characters are written out.
 *
 * @since 0.1.0
 * @category printing
 */
export const plain = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is being replaced
  text.replace(/[\u0000-\u001f\u007f-\u009f]/g, char => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`)

/**
 * An event as a line for people.
 *
 * @since 0.1.0
 * @category printing
 */
export const eventLine = (event: Event.RecordedEvent): string => {
  const parts = [
    String(event.position),
    `${event.streamId}@${event.version}`,
    event.eventType,
    Time.format(event.epochUs),
    payload(event.data, event.dataContentType)
  ]
  if (event.metadata !== null) parts.push(`metadata ${payload(event.metadata, event.metadataContentType)}`)
  if (event.tags.length > 0) parts.push(`tags ${event.tags.join(",")}`)
  return plain(parts.join("  "))
}

/**
 * A snapshot as one JSON object on one line.
 *
 * @since 0.1.0
 * @category printing
 */
export const snapshotJson = (snapshot: Snapshot.Snapshot): string => {
  const head = JSON.stringify({ streamId: snapshot.streamId, version: snapshot.version })
  const data = payload(snapshot.data, snapshot.dataContentType)
  const metadata = payload(snapshot.metadata, snapshot.metadataContentType)
  return `${head.slice(0, -1)},"data":${data},"metadata":${metadata},"epochUs":${snapshot.epochUs}}`
}

/**
 * A snapshot as a line for people.
 *
 * @since 0.1.0
 * @category printing
 */
export const snapshotLine = (snapshot: Snapshot.Snapshot): string => {
  const parts = [
    `${snapshot.streamId}@${snapshot.version}`,
    Time.format(snapshot.epochUs),
    payload(snapshot.data, snapshot.dataContentType)
  ]
  if (snapshot.metadata !== null) parts.push(`metadata ${payload(snapshot.metadata, snapshot.metadataContentType)}`)
  return plain(parts.join("  "))
}

/**
 * One JSON value as a line.
 *
 * @since 0.1.0
 * @category printing
 */
export const printJson = (value: unknown): Effect.Effect<void, OutputClosed | OutputFailed, Stdio> =>
  printLine(JSON.stringify(value))

/**
 * @since 0.1.0
 * @category printing
 */
export const printLine = (line: string): Effect.Effect<void, OutputClosed | OutputFailed, Stdio> =>
  Effect.flatMap(Stdio, stdio => stdio.out(`${line}\n`))

/** Text handed to the stream in one piece, at most about so many characters. */
const pieceChars = 256 * 1024

/**
 * Prints a line per element, a chunk at a time; the next is not asked for before the last is taken.
 *
 * @since 0.1.0
 * @category printing
 */
export const printAll = <A, E, R>(
  elements: Stream.Stream<A, E, R>,
  line: (element: A) => string
): Effect.Effect<void, E | OutputClosed | OutputFailed, R | Stdio> =>
  Effect.flatMap(Stdio, stdio =>
    Stream.runForEachChunk(elements, chunk =>
      Effect.suspend(() => {
        const pieces: Array<string> = [""]
        for (const element of Chunk.toReadonlyArray(chunk)) {
          const last = pieces.length - 1
          const text = `${pieces[last] ?? ""}${line(element)}\n`
          pieces[last] = text
          if (text.length > pieceChars) pieces.push("")
        }
        return Effect.forEach(pieces, piece => (piece === "" ? Effect.void : stdio.out(piece)), { discard: true })
      })
    )
  )
