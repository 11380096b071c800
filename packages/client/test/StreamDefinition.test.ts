import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Event from "../src/Event.js"
import * as EventMetadata from "../src/EventMetadata.js"
import { EventStore } from "../src/EventStore.js"
import * as EventType from "../src/EventType.js"
import * as ExpectedVersion from "../src/ExpectedVersion.js"
import * as StreamDefinition from "../src/StreamDefinition.js"
import { accounts, Deposited, Withdrawn } from "./helpers/accounts.js"
import { withStore } from "./helpers/memoryEventStore.js"

/** What is logged while the effect runs. */
const logged = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const messages: Array<string> = []
    const logger = Logger.make(({ message }) => messages.push(String(message)))
    return Effect.map(Effect.provide(effect, Logger.replace(Logger.defaultLogger, logger)), value => ({
      messages,
      value
    }))
  })

/** Account 1 with events that were written by others among its own. */
const withStrangers = Effect.gen(function* () {
  const store = yield* EventStore
  yield* accounts.append("1", ExpectedVersion.NoStream, [Deposited.make({ amount: 1 })])
  yield* store.append("account-1", ExpectedVersion.Any, [
    yield* Event.json({ type: "InterestPaid", data: { rate: 2 } }),
    yield* Event.json({ type: "Withdrawn", data: { amount: "all" } })
  ])
  yield* accounts.append("1", ExpectedVersion.exact(2), [Withdrawn.make({ amount: 1 })])
})

describe("appending", () => {
  it.effect(
    "writes the events of one stream under its name, as JSON, with tags and an id of their own",
    withStore(memory =>
      Effect.gen(function* () {
        const events = [Deposited.make({ amount: 5000 }), Withdrawn.make({ amount: 1 })]
        const appended = yield* accounts.append("1", ExpectedVersion.NoStream, events)
        assert.deepInclude(appended, { streamId: "account-1", version: 1, alreadyPresent: 0 })
        assert.deepStrictEqual(
          memory.all.map(({ eventType, metadata, tags }) => ({ eventType, metadata, tags })),
          [
            { eventType: "Deposited", metadata: null, tags: ["large"] },
            { eventType: "Withdrawn", metadata: null, tags: [] }
          ]
        )
        assert.isTrue(memory.all.every(event => Schema.is(Event.NewEvent)(event)))
        assert.notStrictEqual(memory.all[0]?.eventId, memory.all[1]?.eventId)
        const conflict = yield* Effect.flip(accounts.append("1", ExpectedVersion.NoStream, events))
        assert.strictEqual(conflict._tag, "WrongExpectedVersion")
      })
    )
  )

  it.effect(
    "sends nothing when one of the events cannot be encoded",
    withStore(memory =>
      Effect.gen(function* () {
        const events = [Deposited.make({ amount: 1 }), Withdrawn.make({ amount: 0.5 })]
        const error = yield* Effect.flip(accounts.append("1", ExpectedVersion.Any, events))
        assert.deepInclude(error, { _tag: "EventNotEncodable", eventType: "Withdrawn", path: "amount" })
        assert.deepStrictEqual(memory.requests, [])
      })
    )
  )

  it.effect(
    "sends nothing that could not be read back",
    withStore(memory =>
      Effect.gen(function* () {
        const OneWay = EventType.make(
          "OneWay",
          Schema.transform(Schema.NumberFromString, Schema.Positive, { decode: n => -n, encode: n => n })
        )
        const streams = StreamDefinition.make({ name: (id: string) => id, events: [OneWay] })
        const error = yield* Effect.flip(streams.append("1", ExpectedVersion.Any, [OneWay.make(2)]))
        assert.match(error.message, /"OneWay".*could not be read back/)
        assert.deepStrictEqual(memory.requests, [])
      })
    )
  )

  it.effect(
    "the same append with the same command id is the same append",
    withStore(memory =>
      Effect.gen(function* () {
        const append = (amount: number) =>
          accounts.append("1", ExpectedVersion.NoStream, [Deposited.make({ amount })], { commandId: "transfer-7" })
        const first = yield* append(1)
        assert.deepStrictEqual(yield* append(1), { ...first, alreadyPresent: 1 })
        assert.strictEqual((yield* Effect.flip(append(2)))._tag, "EventIdConflict")
        assert.strictEqual(memory.all.length, 1)
        const refused = yield* Effect.flip(
          accounts.append("1", ExpectedVersion.Any, [Deposited.make({ amount: 1 })], { commandId: "x".repeat(257) })
        )
        assert.deepInclude(refused, { _tag: "InvalidRequest" })
      })
    )
  )
})

