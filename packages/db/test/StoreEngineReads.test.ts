import { assert, describe, it } from "@effect/vitest"
import { byteLength } from "@reckon/client/Event"
import * as Query from "@reckon/client/Query"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import * as SqliteStoreEngine from "../src/SqliteStoreEngine.js"
import type { ReadAll, Service } from "../src/StoreEngine.js"
import {
  append,
  applyAt,
  directionArbitrary,
  event,
  History,
  historyArbitrary,
  limit,
  pages,
  positions,
  remove,
  wholly
} from "./helpers/reading.js"

/** Uses an engine in memory. */
const using = <A>(use: (engine: Service) => A) =>
  Effect.scoped(Effect.map(SqliteStoreEngine.make({ filename: ":memory:" }), use))

/** A page of a stream that is there. */
const readStream = (engine: Service, streamId: string, options: Partial<ReadAll> = {}) => {
  const page = engine.readStream({ ...wholly(options), streamId })
  if (typeof page === "string") throw new Error(`${streamId}: ${page}`)
  return page
}

const versions = (page: ReturnType<typeof readStream>) => page.events.map(({ version }) => version)

const three = [event(1), event(2), event(3)]

describe("reads, compared with an array of all events", () => {
  it("return the visible ones in order, page after page, in both directions, of a stream and of all", () => {
    let eventsSeen = 0
    fc.assert(
      fc.property(
        historyArbitrary,
        fc.array(
          fc.record({
            direction: directionArbitrary,
            count: fc.integer({ min: 1, max: 12 }),
            bytesMax: fc.constantFrom(1, 200, 400, Number.MAX_SAFE_INTEGER),
            asOf: fc.option(fc.nat({ max: 80 })),
            nowUs: fc.integer({ min: 100, max: 300 }),
            from: fc.option(fc.integer({ min: -3, max: 80 }), { nil: undefined })
          }),
          { minLength: 1, maxLength: 4 }
        ),
        (steps, reads) => {
          Effect.runSync(
            using(engine => {
              const history = new History()
              for (const { at, operation } of steps) {
                applyAt(engine, at, operation)
                history.apply(at, operation)
              }
              for (const { from: place, ...options } of reads) {
                const read = wholly(place === undefined ? options : { ...options, from: place })
                const isAhead = (at: number) => (read.direction === "forward" ? at >= read.from : at <= read.from)
                const inOrder = <A>(ascending: ReadonlyArray<A>) =>
                  read.direction === "forward" ? ascending : ascending.toReversed()
                const visible = history.visible(read.nowUs)

                const all = pages(read.from, from => engine.readAll({ ...read, from }))
                const expected = visible.filter(
                  ({ position }) => isAhead(position) && (read.asOf === null || position <= read.asOf)
                )
                assert.deepStrictEqual(
                  all.flatMap(({ events }) => events),
                  inOrder(expected)
                )
                for (const page of all) {
                  assert.isAtMost(page.events.length, read.count)
                  const bytes = page.events.reduce((sum, event) => sum + byteLength(event), 0)
                  assert.isTrue(bytes <= read.bytesMax || page.events.length === 1)
                  assert.strictEqual(page.events.length === 0, expected.length === 0)
                }

                for (const { streamId } of engine.listStreams({ pattern: null, after: null, count: 10 }).streams) {
                  const some = pages(read.from, from => readStream(engine, streamId, { ...read, from }))
                  const expected = visible.filter(event => event.streamId === streamId && isAhead(event.version))
                  assert.deepStrictEqual(
                    some.flatMap(({ events }) => events),
                    inOrder(expected)
                  )
                  for (const page of some) assert.strictEqual(page.events.length === 0, expected.length === 0)
                  eventsSeen += expected.length
                }
              }
            })
          )
        }
      ),
      { numRuns: 60 }
    )
    // What found nothing has proved nothing.
    assert.isAbove(eventsSeen, 500)
  })
})

