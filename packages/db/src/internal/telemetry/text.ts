import * as Cause from "effect/Cause"
import * as Inspectable from "effect/Inspectable"
import * as Predicate from "effect/Predicate"

const limited = (text: string, charactersMax: number): string =>
  text.length <= charactersMax ? text : `${text.slice(0, charactersMax)}…`

/** A value of any kind as text of a limited size. Values come from anywhere, and one that cannot be printed must not fail whoever wants to log it. */
export const printed = (value: unknown, charactersMax: number): string => {
  try {
    return limited(Inspectable.toStringUnknown(value, 0) ?? String(value), charactersMax)
  } catch {
    return "(not printable)"
  }
}

export const printedCause = (cause: Cause.Cause<unknown>, charactersMax: number): string => {
  try {
    return limited(Cause.pretty(cause), charactersMax)
  } catch {
    return "(not printable)"
  }
}

const messageOf = (error: unknown): unknown =>
  Predicate.hasProperty(error, "message") && typeof error.message === "string" ? error.message : error

const tagOf = (error: unknown): string =>
  Predicate.hasProperty(error, "_tag") && typeof error._tag === "string"
    ? error._tag
    : error instanceof Error
      ? error.name
      : "Failure"

/** Why something failed: one word, and what there is to say about it. */
export const reasonOf = (cause: Cause.Cause<unknown>): { readonly reason: string; readonly detail: string } => {
  if (Cause.isInterruptedOnly(cause)) return { reason: "Interrupted", detail: "" }
  const failure = Cause.failureOption(cause)
  return failure._tag === "Some"
    ? { reason: printed(tagOf(failure.value), 64), detail: printed(messageOf(failure.value), 256) }
    : { reason: "Defect", detail: printed(messageOf(Cause.squash(cause)), 256) }
}
