import { assert, describe, it } from "@effect/vitest"
import * as Linearizability from "@reckon/raft/Linearizability"
import * as fc from "fast-check"
import * as randoms from "../src/internal/sim/random.js"

type Event<Input, Output> = Linearizability.Event<Input, Output>
type Model<Input, Output, State> = Linearizability.Model<Input, Output, State>
type RegisterInput = Linearizability.RegisterInput
type RegisterOutput = Linearizability.RegisterOutput
type StreamInput = Linearizability.StreamInput
type StreamOutput = Linearizability.StreamOutput

const { check, register, stream } = Linearizability

// -----------------------------------------------------------------------------
// the oracle: all orders, one after the other
// -----------------------------------------------------------------------------

interface Operation<Input, Output> {
  readonly id: number
  readonly input: Input
  readonly called: number
  readonly returned: number
  readonly output: Output | undefined
}

const operationsOf = <Input, Output>(history: ReadonlyArray<Event<Input, Output>>) =>
  history.flatMap((call, called): ReadonlyArray<Operation<Input, Output>> => {
    if (call._tag !== "Call") return []
    const returned = history.findIndex(({ _tag, id }) => _tag !== "Call" && id === call.id)
    const end = history[returned]
    if (end === undefined) return [{ ...call, called, returned: Number.POSITIVE_INFINITY, output: undefined }]
    return end._tag === "Return" ? [{ ...call, called, returned, output: end.output }] : []
  })

const canBeOrdered = <Input, Output, State>(
  model: Model<Input, Output, State>,
  left: ReadonlyArray<Operation<Input, Output>>,
  state: State
): boolean =>
  left.every(({ output }) => output === undefined) ||
  left.some(operation => {
    if (left.some(({ returned }) => returned < operation.called)) return false
    const [after, output] = model.apply(state, operation.input)
    if (operation.output !== undefined && !model.sameOutput(output, operation.output)) return false
    return canBeOrdered(
      model,
      left.filter(other => other !== operation),
      after
    )
  })

const isLinearizable = <Input, Output, State>(
  model: Model<Input, Output, State>,
  history: ReadonlyArray<Event<Input, Output>>
): boolean => canBeOrdered(model, operationsOf(history), model.init)

/** Whether the order has every returned operation, respects time, and explains every answer. */
const explains = <Input, Output, State>(
  model: Model<Input, Output, State>,
  history: ReadonlyArray<Event<Input, Output>>,
  order: ReadonlyArray<number>
): boolean => {
  const operations = operationsOf(history)
  const placed = order.flatMap(id => operations.filter(operation => operation.id === id))
  let state = model.init
  return (
    placed.length === order.length &&
    new Set(order).size === order.length &&
    operations.every(({ id, output }) => output === undefined || order.includes(id)) &&
    placed.every((operation, at) => {
      if (placed.slice(at + 1).some(({ returned }) => returned < operation.called)) return false
      const [after, output] = model.apply(state, operation.input)
      state = after
      return operation.output === undefined || model.sameOutput(output, operation.output)
    })
  )
}

// -----------------------------------------------------------------------------
// small histories, one key
// -----------------------------------------------------------------------------

interface Turn<Input, Output> {
  readonly client: number
  readonly input: Input
  /** What to answer, if not the truth. */
  readonly lie: Output | undefined
  /** How the operation ends at this client's next turn. "lost": it never does. */
  readonly ending: "returned" | "failed" | "lost"
  /** Whether it takes effect at its call; else at its end. */
  readonly atOnce: boolean
}

