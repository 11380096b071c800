import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Database } from "@reckon/raft/Sqlite"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import * as WholeCheck from "../src/internal/processes/wholeCheck.js"
import * as SqliteStoreEngine from "../src/SqliteStoreEngine.js"
import { logFrom } from "./helpers/crash.js"
import {
  append,
  applyNext,
  bytes,
  commandArbitrary,
  entries,
  event,
  eventArbitrary,
  id,
  textArbitrary
} from "./helpers/events.js"
import { folder } from "./helpers/processes.js"

describe("a store's file, looked through", () => {
  it.scopedLive("is whole after any history", () =>
    Effect.gen(function* () {
      const place = yield* folder
      const streams = fc.oneof(fc.constantFrom("a", "b", "c"), textArbitrary)
      const events = eventArbitrary(fc.nat({ max: 60 }).map(id))
      const histories = fc.array(commandArbitrary({ streams, events }), { maxLength: 40, size: "max" })
      const samples = fc.sample(histories, { seed: 42, numRuns: 60 })
      yield* Effect.forEach(samples, (commands, n) =>
        Effect.scoped(
          Effect.gen(function* () {
            const filename = path.join(place, `${n}`)
            const engine = yield* SqliteStoreEngine.make({ filename })
            engine.apply(entries(1, commands))
            engine.checkpoint()
            yield* WholeCheck.events(filename)
          })
        )
      )
    })
  )

  it.scopedLive.each([
    "DELETE FROM events WHERE position = 70",
    "DELETE FROM events WHERE position >= 1400",
    "UPDATE events SET version = version + 1000 WHERE position = 70",
    "UPDATE events SET event_id = zeroblob(16) WHERE position = 70",
    "UPDATE events SET stream = 1000 WHERE position = 70",
    "UPDATE events SET kind = 1000 WHERE position = 70",
    "UPDATE meta SET event_count = event_count - 1",
    "UPDATE meta SET last_position = last_position - 1",
    "UPDATE streams SET version = version - 1 WHERE id = 3",
    "UPDATE streams SET position = position - 1 WHERE id = 3",
    "DELETE FROM streams WHERE id = 3",
    "DELETE FROM versions_0 WHERE version < 50",
    "DELETE FROM event_ids_0 WHERE position < 20",
    "UPDATE versions_0 SET position = 70 WHERE position = 71",
    "DELETE FROM tagged_1",
    "UPDATE tagged_1 SET position = 100000",
    "DELETE FROM fields_1",
    "UPDATE fields_1 SET position = 100000"
  ])("is refused after %s", sql =>
    Effect.gen(function* () {
      const filename = path.join(yield* folder, "events.sqlite")
      yield* Effect.scoped(
        Effect.map(SqliteStoreEngine.make({ filename }), engine => {
          applyNext(engine, append("s", "any", event(1, { tags: ["x"], metadata: bytes('{"by":"me"}') })))
          engine.apply(logFrom(2, 400))
        })
      )
      yield* WholeCheck.events(filename)
      const db = new Database(filename)
      const { changes } = db.prepare(sql).run()
      db.close()
      assert.isAbove(changes, 0)
      const { detail } = yield* Effect.flip(WholeCheck.events(filename))
      assert.include(detail, "it does not hold that")
    })
  )
})
