import { assert, describe, it, vi } from "@effect/vitest"
import { contentTypeJson, type NewEvent } from "@reckon/client/Event"
import * as Query from "@reckon/client/Query"
import { Database } from "@reckon/raft/Sqlite"
import * as fc from "fast-check"
import { type Operation, single } from "../src/Command.js"
import * as Catalog from "../src/internal/sqlite/catalog.js"
import * as Checkpoints from "../src/internal/sqlite/checkpoints.js"
import { migrations } from "../src/internal/sqlite/schema.js"
import * as SnapshotRows from "../src/internal/sqlite/snapshotRows.js"
import * as Writer from "../src/internal/sqlite/writer.js"
import { conditionFailed, conflict, done, part, plain, success, tombstoned, wrongVersion } from "./helpers/answers.js"
import {
  append,
  appendIf,
  batch,
  bytes,
  command,
  commandArbitrary,
  deleteStream,
  entries,
  event,
  eventArbitrary,
  id,
  saveSnapshot,
  setMetadata,
  snapshot,
  textArbitrary,
  tombstone
} from "./helpers/events.js"
import { dump, type OpenWriter, withWriter } from "./helpers/writer.js"

const test = (name: string, use: (open: OpenWriter) => void) => it(name, () => withWriter(use))

/** An append of its own. */
const one = (...fields: Parameters<typeof append>): Operation => single(append(...fields))

describe("an append to several streams", () => {
  test("numbers its events in the order of its parts, and answers for each part", ({ apply, values }) => {
    apply(1, one("b", "any", event(1)))
    const reply = apply(
      2,
      batch(
        append("c", "no_stream", event(1), event(2)),
        append("a", "any"),
        append("b", 0, event(2)),
        append("d", "no_stream", event(3))
      )
    )
    assert.deepStrictEqual(plain(reply), [[part("c", 1, 2), part("a", -1, -1), part("b", 1, 3), part("d", 0, 4)]])
    assert.deepStrictEqual(
      values("SELECT s.name || e.version FROM events e JOIN streams s ON s.id = e.stream ORDER BY e.position"),
      ["b0", "c0", "c1", "b1", "d0"]
    )
  })

  test("writes nothing at all if one part cannot be written, wherever that stands", ({ apply, db }) => {
    apply(1, one("a", "any", event(1)), one("b", "any", event(1)), tombstone("gone"))
    const before = dump(db).slice(1)
    const good = [append("new", "no_stream", event(5)), append("a", 0, event(5))]
    const cases = [
      [append("b", 7, event(5)), wrongVersion("b", 7, 0)],
      [append("b", "any", event(1, { eventType: "other" })), conflict("b", id(1), 0)],
      [append("gone", "any", event(5)), tombstoned("gone")],
      [append("gone", "any"), tombstoned("gone")],
      [append("b", 3), wrongVersion("b", 3, 0)]
    ] as const
    for (const [bad, error] of cases) {
      assert.deepStrictEqual(plain(apply(2, batch(bad, ...good))), [error])
      assert.deepStrictEqual(plain(apply(2, batch(...good, bad))), [error])
    }
    assert.deepStrictEqual(dump(db).slice(1), before)
  })

  test("names the first part that is wrong; a conflict goes before everything else", ({ apply }) => {
    apply(1, one("a", "any", event(1)), one("b", "any", event(1)))
    const wrong = append("a", 5, event(2))
    const conflicting = append("b", 6, event(1, { tags: ["other"] }))
    assert.deepStrictEqual(plain(apply(2, batch(wrong, append("b", 6, event(2))))), [wrongVersion("a", 5, 0)])
    assert.deepStrictEqual(plain(apply(2, batch(wrong, conflicting))), [conflict("b", id(1), 0)])
  })

  test("repeated, it answers the same whatever it expects; with anything new among it, it is judged again", ({
    apply
  }) => {
    const a = append("a", "no_stream", event(1), event(2))
    const b = append("b", "no_stream", event(1))
    apply(1, batch(a, b))
    apply(2, one("a", "any", event(3)))
    assert.deepStrictEqual(plain(apply(3, batch(a, b))), [[part("a", 1, 1, 2), part("b", 0, 2, 1)]])
    assert.deepStrictEqual(plain(apply(3, batch(b, { ...a, expectedVersion: 77 }))), [
      [part("b", 0, 2, 1), part("a", 1, 1, 2)]
    ])
    assert.deepStrictEqual(plain(apply(3, batch(a, append("b", "no_stream", event(1), event(2))))), [
      wrongVersion("a", "no_stream", 2)
    ])
    assert.deepStrictEqual(plain(apply(3, batch({ ...a, expectedVersion: 2 }, append("b", 0, event(1), event(2))))), [
      [part("a", 1, 1, 2), part("b", 1, 4, 1)]
    ])
  })

  test("a part without events is judged beside those that have some, and not beside a repetition", ({ apply }) => {
    const first = batch(append("a", "no_stream", event(1)), append("b", "no_stream"))
    assert.deepStrictEqual(plain(apply(1, first)), [[part("a", 0, 0), part("b", -1, -1)]])
    apply(2, one("b", "any", event(1)))
    assert.deepStrictEqual(plain(apply(3, first)), [[part("a", 0, 0, 1), part("b", 0, 1)]])
    assert.deepStrictEqual(plain(apply(3, batch(append("a", "no_stream"), append("b", 0)))), [
      wrongVersion("a", "no_stream", 0)
    ])
  })

  test("without any part it has nothing to do", ({ apply, writer }) => {
    assert.deepStrictEqual(plain(apply(1, batch())), [[]])
    assert.strictEqual(writer.head().lastPosition, -1)
  })

  test("to one stream twice is a defect, and changes nothing", ({ apply, writer }) => {
    assert.throws(() => apply(1, batch(append("a", "any", event(1)), append("a", "any", event(2)))), /stream once/)
    assert.strictEqual(writer.head().appliedIndex, 0)
  })
})