/** Clients take turns, calling and being answered, mostly by a real machine: some histories are right and some are not. */
const historyOf = <Input, Output, State>(
  model: Model<Input, Output, State>,
  turns: ReadonlyArray<Turn<Input, Output>>
): ReadonlyArray<Event<Input, Output>> => {
  const open = new Map<
    number,
    { readonly id: number; readonly turn: Turn<Input, Output>; answer: Output | undefined }
  >()
  const history: Array<Event<Input, Output>> = []
  let state = model.init
  let id = 0
  const take = (input: Input): Output => {
    const [after, output] = model.apply(state, input)
    state = after
    return output
  }
  for (const turn of turns) {
    const operation = open.get(turn.client)
    if (operation === undefined) {
      if (id === 7) continue
      id += 1
      const answer = turn.atOnce ? take(turn.input) : undefined
      open.set(turn.client, { id, turn, answer })
      history.push({ _tag: "Call", id, client: `c${turn.client}`, input: turn.input })
      continue
    }
    open.delete(turn.client)
    const { ending, input, lie } = operation.turn
    if (ending === "failed") history.push({ _tag: "Fail", id: operation.id })
    if (ending !== "returned") continue
    history.push({ _tag: "Return", id: operation.id, output: lie ?? operation.answer ?? take(input) })
  }
  return history
}

const turnsOf = <Input, Output>(
  inputs: fc.Arbitrary<Input>,
  lies: fc.Arbitrary<Output>
): fc.Arbitrary<ReadonlyArray<Turn<Input, Output>>> =>
  fc.array(
    fc.record({
      client: fc.nat(3),
      input: inputs,
      lie: fc.oneof({ weight: 12, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: lies }),
      ending: fc.oneof(
        { weight: 5, arbitrary: fc.constant("returned" as const) },
        { weight: 1, arbitrary: fc.constantFrom("failed" as const, "lost" as const) }
      ),
      atOnce: fc.boolean()
    }),
    { minLength: 4, maxLength: 18 }
  )

const values = fc.constantFrom(1, 2, 3)

const registerInputs: fc.Arbitrary<RegisterInput> = fc.oneof(
  fc.constant({ _tag: "Read", key: "x" } as const),
  fc.record({ _tag: fc.constant("Write" as const), key: fc.constant("x"), value: values }),
  fc.record({ _tag: fc.constant("Cas" as const), key: fc.constant("x"), expected: values, value: values })
)

const registerOutputs: ReadonlyArray<RegisterOutput> = [
  ...[null, 1, 2, 3].map(value => ({ _tag: "Value", value }) as const),
  { _tag: "Written" },
  { _tag: "Swapped" },
  { _tag: "NotSwapped" }
]

const streamEvents = fc.record({
  id: fc.constantFrom("p", "q", "r", "t"),
  content: fc.constantFrom("1", "1", "1", "2")
})

const streamInputs: fc.Arbitrary<StreamInput> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      _tag: fc.constant("Append" as const),
      stream: fc.constant("s"),
      expected: fc.constantFrom("any" as const, "no_stream" as const, "stream_exists" as const, 0, 1, 2),
      events: fc.array(streamEvents, { maxLength: 2 })
    })
  },
  {
    weight: 1,
    arbitrary: fc.record({
      _tag: fc.constant("Read" as const),
      stream: fc.constant("s"),
      from: fc.nat(2),
      count: fc.nat(3)
    })
  },
  { weight: 1, arbitrary: fc.constant({ _tag: "Version", stream: "s" } as const) }
)

const streamLies: fc.Arbitrary<StreamOutput> = fc.oneof(
  fc.record({
    _tag: fc.constantFrom("Appended" as const, "Version" as const),
    version: fc.integer({ min: -1, max: 3 })
  }),
  fc.record({ _tag: fc.constant("WrongExpectedVersion" as const), actual: fc.integer({ min: -1, max: 3 }) }),
  fc.constant({ _tag: "StreamNotFound" } as const)
)

