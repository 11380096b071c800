import { assert, describe, it } from "@effect/vitest"
import { Clock, Deferred, Duration, Effect, Exit, Fiber, Option, TestClock } from "effect"
import { ServerExited } from "../../src/CallError.js"
import * as ExitReason from "../../src/ExitReason.js"
import * as GenServer from "../../src/GenServer.js"
import * as Process from "../../src/Process.js"
import * as Request from "../../src/Request.js"
import {
  actor,
  boom,
  get,
  heard,
  held,
  note,
  provided,
  Scripted,
  type ScriptedRef,
  scripted,
  settle,
  silence,
  type Turn
} from "./processes.js"

/** Answers after this many seconds, with this number. */
const after =
  (seconds: number, answer: number): Turn =>
  (n, from) =>
    Effect.as(
      Effect.forkDaemon(Effect.zipRight(Effect.sleep(Duration.seconds(seconds)), GenServer.replyTo(from, answer))),
      GenServer.noReply(n)
    )

/** What failed, in a word. */
const tagOf = (error: string | { readonly _tag: string }): string => (typeof error === "string" ? error : error._tag)

describe("one request", () => {
  it.effect("send_request: is in the mailbox at once, in order with what the sender sends around it", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const ref = yield* GenServer.start(scripted(journal))
      yield* ref.send("before")
      const pending = yield* ref.request("Run", note(journal, "request"))
      yield* ref.send("after")
      assert.strictEqual(yield* Request.receive(pending), 0)
      assert.deepStrictEqual(journal, ["before", "request", "after"])
    }).pipe(provided)
  )

  it.effect("send_request: the sender goes on while the server works, and the answer stays with the handle", () =>
    Effect.gen(function* () {
      const ref = yield* GenServer.start(scripted())
      const pending = yield* ref.request("Run", after(1, 7))
      assert.isTrue(Option.isNone(yield* Request.check(pending)))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Request.check(pending), Option.some(7))
      assert.strictEqual(yield* Request.receive(pending), 7)
      assert.strictEqual(yield* Request.receive(pending), 7)
    }).pipe(provided)
  )

  it.effect(
    "send_request: an answer that came before anybody waits is there; one that comes later wakes who waits",
    () =>
      Effect.gen(function* () {
        const ref = yield* GenServer.start(scripted())
        const early = yield* ref.request("Run", get)
        yield* settle
        assert.strictEqual(yield* Request.receive(early, { timeout: 0 }), 0)
        const late = yield* ref.request("Run", after(1, 7))
        const waiting = yield* Effect.all([Effect.fork(Request.receive(late)), Effect.fork(Request.wait(late))])
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(yield* Fiber.join(waiting[0]), 7)
        assert.deepStrictEqual(yield* Fiber.join(waiting[1]), Option.some(7))
      }).pipe(provided)
  )

  it.effect(
    "receive_response: gives up when the time is over, and the answer is never seen; the server carries on",
    () =>
      Effect.gen(function* () {
        const journal: Array<string> = []
        const gate = yield* Deferred.make<void>()
        const caller = yield* actor("caller")
        const ref = yield* GenServer.start(scripted())
        yield* ref.cast("Run", held(gate))
        const pending = yield* ref.request("Run", note(journal, "executed"))
        const receiving = yield* Effect.fork(Effect.flip(caller.do(Request.receive(pending, { timeout: "1 second" }))))
        yield* TestClock.adjust("1 second")
        assert.deepInclude(yield* receiving, { _tag: "CallTimeout", request: "Run", timeoutMillis: 1_000 })
        yield* Deferred.succeed(gate, undefined)
        yield* settle
        assert.deepStrictEqual(journal, ["executed"])
        assert.strictEqual(tagOf(yield* Effect.flip(Request.check(pending))), "CallTimeout")
        assert.deepStrictEqual(yield* heard(caller), [])
      }).pipe(provided)
  )

  it.effect("wait_response: gives none when the time is over, and one can wait again", () =>
    Effect.gen(function* () {
      const ref = yield* GenServer.start(scripted())
      const pending = yield* ref.request("Run", after(3, 7))
      const first = yield* Effect.fork(Request.wait(pending, { timeout: "2 seconds" }))
      yield* TestClock.adjust("2 seconds")
      assert.isTrue(Option.isNone(yield* first))
      const second = yield* Effect.fork(Request.wait(pending, { timeout: "2 seconds" }))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* second, Option.some(7))
    }).pipe(provided)
  )

  it.effect("check_response: never waits", () =>
    Effect.gen(function* () {
      const ref = yield* GenServer.start(scripted())
      const pending = yield* ref.request("Run", silence)
      yield* settle
      assert.isTrue(Option.isNone(yield* Request.check(pending)))
    }).pipe(provided)
  )

  it.effect("3.2: the protocol's error and the server's death are results, not exits: before and while one waits", () =>
    Effect.gen(function* () {
      const ref = yield* GenServer.start(scripted())
      const failing = yield* ref.request("Run", n => GenServer.fail("no", n))
      assert.strictEqual(tagOf(yield* Effect.flip(Request.receive(failing))), "no")
      const unanswered = yield* ref.request("Run", silence)
      const waiting = yield* Effect.fork(Effect.flip(Request.receive(unanswered)))
      yield* settle
      yield* GenServer.stopServer(ref, boom)
      for (const error of [yield* waiting, yield* Effect.flip(Request.check(unanswered))]) {
        assert.isTrue(error instanceof ServerExited && error.reason === boom)
      }
      const late = yield* ref.request("Run", get)
      assert.strictEqual(tagOf(yield* Effect.flip(Request.check(late))), "NoProcess")
      const named = yield* GenServer.named(Scripted, "nobody").request("Run", get)
      assert.strictEqual(tagOf(yield* Effect.flip(Request.receive(named))), "NoProcess")
    }).pipe(provided)
  )

  it.effect("3.2: a full mailbox is the request's result", () =>
    Effect.gen(function* () {
      const ref = yield* GenServer.start(scripted([], { mailboxCapacity: 1 }))
      const requests = yield* Effect.replicateEffect(ref.request("Run", get), 2)
      const results = yield* Effect.forEach(requests, request => Effect.either(Request.receive(request)))
      assert.deepStrictEqual(
        results.map(result => (result._tag === "Right" ? result.right : tagOf(result.left))),
        [0, "MailboxFull"]
      )
    }).pipe(provided)
  )

  it.effect("3.2: who waits may be interrupted, and the request stands", () =>
    Effect.gen(function* () {
      const ref = yield* GenServer.start(scripted())
      const pending = yield* ref.request("Run", after(1, 7))
      const waiting = yield* Effect.fork(Request.receive(pending))
      yield* settle
      yield* Fiber.interrupt(waiting)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Request.receive(pending), 7)
    }).pipe(provided)
  )

  it.effect("3.2: a server may ask itself and fetch the answer later, when it is free again", () =>
    Effect.gen(function* () {
      const me = yield* GenServer.named(Scripted, "me").bind
      const ref = yield* GenServer.start(scripted(), { name: "me" })
      const told = yield* ref.call("Run", n =>
        Effect.map(
          Effect.flatMap(me.request("Run", get), request => Effect.exit(Request.check(request))),
          exit => GenServer.reply(Exit.isFailure(exit) ? 1 : 2, n)
        )
      )
      // To ask itself is refused, as it is with a call: nobody would serve while it waits.
      assert.strictEqual(told, 1)
    }).pipe(provided)
  )
})

