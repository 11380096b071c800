/**
 * A thread that copies the WALs of SQLite files into them, see `src/internal/sqlite/checkpoints.ts`. Plain JavaScript outside of the sources: a thread starts from a file that
 * Node.js runs as it is, and that is as far from the sources, on which the tests run, as from the build.
 */
import { createRequire } from "node:module"
import { parentPort, workerData } from "node:worker_threads"

const Database = createRequire(import.meta.url)(workerData.sqlite)

/** As much as can be copied at this moment. */
const copyWal = filename => {
  const database = new Database(filename, { fileMustExist: true })
  try {
    database.pragma("wal_checkpoint(PASSIVE)")
  } finally {
    database.close()
  }
}

parentPort.on("message", ({ cell, copied, filename }) => {
  try {
    copyWal(filename)
  } catch {
    // Whoever asked copies the rest itself, and meets there what stood in the way here.
  } finally {
    Atomics.store(cell, 0, copied)
    Atomics.notify(cell, 0)
  }
})
