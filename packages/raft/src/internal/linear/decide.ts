import * as Option from "effect/Option"
import type { Model } from "../../Linearizability.js"
import { assertInvariant } from "../core/invariant.js"
import { type Result, search } from "./search.js"
import { knownAt, type Operation, timeline } from "./timeline.js"

/** `order`: the ids in an order that explains every answer, if one was found. */
export interface Decision {
  readonly order: ReadonlyArray<number> | undefined
  readonly result: Result
}

export const decide = <Input, Output, State>(
  model: Model<Input, Output, State>,
  operations: ReadonlyArray<Operation<Input, Output>>,
  stepsMax: number
): Decision => {
  let order: ReadonlyArray<number> | undefined
  const result = search<Input, Output, State>({
    timeline: timeline(operations, ({ input }, output) => model.observes(input, output)),
    init: model.init,
    attempt: (state, { ending, input }) => {
      const [after, output] = model.apply(state, input)
      return ending._tag === "Returned" && !model.sameOutput(output, ending.output) ? Option.none() : Option.some(after)
    },
    sameState: model.sameState,
    stepsMax,
    onOrder: (_, found) => {
      order = found().map(({ id }) => id)
      return true
    }
  })
  return { result, order }
}

/** The operations on one key in the shortest beginning of the history that violates, which has `end` events. */
export interface Shortest<Input, Output> {
  readonly operations: ReadonlyArray<Operation<Input, Output>>
  readonly end: number
  /** The operation whose end is the last event. */
  readonly culprit: Operation<Input, Output>
  /** False where the limit on steps left a shorter one possible. */
  readonly isShortest: boolean
  readonly steps: number
}

/**
 * Shortens `operations`, which no order explains; `reached` returns of them are explained by some.
 *
 * The return after these is in the shortest beginning, and mostly its end. But it can be that the answer to another operation, known only later, ruled
 * out what would have explained it.
 */
export const shortest = <Input, Output, State>(
  model: Model<Input, Output, State>,
  operations: ReadonlyArray<Operation<Input, Output>>,
  reached: number,
  stepsMax: number
): Shortest<Input, Output> => {
  const ends = operations
    .flatMap(operation => (operation.ending._tag === "Unknown" ? [] : [{ operation, at: operation.ending.at }]))
    .sort((a, b) => a.at - b.at)
  const stuckAt = ends.filter(({ operation }) => operation.ending._tag === "Returned")[reached]?.at
  let low = ends.findIndex(({ at }) => at === stuckAt)
  let high = ends.length - 1
  let probe = low
  let steps = 0
  let isShortest = true
  const beginning = (last: number): { readonly culprit: Operation<Input, Output>; readonly end: number } => {
    const found = ends[last]
    assertInvariant(found !== undefined, "a violating beginning ends with the end of an operation", { last, reached })
    return { culprit: found.operation, end: found.at + 1 }
  }
  while (low < high) {
    const { result } = decide(model, knownAt(operations, beginning(probe).end), stepsMax)
    steps += result.steps
    if (result._tag === "Exhausted") {
      high = probe
    } else {
      low = probe + 1
      if (result._tag === "OutOfSteps") isShortest = false
    }
    probe = Math.floor((low + high) / 2)
  }
  const { culprit, end } = beginning(high)
  return { operations: knownAt(operations, end), end, culprit, isShortest, steps }
}
