import { assert, describe, it } from "@effect/vitest"
import { RaftSimulator } from "@reckon/testkit"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"

const names = ["ada", "ben", "cat"]
const openingBalance = 100

const Balances = Schema.Record({ key: Schema.String, value: Schema.Int })

const Input = Schema.Union(
  Schema.TaggedStruct("Transfer", {
    request: Schema.Int,
    from: Schema.String,
    to: Schema.String,
    amount: Schema.Int
  }),
  Schema.TaggedStruct("Audit", {})
)

/** What is left to who paid, or why nothing was paid; or all balances. */
const Output = Schema.Union(
  Schema.TaggedStruct("Paid", { left: Schema.Int }),
  Schema.TaggedStruct("Refused", {}),
  Schema.TaggedStruct("Balances", { balances: Balances })
)

const Bank = Schema.Struct({
  balances: Balances,
  /** The answers to all requests there were: a bank forgets none. */
  answers: Schema.Record({ key: Schema.String, value: Output })
})

type Bank = typeof Bank.Type
type Input = typeof Input.Type
type Output = typeof Output.Type

const transfer = (bank: Bank, { amount, from, request, to }: Input & { readonly _tag: "Transfer" }): [Bank, Output] => {
  const known = bank.answers[request]
  if (known !== undefined) return [bank, known]
  const left = (bank.balances[from] ?? 0) - amount
  const output: Output = left < 0 ? { _tag: "Refused" } : { _tag: "Paid", left }
  const balances =
    left < 0 ? bank.balances : { ...bank.balances, [from]: left, [to]: (bank.balances[to] ?? 0) + amount }
  return [{ balances, answers: { ...bank.answers, [request]: output } }, output]
}

const initial: Bank = { balances: Object.fromEntries(names.map(name => [name, openingBalance])), answers: {} }

const total = ({ balances }: Bank): number => Object.values(balances).reduce((sum, balance) => sum + balance, 0)

const definition = {
  input: Input,
  output: Output,
  state: Bank,
  initial,
  apply: (bank: Bank, input: Input): readonly [Bank, Output] =>
    input._tag === "Audit" ? [bank, { _tag: "Balances", balances: bank.balances }] : transfer(bank, input),
  isRead: ({ _tag }: Input) => _tag === "Audit",
  draw: (random: RaftSimulator.Random, { number }: RaftSimulator.Call): Input => {
    if (random.chance(0.4)) return { _tag: "Audit" }
    const from = random.int(names.length)
    const to = (from + random.between(1, names.length - 1)) % names.length
    return {
      _tag: "Transfer",
      request: number,
      from: names[from] ?? "",
      to: names[to] ?? "",
      amount: random.between(1, 60)
    }
  },
  closing: [{ _tag: "Audit" as const }],
  complaint: (bank: Bank): string | undefined => {
    const money = total(bank)
    return money === openingBalance * names.length ? undefined : `there are ${money} coins`
  }
}

/** How a machine fails in the first of so many seeds in which it does. */
const failureOf = (machine: Parameters<typeof RaftSimulator.run>[0], options: RaftSimulator.Options = {}) =>
  Effect.flip(RaftSimulator.run(machine, { from: 1, seeds: 60, steps: 1_000, ...options }))

