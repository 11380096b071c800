import type { ExpectedVersion } from "@reckon/client/ExpectedVersion"
import * as Either from "effect/Either"
import type { Reply } from "../../src/Command.js"

/** Answers as plain objects, for comparison. */
export const plain = (reply: Reply | null | undefined) =>
  reply?.map(
    Either.match({
      onLeft: (error): unknown => ({ ...error }),
      onRight: outcome => outcome.map(appended => ({ ...appended }))
    })
  )

/** What one part of an append answers. */
export const part = (streamId: string, version: number, position: number, alreadyPresent = 0) => ({
  streamId,
  version,
  position,
  alreadyPresent
})

/** What an append to one stream answers. */
export const success = (...fields: Parameters<typeof part>) => [part(...fields)]

/** What everything else answers. */
export const done: ReadonlyArray<never> = []

const failure = <Fields extends object>(_tag: string, fields: Fields) => ({ _tag, retryable: false, ...fields })

export const wrongVersion = (streamId: string, expected: ExpectedVersion, actual: number) =>
  failure("WrongExpectedVersion", { streamId, expected, actual })

export const conflict = (streamId: string, eventId: string, version: number) =>
  failure("EventIdConflict", { streamId, eventId, version })

export const conditionFailed = (after: number, position: number) =>
  failure("AppendConditionFailed", { after, position })

export const deleted = (streamId: string) => failure("StreamDeleted", { streamId })

export const tombstoned = (streamId: string) => failure("StreamTombstoned", { streamId })

export const notFound = (streamId: string) => failure("StreamNotFound", { streamId })

export const outOfRange = (streamId: string, version: number, least: number, most: number) =>
  failure("SnapshotOutOfRange", { streamId, version, least, most })
