import { assert, describe, it } from "@effect/vitest"
import * as RaftError from "@reckon/raft/RaftError"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { failed, provided, settle } from "./helpers/processes.js"
import { first, ids, idsOf, makeReaders } from "./helpers/readers.js"

describe("linearizable reads", () => {
  it.effect("wait for the barrier, and no reader waits with them", () =>
    Effect.gen(function* () {
      const confirmed = yield* Deferred.make<void>()
      const { engine, handle, pool, reader, write } = yield* makeReaders({
        size: 1,
        readBarrier: Deferred.await(confirmed)
      })
      yield* handle.provide(engine)
      const fresh = yield* Effect.fork(reader.readAll({ ...first, consistency: "linearizable" }))
      yield* settle
      assert.deepStrictEqual((yield* reader.readAll(first)).events, [])
      assert.strictEqual((yield* pool.stats).inFlight, 0)
      yield* write("a", 1)
      yield* Deferred.succeed(confirmed, undefined)
      assert.deepStrictEqual(ids((yield* Fiber.join(fresh)).events), idsOf(1))
    }).pipe(provided, Effect.scoped)
  )

  it.effect("see all that was applied, though some of it is taken back before they look", () =>
    Effect.gen(function* () {
      let setbacks = 0
      /** What happens between the barrier and the read. */
      let meanwhile: Effect.Effect<unknown> = Effect.void
      const { engine, handle, reader, write } = yield* makeReaders({
        readBarrier: Effect.suspend(() => {
          const happens = meanwhile
          meanwhile = Effect.void
          return happens
        })
      })
      yield* write("a", 1)
      const linearizable = { ...first, consistency: "linearizable" } as const
      const nothing = { events: [], isEnd: true, next: 0 }
      let isBack = true
      const falling = {
        ...engine,
        setbacks: () => setbacks,
        readAll: (options: Parameters<typeof engine.readAll>[0]) => {
          if (isBack) return engine.readAll(options)
          isBack = true
          return nothing
        }
      }
      yield* handle.provide(falling)
      meanwhile = Effect.sync(() => {
        setbacks++
        isBack = false
      })
      assert.deepStrictEqual(ids((yield* reader.readAll(linearizable)).events), idsOf(1))

      // The store's process ends, and its next life opens the file where it stands.
      yield* handle.provide({ ...engine, readAll: engine.readAll })
      const scope = yield* Effect.scope
      meanwhile = Effect.suspend(() => {
        isBack = false
        return Effect.provideService(handle.provide({ ...falling }), Scope.Scope, scope)
      })
      assert.deepStrictEqual(ids((yield* reader.readAll(linearizable)).events), idsOf(1))
    }).pipe(provided, Effect.scoped)
  )

  it.effect("are given up where this node falls back again and again", () =>
    Effect.gen(function* () {
      let setbacks = 0
      const { engine, handle, reader } = yield* makeReaders({ readBarrier: Effect.sync(() => void setbacks++) })
      yield* handle.provide({ ...engine, setbacks: () => setbacks })
      const error = yield* Effect.flip(reader.readAll({ ...first, consistency: "linearizable" }))
      assert.deepInclude(error, { _tag: "NoQuorum", retryable: true })
      assert.strictEqual(setbacks, 5)
    }).pipe(provided, Effect.scoped)
  )

  it.effect("fail where no majority confirms the leader; local ones do not ask", () =>
    Effect.gen(function* () {
      const { engine, handle, reader } = yield* makeReaders({ readBarrier: Effect.fail(new RaftError.ReadTimeout()) })
      yield* handle.provide(engine)
      const linearizable = { ...first, consistency: "linearizable" } as const
      assert.deepStrictEqual(yield* failed(reader.readAll(linearizable)), ["NoQuorum", true])
      assert.deepStrictEqual((yield* reader.readAll(first)).events, [])
    }).pipe(provided, Effect.scoped)
  )
})
