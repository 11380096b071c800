import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Schedule from "effect/Schedule"
import * as TestClock from "effect/TestClock"
import * as Aggregate from "../src/Aggregate.js"
import * as Event from "../src/Event.js"
import { EventStore } from "../src/EventStore.js"
import * as ExpectedVersion from "../src/ExpectedVersion.js"
import * as StoreError from "../src/StoreError.js"
import { Account, accounts, Command, Deposited, decider, InsufficientFunds, Withdrawn } from "./helpers/accounts.js"
import { withStore } from "./helpers/memoryEventStore.js"

const account = Aggregate.make(accounts, decider)

const deposit = (amount: number) => Command.Deposit({ amount })
const withdraw = (amount: number) => Command.Withdraw({ amount })

/** Somebody else deposits. */
const intrude = (amount: number) => accounts.append("1", ExpectedVersion.Any, [Deposited.make({ amount })])

/** Lets the pauses between attempts pass. */
const patiently = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(effect)
    yield* TestClock.adjust("1 minute")
    return yield* Fiber.join(fiber)
  })

const quietly = Logger.withMinimumLogLevel(LogLevel.None)

const unknown = new StoreError.OutcomeUnknown({ detail: "the answer got lost" })

describe("executing a command", () => {
  it.effect(
    "writes nothing that `evolve` breaks on: no later load would get past it",
    withStore(memory =>
      Effect.gen(function* () {
        const broken = Aggregate.make(accounts, {
          ...decider,
          evolve: (state, event) => {
            if (event._tag === "Withdrawn") throw new RangeError("no case for this event")
            return decider.evolve(state, event)
          }
        })
        yield* broken.execute("1", deposit(5))
        const exit = yield* Effect.exit(broken.execute("1", withdraw(2)))
        assert.isTrue(Exit.isFailure(exit) && Cause.isDie(exit.cause))
        assert.strictEqual(memory.all.length, 1)
        assert.deepInclude(yield* broken.load("1"), { version: 0, state: { balance: 5, isClosed: false } })
      })
    )
  )

  it.effect(
    "appends what the decision led to, and answers with it, its place and the new state",
    withStore(memory =>
      Effect.gen(function* () {
        const first = yield* account.execute("1", deposit(5))
        assert.deepStrictEqual(first, {
          streamId: "account-1",
          events: [Deposited.make({ amount: 5 })],
          version: 0,
          position: 0,
          state: { balance: 5, isClosed: false },
          repeated: false
        })
        const second = yield* account.execute("1", Command.Empty())
        assert.deepInclude(second, { version: 2, position: 2, state: { balance: 0, isClosed: false } })
        assert.deepStrictEqual(
          memory.all.map(({ eventType, streamId, version }) => [streamId, version, eventType]),
          [
            ["account-1", 0, "Deposited"],
            ["account-1", 1, "Withdrawn"],
            ["account-1", 2, "Withdrawn"]
          ]
        )
        assert.deepStrictEqual(yield* account.load("1"), {
          streamId: "account-1",
          version: 2,
          state: { balance: 0, isClosed: false }
        })
      })
    )
  )

  it.effect(
    "writes nothing when the decision fails, or leads to nothing",
    withStore(memory =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(account.execute("1", withdraw(1)))
        assert.deepStrictEqual(error, new InsufficientFunds({ balance: 0 }))
        assert.deepStrictEqual(yield* account.execute("1", Command.Empty()), {
          streamId: "account-1",
          events: [],
          version: -1,
          position: -1,
          state: { balance: 0, isClosed: false },
          repeated: false
        })
        assert.strictEqual(memory.all.length, 0)
      })
    )
  )

  it.effect(
    "is refused in a terminal state",
    withStore(memory =>
      Effect.gen(function* () {
        yield* account.execute("1", Command.Close())
        const error = yield* Effect.flip(account.execute("1", deposit(1)))
        assert.deepInclude(error, { _tag: "TerminalState", subject: 'stream "account-1" at version 0' })
        assert.strictEqual(memory.all.length, 1)
      })
    )
  )

  it.effect(
    "the state is that of the events as they will be read, not as they were decided",
    withStore(() =>
      Effect.gen(function* () {
        const event = { ...Deposited.make({ amount: 5 }), data: { amount: 5, note: "not in the schema" } }
        const noting = Aggregate.make(accounts, {
          ...decider,
          evolve: (state, event) => ({ ...state, balance: Object.keys(event.data).length }),
          decide: () => [event]
        })
        const { events, state } = yield* noting.execute("1", deposit(1))
        assert.deepStrictEqual(events, [Deposited.make({ amount: 5 })])
        assert.deepStrictEqual(state, (yield* noting.load("1")).state)
      })
    )
  )
})

