import * as v8 from "node:v8"
import * as vm from "node:vm"
import { assert, describe, it } from "@effect/vitest"
import { type EventStore, Limits, StoreError, type StoreRpcs } from "@reckon/client"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { batchingDefaults } from "../src/Client.js"
import * as AppendQueue from "../src/internal/appendQueue.js"
import * as Attempts from "../src/internal/attempts.js"
import { Lost } from "../src/internal/lost.js"
import * as Peers from "../src/internal/peers.js"
import * as Handlers from "./helpers/handlers.js"
import { MemoryStore } from "./helpers/memoryStore.js"

v8.setFlagsFromString("--expose-gc")
const collectGarbage: () => void = vm.runInNewContext("gc")

const turnOfTheEventLoop = Effect.async<void>(resume => {
  setImmediate(() => resume(Effect.void))
})

const eventBytes = 1_000

const append = (streamId: string, events = 1, tags: ReadonlyArray<string> = []): StoreRpcs.Append => ({
  streamId,
  expectedVersion: "any",
  events: Array.from({ length: events }, (_, nth) => ({
    eventId: `00000000-0000-4000-8000-${nth.toString(16).padStart(12, "0")}`,
    eventType: "happened",
    // With all that is counted beside it a little more than what is said above.
    data: new Uint8Array(events > 1 ? 0 : eventBytes),
    dataContentType: "application/octet-stream",
    metadata: null,
    metadataContentType: "application/json",
    tags
  }))
})

const answer = ({ events, streamId }: StoreRpcs.Append): Either.Either<StoreRpcs.Appended> =>
  Either.right({ streamId, version: events.length - 1, position: 0, alreadyPresent: 0 })

/** A queue in front of a node that answers append requests one after the other, each when it is let. */
const make = (options: {
  readonly batching?: Partial<typeof batchingDefaults>
  readonly limits?: Limits.Limits
  /** Instead of an answer. */
  readonly refusal?: StoreError.RequestError
  /** What becomes of each append; by default it is written. */
  readonly answer?: (append: StoreRpcs.Append) => Either.Either<StoreRpcs.Appended, StoreError.AppendError>
  /** An attempt that the node answers too late has its answer all the same. */
  readonly patient?: boolean
}) =>
  Effect.gen(function* () {
    /** The streams of each request, as it reached the node. */
    const requests: Array<ReadonlyArray<string>> = []
    const gates: Array<Deferred.Deferred<void>> = []
    const answered: EventStore.Requests["Append"] = ({ appends }) =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        requests.push(appends.map(({ streamId }) => streamId))
        gates.push(gate)
        yield* Deferred.await(gate)
        return options.refusal === undefined ? appends.map(options.answer ?? answer) : yield* options.refusal
      })
    const store = { ...Handlers.make(new MemoryStore(), Handlers.hooks()), Append: answered }
    const node = Peers.local(store, () => Effect.dieMessage("nobody subscribes"))
    const silent = new Lost({ endpoint: "n1", detail: "n1 gave no answer", sent: true, defect: false, silent: true })
    const peers: Peers.Peers = {
      ...node,
      ask: (index, call, timeoutMillis) => {
        const asked = node.ask(index, call, timeoutMillis)
        return options.patient === true
          ? asked
          : Effect.timeoutFail(asked, { duration: timeoutMillis, onTimeout: () => silent })
      }
    }
    const queue = yield* AppendQueue.make({
      attempts: Attempts.make({ peers, timeoutMillis: 1_000, attemptTimeoutMillis: 1_000 }),
      store: "default",
      limits: options.limits ?? Limits.defaults,
      batching: { ...batchingDefaults, ...options.batching }
    })
    return {
      requests,
      queue,
      /** Asks for the append, and lets it get as far as it can. */
      begin: (one: StoreRpcs.Append) =>
        Effect.zipLeft(Effect.fork(Effect.either(queue.append(one))), TestClock.adjust(0)),
      /** Lets the node answer the `nth` request. */
      letAnswer: (nth: number) =>
        Effect.zipRight(
          Effect.suspend(() => {
            const gate = gates[nth]
            return gate === undefined
              ? Effect.dieMessage(`there is no request ${nth}`)
              : Deferred.succeed(gate, undefined)
          }),
          TestClock.adjust(0)
        )
    }
  })

const tag = <A, E extends { readonly _tag: string }>(outcome: Either.Either<A, E>): string =>
  Either.match(outcome, { onLeft: error => error._tag, onRight: () => "appended" })

const outcomeOf = <A, E extends { readonly _tag: string }>(fiber: Fiber.RuntimeFiber<Either.Either<A, E>>) =>
  Effect.map(Fiber.join(fiber), tag)

