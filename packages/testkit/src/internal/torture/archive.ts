/**
 * Writes down all that a node holds.
 */
import * as Client from "@reckon/client/Client"
import type { ReadFailure } from "@reckon/client/EventStore"
import type { InvalidRequest } from "@reckon/client/StoreError"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Journal } from "../../TortureHistory.js"
import { stored } from "./payload.js"

const eventsPerLine = 500

/** Every event of the store, as the node at this endpoint has it. */
export const node = (
  endpoint: string,
  name: string,
  journal: Journal
): Effect.Effect<void, InvalidRequest | ReadFailure> =>
  Effect.gen(function* () {
    const client = yield* Client.make({ endpoints: [endpoint], timeout: "30 seconds" })
    // Written when all of it was read: half of what a node holds would look like a loss.
    const pages = yield* client
      .readAllStream()
      .pipe(Stream.map(stored), Stream.grouped(eventsPerLine), Stream.runCollect)
    yield* Effect.forEach(pages, events => journal.write({ _tag: "Holds", node: name, events: [...events] }), {
      discard: true
    })
    // A node that holds nothing is none that was not read.
    if (Chunk.isEmpty(pages)) yield* journal.write({ _tag: "Holds", node: name, events: [] })
  }).pipe(Effect.scoped)
