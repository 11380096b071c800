/**
 * What a store's answer to one attempt says about all attempts of the same append.
 *
 * An append is made again when nobody knows what became of an attempt. Two facts make that safe and tell what the next answer means:
 *
 * - An attempt whose events are all in the store already succeeds, whatever the expectations and the condition say by then, and whatever became of the streams: so *success* holds for the
 *   append, whichever attempt it was that wrote.
 * - So an attempt that is *refused* found that no earlier one had written. But an earlier one may be under way still, in a connection or in the log of a leader that was cut off, and
 *   arrive later. The refusal is the last word only if the store can never come to accept the same append.
 *
 * It can never accept it again after
 * - `WrongExpectedVersion` of an exact version that the stream has passed: versions only grow, also through deletion and re-creation;
 * - `EventIdConflict`: the event that has the id stays;
 * - `StreamTombstoned`: that is for good.
 *
 * It can after
 * - `WrongExpectedVersion` of everything else: a stream can be deleted (`no_stream`), created (`stream_exists`), or grow (a version it has not reached);
 * - `AppendConditionFailed`: the event that broke the condition can be hidden, by deleting its stream or by what that keeps.
 *
 * Then the answer is `OutcomeUnknown`. For a batch one refusal that is final is enough, for it is written whole or not at all.
 */
import * as Either from "effect/Either"
import * as ExpectedVersion from "../ExpectedVersion.js"
import { type AppendError, OutcomeUnknown } from "../StoreError.js"
import type { Append } from "../StoreRpcs.js"
import type { History } from "./attempts.js"

const isFinal = (appends: ReadonlyArray<Append>, refusal: AppendError): boolean => {
  switch (refusal._tag) {
    case "EventIdConflict":
    case "StreamTombstoned":
      return true
    case "AppendConditionFailed":
      return false
    case "WrongExpectedVersion":
      return appends.some(
        ({ expectedVersion, streamId }) =>
          streamId === refusal.streamId && !ExpectedVersion.canYetBeMet(expectedVersion, refusal.actual)
      )
  }
}

/** `answer` undefined: the node's answer leaves the appends out. */
export const conclude = <A>(
  appends: ReadonlyArray<Append>,
  answer: Either.Either<A, AppendError> | undefined,
  { uncertain }: History
): Either.Either<A, AppendError | OutcomeUnknown> => {
  if (answer === undefined) {
    return Either.left(new OutcomeUnknown({ detail: "the node's answer leaves the append out" }))
  }
  if (uncertain === undefined || Either.isRight(answer) || isFinal(appends, answer.left)) return answer
  return Either.left(
    new OutcomeUnknown({ detail: `${uncertain}; another attempt was refused: ${answer.left.message}` })
  )
}
