import { assert, describe, it } from "@effect/vitest"
import * as EventStore from "@reckon/db/EventStore"
import * as ProcessCluster from "@reckon/testkit/ProcessCluster"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import type { Adapter } from "../src/internal/store/adapter.js"
import * as bare from "../src/internal/store/bare.js"
import * as Figures from "../src/internal/store/figures.js"
import { closedLoop } from "../src/internal/store/loop.js"
import * as reckon from "../src/internal/store/reckon.js"
import { depthPosition, makeAppend, pageEvents, passAppends, plan, streamName } from "../src/internal/store/workload.js"

const sizes = plan(20_000)

/** As the benchmark fills it, a second between two passes. */
const fill = (adapter: Adapter) =>
  Effect.gen(function* () {
    for (let pass = 0; pass < sizes.passes; pass++) {
      yield* TestClock.adjust("1 second")
      yield* Figures.load(adapter, sizes, pass, pass + 1)
    }
    yield* Figures.prepare(adapter, sizes, 1)
  })

const memory = Effect.map(EventStore.EventStore, store =>
  reckon.fromService(store, { about: "", bytes: Effect.succeed(0), memory: Effect.succeed(null) })
)

const bareInFolder = Effect.flatMap(ProcessCluster.temporaryFolder, bare.make)

/** The first answers of each read figure. */
const answers = (adapter: Adapter) =>
  Effect.forEach(Figures.readFigures, figure =>
    Effect.gen(function* () {
      const read = yield* figure.make(adapter.reads, sizes)
      const rounds = [0, 1, 2, 50]
      return { title: figure.title, answers: read === null ? null : yield* Effect.forEach(rounds, read) }
    })
  )

describe("the stores of the benchmark", () => {
  it.scoped("are asked for the same: the bare tables answer every read as the store does", () =>
    Effect.gen(function* () {
      const ours = yield* memory
      const limit = yield* bareInFolder
      yield* fill(ours)
      yield* fill(limit)
      const expected = yield* answers(ours)
      assert.deepStrictEqual(yield* answers(limit), expected)
      assert.deepStrictEqual(yield* limit.versions, yield* ours.versions)
      for (const { answers, title } of expected) assert.isNotNull(answers, title)
    }).pipe(Effect.provide(EventStore.layerMemory))
  )

  it.scoped("refuse an append to another version than the stream's, and take the next one", () =>
    Effect.gen(function* () {
      for (const adapter of [yield* memory, yield* bareInFolder]) {
        yield* adapter.append(makeAppend(0, -1, 3))
        for (const wrong of [-1, 1, 3]) yield* Effect.flip(adapter.append(makeAppend(0, wrong, 1)))
        yield* adapter.append(makeAppend(0, 2, 1))
        assert.deepStrictEqual(yield* adapter.versions, new Map([[streamName(0), 3]]))
        assert.strictEqual(yield* adapter.reads.stream(streamName(0), 100), 4)
        assert.strictEqual(yield* adapter.reads.stream(streamName(1), 100), 0)
      }
    }).pipe(Effect.provide(EventStore.layerMemory))
  )

  it.scoped("sync every commit where they are the limit, and say so", () =>
    Effect.gen(function* () {
      const { about } = yield* bareInFolder
      assert.include(about, "journal_mode=wal")
      assert.include(about, "synchronous=FULL")
    })
  )

  it.scoped("fail a figure whose answer lacks events", () =>
    Effect.gen(function* () {
      const empty = yield* bareInFolder
      const error = yield* Effect.flip(Figures.measureRead(empty, sizes, "100 of a stream", 1, 1))
      assert.strictEqual(error.message, "100 of a stream answered 0")
    })
  )
})

describe("the workload", () => {
  it("gives every stream the same number of dense versions, each request naming a stream once", () => {
    for (const events of [20_000, 54_321, 1_000_000]) {
      const own = plan(events)
      assert.isAtMost(own.events, events)
      assert.isAtLeast(own.events, events * 0.9)
      assert.isAtMost(own.streams, 10_000)
      assert.isAtLeast(own.events / own.streams, pageEvents)
    }
    const versions = new Map<string, number>()
    let events = 0
    for (let pass = 0; pass < sizes.passes; pass++) {
      for (const request of passAppends(sizes, pass, 7)) {
        const appends = request()
        assert.strictEqual(new Set(appends.map(({ stream }) => stream)).size, appends.length)
        for (const append of appends) {
          assert.strictEqual(append.version, versions.get(append.stream) ?? -1)
          versions.set(append.stream, append.version + append.events.length)
          events += append.events.length
        }
      }
    }
    assert.strictEqual(events, sizes.events)
    assert.strictEqual(versions.size, sizes.streams)
  })

  it("has events of about 300 bytes", () => {
    const [event] = makeAppend(123, 45, 1).events
    const { length } = JSON.stringify(event?.data)
    assert.isAtLeast(length, 270)
    assert.isAtMost(length, 330)
  })

  it("asks for the deepest page where a page is still full", () => {
    assert.strictEqual(depthPosition(sizes, 0), 0)
    assert.isBelow(depthPosition(sizes, 0.99), sizes.events - 20 * pageEvents)
    assert.isAbove(depthPosition(plan(1_000_000), 0.99), 980_000)
  })
})

describe("the closed loop", () => {
  it.effect("keeps every caller busy, and counts to the last answer", () =>
    Effect.gen(function* () {
      let underWay = 0
      let most = 0
      const fiber = yield* Effect.fork(
        closedLoop({
          callers: 4,
          measuredMillis: 1000,
          operation: () =>
            Effect.gen(function* () {
              underWay++
              most = Math.max(most, underWay)
              yield* Effect.sleep("300 millis")
              underWay--
            })
        })
      )
      yield* TestClock.adjust("5 seconds")
      const measured = yield* fiber
      // Four rounds of four, the last of them until 1.2 seconds.
      assert.closeTo(measured.perSecond, 16 / 1.2, 0.001)
      assert.closeTo(measured.p50Millis, 300, 0.001)
      assert.strictEqual(most, 4)
    })
  )
})
