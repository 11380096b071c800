import { assert, describe, it } from "@effect/vitest"
import * as Query from "@reckon/client/Query"
import type { AppendCondition } from "@reckon/client/StoreRpcs"
import * as Pool from "@reckon/otp/Pool"
import * as ServiceHandle from "@reckon/otp/ServiceHandle"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import * as fc from "fast-check"
import * as Command from "../src/Command.js"
import * as CommitSignal from "../src/CommitSignal.js"
import * as ConditionCheck from "../src/internal/processes/conditionCheck.js"
import type { Conditions } from "../src/internal/sqlite/appending.js"
import * as Catalog from "../src/internal/sqlite/catalog.js"
import * as Checkpoints from "../src/internal/sqlite/checkpoints.js"
import * as Database from "../src/internal/sqlite/database.js"
import * as Queries from "../src/internal/sqlite/query.js"
import * as SnapshotRows from "../src/internal/sqlite/snapshotRows.js"
import * as Writer from "../src/internal/sqlite/writer.js"
import { type Service, StoreEngine } from "../src/StoreEngine.js"
import * as StoreNames from "../src/StoreNames.js"
import * as StoreReader from "../src/StoreReader.js"
import * as StoreWriter from "../src/StoreWriter.js"
import { append, applyAt, deleteStream, entries, event, setMetadata } from "./helpers/events.js"
import { failed, provided, settle } from "./helpers/processes.js"
import { applied, type Fate, makeRaft } from "./helpers/raft.js"

const store = "orders"

/** Stores in which a query that matches nothing has to look at thousands of events, in a few commands each. */
const adversaries: ReadonlyArray<{
  readonly name: string
  readonly query: Query.Query
  readonly operations: (events: number) => ReadonlyArray<Command.Operation>
}> = [
  {
    name: "two tags that take turns",
    query: Query.allTags("even", "odd"),
    operations: events => [tagged("a", 0, events, n => [n % 2 === 0 ? "even" : "odd"])]
  },
  {
    name: "a type whose events are all hidden but the last of another",
    query: Query.eventTypes("thing-happened"),
    operations: events => [
      tagged("a", 0, events, () => []),
      setMetadata("a", { maxCount: 1 }),
      Command.single(append("a", "any", event(events, { eventType: "other" })))
    ]
  },
  {
    name: "a pattern of more streams than are looked up, none of which has the tag",
    query: Query.make({ tags: ["x"], stream: "s*" }),
    operations: events => [
      Command.Operation.Append({
        appends: Array.from({ length: 300 }, (_, n) => append(`s${n}`, "any", event(n))),
        condition: null
      }),
      tagged("other", 300, events, () => ["x"])
    ]
  }
]

const tagged = (streamId: string, first: number, count: number, tags: (n: number) => ReadonlyArray<string>) =>
  Command.single(
    append(streamId, "any", ...Array.from({ length: count }, (_, n) => event(first + n, { tags: [...tags(n)] })))
  )

const probe = (n: number) => append(`probe-${n}`, "any", event(1_000_000 + n))

// -----------------------------------------------------------------------------
// what is left to apply
// -----------------------------------------------------------------------------

const lastPositionOf = (operations: ReadonlyArray<Command.Operation>): number =>
  operations
    .flatMap(operation => (operation._tag === "Append" ? operation.appends : []))
    .reduce((last, { events }) => last + events.length, -1)

/** Applies an append under a condition behind all the others, and counts the rows that its condition looked at in vain. */
const passedOver = (operations: ReadonlyArray<Command.Operation>, under: Command.Condition): number => {
  let passed = 0
  const { db, value: writer } = Database.open(":memory:", db => {
    const catalog = Catalog.make(db)
    const queries = Queries.make(db, catalog)
    const conditions: Conditions = {
      firstMatch: options => {
        const budget = { left: Number.MAX_SAFE_INTEGER }
        const found = queries.firstMatch({ ...options, budget })
        passed += Number.MAX_SAFE_INTEGER - budget.left
        return found
      }
    }
    return Writer.make(db, catalog, SnapshotRows.make(db, catalog), conditions, Checkpoints.make(db))
  })
  try {
    writer.apply(entries(1, [{ at: 1, operations }]))
    const last = Command.Operation.Append({ appends: [probe(0)], condition: under })
    const [reply] = writer.apply(entries(2, [{ at: 2, operations: [last] }]))
    assert.deepStrictEqual(reply?.map(Either.isRight), [true])
    return passed
  } finally {
    db.close()
  }
}

