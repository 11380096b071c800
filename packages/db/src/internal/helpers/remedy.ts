import * as path from "node:path"

/** Said of what looks like damage and need not be: what to do about that may throw away a sound file. */
export const checkDisk = "SQLite says the same of a disk that cannot be read, so check that first"

/** What to do where a store's file is damaged. The folder goes as a whole: the log in it was cut behind what the file had. */
export const remedy = (filename: string): string =>
  `Stop this node, move the folder ${path.dirname(filename)} away and start the node again: its peers send it everything. ` +
  "A store on one node alone has no peers: put back a copy of the folder"
