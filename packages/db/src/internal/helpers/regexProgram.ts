/**
 * Regular expressions as machines that go through a text once.
 *
 * An expression is compiled to a nondeterministic automaton (K. Thompson, "Regular expression search algorithm", CACM 11:6, 1968), and a text is
 * followed in all states it may be in at the same time. A state is entered once for each place in the text, on however many ways it can be reached:
 * so the work is bounded by states times characters, where going back over alternatives can double with each character.
 */
import * as CharSet from "./charSet.js"
import { type Node, type Place, Refusal } from "./regexSyntax.js"

type State =
  /** Goes on with the next character, if that is one of the set. */
  | { readonly _tag: "Read"; readonly set: CharSet.CharSet; readonly next: number }
  | { readonly _tag: "Test"; readonly place: Place; readonly next: number }
  | { readonly _tag: "Fork"; next: number; readonly other: number }
  | { readonly _tag: "Match" }

export interface Program {
  readonly states: ReadonlyArray<State>
  readonly start: number
}

// -----------------------------------------------------------------------------
// compiling
// -----------------------------------------------------------------------------

/** Throws a `Refusal` if the expression, with its repetitions written out, has more than `statesMax` parts. */
export const compile = (expression: Node, statesMax: number): Program => {
  const states: Array<State> = [{ _tag: "Match" }]
  const emit = (state: State): number => states.push(state) - 1
  // Parts and not states are counted: an empty group has no state, and a million repetitions of it still take their time.
  let parts = 0

  /** The state from which `node` leads to `next`. */
  const leading = (node: Node, next: number): number => {
    if (++parts > statesMax) throw new Refusal("unsafe", `more than ${statesMax} parts with repetitions written out`)
    switch (node._tag) {
      case "Set":
        return emit({ _tag: "Read", set: node.set, next })
      case "Place":
        return emit({ _tag: "Test", place: node.place, next })
      case "Sequence":
        return node.nodes.reduceRight((after, part) => leading(part, after), next)
      case "Choice":
        return node.nodes
          .map(part => leading(part, next))
          .reduceRight((other, way) => emit({ _tag: "Fork", next: way, other }))
      case "Repeat":
        return repeating(node.node, node.min, node.max, next)
    }
  }

  const repeating = (node: Node, min: number, max: number, next: number): number => {
    let entry = next
    if (max === Number.POSITIVE_INFINITY) {
      const loop: State = { _tag: "Fork", next, other: next }
      entry = emit(loop)
      loop.next = leading(node, entry)
    } else {
      for (let n = min; n < max; n++) entry = emit({ _tag: "Fork", next: leading(node, entry), other: next })
    }
    for (let n = 0; n < min; n++) entry = leading(node, entry)
    return entry
  }

  return { start: leading(expression, 0), states }
}

// -----------------------------------------------------------------------------
// running
// -----------------------------------------------------------------------------

/** Stands for the character before the first and behind the last. */
const none = -1

const isWord = (codePoint: number): boolean => CharSet.has(CharSet.wordCharacters, codePoint)

const holds = (place: Place, before: number, here: number): boolean => {
  switch (place) {
    case "start":
      return before === none
    case "end":
      return here === none
    case "word_boundary":
      return isWord(before) !== isWord(here)
    case "no_word_boundary":
      return isWord(before) === isWord(here)
  }
}

/**
 * Whether any part of the text matches, and how many times a state was entered: at most states × (characters + 1) times.
 */
export const run = (program: Program, text: string): { readonly matched: boolean; readonly steps: number } => {
  const { start, states } = program
  /** For each state, when it was last entered. */
  const entered = new Uint32Array(states.length)
  const waiting: Array<number> = []
  let reading: Array<State & { readonly _tag: "Read" }> = []
  let steps = 0
  let at = 0
  let before = none

  for (let turn = 1; ; turn++) {
    const here = text.codePointAt(at) ?? none
    const wentOn = reading
    reading = []
    // A match may begin at each place.
    waiting.push(start)
    for (const { next, set } of wentOn) if (CharSet.has(set, before)) waiting.push(next)

    for (let index = waiting.pop(); index !== undefined; index = waiting.pop()) {
      const state = states[index]
      if (state === undefined || entered[index] === turn) continue
      entered[index] = turn
      steps++
      if (state._tag === "Match") return { matched: true, steps }
      if (state._tag === "Read") reading.push(state)
      else if (state._tag === "Fork") waiting.push(state.other, state.next)
      else if (holds(state.place, before, here)) waiting.push(state.next)
    }

    if (here === none) return { matched: false, steps }
    at += here > 0xffff ? 2 : 1
    before = here
  }
}
