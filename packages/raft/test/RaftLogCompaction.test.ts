import * as fs from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { configuration, sizeBytes } from "@reckon/raft/LogEntry"
import type { Configuration } from "@reckon/raft/Membership"
import type { Base } from "@reckon/raft/RaftLog"
import * as Effect from "effect/Effect"
import { makeTailCache } from "../src/internal/log/tailCache.js"
import {
  all,
  entry,
  flushEach,
  hardState,
  type Log,
  row,
  storedRows,
  tamper,
  temporaryFile,
  texts,
  use
} from "./helpers/raftLog.js"

const bare = (index: number, term: number): Base => ({ index, term, configuration: undefined })

const withLearners = (...learners: ReadonlyArray<string>): Configuration => ({ voters: ["a"], learners, removed: [] })

/** Entries 1–4 of term 1 and 5–8 of term 3, durable. */
const fill = (log: Log) => {
  log.stage({ hardState: hardState(3, "a"), entries: [...row(1, 4, 1), ...row(5, 8, 3)] })
  log.flush()
}

describe("compaction of a Raft log", () => {
  it.scoped("a new log begins after nothing", () =>
    use(":memory:", log => {
      assert.deepStrictEqual(log.base(), bare(0, 0))
      assert.deepStrictEqual([log.firstIndex(), log.lastIndex(), log.term(0)], [1, 0, 0])
    })
  )

  it.scoped("entries through an index go, its term stays known, and both last", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      const check = (log: Log) => {
        assert.deepStrictEqual(log.base(), bare(5, 3))
        assert.deepStrictEqual([log.firstIndex(), log.lastIndex()], [6, 8])
        assert.deepStrictEqual([0, 5, 6, 8].map(log.term), [0, 3, 3, 3])
        assert.deepStrictEqual(all(log), ["entry 6", "entry 7", "entry 8"])
        assert.throws(() => log.term(4), /term of an index outside the log/)
        assert.throws(() => log.entries(5, 8, 1e6), /read from inside the log/)
      }
      yield* use(filename, log => {
        fill(log)
        log.compact(5)
        check(log)
        log.flush()
      })
      yield* use(filename, check)
    })
  )

  it.scoped("one that was not flushed has not happened", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* use(filename, log => {
        fill(log)
        log.compact(5)
      })
      yield* use(filename, log => assert.deepStrictEqual([log.firstIndex(), all(log).length], [1, 8]))
    })
  )

  it.scoped("it is ordered with the writes around it", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* use(filename, log => {
        log.stage({ hardState: hardState(2), entries: row(1, 6, 1) })
        log.compact(4)
        log.stage({ truncateFrom: 6, entries: row(6, 7, 2) })
        log.compact(6)
        log.flush()
      })
      yield* use(filename, log => {
        assert.deepStrictEqual(log.base(), bare(6, 2))
        assert.deepStrictEqual(all(log), ["entry 7"])
      })
    })
  )

  it.scoped("it never goes backwards, and never beyond the end", () =>
    use(":memory:", log => {
      fill(log)
      log.compact(5)
      for (const gone of [0, 4, 5]) log.compact(gone)
      assert.strictEqual(log.firstIndex(), 6)
      assert.throws(() => log.compact(9), /outside the log/)
      assert.strictEqual(log.firstIndex(), 6)
    })
  )

  it.scoped("a log compacted to its end is empty, knows its last term, and goes on", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* use(filename, log => {
        fill(log)
        log.compact(8)
        log.flush()
      })
      yield* use(filename, log => {
        assert.deepStrictEqual([log.firstIndex(), log.lastIndex(), log.term(8)], [9, 8, 3])
        assert.throws(() => log.stage({ entries: [entry(9, 2)] }), /terms never decrease/)
      })
      yield* use(filename, log => {
        log.stage({ entries: [entry(9, 3)] })
        log.stage({ truncateFrom: 9, entries: [entry(9, 3, "other 9")] })
        assert.deepStrictEqual(all(log), ["other 9"])
        assert.throws(() => log.stage({ truncateFrom: 8, entries: [] }), /truncation inside the log/)
      })
    })
  )

  it.scoped("the base keeps the configuration in force there, the log those that came later", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      const placed = (index: number, ...learners: ReadonlyArray<string>) => ({
        index,
        configuration: withLearners(...learners)
      })
      const check = (index: number, base: Base["configuration"], later: ReadonlyArray<number>) =>
        use(filename, log => {
          log.compact(index)
          log.flush()
          assert.deepStrictEqual(log.base().configuration, base)
          assert.deepStrictEqual(
            log.configurations().map(each => each.index),
            later
          )
        })
      yield* use(filename, log => {
        const [two, five] = [configuration(2, 1, withLearners("b")), configuration(5, 1, withLearners("b", "c"))]
        log.stage({ hardState: hardState(1), entries: [entry(1, 1), two, ...row(3, 4, 1), five, ...row(6, 7, 1)] })
        log.flush()
      })
      yield* check(1, undefined, [2, 5])
      yield* check(4, placed(2, "b"), [5])
      yield* check(5, placed(5, "b", "c"), [])
      yield* check(6, placed(5, "b", "c"), [])
      yield* check(0, placed(5, "b", "c"), [])
    })
  )

  it.scoped("the configuration at the base is the base's only, also while its entry is not yet deleted", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      const check = (log: Log) => {
        assert.deepStrictEqual(log.base().configuration, { index: 3_000, configuration: withLearners("b") })
        assert.deepStrictEqual(log.configurations(), [])
      }
      yield* use(filename, log => {
        // Of rising terms, so that each has a row of its own.
        const before = Array.from({ length: 2_999 }, (_, at) => entry(at + 1, at + 1))
        const entries = [...before, configuration(3_000, 3_000, withLearners("b")), entry(3_001, 3_000)]
        log.stage({ hardState: hardState(3_000), entries })
        log.flush()
        log.compact(3_000)
        check(log)
      })
      assert.isAbove(Number(storedRows(filename)), 1)
      yield* use(filename, check)
    })
  )

  it.scoped("what goes is deleted in bounded steps, over a reopening as well", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      // Of rising terms, so that each has a row of its own.
      const entries = Array.from({ length: 5_000 }, (_, at) => entry(at + 1, at + 1))
      yield* use(filename, log => {
        log.stage({ hardState: hardState(5_000), entries })
        log.flush()
        log.compact(4_990)
        assert.strictEqual(log.firstIndex(), 4_991)
        log.flush()
      })
      assert.strictEqual(storedRows(filename), 5_000 - 1_024)
      yield* use(filename, log => {
        assert.deepStrictEqual([log.firstIndex(), all(log).length], [4_991, 10])
        log.flush()
        flushEach(
          log,
          [5_001, 5_002, 5_003].map(index => entry(index, 5_000))
        )
      })
      assert.strictEqual(storedRows(filename), 5_000 - 4_990 + 3)
    })
  )

  it.scoped("large entries make the steps smaller", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* use(filename, log => {
        log.stage({ hardState: hardState(1), entries: [] })
        for (let index = 1; index <= 10; index++) log.stage({ entries: [entry(index, 1, "x".repeat(1024 * 1024))] })
        log.flush()
        log.compact(10)
        log.flush()
      })
      assert.strictEqual(storedRows(filename), 6)
    })
  )

  it.scoped("freed pages are used again: a log that is compacted as it grows does not grow on the disk", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      const sizes: Array<number> = []
      for (let life = 0; life < 4; life++) {
        yield* use(filename, log => {
          log.stage({ hardState: hardState(1), entries: [] })
          for (let written = 1; written <= 1_500; written++) {
            log.stage({ entries: [entry(log.lastIndex() + 1, 1, "x".repeat(4_000))] })
            if (written % 20 === 0) log.flush()
            if (written % 300 === 0) log.compact(log.lastIndex() - 200)
          }
          log.flush()
        })
        sizes.push(fs.statSync(filename).size)
      }
      const [first = 0, ...later] = sizes
      assert.isAbove(first, 200 * 4_000)
      assert.isAtMost(Math.max(...later), 1.1 * first)
    })
  )

  it.scoped("a log grown by a burst gives the disk back", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* use(filename, log => {
        log.stage({ hardState: hardState(1), entries: [] })
        for (let index = 1; index <= 300; index++) log.stage({ entries: [entry(index, 1, "x".repeat(100_000))] })
        log.flush()
      })
      assert.isAbove(fs.statSync(filename).size, 30_000_000)
      yield* use(filename, log => {
        log.compact(300)
        for (let step = 0; step < 60; step++) log.flush()
      })
      assert.isAtMost(fs.statSync(filename).size, 5_000_000)
      yield* use(filename, log => assert.strictEqual(log.lastIndex(), 300))
    })
  )

  it.scoped("a log in steady use keeps what it needs until it is cut again, and gives back what a burst took", () =>
    use(":memory:", log => {
      log.stage({ hardState: hardState(1), entries: [] })
      /** Appends so many entries of 100 KB and cuts the log behind them. What the file takes before and after. */
      const cycle = (entries: number) => {
        for (let nth = 0; nth < entries; nth++) {
          log.stage({ entries: [entry(log.lastIndex() + 1, 1, "x".repeat(100_000))] })
          log.flush()
        }
        const before = log.stats().bytesOnDisk
        log.compact(log.lastIndex() - 1)
        for (let step = 0; step < 200; step++) log.flush()
        return { before, after: log.stats().bytesOnDisk }
      }
      cycle(100)
      const { before: steady, after } = cycle(100)
      assert.isAbove(steady, 10_000_000)
      assert.strictEqual(after, steady)
      for (let again = 0; again < 3; again++) assert.deepStrictEqual(cycle(100), { before: steady, after: steady })

      const burst = cycle(500)
      assert.isAbove(burst.before, 50_000_000)
      assert.isAtMost(burst.after, 1.1 * steady)
    })
  )
})

