/** Where a store keeps its Raft log and its events. */
import * as fs from "node:fs"
import * as path from "node:path"
import * as Folder from "@reckon/raft/Folder"
import type { RaftLogError } from "@reckon/raft/RaftError"
import * as RaftLog from "@reckon/raft/RaftLog"
import * as TraceFile from "@reckon/raft/TraceFile"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as SqliteStoreEngine from "../../SqliteStoreEngine.js"
import { type Service as Engine, StoreFileRefused } from "../../StoreEngine.js"
import * as StoreFolder from "../../StoreFolder.js"
import * as OpenMark from "./openMark.js"
import { isSole, misfit, stranger, unlike } from "./soleMember.js"
import * as WholeCheck from "./wholeCheck.js"

interface Opened {
  readonly log: Context.Tag.Service<RaftLog.RaftLog>
  readonly engine: Engine
  /** Told what the store's member of its Raft group does, a line each. */
  readonly trace: ((line: string) => void) | undefined
}

export interface Storage {
  /** For people. */
  readonly place: string
  /** Makes its folder where there is none. What can be known before there are processes is refused before there are any, each of which would have to say so. */
  readonly prepare: Effect.Effect<void, StoreFileRefused>
  /** Opens both anew for each life of the store's process. */
  readonly open: Effect.Effect<Opened, StoreFileRefused | RaftLogError, Scope.Scope>
  /** Whether what was open before cannot be just now for want of a disk that reads and has room: a store that was in service waits for that. One that never was is not put into service. */
  readonly mayPass: (error: StoreFileRefused | RaftLogError) => boolean
}

/** Of damage and of a disk that cannot be read SQLite says the same; a full one is `inaccessible`. */
const passingReasons: ReadonlySet<StoreFileRefused["reason"]> = new Set(["unreadable", "damaged", "inaccessible"])

const makeOwner = (folder: string, member: string): void => {
  const filename = StoreFolder.memberFile(folder)
  const unfinished = `${filename}.new`
  fs.writeFileSync(unfinished, `${member}\n`, { flush: true })
  fs.renameSync(unfinished, filename)
  Folder.sync(folder)
}

/** Why events cannot go on with a log that has another entry where they stand, though it is long enough. */
const differing = (log: Opened["log"], engine: Engine): string | undefined => {
  const applied = engine.appliedIndex()
  if (applied < log.base().index || applied > log.lastIndex()) return undefined
  const [term, appliedTerm] = [log.term(applied), engine.appliedTerm()]
  return term === appliedTerm
    ? undefined
    : `its events end with entry ${applied} of term ${appliedTerm}, and the log beside them has one of term ${term} there: the two are of different copies. Put back both of one copy`
}

const copiedWhileOpen =
  "The folder is a copy that was made while its store was open, and not at one moment, or its disk has lost something. Put back one that was made while the store was stopped, or of a snapshot of the file system"

/** Whether another process has a folder that may be such a copy, or it cannot be read, has nothing to do with that. */
const ofSeveralMoments = <E extends StoreFileRefused | RaftLogError>(error: E): E | StoreFileRefused =>
  error._tag === "StoreFileRefused" && error.reason === "damaged"
    ? new StoreFileRefused({ ...error, detail: `${error.detail}. ${copiedWhileOpen}` })
    : error

/**
 * Two files in a folder, because only the log has to be synced: it replays what a crash takes from the events.
 *
 * The events are opened first: their lock says who has the folder, before anything of the log is looked at. The log holds what its member has promised to the others, so a third file
 * names the member, and no other goes on from there, unless there never were any others. Nor does it where its log is that of another kind of group than that of these voters.
 *
 * A trace of the log's member lies beside them, in `traceBytesMax` bytes; where they are 0 there is none.
 */
