/**
 * Tests for what passes by in large numbers, field by field as the schemas `RecordedEvent`, `Append` and `Appended` have them. A schema that is walked through node by node for each
 * event costs more than ten times as much.
 */

const surrogate = /\p{Surrogate}/u
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is being refused
const control = /[\u0000-\u001f\u007f]/
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

const tagsMax = 64

const isName = (value: unknown, lengthMax: number): value is string =>
  typeof value === "string" && value.length > 0 && value.length <= lengthMax && !surrogate.test(value)

const isTag = (value: unknown): value is string => isName(value, 512)

const isInteger = (value: unknown): value is number => typeof value === "number" && Number.isSafeInteger(value)

const isCount = (value: unknown): value is number => isInteger(value) && value >= 0

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** What events have in common, on their way there and back. */
const isPayload = (value: Readonly<Record<string, unknown>>): boolean => {
  const { eventId, metadata, tags } = value
  return (
    typeof eventId === "string" &&
    uuid.test(eventId) &&
    isName(value.eventType, 512) &&
    value.data instanceof Uint8Array &&
    isName(value.dataContentType, 128) &&
    (metadata === null || metadata instanceof Uint8Array) &&
    isName(value.metadataContentType, 128) &&
    Array.isArray(tags) &&
    tags.length <= tagsMax &&
    tags.every(isTag)
  )
}

const isStreamId = (value: unknown): boolean => isName(value, 512) && !control.test(value)

export const isRecordedEvent = (value: unknown): boolean =>
  isObject(value) &&
  isPayload(value) &&
  isStreamId(value.streamId) &&
  isCount(value.version) &&
  isCount(value.position) &&
  isCount(value.epochUs)

const isNewEvent = (value: unknown): boolean => isObject(value) && isPayload(value)

const isExpectedVersion = (value: unknown): boolean =>
  isCount(value) || value === "any" || value === "no_stream" || value === "stream_exists"

export const isAppend = (value: unknown): boolean =>
  isObject(value) &&
  isStreamId(value.streamId) &&
  isExpectedVersion(value.expectedVersion) &&
  Array.isArray(value.events) &&
  value.events.every(isNewEvent)

export const isAppended = (value: unknown): boolean =>
  isObject(value) &&
  isStreamId(value.streamId) &&
  isInteger(value.version) &&
  isInteger(value.position) &&
  isCount(value.alreadyPresent)