describe("conflicts", () => {
  it.effect(
    "the decision is made again on what somebody else wrote meanwhile",
    withStore(memory =>
      Effect.gen(function* () {
        yield* account.execute("1", deposit(5))
        memory.beforeAppend = intrude(2)
        const { events, state, version } = yield* patiently(account.execute("1", Command.Empty()))
        assert.deepStrictEqual(events, [Withdrawn.make({ amount: 6 }), Withdrawn.make({ amount: 1 })])
        assert.deepStrictEqual({ state, version }, { state: { balance: 0, isClosed: false }, version: 3 })
      })
    )
  )

  it.effect(
    "a decision that fails in the newer state fails",
    withStore(memory =>
      Effect.gen(function* () {
        yield* account.execute("1", deposit(5))
        memory.beforeAppend = accounts.append("1", ExpectedVersion.Any, [Withdrawn.make({ amount: 1 })])
        const error = yield* Effect.flip(patiently(account.execute("1", withdraw(5))))
        assert.deepStrictEqual(error, new InsufficientFunds({ balance: 4 }))
      })
    )
  )

  it.effect(
    "the last conflict is the failure when the attempts are used up",
    withStore(memory =>
      Effect.gen(function* () {
        const hurried = Aggregate.make(accounts, decider, { retry: Schedule.recurs(2) })
        const conflict = new StoreError.WrongExpectedVersion({
          streamId: "account-1",
          expected: "no_stream",
          actual: 3
        })
        memory.faults = Array.from({ length: 9 }, () => ({ error: conflict, written: false }))
        assert.strictEqual(yield* Effect.flip(hurried.execute("1", deposit(1))), conflict)
        assert.strictEqual(memory.requests.filter(request => request.startsWith("append")).length, 3)
      })
    )
  )

  it.effect(
    "by default there are ten more attempts, none of them at once, all within four seconds",
    withStore(memory =>
      Effect.gen(function* () {
        const conflict = new StoreError.WrongExpectedVersion({
          streamId: "account-1",
          expected: "no_stream",
          actual: 3
        })
        memory.faults = Array.from({ length: 99 }, () => ({ error: conflict, written: false }))
        const appends = () => memory.requests.filter(request => request.startsWith("append")).length
        const fiber = yield* Effect.fork(Effect.flip(account.execute("1", deposit(1))))
        yield* TestClock.adjust("2 millis")
        assert.strictEqual(appends(), 1)
        yield* TestClock.adjust("4 seconds")
        assert.strictEqual(yield* Fiber.join(fiber), conflict)
        assert.strictEqual(appends(), 11)
      })
    )
  )

  it.effect.each([
    new StoreError.EventIdConflict({ streamId: "account-1", eventId: "e", version: 0 }),
    new StoreError.StreamTombstoned({ streamId: "account-1" }),
    new StoreError.EventTooLarge({ eventId: "e", bytes: 2, limitBytes: 1 }),
    new StoreError.InvalidRequest({ message: "no" }),
    new StoreError.NoQuorum({ store: "memory", detail: "none" }),
    new StoreError.Overloaded({ detail: "full" }),
    new StoreError.Unreachable({ endpoints: [], detail: "none" })
  ])("nothing else is tried again: $_tag", error =>
    withStore(memory =>
      Effect.gen(function* () {
        memory.faults = [{ error, written: false }]
        assert.strictEqual(yield* Effect.flip(account.execute("1", deposit(1))), error)
      })
    )()
  )

  it.effect(
    "of many at once each takes effect exactly once, and is told its own place",
    withStore(memory =>
      Effect.gen(function* () {
        const patient = Aggregate.make(accounts, decider, {
          retry: Schedule.jittered(Schedule.spaced("10 millis")),
          snapshot: { schema: Account, shape: "account/1", every: 7 }
        })
        const amounts = Array.from({ length: 40 }, (_, index) => index + 1)
        const executed = yield* patiently(
          Effect.forEach(amounts, amount => patient.execute("1", deposit(amount)), { concurrency: "unbounded" })
        )
        const written = yield* accounts.readPage("1")
        assert.deepStrictEqual(
          executed.map(({ events, version }) => [version, events[0]?.data]).sort(([a], [b]) => Number(a) - Number(b)),
          written.readings.map(reading => [
            reading.recorded.version,
            reading._tag === "Decoded" ? reading.event.data : undefined
          ])
        )
        assert.deepStrictEqual(
          memory.all.map(({ version }) => version),
          amounts.map((_, index) => index)
        )
        assert.strictEqual((yield* patient.load("1")).state.balance, (40 * 41) / 2)
        assert.isAbove(memory.requests.filter(request => request.startsWith("append")).length, 40)
      })
    )
  )
})