describe("where the next page starts", () => {
  it.effect("forward at the end: behind the last event, where the next one will be", () =>
    using(engine => {
      applyAt(engine, 1, append("a", ...three), append("b", event(4)))
      assert.strictEqual(engine.readAll(wholly()).next, 4)
      assert.strictEqual(readStream(engine, "a").next, 3)
      applyAt(engine, 1, append("a", event(5)))
      assert.deepStrictEqual(positions(engine.readAll(wholly({ from: 4 }))), [4])
      assert.deepStrictEqual(versions(readStream(engine, "a", { from: 3 })), [3])
    })
  )

  it.effect("forward from beyond the end: there, so that what is waited for is not replaced by what comes before", () =>
    using(engine => {
      assert.deepInclude(engine.readAll(wholly({ from: 9 })), { isEnd: true, next: 9 })
      applyAt(engine, 1, append("a", ...three))
      assert.deepInclude(engine.readAll(wholly({ from: 9 })), { events: [], isEnd: true, next: 9 })
      assert.deepInclude(readStream(engine, "a", { from: 9 }), { events: [], isEnd: true, next: 9 })
      assert.deepInclude(readStream(engine, "a", { from: 3 }), { events: [], isEnd: true, next: 3 })
    })
  )

  it.effect("backward at the end: nowhere, and reading on from there finds nothing", () =>
    using(engine => {
      applyAt(engine, 1, append("a", ...three))
      for (const read of [engine.readAll, (options: ReadAll) => readStream(engine, "a", options)]) {
        const page = read(wholly({ direction: "backward" }))
        assert.deepInclude(page, { isEnd: true, next: -1 })
        assert.deepInclude(read(wholly({ direction: "backward", from: page.next })), { events: [], isEnd: true })
      }
    })
  )

  it.effect("of a page that is full: at the next event that can be seen", () =>
    using(engine => {
      applyAt(engine, 1, append("a", event(1)), append("b", ...three), append("c", event(2)), remove("b"))
      assert.deepInclude(engine.readAll(wholly({ count: 1 })), { isEnd: false, next: 4 })
      assert.deepInclude(engine.readAll(wholly({ count: 1, direction: "backward" })), { isEnd: false, next: 0 })
      assert.deepInclude(engine.readAll(wholly({ count: 0 })), { events: [], isEnd: false, next: 0 })
    })
  )

  it.effect("as of a position: behind it, whatever came later", () =>
    using(engine => {
      applyAt(engine, 1, append("a", ...three))
      assert.deepInclude(engine.readAll(wholly({ asOf: 1 })), { isEnd: true, next: 2 })
      assert.deepStrictEqual(positions(engine.readAll(wholly({ asOf: 1 }))), [0, 1])
      assert.deepStrictEqual(positions(engine.readAll(wholly({ asOf: 1, direction: "backward" }))), [1, 0])
      assert.deepStrictEqual(positions(engine.readAll(wholly({ asOf: 99 }))), [0, 1, 2])
      // What comes is not behind that position yet.
      assert.deepInclude(engine.readAll(wholly({ asOf: 99 })), { isEnd: true, next: 3 })
    })
  )

  it.effect("of a page that had to pass over very much: behind that, in the middle of nothing", () =>
    using(engine => {
      const many = Array.from({ length: 10_000 }, (_, n) => event(n))
      applyAt(engine, 1, append("gone", ...many), append("here", event(1)), remove("gone"))
      const all = pages(0, from => engine.readAll(wholly({ from })))
      assert.deepStrictEqual(
        all.map(page => page.events.length),
        [0, 0, 1]
      )
      assert.strictEqual(all[0]?.next, 4096)
      // Large rows are a burden sooner.
      const large = Array.from({ length: 40 }, (_, n) => event(n, { data: new Uint8Array(1_000_000) }))
      applyAt(engine, 2, append("large", ...large), remove("large"), append("here", event(2)))
      for (const read of [
        (from: number) => engine.readAll(wholly({ from })),
        (from: number) => engine.readQuery({ ...wholly({ from, count: 4 }), query: Query.all })
      ]) {
        const later = pages(10_001, read)
        assert.isAtLeast(later.length, 2)
        assert.deepStrictEqual(later.flatMap(positions), [10_041])
      }
    })
  )
})

describe("a stream that cannot be read", () => {
  it.effect("not found, also where metadata are all there is; deleted; tombstoned", () =>
    using(engine => {
      applyAt(engine, 1, limit("planned", { maxCount: 1 }), append("gone", event(1)), append("lost", event(1)))
      applyAt(engine, 2, remove("gone"), remove("lost", true), remove("never", true))
      const answers = ["nobody", "planned", "gone", "lost", "never"].map(streamId => [
        engine.readStream({ ...wholly(), streamId }),
        engine.versionAt(streamId, 10),
        engine.getVersion(streamId)
      ])
      assert.deepStrictEqual(answers, [
        ["not_found", "not_found", -1],
        ["not_found", "not_found", -1],
        ["deleted", "deleted", -1],
        ["tombstoned", "tombstoned", -1],
        ["tombstoned", "tombstoned", -1]
      ])
    })
  )

  it.effect("one that keeps nothing any more can, and is empty", () =>
    using(engine => {
      applyAt(engine, 1, append("a", ...three), limit("a", { truncateBefore: 3 }))
      assert.deepStrictEqual(engine.readStream({ ...wholly(), streamId: "a" }), { events: [], isEnd: true, next: 3 })
      assert.strictEqual(engine.getVersion("a"), 2)
    })
  )

  it.effect("one created anew shows its new events only, with the versions that follow", () =>
    using(engine => {
      applyAt(engine, 1, append("a", ...three), remove("a"), append("a", event(4)))
      assert.deepStrictEqual(versions(readStream(engine, "a")), [3])
      assert.deepStrictEqual(versions(readStream(engine, "a", { direction: "backward" })), [3])
    })
  )
})