/** A machine of four states that does and answers to each of its six operations what was drawn for it. */
const machines: fc.Arbitrary<Model<number, number, number>> = fc
  .array(fc.tuple(fc.nat(3), fc.nat(1)), { minLength: 24, maxLength: 24 })
  .map(table => {
    const apply = (state: number, input: number) => table[6 * state + input] ?? ([state, 0] as const)
    return {
      key: () => "machine",
      init: 0,
      apply,
      observes: (input, output) =>
        [0, 1, 2, 3].every(state => {
          const [after, answer] = apply(state, input)
          return answer !== output || after === state
        }),
      sameState: (a, b) => a === b,
      sameOutput: (a, b) => a === b,
      showInput: input => `${input}`,
      showOutput: output => `${output}`
    }
  })

/** Compares all that a verdict says with what trying every order says; answers how many histories were right and how many wrong. */
const compare = <Input, Output, State>(
  drawn: fc.Arbitrary<readonly [Model<Input, Output, State>, ReadonlyArray<Turn<Input, Output>>]>,
  outputs: ReadonlyArray<Output>,
  seed?: number
): { readonly right: number; readonly wrong: number } => {
  let right = 0
  let wrong = 0
  fc.assert(
    fc.property(drawn, ([model, turns]) => {
      const history = historyOf(model, turns)
      const verdict = check(model, history)
      if (isLinearizable(model, history)) {
        right += 1
        assert.strictEqual(verdict._tag, "Linearizable")
        if (verdict._tag !== "Linearizable") return
        for (const order of verdict.orders.values()) assert.isTrue(explains(model, history, order))
        return
      }
      wrong += 1
      assert.strictEqual(verdict._tag, "Violation")
      if (verdict._tag !== "Violation") return
      const end = history.findIndex((_, at) => !isLinearizable(model, history.slice(0, at + 1))) + 1
      assert.strictEqual(verdict.end, end)
      assert.deepStrictEqual(verdict.history, history.slice(0, end))
      const last = history[end - 1]
      assert.strictEqual(verdict.culprit, last?.id)

      const answering = (output: Output) => [
        ...history.slice(0, end - 1),
        { _tag: "Return", id: verdict.culprit, output } as const
      ]
      for (const { order, output } of verdict.answers) {
        assert.isTrue(explains(model, answering(output), order))
      }
      if (last?._tag !== "Return") return
      assert.isNotEmpty(verdict.answers)
      for (const output of outputs) {
        assert.strictEqual(
          verdict.answers.some(answer => model.sameOutput(answer.output, output)),
          isLinearizable(model, answering(output))
        )
      }
    }),
    { numRuns: 2_000, ...(seed === undefined ? {} : { seed }) }
  )
  return { right, wrong }
}

/**
 * Compares on histories that are always the same, of which enough of both kinds are known to be right and wrong, and
 * then on fresh ones, where chance may mix as it likes.
 */
const agrees = <Input, Output, State>(
  drawn: fc.Arbitrary<readonly [Model<Input, Output, State>, ReadonlyArray<Turn<Input, Output>>]>,
  outputs: ReadonlyArray<Output>,
  least: { readonly right: number; readonly wrong: number }
): void => {
  const { right, wrong } = compare(drawn, outputs, 1)
  assert.isAtLeast(right, least.right)
  assert.isAtLeast(wrong, least.wrong)
  compare(drawn, outputs)
}

describe("Linearizability, against the trial of every order", () => {
  it("agrees on registers: verdict, order, shortest beginning, and every answer that could have been", () => {
    const turns = turnsOf(registerInputs, fc.constantFrom(...registerOutputs))
    agrees(fc.tuple(fc.constant(register), turns), registerOutputs, { right: 400, wrong: 400 })
  })

  it("agrees on streams", () => {
    agrees(fc.tuple(fc.constant(stream), turnsOf(streamInputs, streamLies)), [], { right: 400, wrong: 400 })
  })

  it("agrees on machines drawn at random", () => {
    agrees(fc.tuple(machines, turnsOf(fc.nat(5), fc.nat(1))), [0, 1], { right: 400, wrong: 100 })
  })
})

// -----------------------------------------------------------------------------
// long histories
// -----------------------------------------------------------------------------

