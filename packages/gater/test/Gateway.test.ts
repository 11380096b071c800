import { assert, describe, it } from "@effect/vitest"
import * as Event from "@reckon/client/Event"
import * as EventStore from "@reckon/client/EventStore"
import type { Limits } from "@reckon/client/Limits"
import * as Query from "@reckon/client/Query"
import * as Snapshot from "@reckon/client/Snapshot"
import { type RequestError, StreamDeleted } from "@reckon/client/StoreError"
import type { Append } from "@reckon/client/StoreRpcs"
import * as StreamMetadata from "@reckon/client/StreamMetadata"
import * as Gateway from "@reckon/gater/Gateway"
import * as GatewayWorker from "@reckon/gater/GatewayWorker"
import type { StoreBackend } from "@reckon/gater/StoreBackend"
import * as WorkerRegistry from "@reckon/gater/WorkerRegistry"
import * as Process from "@reckon/otp/Process"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import * as Backend from "./helpers/backend.js"

const provided = Effect.provide(
  Layer.mergeAll(Process.layer, WorkerRegistry.layer, Logger.minimumLogLevel(LogLevel.None))
)

const limits: Limits = { eventBytesMax: 200, requestBytesMax: 1000 }

const processName = "gateway_worker_default"

/** The handlers in front of one worker of the store `default`. */
const gateway = (backend: StoreBackend) =>
  Effect.gen(function* () {
    const registry = yield* WorkerRegistry.WorkerRegistry
    yield* registry.announce("default")
    yield* GatewayWorker.startLink({ store: "default", processName, backend })
    return yield* Gateway.make(limits)
  })

const killWorker = Effect.gen(function* () {
  const pid = Option.getOrThrow(yield* Process.whereis(processName))
  yield* Process.exit(pid, { _tag: "Killed" })
  yield* Process.awaitExit(pid)
})

const append = (streamId: string, bytes: number, tags: ReadonlyArray<string> = []) =>
  Effect.map(
    Event.json({ type: "E", data: "x".repeat(bytes), tags }),
    (event): Append => ({ streamId, expectedVersion: "any", events: [event] })
  )

const store = "default"
const read = { store, consistency: "linearizable" } as const
const page = { ...read, from: 0, count: 1, direction: "forward" } as const
const stream = { ...read, streamId: "s" }

/** One request of each kind, by the name of what the store does with it. */
const requests = (handlers: EventStore.Requests) =>
  Effect.map(
    Snapshot.json({ streamId: "s", version: 0, data: {} }),
    (
      snapshot
    ): Readonly<Record<Exclude<keyof StoreBackend, "subscribe" | "status">, Effect.Effect<unknown, Error>>> => ({
      append: handlers.Append({ store, appends: [] }),
      appendBatch: handlers.AppendBatch({ store, appends: [], condition: null }),
      deleteStream: handlers.DeleteStream({ store, streamId: "s", expectedVersion: "any", tombstone: false }),
      setStreamMetadata: handlers.SetStreamMetadata({ store, streamId: "s", metadata: StreamMetadata.unlimited }),
      saveSnapshot: handlers.SaveSnapshot({ store, snapshot, keep: null }),
      deleteSnapshots: handlers.DeleteSnapshots({ store, streamId: "s", version: null }),
      read: handlers.Read({ ...page, streamId: "s" }),
      readAll: handlers.ReadAll({ ...page, asOf: null }),
      query: handlers.Query({ ...page, asOf: null, query: Query.all }),
      versionAt: handlers.VersionAt({ ...stream, epochUs: 0 }),
      positionAt: handlers.PositionAt({ ...read, epochUs: 0 }),
      getVersion: handlers.GetVersion(stream),
      streamDetails: handlers.StreamDetails(stream),
      hasEvents: handlers.HasEvents(read),
      listStreams: handlers.ListStreams({ ...read, pattern: null, after: null, count: 1 }),
      loadSnapshot: handlers.LoadSnapshot({ ...stream, version: null }),
      listSnapshots: handlers.ListSnapshots({ ...stream, from: 0, count: 1 })
    })
  )

const writes = ["append", "appendBatch", "deleteStream", "setStreamMetadata", "saveSnapshot", "deleteSnapshots"]

const failure = <A, E extends { readonly _tag: string }, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.flip(effect), ({ _tag }) => _tag)

