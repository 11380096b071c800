import { EventStore } from "@reckon/client/EventStore"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import type { Definition } from "./names.js"
import { equal, failsWith, seed, upTo, versions } from "./steps.js"

export const following: ReadonlyArray<Definition> = [
  {
    name: "a subscription goes from history to live without a gap",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const streamId = stream("a")
        yield* seed(streamId, 5)
        const caughtUp = yield* Deferred.make<void>()
        const follower = yield* store.subscribe({ streamId, from: "origin" }).pipe(
          Stream.tap(({ version }) => (version === 4 ? Deferred.succeed(caughtUp, undefined) : Effect.void)),
          Stream.take(12),
          Stream.runCollect,
          Effect.fork
        )
        yield* Deferred.await(caughtUp)
        yield* seed(streamId, 3)
        yield* seed(streamId, 4)
        yield* equal(versions([...(yield* Fiber.join(follower))]), upTo(11))
      }).pipe(Effect.scoped)
  },
  {
    name: "a subscription passes over what is hidden and goes on",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const streamId = stream("a")
        yield* seed(streamId, 5)
        yield* store.deleteStream(streamId)
        const follower = yield* store
          .subscribe({ streamId, from: "origin" })
          .pipe(Stream.take(2), Stream.runCollect, Effect.fork)
        yield* seed(streamId, 2)
        yield* equal(versions([...(yield* Fiber.join(follower))]), [5, 6])
      }).pipe(Effect.scoped)
  },
  {
    name: "a subscription to a stream that was deleted for good fails, from wherever it starts",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const streamId = stream("a")
        yield* seed(streamId, 3)
        yield* store.tombstoneStream(streamId)
        for (const from of ["origin", "current", 2, 7] as const) {
          yield* failsWith(Stream.runDrain(store.subscribe({ streamId, from })), { _tag: "StreamTombstoned", streamId })
        }
      })
  },
  {
    name: "a subscription that waits for events fails when its stream is deleted for good",
    test: ({ stream }) =>
      Effect.gen(function* () {
        const store = yield* EventStore
        const streamId = stream("a")
        yield* seed(streamId, 2)
        const caughtUp = yield* Deferred.make<void>()
        const seen: Array<number> = []
        const follower = yield* store.subscribe({ streamId, from: "origin" }).pipe(
          Stream.runForEach(({ version }) => {
            seen.push(version)
            return version === 2 ? Deferred.succeed(caughtUp, undefined) : Effect.void
          }),
          Effect.fork
        )
        yield* seed(streamId, 1)
        yield* Deferred.await(caughtUp)
        // Nothing is written any more that would wake it.
        yield* store.tombstoneStream(streamId)
        yield* failsWith(Fiber.join(follower), { _tag: "StreamTombstoned", streamId })
        yield* equal(seen, [0, 1, 2])
      }).pipe(Effect.scoped)
  }
]
