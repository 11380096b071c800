import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Option } from "effect"
import * as ExitReason from "../../src/ExitReason.js"
import * as Process from "../../src/Process.js"
import * as Sys from "../../src/Sys.js"
import { actor, boom, dead, flush, heard, idle, inProcess, provided, settle } from "./processes.js"

describe("monitors", () => {
  const cases: ReadonlyArray<readonly [name: string, ends: Effect.Effect<unknown>, expected: string]> = [
    ["case_1: a target that ends normally", Effect.void, "down target normal"],
    ["case_1a: a target that ends abnormally", Effect.die("boom"), "down target crash: Error: boom"]
  ]
  for (const [name, ends, expected] of cases) {
    it.effect(`${name} brings one Down with its reason`, () =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        const watcher = yield* actor("watcher")
        const target = yield* Process.spawn(Effect.zipRight(Deferred.await(gate), ends), { label: "target" })
        yield* watcher.do(Process.monitor(target))
        yield* Deferred.succeed(gate, undefined)
        assert.deepStrictEqual(yield* heard(watcher), [expected])
      }).pipe(provided)
    )
  }

  it.effect("case_2: the watcher dies first: the target is not told", () =>
    Effect.gen(function* () {
      const watcher = yield* actor("watcher")
      const target = yield* actor("target", { trapExit: true })
      yield* watcher.do(Process.monitor(target.pid))
      yield* Process.exit(watcher.pid, boom)
      assert.deepStrictEqual(yield* heard(target), [])
      assert.isTrue(yield* Process.isAlive(target.pid))
    }).pipe(provided)
  )

  it.effect("case_2a: watcher and target that monitor each other: who is left gets its Down", () =>
    Effect.gen(function* () {
      const one = yield* actor("one")
      const other = yield* actor("other")
      yield* one.do(Process.monitor(other.pid))
      yield* other.do(Process.monitor(one.pid))
      yield* Process.exit(one.pid, boom)
      assert.deepStrictEqual(yield* heard(other), ["down one crash: Error: boom"])
    }).pipe(provided)
  )

  it.effect("mon_e_1: monitors belong to processes: to monitor from outside one is a defect", () =>
    Effect.gen(function* () {
      const target = yield* idle("target")
      for (const effect of [
        Effect.asVoid(Process.monitor(target)),
        Effect.asVoid(Process.monitorName("n")),
        Effect.asVoid(Process.spawnMonitor(Effect.void))
      ]) {
        assert.match(String(yield* Effect.flip(Effect.sandbox(effect))), /must run inside a process/)
      }
    }).pipe(provided)
  )

  it.effect("demon_1: a removed monitor brings no Down", () =>
    inProcess(
      Effect.gen(function* () {
        const target = yield* idle("target")
        assert.isTrue(yield* Process.demonitor(yield* Process.monitor(target)))
        yield* Process.exit(target, ExitReason.killed)
        assert.deepStrictEqual(yield* flush, [])
      })
    ).pipe(provided)
  )

  it.effect("demon_2: a monitor can be removed twice; only the first time it was active", () =>
    inProcess(
      Effect.gen(function* () {
        const ref = yield* Process.monitor(yield* idle("target"))
        assert.deepStrictEqual([yield* Process.demonitor(ref), yield* Process.demonitor(ref)], [true, false])
      })
    ).pipe(provided)
  )

  it.effect("demon_3, demon_e_1: to remove the monitor of another is a defect, and removes nothing", () =>
    Effect.gen(function* () {
      const watcher = yield* actor("watcher")
      const target = yield* idle("target")
      const ref = yield* watcher.do(Process.monitor(target))
      const cause = yield* inProcess(Effect.flip(Effect.sandbox(Process.demonitor(ref))))
      assert.match(String(cause), /cannot remove a monitor of <\d+ watcher>/)
      yield* Process.exit(target, ExitReason.killed)
      assert.deepStrictEqual(yield* heard(watcher), ["down target killed"])
    }).pipe(provided)
  )

  it.effect("monitor_order: Down comes after all messages the target sent before it died", () =>
    inProcess(
      Effect.gen(function* () {
        const self = yield* Effect.flatten(Process.self)
        yield* Process.spawnMonitor(
          Effect.forEach([1, 2, 3, 4, 5], n => Process.send(self, n)),
          { label: "target" }
        )
        assert.deepStrictEqual(yield* flush, ["1", "2", "3", "4", "5", "down target normal"])
      })
    ).pipe(provided)
  )

  it.effect("monitor_named_order_local: so it does for a monitor by name and messages sent by name", () =>
    Effect.gen(function* () {
      const watcher = yield* actor("watcher")
      yield* Process.register("watcher", watcher.pid)
      const target = yield* actor("target")
      yield* Process.register("target", target.pid)
      yield* watcher.do(Process.monitorName("target"))
      yield* target.do(Effect.forEach([1, 2, 3], n => Process.sendName("watcher", n)))
      yield* Process.exit(target.pid, ExitReason.killed)
      assert.deepStrictEqual(yield* heard(watcher), ["1", "2", "3", "down target killed"])
    }).pipe(provided)
  )

  it.effect("4.4: monitors stack: each brings exactly one Down, with its own reference", () =>
    inProcess(
      Effect.gen(function* () {
        const target = yield* idle("target")
        const refs = yield* Effect.replicateEffect(Process.monitor(target), 5)
        yield* Process.exit(target, ExitReason.killed)
        yield* settle
        const downs = yield* Effect.replicateEffect(Process.receive, 5)
        assert.sameMembers(
          downs.map(down => (down._tag === "Down" ? down.ref : undefined)),
          refs
        )
        assert.deepStrictEqual(yield* flush, [])
      })
    ).pipe(provided)
  )

  it.effect("4.4: of stacked monitors one can be removed, and the others stand", () =>
    inProcess(
      Effect.gen(function* () {
        const target = yield* idle("target")
        const [first, second] = [yield* Process.monitor(target), yield* Process.monitor(target)]
        yield* Process.demonitor(first)
        yield* Process.exit(target, ExitReason.killed)
        const down = yield* Process.receive
        assert.strictEqual(down._tag === "Down" ? down.ref : undefined, second)
        assert.deepStrictEqual(yield* flush, [])
      })
    ).pipe(provided)
  )

  it.effect("4.4: a target that is dead already brings noproc at once", () =>
    inProcess(
      Effect.gen(function* () {
        const ref = yield* Process.monitor(yield* dead)
        assert.isFalse(yield* Process.demonitor(ref))
        assert.deepStrictEqual(yield* flush, ["down dead noproc"])
      })
    ).pipe(provided)
  )

  it.effect("4.4: spawning with a monitor is one step: a child that dies at once tells why, not noproc", () =>
    inProcess(
      Effect.gen(function* () {
        const [pid, ref] = yield* Process.spawnMonitor(Effect.die("boom"), { label: "child" })
        const down = yield* Process.receive
        assert.deepInclude(down, { pid, ref })
        assert.strictEqual(down._tag === "Down" ? ExitReason.format(down.reason) : "", "crash: Error: boom")
      })
    ).pipe(provided)
  )

  it.effect("4.4: a monitor by name tells the name, and stays with the process that had it", () =>
    inProcess(
      Effect.gen(function* () {
        const first = yield* Process.spawn(Effect.never, { name: "n" })
        const ref = yield* Process.monitorName("n")
        assert.strictEqual(ref.name, "n")
        yield* Process.unregister("n")
        const second = yield* Process.spawn(Effect.never, { name: "n" })
        yield* Process.exit(second, ExitReason.killed)
        assert.deepStrictEqual(yield* flush, [])
        yield* Process.exit(first, ExitReason.killed)
        const down = yield* Process.receive
        assert.deepInclude(down, { pid: first, ref })
      })
    ).pipe(provided)
  )

  it.effect("4.4: a monitor of a name nobody has brings noproc at once, and tells the name", () =>
    inProcess(
      Effect.gen(function* () {
        const ref = yield* Process.monitorName("nobody")
        const down = yield* Process.receive
        assert.deepInclude(down, { ref, reason: ExitReason.noProc })
        assert.strictEqual(ref.name, "nobody")
      })
    ).pipe(provided)
  )

  it.effect("4.4: demonitor without flush leaves a Down that waits; with flush it is taken out, and only that", () =>
    inProcess(
      Effect.gen(function* () {
        const target = yield* idle("target")
        const other = yield* idle("other")
        const refs = [yield* Process.monitor(target), yield* Process.monitor(target)] as const
        yield* Process.monitor(other)
        for (const pid of [target, other]) yield* Process.exit(pid, ExitReason.killed)
        yield* settle
        assert.isFalse(yield* Process.demonitor(refs[0]))
        assert.isFalse(yield* Process.demonitor(refs[1], { flush: true }))
        assert.deepStrictEqual(yield* flush, ["down target killed", "down other killed"])
      })
    ).pipe(provided)
  )

  it.effect("4.4: demonitor with flush of an active monitor tells that it was, and no Down comes", () =>
    inProcess(
      Effect.gen(function* () {
        const target = yield* idle("target")
        assert.isTrue(yield* Process.demonitor(yield* Process.monitor(target), { flush: true }))
        yield* Process.exit(target, ExitReason.killed)
        assert.deepStrictEqual(yield* flush, [])
      })
    ).pipe(provided)
  )

  it.effect("4.4: the watcher's death removes its monitors", () =>
    Effect.gen(function* () {
      const target = yield* idle("target")
      for (const reason of [ExitReason.shutdown(), ExitReason.killed]) {
        const watcher = yield* actor("watcher")
        yield* watcher.do(Effect.replicateEffect(Process.monitor(target), 3))
        assert.strictEqual((yield* Sys.status({ pid: target })).monitoredBy, 3)
        yield* Process.exit(watcher.pid, reason)
        yield* settle
        assert.strictEqual((yield* Sys.status({ pid: target })).monitoredBy, 0)
      }
    }).pipe(provided)
  )

  it.effect("4.4: a monitor of oneself brings nothing", () =>
    inProcess(
      Effect.gen(function* () {
        const ref = yield* Effect.flatMap(Effect.flatten(Process.self), Process.monitor)
        assert.deepStrictEqual(yield* flush, [])
        assert.isTrue(yield* Process.demonitor(ref))
      })
    ).pipe(provided)
  )

  it.effect("4.4: linked and monitored, a process's death tells both, once each", () =>
    inProcess(
      Effect.gen(function* () {
        const [pid] = yield* Process.spawnMonitor(Effect.never, { link: true, label: "child" })
        yield* Process.exit(pid, ExitReason.killed)
        assert.sameMembers(yield* flush, ["exit child killed", "down child killed"])
      })
    ).pipe(provided)
  )

  it.effect("4.1: names are released before exit and down notices go out: whoever is told can take the name", () =>
    inProcess(
      Effect.gen(function* () {
        for (const ends of [ExitReason.killed, ExitReason.shutdown(), boom]) {
          const [first] = yield* Process.spawnMonitor(Effect.never, { name: "n", link: true })
          yield* Process.exit(first, ends)
          for (const told of [yield* Process.receive, yield* Process.receive]) {
            assert.include(["Down", "ExitSignal"], told._tag)
            const second = yield* Process.spawn(Effect.never, { name: "n" })
            assert.isTrue(Option.contains(yield* Process.whereis("n"), second))
            yield* Process.exit(second, ExitReason.killed)
          }
        }
      })
    ).pipe(provided)
  )
})
