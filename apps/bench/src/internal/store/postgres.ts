/** PostgreSQL, asked through npm `pg`: prepared statements over a pool of connections, each append a transaction of its own. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type Adapter, failed, SubjectFailed } from "./adapter.js"
import * as Peers from "./peers.js"
import type { PostgresPlace } from "./postgresServer.js"
import type { Append } from "./workload.js"

const connectionsMax = 64

/** What is used of `pg`. */
interface Pool {
  readonly query: (statement: {
    readonly name?: string
    readonly text: string
    readonly values?: ReadonlyArray<unknown>
  }) => Promise<{ readonly rows: ReadonlyArray<Readonly<Record<string, unknown>>> }>
  readonly end: () => Promise<void>
}

interface Pg {
  readonly Pool: new (options: {
    readonly host: string
    readonly port: number
    readonly user: string
    readonly database: string
    readonly max: number
  }) => Pool
}

const isPg = (module: unknown): module is Pg => typeof module === "object" && module !== null && "Pool" in module

const table = `CREATE TABLE IF NOT EXISTS events (
  pos bigserial PRIMARY KEY,
  stream text NOT NULL,
  ver integer NOT NULL,
  id uuid NOT NULL,
  type text NOT NULL,
  tags text[] NOT NULL,
  body jsonb NOT NULL,
  UNIQUE (stream, ver)
)`

/** What the other tables have besides: an id is taken once a stream, and events are found by their type and their tags. */
const indexes = [
  "CREATE UNIQUE INDEX IF NOT EXISTS events_ids ON events (stream, id)",
  "CREATE INDEX IF NOT EXISTS events_of_type ON events (type, pos)",
  "CREATE INDEX IF NOT EXISTS events_of_tag ON events USING gin (tags)"
]

const appendOne = {
  name: "append-one",
  text: "INSERT INTO events (stream, ver, id, type, tags, body) VALUES ($1, $2, $3, $4, ARRAY[$5], $6)"
}

const appendMany = {
  name: "append-many",
  text: `INSERT INTO events (stream, ver, id, type, tags, body)
    SELECT stream, ver, id, type, ARRAY[tag], body
    FROM unnest($1::text[], $2::int[], $3::uuid[], $4::text[], $5::text[], $6::jsonb[]) AS e (stream, ver, id, type, tag, body)`
}

const readStream = {
  name: "read-stream",
  text: "SELECT pos, stream, ver, id, type, tags, body FROM events WHERE stream = $1 AND ver >= 0 ORDER BY ver LIMIT $2"
}

const readAll = {
  name: "read-all",
  text: "SELECT pos, stream, ver, id, type, tags, body FROM events WHERE pos >= $1 ORDER BY pos LIMIT $2"
}

const readTagged = {
  name: "read-tagged",
  text: "SELECT pos, stream, ver, id, type, tags, body FROM events WHERE tags @> ARRAY[$1] AND pos >= $2 ORDER BY pos LIMIT $3"
}

const readTyped = {
  name: "read-typed",
  text: "SELECT pos, stream, ver, id, type, tags, body FROM events WHERE type = $1 AND pos >= $2 ORDER BY pos LIMIT $3"
}

const rowOf = ({ events, stream, version }: Append) =>
  events.map((event, at) => [stream, version + 1 + at, event.id, event.type, event.tag, JSON.stringify(event.data)])

/** By columns, as arrays of the statement. */
const columns = (rows: ReadonlyArray<ReadonlyArray<unknown>>) => [0, 1, 2, 3, 4, 5].map(at => rows.map(row => row[at]))

/**
 * Connects to the server, and makes the table if it is not there, until the scope closes. Where it `isIndexed` it has the keys and indexes that the other tables have; without, the least that an event
 * store needs, which is faster to append to: nothing keeps an id from coming twice, and what would find events by type or tag is not there.
 */
export const make = (
  { host, port, user }: PostgresPlace,
  isIndexed: boolean
): Effect.Effect<Adapter, SubjectFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const module = yield* Peers.load("pg")
    if (!isPg(module)) return yield* new SubjectFailed({ what: "npm `pg` has no Pool" })
    const pool = yield* Effect.acquireRelease(
      Effect.sync(() => new module.Pool({ host, port, user, database: "postgres", max: connectionsMax })),
      opened => Effect.promise(() => opened.end())
    )
    const query = (statement: Parameters<Pool["query"]>[0]) =>
      Effect.map(Effect.tryPromise({ try: () => pool.query(statement), catch: failed }), ({ rows }) => rows)
    const setting = (name: string) =>
      Effect.map(query({ text: `SHOW ${name}` }), ([row]) => `${name}=${String(row?.[name])}`)
    const size = (values: ReadonlyArray<unknown>, statement: { readonly name: string; readonly text: string }) =>
      Effect.map(query({ ...statement, values }), rows => rows.length)

    yield* query({ text: table })
    if (isIndexed) yield* Effect.forEach(indexes, text => query({ text }), { discard: true })
    const settings = yield* Effect.forEach(
      ["server_version", "fsync", "synchronous_commit", "full_page_writes", "wal_sync_method", "shared_buffers"],
      setting
    )
    const insertMany = (appends: ReadonlyArray<Append>) =>
      Effect.asVoid(query({ ...appendMany, values: columns(appends.flatMap(rowOf)) }))
    return {
      about: `PostgreSQL, ${settings.join(", ")} (read back); npm pg, ${connectionsMax} connections at most, a socket file; ${isIndexed ? "indexes for types, tags and ids" : "no index for types, tags and ids"}`,
      append: append => {
        const [row, ...others] = rowOf(append)
        return row !== undefined && others.length === 0
          ? Effect.asVoid(query({ ...appendOne, values: row }))
          : insertMany([append])
      },
      load: insertMany,
      reads: {
        stream: (stream, count) => size([stream, count], readStream),
        all: (from, count) => size([from + 1, count], readAll),
        ...(isIndexed && {
          tagged: (tag, from, count) => size([tag, from + 1, count], readTagged),
          typed: (type, from, count) => size([type, from + 1, count], readTyped)
        })
      },
      versions: Effect.map(
        query({ text: "SELECT stream, max(ver) AS ver FROM events GROUP BY stream" }),
        rows => new Map(rows.map(({ stream, ver }) => [String(stream), Number(ver)]))
      ),
      bytes: Effect.map(query({ text: "SELECT pg_total_relation_size('events') AS bytes" }), ([row]) =>
        Number(row?.bytes)
      ),
      memory: Effect.succeed(null)
    }
  })
