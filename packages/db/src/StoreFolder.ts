/**
 * The folder in which a node keeps a store: which file of it is what. Nothing here opens any of them.
 *
 * @since 0.1.0
 */
import * as fs from "node:fs"
import * as path from "node:path"

/**
 * That of a store in the data folder of its node, where it was not given one of its own.
 *
 * @since 0.1.0
 * @category files
 */
export const inDataDir = (dataDir: string, store: string): string => path.join(dataDir, "stores", store)

/**
 * The events and their indexes, see `SqliteStoreEngine`.
 *
 * @since 0.1.0
 * @category files
 */
export const eventsFile = (folder: string): string => path.join(folder, "events.sqlite")

/**
 * The log of the store's member of its Raft group, see `RaftLog`.
 *
 * @since 0.1.0
 * @category files
 */
export const logFile = (folder: string): string => path.join(folder, "raft.sqlite")

/**
 * The trace of that member, see `TraceFile`.
 *
 * @since 0.1.0
 * @category files
 */
export const traceFile = (folder: string): string => path.join(folder, "raft.trace")

/**
 * Names the member: the log holds what it has promised to the others.
 *
 * @since 0.1.0
 * @category files
 */
export const memberFile = (folder: string): string => path.join(folder, "member")

/**
 * There as long as the store is open, and after it was killed: it tells a copy that was made meanwhile.
 *
 * @since 0.1.0
 * @category files
 */
export const openMark = (folder: string): string => path.join(folder, "open")

/**
 * The name of the member whose folder it is, where one has been written. Throws where the file is there and cannot be read.
 *
 * @since 0.1.0
 * @category files
 */
export const ownerOf = (folder: string): string | undefined => {
  const filename = memberFile(folder)
  return fs.existsSync(filename) ? fs.readFileSync(filename, "utf8").replace(/\n$/, "") : undefined
}
