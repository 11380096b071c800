import { assert, describe, it } from "@effect/vitest"
import { Chunk, Effect, Fiber, Queue, Stream, TestClock } from "effect"
import * as ExitReason from "../src/ExitReason.js"
import * as Observer from "../src/Observer.js"
import * as Process from "../src/Process.js"
import * as Supervisor from "../src/Supervisor.js"

const provided = Effect.provide(Process.layer)

const settle = TestClock.adjust(0)

/** One line for each thing observed. */
const tell = (observed: Observer.Observation): string => {
  switch (observed._tag) {
    case "Snapshot":
      return `snapshot of ${observed.roots.length}`
    case "Spawned":
      return `spawned ${observed.pid} by ${observed.parent ?? "nobody"}`
    case "Exited":
      return `exited ${observed.pid} ${ExitReason.format(observed.reason)}`
    case "Renamed":
      return `renamed ${observed.pid} ${observed.name ?? "nothing"}`
    case "Reported":
      return observed.report._tag === "ErrorReport"
        ? `${observed.report.errorContext} ${observed.report.offender.id}`
        : `started ${observed.report.started.id}`
  }
}

describe("Observer", () => {
  it.effect("shows the tree as it is, in start order", () =>
    Effect.gen(function* () {
      const top = yield* Supervisor.start({
        name: "top",
        strategy: "rest_for_one",
        children: [
          Supervisor.scoped("a", Effect.void),
          Supervisor.supervisor("inner", { name: "inner", children: [Supervisor.task("b", Effect.never)] })
        ]
      })
      yield* TestClock.adjust("3 seconds")
      yield* Process.spawn(Effect.never, { name: "loner" })
      const a = yield* Supervisor.whichChild(top, "a")
      if (a.pid instanceof Process.Pid) yield* Process.exit(a.pid, ExitReason.killed)
      yield* settle
      yield* Supervisor.terminateChild("inner", "b")
      const text = Observer.format(yield* Observer.snapshot)
      assert.deepStrictEqual(text.split("\n"), [
        "supervisor top <1 top> rest_for_one up=3s waiting=0",
        "  server id=a <6> up=0 waiting=0 restarts=1",
        "  supervisor inner <7 inner> one_for_one up=0 waiting=0 restarts=1 stopped=b",
        "process loner <5 loner> up=0 waiting=0"
      ])
    }).pipe(provided)
  )

  it.effect("shows by itself what has outlived its parent", () =>
    Effect.gen(function* () {
      const orphan = Process.spawn(Effect.never, { name: "orphan", link: true, trapExit: true })
      const parent = yield* Process.spawn(Effect.zipRight(orphan, Effect.never), { name: "parent" })
      yield* settle
      const shown = Effect.map(Observer.snapshot, nodes => Observer.format(nodes).split("\n"))
      assert.deepStrictEqual(yield* shown, [
        "process parent <1 parent> up=0 waiting=0",
        "  process orphan <2 orphan> up=0 waiting=0"
      ])
      yield* Process.exit(parent, ExitReason.killed)
      yield* settle
      assert.deepStrictEqual(yield* shown, ["process orphan <2 orphan> up=0 waiting=1"])
    }).pipe(provided)
  )

  it.effect("changes begin with the tree as it is and miss nothing that comes after", () =>
    Effect.gen(function* () {
      const top = yield* Supervisor.start({ name: "top", children: [Supervisor.scoped("a", Effect.void)] })
      const seen = yield* Effect.fork(Stream.runCollect(Stream.take(Observer.changes, 6)))
      yield* settle
      const a = yield* Supervisor.whichChild(top, "a")
      if (a.pid instanceof Process.Pid) yield* Process.exit(a.pid, ExitReason.killed)
      yield* settle
      const pid = yield* Process.spawn(Effect.never)
      yield* Process.register("late", pid)
      const told = Chunk.toReadonlyArray(yield* Fiber.join(seen)).map(tell)
      assert.deepStrictEqual(told, [
        "snapshot of 1",
        "exited <2> killed",
        "child_terminated a",
        "spawned <3> by <1 top>",
        "started a",
        "spawned <4> by nobody"
      ])
    }).pipe(provided)
  )

  it.effect("a reader that falls behind is given the tree anew, and goes on from there", () =>
    Effect.gen(function* () {
      const told = yield* Queue.bounded<string>(1)
      yield* Effect.fork(Stream.runForEach(Observer.changes, observed => Queue.offer(told, tell(observed))))
      assert.strictEqual(yield* Queue.take(told), "snapshot of 0")
      yield* settle
      for (let i = 0; i < 3_000; i++) yield* Process.spawn(Effect.never)
      const first = [yield* Queue.take(told)]
      while (!first.at(-1)?.startsWith("snapshot")) first.push(yield* Queue.take(told))
      assert.strictEqual(first.at(-1), "snapshot of 3000")
      assert.isBelow(first.length, 3_000)
      yield* settle
      yield* Process.spawn(Effect.never)
      assert.strictEqual(yield* Queue.take(told), "spawned <3001> by nobody")
    }).pipe(provided)
  )

  it.effect("nobody is listened to after the stream is closed", () =>
    Effect.gen(function* () {
      const kernel = yield* Process.ProcessTable
      const reader = yield* Effect.fork(Stream.runDrain(Observer.changes))
      yield* settle
      assert.isTrue(kernel.changes.wanted)
      yield* Fiber.interrupt(reader)
      assert.isFalse(kernel.changes.wanted)
    }).pipe(provided)
  )
})