describe("many requests", () => {
  const collect = Effect.gen(function* () {
    const ref = yield* GenServer.start(scripted())
    const requests = Request.collection<string, number, string>()
    for (const [label, seconds] of [
      ["slow", 3],
      ["fast", 1],
      ["middle", 2]
    ] as const) {
      yield* requests.add(yield* ref.request("Run", after(seconds, seconds)), label)
    }
    return { ref, requests }
  })

  const shown = Option.map(({ exit, label }: Request.Response<string, number, string>) => [
    label,
    Exit.isSuccess(exit)
      ? exit.value
      : tagOf(Exit.isFailure(exit) && exit.cause._tag === "Fail" ? exit.cause.error : "?")
  ])

  it.effect("reqids: answers come with their labels in the order in which the servers answer, each once", () =>
    Effect.gen(function* () {
      const { requests } = yield* collect
      assert.deepStrictEqual(
        [requests.size, requests.entries.map(([, label]) => label)],
        [3, ["slow", "fast", "middle"]]
      )
      for (const expected of [
        ["fast", 1],
        ["middle", 2],
        ["slow", 3]
      ]) {
        const waiting = yield* Effect.fork(Request.receiveAny(requests))
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(shown(yield* waiting), Option.some(expected))
      }
      assert.strictEqual(requests.size, 0)
    }).pipe(provided)
  )

  it.effect("reqids: an empty collection has no request to wait for, and says so at once", () =>
    Effect.gen(function* () {
      const requests = Request.collection<string, number>()
      assert.isTrue(Option.isNone(yield* Request.receiveAny(requests)))
      assert.isTrue(Option.isNone(yield* Request.waitAny(requests)))
    }).pipe(provided)
  )

  it.effect("reqids: the same request cannot be in a collection twice", () =>
    Effect.gen(function* () {
      const ref = yield* GenServer.start(scripted())
      const requests = Request.collection<string, number, string>()
      const pending = yield* ref.request("Run", get)
      yield* requests.add(pending, "first")
      const error = yield* Effect.flip(requests.add(pending, "second"))
      assert.deepInclude(error, { _tag: "AlreadyCollected", request: "Run" })
      assert.deepStrictEqual(requests.entries, [[pending, "first"]])
    }).pipe(provided)
  )

  it.effect("receive_response of a collection: when the time is over all that are left are given up", () =>
    Effect.gen(function* () {
      const { requests } = yield* collect
      const left = requests.entries.map(([request]) => request)
      const waiting = yield* Effect.fork(Effect.flip(Request.receiveAny(requests, { timeout: "500 millis" })))
      yield* TestClock.adjust("500 millis")
      assert.strictEqual((yield* waiting)._tag, "CallTimeout")
      assert.strictEqual(requests.size, 0)
      yield* TestClock.adjust("3 seconds")
      for (const request of left) assert.strictEqual(tagOf(yield* Effect.flip(Request.check(request))), "CallTimeout")
    }).pipe(provided)
  )

  it.effect("wait_response of a collection: when the time is over the requests stand, and one can wait again", () =>
    Effect.gen(function* () {
      const { requests } = yield* collect
      const waiting = yield* Effect.fork(Effect.flip(Request.waitAny(requests, { timeout: "500 millis" })))
      yield* TestClock.adjust("500 millis")
      assert.strictEqual((yield* waiting)._tag, "CallTimeout")
      assert.strictEqual(requests.size, 3)
      yield* TestClock.adjust("500 millis")
      assert.deepStrictEqual(shown(yield* Request.waitAny(requests)), Option.some(["fast", 1]))
    }).pipe(provided)
  )

  it.effect("reqids: the death of one server is the answer to its requests, and the others stand", () =>
    Effect.gen(function* () {
      const { requests } = yield* collect
      const doomed = yield* GenServer.start(scripted())
      yield* requests.add(yield* doomed.request("Run", silence), "doomed")
      const waiting = yield* Effect.fork(Request.receiveAny(requests))
      yield* settle
      yield* Process.exit(doomed.pid, ExitReason.killed)
      assert.deepStrictEqual(shown(yield* waiting), Option.some(["doomed", "ServerExited"]))
      assert.strictEqual(requests.size, 3)
    }).pipe(provided)
  )
})

