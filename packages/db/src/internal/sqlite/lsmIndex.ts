import type { Connection } from "./database.js"

/** The indexes that are kept so, by name; each is a view of its parts, and reads know no more. */
export type Name = "versions" | "event_ids" | "tagged" | "fields"

/** Entries that are moved at a time, at least: a statement for one costs as much as a statement for several. */
const moveLeast = 512

/** A young part may have as many entries as a sixteenth of the store's events: the larger the old part is, the more entries it must get at a time for several of them to go to one page. */
const youngShare = 16
const youngLeast = 64

type Value = number | Uint8Array
type Key = [first: Value, second: Value]

/** The first part of every key is a whole number. */
const behindAll: Key = [Number.POSITIVE_INFINITY, 0]

export interface LsmIndex<Entry extends ReadonlyArray<Value>> {
  /** `isNear` tells that the entry most likely goes to a page of the old part that has changed just now. Then that page is the best place for it. */
  readonly insert: (isNear: boolean, ...entry: Entry) => void
  /** To be called at the end of each batch: moves what is due to the old part. `events` are those of the store. */
  readonly merge: (events: number) => void
  /** To be called when a transaction was rolled back. */
  readonly forget: () => void
}

/**
 * The writing side of an index whose entries come in no order, as a log-structured merge tree of two levels (O'Neil, Cheng, Gawlick, O'Neil: "The log-structured merge-tree", 1996).
 *
 * In one large tree each entry would change a page of its own, and a commit writes whole pages: of a store with a million events, 7 KiB for an event of 300 bytes. So entries are inserted into a small
 * tree, a young part (`_1` or `_2`), whose pages every commit has in common. When that is full the other young part takes its turn, and what is in the full one moves to the large tree, the old part (`_0`), in
 * the order of their keys, so that each page there gets all of its entries at once; with each batch twice as many as it has inserted, so that no batch waits for the rest.
 *
 * Every entry is in exactly one part, whatever happened, because it moves within a transaction. Which part does not matter to anybody: after a start whatever young part has entries may move.
 */
export const make = <Entry extends ReadonlyArray<Value>>(
  db: Connection,
  name: Name,
  columns: { readonly [Column in keyof Entry]: string }
): LsmIndex<Entry> => {
  const key = columns.slice(0, 2).join(", ")
  const places = columns.map(() => "?").join(", ")
  const insertInto = (table: string) =>
    db.prepare<[...Entry]>(`INSERT INTO ${table} (${columns.join(", ")}) VALUES (${places})`)
  const partOf = (number: 1 | 2) => {
    const table = `${name}_${number}`
    return {
      insert: insertInto(table),
      isUsed: db.prepare<[], number>(`SELECT EXISTS (SELECT 1 FROM ${table})`).pluck(),
      keyBehind: db.prepare<[number], Key>(`SELECT ${key} FROM ${table} ORDER BY ${key} LIMIT 1 OFFSET +?`).raw(),
      copy: db.prepare<Key>(`INSERT INTO ${name}_0 SELECT * FROM ${table} WHERE (${key}) < (+?, +?) ORDER BY ${key}`),
      remove: db.prepare<Key>(`DELETE FROM ${table} WHERE (${key}) < (+?, +?)`)
    }
  }

  const old = insertInto(`${name}_0`)
  let young = partOf(1)
  let other = partOf(2)
  /** Whether it is known how things stand. Nobody asks before there is something to insert: a page that makes no sense must not keep the file from being read. */
  let isKnown = false
  /** Whether the other part may have entries, which have to move. */
  let isMoving = false
  /** Entries of the young part, as far as this connection has inserted them. */
  let count = 0
  /** Entries that were inserted since the last move. */
  let inserted = 0

  const swap = () => {
    ;[young, other] = [other, young]
    isMoving = true
    count = 0
  }

  /** What a young part has from earlier moves before it gets more, unless the other one has entries as well. */
  const begin = () => {
    isKnown = true
    isMoving = other.isUsed.get() === 1
    if (!isMoving && young.isUsed.get() === 1) swap()
  }

  /** By range: SQLite deletes so many first entries, given by their number, in five times the time, for it collects their keys and looks for each again. */
  const move = (entries: number) => {
    const next = other.keyBehind.get(entries)
    const end = next ?? behindAll
    other.copy.run(...end)
    other.remove.run(...end)
    isMoving = next !== undefined
  }

  return {
    insert: (isNear, ...entry) => {
      if (isNear) {
        old.run(...entry)
        return
      }
      if (!isKnown) begin()
      young.insert.run(...entry)
      count++
      inserted++
    },
    merge: events => {
      if (isMoving && 2 * inserted >= moveLeast) {
        move(2 * inserted)
        inserted = 0
      }
      if (!isMoving && count >= Math.max(youngLeast, events / youngShare)) {
        swap()
        inserted = 0
      }
    },
    forget: () => {
      isKnown = false
      isMoving = false
      count = 0
      inserted = 0
    }
  }
}