describe("metadata", () => {
  it.effect(
    "what is said of an effect goes into the events appended within it, the inner word over the outer",
    withStore(memory =>
      Effect.gen(function* () {
        const append = accounts.append("1", ExpectedVersion.Any, [Deposited.make({ amount: 1 })])
        yield* append.pipe(
          EventMetadata.annotate({ actor_id: "ada", retries: 1 }),
          EventMetadata.annotate({ actor_id: "bob", correlation_id: "k" })
        )
        yield* append
        const [first, second] = memory.all
        assert.isDefined(first)
        assert.deepStrictEqual(yield* Event.decodeMetadata(first), { actor_id: "ada", retries: 1, correlation_id: "k" })
        assert.isNull(second?.metadata)
      })
    )
  )

  it.effect(
    "an event hands its correlation on to those it caused, or starts one",
    withStore(memory =>
      Effect.gen(function* () {
        const append = accounts.append("1", ExpectedVersion.Any, [Deposited.make({ amount: 1 })])
        yield* append
        const [first] = memory.all
        assert.isDefined(first)
        yield* EventMetadata.causedBy(first)(append)
        const second = memory.all[1]
        assert.isDefined(second)
        yield* EventMetadata.causedBy(second)(append)
        const metadata = memory.all.map(EventMetadata.fromEvent)
        assert.deepInclude(metadata[1], { causation_id: first.eventId, correlation_id: first.eventId })
        assert.deepInclude(metadata[2], { causation_id: second.eventId, correlation_id: first.eventId })
      })
    )
  )

  it.effect(
    "those of a command's events name it, and it is their cause where there is no other",
    withStore(memory =>
      Effect.gen(function* () {
        const append = (commandId: string) =>
          accounts.append("1", ExpectedVersion.Any, [Deposited.make({ amount: 1 })], { commandId })
        yield* append("c1")
        yield* append("c2").pipe(EventMetadata.annotate({ causation_id: "e", correlation_id: "k", actor_id: "ada" }))
        assert.deepStrictEqual(memory.all.map(EventMetadata.fromEvent), [
          { causation_id: "c1", correlation_id: "c1", command_id: "c1" },
          { causation_id: "e", correlation_id: "k", command_id: "c2", actor_id: "ada" }
        ])
      })
    )
  )

  it.effect(
    "metadata that JSON cannot hold are refused; those of others are read as far as they go",
    withStore(memory =>
      Effect.gen(function* () {
        const append = accounts.append("1", ExpectedVersion.Any, [Deposited.make({ amount: 1 })])
        const error = yield* Effect.flip(EventMetadata.annotate({ at: new Date(0) })(append))
        assert.match(error.message, /metadata cannot be encoded: at: an object of Date/)
        const store = yield* EventStore
        yield* store.append("s", ExpectedVersion.Any, [
          yield* Event.json({ type: "A", data: 1, metadata: { causation_id: 7, page: 2 } }),
          yield* Event.json({ type: "B", data: 1, metadata: [1] })
        ])
        const absent = { causation_id: undefined, correlation_id: undefined, command_id: undefined }
        assert.deepStrictEqual(memory.all.map(EventMetadata.fromEvent), [{ page: 2, ...absent }, absent])
      })
    )
  )
})

describe("reading", () => {
  it.effect(
    "reports what it cannot read, in its place",
    withStore(() =>
      Effect.gen(function* () {
        yield* withStrangers
        const readings = [...(yield* Stream.runCollect(accounts.read("1")))]
        assert.deepStrictEqual(
          readings.map(({ _tag, recorded }) => `${recorded.version} ${_tag}`),
          ["0 Decoded", "1 Unknown", "2 Undecodable", "3 Decoded"]
        )
        const page = yield* accounts.readPage("1", { from: 1, count: 2 })
        assert.deepStrictEqual(page, { readings: readings.slice(1, 3), isEnd: false, next: 3 })
      })
    )
  )

  it.effect(
    "ends at the first event it cannot read, where it is told to fail",
    withStore(() =>
      Effect.gen(function* () {
        yield* withStrangers
        const seen: Array<number> = []
        const error = yield* accounts.read("1").pipe(
          StreamDefinition.orFail,
          Stream.runForEach(({ recorded }) => Effect.sync(() => seen.push(recorded.version))),
          Effect.flip
        )
        assert.deepInclude(error, {
          _tag: "UnreadableEvent",
          streamId: "account-1",
          version: 1,
          eventType: "InterestPaid"
        })
        assert.deepStrictEqual(seen, [0])
      })
    )
  )

  it.effect(
    "passes over what it cannot read, where it is told to, and says so in the log",
    withStore(() =>
      Effect.gen(function* () {
        yield* withStrangers
        const { messages, value } = yield* logged(Stream.runCollect(StreamDefinition.orSkip(accounts.read("1"))))
        assert.deepStrictEqual(
          [...value].map(({ event }) => event),
          [Deposited.make({ amount: 1 }), Withdrawn.make({ amount: 1 })]
        )
        assert.strictEqual(messages.length, 2)
        assert.match(messages[0] ?? "", /version 1 of stream "account-1".*"InterestPaid"/)
        assert.match(messages[1] ?? "", /version 2 of stream "account-1".*amount: Expected number/)
      })
    )
  )

  it.effect(
    "a stream that is not there is an error, as in the store",
    withStore(() =>
      Effect.gen(function* () {
        assert.strictEqual((yield* Effect.flip(accounts.readPage("9")))._tag, "StreamNotFound")
      })
    )
  )
})
