import * as Equivalence from "effect/Equivalence"
import * as Option from "effect/Option"
import type { Answer, Model } from "../../Linearizability.js"
import type { Shortest } from "./decide.js"
import { search } from "./search.js"
import { type Operation, timeline } from "./timeline.js"

/** Other answers that are told; a register that twenty clients write to has as many. */
const answersMax = 8
/** Operations that are told before the one in question, and steps of an order before its end. */
const operationsShownMax = 30
const orderShownMax = 10

/** What `culprit` could have answered instead, given all that had been answered before; `isComplete`: and nothing else. */
const answersOf = <Input, Output, State>(
  model: Model<Input, Output, State>,
  operations: ReadonlyArray<Operation<Input, Output>>,
  culprit: Operation<Input, Output>,
  stepsMax: number
): { readonly answers: ReadonlyArray<Answer<Output>>; readonly isComplete: boolean; readonly steps: number } => {
  interface Answered {
    readonly state: State
    readonly answer: Option.Option<Output>
  }
  const answers: Array<Answer<Output>> = []
  const { _tag, steps } = search<Input, Output, Answered>({
    timeline: timeline(operations, ({ id, input }, output) => id !== culprit.id && model.observes(input, output)),
    init: { state: model.init, answer: Option.none() },
    attempt: ({ answer, state }, { ending, id, input }) => {
      const [after, output] = model.apply(state, input)
      if (id === culprit.id) return Option.some({ state: after, answer: Option.some(output) })
      return ending._tag === "Unknown" || (ending._tag === "Returned" && model.sameOutput(output, ending.output))
        ? Option.some({ state: after, answer })
        : Option.none()
    },
    sameState: Equivalence.struct({
      state: model.sameState,
      answer: Option.getEquivalence(model.sameOutput)
    }),
    stepsMax,
    onOrder: ({ answer }, order) => {
      if (Option.isNone(answer) || answers.some(({ output }) => model.sameOutput(output, answer.value))) return false
      if (answers.length === answersMax) return true
      answers.push({ output: answer.value, order: order().map(({ id }) => id) })
      return false
    }
  })
  return { answers, isComplete: _tag === "Exhausted", steps }
}

const showOrder = (order: ReadonlyArray<number>): string => {
  const shown = order.slice(-orderShownMax).map(id => `#${id}`)
  return `${order.length > shown.length ? "… " : ""}${shown.join(" ")}`
}

/** The end of a long answer tells more than its middle: it is the end of a stream. */
const clip = (cell: string): string => (cell.length <= 72 ? cell : `${cell.slice(0, 24)} … ${cell.slice(-45)}`)

const column = (cells: ReadonlyArray<string>): ReadonlyArray<string> => {
  const clipped = cells.map(clip)
  const width = Math.max(...clipped.map(cell => cell.length))
  return clipped.map(cell => cell.padEnd(width))
}

/** A violation as text: what cannot be, what was known, and what could have been. */
const render = <Input, Output, State>(
  model: Model<Input, Output, State>,
  key: string,
  operations: ReadonlyArray<Operation<Input, Output>>,
  culprit: Operation<Input, Output>,
  answers: ReadonlyArray<Answer<Output>>,
  isComplete: boolean
): string => {
  const shown = operations.slice(-operationsShownMax)
  const hidden = operations.length - shown.length
  const ids = column(shown.map(({ id }) => `#${id}`))
  const clients = column(shown.map(({ client }) => client))
  const inputs = column(shown.map(({ input }) => model.showInput(input)))
  const endings = column(
    shown.map(({ ending }) => {
      if (ending._tag === "Unknown") return "no answer yet"
      return ending._tag === "Failed" ? "failed" : model.showOutput(ending.output)
    })
  )
  const lines = shown.map(({ called, ending, id }, at) => {
    const span = `[${called}, ${ending._tag === "Unknown" ? "…" : ending.at}]`
    const mark = id === culprit.id ? "  ← cannot be" : ""
    return `  ${ids[at]}  ${clients[at]}  ${inputs[at]}  → ${endings[at]}  ${span}${mark}`
  })
  const failed = culprit.ending._tag === "Failed"
  const head = failed
    ? `"${key}": #${culprit.id} failed, and without its effect no order explains the answers`
    : `"${key}": no order explains the answer of #${culprit.id}`
  const others = answers.map(
    ({ order, output }) => `  ${clip(model.showOutput(output))}  in the order ${showOrder(order)}`
  )
  return [
    head,
    ...(hidden === 0 ? [] : [`  … ${hidden} operations before`]),
    ...lines,
    ...(others.length === 0 ? [] : [`#${culprit.id} could${isComplete ? " only" : ""} have answered`, ...others])
  ].join("\n")
}

/** Why the last of the operations of a shortest violating beginning cannot be. */
export const explain = <Input, Output, State>(
  model: Model<Input, Output, State>,
  key: string,
  { culprit, operations }: Shortest<Input, Output>,
  stepsMax: number
): { readonly answers: ReadonlyArray<Answer<Output>>; readonly text: string; readonly steps: number } => {
  const { answers, isComplete, steps } =
    culprit.ending._tag === "Failed"
      ? { answers: [], isComplete: true, steps: 0 }
      : answersOf(model, operations, culprit, stepsMax)
  return { answers, text: render(model, key, operations, culprit, answers, isComplete), steps }
}