describe("an append under a condition", () => {
  const tagged = Query.allTags("seat:1")
  const seat = event(1, { tags: ["seat:1"] })

  test("succeeds while nothing behind the position matches, and says where the first breach is", ({ apply }) => {
    const book = (n: number, after: number) =>
      plain(apply(1, appendIf(tagged, after, append(`booking-${n}`, "no_stream", event(n, { tags: ["seat:1"] })))))
    apply(1, one("other", "any", event(1, { tags: ["seat:2"] })))
    assert.deepStrictEqual(book(1, -1), [success("booking-1", 0, 1)])
    assert.deepStrictEqual(book(2, -1), [conditionFailed(-1, 1)])
    assert.deepStrictEqual(book(2, 0), [conditionFailed(0, 1)])
    assert.deepStrictEqual(book(2, 1), [success("booking-2", 0, 2)])
    assert.deepStrictEqual(book(3, 0), [conditionFailed(0, 1)])
  })

  test("sees what was written before it in the same command and batch of entries", ({ apply, writer }) => {
    const reply = apply(1, one("new", "any", seat), appendIf(tagged, -1, append("b", "any", event(2))))
    assert.deepStrictEqual(plain(reply)?.[1], conditionFailed(-1, 0))
    const pattern = Query.streams("fresh-*")
    const later = writer.apply(
      entries(2, [
        command(2, append("fresh-1", "any", event(1))),
        { at: 2, operations: [appendIf(pattern, -1, append("b", "any", event(3)))] },
        { at: 2, operations: [deleteStream("fresh-1"), appendIf(pattern, -1, append("b", "any", event(4)))] }
      ])
    )
    assert.deepStrictEqual(later.map(plain).slice(1), [[conditionFailed(-1, 1)], [done, success("b", 0, 2)]])
  })

  test("is not broken by what the append itself brings", ({ apply }) => {
    assert.deepStrictEqual(plain(apply(1, appendIf(Query.all, -1, append("a", "any", seat, event(2))))), [
      success("a", 1, 1)
    ])
  })

  test("is not broken by hidden events: of deleted and truncated streams, and those too old", ({ apply }) => {
    const probe = (n: number) => appendIf(tagged, -1, append("probe", "any", event(n)))
    apply(10, one("deleted", "any", seat), deleteStream("deleted"))
    apply(20, one("cut", "any", seat, event(2)), setMetadata("cut", { truncateBefore: 1 }))
    apply(30, one("old", "any", seat), setMetadata("old", { maxAgeUs: 5 }))
    assert.deepStrictEqual(plain(apply(35, probe(1))), [conditionFailed(-1, 3)])
    assert.deepStrictEqual(plain(apply(36, probe(2))), [success("probe", 0, 4)])
  })

  test("is judged at the time of the last event where the command's is earlier", ({ apply }) => {
    apply(30, one("old", "any", seat), setMetadata("old", { maxAgeUs: 5 }))
    apply(36, one("other", "any", event(1)))
    assert.deepStrictEqual(plain(apply(1, appendIf(tagged, -1, append("a", "any", event(1))))), [success("a", 0, 2)])
  })

  test("does not matter to a repetition, and matters again with anything new", ({ apply }) => {
    const first = appendIf(tagged, -1, append("a", "no_stream", seat))
    apply(1, first)
    assert.deepStrictEqual(plain(apply(2, first)), [success("a", 0, 0, 1)])
    assert.deepStrictEqual(plain(apply(2, appendIf(tagged, -1, append("a", 0, seat, event(2))))), [
      conditionFailed(-1, 0)
    ])
  })

  test("is judged after the expectations, and also without events", ({ apply }) => {
    apply(1, one("a", "any", seat))
    assert.deepStrictEqual(plain(apply(2, appendIf(tagged, -1, append("a", 7, event(2))))), [wrongVersion("a", 7, 0)])
    assert.deepStrictEqual(plain(apply(2, appendIf(tagged, -1, append("a", 0)))), [conditionFailed(-1, 0)])
    assert.deepStrictEqual(plain(apply(2, appendIf(Query.none, -1, append("a", 0)))), [success("a", 0, 0)])
  })
})

