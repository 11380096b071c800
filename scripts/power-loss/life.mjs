/**
 * `node life.mjs FOLDER APPENDS CUTS`: a life of an embedded store whose data lie in the folder. It goes on where the one before ended: first it tells what it finds, then it writes,
 * and tells each write that was acknowledged, a line each in the file `told`:
 *
 *   event STREAM VERSION POSITION
 *   snapshot STREAM VERSION
 *
 * An event that was appended together with another names that one in its data.
 *
 * CUTS is `often` for a log that is cut, and a store that is made durable, many times; `seldom` for a WAL that grows long enough to be copied by a thread.
 */
import { openSync, writeSync } from "node:fs"
import { join } from "node:path"
import process from "node:process"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import * as Event from "../../packages/client/dist/Event.js"
import * as Snapshot from "../../packages/client/dist/Snapshot.js"
import * as EventStore from "../../packages/db/dist/EventStore.js"

const [folder, appends, cuts] = process.argv.slice(2)
const settings =
  cuts === "often"
    ? { persistenceInterval: 700, log: { entriesMax: 100, bytesMax: "1MiB", tailEntries: 10, tailBytes: "16KiB" } }
    : {}
/** Larger events fill the WAL sooner. */
const padMax = cuts === "often" ? 900 : 16_000
const writers = 24
const streamsEach = 250

const told = openSync(join(folder, "told"), "a")
const tell = (...words) => writeSync(told, `${words.join(" ")}\n`)

const makeEvent = (stream, version, together = null) =>
  Effect.gen(function* () {
    const isLarge = (yield* Random.next) < 0.01
    const pad = "x".repeat(yield* Random.nextIntBetween(0, isLarge ? 40_000 : padMax))
    return yield* Event.json({
      type: `T${version % 7}`,
      data: { stream, version, together, pad },
      metadata: { n: version % 100 },
      tags: [`tag-${version % 50}`, stream]
    })
  })

const program = Effect.gen(function* () {
  const store = yield* EventStore.EventStore
  const versions = new Map()
  yield* Stream.runForEach(store.readAllStream(), ({ position, streamId, version }) =>
    Effect.sync(() => {
      versions.set(streamId, version)
      tell("event", streamId, version, position)
    })
  )
  let left = Number(appends)

  const next = stream => (versions.get(stream) ?? -1) + 1

  const appendOne = stream =>
    Effect.gen(function* () {
      const version = next(stream)
      const { position } = yield* store.append(stream, version - 1 < 0 ? "no_stream" : version - 1, [
        yield* makeEvent(stream, version)
      ])
      versions.set(stream, version)
      tell("event", stream, version, position)
    })

  const appendTwo = (one, other) =>
    Effect.gen(function* () {
      const appendTo = (stream, together) =>
        Effect.map(makeEvent(stream, next(stream), [together, next(together)]), event => ({
          streamId: stream,
          expectedVersion: "any",
          events: [event]
        }))
      const done = yield* store.appendBatch([yield* appendTo(one, other), yield* appendTo(other, one)])
      for (const { position, streamId, version } of done) {
        versions.set(streamId, version)
        tell("event", streamId, version, position)
      }
    })

  const snapshot = stream =>
    Effect.gen(function* () {
      const version = next(stream) - 1
      if (version < 0) return
      yield* store.saveSnapshot(yield* Snapshot.json({ streamId: stream, version, data: { version } }))
      tell("snapshot", stream, version)
    })

  const writer = number =>
    Effect.gen(function* () {
      const stream = Effect.map(Random.nextIntBetween(0, streamsEach), at => `${number}-${at}`)
      while (left-- > 0) {
        const chance = yield* Random.next
        const [one, other] = [yield* stream, yield* stream]
        if (chance < 0.05) yield* snapshot(one)
        else if (chance < 0.15 && one !== other) yield* appendTwo(one, other)
        else yield* appendOne(one)
      }
    })

  yield* Effect.forEach(
    Array.from({ length: writers }, (_, number) => number),
    writer,
    { concurrency: "unbounded" }
  )
})

await Effect.runPromise(Effect.provide(program, EventStore.layer({ dataDir: join(folder, "data"), ...settings })))
