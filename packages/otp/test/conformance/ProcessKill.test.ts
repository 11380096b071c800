import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Option } from "effect"
import * as ExitReason from "../../src/ExitReason.js"
import * as GenServer from "../../src/GenServer.js"
import * as Process from "../../src/Process.js"
import { actor, boom, endOf, flush, get, heard, inProcess, logging, provided, scripted, settle } from "./processes.js"

/** A process called "stuck" in a region that nothing interrupts, and what opens it. */
const stuck = (journal: Array<string> = []) =>
  Effect.gen(function* () {
    const entered = yield* Deferred.make<void>()
    const release = yield* Deferred.make<void>()
    const pid = yield* Process.spawn(
      Effect.gen(function* () {
        yield* Effect.addFinalizer(() => Effect.sync(() => journal.push("finalizer")))
        yield* Effect.uninterruptible(Effect.zipRight(Deferred.succeed(entered, undefined), Deferred.await(release)))
        journal.push("after the region")
      }),
      { name: "stuck" }
    )
    yield* Deferred.await(entered)
    return { pid, release: Effect.zipRight(Deferred.succeed(release, undefined), settle) }
  })

describe("kill", () => {
  it.effect("§6: does not wait for an uninterruptible region: dead at once, links and monitors told at once", () =>
    Effect.gen(function* () {
      const watcher = yield* actor("watcher", { trapExit: true })
      const { pid, release } = yield* stuck()
      yield* watcher.do(Effect.zipRight(Process.link(pid), Process.monitor(pid)))
      const end = yield* endOf(pid)
      yield* Process.exit(pid, ExitReason.killed)
      assert.isFalse(yield* Process.isAlive(pid))
      assert.deepStrictEqual(yield* Process.list, [watcher.pid])
      assert.strictEqual((yield* end)._tag, "Killed")
      assert.sameMembers(yield* heard(watcher), ["exit stuck killed", "down stuck killed"])
      yield* release
    }).pipe(provided)
  )

  it.effect("§6: the name is free at once, while the ghost is still in its region", () =>
    Effect.gen(function* () {
      const { pid, release } = yield* stuck()
      yield* Process.exit(pid, ExitReason.killed)
      const second = yield* Process.spawn(Effect.never, { name: "stuck" })
      yield* release
      assert.isTrue(Option.contains(yield* Process.whereis("stuck"), second))
    }).pipe(provided)
  )

  it.effect("§6: finalizers run later, when the region is left, and the code behind it does not", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const { pid, release } = yield* stuck(journal)
      yield* Process.exit(pid, ExitReason.killed)
      yield* settle
      assert.deepStrictEqual(journal, [])
      yield* release
      assert.deepStrictEqual(journal, ["finalizer"])
    }).pipe(provided)
  )

  it.effect("§6: when the ghost is gone at last, nobody is told a second time", () =>
    Effect.gen(function* () {
      const watcher = yield* actor("watcher", { trapExit: true })
      const { pid, release } = yield* stuck()
      yield* watcher.do(Effect.zipRight(Process.link(pid), Process.monitor(pid)))
      yield* Process.exit(pid, ExitReason.killed)
      yield* Process.exit(pid, ExitReason.killed)
      assert.lengthOf(yield* heard(watcher), 2)
      yield* release
      assert.deepStrictEqual(yield* heard(watcher), [])
    }).pipe(provided)
  )

  it.effect("§6: another exit signal waits for the region, and tells its reason when it is through", () =>
    Effect.gen(function* () {
      const { pid, release } = yield* stuck()
      const end = yield* endOf(pid)
      yield* Process.exit(pid, boom)
      yield* settle
      assert.isTrue(yield* Process.isAlive(pid))
      yield* release
      assert.strictEqual(yield* end, boom)
    }).pipe(provided)
  )

  it.effect("§6: kill overtakes an orderly end whose finalizers hang", () =>
    Effect.gen(function* () {
      const pid = yield* Process.spawn(
        Effect.zipRight(
          Effect.addFinalizer(() => Effect.never),
          Effect.never
        )
      )
      yield* settle
      const end = yield* endOf(pid)
      yield* Process.exit(pid, ExitReason.shutdown())
      yield* settle
      yield* Process.exit(pid, ExitReason.killed)
      assert.strictEqual((yield* end)._tag, "Killed")
    }).pipe(provided)
  )

  it.effect("§6: a process killed before its first step never runs its effect, and tells that it was killed", () =>
    inProcess(
      Effect.gen(function* () {
        let ran = false
        const [pid] = yield* Process.spawnMonitor(
          Effect.sync(() => (ran = true)),
          { label: "child" }
        )
        yield* Process.exit(pid, ExitReason.killed)
        assert.deepStrictEqual(yield* flush, ["down child killed"])
        assert.isFalse(ran)
      })
    ).pipe(provided)
  )

  it.effect("§6: a ghost that fails in the end does not go unheard: the log has it", () =>
    logging(lines =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        const pid = yield* Process.spawn(
          Effect.uninterruptible(Effect.zipRight(Deferred.await(gate), Effect.die("in the region")))
        )
        yield* settle
        yield* Process.exit(pid, ExitReason.killed)
        yield* Deferred.succeed(gate, undefined)
        yield* settle
        assert.deepStrictEqual(
          lines.map(line => line.cause),
          ["crash: Error: in the region"]
        )
      }).pipe(provided)
    )
  )

  it.effect(
    "§6: a killed server runs no terminate, not even when it was in a region, and its callers are told at once",
    () =>
      Effect.gen(function* () {
        const journal: Array<string> = []
        const gate = yield* Deferred.make<void>()
        const server = yield* GenServer.start(scripted(journal, { trapExit: true }))
        const busy = yield* Effect.fork(
          Effect.flip(
            server.call("Run", n => Effect.uninterruptible(Effect.as(Deferred.await(gate), GenServer.reply(n, n))))
          )
        )
        yield* settle
        const queued = yield* Effect.fork(Effect.flip(server.call("Run", get)))
        yield* settle
        yield* Process.exit(server.pid, ExitReason.killed)
        for (const error of [yield* busy, yield* queued]) assert.deepInclude(error, { reason: ExitReason.killed })
        const later = yield* Effect.flip(server.call("Run", get))
        assert.deepInclude(later, { _tag: "NoProcess" })
        yield* Deferred.succeed(gate, undefined)
        yield* settle
        assert.deepStrictEqual(journal, [])
      }).pipe(provided)
  )

  it.effect("§6: a killed server's ghost serves nothing that waited in its mailbox", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const gate = yield* Deferred.make<void>()
      const server = yield* GenServer.start(scripted(journal))
      yield* server.cast("Run", n => Effect.uninterruptible(Effect.as(Deferred.await(gate), GenServer.noReply(n))))
      yield* settle
      yield* server.send("queued")
      yield* Process.exit(server.pid, ExitReason.killed)
      yield* Deferred.succeed(gate, undefined)
      yield* settle
      assert.deepStrictEqual(journal, [])
    }).pipe(provided)
  )

  it.effect("§6: a ghost finds nothing in its mailbox, neither what waited there nor what is sent to it now", () =>
    Effect.gen(function* () {
      const heard: Array<unknown> = []
      const gate = yield* Deferred.make<void>()
      const pid = yield* Process.spawn(
        Effect.uninterruptible(
          Effect.zipRight(
            Deferred.await(gate),
            Effect.forever(Effect.map(Process.receive, signal => heard.push(signal)))
          )
        )
      )
      yield* settle
      assert.isTrue(yield* Process.send(pid, "before"))
      yield* Process.exit(pid, ExitReason.killed)
      assert.isFalse(yield* Process.send(pid, "after"))
      yield* Deferred.succeed(gate, undefined)
      yield* settle
      assert.deepStrictEqual(heard, [])
    }).pipe(provided)
  )

  it.effect("§6: kill during terminate ends the server as killed", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const server = yield* GenServer.start(scripted(journal, { terminate: Effect.never }))
      const end = yield* endOf(server.pid)
      yield* Effect.fork(GenServer.stopServer(server))
      yield* settle
      assert.deepStrictEqual(journal, ["terminate normal"])
      yield* Process.exit(server.pid, ExitReason.killed)
      assert.strictEqual((yield* end)._tag, "Killed")
    }).pipe(provided)
  )
})
