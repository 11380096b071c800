import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Query from "@reckon/client/Query"
import type { EventPage } from "@reckon/client/StoreRpcs"
import * as StreamPattern from "@reckon/client/StreamPattern"
import { Database } from "@reckon/raft/Sqlite"
import * as Effect from "effect/Effect"
import * as Catalog from "../src/internal/sqlite/catalog.js"
import * as Gathered from "../src/internal/sqlite/gathered.js"
import * as Queries from "../src/internal/sqlite/query.js"
import * as Reader from "../src/internal/sqlite/reader.js"
import * as StreamNames from "../src/internal/sqlite/streamNames.js"
import * as Temporal from "../src/internal/sqlite/temporal.js"
import { termOf } from "../src/internal/sqlite/term.js"
import * as SqliteStoreEngine from "../src/SqliteStoreEngine.js"
import type { ReadAll, Service } from "../src/StoreEngine.js"
import { isSearch } from "./helpers/plan.js"
import { append, applyAt, event, limit, pages, positions, remove, wholly } from "./helpers/reading.js"

/** Uses an engine on the file and closes it again. */
const using = <A>(use: (engine: Service) => A, filename = ":memory:") =>
  Effect.scoped(Effect.map(SqliteStoreEngine.make({ filename }), use))

const tempFile = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "reckon-db-"))),
  folder => Effect.sync(() => fs.rmSync(folder, { recursive: true }))
).pipe(Effect.map(folder => path.join(folder, "store.db")))

/** Looks into the file, or changes it, behind the engine's back. */
const direct = <A>(filename: string, use: (db: Database.Database) => A, verbose?: () => void): A => {
  const db = new Database(filename, { verbose })
  try {
    return use(db)
  } finally {
    db.close()
  }
}

/** Reads from the file, with what tells how many statements a read takes. */
const counting = (
  filename: string,
  use: (reader: Reader.Reader, statementsOf: (read: () => void) => number) => void
): void => {
  let statements = 0
  direct(
    filename,
    db => {
      const catalog = Catalog.make(db)
      use(Reader.make(db, catalog, Queries.make(db, catalog).search), read => {
        statements = 0
        read()
        return statements
      })
    },
    () => {
      statements += 1
    }
  )
}

const page = (engine: Service, query: Query.Query, options: Partial<ReadAll> = {}) =>
  engine.readQuery({ ...wholly(options), query })

const found = (engine: Service, query: Query.Query, options: Partial<ReadAll> = {}) =>
  positions(page(engine, query, options))

const events = (count: number, fields: (n: number) => Parameters<typeof event>[1]) =>
  Array.from({ length: count }, (_, n) => event(n, fields(n)))

