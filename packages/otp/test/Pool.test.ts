import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Fiber, Layer, Logger, LogLevel, Runtime, TestClock } from "effect"
import * as ExitReason from "../src/ExitReason.js"
import * as GenServer from "../src/GenServer.js"
import { load } from "../src/internal/hash.js"
import * as Observer from "../src/Observer.js"
import * as Pool from "../src/Pool.js"
import * as Process from "../src/Process.js"
import * as Supervisor from "../src/Supervisor.js"
import { keyed, type Options, one, outcome, outcomes, pidOf, provided, settle, worker, zero } from "./helpers/pool.js"

describe("Pool", () => {
  describe("routing", () => {
    it.effect("the hash is XXH32 with seed 0 over UTF-8: the published vectors hold", () =>
      Effect.gen(function* () {
        const hash = yield* load
        assert.deepStrictEqual(
          [
            "",
            "a",
            "abc",
            "Nobody inspects the spammish repetition",
            "I want an unsigned 32-bit seed!",
            "ß",
            "€uro"
          ].map(text => hash(text).toString(16).padStart(8, "0")),
          ["02cc5d05", "550d7456", "32d153ff", "e2293b2f", "f7a35af8", "d798111e", "397d5c4e"]
        )
      })
    )

    it.effect("a key has one partition, its hash modulo the size, whether or not the pool runs", () =>
      Effect.gen(function* () {
        const known = Pool.named(keyed(), "nobody")
        const partitions = yield* Effect.forEach([zero, one, "a", "abc"], known.partitionOf)
        assert.deepStrictEqual(partitions, [0, 1, 2, 3])
        const pool = yield* Pool.start(keyed())
        assert.deepStrictEqual(yield* Effect.forEach([zero, one, "a", "abc"], pool.partitionOf), partitions)
        for (const key of [zero, one, "a", "abc"]) {
          assert.strictEqual(
            yield* pool.call(key, "Do", { what: "" }),
            yield* pidOf(pool, `${yield* pool.partitionOf(key)}`)
          )
        }
      }).pipe(provided)
    )

    it.effect("round robin takes no key and gives the partitions their turns", () =>
      Effect.gen(function* () {
        const definition = Pool.make({
          size: 3,
          routing: "round_robin",
          worker: (partition: number) => GenServer.startLink(worker(partition, {}))
        })
        const pool = yield* Pool.start(definition)
        const pids = yield* Effect.forEach([1, 2, 3, 4, 5, 6, 7], () => pool.call("Do", { what: "" }))
        const all = yield* Effect.forEach(["0", "1", "2"], id => pidOf(pool, id))
        assert.deepStrictEqual(pids, [...all, ...all, all[0]])
        assert.strictEqual(new Set(pids).size, 3)
      }).pipe(provided)
    )

    it.effect("what was described wrongly is told before anything starts", () =>
      Effect.gen(function* () {
        const wrong: ReadonlyArray<readonly [Options, string]> = [
          [{ size: 0 }, "invalid_size"],
          [{ size: 1.5 }, "invalid_size"],
          [{ size: 65_537 }, "invalid_size"],
          [{ idleStop: 0 }, "invalid_idle_stop"],
          [{ idleStop: -1 }, "invalid_idle_stop"],
          [{ waitingCapacity: 0 }, "invalid_waiting_capacity"],
          [{ intensity: -1 }, "invalid_intensity"],
          [{ period: 0 }, "invalid_period"],
          [{ shutdown: -1 }, "invalid_shutdown"]
        ]
        for (const [options, problem] of wrong) {
          const error = yield* Effect.flip(Pool.start(keyed({}, options)))
          assert.propertyVal(error, "problem", problem)
          assert.isFalse(error.retryable)
        }
        assert.deepStrictEqual(yield* Process.list, [])
      }).pipe(provided)
    )
  })

  describe("a worker that waits with nothing in its mailbox", () => {
    it.effect("answers a call before any other fiber gets its turn", () =>
      Effect.gen(function* () {
        const pool = yield* Pool.start(keyed())
        yield* pool.call(zero, "Do", { what: "started" })
        yield* settle
        const order: Array<string> = []
        const other = yield* Effect.fork(Effect.sync(() => order.push("other")))
        const failure = yield* Effect.flip(pool.call(zero, "Refuse", { why: "no" }))
        order.push(failure === "no" ? "answered" : "failed")
        yield* Fiber.join(other)
        assert.deepStrictEqual(order, ["answered", "other"])
      }).pipe(provided)
    )

    it.effect("does so after the casts that came before", () =>
      Effect.gen(function* () {
        const journal: Array<string> = []
        const pool = yield* Pool.start(keyed({ journal }))
        yield* pool.call(zero, "Do", { what: "1" })
        yield* settle
        yield* pool.cast(zero, "Do", { what: "2" })
        yield* pool.call(zero, "Do", { what: "3" })
        assert.deepStrictEqual(journal, ["+0", "1", "2", "3"])
      }).pipe(provided)
    )

    it.effect("has the time limit of the call for it, as any other", () =>
      Effect.gen(function* () {
        const pool = yield* Pool.start(keyed())
        yield* pool.call(zero, "Do", { what: "started" })
        yield* settle
        const call = pool.call(zero, "Do", { what: "slow", millis: 2000 }, { timeout: "1 second" })
        const slow = yield* Effect.fork(outcome(call))
        yield* TestClock.adjust("999 millis")
        assert.isNull(slow.unsafePoll())
        assert.strictEqual((yield* pool.stats).inFlight, 1)
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(yield* Fiber.join(slow), "CallTimeout")
        assert.strictEqual((yield* pool.stats).inFlight, 0)
      }).pipe(provided)
    )
  })

  describe("start", () => {
    it.effect("no worker runs before the first request; the children are known, and stopped", () =>
      Effect.gen(function* () {
        const pool = yield* Pool.start(keyed(), { name: "pool" })
        assert.deepStrictEqual(
          (yield* Supervisor.whichChildren(pool)).map(({ id, pid, restart }) => [id, pid, restart]),
          ["3", "2", "1", "0"].map(id => [id, undefined, "transient"])
        )
        const pid = yield* Pool.named(keyed(), "pool").call(one, "Do", { what: "" })
        const [root] = yield* Observer.snapshot
        assert.deepStrictEqual(root?.supervisor, { strategy: "one_for_one", restarts: 0, stopped: ["0", "2", "3"] })
        assert.deepStrictEqual(
          root?.children.map(child => [child.childId, child.pid]),
          [["1", pid]]
        )
        const expected = { running: 1, inFlight: 0, waiting: 0, starts: 1, idleStops: 0, refused: 0 }
        assert.deepStrictEqual(yield* pool.stats, expected)
      }).pipe(provided)
    )

    it.effect("requests that come before a worker runs start one, and all reach it in their order", () =>
      Effect.gen(function* () {
        const journal: Array<string> = []
        const pool = yield* Pool.start(keyed({ journal, init: () => Effect.sleep("1 second") }))
        const first = yield* Effect.fork(pool.call(zero, "Do", { what: "1" }))
        yield* settle
        yield* pool.cast(zero, "Do", { what: "2" })
        const third = yield* Effect.fork(pool.call(zero, "Do", { what: "3" }))
        yield* settle
        const { inFlight, running, waiting } = yield* pool.stats
        assert.deepStrictEqual([running, inFlight, waiting], [0, 2, 3])
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* Fiber.join(first), yield* Fiber.join(third))
        assert.deepStrictEqual(journal, ["+0", "1", "2", "3"])
        assert.strictEqual((yield* pool.stats).starts, 1)
      }).pipe(provided)
    )

    it.effect(
      "a start that fails is told to all who waited for it; the pool lives on and the next request tries again",
      () =>
        Effect.gen(function* () {
          const ready = yield* Deferred.make<void>()
          let tries = 0
          const init = () =>
            ++tries === 1 ? Effect.zipRight(Deferred.await(ready), Effect.fail("no file")) : Effect.void
          const pool = yield* Pool.start(keyed({ init }))
          const calls = yield* Effect.replicateEffect(Effect.fork(pool.call(zero, "Do", { what: "" })), 3)
          yield* settle
          yield* Deferred.succeed(ready, undefined)
          const errors = yield* Effect.forEach(calls, call => Effect.flip(Fiber.join(call)))
          for (const error of errors) {
            assert.strictEqual(error._tag, "ChildStartFailed")
            assert.include(error.message, "no file")
            assert.isTrue(error.retryable)
          }
          assert.strictEqual(tries, 1)
          yield* pool.call(zero, "Do", { what: "" })
          assert.strictEqual(tries, 2)
        }).pipe(provided)
    )

    it.effect("a name that a stranger has is a start that failed; a worker that ignores its start is NoProcess", () =>
      Effect.gen(function* () {
        yield* Process.spawn(Effect.never, { name: "w" })
        const start = () => GenServer.startLink(worker(0, {}), { name: "w" })
        const taken = yield* Pool.start(keyed({}, { worker: start }))
        const error = yield* Effect.flip(taken.call(zero, "Do", { what: "" }))
        assert.strictEqual(error._tag, "ChildStartFailed")
        assert.include(error.message, `"w" is running already`)
        const ignoring = yield* Pool.start(keyed({ init: () => Effect.succeed(GenServer.ignore) }))
        assert.strictEqual((yield* Effect.flip(ignoring.call(zero, "Do", { what: "" })))._tag, "NoProcess")
      }).pipe(provided)
    )

    it.effect(
      "what waits for a worker is bounded, and a call whose time is up waits no longer and is not carried out",
      () =>
        Effect.gen(function* () {
          const journal: Array<string> = []
          const way = { journal, init: () => Effect.sleep("1 second"), capacity: 1 }
          const pool = yield* Pool.start(keyed(way, { waitingCapacity: 2 }))
          const call = (what: string, timeout = 5_000) => Effect.fork(pool.call(zero, "Do", { what }, { timeout }))
          const early = [yield* call("a", 100), yield* call("b"), yield* call("c")]
          yield* settle
          yield* pool.cast(zero, "Do", { what: "dropped" })
          assert.strictEqual((yield* pool.stats).refused, 2)
          yield* TestClock.adjust(100)
          const late = yield* call("d")
          yield* TestClock.adjust("1 second")
          // The worker's own mailbox has room for one.
          const expected = ["CallTimeout", "answered", "MailboxFull", "MailboxFull"]
          assert.deepStrictEqual(yield* outcomes([...early, late]), expected)
          assert.deepStrictEqual(journal, ["+0", "b"])
        }).pipe(provided)
    )
  })

  describe("calls", () => {
    it.effect("a worker that calls its own partition is told so at once; another partition it may call", () =>
      Effect.gen(function* () {
        let ask = Effect.succeed<string>
        const pool = yield* Pool.start(keyed({ ask: key => ask(key) }))
        ask = key => outcome(pool.call(key, "Do", { what: "" }))
        assert.strictEqual(yield* pool.call(zero, "Ask", { key: zero }), "CallingSelf")
        assert.strictEqual(yield* pool.call(zero, "Ask", { key: one }), "answered")
      }).pipe(provided)
    )

    it.effect("a call that is interrupted while it waits without a time limit leaves nothing behind", () =>
      Effect.gen(function* () {
        const journal: Array<string> = []
        const pool = yield* Pool.start(keyed({ journal, init: () => Effect.sleep("1 second") }))
        const call = yield* Effect.fork(pool.call(zero, "Do", { what: "a" }, { timeout: Duration.infinity }))
        yield* settle
        yield* Fiber.interrupt(call)
        assert.strictEqual((yield* pool.stats).waiting, 0)
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(journal, ["+0"])
      }).pipe(provided)
    )
  })

  describe("crash", () => {
    it.effect("requests in the mailbox are lost as with any server; later ones wait for the restart, in order", () =>
      Effect.gen(function* () {
        const journal: Array<string> = []
        let starts = 0
        const init = () => Effect.sleep(++starts === 1 ? 0 : 1_000)
        const pool = yield* Pool.start(keyed({ journal, init }))
        const before = yield* pool.call(zero, "Do", { what: "a" }).pipe(Effect.fork, Effect.tap(settle))
        const old = yield* Fiber.join(before)
        const lost = [
          yield* Effect.fork(pool.call(zero, "Crash")),
          yield* Effect.fork(pool.call(zero, "Do", { what: "b" }))
        ]
        yield* settle
        assert.deepStrictEqual(yield* outcomes(lost), ["ServerExited", "ServerExited"])
        const short = yield* Effect.fork(pool.call(zero, "Do", { what: "c" }, { timeout: 999 }))
        const next = yield* Effect.fork(pool.call(zero, "Do", { what: "d" }))
        yield* settle
        yield* pool.cast(zero, "Do", { what: "e" })
        yield* TestClock.adjust(999)
        assert.strictEqual((yield* Effect.flip(Fiber.join(short)))._tag, "CallTimeout")
        yield* TestClock.adjust(1)
        assert.notStrictEqual(yield* Fiber.join(next), old)
        assert.deepStrictEqual(journal, ["+0", "a", "-0", "+0", "d", "e"])
        assert.strictEqual((yield* pool.stats).starts, 2)
      }).pipe(provided)
    )

    it.effect("a restart that fails is tried again, and those who wait get its worker", () =>
      Effect.gen(function* () {
        let starts = 0
        const busy = Effect.delay(Effect.fail("busy"), "1 second")
        const init = () => (++starts === 2 || starts === 3 ? busy : Effect.void)
        const pool = yield* Pool.start(keyed({ init }, { intensity: 3 }))
        yield* pool.cast(zero, "Crash")
        yield* settle
        const call = yield* Effect.fork(pool.call(zero, "Do", { what: "" }))
        yield* TestClock.adjust("2 seconds")
        assert.deepStrictEqual(yield* outcomes([call]), ["answered"])
        assert.strictEqual(starts, 4)
      }).pipe(provided)
    )

    it.effect("a request that comes after the crash of a worker whose start is still being reported waits too", () => {
      let meddle = (): void => {}
      const meddler = Logger.make(({ message }) => String(message) === "child started" && meddle())
      return Effect.gen(function* () {
        const { pid, ...pool } = yield* Pool.start(keyed())
        const runtime = yield* Effect.runtime<Process.ProcessTable>()
        const calls: Array<Fiber.Fiber<Process.Pid, { readonly _tag: string }>> = []
        meddle = () => {
          meddle = () => {}
          const started = Runtime.runSync(runtime)(Process.list).find(process => process !== pid)
          if (started !== undefined) Runtime.runSync(runtime)(Process.exit(started, ExitReason.killed))
          calls.push(Runtime.runFork(runtime)(pool.call(zero, "Do", { what: "" })))
        }
        calls.push(yield* Effect.fork(pool.call(zero, "Do", { what: "" })))
        yield* settle
        assert.deepStrictEqual(yield* outcomes(calls), ["ServerExited", "answered"])
      }).pipe(
        Effect.provide(Process.layer),
        Effect.provide(
          Layer.merge(Logger.replace(Logger.defaultLogger, meddler), Logger.minimumLogLevel(LogLevel.Debug))
        )
      )
    })

    it.effect("a worker that ends cleanly, or is stopped by hand, stays away until somebody needs it", () =>
      Effect.gen(function* () {
        const pool = yield* Pool.start(keyed())
        assert.strictEqual((yield* Effect.flip(pool.call(zero, "End")))._tag, "ServerExited")
        yield* settle
        assert.isUndefined(yield* pidOf(pool, "0"))
        const second = yield* pool.call(zero, "Do", { what: "" })
        yield* Supervisor.terminateChild(pool, "0")
        assert.notStrictEqual(yield* pool.call(zero, "Do", { what: "" }), second)
        assert.strictEqual((yield* Supervisor.whichChild(pool, "0")).restarts, 0)
      }).pipe(provided)
    )

    it.effect("too many crashes take the pool down; its parent decides, and its name leads to the new one", () =>
      Effect.gen(function* () {
        const definition = keyed({}, { intensity: 1 })
        const child = Pool.supervisor("pool", definition, { name: "pool" })
        const parent = yield* Supervisor.start({ children: [child] })
        const pool = Pool.named(definition, "pool")
        const first = yield* pidOf(parent, "pool")
        yield* pool.cast(zero, "Crash")
        yield* settle
        assert.strictEqual(yield* pidOf(parent, "pool"), first)
        yield* pool.cast(one, "Crash")
        yield* settle
        assert.notStrictEqual(yield* pidOf(parent, "pool"), first)
        yield* pool.call(zero, "Do", { what: "" })
        assert.strictEqual((yield* pool.stats).starts, 1)
      }).pipe(provided)
    )

    it.effect("if restarts fail until the pool gives up, those who wait get NoProcess", () =>
      Effect.gen(function* () {
        let starts = 0
        const init = () => (++starts === 1 ? Effect.void : Effect.delay(Effect.fail("gone"), "1 second"))
        const pool = yield* Pool.start(keyed({ init }))
        yield* pool.cast(zero, "Crash")
        yield* settle
        const call = yield* Effect.fork(pool.call(zero, "Do", { what: "" }, { timeout: "1 hour" }))
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(yield* outcomes([call]), ["NoProcess"])
        assert.strictEqual((yield* Effect.flip(pool.call(zero, "Do", { what: "" })))._tag, "NoProcess")
        assert.strictEqual(yield* Process.awaitExit(pool.pid), ExitReason.noProc)
      }).pipe(provided)
    )
  })

  describe("stop", () => {
    it.effect("stops every worker within its shutdown time; then there is no process", () =>
      Effect.gen(function* () {
        const journal: Array<string> = []
        const pool = yield* Pool.start(keyed({ journal, terminate: Effect.sleep("1 second") }), { name: "pool" })
        yield* pool.call(zero, "Do", { what: "" })
        yield* pool.call(one, "Do", { what: "" })
        const stopping = yield* Effect.fork(Pool.stop("pool"))
        yield* settle
        const call = yield* Effect.fork(pool.call("a", "Do", { what: "" }))
        yield* TestClock.adjust("2 seconds")
        yield* Fiber.join(stopping)
        assert.deepStrictEqual(journal, ["+0", "", "+1", "", "-1", "-0"])
        assert.deepStrictEqual(yield* outcomes([call]), ["NoProcess"])
        assert.strictEqual((yield* Effect.flip(pool.stats))._tag, "NoProcess")
        assert.strictEqual((yield* Effect.flip(Pool.named(keyed(), "pool").call(zero, "End")))._tag, "NoProcess")
        yield* pool.cast(zero, "End")
        assert.deepStrictEqual(yield* Process.list, [])
      }).pipe(provided)
    )

    it.effect("a pool that is killed takes its workers along, and nobody waits for it", () =>
      Effect.gen(function* () {
        const pool = yield* Pool.start(keyed({ init: partition => Effect.sleep(partition * 1_000) }))
        yield* pool.call(zero, "Do", { what: "" })
        const served = yield* Effect.fork(pool.call(zero, "Defer", { millis: 5_000 }))
        const waits = yield* Effect.fork(pool.call(one, "Do", { what: "" }))
        yield* settle
        yield* Process.exit(pool.pid, ExitReason.killed)
        yield* settle
        assert.deepStrictEqual(yield* outcomes([served, waits]), ["ServerExited", "NoProcess"])
        assert.deepStrictEqual(yield* Process.list, [])
      }).pipe(provided)
    )
  })
})