interface Load<Input> {
  readonly seed: number
  readonly operations: number
  /** The share of operations whose client is never answered. Two thirds of them take effect, at once or much later. */
  readonly lost: number
  readonly draw: (random: randoms.Random, id: number) => Input
}

const clients = 20

/** What twenty clients see of one real machine, each operation taking effect at some moment between its call and its end. */
const execute = <Input, Output, State>(
  model: Model<Input, Output, State>,
  load: Load<Input>
): ReadonlyArray<Event<Input, Output>> => {
  const random = randoms.make(load.seed)
  const states = new Map<string, State>()
  const history: Array<Event<Input, Output>> = []
  const late: Array<Input> = []
  const open = new Map<number, { readonly id: number; readonly input: Input; output: Output | undefined }>()
  const take = (input: Input): Output => {
    const key = model.key(input)
    const [after, output] = model.apply(states.get(key) ?? model.init, input)
    states.set(key, after)
    return output
  }
  for (let id = 0; id < load.operations || open.size > 0; ) {
    const [overdue] = random.chance(0.01) ? late.splice(random.int(late.length), 1) : []
    if (overdue !== undefined) take(overdue)
    const client = random.int(clients)
    const operation = open.get(client)
    if (operation === undefined) {
      if (id === load.operations) continue
      const input = load.draw(random, id)
      open.set(client, { id, input, output: undefined })
      history.push({ _tag: "Call", id, client: `c${client}`, input })
      id += 1
    } else if (random.chance(load.lost / 2)) {
      open.delete(client)
      if (operation.output === undefined && random.chance(0.5)) late.push(operation.input)
    } else if (operation.output === undefined) {
      operation.output = take(operation.input)
    } else {
      open.delete(client)
      history.push({ _tag: "Return", id: operation.id, output: operation.output })
    }
  }
  return history
}

const registers =
  (keys: number) =>
  (random: randoms.Random, id: number): RegisterInput => {
    const key = `k${random.int(keys)}`
    const kind = random.next()
    if (kind < 0.5) return { _tag: "Read", key }
    if (kind < 0.8) return { _tag: "Write", key, value: id }
    return { _tag: "Cas", key, expected: id - random.int(3 * clients), value: id }
  }

const streams =
  (keys: number) =>
  (random: randoms.Random, id: number): StreamInput => {
    const name = `s${random.int(keys)}`
    const kind = random.next()
    if (kind < 0.3)
      return { _tag: "Read", stream: name, from: Math.max(0, Math.floor((0.78 * id) / keys) - 20), count: 500 }
    if (kind < 0.4) return { _tag: "Version", stream: name }
    const expected = random.pick(["any" as const, "stream_exists" as const, Math.floor(id / keys)]) ?? "any"
    const events = Array.from({ length: random.between(1, 3) }, (_, at) => ({ id: `${id}.${at}`, content: `${id}` }))
    return { _tag: "Append", stream: name, expected, events }
  }

const accepts = <Input, Output, State>(model: Model<Input, Output, State>, load: Load<Input>): void => {
  const history = execute(model, load)
  const verdict = check(model, history)
  if (verdict._tag !== "Linearizable") assert.fail(verdict.explanation)
  const ordered = [...verdict.orders.values()].reduce((sum, order) => sum + order.length, 0)
  assert.isAtLeast(ordered, history.filter(({ _tag }) => _tag === "Return").length)
}

