import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Option, TestClock } from "effect"
import * as ExitReason from "../src/ExitReason.js"
import * as Process from "../src/Process.js"

const inProcess = <A, E, R>(body: Effect.Effect<A, E, R>, options: Process.SpawnOptions = {}) =>
  Effect.gen(function* () {
    const result = yield* Deferred.make<A, E>()
    const { name: _, ...rest } = options
    yield* Process.spawn(Effect.intoDeferred(body, result), rest)
    return yield* Deferred.await(result)
  })

const forever = Effect.never

describe("Process", () => {
  describe("exit reasons", () => {
    it.effect("an effect that returns ends normally, one that fails or dies crashes with its cause", () =>
      Effect.gen(function* () {
        const go = yield* Deferred.make<void>()
        const fine = yield* Process.spawn(Deferred.await(go))
        const failing = yield* Process.spawn(Effect.zipRight(Deferred.await(go), Effect.fail("no")))
        const dying = yield* Process.spawn(Effect.zipRight(Deferred.await(go), Effect.die("bad")))
        const waits = yield* Effect.fork(
          Effect.all([fine, failing, dying].map(Process.awaitExit), { concurrency: "unbounded" })
        )
        yield* TestClock.adjust(0)
        yield* Deferred.succeed(go, undefined)
        const [a, b, c] = yield* waits
        assert.strictEqual(a?._tag, "Normal")
        assert.strictEqual(b?._tag, "Crash")
        assert.include(ExitReason.format(b ?? ExitReason.normal), "no")
        assert.include(ExitReason.format(c ?? ExitReason.normal), "bad")
      }).pipe(Effect.provide(Process.layer))
    )

    it.effect("an exit reason survives its schema", () =>
      Effect.sync(() => {
        for (const reason of [ExitReason.normal, ExitReason.shutdown(), ExitReason.killed, ExitReason.noProc]) {
          assert.isTrue(ExitReason.isExitReason(reason))
        }
        assert.isTrue(ExitReason.isClean(ExitReason.shutdown("later")))
        assert.isFalse(ExitReason.isClean(ExitReason.killed))
      })
    )

    it.effect("a process's scope is closed before its death is told", () =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const pid = yield* Process.spawn(
          Effect.zipRight(
            Effect.addFinalizer(() => Effect.sync(() => log.push("closed"))),
            forever
          )
        )
        yield* Effect.yieldNow()
        const told = yield* Effect.fork(Effect.map(Process.awaitExit(pid), reason => log.push(reason._tag)))
        yield* Effect.yieldNow()
        yield* Process.exit(pid, ExitReason.shutdown())
        yield* told
        assert.deepStrictEqual(log, ["closed", "Shutdown"])
      }).pipe(Effect.provide(Process.layer))
    )

    it.effect("a process ended before its first step never runs its effect", () =>
      Effect.gen(function* () {
        let ran = false
        const pid = yield* Process.spawn(Effect.sync(() => (ran = true)))
        yield* Process.exit(pid, ExitReason.shutdown())
        yield* Process.awaitExit(pid)
        assert.isFalse(ran)
      }).pipe(Effect.provide(Process.layer))
    )
  })

  describe("kill", () => {
    it.effect("does not wait for an uninterruptible region: dead, name and links released at once", () =>
      Effect.gen(function* () {
        const release = yield* Deferred.make<void>()
        const entered = yield* Deferred.make<void>()
        const stuck = Effect.uninterruptible(
          Effect.zipRight(Deferred.succeed(entered, undefined), Deferred.await(release))
        )
        const seen = yield* inProcess(
          Effect.gen(function* () {
            const pid = yield* Process.spawn(stuck, { name: "stuck", link: true })
            yield* Deferred.await(entered)
            yield* Process.exit(pid, ExitReason.killed)
            const alive = yield* Process.isAlive(pid)
            const holder = yield* Process.whereis("stuck")
            return { alive, holder, signal: yield* Process.receive }
          }),
          { trapExit: true }
        )
        assert.isFalse(seen.alive)
        assert.isTrue(Option.isNone(seen.holder))
        assert.strictEqual(seen.signal._tag, "ExitSignal")
        if (seen.signal._tag === "ExitSignal") assert.strictEqual(seen.signal.reason._tag, "Killed")
        yield* Deferred.succeed(release, undefined)
      }).pipe(Effect.provide(Process.layer))
    )

    it.effect("cannot be trapped, but Killed along a link can", () =>
      Effect.gen(function* () {
        const victim = yield* Process.spawn(forever, { trapExit: true })
        const waiting = yield* Effect.fork(Process.awaitExit(victim))
        yield* Effect.yieldNow()
        yield* Process.exit(victim, ExitReason.killed)
        assert.strictEqual((yield* waiting)._tag, "Killed")
      }).pipe(Effect.provide(Process.layer))
    )
  })

  describe("links", () => {
    it.effect("a linked, non-trapping group dies with the original reason; a trapper stops the cascade", () =>
      Effect.gen(function* () {
        const signal = yield* inProcess(
          Effect.gen(function* () {
            yield* Process.spawn(
              Effect.gen(function* () {
                yield* Process.spawn(Effect.die("boom"), { link: true })
                return yield* Effect.never
              }),
              { link: true }
            )
            return yield* Process.receive
          }),
          { trapExit: true }
        )
        assert.strictEqual(signal._tag, "ExitSignal")
        if (signal._tag === "ExitSignal") assert.include(ExitReason.format(signal.reason), "boom")
      }).pipe(Effect.provide(Process.layer))
    )

    it.effect("a normal end does not take links along, but a trapper hears of it", () =>
      Effect.gen(function* () {
        const outcome = yield* inProcess(
          Effect.gen(function* () {
            const child = yield* Process.spawn(Effect.void, { link: true })
            yield* Process.awaitExit(child)
            return "still here"
          })
        )
        assert.strictEqual(outcome, "still here")
      }).pipe(Effect.provide(Process.layer))
    )

    it.effect("linking to a dead process brings NoProc", () =>
      Effect.gen(function* () {
        const dead = yield* Process.spawn(Effect.void)
        yield* Process.awaitExit(dead)
        const signal = yield* inProcess(Effect.zipRight(Process.link(dead), Process.receive), { trapExit: true })
        assert.strictEqual(signal._tag, "ExitSignal")
        if (signal._tag === "ExitSignal") assert.strictEqual(signal.reason._tag, "NoProc")
      }).pipe(Effect.provide(Process.layer))
    )

    it.effect("after unlink no exit signal arrives", () =>
      Effect.gen(function* () {
        const got = yield* inProcess(
          Effect.gen(function* () {
            const self = yield* Effect.flatten(Process.self)
            const child = yield* Process.spawn(forever, { link: true })
            yield* Process.unlink(child)
            yield* Process.exit(child, ExitReason.killed)
            yield* Process.send(self, "marker")
            return yield* Process.receive
          }),
          { trapExit: true }
        )
        assert.strictEqual(got._tag, "Message")
      }).pipe(Effect.provide(Process.layer))
    )

    it.effect("an explicit normal is ignored by others and ends the sender itself", () =>
      Effect.gen(function* () {
        const other = yield* Process.spawn(forever)
        yield* Process.exit(other, ExitReason.normal)
        yield* Effect.yieldNow()
        assert.isTrue(yield* Process.isAlive(other))
        const self = yield* Process.spawn(
          Effect.flatMap(Effect.flatten(Process.self), pid =>
            Effect.zipRight(Process.exit(pid, ExitReason.normal), Effect.never)
          )
        )
        assert.strictEqual((yield* Process.awaitExit(self))._tag, "Normal")
      }).pipe(Effect.provide(Process.layer))
    )
  })

  describe("monitors", () => {
    it.effect("stack: each brings exactly one Down of its own", () =>
      Effect.gen(function* () {
        const refs = yield* inProcess(
          Effect.gen(function* () {
            const self = yield* Effect.flatten(Process.self)
            const target = yield* Process.spawn(forever)
            const one = yield* Process.monitor(target)
            const two = yield* Process.monitor(target)
            yield* Process.exit(target, ExitReason.killed)
            const first = yield* Process.receive
            const second = yield* Process.receive
            yield* Process.send(self, "marker")
            const third = yield* Process.receive
            return { one, two, first, second, third }
          })
        )
        assert.deepStrictEqual(
          [refs.first, refs.second].map(signal => (signal._tag === "Down" ? signal.ref.id : -1)),
          [refs.one.id, refs.two.id]
        )
        assert.strictEqual(refs.third._tag, "Message")
      }).pipe(Effect.provide(Process.layer))
    )

    it.effect("a dead target brings NoProc at once", () =>
      Effect.gen(function* () {
        const dead = yield* Process.spawn(Effect.void)
        yield* Process.awaitExit(dead)
        const signal = yield* inProcess(Effect.zipRight(Process.monitor(dead), Process.receive))
        assert.strictEqual(signal._tag === "Down" ? signal.reason._tag : "?", "NoProc")
      }).pipe(Effect.provide(Process.layer))
    )

    it.effect("demonitor tells whether it was active; with flush a Down that waits is taken out", () =>
      Effect.gen(function* () {
        const seen = yield* inProcess(
          Effect.gen(function* () {
            const self = yield* Effect.flatten(Process.self)
            const target = yield* Process.spawn(forever)
            const active = yield* Process.monitor(target)
            const before = yield* Process.demonitor(active)
            const again = yield* Process.demonitor(active)
            const late = yield* Process.monitor(target)
            yield* Process.exit(target, ExitReason.killed)
            const after = yield* Process.demonitor(late, { flush: true })
            yield* Process.send(self, "marker")
            return { before, again, after, next: yield* Process.receive }
          })
        )
        assert.deepStrictEqual([seen.before, seen.again, seen.after], [true, false, false])
        assert.strictEqual(seen.next._tag, "Message")
      }).pipe(Effect.provide(Process.layer))
    )

    it.effect("Down comes after every message the target sent before it died", () =>
      Effect.gen(function* () {
        const order = yield* inProcess(
          Effect.gen(function* () {
            const self = yield* Effect.flatten(Process.self)
            yield* Process.spawnMonitor(
              Effect.gen(function* () {
                for (let i = 0; i < 50; i++) yield* Process.send(self, i)
              })
            )
            const seen: Array<unknown> = []
            while (seen.length < 51) {
              const signal = yield* Process.receive
              seen.push(signal._tag === "Message" ? signal.body : signal._tag)
            }
            return seen
          })
        )
        assert.deepStrictEqual(order, [...Array.from({ length: 50 }, (_, i) => i), "Down"])
      }).pipe(Effect.provide(Process.layer))
    )
  })

  describe("names", () => {
    it.effect("are free before the exit and down notices arrive", () =>
      Effect.gen(function* () {
        const holder = yield* inProcess(
          Effect.gen(function* () {
            const [first] = yield* Process.spawnMonitor(forever, { name: "n", link: true })
            yield* Process.exit(first, ExitReason.killed)
            yield* Process.receive
            const second = yield* Process.spawn(forever, { name: "n" })
            return { second, whereis: yield* Process.whereis("n") }
          }),
          { trapExit: true }
        )
        assert.isTrue(Option.contains(holder.whereis, holder.second))
      }).pipe(Effect.provide(Process.layer))
    )

    it.effect("belong to one process; a process has one", () =>
      Effect.gen(function* () {
        const first = yield* Process.spawn(forever, { name: "n" })
        const taken = yield* Effect.flip(Process.spawn(forever, { name: "n" }))
        assert.strictEqual(taken._tag, "NameTaken")
        assert.strictEqual((yield* Effect.flip(Process.register("m", first)))._tag, "NotRegistrable")
        assert.isTrue(yield* Process.unregister("n"))
        yield* Process.register("m", first)
        assert.isTrue(Option.contains(yield* Process.whereis("m"), first))
        assert.strictEqual((yield* Process.list).length, 1)
      }).pipe(Effect.provide(Process.layer))
    )
  })

  it.effect("a full mailbox refuses messages, never signals", () =>
    Effect.gen(function* () {
      const pid = yield* Process.spawn(forever, { mailboxCapacity: 2, trapExit: true })
      assert.deepStrictEqual(yield* Effect.all([1, 2, 3].map(n => Process.send(pid, n))), [true, true, false])
      yield* Process.exit(pid, ExitReason.shutdown())
      assert.isTrue(yield* Process.isAlive(pid))
    }).pipe(Effect.provide(Process.layer))
  )

  it.effect("two tables share nothing", () =>
    Effect.gen(function* () {
      const pid = yield* Process.spawn(forever, { name: "n" })
      const other = yield* Effect.all([Process.isAlive(pid), Process.whereis("n")]).pipe(Effect.provide(Process.layer))
      assert.isFalse(other[0])
      assert.isTrue(Option.isNone(other[1]))
    }).pipe(Effect.provide(Process.layer))
  )
})
