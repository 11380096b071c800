import { assert, describe, it } from "@effect/vitest"
import { StoreError } from "@reckon/client"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import * as Attempts from "../src/internal/attempts.js"
import { Lost } from "../src/internal/lost.js"
import * as Peers from "../src/internal/peers.js"
import * as Handlers from "./helpers/handlers.js"
import { MemoryStore } from "./helpers/memoryStore.js"

type Failure = StoreError.NoQuorum | StoreError.Overloaded | StoreError.OutcomeUnknown | StoreError.StoreNotFound

/** What comes of one attempt: an answer, after as many milliseconds, or none. */
type Step =
  | { readonly _tag: "Answered"; readonly tookMillis: number; readonly answer: Effect.Effect<string, Failure> }
  | { readonly _tag: "Lost"; readonly detail: string; readonly sent: boolean }
  | { readonly _tag: "Silent" }

const served: Step = { _tag: "Answered", tookMillis: 0, answer: Effect.succeed("served") }
const fails = (failure: Failure, tookMillis = 0): Step => ({
  _tag: "Answered",
  tookMillis,
  answer: Effect.fail(failure)
})
const refused: Step = { _tag: "Lost", detail: "n1: connect ECONNREFUSED", sent: false }
const cutOff: Step = { _tag: "Lost", detail: "n1 closed the connection", sent: true }
const silent: Step = { _tag: "Silent" }

const overloaded = new StoreError.Overloaded({ detail: "busy" })
const noQuorum = new StoreError.NoQuorum({ store: "default", detail: "alone" })

const requests = Handlers.make(new MemoryStore(), Handlers.hooks())

/** One peer, of whose attempts come these steps, the last one again and again. */
const peerOf = (...steps: ReadonlyArray<Step>) => {
  let asked = 0
  let step: Step = silent
  const node = Peers.local(requests, () => Effect.dieMessage("nobody subscribes"))
  const peers: Peers.Peers = {
    ...node,
    names: ["n1"],
    ask: (index, call, timeoutMillis) =>
      Effect.suspend(() => {
        step = steps[Math.min(asked++, steps.length - 1)] ?? silent
        const of = { endpoint: "n1", defect: false }
        if (step._tag === "Lost") return new Lost({ ...of, detail: step.detail, sent: step.sent, silent: false })
        if (step._tag === "Answered" && step.tookMillis <= timeoutMillis) {
          return Effect.zipRight(Effect.sleep(step.tookMillis), node.ask(index, call, timeoutMillis))
        }
        const lost = new Lost({ ...of, detail: "n1 gave no answer", sent: true, silent: true })
        return Effect.zipRight(Effect.sleep(timeoutMillis), lost)
      })
  }
  return {
    asked: () => asked,
    attempts: Attempts.make({ peers, timeoutMillis: 1_000, attemptTimeoutMillis: 1_000 }),
    /** Answers as the step says. */
    call: () => Effect.suspend(() => (step._tag === "Answered" ? step.answer : Effect.never))
  }
}

/** What comes of a request in its second, and after how many attempts. */
const endOf = (kind: Attempts.Kind, ...steps: ReadonlyArray<Step>) =>
  Effect.gen(function* () {
    const { asked, attempts, call } = peerOf(...steps)
    const fiber = yield* Effect.fork(Effect.merge(attempts.now(call, kind)))
    yield* TestClock.adjust("1 second")
    return { end: yield* Fiber.join(fiber), asked: asked() }
  })

describe("when the time is up", () => {
  it.effect("what a node refused is told, and not that the last attempt was cut short", () =>
    Effect.gen(function* () {
      const { asked, end } = yield* endOf("read", refused, refused, refused, silent)
      assert.deepInclude(end, { _tag: "Unreachable", detail: "n1: connect ECONNREFUSED" })
      assert.isAbove(asked, 3)
    })
  )

  it.effect("a node that was silent all the time is told to have been", () =>
    Effect.gen(function* () {
      assert.deepInclude((yield* endOf("read", silent)).end, { _tag: "Unreachable", detail: "n1 gave no answer" })
    })
  )

  it.effect("that there is no quorum is told, and not that a node was busy as well", () =>
    Effect.gen(function* () {
      assert.deepInclude((yield* endOf("read", fails(noQuorum), fails(overloaded), silent)).end, { _tag: "NoQuorum" })
      assert.deepInclude((yield* endOf("read", fails(overloaded), fails(noQuorum), silent)).end, { _tag: "NoQuorum" })
    })
  )

  it.effect("a read whose outcome was unknown has reached nobody", () =>
    Effect.gen(function* () {
      const unknown = fails(new StoreError.OutcomeUnknown({ detail: "the leader changed" }))
      assert.deepInclude((yield* endOf("read", unknown)).end, { _tag: "Unreachable", detail: "the leader changed" })
      assert.deepInclude((yield* endOf("append", unknown)).end, {
        _tag: "OutcomeUnknown",
        detail: "the leader changed"
      })
    })
  )

  it.effect("a request that never left is told what others met, unless one was served since", () =>
    Effect.gen(function* () {
      const { attempts, call } = peerOf(refused, served)
      const late = Effect.flatMap(Clock.currentTimeMillis, now =>
        Effect.merge(attempts.until(call, { deadline: now, history: Attempts.emptyHistory(), kind: "append" }))
      )
      const nothing = "the time was up before the request could be sent"
      assert.deepInclude(yield* late, { _tag: "Unreachable", detail: nothing })
      const fiber = yield* Effect.fork(attempts.now(call, "append"))
      yield* Effect.yieldNow()
      assert.deepInclude(yield* late, { _tag: "Unreachable", detail: "n1: connect ECONNREFUSED" })
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(fiber), "served")
      assert.deepInclude(yield* late, { _tag: "Unreachable", detail: nothing })
    })
  )
})