describe("an append whose condition was checked", () => {
  for (const { name, operations, query } of adversaries) {
    it(`looks only at what lies behind the check when it is applied: ${name}`, () => {
      const events = 3_000
      const all = operations(events)
      const position = lastPositionOf(all) - 10
      assert.isAbove(passedOver(all, { query, after: -1, checkedThrough: -1 }), events / 2)
      assert.isAtMost(passedOver(all, { query, after: -1, checkedThrough: position }), 10)
      assert.isAtMost(passedOver(all, { query, after: position, checkedThrough: -1 }), 10)
    })
  }

  it.effect("is judged as without the check, on whatever prefix of the log that was made and whatever came since", () =>
    Effect.gen(function* () {
      const engine = yield* StoreEngine
      const events = fc.array(
        fc.record({ stream: fc.constantFrom("a", "b"), tag: fc.constantFrom("x", "y", "y", "y", "y") }),
        {
          minLength: 1,
          maxLength: 6
        }
      )
      const change = fc.constantFrom("delete", "cut", "nothing")
      let n = 0
      let refused = 0
      fc.assert(
        fc.property(events, change, events, fc.nat(), (before, between, since, from) => {
          const start = engine.lastPosition()
          const write = (made: typeof before) => {
            for (const { stream, tag } of made) {
              applyAt(engine, 0, Command.single(append(stream, "any", event(n++, { tags: [tag] }))))
            }
          }
          const query = Query.allTags("x")
          write(before)
          const after = start + (from % before.length)
          const seen = engine.readQuery({
            query,
            from: after + 1,
            count: 1,
            direction: "forward",
            bytesMax: 1,
            asOf: null,
            nowUs: 0
          })
          const checkedThrough = (seen.events[0]?.position ?? seen.next) - 1
          if (between === "delete") applyAt(engine, 0, deleteStream("a"))
          if (between === "cut") applyAt(engine, 0, setMetadata("a", { maxCount: 1 }))
          write(since)
          const judge = (through: number) => {
            const condition = { query, after, checkedThrough: through }
            // A part without events leaves the store as it is, whatever becomes of it.
            const [answer] = applyAt(engine, 0, Command.Operation.Append({ appends: [append("c", "any")], condition }))
            if (answer === undefined) throw new Error("an operation was not answered")
            return answer
          }
          const whole = judge(-1)
          assert.deepStrictEqual(judge(checkedThrough), whole)
          if (Either.isLeft(whole)) refused += 1
        }),
        { numRuns: 150 }
      )
      // What always ends the same has proved nothing.
      assert.isAbove(refused, 20)
      assert.isBelow(refused, 130)
    }).pipe(provided)
  )
})

// -----------------------------------------------------------------------------
// the check
// -----------------------------------------------------------------------------

