import { byteLength, type NewEvent, type RecordedEvent } from "@reckon/client/Event"
import { EventIdConflict, WrongExpectedVersion } from "@reckon/client/StoreError"
import type { Append } from "@reckon/client/StoreRpcs"
import * as Either from "effect/Either"
import type { Command, Reply } from "../../src/Command.js"
import type { ReadAll } from "../../src/StoreEngine.js"

/** The store as one array, slow and plain: what the engine is compared with. */
export class Model {
  readonly all: Array<RecordedEvent> = []

  stream(name: string): ReadonlyArray<RecordedEvent> {
    return this.all.filter(event => event.streamId === name)
  }

  names(): ReadonlyArray<string> {
    const names = new Set(this.all.map(event => event.streamId))
    return [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  }

  apply(command: Command): Reply {
    return command.appends.map(append => this.#append(append, command.at))
  }

  #append({ events, expectedVersion, streamId }: Append, at: number): Reply[number] {
    const stored = this.stream(streamId)
    const actual = stored.length - 1
    const after = [...stored]
    for (const event of events) {
      const twin = after.find(other => other.eventId === event.eventId)
      if (twin !== undefined && !sameContent(twin, event)) {
        return Either.left(new EventIdConflict({ streamId, eventId: event.eventId, version: twin.version }))
      }
      if (twin !== undefined) continue
      after.push({
        ...event,
        streamId,
        version: after.length,
        position: this.all.length + after.length - stored.length,
        epochUs: Math.max(at, this.all.at(-1)?.epochUs ?? 0)
      })
    }
    const fresh = after.slice(stored.length)
    const isMet =
      expectedVersion === "any" ||
      (expectedVersion === "no_stream" && actual === -1) ||
      (expectedVersion === "stream_exists" && actual >= 0) ||
      expectedVersion === actual
    if (!isMet && (fresh.length > 0 || events.length === 0)) {
      return Either.left(new WrongExpectedVersion({ streamId, expected: expectedVersion, actual }))
    }
    this.all.push(...fresh)
    const last = events.length === 0 ? after.at(-1) : after.find(event => event.eventId === events.at(-1)?.eventId)
    return Either.right({
      streamId,
      version: last?.version ?? -1,
      position: last?.position ?? -1,
      alreadyPresent: events.length - fresh.length
    })
  }
}

const content = ({ data, dataContentType, eventType, metadata, metadataContentType, tags }: NewEvent) =>
  JSON.stringify([[...data], dataContentType, eventType, metadata && [...metadata], metadataContentType, tags])

const sameContent = (a: NewEvent, b: NewEvent): boolean => content(a) === content(b)

/** The page of `events`, which stand in order and are numbered by `place`, that a read should return. */
export const pageOf = (
  events: ReadonlyArray<RecordedEvent>,
  place: (event: RecordedEvent) => number,
  { bytesMax, count, direction, from }: ReadAll
) => {
  const ahead =
    direction === "forward"
      ? events.filter(event => place(event) >= from)
      : events.filter(event => place(event) <= from).reverse()
  const page: Array<RecordedEvent> = []
  let sum = 0
  for (const event of ahead.slice(0, count)) {
    sum += byteLength(event)
    if (page.length > 0 && sum > bytesMax) break
    page.push(event)
  }
  return { events: page, isEnd: page.length === ahead.length }
}
