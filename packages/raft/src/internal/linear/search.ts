import type * as Equivalence from "effect/Equivalence"
import * as Option from "effect/Option"
import type { Deadline, Move, Operation, Timeline } from "./timeline.js"

export interface Problem<Input, Output, State> {
  readonly timeline: Timeline<Input, Output>
  readonly init: State
  /** The state after the operation, if it can answer in `state` what it answered. */
  readonly attempt: (state: State, operation: Operation<Input, Output>) => Option.Option<State>
  readonly sameState: Equivalence.Equivalence<State>
  readonly stepsMax: number
  /** Told of an order of all returned operations, for each state it can end in; true ends the search. */
  readonly onOrder: (state: State, order: () => ReadonlyArray<Operation<Input, Output>>) => boolean
}

export interface Result {
  /** `Exhausted`: every order was tried. */
  readonly _tag: "Stopped" | "Exhausted" | "OutOfSteps"
  /** How often it asked the model or a place it had visited: what its time goes with, and its memory does not exceed. */
  readonly steps: number
  /** How many returns the best order, or beginning of one, explains. */
  readonly reached: number
}

/** Where the search has been, with the same operations placed: a state, and the operations without end that it took. */
interface Visit<State> {
  readonly state: State
  readonly used: bigint
}

interface Frame<Input, Output, State> {
  /** How many returns are behind us: all operations that had returned by then are placed. */
  readonly position: number
  /** Those of the open operations that are placed, by their bits. */
  readonly placed: bigint
  /** The same of those without end. */
  readonly used: bigint
  readonly state: State
  /** What was placed to come here. */
  readonly moves: ReadonlyArray<Operation<Input, Output>>
  /** The state before, if all that was placed since is one operation without end. */
  readonly before: Option.Option<State>
  /** The next operation to try: first the open ones, then those without end, the last called first. */
  cursor: number
}

/**
 * Searches the orders of the operations in which each answers what it answered and none comes before one that had returned before its call.
 * Depth first, one operation after the other, never twice from the same place: the same operations placed and the same state.
 *
 * Some rules keep the tree small. None loses the last order:
 *
 * - An observer that can be placed is, and nothing else is tried instead: whatever comes after it does not feel it.
 * - Operations without end are tried last, and only where they change something that the next operation placed feels.
 * - Who comes to a place again, with more operations without end used up than before, gets no further than before.
 */
export const search = <Input, Output, State>(problem: Problem<Input, Output, State>): Result => {
  const { init, onOrder, sameState, stepsMax } = problem
  const { deadlines, pending } = problem.timeline
  const sameOption = Option.getEquivalence(sameState)
  const stack: Array<Frame<Input, Output, State>> = []
  /** By position and placed operations. */
  const visited: Array<Map<bigint, Array<Visit<State>>>> = []
  let steps = 0
  let reached = 0

  const attempt = (state: State, operation: Operation<Input, Output>): Option.Option<State> => {
    steps += 1
    return problem.attempt(state, operation)
  }

  /** Places the observers that can be, passes the returns of what is placed, and goes on from there unless we were there before. */
  const enter = (
    fromPosition: number,
    fromPlaced: bigint,
    used: bigint,
    state: State,
    before: Option.Option<State>,
    moves: Array<Operation<Input, Output>>
  ): void => {
    const given = moves.length
    let position = fromPosition
    let placed = fromPlaced
    let observedUntil = -1
    for (let due = deadlines[position]; due !== undefined; due = deadlines[position]) {
      for (const { bit, observer, operation } of due.open) {
        if (!observer || operation.called < observedUntil || (placed & bit) !== 0n) continue
        if (Option.isNone(attempt(state, operation))) continue
        placed |= bit
        moves.push(operation)
      }
      observedUntil = due.at
      if ((placed & due.bit) === 0n) break
      placed &= ~due.bit
      position += 1
    }
    reached = Math.max(reached, position)

    let here = visited[position]
    if (here === undefined) {
      here = new Map()
      visited[position] = here
    }
    const visits = here.get(placed)
    steps += visits?.length ?? 0
    if (visits === undefined) here.set(placed, [{ state, used }])
    else if (visits.some(visit => (visit.used & used) === visit.used && sameState(visit.state, state))) return
    else visits.push({ state, used })
    stack.push({
      position,
      placed,
      used,
      state,
      moves,
      before: moves.length === given ? before : Option.none(),
      cursor: 0
    })
  }

  const next = (frame: Frame<Input, Output, State>, due: Deadline<Input, Output>): Move<Input, Output> | undefined => {
    while (true) {
      const at = frame.cursor
      frame.cursor += 1
      const move = due.open[at] ?? pending[due.endless - 1 - (at - due.open.length)]
      if (move === undefined) return undefined
      // observers that could be placed are
      const isPlaced = ((move.endless ? frame.used : frame.placed) & move.bit) !== 0n
      if (!move.observer && !isPlaced) return move
    }
  }

  const result = (tag: Result["_tag"]): Result => ({ _tag: tag, steps, reached })

  enter(0, 0n, 0n, init, Option.none(), [])
  for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
    const due = deadlines[frame.position]
    if (due === undefined) {
      if (onOrder(frame.state, () => stack.flatMap(({ moves }) => moves))) return result("Stopped")
      stack.pop()
      continue
    }
    if (steps >= stepsMax) return result("OutOfSteps")
    const move = next(frame, due)
    if (move === undefined) {
      stack.pop()
      continue
    }
    const { bit, endless, operation } = move
    const { before, placed, position, state, used } = frame
    const after = attempt(state, operation)
    if (Option.isNone(after) || (endless && sameState(after.value, state))) continue
    if (Option.isSome(before) && sameOption(attempt(before.value, operation), after)) continue
    if (endless) enter(position, placed, used | bit, after.value, Option.some(state), [operation])
    else enter(position, placed | bit, used, after.value, Option.none(), [operation])
  }
  return result("Exhausted")
}