describe("a page of a query", () => {
  it.effect("at the end goes on behind the last event, whether that matched or not", () =>
    using(engine => {
      applyAt(engine, 1, append("a", event(1, { tags: ["x"] }), event(2)))
      assert.deepInclude(page(engine, Query.allTags("x")), { isEnd: true, next: 2 })
      assert.deepInclude(page(engine, Query.none), { events: [], isEnd: true, next: 2 })
      assert.deepInclude(page(engine, Query.allTags("x"), { from: 7 }), { events: [], isEnd: true, next: 7 })
      assert.deepInclude(page(engine, Query.allTags("x"), { asOf: 0 }), { isEnd: true, next: 1 })
      assert.deepInclude(page(engine, Query.allTags("x"), { direction: "backward" }), { isEnd: true, next: -1 })
    })
  )

  it.effect("that is full is the end if nothing that matches is beyond it", () =>
    using(engine => {
      applyAt(engine, 1, append("a", ...events(9, n => ({ tags: n % 4 === 0 ? ["x"] : [] }))))
      const query = Query.allTags("x")
      assert.deepInclude(page(engine, query, { count: 2 }), { isEnd: false, next: 8 })
      assert.deepInclude(page(engine, query, { count: 3 }), { isEnd: true, next: 9 })
      assert.deepInclude(page(engine, query, { count: 1, from: 5 }), { isEnd: true, next: 9 })
      assert.deepInclude(page(engine, query, { count: 1, from: 3, direction: "backward" }), { isEnd: true, next: -1 })
      assert.deepInclude(page(engine, query, { count: 0 }), { events: [], isEnd: false, next: 0 })
    })
  )

  it.effect("ends where it passed over too much, and reading on gets there", () =>
    using(engine => {
      const placed = { eventType: "Placed" }
      applyAt(
        engine,
        1,
        append("gone", ...events(10_000, () => placed)),
        append("here", event(1, placed)),
        remove("gone")
      )
      for (const direction of ["forward", "backward"] as const) {
        applyAt(engine, 2, append("here", event(2)))
        const first = wholly({ direction }).from
        const all = pages(first, from => page(engine, Query.eventTypes("Placed"), { from, direction }))
        assert.strictEqual(all.length, 3)
        assert.deepStrictEqual(all.flatMap(positions), [10_000])
      }
    })
  )

  it.effect("does not look for ever for what two dense lists have in common", () =>
    using(engine => {
      applyAt(engine, 1, append("a", ...events(20_000, n => ({ tags: n === 19_999 ? ["even", "odd"] : [n % 2 === 0 ? "even" : "odd"] })))) // biome-ignore format: one thought
      const all = pages(0, from => page(engine, Query.allTags("even", "odd"), { from }))
      assert.deepStrictEqual(all.flatMap(positions), [19_999])
      assert.isAbove(all.length, 2)
      assert.isBelow(all.length, 8)
      // A page is over where it has passed over enough, and not where it would have had enough events.
      assert.isBelow(all[0]?.next ?? 0, 4200)
    })
  )

  it.effect("of several items gets on with all of them, though each passes over much", () =>
    using(engine => {
      const tags = ["even", "odd", "also even", "also odd"]
      const fields = (n: number) => ({ tags: n === 11_999 ? tags : tags.filter((_, at) => at % 2 === n % 2) })
      applyAt(engine, 1, append("a", ...events(12_000, fields)))
      applyAt(engine, 1, ...events(300, () => ({})).map((event, n) => append(`c-${n}`, event)))
      const items = [
        Query.allTags("even", "odd"),
        Query.allTags("also even", "also odd"),
        Query.streams("c-*"),
        Query.allTags("odd", "also even")
      ]
      const expected = Array.from({ length: 301 }, (_, n) => 11_999 + n)
      for (const direction of ["forward", "backward"] as const) {
        const pagesOf = (query: Query.Query) =>
          pages(wholly({ direction }).from, from => page(engine, query, { from, direction }))
        for (const item of items) assert.isAtLeast(pagesOf(item).length, 3)
        const all = pagesOf(Query.or(...items))
        assert.deepStrictEqual(all.flatMap(positions), direction === "forward" ? expected : expected.toReversed())
        assert.isBelow(all.length, 16)
      }
    })
  )
})

describe("stream patterns in a query", () => {
  const names = Array.from({ length: 400 }, (_, n) => `s-${String(n).padStart(3, "0")}`)

  it.effect("of few streams and of very many find the same as a test of each event", () =>
    using(engine => {
      const operations = names.map((name, n) => append(name, event(n, { tags: [`t${n % 7}`] }), event(n + 1000)))
      applyAt(engine, 1, ...operations, append("other", event(1)), remove("s-013"), limit("s-021", { maxCount: 1 }))
      const all = engine.readAll(wholly({ count: 2000 })).events
      for (const query of [
        Query.streams("s-*"),
        Query.streams("s-??1"),
        Query.streams("*"),
        Query.streams("s-01?"),
        Query.streams("s-013"),
        Query.make({ stream: "s-*", tags: ["t3"] }),
        Query.make({ stream: "s-1*", tags: ["t3"] }),
        Query.or(Query.streams("s-2*"), Query.streams("*1"), Query.allTags("t5"))
      ]) {
        const expected = positions({ events: all.filter(Query.matcher(query)) })
        const walk = pages(0, from => page(engine, query, { from, count: 90 }))
        assert.deepStrictEqual(walk.flatMap(positions), expected)
        assert.deepStrictEqual(found(engine, query, { direction: "backward", count: 2000 }), expected.toReversed())
      }
    })
  )

  it.effect("that very many names would have to be held against find what they mean, page after page", () =>
    using(engine => {
      const others = events(5000, () => ({})).map((event, n) => append(`s-${n}`, event))
      applyAt(engine, 1, ...others, append("the-last", event(1)))
      const all = pages(0, from => page(engine, Query.streams("*-last"), { from }))
      assert.deepStrictEqual(all.flatMap(positions), [5000])
      assert.strictEqual(all.length, 2)
    })
  )

  it.effect("see what a stream has from a position in its middle on, in both directions", () =>
    using(engine => {
      for (let n = 0; n < 60; n++) applyAt(engine, n, append(n % 3 === 0 ? "a" : "b", event(n)))
      const query = Query.streams("a")
      for (let from = 0; from < 60; from++) {
        const behind = Array.from({ length: 60 }, (_, n) => n).filter(n => n % 3 === 0 && n >= from)
        assert.deepStrictEqual(found(engine, query, { from }), behind)
        const before = Array.from({ length: 60 }, (_, n) => n).filter(n => n % 3 === 0 && n <= from)
        assert.deepStrictEqual(found(engine, query, { from, direction: "backward" }), before.toReversed())
      }
    })
  )
})