/** A store's writers and readers on one engine, of which each proposal has the fate that is set. */
const makeStore = Effect.gen(function* () {
  const engine = yield* StoreEngine
  const handle = yield* ServiceHandle.make<Service>("the engine")
  yield* handle.provide(engine)
  const plan: { fate: Fate } = { fate: applied }
  const { proposals, raft } = makeRaft(engine, {
    fate: (command, apply) => {
      for (const operation of command.operations) {
        if (operation._tag === "Append" && operation.condition !== null) checked.push(operation.condition)
      }
      return plan.fate(command, apply)
    },
    readBarrier: Effect.dieMessage("a check is about what this node has applied, and asks no other")
  })
  const checked: Array<Command.Condition> = []
  const readers = yield* Pool.start(StoreReader.pool({ store, engine: handle, size: 2, idleStop: "1 minute" }), {
    name: StoreNames.streamsReader(store)
  })
  const writers = yield* Pool.start(StoreWriter.pool({ store, raft, size: 1, idleStop: "1 minute" }), {
    name: StoreNames.streamsWriter(store)
  })
  const signal = CommitSignal.make()
  const reader = StoreReader.make({ store, readers, raft, engine: handle, signal, isLed: () => true })
  let pages = 0
  const plans: { query: StoreReader.StoreReader["query"] } = { query: reader.query }
  const query: StoreReader.StoreReader["query"] = request =>
    Effect.suspend(() => {
      pages += 1
      return plans.query(request)
    })
  const writer = StoreWriter.make({ store, writers, check: ConditionCheck.make({ engine: handle, query }) })
  const conditional = (n: number, condition: AppendCondition) => writer.appendBatch({ appends: [probe(n)], condition })
  return { engine, plan, plans, proposals, checked, writer, conditional, pages: () => pages }
})

