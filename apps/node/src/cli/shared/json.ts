/**
 * JSON text from the command line.
 *
 * @since 0.1.0
 */
import { StoreError } from "@reckon/client"
import * as Effect from "effect/Effect"

/**
 * What is wrong with a JSON text and where, in a few words; undefined where it is JSON.
 *
 * @since 0.1.0
 * @category parsing
 */
export const jsonFault = (text: string): string | undefined => {
  try {
    JSON.parse(text)
    return undefined
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    return text.trim() === "" ? "it is empty" : message.replace(/\s+/g, " ").slice(0, 200)
  }
}

/**
 * The bytes of a JSON text, as it was written.
 *
 * @since 0.1.0
 * @category parsing
 */
export const jsonBytes = (option: string, text: string): Effect.Effect<Uint8Array, StoreError.InvalidRequest> =>
  Effect.suspend(() => {
    const fault = jsonFault(text)
    return fault === undefined
      ? Effect.succeed(new TextEncoder().encode(text.trim()))
      : new StoreError.InvalidRequest({ message: `${option} is not JSON: ${fault}` })
  })
