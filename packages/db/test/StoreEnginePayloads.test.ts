import { assert, describe, it } from "@effect/vitest"
import * as Query from "@reckon/client/Query"
import type { EventPage } from "@reckon/client/StoreRpcs"
import { Database } from "@reckon/raft/Sqlite"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import * as Catalog from "../src/internal/sqlite/catalog.js"
import * as Gathered from "../src/internal/sqlite/gathered.js"
import * as Queries from "../src/internal/sqlite/query.js"
import * as Reader from "../src/internal/sqlite/reader.js"
import { migrations } from "../src/internal/sqlite/schema.js"
import * as SqliteStoreEngine from "../src/SqliteStoreEngine.js"
import type { Service } from "../src/StoreEngine.js"
import { append, applyAt, directionArbitrary, event, wholly } from "./helpers/reading.js"

const using = <A>(use: (engine: Service) => A) =>
  Effect.scoped(Effect.map(SqliteStoreEngine.make({ filename: ":memory:" }), use))

/** Of sizes on both sides of what fits into a row's own page, with every byte there is: zeros, and what is no text. */
const bytesArbitrary = fc
  .record({ length: fc.constantFrom(0, 1, 2, 300, 2048, 4095, 4096, 4097, 9000), first: fc.nat({ max: 255 }) })
  .map(({ first, length }) => Uint8Array.from({ length }, (_, at) => (first + at * 7) % 256))

const payloadsOf = (page: EventPage | string) =>
  typeof page === "string"
    ? page
    : page.events.map(({ data, eventId, metadata, tags }) => ({ data, eventId, metadata, tags }))

describe("what a page carries", () => {
  it("is what was written, whatever the sizes and bytes of the events beside each other", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            data: bytesArbitrary,
            metadata: fc.option(bytesArbitrary),
            tags: fc.constantFrom([], ["t"], ["t", '"],[\\'], ["t", "\u2028 ü 😀"])
          }),
          { minLength: 1, maxLength: 12 }
        ),
        directionArbitrary,
        (contents, direction) => {
          const events = contents.map((content, n) => event(n, content))
          const written = direction === "forward" ? events : events.toReversed()
          const expected = written.map(({ data, eventId, metadata, tags }) => ({ data, eventId, metadata, tags }))
          Effect.runSync(
            using(engine => {
              applyAt(engine, 1, append("a", ...events))
              const read = wholly({ direction })
              assert.deepStrictEqual(payloadsOf(engine.readStream({ ...read, streamId: "a" })), expected)
              assert.deepStrictEqual(payloadsOf(engine.readAll(read)), expected)
              assert.deepStrictEqual(payloadsOf(engine.readQuery({ ...read, query: Query.all })), expected)
              assert.deepStrictEqual(
                payloadsOf(engine.readQuery({ ...read, query: Query.anyTag("t") })),
                expected.filter(({ tags }) => tags.length > 0)
              )
            })
          )
        }
      ),
      { numRuns: 60 }
    )
  })

  it("is plain bytes, each event's own: to write into those of one changes no other", () => {
    Effect.runSync(
      using(engine => {
        applyAt(engine, 1, append("a", event(1), event(2), event(3)))
        const { events } = engine.readAll(wholly())
        const [first, second, third] = events.map(({ data }) => data)
        assert.deepStrictEqual(
          [first, second, third].map(data => data?.constructor),
          [Uint8Array, Uint8Array, Uint8Array]
        )
        second?.fill(255)
        assert.deepStrictEqual(
          [first, second, third].map(data => [...(data ?? [])]),
          [[1], [255], [3]]
        )
      })
    )
  })
})

describe("what a page costs", () => {
  const withReader = <A>(use: (reader: Reader.Reader, statements: () => ReadonlyArray<string>) => A): A => {
    let statements: Array<string> = []
    const db = new Database(":memory:", { verbose: sql => statements.push(String(sql)) })
    try {
      for (const migration of migrations) migration(db)
      db.exec("INSERT INTO streams (id, name, version, position) VALUES (1, 'a', 99, 99)")
      db.exec("INSERT INTO kinds VALUES (1, 'T', 'application/json', 'application/json')")
      const insert = db.prepare("INSERT INTO events VALUES (?, 1, ?, 1, 1, ?, NULL, NULL, zeroblob(?))")
      for (let n = 0; n < 100; n++) insert.run(n, n, Buffer.alloc(16, n), n < 50 ? 300 : 20_000)
      db.exec("INSERT INTO versions_0 SELECT stream, version, position FROM events")
      const catalog = Catalog.make(db)
      const reader = Reader.make(db, catalog, Queries.make(db, catalog).search)
      return use(reader, () => {
        const made = statements
        statements = []
        return made
      })
    } finally {
      db.close()
    }
  }

  it("is one statement, however many small events it has", () => {
    withReader((reader, statements) => {
      const read = { ...wholly({ count: 40 }), streamId: "a" }
      reader.readStream(read)
      statements()
      reader.readStream(read)
      assert.strictEqual(statements().length, 1)
      reader.readAll({ ...wholly({ count: 40 }) }, 99)
      assert.strictEqual(statements().length, 1)
    })
  })

  it("does not grow with the large events that it has no room for", () => {
    withReader((reader, statements) => {
      const read = { ...wholly({ from: 50, bytesMax: 50_000 }), streamId: "a" }
      statements()
      const page = reader.readStream(read)
      assert.strictEqual(typeof page === "string" ? page : page.events.length, 2)
      // Those of the two, and of the one that did not fit any more.
      const payloads = statements().filter(sql => sql.startsWith(Gathered.queries.payloads.split("?")[0] ?? ""))
      assert.strictEqual(payloads.length, 3)
    })
  })
})