describe("the check of a condition", () => {
  for (const { name, operations, query } of adversaries) {
    it.scoped(`leaves few events to be judged when the append is applied: ${name}`, () =>
      Effect.gen(function* () {
        const { checked, conditional, engine } = yield* makeStore
        applyAt(engine, 1, ...operations(3_000))
        const last = engine.lastPosition()
        const [answer] = yield* conditional(0, { query, after: -1 })
        assert.strictEqual(answer?.position, last + 1)
        assert.isAtLeast(checked[0]?.checkedThrough ?? -1, last - ConditionCheck.judgedAtOnceMax)
        assert.isAtMost(checked[0]?.checkedThrough ?? -1, last)
      }).pipe(provided)
    )
  }

  it.scoped("takes page after page, and what others append meanwhile does not wait for it", () =>
    Effect.gen(function* () {
      const { conditional, engine, pages, proposals, writer } = yield* makeStore
      applyAt(
        engine,
        1,
        tagged("a", 0, 20_000, n => [n % 2 === 0 ? "even" : "odd"])
      )
      const query = Query.allTags("even", "odd")
      const slow = yield* Effect.fork(conditional(0, { query, after: -1 }))
      const quick = yield* Effect.fork(writer.append([append("other", "any", event(2_000_000))]))
      yield* Fiber.join(quick)
      yield* Fiber.join(slow)
      assert.isAbove(pages(), 2)
      assert.deepStrictEqual(proposals, [["other"], ["probe-0"]])
    }).pipe(provided)
  )

  it.scoped("is left out where the events behind the condition's position are few, and the append keeps its turn", () =>
    Effect.gen(function* () {
      const { checked, conditional, engine, pages, proposals, writer } = yield* makeStore
      applyAt(
        engine,
        1,
        tagged("a", 0, 3_000, () => [])
      )
      const after = engine.lastPosition() - ConditionCheck.judgedAtOnceMax
      const first = yield* Effect.fork(conditional(0, { query: Query.allTags("x"), after }))
      yield* Effect.yieldNow()
      const second = yield* Effect.fork(writer.append([append("probe-0", "any", event(2_000_000))]))
      yield* Fiber.join(Fiber.zip(first, second))
      assert.strictEqual(pages(), 0)
      assert.deepStrictEqual(checked, [{ query: Query.allTags("x"), after, checkedThrough: -1 }])
      assert.deepStrictEqual(proposals, [["probe-0", "probe-0"]])
    }).pipe(provided)
  )

  it.scoped("stops before an event that matches: the append goes its way, and is refused where its turn is", () =>
    Effect.gen(function* () {
      const { checked, conditional, engine } = yield* makeStore
      applyAt(
        engine,
        1,
        tagged("a", 0, 1_000, n => (n === 400 ? ["x"] : []))
      )
      const refusal = yield* Effect.flip(conditional(0, { query: Query.allTags("x"), after: -1 }))
      assert.include({ ...refusal }, { _tag: "AppendConditionFailed", after: -1, position: 400 })
      assert.strictEqual(checked[0]?.checkedThrough, 399)
    }).pipe(provided)
  )

  it.scoped("begins behind the condition's position: the event there is one that the writer has read", () =>
    Effect.gen(function* () {
      const { checked, conditional, engine } = yield* makeStore
      applyAt(
        engine,
        1,
        tagged("a", 0, 1_000, n => (n === 100 ? ["x"] : []))
      )
      const [answer] = yield* conditional(0, { query: Query.allTags("x"), after: 100 })
      assert.strictEqual(answer?.position, 1_000)
      assert.strictEqual(checked[0]?.checkedThrough, 999)
    }).pipe(provided)
  )

  it.scoped("does not see what commits between it and the append, and the append is refused for that", () =>
    Effect.gen(function* () {
      const { checked, conditional, engine, plan } = yield* makeStore
      applyAt(
        engine,
        1,
        tagged("a", 0, 1_000, () => [])
      )
      plan.fate = (_, apply) => {
        applyAt(
          engine,
          1,
          tagged("late", 5_000, 1, () => ["x"])
        )
        return apply
      }
      const refusal = yield* Effect.flip(conditional(0, { query: Query.allTags("x"), after: -1 }))
      assert.include({ ...refusal }, { _tag: "AppendConditionFailed", position: 1_000 })
      assert.strictEqual(checked[0]?.checkedThrough, 999)
      assert.strictEqual(engine.getVersion("probe-0"), -1)
    }).pipe(provided)
  )

  it.scoped("found an event that is deleted before the append has its turn: it does not break the condition", () =>
    Effect.gen(function* () {
      const { checked, conditional, engine, plan } = yield* makeStore
      applyAt(
        engine,
        1,
        tagged("a", 0, 1_000, () => []),
        tagged("b", 1_000, 1, () => ["x"])
      )
      plan.fate = (_, apply) => {
        applyAt(engine, 1, deleteStream("b"))
        return apply
      }
      const [answer] = yield* conditional(0, { query: Query.allTags("x"), after: -1 })
      assert.strictEqual(answer?.position, 1_001)
      assert.strictEqual(checked[0]?.checkedThrough, 999)
    }).pipe(provided)
  )

  it.scoped("does not keep a repetition from its answer, though its own event matches", () =>
    Effect.gen(function* () {
      const { engine, writer } = yield* makeStore
      applyAt(
        engine,
        1,
        tagged("a", 0, 1_000, () => [])
      )
      const one = append("b", "no_stream", event(3_000, { tags: ["x"] }))
      const request = { appends: [one], condition: { query: Query.allTags("x"), after: -1 } }
      const first = yield* writer.appendBatch(request)
      applyAt(
        engine,
        1,
        tagged("a", 1_000, 1_000, () => [])
      )
      const again = yield* writer.appendBatch(request)
      assert.deepStrictEqual(again, [{ streamId: "b", version: 0, position: 1_000, alreadyPresent: 1 }])
      assert.strictEqual(first[0]?.alreadyPresent, 0)
    }).pipe(provided)
  )

  it.scoped("that takes longer than a writer would be given is given up, and surely nothing was appended", () =>
    Effect.gen(function* () {
      const { conditional, engine, plans, proposals } = yield* makeStore
      applyAt(
        engine,
        1,
        tagged("a", 0, 1_000, () => [])
      )
      plans.query = () => Effect.never
      const late = yield* Effect.fork(failed(conditional(0, { query: Query.allTags("x"), after: -1 })))
      yield* TestClock.adjust("19999 millis")
      assert.isNull(late.unsafePoll())
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(yield* Fiber.join(late), ["Overloaded", true])
      yield* settle
      assert.deepStrictEqual(proposals, [])
    }).pipe(provided)
  )
})