describe("unknown outcomes", () => {
  it.effect(
    "an append whose answer got lost is asked about with the same ids, and written once",
    withStore(memory =>
      Effect.gen(function* () {
        memory.faults = [
          { error: unknown, written: true },
          { error: unknown, written: false }
        ]
        const executed = yield* patiently(account.execute("1", deposit(5)))
        assert.deepInclude(executed, { version: 0, state: { balance: 5, isClosed: false } })
        assert.strictEqual(memory.all.length, 1)
      })
    )
  )

  it.effect(
    "one that had not taken effect, and was then overtaken, is decided again",
    withStore(memory =>
      Effect.gen(function* () {
        yield* account.execute("1", deposit(5))
        memory.faults = [{ error: unknown, written: false }]
        const fiber = yield* Effect.fork(account.execute("1", Command.Empty()))
        yield* TestClock.adjust("1 millis")
        yield* intrude(1)
        yield* TestClock.adjust("1 minute")
        const { events } = yield* Fiber.join(fiber)
        assert.deepStrictEqual(events, [Withdrawn.make({ amount: 5 }), Withdrawn.make({ amount: 1 })])
      })
    )
  )

  it.effect(
    "what a later try meets on its way does not make the outcome known",
    withStore(memory =>
      Effect.gen(function* () {
        memory.faults = [
          { error: unknown, written: true },
          ...Array.from({ length: 20 }, () => ({
            error: new StoreError.NoQuorum({ store: "memory", detail: "none" }),
            written: false
          }))
        ]
        assert.strictEqual(yield* Effect.flip(patiently(account.execute("1", deposit(5)))), unknown)
      })
    )
  )
})

describe("events that cannot be read", () => {
  const strange = Effect.gen(function* () {
    const store = yield* EventStore
    yield* account.execute("1", deposit(5))
    yield* store.append("account-1", ExpectedVersion.Any, [yield* Event.json({ type: "InterestPaid", data: 1 })])
    yield* intrude(2)
  })

  it.effect(
    "nothing is decided on a state that lacks them",
    withStore(() =>
      Effect.gen(function* () {
        yield* strange
        const error = yield* Effect.flip(account.execute("1", deposit(1)))
        assert.deepInclude(error, { _tag: "UnreadableEvent", version: 1, eventType: "InterestPaid" })
      })
    )
  )

  it.effect(
    "unless it is said that they may be passed over",
    withStore(() =>
      Effect.gen(function* () {
        yield* strange
        const lenient = Aggregate.make(accounts, decider, { unreadable: "skip" })
        const { state, version } = yield* quietly(lenient.execute("1", withdraw(7)))
        assert.deepStrictEqual({ state, version }, { state: { balance: 0, isClosed: false }, version: 3 })
      })
    )
  )
})

describe("streams that do not show everything", () => {
  it.effect(
    "a deleted stream starts at the initial state, and its versions go on",
    withStore(memory =>
      Effect.gen(function* () {
        yield* account.execute("1", deposit(5))
        yield* account.execute("1", deposit(5))
        memory.deleteStream("account-1")
        assert.deepInclude(yield* account.load("1"), { version: -1, state: decider.initial })
        const again = yield* account.execute("1", deposit(1))
        assert.deepInclude(again, { version: 2, state: { balance: 1, isClosed: false } })
        const next = yield* account.execute("1", deposit(1))
        assert.deepInclude(next, { version: 3, state: { balance: 2, isClosed: false } })
      })
    )
  )

  it.effect(
    "one deleted while the decision was made is decided on anew",
    withStore(memory =>
      Effect.gen(function* () {
        yield* account.execute("1", deposit(5))
        memory.beforeAppend = Effect.sync(() => memory.deleteStream("account-1"))
        const error = yield* Effect.flip(patiently(account.execute("1", withdraw(5))))
        assert.deepStrictEqual(error, new InsufficientFunds({ balance: 0 }))
      })
    )
  )

  it.effect(
    "one that shows no event any more takes commands, at the version it has",
    withStore(memory =>
      Effect.gen(function* () {
        for (let amount = 1; amount <= 3; amount++) yield* account.execute("1", deposit(amount))
        memory.truncateBefore("account-1", 3)
        const executed = yield* patiently(account.execute("1", deposit(9)))
        assert.deepInclude(executed, { version: 3, state: { balance: 9, isClosed: false } })
      })
    )
  )

  it.effect(
    "one that was deleted for good takes none",
    withStore(memory =>
      Effect.gen(function* () {
        memory.tombstone("account-1")
        assert.strictEqual((yield* Effect.flip(account.execute("1", deposit(1))))._tag, "StreamTombstoned")
      })
    )
  )
})
