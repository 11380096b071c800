import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Runtime from "effect/Runtime"
import * as Schedule from "effect/Schedule"
import * as TestClock from "effect/TestClock"
import * as fc from "fast-check"
import * as Aggregate from "../src/Aggregate.js"
import { EventStore } from "../src/EventStore.js"
import * as StoreError from "../src/StoreError.js"
import { Account, accounts, Command, decider, InsufficientFunds, Withdrawn } from "./helpers/accounts.js"
import { Memory, withStore } from "./helpers/memoryEventStore.js"

const account = Aggregate.make(accounts, decider, {
  snapshot: { schema: Account, shape: "account/1", every: 2 }
})

const deposit = (amount: number) => Command.Deposit({ amount })

const patiently = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(effect)
    yield* TestClock.adjust("1 minute")
    return yield* Fiber.join(fiber)
  })

describe("a command with an id", () => {
  it.effect(
    "executed again is answered with its first outcome, and writes nothing",
    withStore(memory =>
      Effect.gen(function* () {
        yield* account.execute("1", deposit(5))
        const first = yield* account.execute("1", Command.Empty(), { commandId: "c1" })
        assert.isFalse(first.repeated)
        yield* account.execute("1", deposit(9))
        const again = yield* account.execute("1", Command.Empty(), { commandId: "c1" })
        assert.deepStrictEqual(again, { ...first, state: { balance: 9, isClosed: false }, repeated: true })
        assert.deepStrictEqual(first.events, [Withdrawn.make({ amount: 4 }), Withdrawn.make({ amount: 1 })])
        assert.strictEqual(memory.all.length, 4)
      })
    )
  )

  it.effect(
    "succeeded although the newer state would refuse it",
    withStore(() =>
      Effect.gen(function* () {
        yield* account.execute("1", deposit(5))
        const withdraw = account.execute("1", Command.Withdraw({ amount: 5 }), { commandId: "c1" })
        const first = yield* withdraw
        assert.deepStrictEqual(yield* withdraw, { ...first, repeated: true })
        assert.strictEqual(
          (yield* Effect.flip(account.execute("1", Command.Withdraw({ amount: 5 }))))._tag,
          "InsufficientFunds"
        )
        const close = account.execute("1", Command.Close(), { commandId: "c2" })
        const closed = yield* close
        assert.deepStrictEqual(yield* close, { ...closed, repeated: true })
      })
    )
  )

  it.effect(
    "that failed, or led to nothing, is decided upon again",
    withStore(() =>
      Effect.gen(function* () {
        const withdraw = account.execute("1", Command.Withdraw({ amount: 5 }), { commandId: "c1" })
        assert.deepStrictEqual(yield* Effect.flip(withdraw), new InsufficientFunds({ balance: 0 }))
        const empty = account.execute("1", Command.Empty(), { commandId: "c2" })
        assert.deepStrictEqual((yield* empty).events, [])
        yield* account.execute("1", deposit(8))
        assert.deepInclude(yield* withdraw, { version: 1, repeated: false })
        assert.deepInclude(yield* empty, { version: 3, repeated: false })
      })
    )
  )

  it.effect(
    "is another one in another stream, also in one that its name matches as a pattern",
    withStore(memory =>
      Effect.gen(function* () {
        const deposited = (id: string) => account.execute(id, deposit(1), { commandId: "c1" })
        yield* account.execute("1", deposit(1))
        yield* account.execute("*", deposit(1))
        for (const id of ["1", "2", "*"]) assert.isFalse((yield* deposited(id)).repeated)
        for (const id of ["1", "2", "*"]) assert.isTrue((yield* deposited(id)).repeated)
        assert.strictEqual(memory.all.length, 5)
        assert.strictEqual(new Set(memory.all.map(({ eventId }) => eventId)).size, 5)
      })
    )
  )

  it.effect(
    "executed twice at the same time takes effect once, and both are told so",
    withStore(memory =>
      Effect.gen(function* () {
        yield* account.execute("1", deposit(5))
        const outcomes = yield* patiently(
          Effect.all(
            Array.from({ length: 8 }, () => account.execute("1", Command.Empty(), { commandId: "c1" })),
            { concurrency: "unbounded" }
          )
        )
        assert.strictEqual(memory.all.length, 3)
        for (const { events, state, version } of outcomes) {
          assert.deepStrictEqual(events, [Withdrawn.make({ amount: 4 }), Withdrawn.make({ amount: 1 })])
          assert.deepStrictEqual({ balance: state.balance, version }, { balance: 0, version: 2 })
        }
      })
    )
  )

  it.effect(
    "that was decided upon while its first execution committed is answered with that one",
    withStore(memory =>
      Effect.gen(function* () {
        yield* account.execute("1", deposit(6))
        const decided = yield* Deferred.make<void>()
        const goOn = yield* Deferred.make<void>()
        // As many events as the other decision, with other content, and fewer.
        const decisions = [[1, 2].map(amount => Withdrawn.make({ amount })), [Withdrawn.make({ amount: 3 })]]
        const slow = Aggregate.make(accounts, {
          ...decider,
          decide: (decision: number) =>
            Effect.as(
              Effect.zipRight(Deferred.succeed(decided, undefined), Deferred.await(goOn)),
              decisions[decision] ?? []
            )
        })
        const execute = (decision: number) => slow.execute("1", decision, { commandId: "c1" })
        const fiber = yield* Effect.fork(Effect.forEach([0, 1], execute, { concurrency: 2 }))
        yield* Deferred.await(decided)
        const first = yield* account.execute("1", Command.Empty(), { commandId: "c1" })
        yield* Deferred.succeed(goOn, undefined)
        const again = { ...first, repeated: true }
        assert.deepStrictEqual(yield* patiently(Fiber.join(fiber)), [again, again])
        assert.strictEqual(memory.all.length, 3)
      })
    )
  )

  it.effect(
    "repeated after an unknown outcome is found, whether it had taken effect or not",
    withStore(memory =>
      Effect.gen(function* () {
        const unknown = new StoreError.OutcomeUnknown({ detail: "lost" })
        for (const written of [true, false]) {
          const commandId = `c-${written}`
          memory.faults = Array.from({ length: 11 }, () => ({ error: unknown, written }))
          const executed = account.execute("1", deposit(1), { commandId })
          assert.strictEqual(yield* Effect.flip(patiently(executed)), unknown)
          assert.strictEqual((yield* executed).repeated, written)
        }
        assert.strictEqual(memory.all.length, 2)
      })
    )
  )

  it.effect(
    "whose events the stream no longer shows is recognised if it is decided upon in the same way",
    withStore(memory =>
      Effect.gen(function* () {
        const first = yield* account.execute("1", deposit(5), { commandId: "c1" })
        yield* account.execute("1", Command.Empty(), { commandId: "c2" })
        memory.deleteStream("account-1")
        yield* account.execute("1", deposit(1))
        const again = yield* account.execute("1", deposit(5), { commandId: "c1" })
        assert.deepStrictEqual(again, { ...first, state: { balance: 1, isClosed: false }, repeated: true })
        memory.requests.length = 0
        const conflict = yield* Effect.flip(patiently(account.execute("1", Command.Empty(), { commandId: "c2" })))
        assert.strictEqual(conflict._tag, "EventIdConflict")
        assert.strictEqual(memory.all.length, 4)
        // Once more, for another execution may just have written them; not as often as a conflict of versions.
        assert.strictEqual(memory.requests.filter(request => request.startsWith("append ")).length, 2)
      })
    )
  )

  it.effect(
    "has an id of 1 to 256 characters",
    withStore(memory =>
      Effect.gen(function* () {
        for (const commandId of ["", "x".repeat(257), "\ud800"]) {
          const error = yield* Effect.flip(account.execute("1", deposit(1), { commandId }))
          assert.strictEqual(error._tag, "InvalidRequest")
        }
        assert.deepStrictEqual(memory.requests, [])
        yield* account.execute("1", deposit(1), { commandId: "x".repeat(256) })
        yield* account.execute("1", deposit(1), { commandId: "x".repeat(256) })
        assert.strictEqual(memory.all.length, 1)
      })
    )
  )

  it.effect("takes effect exactly once in any history of faults, rivals and repetitions", () =>
    Effect.gen(function* () {
      const runtime = yield* Effect.runtime()
      const persistent = Aggregate.make(accounts, decider, {
        snapshot: { schema: Account, shape: "account/1", every: 2 },
        retry: Schedule.forever
      })
      const step = fc.record({ command: fc.nat(4), faults: fc.array(fc.boolean(), { maxLength: 3 }) })
      const property = fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), history =>
        Effect.gen(function* () {
          const memory = new Memory()
          const outcomes = yield* Effect.forEach(
            history,
            ({ command, faults }) => {
              const error = new StoreError.OutcomeUnknown({ detail: "lost" })
              memory.faults.push(...faults.map(written => ({ error, written })))
              return persistent.execute("1", deposit(10 ** command), { commandId: `c${command}` })
            },
            { concurrency: 4 }
          ).pipe(Effect.provideService(EventStore, memory.service))
          // One digit for each command: a 2 would be one that took effect twice.
          const commands = new Set(history.map(({ command }) => command))
          const expected = [...commands].reduce((sum, command) => sum + 10 ** command, 0)
          const loaded = yield* Effect.provideService(persistent.load("1"), EventStore, memory.service)
          assert.strictEqual(loaded.state.balance, expected)
          const places = new Set(history.map(({ command }, index) => `${command} at ${outcomes[index]?.version}`))
          assert.strictEqual(places.size, commands.size)
        }).pipe(Runtime.runPromise(runtime))
      )
      yield* Effect.promise(() => fc.assert(property, { numRuns: 50 }))
    })
  )
})