describe("multi_call", () => {
  it.effect("multicall: asks all and tells their answers, in the order in which they were asked", () =>
    Effect.gen(function* () {
      const refs = yield* Effect.forEach([1, 2, 3], n => GenServer.start(scripted([], { init: Effect.succeed(n) })))
      const { failed, replies } = yield* Request.multiCall(refs, "Run", get)
      assert.deepStrictEqual(
        replies,
        refs.map((ref, n) => [ref, n + 1])
      )
      assert.deepStrictEqual(failed, [])
    }).pipe(provided)
  )

  it.effect("multicall_down: dead servers, names nobody has and crashes are told apart, and hold nobody up", () =>
    Effect.gen(function* () {
      const [alive, gone, crashing] = yield* Effect.all([
        GenServer.start(scripted()),
        GenServer.start(scripted()),
        GenServer.start(scripted())
      ])
      yield* GenServer.stopServer(gone)
      yield* crashing.cast("Run", () => Effect.die("bad"))
      const nobody = yield* GenServer.named(Scripted, "nobody").bind
      const { failed, replies } = yield* Request.multiCall([gone, alive, nobody, crashing], "Run", get)
      assert.deepStrictEqual(replies, [[alive, 0]])
      assert.deepStrictEqual(
        failed.map(([client, error]) => [client, tagOf(error)]),
        [
          [gone, "NoProcess"],
          [nobody, "NoProcess"],
          [crashing, "ServerExited"]
        ]
      )
    }).pipe(provided)
  )

  it.effect("multicall_recv_opt_timeout: the time limit is that of the whole: silent servers do not add up", () =>
    Effect.gen(function* () {
      const refs = yield* Effect.replicateEffect(GenServer.start(scripted()), 5)
      const asking = yield* Effect.fork(Request.multiCall(refs, "Run", silence, { timeout: "2 seconds" }))
      yield* TestClock.adjust("1999 millis")
      assert.isTrue(Option.isNone(yield* Fiber.poll(asking)))
      yield* TestClock.adjust("1 millis")
      const { failed, replies } = yield* asking
      assert.deepStrictEqual([replies, failed.map(([, error]) => tagOf(error))], [[], Array(5).fill("CallTimeout")])
    }).pipe(provided)
  )

  it.effect("multicall: a clock that is set back meanwhile does not lengthen it", () =>
    Effect.gen(function* () {
      const steady = yield* Effect.clock
      let aheadMillis = 0
      const currentMillis = () => steady.unsafeCurrentTimeMillis() + aheadMillis
      const clock: Clock.Clock = {
        [Clock.ClockTypeId]: Clock.ClockTypeId,
        unsafeCurrentTimeMillis: currentMillis,
        currentTimeMillis: Effect.sync(currentMillis),
        unsafeCurrentTimeNanos: () => steady.unsafeCurrentTimeNanos(),
        currentTimeNanos: steady.currentTimeNanos,
        sleep: duration => steady.sleep(duration)
      }
      const refs = yield* Effect.replicateEffect(GenServer.start(scripted()), 2)
      const asking = yield* Effect.fork(
        Effect.withClock(Request.multiCall(refs, "Run", silence, { timeout: "2 seconds" }), clock)
      )
      yield* TestClock.adjust("1 second")
      aheadMillis = -3_600_000
      yield* TestClock.adjust("1 second")
      const { failed } = yield* Effect.flatMap(Fiber.poll(asking), Effect.flatten)
      assert.strictEqual(failed.length, 2)
    }).pipe(provided)
  )

  it.effect("multicall_recv_opt_success: who has answered in time counts, though it is behind a silent one", () =>
    Effect.gen(function* () {
      const silent = yield* GenServer.start(scripted())
      const quick = yield* GenServer.start(scripted())
      yield* silent.cast("Run", () => Effect.never)
      const asking = yield* Effect.fork(Request.multiCall([silent, quick], "Run", get))
      yield* TestClock.adjust("5 seconds")
      const { failed, replies } = yield* asking
      assert.deepStrictEqual([replies, failed.map(([client]) => client)], [[[quick, 0]], [silent]])
    }).pipe(provided)
  )

  it.effect("multicall: late answers are never seen by the process that asked", () =>
    Effect.gen(function* () {
      const caller = yield* actor("caller")
      const refs = yield* Effect.replicateEffect(GenServer.start(scripted()), 2)
      const asking = yield* Effect.fork(caller.do(Request.multiCall(refs, "Run", after(3, 7), { timeout: "1 second" })))
      yield* TestClock.adjust("1 second")
      yield* asking
      yield* TestClock.adjust("3 seconds")
      assert.deepStrictEqual(yield* heard(caller), [])
    }).pipe(provided)
  )

  it.effect("multicall: of nobody is an empty answer", () =>
    Effect.gen(function* () {
      const none: ReadonlyArray<ScriptedRef> = []
      assert.deepStrictEqual(yield* Request.multiCall(none, "Run", get), { replies: [], failed: [] })
    }).pipe(provided)
  )
})
