/**
 * Tests for what passes by in large numbers, field by field as the schemas `Append`, `Appended` and those of the most frequent reads have them. A schema that is walked through node by node for each
 * event costs more than ten times as much.
 */

const surrogate = /\p{Surrogate}/u
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is being refused
const control = /[\u0000-\u001f\u007f]/
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

const storeId = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/

export const tagsMax = 64
const pageEventsMax = 1000
/** Characters of a name: of a stream, a type, a tag. */
export const textMax = 512
/** Characters of a content type. */
export const typeMax = 128

export const isName = (value: unknown, lengthMax: number): value is string =>
  typeof value === "string" && value.length > 0 && value.length <= lengthMax && !surrogate.test(value)

const isTag = (value: unknown): value is string => isName(value, textMax)

const isInteger = (value: unknown): value is number => typeof value === "number" && Number.isSafeInteger(value)

export const isCount = (value: unknown): value is number => isInteger(value) && value >= 0

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const isNewEvent = (value: unknown): boolean => {
  if (!isObject(value)) return false
  const { eventId, metadata, tags } = value
  return (
    typeof eventId === "string" &&
    uuid.test(eventId) &&
    isName(value.eventType, textMax) &&
    value.data instanceof Uint8Array &&
    isName(value.dataContentType, typeMax) &&
    (metadata === null || metadata instanceof Uint8Array) &&
    isName(value.metadataContentType, typeMax) &&
    Array.isArray(tags) &&
    tags.length <= tagsMax &&
    tags.every(isTag)
  )
}

export const hasControl = (text: string): boolean => control.test(text)

const isStreamId = (value: unknown): boolean => isName(value, textMax) && !hasControl(value)

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

// -----------------------------------------------------------------------------
// reads
// -----------------------------------------------------------------------------

/** What the reads below may ask, by name. */
const asked = {
  store: (value: unknown) => typeof value === "string" && storeId.test(value),
  streamId: isStreamId,
  from: isInteger,
  count: (value: unknown) => isCount(value) && value <= pageEventsMax,
  direction: (value: unknown) => value === "forward" || value === "backward",
  asOf: (value: unknown) => value === null || (isInteger(value) && value >= -1),
  epochUs: isInteger,
  version: (value: unknown) => value === null || isCount(value),
  consistency: (value: unknown) => value === "linearizable" || value === "local"
}

const asks = (...names: ReadonlyArray<keyof typeof asked>) => {
  const fields = names.map(name => ({ name, isValid: asked[name] }))
  return (value: unknown): boolean => isObject(value) && fields.every(({ isValid, name }) => isValid(value[name]))
}

export const isRead = asks("store", "streamId", "from", "count", "direction", "consistency")
export const isReadAll = asks("store", "from", "count", "direction", "asOf", "consistency")
export const isVersionAt = asks("store", "streamId", "epochUs", "consistency")
export const isPositionAt = asks("store", "epochUs", "consistency")
export const isGetVersion = asks("store", "streamId", "consistency")
export const isLoadSnapshot = asks("store", "streamId", "version", "consistency")