describe("RaftSimulator", () => {
  it.effect("a bank conserves its money and pays each transfer once, whatever fails", () =>
    Effect.gen(function* () {
      const summary = yield* RaftSimulator.run(RaftSimulator.machine(definition), { seeds: 25, from: 1 })
      assert.strictEqual(summary.seeds, 25)
      assert.isAbove(summary.crashes, 20)
      assert.isAbove(summary.snapshotsInstalled, 20)
      assert.isAbove(summary.historyEvents, 1_500)
      assert.isAtMost(summary.undecided, 1)
    })
  )

  it.effect("one that does not know a repeated transfer again pays twice, and its clients see it", () =>
    Effect.gen(function* () {
      const forgetful = RaftSimulator.machine({
        ...definition,
        apply: (bank, input) => definition.apply({ ...bank, answers: {} }, input),
        model: undefined
      })
      // it is its own model, where each request comes once
      const failure = yield* failureOf(forgetful)
      assert.strictEqual(failure.invariant, "histories are linearizable")
      assert.include(failure.report, "Retry")
    })
  )

  it.effect("one whose snapshots leave out what it has answered differs from its peers after a replay", () =>
    Effect.gen(function* () {
      const lossy = RaftSimulator.machine({
        ...definition,
        state: Schema.transform(Schema.Struct({ balances: Balances }), Bank, {
          decode: ({ balances }) => ({ balances, answers: {} }),
          encode: ({ balances }) => ({ balances })
        })
      })
      // An earlier one shows it as well, and takes ten seconds to be shortened.
      const failure = yield* failureOf(lossy, { from: 5, faults: { compaction: true, crash: true } })
      assert.include(["the machine is deterministic", "histories are linearizable"], failure.invariant)
    })
  )

  it.effect("one that goes by more than its state and the command differs from its peers", () =>
    Effect.gen(function* () {
      let calls = 0
      const moody = RaftSimulator.machine({
        ...definition,
        apply: (bank, input) => {
          calls += 1
          const [next, output] = definition.apply(bank, input)
          return [next, output._tag === "Paid" ? { ...output, left: output.left + (calls % 7 === 0 ? 1 : 0) } : output]
        }
      })
      const failure = yield* failureOf(moody)
      assert.strictEqual(failure.invariant, "the machine is deterministic")
    })
  )

  it.effect("one that loses a coin breaks its own invariant, and the report shows with which command", () =>
    Effect.gen(function* () {
      const leaky = RaftSimulator.machine({
        ...definition,
        apply: (bank, input) => {
          const [next, output] = definition.apply(bank, input)
          const isOdd = output._tag === "Paid" && output.left === 42
          return [isOdd ? { ...next, balances: { ...next.balances, ada: (next.balances.ada ?? 0) - 1 } } : next, output]
        }
      })
      const failure = yield* failureOf(leaky)
      assert.strictEqual(failure.invariant, "the machine's own invariant")
      assert.match(failure.detail, /there are 299 coins/)
      assert.include(failure.report, "Transfer")
      assert.include(failure.message, `seed ${failure.seed} breaks`)
    })
  )

  it.effect("one that throws is reported with its words, the place and the command", () =>
    Effect.gen(function* () {
      const brittle = RaftSimulator.machine({
        ...definition,
        apply: (bank, input) => {
          const [next, output] = definition.apply(bank, input)
          if (output._tag === "Paid" && output.left > 100) throw new RangeError("the purse is too small")
          return [next, output]
        }
      })
      const failure = yield* failureOf(brittle)
      assert.strictEqual(failure.invariant, "the machine does not throw")
      assert.match(failure.detail, /^RangeError: the purse is too small \(.*RaftSimulator\.test\.ts:\d+/)
      assert.match(failure.detail, /applying \{"_tag":"Transfer".*\}\)$/)
    })
  )

  it.effect("one whose answers or states do not pass their schemas is told which, and for which command", () =>
    Effect.gen(function* () {
      const chatty = RaftSimulator.machine({
        ...definition,
        output: Output.pipe(Schema.filter(output => output._tag !== "Paid" || output.left !== 42))
      })
      const answer = yield* failureOf(chatty)
      assert.strictEqual(answer.invariant, "an output passes its schema")
      assert.match(answer.detail, /applying \{"_tag":"Transfer".*\}\)$/)
      const narrow = RaftSimulator.machine({
        ...definition,
        state: Bank.pipe(Schema.filter(({ balances }) => balances.ada === 100))
      })
      const state = yield* failureOf(narrow, { steps: 300, faults: { compaction: true } })
      assert.strictEqual(state.invariant, "the state passes its schema")
    })
  )

  it.effect("a model or a draw that throws fails the run with its seed", () =>
    Effect.gen(function* () {
      const boom = (): never => {
        throw new TypeError("no idea")
      }
      const model = RaftSimulator.machine({
        ...definition,
        model: {
          key: () => "the bank",
          init: initial,
          apply: boom,
          observes: ({ _tag }) => _tag === "Audit",
          sameState: Schema.equivalence(Bank),
          sameOutput: Schema.equivalence(Output),
          showInput: JSON.stringify,
          showOutput: JSON.stringify
        }
      })
      const judged = yield* failureOf(model)
      assert.strictEqual(judged.invariant, "the model does not throw")
      assert.match(judged.detail, /^TypeError: no idea \(.*RaftSimulator\.test\.ts:\d+/)
      const drawn = yield* failureOf(RaftSimulator.machine({ ...definition, draw: boom }))
      assert.strictEqual(drawn.invariant, "a draw does not throw")
      assert.match(drawn.detail, /^TypeError: no idea \(.*RaftSimulator\.test\.ts:\d+/)
    })
  )

  it.effect("runs the same for the same seeds", () =>
    Effect.gen(function* () {
      const machine = RaftSimulator.machine(definition)
      const once = yield* RaftSimulator.run(machine, { from: 7, seeds: 3 })
      assert.deepStrictEqual(yield* RaftSimulator.run(machine, { from: 7, seeds: 3 }), once)
    })
  )

  it.effect("does not pass for runs that there were none of", () =>
    Effect.gen(function* () {
      const machine = RaftSimulator.machine(definition)
      const refusal = (options: RaftSimulator.Options) =>
        Effect.map(Effect.exit(RaftSimulator.run(machine, { from: 1, seeds: 1, steps: 10, ...options })), exit =>
          Exit.isFailure(exit) ? String(Cause.squash(exit.cause)) : "passed"
        )
      const unset: string | undefined = undefined
      assert.strictEqual(
        yield* refusal({ seeds: Number(unset) }),
        "RangeError: seeds is NaN: it must be a whole number from 1 on"
      )
      assert.match(yield* refusal({ seeds: 0 }), /^RangeError: seeds is 0/)
      assert.match(yield* refusal({ seeds: -1 }), /^RangeError: seeds is -1/)
      assert.match(yield* refusal({ steps: 0.5 }), /^RangeError: steps is 0\.5/)
      assert.match(yield* refusal({ nodes: 0 }), /^RangeError: nodes is 0/)
      assert.match(yield* refusal({ from: 1.5 }), /^RangeError: from is 1\.5: it must be a whole number from 0 on/)
      assert.match(yield* refusal({ from: Number.MAX_SAFE_INTEGER }), /^RangeError: from \+ seeds is 9007199254740992/)
      assert.strictEqual(yield* refusal({}), "passed")
    })
  )
})
