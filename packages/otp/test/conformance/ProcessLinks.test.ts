import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as ExitReason from "../../src/ExitReason.js"
import * as Process from "../../src/Process.js"
import * as Sys from "../../src/Sys.js"
import { actor, boom, dead, endOf, flush, heard, idle, inProcess, provided, settle } from "./processes.js"

describe("links", () => {
  it.effect("4.3: a link goes both ways: whichever dies, the other is told", () =>
    Effect.gen(function* () {
      for (const first of ["one", "other"] as const) {
        const one = yield* actor("one", { trapExit: true })
        const other = yield* actor("other", { trapExit: true })
        yield* one.do(Process.link(other.pid))
        const [dying, left] = first === "one" ? [one, other] : [other, one]
        yield* Process.exit(dying.pid, ExitReason.killed)
        assert.deepStrictEqual(yield* heard(left), [`exit ${first} killed`])
      }
    }).pipe(provided)
  )

  it.effect("4.3: there is at most one link per pair: linked twice from both sides, one exit signal", () =>
    Effect.gen(function* () {
      const one = yield* actor("one", { trapExit: true })
      const other = yield* actor("other")
      yield* one.do(Effect.zipRight(Process.link(other.pid), Process.link(other.pid)))
      yield* other.do(Process.link(one.pid))
      assert.deepStrictEqual((yield* Sys.status(one)).links, [other.pid])
      yield* Process.exit(other.pid, boom)
      assert.deepStrictEqual(yield* heard(one), ["exit other crash: Error: boom"])
    }).pipe(provided)
  )

  it.effect("4.3: linked twice, one unlink is enough", () =>
    Effect.gen(function* () {
      const one = yield* actor("one", { trapExit: true })
      const other = yield* idle("other")
      yield* one.do(Effect.all([Process.link(other), Process.link(other), Process.unlink(other)]))
      yield* Process.exit(other, boom)
      assert.deepStrictEqual(yield* heard(one), [])
    }).pipe(provided)
  )

  it.effect("4.3: either side can unlink, and the other hears nothing of it", () =>
    Effect.gen(function* () {
      const one = yield* actor("one", { trapExit: true })
      const other = yield* actor("other", { trapExit: true })
      yield* one.do(Process.link(other.pid))
      yield* other.do(Process.unlink(one.pid))
      yield* Process.exit(one.pid, ExitReason.killed)
      assert.deepStrictEqual(yield* heard(other), [])
    }).pipe(provided)
  )

  it.effect("4.3: after unlink no exit signal of the link arrives; one that waits already stays", () =>
    inProcess(
      Effect.gen(function* () {
        const early = yield* idle("early", { link: true })
        const late = yield* idle("late", { link: true })
        yield* Process.exit(early, ExitReason.killed)
        yield* Process.unlink(early)
        yield* Process.unlink(late)
        yield* Process.exit(late, ExitReason.killed)
        assert.deepStrictEqual(yield* flush, ["exit early killed"])
      })
    ).pipe(provided)
  )

  it.effect("4.3: an unlinked process can be linked again", () =>
    inProcess(
      Effect.gen(function* () {
        const other = yield* idle("other", { link: true })
        yield* Process.unlink(other)
        yield* Process.link(other)
        yield* Process.exit(other, ExitReason.killed)
        assert.deepStrictEqual(yield* flush, ["exit other killed"])
      })
    ).pipe(provided)
  )

  it.effect("4.3: spawning with a link is one step: a child that dies at once tells why, not noproc", () =>
    inProcess(
      Effect.gen(function* () {
        yield* Process.spawn(Effect.die("boom"), { link: true, label: "first" })
        const never = yield* idle("second", { link: true })
        yield* Process.exit(never, ExitReason.shutdown("before its first step"))
        assert.sameMembers(yield* flush, [
          "exit first crash: Error: boom",
          "exit second shutdown (before its first step)"
        ])
      })
    ).pipe(provided)
  )

  it.effect("4.3: linking to a dead process brings its exit signal noproc to one that traps", () =>
    inProcess(
      Effect.gen(function* () {
        yield* Process.link(yield* dead)
        assert.deepStrictEqual(yield* flush, ["exit dead noproc"])
      })
    ).pipe(provided)
  )

  it.effect("4.3: linking to a dead process ends one that does not trap with noproc", () =>
    Effect.gen(function* () {
      const one = yield* actor("one")
      const end = yield* endOf(one.pid)
      yield* Effect.fork(one.do(Effect.flatMap(dead, Process.link)))
      assert.strictEqual((yield* end)._tag, "NoProc")
    }).pipe(provided)
  )

  it.effect("4.3: a link to oneself is none", () =>
    Effect.gen(function* () {
      const one = yield* actor("one", { trapExit: true })
      yield* one.do(Process.link(one.pid))
      assert.deepStrictEqual((yield* Sys.status(one)).links, [])
      yield* Process.exit(one.pid, ExitReason.killed)
      assert.deepStrictEqual(yield* heard(one), [])
    }).pipe(provided)
  )

  it.effect("4.3: a linked group that does not trap dies with the reason of the first", () =>
    Effect.gen(function* () {
      const actors = yield* Effect.forEach([0, 1, 2, 3, 4], n => actor(`actor ${n}`))
      for (const [n, one] of actors.entries()) {
        const next = actors[n + 1]
        if (next !== undefined) yield* one.do(Process.link(next.pid))
      }
      const ends = yield* Effect.forEach(actors, one => endOf(one.pid))
      // In the middle: it goes both ways.
      yield* Process.exit((actors[2] ?? assert.fail()).pid, boom)
      for (const end of ends) assert.strictEqual(yield* end, boom)
    }).pipe(provided)
  )

  it.effect("4.3: one that traps stops the cascade at itself", () =>
    Effect.gen(function* () {
      const first = yield* actor("first")
      const trapper = yield* actor("trapper", { trapExit: true })
      const behind = yield* actor("behind")
      yield* trapper.do(Effect.zipRight(Process.link(first.pid), Process.link(behind.pid)))
      yield* Process.exit(first.pid, boom)
      assert.deepStrictEqual(yield* heard(trapper), ["exit first crash: Error: boom"])
      assert.isTrue(yield* Process.isAlive(behind.pid))
    }).pipe(provided)
  )

  it.effect("4.3: a normal end takes nobody along, but one that traps hears of it", () =>
    Effect.gen(function* () {
      const trapping = yield* actor("trapping", { trapExit: true })
      const plain = yield* actor("plain")
      for (const one of [trapping, plain]) {
        yield* one.do(Process.spawn(Effect.void, { link: true, label: "child" }))
      }
      assert.deepStrictEqual(yield* heard(trapping), ["exit child normal"])
      assert.isTrue(yield* Process.isAlive(plain.pid))
    }).pipe(provided)
  )

  it.effect("4.3: a killed process's links get killed as a reason like any other: it goes on along their links", () =>
    Effect.gen(function* () {
      const trapper = yield* actor("trapper", { trapExit: true })
      const middle = yield* actor("middle")
      const victim = yield* idle("victim")
      yield* middle.do(Effect.zipRight(Process.link(victim), Process.link(trapper.pid)))
      yield* Process.exit(victim, ExitReason.killed)
      assert.deepStrictEqual(yield* heard(trapper), ["exit middle killed"])
    }).pipe(provided)
  )

  it.effect("4.3: links end with the process: nothing is left of them at the other side", () =>
    Effect.gen(function* () {
      const one = yield* actor("one", { trapExit: true })
      const other = yield* idle("other")
      yield* one.do(Process.link(other))
      yield* Process.exit(other, ExitReason.killed)
      assert.deepStrictEqual((yield* Sys.status(one)).links, [])
    }).pipe(provided)
  )

  it.effect("§6: a fiber that outlives its process has no links and monitors any more", () =>
    Effect.gen(function* () {
      const other = yield* actor("other", { trapExit: true })
      const one = yield* actor("one")
      const late = yield* one.do(
        Effect.forkDaemon(
          Effect.zipRight(
            settle,
            Effect.all([Process.link(other.pid), Process.monitor(other.pid), Process.monitor(one.pid)])
          )
        )
      )
      yield* Process.exit(one.pid, ExitReason.killed)
      yield* late
      const status = yield* Sys.status(other)
      assert.deepStrictEqual([status.links, status.monitoredBy], [[], 0])
    }).pipe(provided)
  )

  it.effect("§6: a process spawned with a link by a fiber that has outlived its process ends with noproc", () =>
    Effect.gen(function* () {
      const one = yield* actor("one")
      const late = yield* one.do(
        Effect.forkDaemon(Effect.zipRight(settle, Effect.flatMap(idle("orphan", { link: true }), Process.awaitExit)))
      )
      yield* Process.exit(one.pid, ExitReason.killed)
      assert.strictEqual((yield* late)._tag, "NoProc")
    }).pipe(provided)
  )

  it.effect("4.3: links belong to processes: to link from outside one is a defect", () =>
    Effect.gen(function* () {
      const other = yield* idle("other")
      for (const effect of [Process.link(other), Process.unlink(other), Process.trapExit(true)]) {
        assert.match(String(yield* Effect.flip(Effect.sandbox(effect))), /must run inside a process/)
      }
    }).pipe(provided)
  )
})
