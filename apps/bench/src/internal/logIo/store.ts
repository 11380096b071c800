/** The disk's part of a Raft log: one synced transaction for a batch. `slowMillis` holds the thread up as a slow disk would. */
import { Database } from "@reckon/raft/Sqlite"

export interface Store {
  readonly commit: (payloads: ReadonlyArray<Uint8Array>) => void
  readonly close: () => void
}

export const open = (filename: string, slowMillis: number): Store => {
  const database = new Database(filename)
  database.pragma("journal_mode = WAL")
  database.pragma("synchronous = FULL")
  database.pragma("wal_autocheckpoint = 4000")
  database.exec("CREATE TABLE log (idx INTEGER PRIMARY KEY, payload BLOB NOT NULL) STRICT")
  const insert = database.prepare("INSERT INTO log (payload) VALUES (?)")
  const still = new Int32Array(new SharedArrayBuffer(4))
  const commit = database.transaction((payloads: ReadonlyArray<Uint8Array>) => {
    for (const payload of payloads) insert.run(payload)
    if (slowMillis > 0) Atomics.wait(still, 0, 0, slowMillis)
  })
  return { commit: payloads => commit.immediate(payloads), close: () => database.close() }
}
