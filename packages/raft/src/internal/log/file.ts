/** The file of a log as a thing in a folder: how it comes to be there, and what SQLite does not sync. */
import * as fs from "node:fs"
import * as path from "node:path"
import * as Folder from "../../Folder.js"
import { Database } from "../../Sqlite.js"

/** The folder of a file, by its full path: it has one above it. */
export const directoryOf = (filename: string): string => path.resolve(path.dirname(filename))

export const walOf = (filename: string): string => `${filename}-wal`

const unfinished = (filename: string): string => `${filename}.new`

/** Removes what is left of a creation, or of a look whether there is room, that a crash has cut short. */
export const removeUnfinished = (filename: string): void => {
  fs.rmSync(roomOf(filename), { force: true })
  for (const suffix of ["", "-journal"]) fs.rmSync(`${unfinished(filename)}${suffix}`, { force: true })
}

/**
 * Creates the file, and the folders above it, so that all of it is there after a power loss or nothing. It is filled under another name
 * and gets its own when it is complete and synced: an empty file of that name was emptied by something else. The name is
 * linked, not renamed to, so that of two processes one is turned away instead of losing its file to the other.
 */
export const createFile = (filename: string, fill: (database: Database.Database) => void): void => {
  const directory = directoryOf(filename)
  Folder.make(directory)
  const database = new Database(unfinished(filename))
  try {
    database.pragma("synchronous = FULL")
    database.pragma("fullfsync = ON")
    fill(database)
  } finally {
    database.close()
  }
  fs.linkSync(unfinished(filename), filename)
  removeUnfinished(filename)
  // SQLite does that for its -wal and its journal, not for the database file itself.
  Folder.sync(directory)
}

/** A burst of entries. With less room than that a log would fail again as soon as it is opened. */
const roomBytes = 1024 * 1024

const roomOf = (filename: string): string => `${filename}.room`

/** Whether the disk takes as much beside the file, and syncs it. */
export const hasRoom = (filename: string): boolean => {
  const tried = roomOf(filename)
  try {
    try {
      fs.writeFileSync(tried, new Uint8Array(roomBytes), { flush: true })
    } finally {
      fs.rmSync(tried, { force: true })
    }
    return true
  } catch {
    // Why not, whoever asks was told when the log failed.
    return false
  }
}

/** What the file and its -wal take on the disk. */
export const bytesOnDisk = (filename: string): number =>
  [filename, walOf(filename)]
    .map(each => fs.statSync(each, { throwIfNoEntry: false })?.size ?? 0)
    .reduce((sum, size) => sum + size)
