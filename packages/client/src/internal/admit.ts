/**
 * Appends that may leave.
 */
import * as Either from "effect/Either"
import * as Limits from "../Limits.js"
import { Append } from "../StoreRpcs.js"
import { checked } from "./checked.js"
import { isAppend } from "./shapes.js"

/** An append that some store could take, and what it weighs in a request. */
export interface Admitted {
  readonly append: Append
  readonly bytes: number
}

const valid = checked(Append, isAppend)

export const admit = (append: Append, limits: Limits.Limits): Either.Either<Admitted, Limits.Refusal> =>
  Either.flatMap(valid(append), append =>
    Either.map(Limits.checkAppends([append], limits), bytes => ({ append, bytes }))
  )