describe("what a request takes of the appends that wait", () => {
  it.scoped("in the order in which they came, of whatever streams", () =>
    Effect.gen(function* () {
      const { letAnswer, queue, requests } = yield* make({})
      const streams = ["a", "b", "a", "c", "b", "b", "a"]
      yield* Effect.fork(queue.appendAll(streams.map(streamId => append(streamId))))
      yield* TestClock.adjust(0)
      yield* letAnswer(0)
      assert.deepStrictEqual(requests, [streams])
    })
  )

  it.scoped("no more events than the contract allows", () =>
    Effect.gen(function* () {
      const { begin, letAnswer, requests } = yield* make({ batching: { inFlightMax: 1 } })
      const first = yield* begin(append("first"))
      const half = Limits.eventsMax / 2 + 1
      const rest = [yield* begin(append("a", half)), yield* begin(append("b", half))]
      yield* letAnswer(0)
      yield* letAnswer(1)
      yield* letAnswer(2)
      assert.deepStrictEqual(requests, [["first"], ["a"], ["b"]])
      assert.deepStrictEqual(yield* Effect.forEach([first, ...rest], outcomeOf), ["appended", "appended", "appended"])
    })
  )

  it.scoped("no more events and tags than the contract allows", () =>
    Effect.gen(function* () {
      const { begin, letAnswer, requests } = yield* make({ batching: { inFlightMax: 1 } })
      const tags = Array.from({ length: 49 }, (_, nth) => `t${nth}`)
      const half = Limits.eventsMax / 100
      const fibers = [yield* begin(append("first"))]
      for (const one of [append("a", half, tags), append("b", half, tags), append("c")]) fibers.push(yield* begin(one))
      for (const nth of [0, 1, 2]) yield* letAnswer(nth)
      assert.deepStrictEqual(requests, [["first"], ["a", "b"], ["c"]])
      assert.deepStrictEqual(
        yield* Effect.forEach(fibers, outcomeOf),
        fibers.map(() => "appended")
      )
    })
  )

  it.scoped("up to the first that does not fit, which no smaller one overtakes", () =>
    Effect.gen(function* () {
      const limits = { eventBytesMax: 2 * eventBytes, requestBytesMax: 3.5 * eventBytes }
      const { begin, letAnswer, requests } = yield* make({ batching: { inFlightMax: 1 }, limits })
      const large = (streamId: string) => {
        const one = append(streamId)
        return { ...one, events: [...one.events, ...append(streamId).events] }
      }
      const fibers = [yield* begin(append("first"))]
      for (const one of [large("a"), large("b"), append("c")]) fibers.push(yield* begin(one))
      for (const nth of [0, 1, 2]) yield* letAnswer(nth)
      // Beside "a" there is room for "c".
      assert.deepStrictEqual(requests, [["first"], ["a"], ["b", "c"]])
      assert.deepStrictEqual(new Set(yield* Effect.forEach(fibers, outcomeOf)), new Set(["appended"]))
    })
  )

  it.scoped("no more appends than it may have, and no more requests are under way than may be", () =>
    Effect.gen(function* () {
      const { begin, letAnswer, queue, requests } = yield* make({ batching: { appendsMax: 2, inFlightMax: 2 } })
      const together = ["a", "b", "c", "d", "e"].map(streamId => queue.append(append(streamId)))
      const all = yield* Effect.fork(Effect.all(together, { concurrency: "unbounded" }))
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(requests, [
        ["a", "b"],
        ["c", "d"]
      ])
      const last = yield* begin(append("f"))
      yield* letAnswer(0)
      assert.deepStrictEqual(requests.slice(2), [["e", "f"]])
      yield* letAnswer(1)
      yield* letAnswer(2)
      assert.strictEqual((yield* Fiber.join(all)).length, 5)
      assert.strictEqual(yield* outcomeOf(last), "appended")
    })
  )

  it.scoped("of a stream only once its request has ended, also the single one that came meanwhile", () =>
    Effect.gen(function* () {
      const { begin, letAnswer, requests } = yield* make({})
      const first = yield* begin(append("s"))
      const second = yield* begin(append("s"))
      assert.deepStrictEqual(requests, [["s"]])
      yield* letAnswer(0)
      assert.deepStrictEqual(requests, [["s"], ["s"]])
      yield* letAnswer(1)
      assert.deepStrictEqual([yield* outcomeOf(first), yield* outcomeOf(second)], ["appended", "appended"])
    })
  )

  it.scoped("of a stream only once its request has ended, also behind one that nobody waits for any more", () =>
    Effect.gen(function* () {
      const { begin, letAnswer, requests } = yield* make({})
      const first = yield* begin(append("s"))
      yield* Fiber.interrupt(yield* begin(append("s")))
      const third = yield* begin(append("s"))
      assert.deepStrictEqual(requests, [["s"]])
      yield* letAnswer(0)
      yield* letAnswer(1)
      assert.deepStrictEqual(requests, [["s"], ["s"]])
      assert.deepStrictEqual([yield* outcomeOf(first), yield* outcomeOf(third)], ["appended", "appended"])
    })
  )

  it.scoped("none that nobody waits for any more, and these make room for others", () =>
    Effect.gen(function* () {
      const { begin, letAnswer, requests } = yield* make({ batching: { inFlightMax: 1, queueAppendsMax: 2 } })
      const first = yield* begin(append("first"))
      yield* Fiber.interrupt(yield* begin(append("abandoned")))
      const next = yield* begin(append("next"))
      assert.strictEqual(yield* outcomeOf(yield* begin(append("too many"))), "Overloaded")
      yield* letAnswer(0)
      yield* letAnswer(1)
      assert.deepStrictEqual(requests, [["first"], ["next"]])
      assert.deepStrictEqual([yield* outcomeOf(first), yield* outcomeOf(next)], ["appended", "appended"])
    })
  )
})

