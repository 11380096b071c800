import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import type { NewEvent } from "@reckon/client/Event"
import * as Query from "@reckon/client/Query"
import { Database } from "@reckon/raft/Sqlite"
import * as Effect from "effect/Effect"
import type { Command } from "../src/Command.js"
import * as SqliteStoreEngine from "../src/SqliteStoreEngine.js"
import type { Service } from "../src/StoreEngine.js"
import { plain, success } from "./helpers/answers.js"
import { append, applyNext, bytes, command, entries, event, noLimit, readAll } from "./helpers/events.js"
import { dump } from "./helpers/writer.js"

/** The tables of the first format, as they were. */
const format1 = `
  CREATE TABLE streams (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, version INTEGER NOT NULL, position INTEGER NOT NULL) STRICT;
  CREATE TABLE kinds (
    id INTEGER PRIMARY KEY, event_type TEXT NOT NULL, data_content_type TEXT NOT NULL, metadata_content_type TEXT NOT NULL,
    UNIQUE (event_type, data_content_type, metadata_content_type)
  ) STRICT;
  CREATE TABLE events (
    position INTEGER PRIMARY KEY, stream INTEGER NOT NULL, version INTEGER NOT NULL, kind INTEGER NOT NULL, epoch_us INTEGER NOT NULL,
    event_id BLOB NOT NULL, tags TEXT, metadata BLOB, data BLOB NOT NULL,
    UNIQUE (stream, version), UNIQUE (stream, event_id)
  ) STRICT;
  CREATE TABLE meta (
    id INTEGER PRIMARY KEY CHECK (id = 0), applied_index INTEGER NOT NULL, applied_term INTEGER NOT NULL, last_epoch_us INTEGER NOT NULL,
    last_position INTEGER NOT NULL, last_stream INTEGER NOT NULL, stream_count INTEGER NOT NULL, event_count INTEGER NOT NULL
  ) STRICT;
  INSERT INTO meta VALUES (0, 0, 0, 0, -1, 0, 0, 0);
  PRAGMA application_id = 0x52434b4e;
  PRAGMA user_version = 1;
`

const byJson = { metadata: bytes('{"by":"me","n":1,"deep":{"by":"me"}}') }

const events: ReadonlyArray<readonly [stream: string, event: NewEvent]> = [
  ["a", event(1, { tags: ["x", "🧾", "x"], ...byJson })],
  ["b", event(1, { dataContentType: "text/plain", data: bytes("plain") })],
  ["a", event(2, { eventType: "ü🧾", metadata: bytes("not json"), tags: ["x"] })],
  ["a", event(3, { metadata: bytes("{}"), data: new Uint8Array(0) })],
  ["注文", event(4, { ...byJson, metadataContentType: "x" })],
  ["b", event(5, { ...byJson, data: new Uint8Array(20_000).fill(7) })]
]

/** The commands that write them, one each, at the times 10, 20, … */
const commands: ReadonlyArray<Command> = events.map(([stream, one], n) =>
  command(10 * (n + 1), append(stream, "any", one))
)

/** The same as rows of the first format, told by hand. */
const rows = `
  INSERT INTO streams VALUES (1, 'a', 2, 3), (2, 'b', 1, 5), (3, '注文', 0, 4);
  INSERT INTO kinds VALUES (1, 'thing-happened', 'application/json', 'application/json'),
    (2, 'thing-happened', 'text/plain', 'application/json'), (3, 'ü🧾', 'application/json', 'application/json'),
    (4, 'thing-happened', 'application/json', 'x');
  UPDATE meta SET applied_index = 6, applied_term = 1, last_epoch_us = 60, last_position = 5, last_stream = 3, stream_count = 3, event_count = 6;
`

/** Stream, version and kind of each event. */
const places = [
  [1, 0, 1],
  [2, 0, 2],
  [1, 1, 3],
  [1, 2, 1],
  [3, 0, 4],
  [2, 1, 1]
] as const

const writeFormat1 = (filename: string): void => {
  const db = new Database(filename)
  db.exec(format1 + rows)
  const insert = db.prepare("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")
  for (const [position, [stream, version, kind]] of places.entries()) {
    const one = events[position]?.[1] ?? event(0)
    const idBytes = Buffer.from(one.eventId.replaceAll("-", ""), "hex")
    const tags = one.tags.length === 0 ? null : JSON.stringify(one.tags)
    insert.run(position, stream, version, kind, 10 * (position + 1), idBytes, tags, one.metadata, one.data)
  }
  db.close()
}

