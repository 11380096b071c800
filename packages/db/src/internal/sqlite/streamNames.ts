import type { StreamInfo, StreamsPage } from "@reckon/client/StoreRpcs"
import * as StreamPattern from "@reckon/client/StreamPattern"
import type { ListStreams } from "../../StoreEngine.js"
import type { Connection } from "./database.js"
import { assertInvariant } from "./invariant.js"

type NameRow = [id: number, name: string]
type StreamRow = [version: number, state: number, firstVersion: number, position: number]

/**
 * The queries, by name, so that a test can ask SQLite how it would go about each. Names come from their index alone. The row of a stream lies anywhere in the file: of a million streams, most of them have to
 * be read from the disk.
 */
export const queries = {
  names: "SELECT id, name FROM streams WHERE name >= +? AND name < +? ORDER BY name",
  ofName: "SELECT version, state, first_version, position FROM streams WHERE id = +?"
} as const

/** SQLite orders every blob behind every text, so that this one is behind every name. */
const behindAll = Buffer.alloc(0)

/** The least text, by its UTF-8 bytes, that is greater than every text with this beginning. There is none behind U+10FFFF. */
const behindPrefix = (prefix: string): string | Buffer => {
  const characters = [...prefix]
  for (let last = characters.pop(); last !== undefined; last = characters.pop()) {
    const code = last.codePointAt(0) ?? 0
    // The surrogates between U+D7FF and U+E000 are no characters, and UTF-8 has no bytes for them.
    if (code < 0x10ffff) return characters.join("") + String.fromCodePoint(code === 0xd7ff ? 0xe000 : code + 1)
  }
  return behindAll
}

const compareBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))

/** No text is between one and the same with a NUL behind it. */
const firstAfter = (name: string): string => `${name}\u0000`

/** What one page may look at: so many names of up to 64 characters, or fewer long ones, for which a pattern may take much longer. */
export const namesLookedAtMax = 4096

const costOf = (name: string): number => 1 + Math.floor(name.length / 64)

export interface StreamNames {
  /** A page of the streams that are not deleted. */
  readonly list: (options: ListStreams) => StreamsPage
  /**
   * The streams that keep an event and whose names match the pattern; `null` if there are more than `count`, or if more than `lookedAt` names would have to be
   * looked at.
   */
  readonly keeping: (
    pattern: string,
    max: { readonly count: number; readonly lookedAt: number }
  ) => ReadonlyArray<Keeping> | null
}

/** A stream that keeps the events from one version to another; `position` is that of the last one. */
export interface Keeping {
  readonly id: number
  readonly version: number
  readonly position: number
  readonly firstVersion: number
}

export const make = (db: Connection): StreamNames => {
  const select = db.prepare<[string, string | Buffer], NameRow>(queries.names).raw()
  const selectStream = db.prepare<[number], StreamRow>(queries.ofName).raw()

  /** The names from `first` on that can match at all. */
  const from = (first: string, pattern: string) =>
    select.iterate(
      first,
      StreamPattern.isLiteral(pattern) ? firstAfter(pattern) : behindPrefix(StreamPattern.literalPrefix(pattern))
    )

  const streamOf = (id: number): StreamRow => {
    const row = selectStream.get(id)
    assertInvariant(row !== undefined, "a name in the index is that of a stream", { stream: id })
    return row
  }

  return {
    list: ({ after, count, pattern }) => {
      const wanted = pattern ?? "*"
      const matches = StreamPattern.matcher(wanted)
      const prefix = StreamPattern.literalPrefix(wanted)
      const first = after === null || compareBytes(after, prefix) < 0 ? prefix : firstAfter(after)
      const streams: Array<StreamInfo> = []
      let next = after
      let lookedAt = 0
      for (const [id, streamId] of from(first, wanted)) {
        if (matches(streamId)) {
          const [version, state] = streamOf(id)
          if (state === 0 && version >= 0) {
            if (streams.length >= count) return { streams, isEnd: false, next }
            streams.push({ streamId, version })
          }
        }
        next = streamId
        lookedAt += costOf(streamId)
        if (lookedAt >= namesLookedAtMax) return { streams, isEnd: false, next }
      }
      return { streams, isEnd: true, next }
    },

    keeping: (pattern, max) => {
      const matches = StreamPattern.matcher(pattern)
      const streams: Array<Keeping> = []
      let lookedAt = 0
      for (const [id, name] of from(StreamPattern.literalPrefix(pattern), pattern)) {
        lookedAt += costOf(name)
        if (lookedAt > max.lookedAt) return null
        if (!matches(name)) continue
        const [version, , firstVersion, position] = streamOf(id)
        if (version < firstVersion) continue
        if (streams.length >= max.count) return null
        streams.push({ id, version, position, firstVersion })
      }
      return streams
    }
  }
}