describe("a request with several appends", () => {
  it.scoped("is given up by each at its own time, and goes on for the others", () =>
    Effect.gen(function* () {
      const { begin, letAnswer, requests } = yield* make({ batching: { inFlightMax: 1 } })
      const first = yield* begin(append("first"))
      const early = yield* begin(append("early"))
      yield* TestClock.adjust(400)
      const late = yield* begin(append("late"))
      yield* letAnswer(0)
      assert.strictEqual(yield* outcomeOf(first), "appended")
      yield* TestClock.adjust(600)
      assert.strictEqual(yield* outcomeOf(early), "OutcomeUnknown")
      yield* TestClock.adjust(100)
      yield* letAnswer(requests.length - 1)
      assert.deepStrictEqual(requests.slice(1), [["early", "late"], ["late"]])
      assert.strictEqual(yield* outcomeOf(late), "appended")
    })
  )

  it.scoped("leaves it unknown for those who go on whether an earlier attempt wrote them", () =>
    Effect.gen(function* () {
      const taken = ({ streamId }: StoreRpcs.Append) =>
        Either.left(new StoreError.WrongExpectedVersion({ streamId, expected: "no_stream", actual: 0 }))
      const { begin, letAnswer, requests } = yield* make({ batching: { inFlightMax: 1 }, answer: taken })
      const first = yield* begin(append("first"))
      yield* begin(append("early"))
      yield* TestClock.adjust(400)
      const late = yield* begin({ ...append("late"), expectedVersion: "no_stream" })
      yield* letAnswer(0)
      assert.strictEqual(yield* outcomeOf(first), "WrongExpectedVersion")
      yield* TestClock.adjust(700)
      yield* letAnswer(requests.length - 1)
      assert.deepStrictEqual(requests.slice(1), [["early", "late"], ["late"]])
      // The attempt that got no answer may have written it, and somebody may have deleted the stream since.
      assert.strictEqual(yield* outcomeOf(late), "OutcomeUnknown")
    })
  )

  it.scoped("is not sent again where that cannot help", () =>
    Effect.gen(function* () {
      const refusal = new StoreError.StoreNotFound({ store: "default" })
      const { begin, letAnswer, requests } = yield* make({ refusal, batching: { inFlightMax: 1 } })
      const fibers = [yield* begin(append("first")), yield* begin(append("a")), yield* begin(append("b"))]
      yield* letAnswer(0)
      yield* letAnswer(1)
      yield* TestClock.adjust(500)
      assert.deepStrictEqual(requests, [["first"], ["a", "b"]])
      assert.deepStrictEqual(new Set(yield* Effect.forEach(fibers, outcomeOf)), new Set(["StoreNotFound"]))
    })
  )

  it.scoped("is over for all of them where that cannot help, also when it is too late for some", () =>
    Effect.gen(function* () {
      const refusal = new StoreError.StoreNotFound({ store: "default" })
      const { begin, letAnswer } = yield* make({ refusal, patient: true, batching: { inFlightMax: 1 } })
      const fibers = [yield* begin(append("first")), yield* begin(append("early"))]
      yield* TestClock.adjust(400)
      fibers.push(yield* begin(append("late")))
      yield* letAnswer(0)
      yield* TestClock.adjust(700)
      yield* letAnswer(1)
      assert.deepStrictEqual(new Set(yield* Effect.forEach(fibers, outcomeOf)), new Set(["StoreNotFound"]))
    })
  )

  it.scoped("gives each of those that came together its own answer, also where some could not leave", () =>
    Effect.gen(function* () {
      const limits = { ...Limits.defaults, eventBytesMax: 2 * eventBytes }
      const { letAnswer, queue, requests } = yield* make({ limits })
      const huge = append("huge", 1, ["t".repeat(500), "u".repeat(500)])
      const all = yield* Effect.fork(queue.appendAll([append("a"), huge, append("b"), huge, append("c")]))
      yield* TestClock.adjust(0)
      yield* letAnswer(0)
      assert.deepStrictEqual(requests, [["a", "b", "c"]])
      assert.deepStrictEqual(
        (yield* Fiber.join(all)).map(Either.match({ onLeft: ({ _tag }) => _tag, onRight: ({ streamId }) => streamId })),
        ["a", "EventTooLarge", "b", "EventTooLarge", "c"]
      )
    })
  )
})

