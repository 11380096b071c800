import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"
import * as Aggregate from "../src/Aggregate.js"
import * as Event from "../src/Event.js"
import { EventStore, type Service } from "../src/EventStore.js"
import * as ExpectedVersion from "../src/ExpectedVersion.js"
import * as Snapshot from "../src/Snapshot.js"
import * as StoreError from "../src/StoreError.js"
import { Account, accounts, Command, Deposited, decider, InsufficientFunds } from "./helpers/accounts.js"
import { type Memory, withStore } from "./helpers/memoryEventStore.js"

const options = { schema: Account, shape: "account/1", every: 3 }
const account = Aggregate.make(accounts, decider, { snapshot: options })

const deposit = (amount: number) => account.execute("1", Command.Deposit({ amount }))
const deposits = (count: number) => Effect.replicateEffect(deposit(1), count)

const versions = (memory: Memory) => memory.snapshots.map(({ version }) => version)

/** The reads of the account's events since they were last asked for. */
const reads = (memory: Memory) => memory.requests.splice(0).filter(request => request.startsWith("read "))

const quietly = Logger.withMinimumLogLevel(LogLevel.None)

describe("saving", () => {
  it.effect(
    "a snapshot is saved when so many events went into the state since the last one, and the latest stay",
    withStore(memory =>
      Effect.gen(function* () {
        yield* deposits(2)
        assert.deepStrictEqual(versions(memory), [])
        yield* deposits(1)
        assert.deepStrictEqual(versions(memory), [2])
        yield* deposits(3)
        assert.deepStrictEqual(versions(memory), [2, 5])
        yield* deposits(6)
        assert.deepStrictEqual(versions(memory), [8, 11])
      })
    )
  )

  it.effect(
    "holds the state by its schema, with its shape",
    withStore(memory =>
      Effect.gen(function* () {
        yield* deposits(3)
        const [saved] = memory.snapshots
        assert.isDefined(saved)
        assert.deepStrictEqual(yield* Snapshot.decodeData(saved), { balance: 3, isClosed: false })
        assert.deepStrictEqual(yield* Snapshot.decodeMetadata(saved), { shape: "account/1" })
      })
    )
  )

  it.effect(
    "one that cannot be saved fails no command, and the next one is tried with the next",
    withStore(memory =>
      Effect.gen(function* () {
        memory.snapshotFault = new StoreError.Overloaded({ detail: "full" })
        const logged: Array<string> = []
        const logger = Logger.make(({ message }) => logged.push(String(message)))
        yield* Effect.provide(deposits(4), Logger.replace(Logger.defaultLogger, logger))
        assert.strictEqual(logged.length, 2)
        assert.match(logged[0] ?? "", /no snapshot of "account-1" at 2 could be saved/)
        memory.snapshotFault = undefined
        assert.deepInclude(yield* deposit(1), { version: 4 })
        assert.deepStrictEqual(versions(memory), [4])
      })
    )
  )

  it.effect(
    "nor does a state that its schema does not take",
    withStore(memory =>
      Effect.gen(function* () {
        const narrow = Schema.Struct({ balance: Schema.Int.pipe(Schema.lessThan(3)), isClosed: Schema.Boolean })
        const wrong = Aggregate.make(accounts, decider, { snapshot: { ...options, schema: narrow, every: 1 } })
        const executed = yield* quietly(wrong.execute("1", Command.Deposit({ amount: 5 })))
        assert.deepInclude(executed, { version: 0, state: { balance: 5, isClosed: false } })
        assert.deepStrictEqual(versions(memory), [])
      })
    )
  )

  it("every and keep are whole numbers from 1 on", () => {
    assert.throws(
      () => Aggregate.make(accounts, decider, { snapshot: { ...options, every: 0 } }),
      /snapshot.every is 0/
    )
    assert.throws(
      () => Aggregate.make(accounts, decider, { snapshot: { ...options, keep: 1.5 } }),
      /snapshot.keep is 1.5/
    )
  })
})

