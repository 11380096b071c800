import type { Database } from "@reckon/raft/Sqlite"
import { backfill } from "./backfill.js"

/** Marks a file as a Reckon store (`PRAGMA application_id`): "RCKN". */
export const applicationId = 0x52434b4e

const format1 = `
CREATE TABLE streams (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  version INTEGER NOT NULL,
  position INTEGER NOT NULL
) STRICT;

CREATE TABLE kinds (
  id INTEGER PRIMARY KEY,
  event_type TEXT NOT NULL,
  data_content_type TEXT NOT NULL,
  metadata_content_type TEXT NOT NULL,
  UNIQUE (event_type, data_content_type, metadata_content_type)
) STRICT;

CREATE TABLE events (
  position INTEGER PRIMARY KEY,
  stream INTEGER NOT NULL,
  version INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  epoch_us INTEGER NOT NULL,
  event_id BLOB NOT NULL,
  tags TEXT,
  metadata BLOB,
  data BLOB NOT NULL,
  UNIQUE (stream, version),
  UNIQUE (stream, event_id)
) STRICT;

CREATE TABLE meta (
  id INTEGER PRIMARY KEY CHECK (id = 0),
  applied_index INTEGER NOT NULL,
  applied_term INTEGER NOT NULL,
  last_epoch_us INTEGER NOT NULL,
  last_position INTEGER NOT NULL,
  last_stream INTEGER NOT NULL,
  stream_count INTEGER NOT NULL,
  event_count INTEGER NOT NULL
) STRICT;

INSERT INTO meta VALUES (0, 0, 0, 0, -1, 0, 0, 0);
`

const format2 = `
ALTER TABLE streams ADD COLUMN state INTEGER NOT NULL DEFAULT 0;
ALTER TABLE streams ADD COLUMN first_version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE streams ADD COLUMN born_version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE streams ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE streams ADD COLUMN created_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE streams ADD COLUMN updated_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE streams ADD COLUMN max_age_us INTEGER;
ALTER TABLE streams ADD COLUMN max_count INTEGER;
ALTER TABLE streams ADD COLUMN truncate_before INTEGER;

ALTER TABLE meta ADD COLUMN lasting_count INTEGER NOT NULL DEFAULT 0;

CREATE INDEX streams_that_age ON streams (updated_us + max_age_us)
  WHERE max_age_us IS NOT NULL AND state = 0 AND version >= first_version;

CREATE INDEX events_of_kind ON events (kind);

CREATE TABLE tags (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE tagged (
  tag INTEGER NOT NULL,
  position INTEGER NOT NULL,
  PRIMARY KEY (tag, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE fields (
  term INTEGER NOT NULL,
  position INTEGER NOT NULL,
  PRIMARY KEY (term, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE snapshots (
  stream INTEGER NOT NULL,
  version INTEGER NOT NULL,
  epoch_us INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  data_content_type TEXT NOT NULL,
  metadata_content_type TEXT NOT NULL,
  metadata BLOB,
  data BLOB NOT NULL,
  PRIMARY KEY (stream, version)
) STRICT;
`

const parts = [0, 1, 2]

/** The parts of an index, see `lsmIndex.ts`, as far as they are not there, and the view that is all of them. */
const lsmIndex = (name: string, columns: string, key: string): string => `
${parts.map(part => `CREATE TABLE IF NOT EXISTS ${name}_${part} (${columns}, PRIMARY KEY (${key})) STRICT, WITHOUT ROWID;`).join("\n")}
CREATE VIEW ${name} AS ${parts.map(part => `SELECT * FROM ${name}_${part}`).join(" UNION ALL ")};
`

const format3 = `
ALTER TABLE tagged RENAME TO tagged_0;
ALTER TABLE fields RENAME TO fields_0;
${lsmIndex("versions", "stream INTEGER NOT NULL, version INTEGER NOT NULL, position INTEGER NOT NULL", "stream, version")}
${lsmIndex("event_ids", "stream INTEGER NOT NULL, event_id BLOB NOT NULL, position INTEGER NOT NULL", "stream, event_id")}
${lsmIndex("tagged", "tag INTEGER NOT NULL, position INTEGER NOT NULL", "tag, position")}
${lsmIndex("fields", "term INTEGER NOT NULL, position INTEGER NOT NULL", "term, position")}

INSERT INTO versions_0 SELECT stream, version, position FROM events ORDER BY stream, version;
INSERT INTO event_ids_0 SELECT stream, event_id, position FROM events ORDER BY stream, event_id;

ALTER TABLE events RENAME TO events_before;
DROP INDEX events_of_kind;
CREATE TABLE events (
  position INTEGER PRIMARY KEY,
  stream INTEGER NOT NULL,
  version INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  epoch_us INTEGER NOT NULL,
  event_id BLOB NOT NULL,
  tags TEXT,
  metadata BLOB,
  data BLOB NOT NULL
) STRICT;
INSERT INTO events SELECT * FROM events_before;
DROP TABLE events_before;
CREATE INDEX events_of_kind ON events (kind);
`

/**
 * Each brings a store file from the version that is its place in the list to the next one (`PRAGMA user_version`). Never changed once released.
 *
 * What is small and often read stands before what is large: SQLite reads a row from the left, and long payloads spill to pages that a reader of the
 * first columns then never touches. `position` is the row id, so that the table grows at its right edge only; the two indexes serve reads of a
 * stream and the search for an event id (in the third format they are tables, `versions` and `event_ids`). A `kind` is the type and content types of an event, which repeat. `tags` is a JSON array, NULL for none.
 *
 * The second format brings, for a stream: its state (0 active, 1 deleted, 2 tombstoned), the oldest version it keeps, the version it began with when
 * it was last created, the bytes it keeps, the times of its first and last append, and its limits; for queries: rows that lie in the order of positions
 * for each kind, each tag and each metadata field with its value (`term`, a hash of the two that whoever reads must verify); and snapshots. Whether anything is kept at all is a
 * counter of the streams that keep an event whatever its age; an index of those streams would be written with each append.
 *
 * The third format has the indexes whose entries come in no order in parts, see `lsmIndex.ts`: a commit writes a quarter of what it did, and of the old file's pages few twice.
 *
 * The counters in `meta` are what a scan or a count would have to find out at every start, and they outlive deletion: a position or stream id
 * is never given out twice.
 */
export const migrations: ReadonlyArray<(db: Database.Database) => void> = [
  db => db.exec(format1),
  db => {
    db.exec(format2)
    backfill(db)
  },
  db => db.exec(format3)
]