describe("the entries of a Raft log in memory", () => {
  it("reach back as far as their bytes allow, and not behind the base", () => {
    const cache = makeTailCache(3 * sizeBytes(entry(1, 1)))
    const indexes = (from: number, to: number) => cache.entries(from, to, 1e6)?.map(({ index }) => index)
    for (const each of row(1, 5, 1)) cache.append(each)
    assert.deepStrictEqual([indexes(2, 5), indexes(3, 5)], [undefined, [3, 4, 5]])
    cache.dropThrough(4)
    assert.deepStrictEqual([indexes(4, 5), indexes(5, 5)], [undefined, [5]])
    cache.dropThrough(5)
    for (const each of row(6, 7, 1)) cache.append(each)
    assert.deepStrictEqual(indexes(6, 9), [6, 7])
    cache.clear()
    assert.isUndefined(indexes(6, 7))
  })

  // Encoders and sockets hand out views of buffers that have much else in them.
  it("hold no more than their bytes allow of what their payloads are cut out of", () => {
    const bytesMax = 100_000
    const cache = makeTailCache(bytesMax)
    const views = (buffer: ArrayBuffer, from: number, to: number) => {
      for (let index = from; index <= to; index++) {
        cache.append({ ...entry(index, 1), payload: new Uint8Array(buffer, index, 10) })
      }
    }
    const heldThrough = (last: number): number => {
      let first = last
      while (first > 1 && cache.entries(first - 1, last, 1) !== undefined) first--
      const found = cache.entries(first, last, 1e6) ?? []
      const buffers = new Set(found.map(({ payload }) => payload.buffer))
      return [...buffers].reduce((bytes, buffer) => bytes + buffer.byteLength, 0)
    }
    for (let index = 1; index <= 20; index++) views(new ArrayBuffer(40_000), index, index)
    assert.strictEqual(heldThrough(20), 80_000)

    cache.clear()
    const shared = new ArrayBuffer(90_000)
    views(shared, 1, 50)
    assert.lengthOf(cache.entries(1, 50, 1e6) ?? [], 50)
    cache.truncateFrom(41)
    cache.dropThrough(10)
    views(shared, 41, 60)
    assert.lengthOf(cache.entries(11, 60, 1e6) ?? [], 50)
    // Of one that several share nothing is free before the last of them is gone.
    views(new ArrayBuffer(20_000), 61, 61)
    assert.strictEqual(heldThrough(61), 20_000)
    views(new ArrayBuffer(60_000), 62, 62)
    assert.strictEqual(heldThrough(62), 80_000)
  })
})