describe("a request", () => {
  it.scoped("is carried out by what the store has for it, and its error comes back unchanged", () =>
    Effect.gen(function* () {
      const handlers = yield* gateway(Backend.make())
      for (const [method, request] of Object.entries(yield* requests(handlers))) {
        const error = yield* Effect.flip(request)
        assert.deepStrictEqual([error.name, error.message], ["InvalidRequest", method])
      }
      assert.deepInclude(yield* handlers.Status({ store }), { node: "node-1", store })
    }).pipe(provided)
  )

  it.scoped("for a store that is not here, or that has no worker now, is told so", () =>
    Effect.gen(function* () {
      const handlers = yield* gateway(Backend.make())
      assert.strictEqual(yield* failure(handlers.GetVersion({ ...stream, store: "other" })), "StoreNotFound")
      yield* killWorker
      assert.strictEqual(yield* failure(handlers.GetVersion(stream)), "NoQuorum")
      assert.strictEqual(
        yield* failure(handlers.DeleteStream({ store, streamId: "s", expectedVersion: "any", tombstone: false })),
        "NoQuorum"
      )
    }).pipe(provided)
  )

  it.scoped("does not hold up the ones behind it", () =>
    Effect.gen(function* () {
      const handlers = yield* gateway({ ...Backend.make(), readAll: () => Effect.never })
      yield* Effect.fork(handlers.ReadAll({ ...page, asOf: null }))
      yield* Effect.yieldNow()
      assert.strictEqual(yield* failure(handlers.GetVersion(stream)), "InvalidRequest")
    }).pipe(provided)
  )

  it.scoped("is waited for as long as it takes, and turned away where the worker's mailbox is full", () =>
    Effect.gen(function* () {
      const kernel = yield* Process.ProcessTable
      const handlers = yield* gateway({ ...Backend.make(), readAll: () => Effect.never })
      const waiting = yield* Effect.fork(Effect.either(handlers.ReadAll({ ...page, asOf: null })))
      yield* TestClock.adjust("1 hour")
      assert.strictEqual((yield* Fiber.poll(waiting))._tag, "None")
      const pid = Option.getOrThrow(yield* Process.whereis(processName))
      const mailbox = kernel.lookup(pid)?.mailbox
      if (mailbox !== undefined) mailbox.capacity = 0
      assert.strictEqual(yield* failure(handlers.GetVersion(stream)), "Overloaded")
    }).pipe(provided)
  )

  it.scoped("whose worker dies may have been carried out if it writes, and surely had no effect if it reads", () =>
    Effect.gen(function* () {
      const outcomes: Array<readonly [string, string]> = []
      for (const method of Object.keys(yield* requests(yield* Gateway.make(limits)))) {
        const begun = yield* Deferred.make<void>()
        yield* Effect.scoped(
          Effect.gen(function* () {
            const handlers = yield* gateway(
              Backend.make(() => Effect.zipRight(Deferred.succeed(begun, undefined), Effect.never))
            )
            const request = Object.entries(yield* requests(handlers)).find(([name]) => name === method)?.[1]
            const fiber = yield* Effect.fork(Effect.flip(request ?? Effect.void))
            yield* Deferred.await(begun)
            yield* killWorker
            outcomes.push([method, (yield* Fiber.join(fiber)).name])
          })
        )
      }
      assert.strictEqual(outcomes.length, 17)
      for (const [method, outcome] of outcomes) {
        assert.strictEqual(outcome, writes.includes(method) ? "OutcomeUnknown" : "NoQuorum", method)
      }
    }).pipe(provided)
  )
})

/** Lets others have their turn until it is so. */
const until = (isSo: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => (isSo() ? Effect.void : Effect.zipRight(Effect.yieldNow(), until(isSo))))

