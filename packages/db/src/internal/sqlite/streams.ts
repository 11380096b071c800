import * as ExpectedVersion from "@reckon/client/ExpectedVersion"
import { StreamTombstoned, WrongExpectedVersion } from "@reckon/client/StoreError"
import * as Either from "effect/Either"
import type { Operation, Outcome } from "../../Command.js"
import type { Catalog, Stream } from "./catalog.js"
import type { MovingHead } from "./head.js"
import type { Retention } from "./retention.js"
import type { SnapshotRows } from "./snapshotRows.js"
import { exists, isLasting, unborn } from "./streamState.js"

type Delete = Extract<Operation, { _tag: "DeleteStream" }>
type SetMetadata = Extract<Operation, { _tag: "SetStreamMetadata" }>

export interface Streams {
  /** Keeps a stream as it has become, `before` being what it was. */
  readonly save: (before: Stream | null, after: Stream, head: MovingHead) => void
  readonly delete: (
    operation: Delete,
    head: MovingHead
  ) => Either.Either<Outcome, WrongExpectedVersion | StreamTombstoned>
  readonly setMetadata: (
    operation: SetMetadata,
    head: MovingHead,
    nowUs: number
  ) => Either.Either<Outcome, StreamTombstoned>
}

export const make = (catalog: Catalog, retention: Retention, snapshots: SnapshotRows): Streams => {
  const save = (before: Stream | null, after: Stream, head: MovingHead): void => {
    head.streamCount += Number(exists(after)) - Number(exists(before))
    head.lastingCount += Number(isLasting(after)) - Number(isLasting(before))
    catalog.save(after, before === null)
  }

  /** Without events and without snapshots. A cut would say nothing of the stream that may be created anew; its other limits are its own again. */
  const emptied = (stream: Stream): Stream => {
    snapshots.deleteAll(stream.id)
    const cut = retention.truncate(stream, stream.version + 1)
    return { ...cut, metadata: { ...cut.metadata, truncateBefore: null } }
  }

  return {
    save,

    delete: ({ expectedVersion, streamId, tombstone }, head) => {
      const before = catalog.stream(streamId)
      if (before?.state === "tombstoned" && !tombstone) return Either.left(new StreamTombstoned({ streamId }))
      // A deleted stream is held against what it was, so that a repetition hears the same: its version stays.
      const actual = before?.version ?? ExpectedVersion.noEvents
      if (!ExpectedVersion.isMet(expectedVersion, actual)) {
        return Either.left(new WrongExpectedVersion({ streamId, expected: expectedVersion, actual }))
      }
      if (tombstone) {
        const stream = before ?? unborn(++head.lastStream, streamId)
        save(before, { ...emptied(stream), state: "tombstoned" }, head)
      } else if (exists(before)) {
        save(before, { ...emptied(before), state: "deleted" }, head)
      }
      return Either.right([])
    },

    setMetadata: ({ metadata, streamId }, head, nowUs) => {
      const before = catalog.stream(streamId)
      if (before?.state === "tombstoned") return Either.left(new StreamTombstoned({ streamId }))
      const stream = before ?? unborn(++head.lastStream, streamId)
      save(before, retention.replace(stream, metadata, nowUs), head)
      return Either.right([])
    }
  }
}
