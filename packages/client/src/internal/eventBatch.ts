/**
 * Recorded events on the wire: as one string of bytes. A page has up to a thousand of them, and a message that names each field of each, and a schema that looks at each, cost both ends more than the
 * events do.
 *
 * ```
 * header     events 4 · bytes of the texts 4 · bytes of the heads 4
 * ids        16 each
 * texts      an array in JSON, each text once
 * heads      each: version 8 · position 8 · epochUs 8, float64 like every number of JavaScript ·
 *            places among the texts: stream 4, type 4, content type of the data 4, of the metadata 4 ·
 *            length of the data 4 · of the metadata 4, one more than it is, 0 for none · tags 4, and the place of each 4
 * payloads   each: data, metadata
 * ```
 *
 * Nothing at all stands for no events. Numbers are big-endian, all but the float64s uint32s. What is read is checked as `RecordedEvent` would. A payload is a view of the bytes it came in.
 */
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import type { RecordedEvent } from "../Event.js"
import * as EventIdBytes from "../EventIdBytes.js"
import { hasControl, isCount, isName, tagsMax, textMax, typeMax } from "./shapes.js"

const headerBytes = 12
/** Of an event without tags. */
const headBytes = 52
const placeBytes = 4

const none = new Uint8Array(0)
const encoder = new TextEncoder()
const decoder = new TextDecoder("utf-8", { fatal: true })

/** The bytes, or which id is none. */
export const pack = (events: ReadonlyArray<RecordedEvent>): Either.Either<Uint8Array, string> => {
  if (events.length === 0) return Either.right(none)
  const placeOf = new Map<string, number>()
  const place = (text: string): number => {
    const known = placeOf.get(text)
    if (known !== undefined) return known
    placeOf.set(text, placeOf.size)
    return placeOf.size - 1
  }

  const ids = new Uint8Array(events.length * EventIdBytes.length)
  let headsLength = 0
  let payloadsLength = 0
  for (const { data, metadata, tags } of events) {
    headsLength += headBytes + tags.length * placeBytes
    payloadsLength += data.length + (metadata?.length ?? 0)
  }
  const heads = new DataView(new ArrayBuffer(headsLength))
  let at = 0
  let idAt = 0
  for (const event of events) {
    if (!EventIdBytes.write(event.eventId, ids, idAt)) return Either.left(`"${event.eventId}" is no event id`)
    idAt += EventIdBytes.length
    heads.setFloat64(at, event.version)
    heads.setFloat64(at + 8, event.position)
    heads.setFloat64(at + 16, event.epochUs)
    heads.setUint32(at + 24, place(event.streamId))
    heads.setUint32(at + 28, place(event.eventType))
    heads.setUint32(at + 32, place(event.dataContentType))
    heads.setUint32(at + 36, place(event.metadataContentType))
    heads.setUint32(at + 40, event.data.length)
    heads.setUint32(at + 44, event.metadata === null ? 0 : event.metadata.length + 1)
    heads.setUint32(at + 48, event.tags.length)
    at += headBytes
    for (const tag of event.tags) {
      heads.setUint32(at, place(tag))
      at += placeBytes
    }
  }

  const texts = encoder.encode(JSON.stringify([...placeOf.keys()]))
  const bytes = new Uint8Array(headerBytes + ids.length + texts.length + headsLength + payloadsLength)
  const header = new DataView(bytes.buffer)
  header.setUint32(0, events.length)
  header.setUint32(4, texts.length)
  header.setUint32(8, headsLength)
  let end = headerBytes
  const put = (part: Uint8Array) => {
    bytes.set(part, end)
    end += part.length
  }
  put(ids)
  put(texts)
  put(new Uint8Array(heads.buffer))
  for (const { data, metadata } of events) {
    put(data)
    if (metadata !== null) put(metadata)
  }
  return Either.right(bytes)
}

const isText = (value: unknown): value is string => isName(value, textMax)

/** Each of them could be the name of something, though perhaps not of what it stands for. */
const readTexts = (bytes: Uint8Array): ReadonlyArray<string> | undefined => {
  try {
    const texts: unknown = JSON.parse(decoder.decode(bytes))
    return Array.isArray(texts) && texts.every(isText) ? texts : undefined
  } catch {
    return undefined
  }
}

