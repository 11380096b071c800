import type { NewEvent, RecordedEvent } from "@reckon/client/Event"
import type { Append } from "@reckon/client/StoreRpcs"
import * as fc from "fast-check"
import type { Command } from "../../src/Command.js"
import type { Direction, Entry, Service } from "../../src/StoreEngine.js"

/** The `n`th event id. */
export const id = (n: number): string => `00000000-0000-4000-8000-${n.toString(16).padStart(12, "0")}`

export const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text))

export const event = (n: number, fields: Partial<NewEvent> = {}): NewEvent => ({
  eventId: id(n),
  eventType: "thing-happened",
  data: bytes(`{"n":${n}}`),
  dataContentType: "application/json",
  metadata: null,
  metadataContentType: "application/json",
  tags: [],
  ...fields
})

export const append = (
  streamId: string,
  expectedVersion: Append["expectedVersion"],
  ...events: ReadonlyArray<NewEvent>
): Append => ({ streamId, expectedVersion, events })

export const command = (at: number, ...appends: ReadonlyArray<Append>): Command => ({ at, appends })

/** Entries from `index` on, all of term 1. */
export const entries = (index: number, commands: ReadonlyArray<Command | null>): ReadonlyArray<Entry> =>
  commands.map((command, at) => ({ index: index + at, term: 1, command }))

/** Applies one command as the next entry and returns its answers. */
export const applyNext = (engine: Service, ...appends: ReadonlyArray<Append>) => {
  const [reply] = engine.apply(entries(engine.appliedIndex() + 1, [command(1_000, ...appends)]))
  if (reply === null || reply === undefined) throw new Error("a command was not answered")
  return reply
}

export const noLimit = Number.MAX_SAFE_INTEGER

export const read = (engine: Service, streamId: string, from = 0, count = 1000, direction: Direction = "forward") =>
  engine.readStream({ streamId, from, count, direction, bytesMax: noLimit })

export const readAll = (engine: Service, from = 0, count = 1000, direction: Direction = "forward") =>
  engine.readAll({ from, count, direction, bytesMax: noLimit })

export const versions = (page: { readonly events: ReadonlyArray<RecordedEvent> } | null) =>
  page?.events.map(event => event.version)

// -----------------------------------------------------------------------------
// arbitraries
// -----------------------------------------------------------------------------

/** Text with everything in it that UTF-8 can carry: NUL, astral characters, composed and not. */
export const textArbitrary = fc.oneof(
  fc.fullUnicodeString({ minLength: 1, maxLength: 20 }),
  fc.constantFrom("é", "e\u0301", "注文-1", "🧾", "a\u0000b", "A", "a", " ")
)

const payloadArbitrary = fc.uint8Array({ maxLength: 40 })

const contentTypeArbitrary = fc.constantFrom("application/json", "application/octet-stream", "x")

export const eventArbitrary = (ids: fc.Arbitrary<string>): fc.Arbitrary<NewEvent> =>
  fc.record({
    eventId: ids,
    eventType: textArbitrary,
    data: payloadArbitrary,
    dataContentType: contentTypeArbitrary,
    metadata: fc.option(payloadArbitrary, { nil: null }),
    metadataContentType: contentTypeArbitrary,
    tags: fc.array(textArbitrary, { maxLength: 3 })
  })

export const commandArbitrary = (options: {
  readonly streams: fc.Arbitrary<string>
  readonly events: fc.Arbitrary<NewEvent>
}): fc.Arbitrary<Command> =>
  fc.record({
    at: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
    appends: fc.array(
      fc.record({
        streamId: options.streams,
        expectedVersion: fc.oneof(
          fc.constantFrom("any" as const, "no_stream" as const, "stream_exists" as const),
          fc.nat({ max: 6 })
        ),
        events: fc.array(options.events, { maxLength: 4 })
      }),
      { maxLength: 4 }
    )
  })