describe("the entries of a Raft log that are released", () => {
  const numbers = texts(row(1, 6, 1))

  it.scoped("are read from the disk, also those that were not durable yet, and what follows is kept again", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* use(filename, log => {
        log.stage({ hardState: hardState(1), entries: row(1, 2, 1) })
        log.flush()
        log.stage({ entries: row(3, 4, 1) })
        log.release(3)
        assert.deepStrictEqual(all(log), numbers.slice(0, 4))
        log.release(4)
        log.stage({ entries: row(5, 6, 1) })
        assert.deepStrictEqual(all(log), numbers)
        assert.deepStrictEqual(texts(log.entries(5, 6, 1e6)), numbers.slice(4))
      })
    })
  )

  it.scoped("may be cut, and be others then", () =>
    use(":memory:", log => {
      log.stage({ hardState: hardState(1), entries: row(1, 6, 1) })
      log.flush()
      log.release(6)
      log.stage({ hardState: hardState(2), truncateFrom: 4, entries: [entry(4, 2, "other")] })
      assert.deepStrictEqual(all(log), [...numbers.slice(0, 3), "other"])
    })
  )
})

describe("a snapshot in a Raft log", () => {
  it.scoped("beyond the end: nothing else is left, and the log goes on behind it", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      const snapshot = { index: 20, term: 4, configuration: { index: 17, configuration: withLearners("b") } }
      yield* use(filename, log => {
        fill(log)
        log.stage({ hardState: hardState(4), snapshot, entries: [entry(21, 4)] })
        assert.deepStrictEqual([log.firstIndex(), log.lastIndex(), log.term(20)], [21, 21, 4])
        log.flush()
      })
      yield* use(filename, log => {
        assert.deepStrictEqual(log.base(), snapshot)
        assert.deepStrictEqual(log.hardState(), hardState(4))
        assert.deepStrictEqual(all(log), ["entry 21"])
        assert.deepStrictEqual(log.configurations(), [])
      })
    })
  )

  it.scoped("inside a log that agrees with it: what follows is kept", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* use(filename, log => {
        fill(log)
        log.stage({ snapshot: bare(6, 3), entries: [entry(9, 3)] })
        log.flush()
      })
      yield* use(filename, log => {
        assert.deepStrictEqual(log.base(), bare(6, 3))
        assert.deepStrictEqual(all(log), ["entry 7", "entry 8", "entry 9"])
      })
    })
  )

  it.scoped("inside a log of another term there: what follows goes as well", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      const check = (log: Log) => {
        assert.deepStrictEqual([log.firstIndex(), log.lastIndex(), log.term(4)], [5, 4, 2])
        assert.deepStrictEqual(all(log), [])
      }
      yield* use(filename, log => {
        fill(log)
        log.stage({ snapshot: bare(4, 2), entries: [] })
        check(log)
        log.flush()
      })
      yield* use(filename, check)
      assert.strictEqual(storedRows(filename), 0)
    })
  )

  it.scoped("it replaces the configurations before it, also those not yet deleted", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* use(filename, log => {
        log.stage({
          hardState: hardState(1),
          entries: [...row(1, 2_999, 1), configuration(3_000, 1, withLearners("b")), entry(3_001, 1)]
        })
        log.flush()
        const snapshot = { index: 4_000, term: 1, configuration: { index: 3_500, configuration: withLearners("c") } }
        log.stage({ snapshot, entries: [] })
        log.flush()
        assert.deepStrictEqual(log.configurations(), [])
        log.stage({ entries: row(4_001, 4_002, 1) })
        log.compact(4_001)
        assert.strictEqual(log.base().configuration?.index, 3_500)
      })
      yield* use(filename, log => assert.deepStrictEqual(log.configurations(), []))
    })
  )

  it.scoped("it comes with term, vote and entries or not at all", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* use(filename, fill)
      tamper(filename, database =>
        database.exec(
          "CREATE TRIGGER full BEFORE INSERT ON entries WHEN NEW.idx = 21 BEGIN SELECT RAISE(FAIL, 'full'); END"
        )
      )
      yield* use(filename, log => {
        log.stage({ hardState: hardState(9), snapshot: bare(20, 4), entries: [entry(21, 4)] })
        assert.throws(() => log.flush(), /full/)
      })
      yield* use(filename, log => {
        assert.deepStrictEqual([log.base(), log.hardState()], [bare(0, 0), hardState(3, "a")])
        assert.lengthOf(all(log), 8)
      })
    })
  )

  it.scoped("from before the base it is a defect", () =>
    use(":memory:", log => {
      fill(log)
      log.compact(6)
      assert.throws(() => log.stage({ snapshot: bare(5, 3), entries: [] }), /a snapshot never takes the log back/)
    })
  )
})
