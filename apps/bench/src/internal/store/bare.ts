/**
 * The limit: better-sqlite3 with the store's tables, and nothing before it. No log, no processes, no checks of what is asked; all appends that wait are committed in one synced
 * transaction.
 */
import * as path from "node:path"
import { Database } from "@reckon/raft/Sqlite"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type Adapter, failed, SubjectFailed } from "./adapter.js"
import { queries, tables } from "./bareTables.js"
import { folderBytes, ownMemory } from "./disk.js"
import type { Append } from "./workload.js"

interface EventRow {
  readonly position: number
  readonly stream: number
  readonly version: number
  readonly kind: number
  readonly epoch_us: number
  readonly event_id: Buffer
  readonly tags: string | null
  readonly data: Buffer
}

const hexId = (bytes: Buffer): string => {
  const hex = bytes.toString("hex")
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

const idBytes = (id: string): Buffer => Buffer.from(id.replaceAll("-", ""), "hex")

/** The names of a table by the numbers that stand for them in others. As few as there are, they are kept. */
const names = (db: Database.Database, table: string, insert: string) => {
  const ids = new Map<string, number>()
  const all: Array<string> = []
  const add = db.prepare<[string]>(insert)
  const keep = (name: string, id: number) => {
    ids.set(name, id)
    all[id] = name
    return id
  }
  for (const { id, name } of db.prepare<[], { id: number; name: string }>(table).all()) keep(name, id)
  return {
    find: (name: string) => ids.get(name),
    make: (name: string) => ids.get(name) ?? keep(name, Number(add.run(name).lastInsertRowid)),
    name: (id: number) => all[id] ?? ""
  }
}

const connect = (file: string) => {
  const db = new Database(file)
  // The settings of the store's file, but for `synchronous`: there is no log beside this one.
  db.pragma("locking_mode = EXCLUSIVE")
  db.pragma("page_size = 4096")
  db.pragma("journal_mode = WAL")
  db.pragma("synchronous = FULL")
  db.pragma("wal_autocheckpoint = 4000")
  db.pragma("journal_size_limit = 67108864")
  db.pragma("cache_size = -65536")
  db.pragma("temp_store = MEMORY")
  if (db.prepare("SELECT 1 FROM sqlite_schema").get() === undefined) db.exec(tables)
  return db
}

const syncModes = ["OFF", "NORMAL", "FULL", "EXTRA"]

const aboutOf = (db: Database.Database): string => {
  const [version] = db.prepare<[], string>("SELECT sqlite_version()").pluck().all()
  const [mode] = db.prepare<[], number>("PRAGMA synchronous").pluck().all()
  const [journal] = db.prepare<[], string>("PRAGMA journal_mode").pluck().all()
  return `SQLite ${version}, journal_mode=${journal}, synchronous=${syncModes[mode ?? -1]} (read back), one commit for all that waits`
}

const writing = (db: Database.Database) => {
  const streams = names(
    db,
    "SELECT id, name FROM streams",
    "INSERT INTO streams (name, version, position) VALUES (?, -1, -1)"
  )
  const kinds = names(db, "SELECT id, event_type AS name FROM kinds", "INSERT INTO kinds (event_type) VALUES (?)")
  const tags = names(db, "SELECT id, name FROM tags", "INSERT INTO tags (name) VALUES (?)")
  const advance = db.prepare("UPDATE streams SET version = ?, position = ? WHERE id = +? AND version = +?")
  const insert = db.prepare("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
  const insertTag = db.prepare("INSERT INTO tagged VALUES (?, ?)")
  const insertSnapshot = db.prepare("INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?)")
  let next = db.prepare<[], number>("SELECT ifnull(max(position), -1) + 1 FROM events").pluck().get() ?? 0

  const one = ({ events, stream, version }: Append, epochUs: number) => {
    const id = streams.make(stream)
    const last = next + events.length - 1
    if (advance.run(version + events.length, last, id, version).changes !== 1) {
      throw new Error(`stream ${stream} is not at version ${version}`)
    }
    events.forEach((event, at) => {
      const position = next + at
      const tag = JSON.stringify([event.tag])
      const data = Buffer.from(JSON.stringify(event.data))
      insert.run(position, id, version + 1 + at, kinds.make(event.type), epochUs, idBytes(event.id), tag, data)
      insertTag.run(tags.make(event.tag), position)
    })
    next = last + 1
  }

  return {
    streams,
    kinds,
    tags,
    commit: db.transaction((appends: ReadonlyArray<Append>, epochUs: number) => {
      for (const append of appends) one(append, epochUs)
    }),
    saveSnapshot: (stream: string, version: number, epochUs: number, data: Uint8Array) =>
      insertSnapshot.run(streams.find(stream), version, epochUs, data)
  }
}

const reading = (db: Database.Database, { kinds, streams, tags }: ReturnType<typeof writing>) => {
  const events = (sql: string) => db.prepare<Array<number>, EventRow>(sql)
  const ofStream = events(queries.ofStream)
  const ofStreamUntil = events(queries.ofStreamUntil)
  const all = events(queries.all)
  const tagged = events(queries.tagged)
  const ofKind = events(queries.ofKind)
  const timeAt = db.prepare<[number], number>(queries.timeAt).pluck()
  const timeOf = db.prepare<[number, number], number>(queries.timeOf).pluck()
  const lastVersion = db.prepare<[string], number>("SELECT version FROM streams WHERE name = +?").pluck()
  const lastSnapshot = db.prepare<[number], { version: number; data: Buffer }>(queries.lastSnapshot)

  /** What a reader gets of a row: the same fields that the store gives. */
  const record = (row: EventRow) => ({
    eventId: hexId(row.event_id),
    eventType: kinds.name(row.kind),
    streamId: streams.name(row.stream),
    version: row.version,
    position: row.position,
    epochUs: row.epoch_us,
    tags: row.tags === null ? [] : JSON.parse(row.tags),
    data: row.data
  })
  const size = (rows: ReadonlyArray<EventRow>) => rows.map(record).length

  const versionAt = (stream: string, epochUs: number): number => {
    const id = streams.find(stream) ?? -1
    let low = -1
    let high = lastVersion.get(stream) ?? -1
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if ((timeOf.get(id, middle) ?? Number.POSITIVE_INFINITY) <= epochUs) low = middle
      else high = middle - 1
    }
    return low
  }

  return {
    stream: (stream: string, count: number) => size(ofStream.all(streams.find(stream) ?? -1, 0, count)),
    all: (from: number, to: number, count: number) => size(all.all(from, to, count)),
    tagged: (tag: string, from: number, count: number) => size(tagged.all(tags.find(tag) ?? -1, from, count)),
    typed: (type: string, from: number, count: number) => size(ofKind.all(kinds.find(type) ?? -1, from, count)),
    timeAt: (position: number) => timeAt.get(position) ?? Number.NaN,
    versionAt,
    until: (stream: string, epochUs: number) =>
      size(ofStreamUntil.all(streams.find(stream) ?? -1, versionAt(stream, epochUs))),
    latestSnapshot: (stream: string) => lastSnapshot.get(streams.find(stream) ?? -1)?.version ?? -1
  }
}

/** Commits in the next turn of the event loop all that was appended in this one. */
const grouped = (commit: (appends: ReadonlyArray<Append>) => void) => {
  let waiting: Array<{ readonly append: Append; readonly done: (result: Effect.Effect<void, SubjectFailed>) => void }> =
    []
  const flush = () => {
    const batch = waiting
    waiting = []
    let result: Effect.Effect<void, SubjectFailed> = Effect.void
    try {
      commit(batch.map(({ append }) => append))
    } catch (cause) {
      result = Effect.fail(failed(cause))
    }
    for (const { done } of batch) done(result)
  }
  return (append: Append) =>
    Effect.async<void, SubjectFailed>(done => {
      waiting.push({ append, done })
      if (waiting.length === 1) setImmediate(flush)
    })
}

/** In the folder, until the scope closes. */
export const make = (folder: string): Effect.Effect<Adapter, SubjectFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const db = yield* Effect.acquireRelease(
      Effect.try({ try: () => connect(path.join(folder, "bare.sqlite")), catch: failed }),
      opened => Effect.sync(() => opened.close())
    )
    const nowUs = () => clock.unsafeCurrentTimeMillis() * 1000
    const writes = writing(db)
    const reads = reading(db, writes)
    const versions = db.prepare<[], { name: string; version: number }>("SELECT name, version FROM streams")
    const commit = (appends: ReadonlyArray<Append>) => writes.commit.immediate(appends, nowUs())
    const answer = <A>(read: () => A) => Effect.try({ try: read, catch: failed })
    return {
      about: aboutOf(db),
      append: grouped(commit),
      load: appends => answer(() => commit(appends)),
      reads: {
        stream: (stream, count) => answer(() => reads.stream(stream, count)),
        all: (from, count) => answer(() => reads.all(from, Number.MAX_SAFE_INTEGER, count)),
        asOf: (asOf, from, count) => answer(() => reads.all(from, asOf, count)),
        tagged: (tag, from, count) => answer(() => reads.tagged(tag, from, count)),
        typed: (type, from, count) => answer(() => reads.typed(type, from, count)),
        time: {
          at: position => answer(() => reads.timeAt(position)),
          versionAt: (stream, epochUs) => answer(() => reads.versionAt(stream, epochUs)),
          until: (stream, epochUs) => answer(() => reads.until(stream, epochUs))
        },
        snapshots: {
          save: (stream, version, data) =>
            Effect.asVoid(answer(() => writes.saveSnapshot(stream, version, nowUs(), data))),
          latest: stream => answer(() => reads.latestSnapshot(stream))
        }
      },
      versions: answer(() => new Map(versions.all().map(({ name, version }) => [name, version]))),
      bytes: folderBytes(folder),
      memory: ownMemory
    }
  })