describe("a stream as a whole", () => {
  it.effect("says what it keeps, when it began and when it was last written to", () =>
    using(engine => {
      assert.isNull(engine.streamDetails("a"))
      applyAt(engine, 10, append("a", ...three))
      applyAt(engine, 20, append("a", event(4)), limit("a", { truncateBefore: 1, maxAgeUs: 5 }))
      assert.deepStrictEqual(engine.streamDetails("a"), {
        streamId: "a",
        state: "active",
        firstVersion: 1,
        lastVersion: 3,
        count: 3,
        bytes: 3 * byteLength(event(1)),
        createdUs: 10,
        updatedUs: 20,
        metadata: { maxAgeUs: 5, maxCount: null, truncateBefore: 1 }
      })
    })
  )

  it.effect("deleted, keeps its versions and nothing else", () =>
    using(engine => {
      applyAt(engine, 10, append("a", ...three), remove("a"))
      const details = engine.streamDetails("a")
      assert.deepInclude(details, { state: "deleted", firstVersion: 3, lastVersion: 2, count: 0, bytes: 0 })
    })
  )
})

describe("whether the store has events", () => {
  it.effect("no stream, deleted ones, truncated ones: no; one that keeps an event: yes", () =>
    using(engine => {
      assert.isFalse(engine.hasEvents(0))
      applyAt(engine, 1, append("a", ...three))
      assert.isTrue(engine.hasEvents(0))
      applyAt(engine, 1, limit("a", { truncateBefore: 3 }), append("b", event(1)), remove("b"), limit("c", {}))
      assert.isFalse(engine.hasEvents(0))
      applyAt(engine, 1, append("a", event(4)))
      assert.isTrue(engine.hasEvents(0))
    })
  )

  it.effect("events that are too old do not count from that very microsecond on", () =>
    using(engine => {
      applyAt(engine, 100, append("a", event(1)), limit("a", { maxAgeUs: 10 }))
      assert.deepStrictEqual([110, 111].map(engine.hasEvents), [true, false])
      assert.deepStrictEqual(
        [110, 111].map(nowUs => versions(readStream(engine, "a", { nowUs }))),
        [[0], []]
      )
    })
  )
})

describe("snapshots", () => {
  const save = (version: number, text: string) =>
    ({
      _tag: "SaveSnapshot",
      snapshot: {
        streamId: "a",
        version,
        data: new Uint8Array(Buffer.from(text)),
        dataContentType: "text/plain",
        metadata: null,
        metadataContentType: "application/json"
      },
      keep: null
    }) as const

  it.effect("the latest, or the one of a version; none where there is none", () =>
    using(engine => {
      applyAt(engine, 5, append("a", ...three), save(2, "two"), save(0, "nil"))
      const text = (version: number | null) => {
        const snapshot = engine.loadSnapshot("a", version)
        return snapshot === null ? null : Buffer.from(snapshot.data).toString()
      }
      assert.deepStrictEqual([null, 0, 1, 2].map(text), ["two", "nil", null, "two"])
      assert.isNull(engine.loadSnapshot("b", null))
      assert.deepStrictEqual(engine.loadSnapshot("a", null), { ...save(2, "two").snapshot, epochUs: 5 })
    })
  )

  it.effect("are listed by version, a page at a time", () =>
    using(engine => {
      applyAt(engine, 5, append("a", ...three), save(2, "two"), save(0, "nil"), save(1, "a"))
      const list = (from: number, count: number) => {
        const { isEnd, snapshots } = engine.listSnapshots({ streamId: "a", from, count })
        return [snapshots.map(({ bytes, version }) => [version, bytes]), isEnd]
      }
      assert.deepStrictEqual(list(0, 2), [[[0, 3], [1, 1]], false]) // biome-ignore format: one page a line
      assert.deepStrictEqual(list(2, 2), [[[2, 3]], true])
      assert.deepStrictEqual(list(0, 3), [[[0, 3], [1, 1], [2, 3]], true]) // biome-ignore format: one page a line
      assert.deepStrictEqual(engine.listSnapshots({ streamId: "b", from: 0, count: 9 }), { snapshots: [], isEnd: true })
    })
  )

  it.effect("of a stream that was deleted are gone, and it does not get them back", () =>
    using(engine => {
      applyAt(engine, 5, append("a", ...three), save(2, "two"), remove("a"))
      assert.isNull(engine.loadSnapshot("a", null))
      applyAt(engine, 6, append("a", event(4)))
      assert.isNull(engine.loadSnapshot("a", 2))
      assert.isTrue(engine.listSnapshots({ streamId: "a", from: 0, count: 9 }).isEnd)
    })
  )
})
