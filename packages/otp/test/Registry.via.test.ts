import { Rpc, RpcGroup } from "@effect/rpc"
import { assert, describe, it } from "@effect/vitest"
import { Data, Effect, Layer, Option, Schema, TestClock } from "effect"
import * as ExitReason from "../src/ExitReason.js"
import * as GenServer from "../src/GenServer.js"
import * as Process from "../src/Process.js"
import * as Registry from "../src/Registry.js"
import * as Supervisor from "../src/Supervisor.js"
import { agent, defectOf } from "./helpers/agents.js"

const provided = Effect.provide(Process.layer)

/** Lets everything that can run do so; no time passes. */
const settle = TestClock.adjust(0)

class Room extends Data.Class<{ readonly house: string; readonly number: number }> {}

describe("Registry, via names", () => {
  const Echo = RpcGroup.make(Rpc.make("Who", { success: Schema.Number }), Rpc.make("Crash"))
  let inits = 0
  const echo = GenServer.make(Echo, {
    init: () =>
      Effect.map(Effect.orDie(Effect.flatten(Process.self)), pid => {
        inits++
        return pid.id
      }),
    handlers: {
      Who: (_, id) => GenServer.reply(id, id),
      Crash: () => Effect.dieMessage("boom")
    }
  })

  it.effect("a server is started under a key and found by it, for calls, messages and monitors", () =>
    Effect.gen(function* () {
      const registry = yield* Registry.make<Room>({ keys: "unique" })
      const name = Registry.via(registry, new Room({ house: "h", number: 1 }))
      const ref = yield* GenServer.start(echo, { name })
      assert.strictEqual(yield* GenServer.named(echo, name).call("Who"), ref.pid.id)
      assert.deepStrictEqual(yield* Process.whereis(name), Option.some(ref.pid))
      assert.isTrue(yield* Process.sendName(name, "hello"))
      const watcher = yield* agent()
      const down = watcher.do(
        Effect.gen(function* () {
          const monitor = yield* Process.monitorName(name)
          yield* Process.exit(ref.pid, ExitReason.killed)
          return [monitor, yield* Process.receive] as const
        })
      )
      const [monitor, signal] = yield* down
      assert.strictEqual(monitor.name, `registry/{"house":"h","number":1}`)
      assert.isTrue(signal._tag === "Down" && signal.ref === monitor)
      assert.strictEqual((yield* Effect.flip(Process.sendName(name, "hello")))._tag, "NameNotRegistered")
      const none = yield* Effect.flip(GenServer.named(echo, name).call("Who"))
      assert.strictEqual(none._tag, "NoProcess")
    }).pipe(provided)
  )

  it.effect("a second start under the key fails with the holder and its init does not run", () =>
    Effect.gen(function* () {
      const registry = yield* Registry.make<number>({ keys: "unique", name: "accounts" })
      const ref = yield* GenServer.start(echo, { name: Registry.via(registry, 42) })
      inits = 0
      const error = yield* Effect.flip(GenServer.start(echo, { name: Registry.via(registry, 42) }))
      assert.isTrue(error._tag === "AlreadyStarted" && error.name === "accounts/42" && error.pid === ref.pid)
      const taken = yield* Effect.flip(Process.spawn(Effect.void, { name: Registry.via(registry, 42) }))
      assert.strictEqual(taken.holder, ref.pid.label)
      assert.strictEqual(inits, 0)
      assert.deepStrictEqual(yield* Process.list, [ref.pid])
    }).pipe(provided)
  )

  it.effect("the key is the process's own before init runs, and free again when init fails", () =>
    Effect.gen(function* () {
      const registry = yield* Registry.make<string>({ keys: "unique" })
      let holder: Option.Option<Process.Pid> = Option.none()
      const failing = GenServer.make(RpcGroup.make(), {
        init: () =>
          Effect.zipRight(
            Effect.map(Registry.whereis(registry, "k"), pid => (holder = pid)),
            Effect.fail("no")
          ),
        handlers: {}
      })
      const error = yield* Effect.flip(GenServer.start(failing, { name: Registry.via(registry, "k") }))
      assert.strictEqual(error._tag, "StartFailed")
      assert.isTrue(Option.isSome(holder))
      assert.strictEqual(yield* Registry.count(registry), 0)
      yield* GenServer.start(echo, { name: Registry.via(registry, "k") })
    }).pipe(provided)
  )

  it.effect("a supervisor's restart of a child under a key never finds the key taken", () =>
    Effect.gen(function* () {
      const registry = yield* Registry.make<string>({ keys: "unique" })
      const name = Registry.via(registry, "k")
      yield* Supervisor.start({
        intensity: 20,
        children: [Supervisor.worker("echo", GenServer.startLink(echo, { name }))]
      })
      const pids = new Set<number>()
      for (let i = 0; i < 20; i++) {
        const holder = yield* Effect.flatten(Registry.whereis(registry, "k"))
        pids.add(holder.id)
        if (i % 2 === 0) yield* Process.exit(holder, ExitReason.killed)
        else yield* Effect.exit(GenServer.named(echo, name).call("Crash"))
        yield* settle
      }
      assert.strictEqual(pids.size, 20)
      assert.isFalse(pids.has(yield* GenServer.named(echo, name).call("Who")))
    }).pipe(provided)
  )

  it.effect("a name with a value registers it; a holder's name only finds, and a start under it leaves nothing", () =>
    Effect.gen(function* () {
      const registry = yield* Registry.make<string, number>({ keys: "unique" })
      const ref = yield* GenServer.start(echo, { name: Registry.via(registry, "k", 7) })
      assert.deepStrictEqual(yield* Registry.values(registry, "k", ref.pid), [7])
      assert.strictEqual(yield* GenServer.named(echo, Registry.holder(registry, "k")).call("Who"), ref.pid.id)
      const words = yield* defectOf(GenServer.start(echo, { name: Registry.holder(registry, "j") }))
      assert.include(words, "registry/j says whom to find")
      assert.deepStrictEqual(yield* Process.list, [ref.pid])
    }).pipe(provided)
  )

  it("only a unique registry gives names: the compiler says so", () => {
    const fits: Registry.Duplicate<string, void> extends Registry.Unique<string, void> ? true : false = false
    assert.isFalse(fits)
  })

  it.effect("a process of another table cannot have entries, and its start leaves nothing there", () =>
    Effect.gen(function* () {
      const registry = yield* Registry.make<string>({ keys: "unique", name: "rooms" })
      const elsewhere = Effect.gen(function* () {
        const words = yield* defectOf(GenServer.start(echo, { name: Registry.via(registry, "k") }))
        const stranger = yield* agent()
        const again = yield* defectOf(stranger.do(Registry.register(registry, "k")))
        return { words, again, only: (yield* Process.list).length }
      })
      const seen = yield* Effect.provide(elsewhere, Layer.fresh(Process.layer))
      assert.include(seen.words, "is of another process table than rooms")
      assert.include(seen.again, "is of another process table than rooms")
      assert.strictEqual(seen.only, 1)
      assert.strictEqual(yield* Registry.count(registry), 0)
    }).pipe(provided)
  )
})
