/**
 * The clients: each does one thing after the other, and writes down what it asked before it asks and what it was told before it goes on.
 */
import * as Client from "@reckon/client/Client"
import type { InvalidRequest, StoreError } from "@reckon/client/StoreError"
import type { EventPage } from "@reckon/client/StoreRpcs"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Random from "effect/Random"
import type { Answer, Append, Journal, Operation } from "../../TortureHistory.js"
import * as Payload from "./payload.js"

/** A batch that can be appended again. */
interface Batch {
  readonly stream: string
  readonly expected: Append["expected"]
  readonly keys: ReadonlyArray<Payload.EventKey>
}

/** A stream that is in use, and what any client knows of its version. */
interface Slot {
  stream: string
  operations: number
  version: number
}

/** What the clients share. */
export interface Board {
  readonly slots: ReadonlyArray<Slot>
  nextStream: number
  /** Beyond the last position that anybody was told of. */
  end: number
  /** Calls so far, for the progress. */
  calls: number
  acknowledged: number
}

/**
 * Streams in use at one time, and the operations after which one is done with: short histories, which several clients share, are checked in
 * seconds and still meet each other in every fault.
 */
const slotCount = 4
const operationsPerStream = 350
const batchesKept = 24
const pageEventsMax = 10

const makeSlot = (at: number): Slot => ({ stream: `t-${at}`, operations: 0, version: -1 })

export const makeBoard = (): Board => ({
  slots: Array.from({ length: slotCount }, (_, at) => makeSlot(at)),
  nextStream: slotCount,
  end: 0,
  calls: 0,
  acknowledged: 0
})

const isUnsettled = (ended: Either.Either<Answer, { readonly _tag: string }> | undefined) =>
  ended !== undefined && Either.isLeft(ended) && ended.left._tag === "OutcomeUnknown"

/** Mostly small, some of some kilobytes, a few large: 10 B to 100 KB. */
const size = Effect.flatMap(Random.next, dice =>
  dice < 0.8
    ? Random.nextIntBetween(10, 500)
    : dice < 0.98
      ? Random.nextIntBetween(500, 8_000)
      : Random.nextIntBetween(8_000, 100_001)
)

/** Mostly what should hold: anything, or the version that was last heard of. */
const expectation = (slot: Slot): Effect.Effect<Append["expected"]> =>
  Effect.gen(function* () {
    const dice = yield* Random.next
    if (dice < 0.35) return "any"
    if (dice < 0.85) return slot.version < 0 ? "no_stream" : slot.version
    if (dice < 0.9) return "no_stream"
    if (dice < 0.95) return "stream_exists"
    return Math.max(0, slot.version + (yield* Random.nextIntBetween(-1, 3)))
  })

const ask = (
  client: Client.Service,
  operation: Operation,
  keys: ReadonlyArray<Payload.EventKey>
): Effect.Effect<Answer, StoreError> => {
  switch (operation._tag) {
    case "Append":
      return Effect.map(
        client.append(operation.stream, operation.expected, keys.map(Payload.newEvent)),
        ({ position, version }): Answer => ({ _tag: "Appended", version, position })
      ).pipe(
        Effect.catchTag("WrongExpectedVersion", ({ actual }) =>
          Effect.succeed<Answer>({ _tag: "WrongExpectedVersion", actual })
        ),
        Effect.catchTag("EventIdConflict", ({ eventId, version }) =>
          Effect.succeed<Answer>({ _tag: "EventIdConflict", eventId, version })
        )
      )
    case "Read":
      return Effect.map(
        client.read(operation.stream, operation),
        ({ events, isEnd }: EventPage): Answer => ({
          _tag: "Events",
          events: events.map(event => ({
            id: event.eventId,
            content: Payload.contentOf(event),
            version: event.version
          })),
          isEnd
        })
      ).pipe(Effect.catchTag("StreamNotFound", () => Effect.succeed<Answer>({ _tag: "StreamNotFound" })))
    case "Version":
      return Effect.map(client.getVersion(operation.stream), (version): Answer => ({ _tag: "Version", version }))
    case "ReadAll":
      return Effect.map(
        client.readAll(operation),
        ({ events, isEnd }): Answer => ({ _tag: "AllEvents", events: events.map(Payload.placed), isEnd })
      )
  }
}

export interface Options {
  readonly at: number
  readonly seed: number
  readonly endpoints: ReadonlyArray<string>
  readonly journal: Journal
  readonly board: Board
  /** When to end, in milliseconds on `Clock`. It ends between two operations. */
  readonly untilMillis: number
  readonly pauseMillisMax: number
}

/** How an operation is done: written down before and after. */
const performer =
  (client: Client.Service, name: string, { board, journal }: Options) =>
  (operation: Operation, keys: ReadonlyArray<Payload.EventKey> = []) =>
    Effect.gen(function* () {
      const id = yield* journal.nextId
      board.calls++
      yield* journal.write({ _tag: "Call", id, client: name, operation })
      const ended = yield* Effect.either(ask(client, operation, keys))
      if (Either.isRight(ended)) {
        yield* journal.write({ _tag: "Return", id, answer: ended.right })
        return ended
      }
      const error = `${ended.left._tag}: ${ended.left.message}`
      yield* journal.write({ _tag: ended.left._tag === "OutcomeUnknown" ? "Unknown" : "Fail", id, error })
      return ended
    })

