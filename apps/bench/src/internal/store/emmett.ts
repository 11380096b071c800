/**
 * Emmett's SQLite store, one connection, as its defaults are. Its operations are given to it one after another: of several at once on one store most end with
 * SQLITE_BUSY, and the rest wait longer than they would in the queue.
 */
import * as path from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type Adapter, failed, SubjectFailed } from "./adapter.js"
import { folderBytes, ownMemory } from "./disk.js"
import * as Peers from "./peers.js"
import type { Append } from "./workload.js"

export const packages = ["@event-driven-io/emmett-sqlite", "sqlite3"]

interface Connection {
  readonly query: (sql: string) => Promise<ReadonlyArray<Readonly<Record<string, unknown>>>>
  readonly close: () => void
}

interface Store {
  readonly appendToStream: (
    stream: string,
    events: ReadonlyArray<{ readonly type: string; readonly data: unknown; readonly metadata: unknown }>,
    options: { readonly expectedStreamVersion: bigint | "STREAM_DOES_NOT_EXIST" }
  ) => Promise<unknown>
  readonly readStream: (
    stream: string,
    options: { readonly from: bigint; readonly maxCount: bigint }
  ) => Promise<{ readonly events: ReadonlyArray<unknown> }>
}

/** What is used of the package. */
interface EmmettSqlite {
  readonly sqliteConnection: (options: { readonly fileName: string }) => Connection
  readonly getSQLiteEventStore: (options: {
    readonly fileName: string
    readonly connectionOptions: { readonly singleton: true; readonly connection: Connection }
  }) => Store
}

const isEmmettSqlite = (module: unknown): module is EmmettSqlite =>
  typeof module === "object" && module !== null && "getSQLiteEventStore" in module && "sqliteConnection" in module

const isMissingTable = (cause: unknown): boolean => cause instanceof Error && cause.message.includes("no such table")

/** In the folder, until the scope closes. */
export const make = (folder: string): Effect.Effect<Adapter, SubjectFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const module = yield* Peers.load("@event-driven-io/emmett-sqlite")
    if (!isEmmettSqlite(module)) return yield* new SubjectFailed({ what: "the package has no getSQLiteEventStore" })
    const fileName = path.join(folder, "emmett.sqlite")
    const connection = yield* Effect.acquireRelease(
      Effect.try({ try: () => module.sqliteConnection({ fileName }), catch: failed }),
      opened => Effect.sync(() => opened.close())
    )
    const store = module.getSQLiteEventStore({ fileName, connectionOptions: { singleton: true, connection } })
    const oneAtATime = (yield* Effect.makeSemaphore(1)).withPermits(1)
    const attempt = <A>(operation: () => Promise<A>) => oneAtATime(Effect.tryPromise({ try: operation, catch: failed }))
    const pragma = (name: string) =>
      Effect.map(
        attempt(() => connection.query(`PRAGMA ${name}`)),
        ([row]) => `${name}=${String(row?.[name])}`
      )
    const append = ({ events, stream, version }: Append) =>
      Effect.asVoid(
        attempt(() =>
          store.appendToStream(
            stream,
            events.map(({ data, id, tag, type }) => ({ type, data, metadata: { id, tags: [tag] } })),
            { expectedStreamVersion: version < 0 ? "STREAM_DOES_NOT_EXIST" : BigInt(version + 1) }
          )
        )
      )
    const sql = "SELECT stream_id, stream_position FROM emt_streams"
    const versions = Effect.tryPromise({ try: () => connection.query(sql), catch: cause => cause }).pipe(
      Effect.catchIf(isMissingTable, () => Effect.succeed([])),
      Effect.mapBoth({
        onFailure: failed,
        onSuccess: rows =>
          new Map(rows.map(({ stream_id, stream_position }) => [String(stream_id), Number(stream_position) - 1]))
      })
    )
    return {
      about: `${yield* pragma("journal_mode")}, ${yield* pragma("synchronous")} (2 is FULL; read back); one operation at a time, more fail with SQLITE_BUSY`,
      append,
      load: appends => Effect.forEach(appends, append, { discard: true }),
      reads: {
        stream: (stream, count) =>
          Effect.map(
            attempt(() => store.readStream(stream, { from: 0n, maxCount: BigInt(count) })),
            ({ events }) => events.length
          )
      },
      versions,
      bytes: folderBytes(folder),
      memory: ownMemory
    }
  })