describe("what the indexes say", () => {
  it.scoped("is verified: a term that another field has too, a row whose event is gone", () =>
    Effect.gen(function* () {
      const filename = yield* tempFile
      yield* using(engine => {
        applyAt(engine, 1, append("a", ...events(3, n => ({ json: { k: n }, eventType: "A", tags: ["x"] }))))
      }, filename)
      direct(filename, db => {
        db.prepare("INSERT INTO fields_0 (term, position) VALUES (?, 2)").run(termOf("k", 0))
        db.exec("DELETE FROM events WHERE position = 1")
      })
      yield* using(engine => {
        assert.deepStrictEqual(found(engine, Query.metadata("k", 0)), [0])
        assert.deepStrictEqual(found(engine, Query.metadata("k", 1)), [])
        assert.deepStrictEqual(found(engine, Query.allTags("x")), [0, 2])
        assert.deepStrictEqual(found(engine, Query.eventTypes("A")), [0, 2])
        assert.deepStrictEqual(found(engine, Query.all), [0, 2])
      }, filename)
    })
  )

  it.effect("of metadata: the first 16 fields that can be asked for, and no others", () =>
    using(engine => {
      const json = { list: [], ...Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`f${n}`, n])) }
      applyAt(engine, 1, append("a", event(1, { json })))
      const fields = Array.from({ length: 20 }, (_, n) => n)
      const answered = fields.filter(n => found(engine, Query.metadata(`f${n}`, n)).length === 1)
      assert.deepStrictEqual(answered, fields.slice(0, 16))
    })
  )
})

