/**
 * JSON text from outside.
 *
 * @since 0.1.0
 */
import { StoreError } from "@reckon/client"
import * as Effect from "effect/Effect"

const blank = /[ \t\r\n]*/y
const key = /"(?:[^"\\\p{Cc}]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/uy
const scalar = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y

/**
 * Where a text stops being JSON: the offset of the first token that does not fit, the length of the text where something is missing at its end.
 * JSON.parse knows, but does not always say.
 */
const faultOffset = (text: string): number => {
  let at = 0
  const open: Array<"{" | "["> = []
  const match = (token: RegExp): boolean => {
    token.lastIndex = at
    if (!token.test(text)) return false
    at = token.lastIndex
    return true
  }
  const skip = (char: string): boolean => {
    match(blank)
    if (text[at] !== char) return false
    at++
    return true
  }
  const member = (): boolean => {
    match(blank)
    return match(key) && skip(":")
  }
  for (let wantsValue = true; ; ) {
    if (wantsValue) {
      if (skip("{")) {
        if (skip("}")) wantsValue = false
        else {
          open.push("{")
          if (!member()) return at
        }
      } else if (skip("[")) {
        if (skip("]")) wantsValue = false
        else open.push("[")
      } else if (match(key) || match(scalar)) wantsValue = false
      else return at
    } else {
      const inside = open.at(-1)
      if (inside === undefined) {
        match(blank)
        return at
      }
      if (skip(inside === "{" ? "}" : "]")) open.pop()
      else if (!skip(",")) return at
      else if (inside === "[" || member()) wantsValue = true
      else return at
    }
  }
}

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
  } catch {
    if (text.trim() === "") return "it is empty"
    const offset = faultOffset(text)
    return offset >= text.length
      ? `it breaks off at its end, after ${text.length} characters`
      : `it breaks at character ${offset + 1}, before ${JSON.stringify(text.slice(offset, offset + 20))}`
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
