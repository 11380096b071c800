import type { Database } from "@reckon/raft/Sqlite"
import { byteLengthOf, tagsFromColumn } from "./content.js"
import { Lru } from "./lru.js"
import { termsOf } from "./term.js"

type Row = [
  position: number,
  stream: number,
  eventType: string,
  metadataContentType: string,
  tags: string | null,
  metadata: Buffer | null,
  payloadBytes: number
]

const cachedTagsMax = 16_384

/**
 * Gives the events and streams of a file of the first format what the second keeps of them: index rows of tags and metadata, the bytes of each stream, its times.
 *
 * Event by event, so that it takes no more memory for a large store than for a small one. Its statements are its own: what the rest of the program
 * prepares follows the newest format, which this file does not have yet.
 */
export const backfill = (db: Database.Database): void => {
  const selectNext = db
    .prepare<[number], Row>(
      `SELECT e.position, e.stream, k.event_type, k.metadata_content_type, e.tags, e.metadata,
              length(e.data) + ifnull(length(e.metadata), 0)
         FROM events e JOIN kinds k ON k.id = e.kind
        WHERE e.position > +? ORDER BY e.position LIMIT 1`
    )
    .raw()
  const selectTagId = db.prepare<[string], number>("SELECT id FROM tags WHERE name = +?").pluck()
  const insertTag = db.prepare<[string]>("INSERT INTO tags (name) VALUES (?)")
  const insertTagged = db.prepare<[number, number]>("INSERT INTO tagged (tag, position) VALUES (?, ?)")
  const insertField = db.prepare<[number, number]>("INSERT INTO fields (term, position) VALUES (?, ?)")
  const addBytes = db.prepare<[number, number]>("UPDATE streams SET bytes = bytes + ? WHERE id = +?")

  const tagIds = new Lru<string, number>(cachedTagsMax)
  const tagIdOf = (name: string): number => {
    const id = tagIds.get(name) ?? selectTagId.get(name) ?? Number(insertTag.run(name).lastInsertRowid)
    tagIds.set(name, id)
    return id
  }

  for (let row = selectNext.get(-1); row !== undefined; row = selectNext.get(row[0])) {
    const [position, stream, eventType, metadataContentType, tagsColumn, metadata, payloadBytes] = row
    const tags = tagsFromColumn(tagsColumn)
    addBytes.run(byteLengthOf({ eventType, tags }, payloadBytes), stream)
    for (const tag of new Set(tags)) insertTagged.run(tagIdOf(tag), position)
    for (const term of termsOf({ metadata, metadataContentType })) insertField.run(term, position)
  }

  // In the first format no stream was ever deleted or cut, and none had a limit: all of them keep what they have. A stream's first event is its oldest one, its last one stands in its row.
  db.exec(`
    UPDATE streams SET
      created_us = ifnull((SELECT epoch_us FROM events WHERE stream = streams.id ORDER BY version LIMIT 1), 0),
      updated_us = ifnull((SELECT epoch_us FROM events WHERE position = streams.position), 0);
    UPDATE meta SET lasting_count = stream_count;`)
}