describe("loading", () => {
  it.effect(
    "begins at the latest snapshot, and reads no event that is in it",
    withStore(memory =>
      Effect.gen(function* () {
        yield* deposits(4)
        reads(memory)
        assert.deepInclude(yield* account.load("1"), { version: 3, state: { balance: 4, isClosed: false } })
        assert.deepStrictEqual(reads(memory), ["read account-1 from 3"])
      })
    )
  )

  it.effect(
    "a snapshot at the stream's last version is the whole state",
    withStore(() =>
      Effect.gen(function* () {
        yield* deposits(3)
        assert.deepInclude(yield* account.load("1"), { version: 2, state: { balance: 3, isClosed: false } })
        assert.deepInclude(yield* deposit(1), { version: 3, state: { balance: 4, isClosed: false } })
      })
    )
  )

  it.effect(
    "a snapshot of another shape is ignored",
    withStore(memory =>
      Effect.gen(function* () {
        yield* deposits(4)
        const changed = Aggregate.make(accounts, decider, { snapshot: { ...options, shape: "account/2" } })
        reads(memory)
        assert.deepInclude(yield* changed.load("1"), { version: 3, state: { balance: 4, isClosed: false } })
        assert.deepStrictEqual(reads(memory), ["read account-1 from 0"])
      })
    )
  )

  it.effect(
    "of snapshots that other programs left among its own, it takes the latest it can read",
    withStore(memory =>
      Effect.gen(function* () {
        yield* deposits(3)
        const other = Aggregate.make(accounts, decider, { snapshot: { ...options, shape: "account/2", every: 1 } })
        yield* other.execute("1", Command.Deposit({ amount: 1 }))
        assert.deepStrictEqual(versions(memory), [2, 3])
        reads(memory)
        assert.deepInclude(yield* account.load("1"), { version: 3, state: { balance: 4, isClosed: false } })
        assert.deepStrictEqual(reads(memory), ["read account-1 from 3"])
      })
    )
  )

  it.effect(
    "it looks at no more of them than are kept of its own, the latest ones",
    withStore(memory =>
      Effect.gen(function* () {
        yield* deposits(3)
        const other = Aggregate.make(accounts, decider, {
          snapshot: { ...options, shape: "account/2", every: 1, keep: 9 }
        })
        for (let more = 0; more < 2; more++) yield* other.execute("1", Command.Deposit({ amount: 1 }))
        assert.deepStrictEqual(versions(memory), [2, 3, 4])
        reads(memory)
        assert.deepInclude(yield* account.load("1"), { version: 4, state: { balance: 5, isClosed: false } })
        assert.deepStrictEqual(reads(memory), ["read account-1 from 0"])
        const patient = Aggregate.make(accounts, decider, { snapshot: { ...options, keep: 3 } })
        assert.deepInclude(yield* patient.load("1"), { version: 4, state: { balance: 5, isClosed: false } })
        assert.deepStrictEqual(reads(memory), ["read account-1 from 3"])
      })
    )
  )

  it.effect(
    "a snapshot that cannot be decoded is ignored",
    withStore(() =>
      Effect.gen(function* () {
        yield* deposits(1)
        const store = yield* EventStore
        const bytes = {
          streamId: "account-1",
          version: 0,
          data: Uint8Array.of(0x7b),
          dataContentType: "application/json",
          metadata: new TextEncoder().encode('{"shape":"account/1"}'),
          metadataContentType: "application/json"
        }
        yield* store.saveSnapshot(bytes)
        assert.deepInclude(yield* quietly(account.load("1")), { version: 0, state: { balance: 1, isClosed: false } })
        yield* store.saveSnapshot({ ...bytes, dataContentType: "application/octet-stream" })
        assert.deepInclude(yield* account.load("1"), { version: 0, state: { balance: 1, isClosed: false } })
        yield* store.saveSnapshot(yield* Snapshot.json({ ...bytes, data: {}, metadata: { shape: "account/1" } }))
        assert.deepInclude(yield* quietly(account.load("1")), { version: 0, state: { balance: 1, isClosed: false } })
      })
    )
  )

  it.effect(
    "a stream created anew does not begin where the old one was",
    withStore(memory =>
      Effect.gen(function* () {
        yield* deposits(3)
        const kept = memory.snapshots
        yield* accounts.append("1", ExpectedVersion.exact(2), [Deposited.make({ amount: 1 })])
        memory.deleteStream("account-1")
        yield* accounts.append("1", ExpectedVersion.NoStream, [Deposited.make({ amount: 100 })])
        // As a reader finds it that had the snapshot in hand when the stream was deleted.
        memory.snapshots = kept
        assert.deepInclude(yield* account.load("1"), { version: 4, state: { balance: 100, isClosed: false } })
      })
    )
  )

  it.effect(
    "a stream that is deleted and created anew while it is read does not either, though no version is missing",
    withStore(memory =>
      Effect.gen(function* () {
        yield* deposits(3)
        const store = yield* EventStore
        let isFirst = true
        const createdAnew = Effect.suspend(() => {
          if (!isFirst) return Effect.void
          isFirst = false
          memory.deleteStream("account-1")
          return accounts.append("1", ExpectedVersion.NoStream, [Deposited.make({ amount: 100 })])
        }).pipe(Effect.provideService(EventStore, store), Effect.orDie)
        const overtaken: Service = {
          ...store,
          loadSnapshot: (streamId, options) => Effect.zipLeft(store.loadSnapshot(streamId, options), createdAnew)
        }
        const { state, version } = yield* Effect.provideService(deposit(1), EventStore, overtaken)
        assert.deepStrictEqual({ version, state }, { version: 4, state: { balance: 101, isClosed: false } })
        assert.deepInclude(yield* account.load("1"), { version, state })
      })
    )
  )

  it.effect(
    "a stream may be truncated up to its snapshot",
    withStore(memory =>
      Effect.gen(function* () {
        yield* deposits(4)
        memory.truncateBefore("account-1", 3)
        assert.deepInclude(yield* deposit(1), { version: 4, state: { balance: 5, isClosed: false } })
      })
    )
  )

  it.effect(
    "of a stream that shows nothing behind its snapshot, though it had more, the state begins anew: for the next command as for every load after it",
    withStore(memory =>
      Effect.gen(function* () {
        yield* deposits(4)
        memory.truncateBefore("account-1", 4)
        const fiber = yield* Effect.fork(deposit(1))
        yield* TestClock.adjust("1 minute")
        const { state, version } = yield* Fiber.join(fiber)
        assert.deepStrictEqual({ version, state }, { version: 4, state: { balance: 1, isClosed: false } })
        assert.deepInclude(yield* account.load("1"), { version, state })
      })
    )
  )

  it.effect(
    "so it is for a command that appends nothing, of which no conflict tells",
    withStore(memory =>
      Effect.gen(function* () {
        yield* deposits(4)
        memory.truncateBefore("account-1", 4)
        const nothing = { balance: 0, isClosed: false }
        assert.deepInclude(yield* account.load("1"), { version: -1, state: nothing })
        assert.deepInclude(yield* account.execute("1", Command.Empty()), { events: [], state: nothing })
        const refused = yield* Effect.flip(account.execute("1", Command.Withdraw({ amount: 3 })))
        assert.deepStrictEqual(refused, new InsufficientFunds({ balance: 0 }))
      })
    )
  )

  it.effect(
    "an event that comes behind the snapshot while the stream is read hides nothing",
    withStore(memory =>
      Effect.gen(function* () {
        yield* deposits(3)
        memory.truncateBefore("account-1", 3)
        const store = yield* EventStore
        const another = yield* accounts
          .append("1", "any", [Deposited.make({ amount: 70 })])
          .pipe(Effect.provideService(EventStore, store), Effect.orDie, Effect.once)
        const overtaken: Service = {
          ...store,
          getVersion: (streamId, options) => Effect.zipRight(another, store.getVersion(streamId, options))
        }
        const loaded = yield* Effect.provideService(account.load("1"), EventStore, overtaken)
        assert.deepInclude(loaded, { version: 3, state: { balance: 73, isClosed: false } })
      })
    )
  )

  it.effect(
    "a snapshot that gives way to a later one while the stream is read does not leave the events behind it alone",
    withStore(memory =>
      Effect.gen(function* () {
        const closing = Aggregate.make(accounts, decider, { snapshot: { ...options, every: 1, keep: 1 } })
        const deposit = closing.execute("1", Command.Deposit({ amount: 1 }))
        yield* Effect.replicateEffect(deposit, 3)
        memory.truncateBefore("account-1", 3)
        const store = yield* EventStore
        const another = yield* Effect.once(Effect.orDie(Effect.provideService(deposit, EventStore, store)))
        const overtaken: Service = {
          ...store,
          loadSnapshot: (streamId, options) => Effect.zipLeft(store.loadSnapshot(streamId, options), another)
        }
        const loaded = yield* Effect.provideService(closing.load("1"), EventStore, overtaken)
        assert.deepInclude(loaded, { version: 3, state: { balance: 4, isClosed: false } })
      })
    )
  )

  it.effect(
    "of a stream truncated behind its snapshot the state is that of the events which are left",
    withStore(memory =>
      Effect.gen(function* () {
        yield* deposits(4)
        yield* accounts.append("1", ExpectedVersion.exact(3), [Deposited.make({ amount: 70 })])
        memory.truncateBefore("account-1", 4)
        assert.deepInclude(yield* account.load("1"), { version: 4, state: { balance: 70, isClosed: false } })
      })
    )
  )

  it.effect(
    "events that are passed over count as read",
    withStore(() =>
      Effect.gen(function* () {
        const lenient = Aggregate.make(accounts, decider, { snapshot: options, unreadable: "skip" })
        const store = yield* EventStore
        yield* deposits(3)
        yield* store.append("account-1", ExpectedVersion.Any, [yield* Event.json({ type: "InterestPaid", data: 1 })])
        const loaded = yield* quietly(lenient.load("1"))
        assert.deepInclude(loaded, { version: 3, state: { balance: 3, isClosed: false } })
      })
    )
  )
})
