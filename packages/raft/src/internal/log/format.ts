/** The tables of a log file, how a new file gets them, and how the files of older formats are taken over. */

import type { XXHashAPI } from "xxhash-wasm"
import type { Database } from "../../Sqlite.js"
import type { Refusals } from "./refusal.js"
import {
  type EntryRow,
  type MemberRow,
  makeRows,
  memberColumns,
  oldEntryChecksum,
  oldHardStateChecksum
} from "./rows.js"

/**
 * Format 1 had no configurations, format 2 no base and no incarnation. Both began at entry 1 and kept term and vote in a table of
 * their own. Up to format 3 each entry had a row of its own.
 */
export const formatVersion = 4

/** `application_id` in the file's header, "RKLG": a foreign database is told apart from ours before anything is read from it. */
const applicationId = 0x524b4c47

const countColumn = "count INTEGER NOT NULL DEFAULT 1"

const createEntries = `
  CREATE TABLE entries (idx INTEGER PRIMARY KEY, term INTEGER NOT NULL, kind INTEGER NOT NULL,
    checksum INTEGER NOT NULL, payload BLOB NOT NULL, ${countColumn}) STRICT`

/** Partial, so that it costs nothing where no configuration is written, and finds the few there are in a log of any length. */
const createConfigurations = "CREATE INDEX configurations ON entries (idx) WHERE kind = 2"

const createMember = `
  CREATE TABLE member (id INTEGER PRIMARY KEY CHECK (id = 0), incarnation TEXT NOT NULL, term INTEGER NOT NULL, voted_for TEXT,
    base_index INTEGER NOT NULL, base_term INTEGER NOT NULL, configuration_index INTEGER, configuration BLOB,
    last_index INTEGER NOT NULL, checksum INTEGER NOT NULL) STRICT`

export const setMemberStatement = `
  REPLACE INTO member (id, ${memberColumns})
  VALUES (0, :incarnation, :term, :voted_for, :base_index, :base_term, :configuration_index, :configuration, :last_index, :checksum)`

const setMember = (database: Database.Database, row: MemberRow) => database.prepare(setMemberStatement).run(row)

const unbased = { base_index: 0, base_term: 0, configuration_index: null, configuration: null }

/** Makes a new, empty log of an empty database. */
export const createLog = (database: Database.Database, hasher: XXHashAPI, incarnation: string): void => {
  // Only settable before the first table: without it a file could never give pages back to the disk.
  database.pragma("auto_vacuum = INCREMENTAL")
  database.transaction(() => {
    database.exec(createEntries)
    database.exec(createConfigurations)
    database.exec(createMember)
    const { sealMember } = makeRows(hasher, incarnation)
    setMember(database, sealMember({ ...unbased, incarnation, term: 0, voted_for: null, last_index: 0 }))
    database.pragma(`application_id = ${applicationId}`)
    database.pragma(`user_version = ${formatVersion}`)
  })()
}

/** The format of an existing file, if this program can read it. */
export const readFormat = (database: Database.Database, { refuse }: Refusals): number => {
  const version = Number(database.pragma("user_version", { simple: true }))
  if (version === 0 || database.pragma("application_id", { simple: true }) !== applicationId) {
    throw refuse("is a database of something else; choose another data folder")
  }
  if (version < 1 || version > formatVersion) {
    throw refuse(`has format ${version}, this program reads up to ${formatVersion}; run the version that wrote it`)
  }
  return version
}

/** Brings a file of an older format to the present one. All of it is one transaction: after a crash the file is of the old format or of the new one. */
export const takeOver = (
  database: Database.Database,
  version: number,
  hasher: XXHashAPI,
  incarnation: string,
  refusals: Refusals
): void => {
  database
    .transaction(() => {
      if (version < 2) database.exec(createConfigurations)
      if (version < 3) giveIncarnation(database, hasher, incarnation, refusals)
      database.exec(`ALTER TABLE entries ADD COLUMN ${countColumn}`)
      database.pragma(`user_version = ${formatVersion}`)
    })
    .immediate()
}

/** What made format 3 of the ones before. Every row is checked on the way, since it gets a new checksum. */
const giveIncarnation = (
  database: Database.Database,
  hasher: XXHashAPI,
  incarnation: string,
  { damaged }: Refusals
): void => {
  const { entryChecksum, sealMember } = makeRows(hasher, incarnation)
  database.function("reseal", { deterministic: true }, (idx, term, kind, payload, checksum) => {
    const row: Omit<EntryRow, "checksum"> = { idx, term, kind, payload, count: 1 }
    if (oldEntryChecksum(hasher, row) !== checksum) throw damaged(`entry ${idx} of term ${term}`)
    return entryChecksum(row)
  })
  const hardState = database
    .prepare<[], { term: number; voted_for: string | null; checksum: number }>(
      "SELECT term, voted_for, checksum FROM hard_state"
    )
    .get() ?? { term: 0, voted_for: null, checksum: undefined }
  const { checksum, term, voted_for } = hardState
  const isSound =
    checksum === undefined || checksum === oldHardStateChecksum(hasher, { term, votedFor: voted_for ?? undefined })
  if (!isSound) throw damaged("the record of term and vote")

  const { count, last } = database
    .prepare<[], { count: number; last: number }>(
      "SELECT count(*) AS count, coalesce(max(idx), 0) AS last FROM entries"
    )
    .get() ?? { count: 0, last: 0 }
  if (count !== last) throw damaged(`the row of entries up to ${last}, which has ${count},`)

  database.exec("UPDATE entries SET checksum = reseal(idx, term, kind, payload, checksum)")
  database.exec(createMember)
  database.exec("DROP TABLE hard_state")
  setMember(database, sealMember({ ...unbased, incarnation, term, voted_for, last_index: last }))
}
