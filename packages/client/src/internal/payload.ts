/**
 * Payloads as bytes with a content type, of events and snapshots alike.
 */
import * as Effect from "effect/Effect"
import { InvalidRequest } from "../StoreError.js"

export const contentTypeJson = "application/json"

export interface Payload {
  readonly data: Uint8Array
  readonly dataContentType: string
  readonly metadata: Uint8Array | null
  readonly metadataContentType: string
}

const encoder = new TextEncoder()
const decoder = new TextDecoder("utf-8", { fatal: true })

const encodeJson = (field: string, value: unknown): Effect.Effect<Uint8Array, InvalidRequest> =>
  Effect.suspend(() => {
    try {
      const text = JSON.stringify(value)
      return text === undefined
        ? Effect.fail(new InvalidRequest({ message: `${field} is not a JSON value` }))
        : Effect.succeed(encoder.encode(text))
    } catch (cause) {
      return Effect.fail(new InvalidRequest({ message: `${field} cannot be encoded as JSON: ${String(cause)}` }))
    }
  })

/** The value with JSON payloads beside its other fields. */
export const json = <A>(
  payload: { readonly data: unknown; readonly metadata?: unknown },
  rest: A
): Effect.Effect<A & Payload, InvalidRequest> =>
  Effect.gen(function* () {
    return {
      ...rest,
      data: yield* encodeJson("data", payload.data),
      dataContentType: contentTypeJson,
      metadata: payload.metadata === undefined ? null : yield* encodeJson("metadata", payload.metadata),
      metadataContentType: contentTypeJson
    }
  })

const decodeJson = (bytes: Uint8Array, contentType: string, what: string): Effect.Effect<unknown, InvalidRequest> =>
  contentType !== contentTypeJson
    ? Effect.fail(new InvalidRequest({ message: `${what} is ${contentType}, not ${contentTypeJson}` }))
    : Effect.try({
        try: (): unknown => JSON.parse(decoder.decode(bytes)),
        catch: cause => new InvalidRequest({ message: `${what} is not valid JSON: ${String(cause)}` })
      })

export const decodeData = (payload: Payload): Effect.Effect<unknown, InvalidRequest> =>
  decodeJson(payload.data, payload.dataContentType, "data")

export const decodeMetadata = (payload: Payload): Effect.Effect<unknown, InvalidRequest> =>
  payload.metadata === null
    ? Effect.succeed(null)
    : decodeJson(payload.metadata, payload.metadataContentType, "metadata")