/** So many peers in turn, none of which serves. */
const peersOf = (count: number, lost: (endpoint: string) => ConstructorParameters<typeof Lost>[0]) => {
  const tried: Array<number> = []
  let next = 0
  const peers: Peers.Peers = {
    ...Peers.local(requests, () => Effect.dieMessage("nobody subscribes")),
    names: Array.from({ length: count }, (_, at) => `n${at}`),
    preferred: () => next % count,
    avoid: index => {
      next = index + 1
    },
    ask: index =>
      Effect.suspend(() => {
        tried.push(index)
        return new Lost(lost(`n${index}`))
      })
  }
  return { tried, attempts: Attempts.make({ peers, timeoutMillis: 60_000, attemptTimeoutMillis: 1_000 }) }
}

const unreached = { defect: false, sent: false, silent: false }

describe("who is tried next", () => {
  it.effect("is waited for briefly until all have been: with many endpoints, the one that serves is found soon", () =>
    Effect.gen(function* () {
      const { attempts, tried } = peersOf(20, endpoint => ({ ...unreached, endpoint, detail: "refused" }))
      yield* Effect.fork(attempts.now(() => Effect.never, "read"))
      // Twenty pauses of 30 ms at most.
      yield* TestClock.adjust("600 millis")
      assert.deepStrictEqual(new Set(tried).size, 20)
      // After six more rounds, each with longer ones, they are of a second, more or less.
      yield* TestClock.adjust("45 seconds")
      const before = tried.length
      yield* TestClock.adjust("5 seconds")
      assert.isAtMost(tried.length - before, 11)
    })
  )

  it.effect("is nobody once all have said that their secret is another one", () =>
    Effect.gen(function* () {
      for (const kind of ["read", "append", "write"] as const) {
        const { attempts, tried } = peersOf(3, endpoint => ({
          ...unreached,
          endpoint,
          detail: `${endpoint}: another secret`,
          hasOtherSecret: true
        }))
        const fiber = yield* Effect.fork(Effect.flip(attempts.now(() => Effect.never, kind)))
        yield* TestClock.adjust("1 second")
        assert.deepInclude(yield* Fiber.join(fiber), { _tag: "Unreachable", detail: "n2: another secret" })
        assert.deepStrictEqual(tried, [0, 1, 2])
      }
    })
  )

  it.effect("is one that may yet be reached, whatever the others have said of their secret", () =>
    Effect.gen(function* () {
      const { attempts, tried } = peersOf(3, endpoint => ({
        ...unreached,
        endpoint,
        detail: "refused",
        hasOtherSecret: endpoint !== "n1"
      }))
      yield* Effect.fork(attempts.now(() => Effect.never, "read"))
      yield* TestClock.adjust("30 seconds")
      assert.isAbove(tried.length, 9)
    })
  )
})

describe("what is written", () => {
  it.effect("is not tried once more where the time left would only make an answer unknown", () =>
    Effect.gen(function* () {
      // Three of them fit into the second, whatever the pauses between them; a fourth would be cut short.
      const busy = fails(overloaded, 250)
      assert.deepInclude(yield* endOf("append", busy), { end: overloaded, asked: 3 })
      assert.deepInclude(yield* endOf("write", busy), { end: overloaded, asked: 3 })
      assert.deepInclude(yield* endOf("read", busy), { end: overloaded, asked: 4 })
    })
  )

  it.effect("is tried to the end where it is unknown already: an answer may yet come", () =>
    Effect.gen(function* () {
      assert.deepInclude(yield* endOf("append", cutOff, fails(overloaded, 600), served), { end: "served", asked: 3 })
    })
  )

  it.effect("surely had no effect where no attempt got as far as a node, and is tried again", () =>
    Effect.gen(function* () {
      for (const kind of ["append", "write"] as const) {
        assert.deepInclude((yield* endOf(kind, refused)).end, { _tag: "Unreachable" })
        assert.deepInclude(yield* endOf(kind, refused, served), { end: "served", asked: 2 })
      }
    })
  )

  it.effect("is over where a node will never take it, and stays unknown if it was before", () =>
    Effect.gen(function* () {
      const notHere = new StoreError.StoreNotFound({ store: "default" })
      assert.deepInclude(yield* endOf("append", refused, fails(notHere)), { end: notHere, asked: 2 })
      const { asked, end } = yield* endOf("append", cutOff, fails(notHere))
      assert.deepInclude(end, { _tag: "OutcomeUnknown", detail: "n1 closed the connection" })
      assert.strictEqual(asked, 2)
    })
  )
})
