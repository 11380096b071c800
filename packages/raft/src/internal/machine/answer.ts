/**
 * What applying an entry answers, as bytes: a format number, the kind, its fields, and for a reply of the machine its bytes to the end.
 */
import type * as Either from "effect/Either"
import { RefusalReason } from "../../MachineError.js"
import { read, Writer } from "./binary.js"

const format = 1

export type Answer =
  /** The machine's reply. */
  | { readonly _tag: "Replied"; readonly reply: Uint8Array }
  /** It is done, and there is nothing to say about it. */
  | { readonly _tag: "Done" }
  | { readonly _tag: "Registered"; readonly session: number }
  | { readonly _tag: "Refused"; readonly reason: RefusalReason }
  | { readonly _tag: "SessionExpired" }
  | { readonly _tag: "SessionOutdated" }
  | { readonly _tag: "SessionOverloaded" }
  | { readonly _tag: "SessionsExhausted" }
  | { readonly _tag: "VersionConflict"; readonly effective: number }

/** How a kind is written: by its place here, for ever. The same holds for the reasons of a refusal. */
const kinds: ReadonlyArray<Answer["_tag"]> = [
  "Replied",
  "Done",
  "Registered",
  "Refused",
  "SessionExpired",
  "SessionOutdated",
  "SessionOverloaded",
  "SessionsExhausted",
  "VersionConflict"
]

export const encode = (answer: Answer): Uint8Array => {
  const writer = new Writer().byte(format).byte(kinds.indexOf(answer._tag))
  switch (answer._tag) {
    case "Replied":
      return writer.take(answer.reply)
    case "Registered":
      return writer.number(answer.session).take()
    case "Refused":
      return writer.byte(RefusalReason.literals.indexOf(answer.reason)).take()
    case "VersionConflict":
      return writer.number(answer.effective).take()
    default:
      return writer.take()
  }
}

export const decode = (bytes: Uint8Array): Either.Either<Answer, string> =>
  read(bytes, reader => {
    const written = reader.byte()
    if (written !== format) throw new Error(`it is in format ${written}, this release reads format ${format}`)
    const kind = kinds[reader.byte()]
    switch (kind) {
      case undefined:
        throw new Error("it is of no known kind")
      case "Replied":
        return { _tag: kind, reply: reader.rest() }
      case "Registered":
        return { _tag: kind, session: reader.number() }
      case "Refused": {
        const reason = RefusalReason.literals[reader.byte()]
        if (reason === undefined) throw new Error("it is a refusal for no known reason")
        return { _tag: kind, reason }
      }
      case "VersionConflict":
        return { _tag: kind, effective: reader.number() }
      default:
        return { _tag: kind }
    }
  })