const tempFile = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "reckon-db-"))),
  folder => Effect.sync(() => fs.rmSync(folder, { recursive: true }))
).pipe(Effect.map(folder => path.join(folder, "store.db")))

const using = <A>(filename: string, use: (engine: Service) => A) =>
  Effect.scoped(Effect.map(SqliteStoreEngine.make({ filename }), use))

const direct = <A>(filename: string, use: (db: Database.Database) => A): A => {
  const db = new Database(filename)
  try {
    return use(db)
  } finally {
    db.close()
  }
}

const positions = (engine: Service, query: Query.Query) =>
  engine
    .readQuery({ query, from: 0, count: 100, direction: "forward", bytesMax: noLimit, asOf: null, nowUs: 0 })
    .events.map(({ position }) => position)

describe("a file of the first format", () => {
  it.scoped("becomes one of today's with the rows that its commands would have written today", () =>
    Effect.gen(function* () {
      const [old, fresh] = [yield* tempFile, yield* tempFile]
      writeFormat1(old)
      yield* using(old, () => {})
      yield* using(fresh, engine => void engine.apply(entries(1, commands)))
      assert.deepStrictEqual(direct(old, dump), direct(fresh, dump))
      const schemaOf = (db: Database.Database) =>
        db.prepare("SELECT name, tbl_name FROM sqlite_schema ORDER BY 1, 2").raw().all()
      assert.deepStrictEqual(direct(old, schemaOf), direct(fresh, schemaOf))
    })
  )

  it.scoped("reads the same, is found by what was never indexed, knows its sizes and times, and goes on", () =>
    Effect.gen(function* () {
      const filename = yield* tempFile
      writeFormat1(filename)
      yield* using(filename, engine => {
        assert.deepStrictEqual(
          readAll(engine).events.map(({ position, streamId, version, epochUs, ...written }) => [
            streamId,
            { ...written, data: new Uint8Array(written.data) }
          ]),
          events.map(([stream, written]) => [stream, { ...written, data: new Uint8Array(written.data) }])
        )
        assert.deepStrictEqual(positions(engine, Query.allTags("x")), [0, 2])
        assert.deepStrictEqual(positions(engine, Query.metadata("by", "me")), [0, 5])
        assert.deepStrictEqual(positions(engine, Query.eventTypes("ü🧾")), [2])
        assert.include(engine.streamDetails("b"), { createdUs: 20, updatedUs: 60, count: 2, firstVersion: 0 })
        assert.deepStrictEqual(
          plain(applyNext(engine, append("a", "no_stream", event(3, { metadata: bytes("{}"), data: bytes("") })))),
          [success("a", 2, 3, 1)]
        )
        assert.deepStrictEqual(plain(applyNext(engine, append("b", 1, event(9)))), [success("b", 2, 6)])
      })
    })
  )

  it.scoped("without an event becomes an empty one", () =>
    Effect.gen(function* () {
      const [old, fresh] = [yield* tempFile, yield* tempFile]
      direct(old, db => db.exec(format1))
      for (const filename of [old, fresh]) yield* using(filename, () => {})
      assert.deepStrictEqual(direct(old, dump), direct(fresh, dump))
      assert.strictEqual(
        direct(old, db => db.pragma("user_version", { simple: true })),
        3
      )
    })
  )

  it.scoped("stays one when it cannot be brought over, with nothing of it changed", () =>
    Effect.gen(function* () {
      const filename = yield* tempFile
      writeFormat1(filename)
      const content = (db: Database.Database) => [
        db.pragma("user_version"),
        db.prepare("SELECT sql FROM sqlite_schema").all(),
        ["meta", "streams", "kinds", "events"].map(table => db.prepare(`SELECT * FROM ${table}`).all())
      ]
      direct(filename, db => db.exec("UPDATE events SET tags = '[' WHERE position = 5"))
      const before = direct(filename, content)
      const error = yield* Effect.flip(using(filename, () => {}))
      assert.strictEqual(error.reason, "damaged")
      assert.deepStrictEqual(direct(filename, content), before)
      direct(filename, db => db.exec("UPDATE events SET tags = NULL WHERE position = 5"))
      assert.strictEqual(yield* using(filename, engine => engine.eventCount()), 6)
    })
  )
})