describe("what a worker has in hand", () => {
  it.scoped("is 4,096 requests: one more is turned away before the store sees it, and taken when they are done", () =>
    Effect.gen(function* () {
      const done = yield* Deferred.make<number>()
      let seen = 0
      const positionAt = () =>
        Effect.zipRight(
          Effect.sync(() => void seen++),
          Deferred.await(done)
        )
      const handlers = yield* gateway({ ...Backend.make(), positionAt })
      const ask = handlers.PositionAt({ ...read, epochUs: 0 })
      const asking: Array<Fiber.Fiber<number, unknown>> = []
      while (asking.length < 4_096) {
        asking.push(yield* Effect.fork(ask))
        // A few at a time: its mailbox is not what is to be full.
        if (asking.length % 64 === 0) yield* until(() => seen === asking.length)
      }
      assert.strictEqual(yield* failure(ask), "Overloaded")
      assert.strictEqual(seen, 4_096)
      yield* Deferred.succeed(done, 7)
      assert.strictEqual((yield* Effect.forEach(asking, Fiber.join)).length, 4_096)
      assert.strictEqual(yield* ask, 7)
    }).pipe(provided)
  )

  it.scoped("is 1,024 subscriptions: one more is turned away, and taken when one of them has ended", () =>
    Effect.gen(function* () {
      let open = 0
      const subscribe: StoreBackend["subscribe"] = () =>
        Stream.unwrapScoped(
          Effect.as(
            Effect.acquireRelease(
              Effect.sync(() => void open++),
              () => Effect.sync(() => void open--)
            ),
            Stream.never
          )
        )
      const handlers = yield* gateway({ ...Backend.make(), subscribe })
      const follow = Stream.runDrain(handlers.Subscribe({ store, streamId: null, from: "origin" }))
      const [first, ...others] = yield* Effect.replicateEffect(Effect.fork(follow), 1_024)
      yield* until(() => open === 1_024)
      assert.strictEqual(yield* failure(follow), "Overloaded")
      yield* Fiber.interrupt(first ?? Fiber.void)
      yield* Effect.fork(follow)
      yield* until(() => open === 1_024)
      assert.strictEqual(yield* failure(follow), "Overloaded")
      yield* Fiber.interruptAll(others)
    }).pipe(provided)
  )
})

describe("what the payload schemas do not bound", () => {
  it.scoped("is refused before a worker sees it", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const handlers = yield* gateway(Backend.make(method => Effect.sync(() => void seen.push(method))))
      const batch = (appends: ReadonlyArray<Append>) => handlers.AppendBatch({ store, appends, condition: null })
      const both = (appends: ReadonlyArray<Append>) =>
        Effect.all([failure(handlers.Append({ store, appends })), failure(batch(appends))])

      const large = yield* append("s", 300)
      assert.deepStrictEqual(yield* both([large]), ["EventTooLarge", "EventTooLarge"])
      const many = yield* Effect.forEach(["a", "b", "c", "d", "e", "f", "g"], name => append(name, 100))
      assert.deepStrictEqual(yield* both(many), ["RequestTooLarge", "RequestTooLarge"])
      const tagged = yield* append("s", 1, ["x", "x"])
      assert.deepStrictEqual(yield* both([tagged]), ["InvalidRequest", "InvalidRequest"])
      const twice = [yield* append("s", 1), yield* append("s", 1)]
      const refusal = yield* Effect.flip(batch(twice))
      assert.include(refusal.message, `"s" twice`)
      const snapshot = yield* Snapshot.json({ streamId: "s", version: 0, data: "x".repeat(1000) })
      assert.strictEqual(yield* failure(handlers.SaveSnapshot({ store, snapshot, keep: null })), "RequestTooLarge")
      assert.deepStrictEqual(seen, [])

      // Appends of one stream may well be several where each is on its own.
      yield* Effect.flip(handlers.Append({ store, appends: twice }))
      assert.deepStrictEqual(seen, ["append"])
    }).pipe(provided)
  )
})

describe("a subscription", () => {
  it.scoped("ends with `NoQuorum` when its worker does, so that the subscriber goes elsewhere", () =>
    Effect.gen(function* () {
      const handlers = yield* gateway(Backend.make())
      const feed = handlers.Subscribe({ store, streamId: null, from: "origin" })
      const fiber = yield* Effect.fork(Effect.flip(Stream.runDrain(feed)))
      yield* Effect.yieldNow()
      yield* killWorker
      assert.strictEqual((yield* Fiber.join(fiber))._tag, "NoQuorum")
      assert.strictEqual(yield* failure(Stream.runDrain(feed)), "NoQuorum")
    }).pipe(provided)
  )
})

describe("an embedded store", () => {
  it.scoped("is what the plain handlers make of it", () =>
    Effect.gen(function* () {
      const backend: StoreBackend = {
        ...Backend.make(),
        read: ({ streamId }) => Effect.fail(new StreamDeleted({ streamId })),
        getVersion: () => Effect.succeed(41)
      }
      const handlers = yield* gateway(backend)
      const embedded = yield* EventStore.make({ store, limits, requests: handlers, subscribe: handlers.Subscribe })
      assert.strictEqual(yield* embedded.getVersion("s"), 41)
      assert.deepStrictEqual(yield* Effect.flip(embedded.read("s")), new StreamDeleted({ streamId: "s" }))
      const error: RequestError | { readonly _tag: string } = yield* Effect.flip(embedded.append("s", "any", []))
      assert.deepInclude(error, { _tag: "InvalidRequest", message: "append" })
    }).pipe(provided)
  )
})
