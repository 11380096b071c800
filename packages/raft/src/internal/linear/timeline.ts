import type { Event } from "../../Linearizability.js"
import { assertInvariant } from "../core/invariant.js"

/** How an operation ended, and with which event. */
export type Ending<Output> =
  | { readonly _tag: "Returned"; readonly at: number; readonly output: Output }
  | { readonly _tag: "Failed"; readonly at: number }
  | { readonly _tag: "Unknown" }

export interface Operation<Input, Output> {
  readonly id: number
  readonly client: string
  readonly input: Input
  /** The event that called it. */
  readonly called: number
  readonly ending: Ending<Output>
}

const unknown: Ending<never> = { _tag: "Unknown" }

const endingsOf = <Input, Output>(
  history: ReadonlyArray<Event<Input, Output>>
): ReadonlyMap<number, Ending<Output>> => {
  const endings = new Map<number, Ending<Output>>()
  history.forEach((event, at) => {
    const { id } = event
    if (event._tag === "Call") {
      assertInvariant(!endings.has(id), "an operation is called once", { id, at })
      endings.set(id, unknown)
      return
    }
    assertInvariant(endings.get(id) === unknown, "an operation ends once, after its call", { id, at })
    endings.set(id, event._tag === "Return" ? { _tag: "Returned", at, output: event.output } : { _tag: "Failed", at })
  })
  return endings
}

/** The operations on each key, in the order of their calls. */
export const operationsByKey = <Input, Output>(
  history: ReadonlyArray<Event<Input, Output>>,
  keyOf: (input: Input) => string
): ReadonlyMap<string, ReadonlyArray<Operation<Input, Output>>> => {
  const endings = endingsOf(history)
  const keys = new Map<string, Array<Operation<Input, Output>>>()
  history.forEach((event, at) => {
    if (event._tag !== "Call") return
    const { client, id, input } = event
    const operation = { id, client, input, called: at, ending: endings.get(id) ?? unknown }
    const key = keyOf(input)
    const operations = keys.get(key)
    if (operations === undefined) keys.set(key, [operation])
    else operations.push(operation)
  })
  return keys
}

/** The operations as they were known after the first `end` events of the history. */
export const knownAt = <Input, Output>(
  operations: ReadonlyArray<Operation<Input, Output>>,
  end: number
): ReadonlyArray<Operation<Input, Output>> =>
  operations
    .filter(({ called }) => called < end)
    .map(operation =>
      operation.ending._tag !== "Unknown" && operation.ending.at >= end ? { ...operation, ending: unknown } : operation
    )

/** An operation as the search places it. */
export interface Move<Input, Output> {
  readonly operation: Operation<Input, Output>
  /** Its bit in the set of placed operations. Operations that are never open together may share one. */
  readonly bit: bigint
  /** Whether it changes nothing, in whatever state it answers what it answered. */
  readonly observer: boolean
  /** Whether it never returned, so that it may be left out. Its bit is one of a set of its own. */
  readonly endless: boolean
}

/** A return: what has to be placed by then, and the returning operations that may be placed before. */
export interface Deadline<Input, Output> {
  readonly at: number
  readonly bit: bigint
  /** Those called before this event that return with it or later; the most urgent first. */
  readonly open: ReadonlyArray<Move<Input, Output>>
  /** How many of those that never return were called before. */
  readonly endless: number
}

export interface Timeline<Input, Output> {
  readonly deadlines: ReadonlyArray<Deadline<Input, Output>>
  /** Those that never returned, in the order of their calls. */
  readonly pending: ReadonlyArray<Move<Input, Output>>
}

/**
 * What the search walks along. A failed operation had no effect and does not occur.
 *
 * Each operation takes the lowest bit that no other open one has, as the set of placed operations is only ever asked about open ones: so it stays as
 * small as the number of clients, however long the history.
 */
export const timeline = <Input, Output>(
  operations: ReadonlyArray<Operation<Input, Output>>,
  observes: (operation: Operation<Input, Output>, output: Output) => boolean
): Timeline<Input, Output> => {
  const points: Array<{ readonly at: number; readonly operation: Operation<Input, Output>; readonly until: number }> =
    []
  const pending: Array<Move<Input, Output>> = []
  for (const operation of operations) {
    if (operation.ending._tag === "Unknown") {
      pending.push({ operation, bit: 1n << BigInt(pending.length), observer: false, endless: true })
    } else if (operation.ending._tag === "Returned") {
      points.push({ at: operation.called, operation, until: operation.ending.at })
      points.push({ at: operation.ending.at, operation, until: operation.ending.at })
    }
  }
  points.sort((a, b) => a.at - b.at)

  const deadlines: Array<Deadline<Input, Output>> = []
  const open: Array<Move<Input, Output> & { readonly slot: number; readonly until: number }> = []
  const freeSlots: Array<number> = []
  let slots = 0
  let endless = 0
  for (const { at, operation, until } of points) {
    if (at !== until) {
      const slot = freeSlots.pop() ?? slots++
      const observer = operation.ending._tag === "Returned" && observes(operation, operation.ending.output)
      const lessUrgent = open.findIndex(other => other.until > until)
      const move = { operation, bit: 1n << BigInt(slot), observer, endless: false, slot, until }
      open.splice(lessUrgent === -1 ? open.length : lessUrgent, 0, move)
      continue
    }
    const [first] = open
    assertInvariant(first !== undefined && first.until === at, "the most urgent operation returns first", { at })
    for (let move = pending[endless]; move !== undefined && move.operation.called < at; move = pending[endless]) {
      endless += 1
    }
    deadlines.push({ at, bit: first.bit, open: [...open], endless })
    open.shift()
    freeSlots.push(first.slot)
  }
  return { deadlines, pending }
}