describe("what events are found by", () => {
  const withMetadata = (n: number, value: unknown, fields: Partial<NewEvent> = {}) =>
    event(n, { metadata: bytes(JSON.stringify(value)), ...fields })

  test("a row for each tag an event has, once", ({ apply, values }) => {
    apply(1, one("a", "any", event(1, { tags: ["x", "y", "x"] }), event(2), event(3, { tags: ["y"] })))
    const rows = "SELECT t.name || ' ' || g.position FROM tagged g JOIN tags t ON t.id = g.tag ORDER BY 1"
    assert.deepStrictEqual(values(rows), ["x 0", "y 0", "y 2"])
  })

  test("a row for each scalar field of JSON metadata, equal for equal fields and values only", ({ apply, values }) => {
    const termsAfter = (position: number) =>
      values(`SELECT term FROM fields WHERE position = ${position} ORDER BY term`)
    apply(
      1,
      one(
        "a",
        "any",
        withMetadata(1, { by: "1", ok: true, none: null, list: [1], nested: { by: "1" } }),
        withMetadata(2, { ok: true, by: "1" }),
        withMetadata(3, { by: 1 }),
        withMetadata(4, { by: true }),
        withMetadata(5, { yb: "1" }),
        withMetadata(6, { by: "x".repeat(257), ["f".repeat(257)]: 1, empty: "" })
      )
    )
    assert.strictEqual(termsAfter(0).length, 2)
    assert.deepStrictEqual(termsAfter(1), termsAfter(0))
    const single = [2, 3, 4].map(position => termsAfter(position))
    assert.isTrue(single.every(terms => terms.length === 1))
    assert.strictEqual(new Set([...single, termsAfter(0)].flat()).size, 5)
    assert.strictEqual(termsAfter(5).length, 1)
  })

  test("no row for metadata that is no JSON object, and at most sixteen", ({ apply, values }) => {
    const many = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`field-${n}`, n]))
    const others = ["[1]", '"by"', "7", "null", "{", ""].map((text, n) => event(n, { metadata: bytes(text) }))
    const notJson = withMetadata(7, { by: 1 }, { metadataContentType: "application/x-json" })
    const notUtf8 = event(8, { metadata: Uint8Array.of(0x7b, 0xff, 0x7d) })
    apply(1, one("a", "any", ...others, notJson, notUtf8), one("b", "any", withMetadata(9, { skipped: [], ...many })))
    assert.deepStrictEqual(values("SELECT count(*) FROM fields GROUP BY position"), [16])
    assert.deepStrictEqual(values("SELECT DISTINCT position FROM fields"), [8])
  })

  it("costs an event without tags and metadata nothing: one look for its id, its row, a version and an id, and the stream and the head once", () => {
    const statements: Array<string> = []
    const db = new Database(":memory:", {
      verbose: sql => statements.push(String(sql).trim().split(/\s+/, 3).join(" "))
    })
    for (const migration of migrations) migration(db)
    const catalog = Catalog.make(db)
    const snapshots = SnapshotRows.make(db, catalog)
    const writer = Writer.make(db, catalog, snapshots, { firstMatch: () => null }, Checkpoints.make(db))
    const run = (index: number, ...events: ReadonlyArray<NewEvent>) => {
      statements.length = 0
      writer.apply(entries(index, [command(1, append("a", "any", ...events), append("a", "any"))]))
      return statements.map(statement => statement.replace(/ `.*/, ""))
    }
    run(1, event(1))
    const around = (...inner: ReadonlyArray<string>) => [
      "SAVEPOINT",
      ...inner,
      "UPDATE streams SET",
      "UPDATE meta SET",
      "RELEASE"
    ]
    const look = "SELECT events.position, version,"
    // The stream had an event just now, so that both go to the old part.
    const row = ["INSERT INTO events", "INSERT INTO versions_0", "INSERT INTO event_ids_0"]
    assert.deepStrictEqual(run(2, event(2), event(3)), around(look, look, ...row, ...row))
    const first = run(3, withMetadata(4, { by: 1 }, { tags: ["x"] }))
    // What stands in the young parts is looked at once.
    const known = first.filter(statement => !statement.startsWith("SELECT EXISTS"))
    const newTag = ["SELECT id FROM", "INSERT INTO tags", "INSERT INTO tagged_1", "INSERT INTO fields_1"]
    assert.deepStrictEqual(known, around(look, ...row, ...newTag))
    assert.strictEqual(first.length - known.length, 4)
    assert.deepStrictEqual(
      run(4, withMetadata(5, { by: 1 }, { tags: ["x"] })),
      around(look, ...row, "INSERT INTO tagged_0", "INSERT INTO fields_0")
    )
    // Of one that is there already nothing is written, and the look tells whether it is the same.
    assert.deepStrictEqual(run(5, event(2)), [
      "SAVEPOINT",
      look,
      "SELECT event_type, data_content_type,",
      "UPDATE meta SET",
      "RELEASE"
    ])
    db.close()
  })
})

describe("a batch of entries", () => {
  test("may touch more streams than are kept in memory, and still knows what it did to each", ({ apply, values }) => {
    const names = Array.from({ length: 32_800 }, (_, n) => `s-${n}`)
    const first = names.map(name => one(name, "no_stream", event(1)))
    const reply = apply(1, ...first, one("s-0", 0, event(2)), setMetadata("s-1", { maxCount: 1 }), deleteStream("s-2"))
    assert.deepStrictEqual(plain(reply)?.slice(-3), [success("s-0", 1, 32_800), done, done])
    assert.deepStrictEqual(values("SELECT version || ' ' || state FROM streams WHERE id <= 3"), ["1 0", "0 0", "0 1"])
    assert.deepStrictEqual(values("SELECT stream_count FROM meta"), [32_799])
  })

  test("that breaks in the middle leaves nothing of any operation in it, in the file or in memory", open => {
    const { apply, db, writer } = open
    apply(1, one("a", "any", event(1), event(2)), one("b", "any", event(1)), saveSnapshot(snapshot("b", 0)))
    const before = dump(db)
    const everything = [
      one("a", "any", event(3, { eventType: "new", tags: ["new"], metadata: bytes('{"new":1}') })),
      one("c", "any", event(1)),
      deleteStream("b"),
      setMetadata("a", { maxCount: 1 }),
      tombstone("d"),
      saveSnapshot(snapshot("a", 2))
    ]
    const broken = [...everything, one("a", "any", event(9, { eventId: "no uuid" }))]
    const batchOf = (operations: ReadonlyArray<Operation>) => entries(2, [{ at: 5, operations }])
    assert.throws(() => writer.apply(batchOf(broken)), /lower-case UUID/)
    assert.deepStrictEqual(dump(db), before)
    writer.apply(batchOf(everything))
    const undisturbed = withWriter(other => {
      other.apply(1, one("a", "any", event(1), event(2)), one("b", "any", event(1)), saveSnapshot(snapshot("b", 0)))
      other.apply(5, ...everything)
      return dump(other.db)
    })
    assert.deepStrictEqual(dump(db), undisturbed)
  })

  test("for which the disk has no room takes with it what shared its transaction, and all can be applied anew", open => {
    const { db, writer } = open
    const written = [event(1), event(2), event(3, { data: new Uint8Array(100_000) })]
    const log = entries(
      1,
      written.map(event => command(1, append("a", "any", event)))
    )
    writer.apply(log.slice(0, 1))
    writer.commit()
    const committed = dump(db)
    writer.apply(log.slice(1, 2))
    assert.strictEqual(writer.head().appliedIndex, 2)
    const pages = db.pragma("page_count", { simple: true })
    const pagesMax = db.pragma("max_page_count", { simple: true })
    db.pragma(`max_page_count = ${pages}`)
    assert.throws(() => writer.apply(log.slice(2)), /disk is full/)
    assert.isFalse(db.inTransaction)
    assert.strictEqual(writer.head().appliedIndex, 1)
    assert.deepStrictEqual(dump(db), committed)
    db.pragma(`max_page_count = ${pagesMax}`)
    writer.apply(log.slice(1))
    const undisturbed = withWriter(other => {
      other.writer.apply(log)
      return dump(other.db)
    })
    assert.deepStrictEqual(dump(db), undisturbed)
  })

  test("after which SQLite gave up their transaction, beneath a read that the disk refused, is not followed by any", open => {
    const { db, writer } = open
    const log = entries(
      1,
      [1, 2, 3].map(n => command(1, append("a", "any", event(n))))
    )
    writer.apply(log.slice(0, 1))
    writer.commit()
    const committed = dump(db)
    writer.apply(log.slice(1, 2))
    // As SQLite does it: what SQLITE_IOERR ends is the transaction, whoever met it.
    db.exec("ROLLBACK")
    for (const change of [() => writer.apply(log.slice(2)), writer.commit, writer.commitEach]) {
      assert.throws(change, "transaction")
      assert.deepStrictEqual(dump(db), committed)
    }
    writer.restore()
    assert.strictEqual(writer.head().appliedIndex, 1)
    writer.apply(log.slice(1))
    const undisturbed = withWriter(other => {
      other.writer.apply(log)
      return dump(other.db)
    })
    assert.deepStrictEqual(dump(db), undisturbed)
  })

  test("whose commit the disk has no room for is taken back in memory as it is in the file, whoever commits", open => {
    const { db, writer } = open
    const log = entries(
      1,
      [1, 2, 3].map(n => command(1, append("a", "any", event(n))))
    )
    writer.apply(log.slice(0, 1))
    writer.commit()
    const committed = dump(db)
    const statements = Object.getPrototypeOf(db.prepare("COMMIT"))
    for (const [before, commit] of [writer.commit, writer.commitEach].entries()) {
      writer.apply(log.slice(1, 2))
      assert.strictEqual(writer.setbacks(), before)
      // As SQLite does it: a commit that fails ends the transaction.
      const full = vi.spyOn(statements, "run").mockImplementationOnce(() => {
        db.exec("ROLLBACK")
        throw new Error("database or disk is full")
      })
      assert.throws(commit, /disk is full/)
      full.mockRestore()
      assert.deepStrictEqual([writer.head().appliedIndex, writer.setbacks()], [1, before + 1])
      assert.deepStrictEqual(dump(db), committed)
      assert.throws(() => writer.apply(log.slice(2)), /without a gap/)
    }
    writer.apply(log.slice(1))
    assert.isTrue(db.inTransaction)
    const undisturbed = withWriter(other => {
      other.writer.apply(log)
      return dump(other.db)
    })
    assert.deepStrictEqual(dump(db), undisturbed)
  })

  it("shares a transaction with others, up to two megabytes of operations, until it is told to commit each", () => {
    withWriter(({ db, writer }) => {
      let index = 0
      const isOpenAfter = (kilobytes: number): boolean => {
        index++
        const written = one("a", "any", event(index, { data: new Uint8Array(kilobytes * 1024) }))
        writer.apply(entries(index, [{ at: index, operations: [written] }]))
        return db.inTransaction
      }
      assert.deepStrictEqual([1200, 800, 400, 1600].map(isOpenAfter), [true, true, false, true])
      const release = writer.commitEach()
      assert.isFalse(db.inTransaction)
      assert.deepStrictEqual([1, 1].map(isOpenAfter), [false, false])
      release()
      assert.deepStrictEqual([1600, 1].map(isOpenAfter), [true, true])
      writer.commit()
      assert.isFalse(db.inTransaction)
    })
  })

  it("leaves the same rows as its entries one by one, whatever the operations", () => {
    const commands = fc.array(
      commandArbitrary({
        streams: fc.oneof(fc.constantFrom("a", "b"), textArbitrary),
        events: eventArbitrary(fc.nat({ max: 30 }).map(id)).map(event => ({
          ...event,
          metadata: event.tags.length > 0 ? bytes(JSON.stringify({ by: event.tags[0] })) : event.metadata,
          metadataContentType: contentTypeJson
        }))
      }),
      { minLength: 1, maxLength: 12 }
    )
    fc.assert(
      fc.property(commands, fc.array(fc.integer({ min: 1, max: 4 })), (given, sizes) => {
        const log = entries(1, given)
        const run = (groups: ReadonlyArray<number>) =>
          withWriter(({ db, writer }) => {
            let rest = log
            const replies: Array<unknown> = []
            for (const size of [...groups, log.length]) {
              replies.push(...writer.apply(rest.slice(0, size)).map(plain))
              rest = rest.slice(size)
            }
            return { replies, rows: dump(db) }
          })
        const whole = run([])
        assert.deepStrictEqual(run(sizes), whole)
        assert.deepStrictEqual(run(log.map(() => 1)), whole)
      }),
      { numRuns: 150 }
    )
  })
})
