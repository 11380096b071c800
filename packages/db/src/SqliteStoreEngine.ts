/**
 * The `StoreEngine` on an SQLite file, with prepared statements and without any layer between: it is the hot path of every append and read.
 *
 * The file is used by one engine at a time. It is consistent after any crash, and may then stand at an earlier applied index, from which the
 * Raft log replays: batches share transactions, and commits are not synced here, see `StoreEngine.Service.checkpoint`.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { checkDisk, remedy } from "./internal/helpers/remedy.js"
import * as Catalog from "./internal/sqlite/catalog.js"
import * as Checkpoints from "./internal/sqlite/checkpoints.js"
import { unusable } from "./internal/sqlite/damage.js"
import * as Database from "./internal/sqlite/database.js"
import { assertInvariant } from "./internal/sqlite/invariant.js"
import * as Queries from "./internal/sqlite/query.js"
import * as Reader from "./internal/sqlite/reader.js"
import { isWorthWhile, ReadThread } from "./internal/sqlite/readThread.js"
import * as SnapshotRows from "./internal/sqlite/snapshotRows.js"
import * as Writer from "./internal/sqlite/writer.js"
import { type Service, StoreEngine, StoreFileDamaged, StoreFileRefused } from "./StoreEngine.js"

/**
 * Why a file is not used as a store, and what is wrong with one that is: see `StoreEngine`.
 *
 * @since 0.1.0
 * @category errors
 */
export { StoreFileDamaged, StoreFileRefused } from "./StoreEngine.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The path of the file, made if it does not exist (its folder must), or `:memory:`. */
  readonly filename: string
  /** What is known of the file from one engine to the next. */
  readonly condition?: Condition | undefined
  /** Whether a thread may read ahead where several reads are under way; where that is not said, if there is more than one processor. Of a store in memory there is none. */
  readonly readThread?: boolean | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Condition {
  /** Whether a page of it was found damaged, or could not be read. A read that finds one again then costs no batch its transaction, for none stays open. */
  isDamaged: boolean
}

/** What runs on one connection, and ends with it. */
const fromConnection = (hasThread: boolean) => (db: Database.Connection) => {
  const thread = hasThread && !db.memory ? new ReadThread(db, Reader.readAhead) : undefined
  const catalog = Catalog.make(db)
  const queries = Queries.make(db, catalog)
  const checkpoints = Checkpoints.make(db, Checkpoints.defaults, thread?.alone)
  const snapshots = SnapshotRows.make(db, catalog)
  const writer = Writer.make(db, catalog, snapshots, queries, checkpoints)
  const reader = Reader.make(db, catalog, queries.search, thread)
  let durableIndex = 0

  const checkpoint = () => {
    writer.commit()
    if (checkpoints.complete()) durableIndex = writer.head().appliedIndex
    return durableIndex
  }

  const close = () => {
    // The last connection that is closed copies what is left of the WAL and takes it away, and one that reads cannot.
    thread?.close()
    checkpoints.close()
  }

  return { catalog, snapshots, writer, reader, checkpoint, close }
}

type Build = ReturnType<typeof fromConnection>
type Opened = Database.Opened<ReturnType<Build>>

const refused = (filename: string) => (cause: unknown) =>
  cause instanceof Database.Refused
    ? Effect.fail(new StoreFileRefused({ filename, reason: cause.reason, detail: cause.message }))
    : Effect.die(cause)

const attempt = <A>(filename: string, body: () => A): Effect.Effect<A, StoreFileRefused> =>
  Effect.catchAll(Effect.try({ try: body, catch: cause => cause }), refused(filename))

/** What to do about a file that is not used. */
const advice = (filename: string): { readonly [Reason in StoreFileRefused["reason"]]: string } => ({
  damaged: `${checkDisk}. ${remedy(filename)}`,
  unreadable: `Check the disk. Where it has lost the file: ${remedy(filename)}`,
  foreign: `Name the folder of a store. If this is one, the beginning of the file is damaged. ${remedy(filename)}`,
  newer: "Start the release that wrote it, or a later one",
  in_use: "Stop what has it open, or name another folder",
  inaccessible: "Check the disk, its space and the rights on the file and its folder"
})

const advised = ({ detail, filename, reason }: StoreFileRefused): StoreFileRefused =>
  new StoreFileRefused({ filename, reason, detail: `${detail}. ${advice(filename)[reason]}` })

/** Where the store in a file stands. Refuses a file that is none. */
const appliedIndexIn = (filename: string): number => {
  const { db, value } = Database.open(filename, fromConnection(false))
  value.close()
  db.close()
  return value.writer.head().appliedIndex
}

