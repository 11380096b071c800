/** The tables of the store's own file, as far as events of the benchmark need them, with the same keys and indexes. */
export const tables = `
CREATE TABLE streams (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  version INTEGER NOT NULL,
  position INTEGER NOT NULL
) STRICT;

CREATE TABLE kinds (id INTEGER PRIMARY KEY, event_type TEXT NOT NULL UNIQUE) STRICT;

CREATE TABLE events (
  position INTEGER PRIMARY KEY,
  stream INTEGER NOT NULL,
  version INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  epoch_us INTEGER NOT NULL,
  event_id BLOB NOT NULL,
  tags TEXT,
  data BLOB NOT NULL,
  UNIQUE (stream, version),
  UNIQUE (stream, event_id)
) STRICT;

CREATE INDEX events_of_kind ON events (kind);

CREATE TABLE tags (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;

CREATE TABLE tagged (
  tag INTEGER NOT NULL,
  position INTEGER NOT NULL,
  PRIMARY KEY (tag, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE snapshots (
  stream INTEGER NOT NULL,
  version INTEGER NOT NULL,
  epoch_us INTEGER NOT NULL,
  data BLOB NOT NULL,
  PRIMARY KEY (stream, version)
) STRICT;
`

const event = "events.position, stream, version, kind, epoch_us, event_id, tags, data"

export const queries = {
  ofStream: `SELECT ${event} FROM events WHERE stream = +? AND version >= +? ORDER BY version LIMIT +?`,
  ofStreamUntil: `SELECT ${event} FROM events WHERE stream = +? AND version <= +? ORDER BY version`,
  all: `SELECT ${event} FROM events WHERE position >= +? AND position <= +? ORDER BY position LIMIT +?`,
  tagged: `SELECT ${event} FROM tagged JOIN events ON events.position = tagged.position
    WHERE tag = +? AND tagged.position >= +? ORDER BY tagged.position LIMIT +?`,
  ofKind: `SELECT ${event} FROM events WHERE kind = +? AND position >= +? ORDER BY position LIMIT +?`,
  timeAt: "SELECT epoch_us FROM events WHERE position = +?",
  timeOf: "SELECT epoch_us FROM events WHERE stream = +? AND version = +?",
  lastSnapshot: "SELECT version, data FROM snapshots WHERE stream = +? ORDER BY version DESC LIMIT 1"
}
