/**
 * The mark of a store that is open, a file beside those of the store: whoever finds it and did not leave it has a copy that was made meanwhile.
 *
 * A copy that is not made at one moment has files, and pages of them, of several: SQLite cannot tell, opens what no moment ever had, and finds a hole in it when somebody reads there. So such a copy is looked through as a
 * whole once. A store that was killed has the mark as well, and was not copied: the mark says which file it is itself, and a copy is another file.
 */
import * as fs from "node:fs"
import * as Folder from "@reckon/raft/Folder"
import * as StoreFolder from "../../StoreFolder.js"

/** Which file of its disk it is. Numbers are given anew, times are not. */
const identityOf = (filename: string): string => {
  const { birthtimeNs, ino } = fs.statSync(filename, { bigint: true })
  return `${ino} ${birthtimeNs}\n`
}

const hasBytes = (filename: string): boolean => (fs.statSync(filename, { throwIfNoEntry: false })?.size ?? 0) > 0

/** SQLite takes a -wal away with the last connection to its file, unless that has failed. */
const isUnclosed = (folder: string): boolean =>
  [StoreFolder.eventsFile(folder), StoreFolder.logFile(folder)].some(file => hasBytes(`${file}-wal`))

/**
 * Whether the files may be of several moments, before any of them is opened: there is a mark that was left elsewhere, or none, though they were not closed. That is also how a release without the mark leaves them
 * where it was killed. To open and close them is to close them: what tells a doubt without a mark would be gone with that, so then there is one from now on that is nobody's.
 */
export const isOfSeveralMoments = (folder: string): boolean => {
  const mark = StoreFolder.openMark(folder)
  if (fs.existsSync(mark)) return fs.readFileSync(mark, "utf8") !== identityOf(mark)
  const isInDoubt = isUnclosed(folder)
  if (isInDoubt) fs.writeFileSync(mark, "", { flush: true })
  return isInDoubt
}

/** Leaves the mark, anew. Durable, or the next start after a loss of power would look through everything; and whole or not at all, or one after a full disk would. */
export const leave = (folder: string): void => {
  const mark = StoreFolder.openMark(folder)
  const unfinished = `${mark}.new`
  try {
    fs.writeFileSync(unfinished, "")
    fs.writeFileSync(unfinished, identityOf(unfinished), { flush: true })
    fs.renameSync(unfinished, mark)
  } finally {
    fs.rmSync(unfinished, { force: true })
  }
  Folder.sync(folder)
}

/** Takes it away, once the files are closed: where that has failed, or somebody else reads one of them, nobody has copied them for that. */
export const take = (folder: string): void => {
  if (!isUnclosed(folder)) fs.rmSync(StoreFolder.openMark(folder), { force: true })
}
