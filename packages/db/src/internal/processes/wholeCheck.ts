/** Whether the events of a store and their indexes are of one moment, all of them: a scan of the file, for a copy of which that is in doubt. */
import { Database } from "@reckon/raft/Sqlite"
import * as Effect from "effect/Effect"
import { StoreFileRefused } from "../../StoreEngine.js"
import { termsOf } from "../sqlite/term.js"

const entriesOf = (index: string, column: string): string =>
  `SELECT (SELECT count(*) FROM ${index}) + last_position + 1 - 2 * (
     SELECT count(*) FROM ${index} JOIN events USING (position)
      WHERE events.stream = ${index}.stream AND events.${column} = ${index}.${column}) FROM meta`

/** What must hold, and a query that answers 0 where it does. Nothing of an event is ever deleted. */
const checks: ReadonlyArray<readonly [what: string, sql: string]> = [
  ["every position has its event", "SELECT (SELECT count(*) FROM events) - last_position - 1 FROM meta"],
  ["as many events were counted", "SELECT event_count - last_position - 1 FROM meta"],
  ["every event is found by its version", entriesOf("versions", "version")],
  ["every event is found by its id", entriesOf("event_ids", "event_id")],
  [
    "every event has its stream and kind",
    "SELECT count(*) FROM events WHERE stream NOT IN (SELECT id FROM streams) OR kind NOT IN (SELECT id FROM kinds)"
  ],
  [
    "every stream has all of its versions",
    `SELECT count(*) FROM streams LEFT JOIN (
       SELECT stream, count(*) AS events, max(version) AS last, max(position) AS newest FROM events GROUP BY stream) ON stream = id
      WHERE version <> ifnull(last, -1) OR version + 1 <> ifnull(events, 0) OR (last IS NOT NULL AND position <> newest)`
  ],
  [
    "every event is found by its tags",
    `SELECT (SELECT count(*) FROM tagged)
      - ifnull(sum((SELECT count(DISTINCT value) FROM json_each(tags))), 0) FROM events WHERE tags IS NOT NULL`
  ],
  [
    "what is found by tags and metadata is there",
    `SELECT (SELECT count(*) FROM tagged WHERE position NOT IN (SELECT position FROM events))
      + (SELECT count(*) FROM fields WHERE position NOT IN (SELECT position FROM events))`
  ]
]

/** How many entries the index of metadata fields has to have, which SQLite cannot tell. */
const fieldsOf = (db: Database.Database): number => {
  const select = db.prepare<[], [Buffer, string]>(
    "SELECT metadata, metadata_content_type FROM events JOIN kinds ON kinds.id = kind WHERE metadata IS NOT NULL"
  )
  let fields = 0
  for (const [metadata, metadataContentType] of select.raw().iterate()) {
    fields += termsOf({ metadata, metadataContentType }).size
  }
  return fields
}

/** What does not hold, if anything. */
const finding = (db: Database.Database): string | undefined => {
  const sound = db.pragma("integrity_check(1)", { simple: true })
  if (sound !== "ok") return `${sound}`.replaceAll("\n", " ")
  const number = (sql: string) => db.prepare<[], number>(sql).pluck().get()
  const broken = checks.find(([, sql]) => number(sql) !== 0)
  if (broken !== undefined) return `it does not hold that ${broken[0]}`
  return number("SELECT count(*) FROM fields") === fieldsOf(db)
    ? undefined
    : "it does not hold that every event is found by its metadata"
}

/** Fails where something does not fit. The file is open already, and was brought to the current format. */
export const events = (filename: string): Effect.Effect<void, StoreFileRefused> => {
  const refused = (detail: string) => new StoreFileRefused({ filename, reason: "damaged", detail })
  return Effect.acquireUseRelease(
    Effect.sync(() => new Database(filename, { readonly: true, fileMustExist: true })),
    db =>
      Effect.flatMap(
        Effect.try({
          try: () => finding(db),
          catch: cause => refused(cause instanceof Error ? cause.message : `${cause}`)
        }),
        found => (found === undefined ? Effect.void : refused(found))
      ),
    db => Effect.sync(() => db.close())
  )
}