describe("when the client is closed", () => {
  it.effect("what has left may have been written; what waits, or comes later, surely was not", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { begin, requests } = yield* Scope.extend(make({ batching: { inFlightMax: 1 } }), scope)
      const fibers = [yield* begin(append("a")), yield* begin(append("a")), yield* begin(append("b"))]
      assert.deepStrictEqual(requests, [["a"]])
      yield* Scope.close(scope, Exit.void)
      fibers.push(yield* begin(append("c")))
      const outcomes = yield* Effect.forEach(fibers, outcomeOf)
      assert.deepStrictEqual(outcomes, ["OutcomeUnknown", "Unreachable", "Unreachable", "Unreachable"])
      assert.deepStrictEqual(requests, [["a"]])
    })
  )
})

describe("what may wait", () => {
  it.scoped("is bounded by bytes, for single appends and for those that come together", () =>
    Effect.gen(function* () {
      const { begin, letAnswer, queue, requests } = yield* make({ batching: { queueBytesMax: 2.5 * eventBytes } })
      const held = [yield* begin(append("a")), yield* begin(append("b"))]
      assert.strictEqual(yield* outcomeOf(yield* begin(append("c"))), "Overloaded")
      const together = queue.appendAll([append("d"), append("e")])
      const refusals = (yield* together).map(Either.flip).map(Either.getOrThrow)
      assert.deepStrictEqual(
        refusals.map(({ _tag }) => _tag),
        ["Overloaded", "Overloaded"]
      )
      // It was no node that refused them.
      for (const { message } of refusals) assert.match(message, /^too much is waiting: the client has 2 appends /)
      yield* letAnswer(0)
      // Room for one of them is not enough.
      assert.deepStrictEqual((yield* together).map(tag), ["Overloaded", "Overloaded"])
      yield* letAnswer(1)
      const fiber = yield* Effect.zipLeft(Effect.fork(together), TestClock.adjust(0))
      yield* letAnswer(2)
      assert.deepStrictEqual((yield* Fiber.join(fiber)).map(tag), ["appended", "appended"])
      assert.deepStrictEqual(requests, [["a"], ["b"], ["d", "e"]])
      assert.deepStrictEqual(yield* Effect.forEach(held, outcomeOf), ["appended", "appended"])
    })
  )

  it.scoped("makes room once, be it that nobody waits for it or that it is answered", () =>
    Effect.gen(function* () {
      const { begin, letAnswer } = yield* make({ batching: { queueAppendsMax: 2 } })
      yield* Fiber.interrupt(yield* begin(append("a")))
      yield* letAnswer(0)
      yield* begin(append("b"))
      yield* begin(append("c"))
      assert.strictEqual(yield* outcomeOf(yield* begin(append("d"))), "Overloaded")
    })
  )

  it.scoped(
    "is forgotten with its bytes when nobody waits for it any more, also behind a request without an answer",
    () =>
      Effect.gen(function* () {
        const { begin, letAnswer, requests } = yield* make({ batching: { inFlightMax: 1, queueBytesMax: 3_000_000 } })
        const large = (streamId: string): StoreRpcs.Append => ({
          ...append(streamId),
          events: append(streamId).events.map(event => ({ ...event, data: new Uint8Array(2_000_000) }))
        })
        const first = yield* begin(append("first"))
        const bytesBefore = process.memoryUsage().arrayBuffers
        for (let nth = 0; nth < 50; nth++)
          yield* Fiber.interrupt(yield* begin(large(nth % 2 === 0 ? "first" : `s-${nth}`)))
        for (let round = 0; round < 3; round++) {
          yield* turnOfTheEventLoop
          yield* Effect.sync(collectGarbage)
        }
        assert.isBelow(process.memoryUsage().arrayBuffers - bytesBefore, 20_000_000)
        const next = [yield* begin(append("first")), yield* begin(append("s-1"))]
        yield* letAnswer(0)
        yield* letAnswer(1)
        assert.deepStrictEqual(
          requests.map(streams => [...streams].sort()),
          [["first"], ["first", "s-1"]]
        )
        assert.deepStrictEqual(new Set(yield* Effect.forEach([first, ...next], outcomeOf)), new Set(["appended"]))
      })
  )
})