export const inFolder = (options: {
  readonly place: string
  readonly member: string
  readonly voters: ReadonlyArray<string>
  readonly readThread: boolean
  readonly traceBytesMax: number
}): Storage => {
  const { member, readThread, traceBytesMax, voters } = options
  const folder = path.resolve(options.place)
  const filename = StoreFolder.eventsFile(folder)
  const inaccessible = (cause: unknown) =>
    new StoreFileRefused({
      filename,
      reason: "inaccessible",
      detail: cause instanceof Error ? cause.message : `${cause}`
    })
  const turn = Effect.unsafeMakeSemaphore(1)
  const condition = { isDamaged: false }
  let wasOpen = false
  const prepare = Effect.try({ try: () => Folder.make(folder), catch: inaccessible })
  return {
    place: folder,
    prepare,
    open: Effect.gen(function* () {
      // A process that is killed closes its files a little after its successor was asked to open them. To SQLite that would be a file in use, and it would block the thread for as
      // long as it waits.
      yield* Effect.uninterruptibleMask(restore =>
        Effect.zipRight(
          restore(turn.take(1)),
          Effect.addFinalizer(() => turn.release(1))
        )
      )
      yield* prepare
      const isInDoubt = yield* Effect.try({ try: () => OpenMark.isOfSeveralMoments(folder), catch: inaccessible })
      let isMarked = false
      // Before the files are opened, so that they are closed by then.
      yield* Effect.addFinalizer(() =>
        isMarked ? Effect.ignoreLogged(Effect.try(() => OpenMark.take(folder))) : Effect.void
      )
      const files = Effect.gen(function* () {
        if (isInDoubt) yield* Effect.logInfo(`${folder} was not closed where it lies now: all of it is looked through`)
        const engine = yield* SqliteStoreEngine.make({
          filename,
          condition,
          readThread: readThread ? undefined : false
        })
        const log = yield* RaftLog.make({ filename: StoreFolder.logFile(folder), isInDoubt })
        if (isInDoubt) yield* WholeCheck.events(filename)
        return { engine, log }
      })
      const { engine, log } = yield* isInDoubt ? Effect.mapError(files, ofSeveralMoments) : files
      const foreign = (detail: string) => new StoreFileRefused({ filename, reason: "foreign", detail })
      const owner = yield* Effect.try({ try: () => StoreFolder.ownerOf(folder), catch: inaccessible })
      if (owner !== undefined && owner !== member && !isSole(log)) {
        return yield* foreign(
          `the folder is that of the node "${owner}", this one is "${member}": give it its own folder back, or its own name`
        )
      }
      const unfit = misfit(log, voters) ?? (owner === undefined ? stranger(log, member) : undefined)
      if (unfit !== undefined) return yield* foreign(unfit)
      const strange = differing(log, engine)
      if (strange !== undefined) return yield* foreign(strange)
      const others = isSole(log) ? undefined : unlike(log, voters)
      if (others !== undefined) yield* Effect.logWarning(`${folder} is of a store of ${others}`)
      if (owner !== member) yield* Effect.try({ try: () => makeOwner(folder, member), catch: inaccessible })
      yield* Effect.try({ try: () => OpenMark.leave(folder), catch: inaccessible })
      isMarked = true
      const trace =
        traceBytesMax === 0
          ? undefined
          : yield* TraceFile.make({ filename: StoreFolder.traceFile(folder), bytesMax: traceBytesMax })
      wasOpen = true
      return { log, engine, trace }
    }),
    mayPass: error => wasOpen && (error._tag === "RaftLogError" ? error.mayPass : passingReasons.has(error.reason))
  }
}

/**
 * Both in memory, for the life of the scope. That is the store's and not its process's: memory stands in for the disk here, and a process that is started again
 * must find what its predecessor has acknowledged.
 */
export const inMemory: Effect.Effect<Storage, never, Scope.Scope> = Effect.gen(function* () {
  const engine = yield* SqliteStoreEngine.make({ filename: ":memory:" })
  const log = yield* RaftLog.make({ filename: ":memory:" })
  return {
    place: "memory",
    prepare: Effect.void,
    open: Effect.succeed({ log, engine, trace: undefined }),
    mayPass: () => false
  }
}).pipe(Effect.orDie)