const isContentType = (text: string | undefined): text is string => text !== undefined && text.length <= typeMax

/** The events, or what is wrong with the bytes. */
export const unpack = (bytes: Uint8Array): Either.Either<ReadonlyArray<RecordedEvent>, string> => {
  const events: Array<RecordedEvent> = []
  if (bytes.length === 0) return Either.right(events)
  if (bytes.length < headerBytes) return Either.left("they end within their header")
  const { buffer, byteOffset } = bytes
  const view = new DataView(buffer, byteOffset, bytes.length)
  const count = view.getUint32(0)
  const textsAt = headerBytes + count * EventIdBytes.length
  const headsAt = textsAt + view.getUint32(4)
  const headsEnd = headsAt + view.getUint32(8)
  if (headsEnd > bytes.length) return Either.left("they end before their payloads")
  const texts = readTexts(bytes.subarray(textsAt, headsAt))
  if (texts === undefined) return Either.left("their texts are none")
  const idAt = EventIdBytes.texts(bytes.subarray(headerBytes, textsAt))

  const textAt = (at: number): string | undefined => texts[view.getUint32(at)]
  let at = headsAt
  let payloadsEnd = headsEnd
  const payload = (length: number): Uint8Array => {
    payloadsEnd += length
    return new Uint8Array(buffer, byteOffset + payloadsEnd - length, length)
  }
  for (let nth = 0; nth < count; nth++) {
    if (at + headBytes > headsEnd) return Either.left(`their heads end within event ${nth}`)
    const version = view.getFloat64(at)
    const position = view.getFloat64(at + 8)
    const epochUs = view.getFloat64(at + 16)
    if (!isCount(version) || !isCount(position) || !isCount(epochUs)) return Either.left(`event ${nth} has no place`)
    const streamId = textAt(at + 24)
    const eventType = textAt(at + 28)
    const dataContentType = textAt(at + 32)
    const metadataContentType = textAt(at + 36)
    if (streamId === undefined || hasControl(streamId)) return Either.left(`event ${nth} has no stream`)
    if (eventType === undefined) return Either.left(`event ${nth} has no type`)
    if (!isContentType(dataContentType) || !isContentType(metadataContentType)) {
      return Either.left(`event ${nth} has no content type`)
    }
    const dataLength = view.getUint32(at + 40)
    const metadataLength = view.getUint32(at + 44) - 1
    const tagCount = view.getUint32(at + 48)
    at += headBytes
    if (tagCount > tagsMax) return Either.left(`event ${nth} has ${tagCount} tags`)
    if (at + tagCount * placeBytes > headsEnd) return Either.left(`their heads end within event ${nth}`)
    const tags: Array<string> = []
    for (const tagsEnd = at + tagCount * placeBytes; at < tagsEnd; at += placeBytes) {
      const tag = textAt(at)
      if (tag === undefined) return Either.left(`event ${nth} has a tag that is none`)
      tags.push(tag)
    }
    if (payloadsEnd + dataLength + Math.max(0, metadataLength) > bytes.length) {
      return Either.left(`they end within the payload of event ${nth}`)
    }
    events.push({
      eventId: idAt(nth),
      eventType,
      data: payload(dataLength),
      dataContentType,
      metadata: metadataLength < 0 ? null : payload(metadataLength),
      metadataContentType,
      tags,
      streamId,
      version,
      position,
      epochUs
    })
  }
  return at === headsEnd && payloadsEnd === bytes.length ? Either.right(events) : Either.left("more lies in them")
}

const isEvents = (value: unknown): value is ReadonlyArray<RecordedEvent> => Array.isArray(value)

/** Decodes by {@link unpack}; events in memory are not looked at again. */
export const EventBatch: Schema.Schema<ReadonlyArray<RecordedEvent>, Uint8Array> = Schema.transformOrFail(
  Schema.Uint8ArrayFromSelf,
  Schema.declare(isEvents),
  {
    strict: true,
    decode: (bytes, _, ast) =>
      Either.mapLeft(unpack(bytes), why => new ParseResult.Type(ast, bytes, `these bytes are no events: ${why}`)),
    encode: (events, _, ast) =>
      Either.mapLeft(pack(events), why => new ParseResult.Type(ast, events, `these events cannot be sent: ${why}`))
  }
).annotations({ identifier: "EventBatch" })
