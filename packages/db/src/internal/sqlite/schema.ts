/** Marks a file as a Reckon store (`PRAGMA application_id`): "RCKN". */
export const applicationId = 0x52434b4e

/**
 * Each brings a store file from the version that is its place in the list to the next one (`PRAGMA user_version`). Never changed once released.
 *
 * What is small and often read stands before what is large: SQLite reads a row from the left, and long payloads spill to pages that a reader of the
 * first columns then never touches. `position` is the row id, so that the table grows at its right edge only; the two indexes serve reads of a
 * stream and the search for an event id. A `kind` is the type and content types of an event, which repeat. `tags` is a JSON array, NULL for none.
 *
 * The counters in `meta` are what a scan or a count would have to find out at every start, and they outlive deletion: a position or stream id
 * is never given out twice.
 */
export const migrations: ReadonlyArray<string> = [
  `
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
]