describe("what a query costs", () => {
  it.effect("asks SQLite nothing that it could only answer by a scan, or by sorting", () =>
    Effect.gen(function* () {
      const filename = yield* tempFile
      yield* using(engine => applyAt(engine, 1, append("a", event(1))), filename)
      direct(filename, db => {
        const all = {
          ...Queries.queries,
          ...Reader.queries,
          ...Gathered.queries,
          ...StreamNames.queries,
          ...Temporal.queries
        }
        for (const [name, sql] of Object.entries(all)) {
          const parameters = sql
            .split("?")
            .slice(1)
            .map(() => 1)
          const plan = db
            .prepare<Array<number>, [number, number, number, string]>(`EXPLAIN QUERY PLAN ${sql}`)
            .raw()
            .all(...parameters)
            .map(step => step[3])
          assert.isNotEmpty(plan)
          // The positions that are asked for are a list that is read as a whole.
          const isSound = (step: string) => isSearch(step) || /^(LIST SUBQUERY|SCAN json_each )/.test(step)
          for (const step of plan) assert.isTrue(isSound(step), `${name}: ${step}`)
        }
      })
    }).pipe(Effect.scoped)
  )

  it.scoped("does not grow without end with the content types that a type comes with", () =>
    Effect.gen(function* () {
      const filename = yield* tempFile
      const ofKind = (n: number) =>
        event(n, { eventType: `T${n % 2}`, dataContentType: `v=${n}`, tags: [`t${n % 100}`] })
      const queries = [
        Query.eventTypes("T1"),
        Query.make({ types: ["T0", "T1"], tags: ["t5"] }),
        Query.or(Query.eventTypes("T1"), Query.make({ types: ["T0"], tags: ["t8"] }))
      ]
      yield* using(engine => {
        applyAt(engine, 1, append("a", ...Array.from({ length: 10_000 }, (_, n) => ofKind(n))))
        const all = pages(0, from => engine.readAll(wholly({ from }))).flatMap(({ events }) => events)
        for (const query of queries) {
          for (const direction of ["forward", "backward"] as const) {
            const expected = positions({ events: all.filter(Query.matcher(query)) })
            const walk = pages(wholly({ direction }).from, from => page(engine, query, { from, direction }))
            assert.deepStrictEqual(walk.flatMap(positions), direction === "forward" ? expected : expected.toReversed())
          }
        }
      }, filename)
      counting(filename, (reader, statementsOf) => {
        for (const query of queries) {
          const read = () => reader.readQuery({ ...wholly({ count: 10 }), query }, 9999)
          assert.isBelow(statementsOf(read), 200)
        }
      })
    })
  )

  it.scoped("does not grow without end with the patterns that it has, each of many streams", () =>
    Effect.gen(function* () {
      const filename = yield* tempFile
      const names = Array.from({ length: 200 }, (_, n) => `s-${n}`)
      yield* using(engine => applyAt(engine, 1, ...names.map((name, n) => append(name, event(n)))), filename)
      counting(filename, (reader, statementsOf) => {
        const query = Query.or(...Array.from({ length: 60 }, () => Query.streams("s-*")))
        const read = () => reader.readQuery({ ...wholly({ count: 10 }), query }, 199)
        assert.deepStrictEqual(positions(read()), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
        assert.isBelow(statementsOf(read), 1000)
      })
    })
  )

  it.scoped("does not grow with the streams that a pattern means, beside a criterion that few events meet", () =>
    Effect.gen(function* () {
      const filename = yield* tempFile
      const tagsOf = (n: number) => [...(n % 97 === 0 ? ["rare"] : []), ...(n % 89 === 0 ? ["elsewhere"] : [])]
      const operations = Array.from({ length: 10_000 }, (_, n) => append(`s-${n % 250}`, event(n, { tags: tagsOf(n) })))
      yield* using(engine => applyAt(engine, 1, ...operations), filename)
      counting(filename, (reader, statementsOf) => {
        for (const direction of ["forward", "backward"] as const) {
          for (const { stream, tags, most } of [
            { stream: "s-*", tags: ["rare"], most: 600 },
            { stream: "s-*", tags: ["rare", "elsewhere"], most: 600 },
            { stream: "s-1*", tags: ["rare"], most: 1500 },
            { stream: "s-12?", tags: ["rare"], most: 600 }
          ]) {
            const query = Query.make({ stream, tags })
            const matches = StreamPattern.matcher(stream)
            const expected = Array.from({ length: 10_000 }, (_, n) => n).filter(
              n => matches(`s-${n % 250}`) && tags.every(tag => tagsOf(n).includes(tag))
            )
            const read = () => {
              const answer = positions(reader.readQuery({ ...wholly({ direction }), query }, 9999))
              assert.deepStrictEqual(answer, direction === "forward" ? expected : expected.toReversed())
            }
            assert.isBelow(statementsOf(read), most, JSON.stringify([direction, stream, tags]))
          }
        }
      })
    })
  )

  it.scoped("is bounded for each page, however often a stream has to be searched for the next place", () =>
    Effect.gen(function* () {
      const filename = yield* tempFile
      // Twenty here, twenty there: neither list has a place that the other one has.
      const blocks = Array.from({ length: 1500 }, (_, block) => {
        const isTagged = block % 2 === 0
        const block20 = Array.from({ length: 20 }, (_, n) => event(20 * block + n, { tags: isTagged ? ["x"] : [] }))
        return append(isTagged ? "other" : "a", ...block20)
      })
      yield* using(engine => applyAt(engine, 1, ...blocks), filename)
      counting(filename, (reader, statementsOf) => {
        const query = Query.make({ stream: "a", tags: ["x"] })
        for (const direction of ["forward", "backward"] as const) {
          const costs: Array<number> = []
          const page = (from: number) => {
            let page: EventPage = { events: [], isEnd: true, next: from }
            costs.push(
              statementsOf(() => {
                page = reader.readQuery({ ...wholly({ direction, from }), query }, 29_999)
              })
            )
            return page
          }
          assert.deepStrictEqual(pages(wholly({ direction }).from, page).flatMap(positions), [])
          assert.isBelow(Math.max(...costs), 2 * Reader.passedOverMax)
          assert.isBelow(costs.length, 10)
        }
      })
    })
  )

  it.scoped("is little where little is left, whatever names its pattern may mean", () =>
    Effect.gen(function* () {
      const filename = yield* tempFile
      const operations = Array.from({ length: 500 }, (_, n) => append(`s-${n % 250}`, event(n)))
      yield* using(engine => applyAt(engine, 1, ...operations), filename)
      counting(filename, (reader, statementsOf) => {
        const query = Query.streams("s-*")
        for (const options of [{ from: 495 }, { from: 0, asOf: 4 }, { from: 4, direction: "backward" }] as const) {
          const read = () =>
            assert.lengthOf(reader.readQuery({ ...wholly({ count: 10, ...options }), query }, 499).events, 5)
          assert.isBelow(statementsOf(read), 20)
        }
        assert.strictEqual(
          statementsOf(() => reader.readQuery({ ...wholly({ from: 500 }), query }, 499)),
          0
        )
      })
      // What lies beyond is not even looked at, as an append's condition holds up everything behind it.
      direct(filename, db => {
        const { search } = Queries.make(db, Catalog.make(db))
        const wanted = { count: 100, direction: "forward", nowUs: 0, budget: { left: 1000 } } as const
        const places = [...search({ ...wanted, query: Query.all, from: 10, to: 12 })].map(({ place }) => place)
        assert.deepStrictEqual(places, [10, 11, 12])
      })
    })
  )

  it.effect("is little for events with large tags or metadata that the page has no room for", () =>
    Effect.gen(function* () {
      const filename = yield* tempFile
      const tags = Array.from({ length: 64 }, (_, n) => `${n}:${"\u0001注".repeat(200)}`)
      const written = events(200, n => ({
        tags: n % 3 === 0 ? ["small"] : tags,
        ...(n < 100 ? { json: n % 2 === 0 ? { n } : undefined } : { metadata: new Uint8Array(50_000) })
      }))
      yield* using(engine => {
        applyAt(engine, 1, append("a", ...written))
        const read = (options: Partial<ReadAll>) => [
          engine.readAll(wholly(options)),
          engine.readQuery({ ...wholly(options), query: Query.all })
        ]
        for (const { events } of read({})) {
          assert.deepStrictEqual(
            events.map(({ eventId, tags, metadata, data }) => ({ eventId, tags, metadata, data })),
            written.map(({ eventId, tags, metadata, data }) => ({ eventId, tags, metadata, data }))
          )
        }
        for (const { events } of read({ bytesMax: 60_000 })) assert.strictEqual(events.length, 4)
      }, filename)
      direct(filename, db => {
        const gathered = db
          .prepare<[number, number, number], Array<string | Buffer>>(Gathered.gathered(Reader.queries.allForward))
          .raw()
        for (const part of gathered.get(0, 200, 200) ?? []) assert.isBelow(part.length, 200 * 4096)
      })
    }).pipe(Effect.scoped)
  )

  it.scoped("reads of streams whose names do not match nothing but the index of names", () =>
    Effect.gen(function* () {
      const filename = yield* tempFile
      yield* using(engine => applyAt(engine, 1, append("a", event(1))), filename)
      const plan = direct(filename, db =>
        db
          .prepare<[], unknown>(`EXPLAIN QUERY PLAN ${StreamNames.queries.names.replaceAll("?", "'a'")}`)
          .raw()
          .all()
      )
      assert.match(JSON.stringify(plan), /SEARCH streams USING COVERING INDEX/)
    })
  )

  it.scoped("does not depend on where in the store the page is", () =>
    Effect.gen(function* () {
      const filename = yield* tempFile
      yield* using(engine => {
        const operations = Array.from({ length: 10_000 }, (_, n) => {
          const round = Math.floor(n / 20)
          return append(`s-${n % 20}`, event(n, { eventType: `T${round % 5}`, tags: [`t${round % 10}`] }))
        })
        applyAt(engine, 1, ...operations)
      }, filename)
      counting(filename, (reader, statementsOf) => {
        for (const query of [
          Query.all,
          Query.eventTypes("T1", "T2"),
          Query.make({ types: ["T1"], tags: ["t6"] }),
          Query.make({ stream: "s-7", types: ["T1"] }),
          Query.streams("s-1?")
        ]) {
          const costs = [2500, 7500].flatMap(from =>
            (["forward", "backward"] as const).map(direction => {
              const read = () => reader.readQuery({ ...wholly({ from, direction, count: 10 }), query }, 9999)
              read()
              return statementsOf(read)
            })
          )
          assert.isAtMost(Math.max(...costs), 2 * Math.min(...costs) + 20, JSON.stringify([query, costs]))
          assert.isBelow(Math.max(...costs), 250)
        }
      })
    })
  )
})
