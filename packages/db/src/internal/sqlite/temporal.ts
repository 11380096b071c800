import * as Bisect from "./bisect.js"
import type { Stream } from "./catalog.js"
import type { Connection } from "./database.js"

/** The look-ups, by name, so that a test can ask SQLite how it would go about each. */
export const queries = {
  timeInStore: "SELECT position, epoch_us FROM events WHERE position >= +? ORDER BY position LIMIT 1",
  // SQLite looks into one part of the index after the other, and no further than where the version is.
  timeOfVersion: `SELECT versions.version, epoch_us FROM versions CROSS JOIN events USING (position)
    WHERE versions.stream = +? AND versions.version = +?`,
  timeInStream: `SELECT number, epoch_us FROM (
      SELECT version AS number, position AS place FROM versions WHERE stream = +? AND version >= +? ORDER BY version LIMIT 1
    ) CROSS JOIN events ON position = place`
} as const

/**
 * From times to places. Times never decrease along positions, nor along the versions of a stream, so that no index of them is needed. Rows may be
 * missing.
 */
export interface Temporal {
  /** The last position with a time up to this one, inclusive; -1 where there is none. */
  readonly positionAt: (epochUs: number, lastPosition: number) => number
  /** The same among the versions that a stream keeps, without regard to their age. */
  readonly versionAt: (stream: Stream, epochUs: number) => number
  /** The first version that the stream shows at this time, or the one behind its last where it shows none. */
  readonly firstVisible: (stream: Stream, nowUs: number) => number
}

export const make = (db: Connection): Temporal => {
  const timeInStore = db.prepare<[number], [number, number]>(queries.timeInStore).raw()
  const timeOfVersion = db.prepare<[number, number], [number, number]>(queries.timeOfVersion).raw()
  const timeInStream = db.prepare<[number, number], [number, number]>(queries.timeInStream).raw()

  const timed = (row: [number, number] | undefined) => (row === undefined ? null : { place: row[0], epochUs: row[1] })

  const versionAt = ({ firstVersion, id, version }: Stream, epochUs: number, near?: "least"): number =>
    Bisect.lastThat(
      firstVersion,
      version,
      // Mostly there is an event with the version itself.
      place => timed(timeOfVersion.get(id, place) ?? timeInStream.get(id, place)),
      row => row.epochUs <= epochUs,
      near
    ) ?? -1

  return {
    positionAt: (epochUs, lastPosition) =>
      Bisect.lastThat(
        0,
        lastPosition,
        place => timed(timeInStore.get(place)),
        row => row.epochUs <= epochUs
      ) ?? -1,

    versionAt: (stream, epochUs) => versionAt(stream, epochUs),

    firstVisible: (stream, nowUs) => {
      const { maxAgeUs } = stream.metadata
      if (maxAgeUs === null) return stream.firstVersion
      // An event is as old as it may be when its time is this one.
      const oldestUs = nowUs - maxAgeUs
      // What is too old is removed with the next append, so that little of it is there.
      return Math.max(stream.firstVersion, versionAt(stream, oldestUs - 1, "least") + 1)
    }
  }
}