const serve = (filename: string, build: Build, condition: Condition) => {
  let opened: Opened = Database.open(filename, build)
  /** Of the files that stood here before. */
  let setbacksBefore = 0
  if (condition.isDamaged) opened.value.writer.damaged()

  const install = (file: string) =>
    Effect.map(
      attempt(file, () => appliedIndexIn(file)),
      index => {
        const appliedIndex = opened.value.writer.head().appliedIndex
        assertInvariant(index >= appliedIndex, "a copy does not take the store back", { index, appliedIndex })
        setbacksBefore += opened.value.writer.setbacks()
        opened.value.close()
        // Should this fail there is no store to go on with: a defect, after which the owner opens what is there.
        opened = Database.replace(opened.db, filename, file, build)
        condition.isDamaged = false
      }
    )

  const lastPosition = () => opened.value.writer.head().lastPosition

  /** What looks at events or at their tables, with what cannot be used told as such. */
  const looking = <A>(look: (value: Opened["value"]) => A): A => {
    try {
      return look(opened.value)
    } catch (cause) {
      const finding = unusable(cause)
      if (finding === undefined) throw cause
      if (finding.how !== "unwritable") {
        condition.isDamaged = true
        opened.value.writer.damaged()
      }
      throw new StoreFileDamaged({ filename, ...finding })
    }
  }

  const service: Service = {
    appliedIndex: () => opened.value.writer.head().appliedIndex,
    appliedTerm: () => opened.value.writer.head().appliedTerm,
    setbacks: () => setbacksBefore + opened.value.writer.setbacks(),
    apply: entries => looking(({ writer }) => writer.apply(entries)),
    checkpoint: () => looking(({ checkpoint }) => checkpoint()),
    restore: () =>
      looking(({ writer }) => {
        writer.restore()
        // SQLite keeps what it has read, also where that makes no sense: it is read from the disk again.
        opened.db.pragma("shrink_memory")
      }),
    snapshot: file =>
      // SQLite copies nothing while a transaction is open on the connection.
      Effect.acquireUseRelease(
        Effect.sync(() => opened.value.writer.commitEach()),
        () => Database.copy(opened.db, file),
        release => Effect.sync(release)
      ).pipe(Effect.catchAll(refused(file)), Effect.zipRight(attempt(file, () => ({ index: appliedIndexIn(file) })))),
    install,
    readAhead: options => looking(({ reader, writer }) => reader.readAhead(options, lastPosition(), writer.committed)),
    readStream: (options, ahead) => looking(({ reader }) => reader.readStream(options, ahead)),
    readAll: (options, ahead) => looking(({ reader }) => reader.readAll(options, lastPosition(), ahead)),
    readQuery: options => looking(({ reader }) => reader.readQuery(options, lastPosition())),
    getVersion: streamId => looking(({ reader }) => reader.getVersion(streamId)),
    versionAt: (streamId, epochUs) => looking(({ reader }) => reader.versionAt(streamId, epochUs)),
    positionAt: epochUs => looking(({ reader }) => reader.positionAt(epochUs, lastPosition())),
    streamDetails: streamId => looking(({ reader }) => reader.streamDetails(streamId)),
    hasEvents: nowUs => looking(({ reader, writer }) => writer.head().lastingCount > 0 || reader.hasYoungEvents(nowUs)),
    listStreams: options => looking(({ reader }) => reader.listStreams(options)),
    loadSnapshot: (streamId, version) => looking(({ snapshots }) => snapshots.load(streamId, version)),
    listSnapshots: options => looking(({ snapshots }) => snapshots.list(options)),
    lastPosition,
    streamCount: () => opened.value.writer.head().streamCount,
    eventCount: () => opened.value.writer.head().eventCount,
    lastEpochUs: () => opened.value.writer.head().lastEpochUs
  }
  const close = () => {
    try {
      opened.value.writer.close()
    } catch (cause) {
      // The log has what a disk without room did not take.
      if (unusable(cause)?.how !== "unwritable") throw cause
    } finally {
      opened.value.close()
      opened.db.close()
    }
  }
  return { service, close }
}

/**
 * Opens the file, or makes it, and closes it with the scope.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = ({
  condition = { isDamaged: false },
  filename,
  readThread = isWorthWhile
}: Options): Effect.Effect<Service, StoreFileRefused, Scope.Scope> =>
  Effect.gen(function* () {
    yield* Effect.acquireRelease(
      attempt(filename, () => Database.lock(filename)),
      unlock => Effect.sync(unlock)
    )
    const { service } = yield* Effect.acquireRelease(
      attempt(filename, () => serve(filename, fromConnection(readThread), condition)),
      ({ close }) => Effect.sync(close)
    )
    return service
  }).pipe(Effect.mapError(advised))

/**
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<StoreEngine, StoreFileRefused> =>
  Layer.scoped(StoreEngine, make(options))

/**
 * An engine that forgets everything when its scope closes.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerMemory: Layer.Layer<StoreEngine> = layer({ filename: ":memory:" }).pipe(Layer.orDie)