/** A slot, by chance. Streams that have been used enough are done with. */
const takeSlot = (board: Board) =>
  Effect.map(Random.nextIntBetween(0, slotCount), at => {
    const slot = board.slots[at] ?? makeSlot(at)
    if (++slot.operations > operationsPerStream) Object.assign(slot, makeSlot(board.nextStream++))
    return slot
  })

const reading = (slot: Slot, back: number, count: number): Operation => ({
  _tag: "Read",
  stream: slot.stream,
  from: Math.max(0, slot.version - back),
  count
})

/**
 * A client that only reads, and asks node number `at` and no other, however long that is silent. So a leader that was held always finds a question when it wakes
 * up, before it has heard that it leads no more: were its answer stale, this one would see it.
 */
export const stick = (options: Options): Effect.Effect<void, InvalidRequest> =>
  Effect.gen(function* () {
    const { at, board, endpoints } = options
    const client = yield* Client.make({
      endpoints: endpoints.slice(at, at + 1),
      timeout: "9 seconds",
      attemptTimeout: "8 seconds"
    })
    const perform = performer(client, `r${at}`, options)
    while ((yield* Clock.currentTimeMillis) < options.untilMillis) {
      const slot = yield* takeSlot(board)
      yield* perform(
        (yield* Random.nextBoolean) ? { _tag: "Version", stream: slot.stream } : reading(slot, 1, pageEventsMax)
      )
      yield* Effect.sleep(yield* Random.nextIntBetween(0, options.pauseMillisMax * 3 + 1))
    }
  }).pipe(Effect.withRandom(Random.make(`${options.seed} reader ${options.at}`)), Effect.scoped)

/** A client that reads and writes, at the node that serves it. */
export const roam = (options: Options): Effect.Effect<void, InvalidRequest> =>
  Effect.gen(function* () {
    const { at, board, endpoints } = options
    // Each client likes another node best, so that requests come in at leaders and followers.
    const preferred = [...endpoints.slice(at % endpoints.length), ...endpoints.slice(0, at % endpoints.length)]
    const client = yield* Client.make({ endpoints: preferred, timeout: "4 seconds", attemptTimeout: "1500 millis" })
    const batches: Array<Batch> = []
    let serial = 0

    const perform = performer(client, `c${at}`, options)

    const learn = (stream: string, answer: Answer) => {
      const slot = board.slots.find(one => one.stream === stream)
      if (answer._tag === "Appended") {
        board.acknowledged++
        board.end = Math.max(board.end, answer.position + 1)
        if (slot !== undefined) slot.version = Math.max(slot.version, answer.version)
      } else if (answer._tag === "WrongExpectedVersion" && slot !== undefined) {
        slot.version = Math.max(slot.version, answer.actual)
      }
    }

    const append = (batch: Batch) =>
      Effect.gen(function* () {
        const events = batch.keys.map(key => ({ id: key.id, content: Payload.contentOf(Payload.newEvent(key)) }))
        const ended = yield* perform({ _tag: "Append", ...batch, events }, batch.keys)
        if (Either.isRight(ended)) learn(batch.stream, ended.right)
        return ended
      })

    const newBatch = (slot: Slot) =>
      Effect.gen(function* () {
        const expected = yield* expectation(slot)
        const sizes = yield* Effect.replicateEffect(size, yield* Random.nextIntBetween(1, 6))
        const keys = sizes.map(bytes => ({ id: Payload.eventId(at, serial++), bytes }))
        return { stream: slot.stream, expected, keys }
      })

    /** Appends, and where that ends without a word asks again with the same ids, or lets the matter rest. */
    const appendNew = (slot: Slot) =>
      Effect.gen(function* () {
        const batch = yield* newBatch(slot)
        batches.push(batch)
        if (batches.length > batchesKept) batches.shift()
        for (let repeats = 0; isUnsettled(yield* append(batch)) && repeats < 3; repeats++) {
          if ((yield* Random.next) < 0.4) return
        }
      })

    while ((yield* Clock.currentTimeMillis) < options.untilMillis) {
      const slot = yield* takeSlot(board)
      const again = batches[yield* Random.nextIntBetween(0, batchesKept)]
      const dice = yield* Random.next
      const count = yield* Random.nextIntBetween(1, pageEventsMax + 1)
      const back = yield* Random.nextIntBetween(0, pageEventsMax)
      if (dice < 0.5) yield* appendNew(slot)
      else if (dice < 0.78) yield* perform(reading(slot, back, count))
      else if (dice < 0.9) yield* perform({ _tag: "Version", stream: slot.stream })
      else if (dice < 0.95 || again === undefined) {
        yield* perform({ _tag: "ReadAll", from: Math.max(0, board.end - back), count })
      } else yield* append(again)
      yield* Effect.sleep(yield* Random.nextIntBetween(0, options.pauseMillisMax + 1))
    }
  }).pipe(Effect.withRandom(Random.make(`${options.seed} client ${options.at}`)), Effect.scoped)