describe("Linearizability, of twenty clients of a real machine", () => {
  it.each([
    ["1,000 operations on one register", 1_000, 1, 0],
    ["10,000 operations on one register", 10_000, 1, 0],
    ["10,000 operations on ten registers", 10_000, 10, 0],
    ["10,000 operations on ten registers, every fiftieth without answer", 10_000, 10, 0.02]
  ])("accepts %s", (_, operations, keys, lost) => {
    for (const seed of [1, 2, 3]) accepts(register, { seed, operations, lost, draw: registers(keys) })
  })

  it.each([
    ["1,000 operations on one stream", 1_000, 1, 0],
    ["10,000 operations on one stream", 10_000, 1, 0],
    ["10,000 operations on ten streams", 10_000, 10, 0],
    ["10,000 operations on ten streams, every hundredth without answer", 10_000, 10, 0.01]
  ])("accepts %s", (_, operations, keys, lost) => {
    for (const seed of [1, 2, 3]) accepts(stream, { seed, operations, lost, draw: streams(keys) })
  })

  it("needs a number of steps that grows with the history, not with its orders", () => {
    const stepsOf = (operations: number): number =>
      check(register, execute(register, { seed: 1, operations, lost: 0, draw: registers(10) })).steps
    assert.isBelow(stepsOf(10_000), 20 * stepsOf(1_000))
  })

  it("finds the one read of 10,000 operations that was flipped, and names what it could have read", () => {
    for (const seed of [1, 2, 3]) {
      const history = execute(register, { seed, operations: 10_000, lost: 0.01, draw: registers(10) })
      const at = history.findIndex(
        (event, at) => at > 15_000 && event._tag === "Return" && event.output._tag === "Value"
      )
      const flipped = history.map((event, index) =>
        index === at && event._tag === "Return"
          ? { ...event, output: { _tag: "Value", value: "flipped" } as const }
          : event
      )
      const verdict = check(register, flipped)
      assert.strictEqual(verdict._tag, "Violation")
      if (verdict._tag !== "Violation") return
      assert.strictEqual(verdict.end, at + 1)
      assert.isTrue(verdict.isShortest)
      const [truth] = history.slice(at)
      assert.isTrue(
        truth?._tag === "Return" && verdict.answers.some(({ output }) => register.sameOutput(output, truth.output))
      )
      assert.strictEqual(check(register, verdict.history)._tag, "Violation")
      assert.strictEqual(check(register, verdict.history.slice(0, -1))._tag, "Linearizable")
    }
  })

  it("finds the one read that was served from the past", () => {
    const history = execute(register, { seed: 4, operations: 5_000, lost: 0, draw: registers(10) })
    const inputs = new Map(history.flatMap(event => (event._tag === "Call" ? [[event.id, event.input] as const] : [])))
    const at = history.findIndex((event, at) => at > 8_000 && event._tag === "Return" && event.output._tag === "Value")
    const key = inputs.get(history[at]?.id ?? 0)?.key
    // so long ago that nobody who was writing then still is
    const old = history
      .slice(0, 4_000)
      .flatMap(event => (event._tag === "Return" && inputs.get(event.id)?.key === key ? [event.output] : []))
      .findLast(output => output._tag === "Value")
    const stale = history.map((event, index) =>
      index === at && event._tag === "Return" && old !== undefined ? { ...event, output: old } : event
    )
    const verdict = check(register, stale)
    assert.strictEqual(verdict._tag, "Violation")
    if (verdict._tag === "Violation") assert.strictEqual(verdict.end, at + 1)
  })

  it("finds the one page of a stream that lacks its last event", () => {
    const history = execute(stream, { seed: 5, operations: 5_000, lost: 0.005, draw: streams(10) })
    const at = history.findIndex(
      (event, at) =>
        at > 8_000 && event._tag === "Return" && event.output._tag === "Events" && event.output.events.length > 0
    )
    assert.isAtLeast(at, 0)
    const torn = history.map((event, index) =>
      index === at && event._tag === "Return" && event.output._tag === "Events"
        ? { ...event, output: { ...event.output, events: event.output.events.slice(0, -1), isEnd: false } }
        : event
    )
    const verdict = check(stream, torn)
    assert.strictEqual(verdict._tag, "Violation")
    if (verdict._tag === "Violation") assert.strictEqual(verdict.end, at + 1)
  })
})
