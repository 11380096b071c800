import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import type { LogEntry } from "@reckon/raft/LogEntry"
import * as RaftLog from "@reckon/raft/RaftLog"
import { Database } from "@reckon/raft/Sqlite"
import * as Effect from "effect/Effect"

export const temporaryFile = Effect.acquireRelease(
  Effect.sync(() => path.join(fs.mkdtempSync(path.join(os.tmpdir(), "reckon-log-")), "raft.sqlite")),
  file => Effect.sync(() => fs.rmSync(path.dirname(file), { recursive: true, force: true }))
)

export const entry = (index: number, term: number, text = `entry ${index}`): LogEntry => ({
  index,
  term,
  kind: "command",
  payload: new TextEncoder().encode(text)
})

/** Entries of one term, numbered from `from` on. */
export const row = (from: number, to: number, term: number): ReadonlyArray<LogEntry> =>
  Array.from({ length: to - from + 1 }, (_, at) => entry(from + at, term))

export const hardState = (term: number, votedFor?: string) => ({ term, votedFor })

export const texts = (entries: ReadonlyArray<LogEntry>) => entries.map(each => new TextDecoder().decode(each.payload))

export type Log = RaftLog.RaftLog["Type"]

/** Everything a log still has, as text. */
export const all = (log: Log) =>
  log.lastIndex() < log.firstIndex() ? [] : texts(log.entries(log.firstIndex(), log.lastIndex(), 1e9))

/** Opens the log for as long as `f` takes. */
export const use = <A>(filename: string, f: (log: Log) => A, incarnation?: string) =>
  RaftLog.make({ filename, incarnation }).pipe(Effect.map(f), Effect.scoped)

export const refusal = (filename: string) => Effect.map(Effect.flip(use(filename, all)), error => error.message)

/** Makes each durable before the next, so that none shares its row in the file with another. */
export const flushEach = (log: Log, entries: ReadonlyArray<LogEntry>) => {
  for (const each of entries) {
    log.stage({ entries: [each] })
    log.flush()
  }
}

export const storedRows = (filename: string) =>
  tamper(filename, database => database.prepare("SELECT count(*) FROM entries").pluck().get())

/** What a disk, or somebody, may do to a closed file. */
export const tamper = <A>(filename: string, f: (database: Database.Database) => A): A => {
  const database = new Database(filename)
  try {
    return f(database)
  } finally {
    database.close()
  }
}

/** What the disk has at this moment, in a folder of its own: as after a crash. */
export const crashImage = (filename: string) => {
  const folder = fs.mkdtempSync(path.join(path.dirname(filename), "crash-"))
  const image = path.join(folder, path.basename(filename))
  for (const suffix of ["", "-wal"]) fs.copyFileSync(`${filename}${suffix}`, `${image}${suffix}`)
  return image
}
