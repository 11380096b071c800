import { assert, describe, it } from "@effect/vitest"
import { Context, Data, Deferred, Effect, Function, Layer, MutableHashMap, Option, TestClock } from "effect"
import * as ExitReason from "../src/ExitReason.js"
import * as Process from "../src/Process.js"
import * as Registry from "../src/Registry.js"
import { Task } from "./conformance/processes.js"
import { agent, defectOf } from "./helpers/agents.js"

const provided = Effect.provide(Process.layer)

/** Lets everything that can run do so; no time passes. */
const settle = TestClock.adjust(0)

const crash = ExitReason.crashWith("boom")

class Room extends Data.Class<{ readonly house: string; readonly number: number }> {}

describe("Registry", () => {
  describe("unique keys", () => {
    it.effect("a key belongs to one process: another's registration fails and names the holder", () =>
      Effect.gen(function* () {
        const registry = yield* Registry.make<string, number>({ keys: "unique", name: "rooms" })
        const [a, b] = [yield* agent(), yield* agent()]
        yield* a.do(Registry.register(registry, "k", 1))
        const taken = yield* Effect.flip(b.do(Registry.register(registry, "k", 2)))
        assert.strictEqual(taken.holder, a.pid)
        assert.strictEqual(taken.message, `the key "k" of rooms belongs to ${a.pid.label}`)
        assert.isFalse(taken.retryable)
        assert.deepStrictEqual(yield* Registry.lookup(registry, "k"), Option.some({ key: "k", pid: a.pid, value: 1 }))
        assert.deepStrictEqual(yield* Registry.keys(registry, b.pid), [])
      }).pipe(provided)
    )

    it.effect("registering one's own key again fails with oneself as the holder, and keeps the first value", () =>
      Effect.gen(function* () {
        const registry = yield* Registry.make<string, number>({ keys: "unique" })
        const a = yield* agent()
        yield* a.do(Registry.register(registry, "k", 1))
        assert.strictEqual((yield* Effect.flip(a.do(Registry.register(registry, "k", 2)))).holder, a.pid)
        assert.deepStrictEqual(yield* Registry.values(registry, "k", a.pid), [1])
        assert.strictEqual(yield* Registry.count(registry), 1)
      }).pipe(provided)
    )

    it.effect("a key nobody has: no entry, nobody, no values", () =>
      Effect.gen(function* () {
        const registry = yield* Registry.make<string>({ keys: "unique" })
        const a = yield* agent()
        assert.isTrue(Option.isNone(yield* Registry.lookup(registry, "k")))
        assert.isTrue(Option.isNone(yield* Registry.whereis(registry, "k")))
        assert.deepStrictEqual(yield* Registry.values(registry, "k", a.pid), [])
        assert.deepStrictEqual(yield* Registry.match(registry, "k", Function.constTrue), [])
      }).pipe(provided)
    )

    it.effect("unregister frees the caller's key for others, and leaves another's alone", () =>
      Effect.gen(function* () {
        const registry = yield* Registry.make<string>({ keys: "unique" })
        const [a, b] = [yield* agent(), yield* agent()]
        yield* a.do(Registry.register(registry, "k"))
        assert.strictEqual(yield* b.do(Registry.unregister(registry, "k")), 0)
        assert.deepStrictEqual(yield* Registry.whereis(registry, "k"), Option.some(a.pid))
        assert.strictEqual(yield* a.do(Registry.unregister(registry, "k")), 1)
        assert.strictEqual(yield* a.do(Registry.unregister(registry, "k")), 0)
        yield* b.do(Registry.register(registry, "k"))
        assert.deepStrictEqual(yield* Registry.whereis(registry, "k"), Option.some(b.pid))
      }).pipe(provided)
    )

    it.effect("updateValue tells the new value and the one before; not of another's key, nor of one nobody has", () =>
      Effect.gen(function* () {
        const registry = yield* Registry.make<string, number>({ keys: "unique" })
        const [a, b] = [yield* agent(), yield* agent()]
        yield* a.do(Registry.register(registry, "j", 0))
        yield* a.do(Registry.register(registry, "k", 1))
        const before = yield* Registry.lookup(registry, "j")
        const increment = (n: number) => n + 1
        assert.deepStrictEqual(
          yield* a.do(Registry.updateValue(registry, "j", increment)),
          Option.some([1, 0] as const)
        )
        assert.isTrue(Option.isNone(yield* b.do(Registry.updateValue(registry, "j", increment))))
        assert.isTrue(Option.isNone(yield* a.do(Registry.updateValue(registry, "nobody's", increment))))
        assert.deepStrictEqual(yield* Registry.values(registry, "j", a.pid), [1])
        assert.deepStrictEqual(yield* Registry.keys(registry, a.pid), ["j", "k"])
        assert.deepStrictEqual(before, Option.some({ key: "j", pid: a.pid, value: 0 }))
      }).pipe(provided)
    )

    it.effect("an update that throws is a defect of the caller and changes nothing", () =>
      Effect.gen(function* () {
        const registry = yield* Registry.make<string, number>({ keys: "unique" })
        const a = yield* agent()
        yield* a.do(Registry.register(registry, "k", 1))
        const words = yield* defectOf(
          a.do(
            Registry.updateValue(registry, "k", () => {
              throw new Error("no")
            })
          )
        )
        assert.strictEqual(words, "no")
        assert.deepStrictEqual(yield* Registry.values(registry, "k", a.pid), [1])
      }).pipe(provided)
    )

    it.effect("keys with equal content are the same key, plain objects are not", () =>
      Effect.gen(function* () {
        const registry = yield* Registry.make<Room | { readonly plain: number } | number>({ keys: "unique" })
        const [a, b] = [yield* agent(), yield* agent()]
        for (const key of [new Room({ house: "h", number: 1 }), { plain: 1 }, Number.NaN]) {
          yield* a.do(Registry.register(registry, key))
        }
        const taken = yield* Effect.flip(b.do(Registry.register(registry, new Room({ house: "h", number: 1 }))))
        assert.strictEqual(taken.key, `{"house":"h","number":1}`)
        assert.isTrue(yield* Effect.isFailure(b.do(Registry.register(registry, Number.NaN))))
        yield* b.do(Registry.register(registry, new Room({ house: "h", number: 2 })))
        yield* b.do(Registry.register(registry, { plain: 1 }))
        assert.strictEqual(yield* a.do(Registry.unregister(registry, new Room({ house: "h", number: 1 }))), 1)
        assert.strictEqual(yield* Registry.count(registry), 4)
      }).pipe(provided)
    )
  })

  describe("duplicate keys", () => {
    it.effect("any number of processes have a key, each as often as it likes, in the order of registration", () =>
      Effect.gen(function* () {
        const registry = yield* Registry.make<string, string>({ keys: "duplicate" })
        const [a, b] = [yield* agent(), yield* agent()]
        yield* a.do(Registry.register(registry, "k", "first"))
        yield* b.do(Registry.register(registry, "k", "second"))
        yield* a.do(Registry.register(registry, "k", "third"))
        yield* a.do(Registry.register(registry, "other", "fourth"))
        assert.deepStrictEqual(yield* Registry.lookup(registry, "k"), [
          { key: "k", pid: a.pid, value: "first" },
          { key: "k", pid: b.pid, value: "second" },
          { key: "k", pid: a.pid, value: "third" }
        ])
        assert.deepStrictEqual(yield* Registry.keys(registry, a.pid), ["k", "k", "other"])
        assert.deepStrictEqual(yield* Registry.values(registry, "k", a.pid), ["first", "third"])
        assert.strictEqual(yield* Registry.count(registry), 4)
        assert.deepStrictEqual(
          (yield* Registry.entries(registry)).map(entry => entry.value),
          ["first", "third", "fourth", "second"]
        )
      }).pipe(provided)
    )

    it.effect("unregister removes every entry of the caller under the key, and nobody else's", () =>
      Effect.gen(function* () {
        const registry = yield* Registry.make<string, number>({ keys: "duplicate" })
        const [a, b] = [yield* agent(), yield* agent()]
        for (const n of [1, 2]) yield* a.do(Registry.register(registry, "k", n))
        yield* a.do(Registry.register(registry, "j", 3))
        yield* b.do(Registry.register(registry, "k", 4))
        assert.strictEqual(yield* a.do(Registry.unregister(registry, "k")), 2)
        assert.deepStrictEqual(
          (yield* Registry.entries(registry)).map(entry => entry.value),
          [3, 4]
        )
      }).pipe(provided)
    )

    it.effect("match and unregisterMatch choose by value", () =>
      Effect.gen(function* () {
        const registry = yield* Registry.make<string, number>({ keys: "duplicate" })
        const [a, b] = [yield* agent(), yield* agent()]
        for (const n of [1, 2, 3]) yield* a.do(Registry.register(registry, "k", n))
        yield* b.do(Registry.register(registry, "k", 3))
        const odd = (n: number) => n % 2 === 1
        assert.strictEqual((yield* Registry.match(registry, "k", odd)).length, 3)
        assert.strictEqual(yield* a.do(Registry.unregisterMatch(registry, "k", odd)), 2)
        assert.deepStrictEqual(
          (yield* Registry.lookup(registry, "k")).map(entry => entry.value),
          [2, 3]
        )
      }).pipe(provided)
    )

    it.effect("dispatch runs once with all entries of the key: a pub/sub", () =>
      Effect.gen(function* () {
        const registry = yield* Registry.make<string>({ keys: "duplicate" })
        const [a, b] = [yield* agent(), yield* agent()]
        const heard: Array<Process.Pid> = []
        const dispatched: Array<Process.Pid> = []
        for (const subscriber of [a, b]) yield* subscriber.do(Registry.register(registry, "topic"))
        const hear = new Task(Effect.map(Effect.orDie(Effect.flatten(Process.self)), pid => heard.push(pid)))
        yield* Registry.dispatch(registry, "topic", entries => {
          dispatched.push(...entries.map(entry => entry.pid))
          return Effect.forEach(entries, entry => Process.send(entry.pid, hear))
        })
        yield* settle
        assert.deepStrictEqual(dispatched, [a.pid, b.pid])
        assert.sameMembers(heard, [a.pid, b.pid])
      }).pipe(provided)
    )

    it.effect("dispatch does not run for a key without entries, passes its error on, and sees a snapshot", () =>
      Effect.gen(function* () {
        const registry = yield* Registry.make<string, number>({ keys: "duplicate" })
        const a = yield* agent()
        yield* Registry.dispatch(registry, "k", () => Effect.die("must not run"))
        yield* a.do(Registry.register(registry, "k", 1))
        const left = yield* Effect.flip(
          Registry.dispatch(registry, "k", entries =>
            Effect.zipRight(a.do(Registry.unregister(registry, "k")), Effect.fail(entries.length))
          )
        )
        assert.strictEqual(left, 1)
        yield* Registry.dispatch(registry, "k", () => Effect.die("must not run"))
      }).pipe(provided)
    )

    it.effect("dispatch serves a unique registry too", () =>
      Effect.gen(function* () {
        const registry = yield* Registry.make<string, number>({ keys: "unique" })
        const a = yield* agent()
        yield* a.do(Registry.register(registry, "k", 7))
        const seen: Array<number> = []
        yield* Registry.dispatch(registry, "k", ([only]) => Effect.sync(() => seen.push(only.value)))
        assert.deepStrictEqual(seen, [7])
      }).pipe(provided)
    )
  })

  describe("death", () => {
    it.effect("frees the keys before a monitor is told: its process can register them at once", () =>
      Effect.gen(function* () {
        const registry = yield* Registry.make<string>({ keys: "unique" })
        const [holder, heir] = [yield* agent(), yield* agent()]
        yield* holder.do(Registry.register(registry, "k"))
        const inherit = Effect.gen(function* () {
          yield* Process.monitor(holder.pid)
          yield* Process.exit(holder.pid, crash)
          const signal = yield* Process.receive
          yield* Registry.register(registry, "k")
          return signal._tag
        })
        assert.strictEqual(yield* heir.do(inherit), "Down")
        assert.deepStrictEqual(yield* Registry.whereis(registry, "k"), Option.some(heir.pid))
      }).pipe(provided)
    )

    it.effect("frees the keys before a linked process that traps exits is told", () =>
      Effect.gen(function* () {
        const registry = yield* Registry.make<string>({ keys: "unique" })
        const [holder, heir] = [yield* agent(), yield* agent({ trapExit: true })]
        yield* holder.do(Registry.register(registry, "k"))
        const inherit = Effect.gen(function* () {
          yield* Process.link(holder.pid)
          yield* Process.exit(holder.pid, ExitReason.killed)
          const signal = yield* Process.receive
          yield* Registry.register(registry, "k")
          return signal._tag
        })
        assert.strictEqual(yield* heir.do(inherit), "ExitSignal")
        assert.deepStrictEqual(yield* Registry.whereis(registry, "k"), Option.some(heir.pid))
      }).pipe(provided)
    )

    it.effect("comes after the finalizers, which still have the key", () =>
      Effect.gen(function* () {
        const registry = yield* Registry.make<string>({ keys: "unique" })
        const seen: Array<Option.Option<Process.Pid>> = []
        const look = Effect.map(Registry.whereis(registry, "k"), holder => seen.push(holder))
        const pid = yield* Process.spawn(
          Effect.zipRight(
            Effect.addFinalizer(() => look),
            Effect.zipRight(Registry.register(registry, "k"), Effect.never)
          )
        )
        yield* settle
        yield* Process.exit(pid, ExitReason.shutdown())
        yield* Process.awaitExit(pid)
        yield* look
        assert.deepStrictEqual(seen, [Option.some(pid), Option.none()])
      }).pipe(provided)
    )

    it.effect("of many processes leaves nothing, whatever the reason", () =>
      Effect.gen(function* () {
        const unique = yield* Registry.make<string, number>({ keys: "unique" })
        const duplicate = yield* Registry.make<string, number>({ keys: "duplicate" })
        const agents = yield* Effect.replicateEffect(agent(), 50)
        for (const [i, a] of agents.entries()) {
          for (const key of ["a", "b"]) yield* a.do(Registry.register(unique, `${key}${i}`, i))
          for (const key of ["a", "b"]) yield* a.do(Registry.register(duplicate, key, i))
        }
        assert.strictEqual(yield* Registry.count(unique), 100)
        const reasons = [crash, ExitReason.killed, ExitReason.shutdown()]
        for (const [i, a] of agents.entries()) yield* a.exit(reasons[i % 3] ?? crash)
        for (const registry of [unique, duplicate]) {
          assert.strictEqual(yield* Registry.count(registry), 0)
          assert.deepStrictEqual(yield* Registry.entries(registry), [])
          for (const a of agents) assert.deepStrictEqual(yield* Registry.keys(registry, a.pid), [])
        }
        // A key that nobody has any more takes no room, which no public function shows.
        for (const registry of [unique, duplicate])
          assert.strictEqual(MutableHashMap.size(Reflect.get(registry, "byKey")), 0)
      }).pipe(provided)
    )

    it.effect("by kill leaves a ghost that can neither register nor take its successor's key out", () =>
      Effect.gen(function* () {
        const registry = yield* Registry.make<string>({ keys: "unique", name: "rooms" })
        const release = yield* Deferred.make<void>()
        const ghostly = yield* Deferred.make<readonly [string, number]>()
        const pid = yield* Process.spawn(
          Effect.uninterruptible(
            Effect.gen(function* () {
              yield* Registry.register(registry, "k")
              yield* Deferred.await(release)
              const words = yield* defectOf(Registry.register(registry, "mine"))
              yield* Deferred.succeed(ghostly, [words, yield* Registry.unregister(registry, "k")])
            })
          )
        )
        yield* settle
        yield* Process.exit(pid, ExitReason.killed)
        const heir = yield* agent()
        yield* heir.do(Registry.register(registry, "k"))
        yield* Deferred.succeed(release, undefined)
        assert.deepStrictEqual(yield* Deferred.await(ghostly), [`${pid.label} is dead and cannot register in rooms`, 0])
        assert.deepStrictEqual(
          (yield* Registry.entries(registry)).map(entry => entry.pid),
          [heir.pid]
        )
      }).pipe(provided)
    )

    it.effect("a process that took its entries out does not hold on to the registry", () =>
      Effect.gen(function* () {
        const a = yield* agent()
        for (let i = 0; i < 10; i++) {
          const registry = yield* Registry.make<string>({ keys: "duplicate" })
          yield* a.do(Registry.register(registry, "k"))
          yield* a.do(Registry.unregister(registry, "k"))
        }
        const kernel = yield* Process.ProcessTable
        assert.strictEqual(kernel.lookup(a.pid)?.holdings?.size, 0)
      }).pipe(provided)
    )
  })

  it.effect("registering belongs to a process: outside it is a defect, and a forked fiber speaks for its process", () =>
    Effect.gen(function* () {
      const registry = yield* Registry.make<string>({ keys: "unique" })
      const outside = "this must run inside a process"
      assert.include(yield* defectOf(Registry.register(registry, "k")), outside)
      assert.include(yield* defectOf(Registry.unregister(registry, "k")), outside)
      assert.include(yield* defectOf(Registry.updateValue(registry, "k", Function.identity)), outside)
      const a = yield* agent()
      yield* a.do(Effect.flatMap(Effect.fork(Registry.register(registry, "k")), fiber => fiber))
      assert.deepStrictEqual(yield* Registry.whereis(registry, "k"), Option.some(a.pid))
    }).pipe(provided)
  )

  it.effect("a registry is a service like any other", () =>
    Effect.gen(function* () {
      class Rooms extends Context.Tag("Rooms")<Rooms, Registry.Unique<string, void>>() {
        static readonly layer = Layer.effect(this, Registry.make<string>({ keys: "unique", name: "rooms" }))
      }
      const shown = yield* Effect.provide(Effect.map(Rooms, String), Rooms.layer)
      assert.deepStrictEqual(JSON.parse(shown), { _id: "Registry", name: "rooms", keys: "unique", count: 0 })
    }).pipe(provided)
  )
})
