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

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/**
 * What is wrong with a JSON text and where, in a few words; undefined where it is JSON.
 *
 * @since 0.1.0
 * @category parsing
 */
export const jsonFault = (text: string): string | undefined => {
  if (isJson(text)) return undefined
  if (text.trim() === "") return "it is empty"
  const offset = faultOffset(text)
  return offset >= text.length
    ? `it breaks off at its end, after ${text.length} characters`
    : `it breaks at character ${offset + 1}, before ${JSON.stringify(text.slice(offset, offset + 20))}`
}

const quote = 0x22
const backslash = 0x5c

/** Behind the string that begins there. */
const stringEnd = (text: string, from: number): number => {
  for (let at = from + 1; ; at++) {
    const code = text.charCodeAt(at)
    if (code === quote) return at + 1
    if (code === backslash) at++
  }
}

/**
 * The values of an object's members as they were written, by name: `JSON.parse` would round their numbers. Of several members of one name it is the last. The text must be one that
 * `JSON.parse` takes, and an object.
 *
 * @since 0.1.0
 * @category parsing
 */
export const memberTexts = (text: string): ReadonlyMap<string, string> => {
  const found = new Map<string, string>()
  let name: string | undefined
  let begin = 0
  let depth = 0
  const end = (at: number) => {
    if (name !== undefined) found.set(name, text.slice(begin, at).trim())
    name = undefined
  }
  for (let at = 0; at < text.length; at++) {
    switch (text[at]) {
      case '"': {
        const next = stringEnd(text, at)
        if (depth === 1 && name === undefined) name = String(JSON.parse(text.slice(at, next)))
        at = next - 1
        break
      }
      case ":":
        if (depth === 1) begin = at + 1
        break
      case ",":
        if (depth === 1) end(at)
        break
      case "{":
      case "[":
        depth++
        break
      case "}":
      case "]":
        if (depth === 1) end(at)
        depth--
        break
    }
  }
  return found
}

/**
 * A JSON text on one line, otherwise as it was written: to print what `JSON.parse` makes of it would round its numbers. Undefined where it is not JSON.
 *
 * In JSON the characters that end a line stand outside of strings, as blanks, but for U+2028 and U+2029, which stand inside.
 *
 * @since 0.1.0
 * @category printing
 */
export const jsonLine = (text: string): string | undefined =>
  isJson(text)
    ? text
        .trim()
        .replace(/[\r\n]/g, " ")
        .replaceAll("\u2028", "\\u2028")
        .replaceAll("\u2029", "\\u2029")
    : undefined

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
