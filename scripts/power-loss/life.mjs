/**
 * `node life.mjs FOLDER APPENDS CUTS [ENDPOINTS]`: a life of a store, embedded with its data in the folder, or that of the cluster at the endpoints. It goes on where the one before ended: first it
 * tells what it finds, then it writes, and tells each write that was acknowledged, a line each in the file `told`:
 *
 *   event STREAM VERSION POSITION
 *   snapshot STREAM VERSION
 *
 * An event that was appended together with another names that one in its data. CUTS is one of those in `hosts.mjs`.
 */
import { openSync, writeSync } from "node:fs"
import { join } from "node:path"
import process from "node:process"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as Event from "../../packages/client/dist/Event.js"
import * as Snapshot from "../../packages/client/dist/Snapshot.js"
import { storeIn, storeOf } from "./hosts.mjs"

const [folder, appends, cuts, endpoints] = process.argv.slice(2)
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

/** A write whose outcome is not known is made again: events have their ids, and a snapshot is the same. */
const surely = Effect.retry({ while: error => error.retryable, times: 50, schedule: Schedule.spaced("100 millis") })

const program = Effect.gen(function* () {
  const store = yield* endpoints === undefined ? storeIn(folder, cuts) : storeOf(endpoints.split(","))
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
      const { position } = yield* surely(
        store.append(stream, version === 0 ? "no_stream" : version - 1, [yield* makeEvent(stream, version)])
      )
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
      const done = yield* surely(store.appendBatch([yield* appendTo(one, other), yield* appendTo(other, one)]))
      for (const { position, streamId, version } of done) {
        versions.set(streamId, version)
        tell("event", streamId, version, position)
      }
    })

  const snapshot = stream =>
    Effect.gen(function* () {
      const version = next(stream) - 1
      if (version < 0) return
      yield* surely(store.saveSnapshot(yield* Snapshot.json({ streamId: stream, version, data: { version } })))
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

await Effect.runPromise(Effect.scoped(program))
