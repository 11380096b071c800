import { assert, describe, it } from "@effect/vitest"
import { Data, Effect, Function, Option, TestContext } from "effect"
import * as fc from "fast-check"
import * as ExitReason from "../src/ExitReason.js"
import * as Process from "../src/Process.js"
import * as Registry from "../src/Registry.js"
import { agent } from "./helpers/agents.js"

class Room extends Data.Class<{ readonly number: number }> {}

type Key = string | Room

/** A fresh key object at each use: equal keys must do. */
const keyOf = (n: number): Key => (n === 0 ? "lobby" : new Room({ number: n }))

type Command =
  | { readonly _tag: "Register"; readonly who: number; readonly key: number; readonly value: number }
  | { readonly _tag: "Unregister"; readonly who: number; readonly key: number }
  | { readonly _tag: "UnregisterOdd"; readonly who: number; readonly key: number }
  | { readonly _tag: "Update"; readonly who: number; readonly key: number }
  | { readonly _tag: "Exit"; readonly who: number; readonly kill: boolean }

const who = fc.nat(2)
const key = fc.nat(2)
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ _tag: fc.constant("Register" as const), who, key, value: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ _tag: fc.constant("Unregister" as const), who, key }) },
  { weight: 1, arbitrary: fc.record({ _tag: fc.constant("UnregisterOdd" as const), who, key }) },
  { weight: 1, arbitrary: fc.record({ _tag: fc.constant("Update" as const), who, key }) },
  { weight: 1, arbitrary: fc.record({ _tag: fc.constant("Exit" as const), who, kill: fc.boolean() }) }
)

const odd = (n: number): boolean => n % 2 === 1

/** The naive registry: one list, in the order of registration. */
interface Row {
  readonly key: number
  readonly pid: Process.Pid
  value: number
}

/** Plays the commands against a registry and the list, and compares all that can be seen after each of them. */
const play = (keys: "unique" | "duplicate", commands: ReadonlyArray<Command>) =>
  Effect.gen(function* () {
    const unique = yield* Registry.make<Key, number>({ keys: "unique" })
    const duplicate = yield* Registry.make<Key, number>({ keys: "duplicate" })
    const registry = keys === "unique" ? unique : duplicate
    const agents = yield* Effect.replicateEffect(agent(), 3)
    const met = agents.map(agent => agent.pid)
    let rows: Array<Row> = []

    for (const command of commands) {
      const one = agents[command.who] ?? assert.fail(`no agent ${command.who}`)
      const { pid } = one
      const own = (row: Row): boolean => row.pid === pid && "key" in command && row.key === command.key
      switch (command._tag) {
        case "Register": {
          const { key, value } = command
          const taken = keys === "unique" ? rows.find(row => row.key === key) : undefined
          const registered = yield* Effect.either(
            one.do<void, Registry.KeyTaken, never>(
              keys === "unique"
                ? Registry.register(unique, keyOf(key), value)
                : Registry.register(duplicate, keyOf(key), value)
            )
          )
          assert.strictEqual(registered._tag === "Left" ? registered.left.holder : undefined, taken?.pid)
          if (taken === undefined) rows.push({ key, pid, value })
          break
        }
        case "Unregister": {
          const removed = yield* one.do(Registry.unregister(registry, keyOf(command.key)))
          assert.strictEqual(removed, rows.filter(own).length)
          rows = rows.filter(row => !own(row))
          break
        }
        case "UnregisterOdd": {
          const removed = yield* one.do(Registry.unregisterMatch(registry, keyOf(command.key), odd))
          assert.strictEqual(removed, rows.filter(row => own(row) && odd(row.value)).length)
          rows = rows.filter(row => !(own(row) && odd(row.value)))
          break
        }
        case "Update": {
          if (keys === "duplicate") break
          const updated = yield* one.do(Registry.updateValue(unique, keyOf(command.key), n => n + 1))
          const row = rows.find(own)
          if (row !== undefined) row.value++
          assert.deepStrictEqual(
            updated,
            row === undefined ? Option.none() : Option.some([row.value, row.value - 1] as const)
          )
          break
        }
        case "Exit": {
          yield* one.exit(command.kill ? ExitReason.killed : ExitReason.shutdown())
          rows = rows.filter(row => row.pid !== pid)
          const next = yield* agent()
          agents[command.who] = next
          met.push(next.pid)
        }
      }
      yield* same(registry, rows, met)
    }
  })

const same = (registry: Registry.Registry<Key, number>, rows: ReadonlyArray<Row>, pids: ReadonlyArray<Process.Pid>) =>
  Effect.gen(function* () {
    const seen = (row: Row) => ({ key: keyOf(row.key), pid: row.pid, value: row.value })
    assert.strictEqual(yield* Registry.count(registry), rows.length)
    assert.sameDeepMembers([...(yield* Registry.entries(registry))], rows.map(seen))
    for (const key of [0, 1, 2]) {
      const expected = rows.filter(row => row.key === key)
      const all = yield* Registry.match(registry, keyOf(key), Function.constTrue)
      assert.deepStrictEqual([...all], expected.map(seen))
      if (registry.keys === "unique") {
        const holder = yield* Registry.whereis(registry, keyOf(key))
        assert.strictEqual(Option.getOrUndefined(holder), expected[0]?.pid)
      }
      for (const pid of pids) {
        assert.deepStrictEqual(
          [...(yield* Registry.values(registry, keyOf(key), pid))],
          expected.filter(row => row.pid === pid).map(row => row.value)
        )
      }
    }
    for (const pid of pids) {
      const expected = rows.filter(row => row.pid === pid).map(row => keyOf(row.key))
      assert.deepStrictEqual([...(yield* Registry.keys(registry, pid))], expected)
    }
  })

describe("Registry, against a naive list", () => {
  for (const keys of ["unique", "duplicate"] as const) {
    it(`any registrations, removals, updates and deaths with ${keys} keys look the same`, () =>
      fc.assert(
        fc.asyncProperty(fc.array(command, { maxLength: 30 }), commands =>
          Effect.runPromise(
            play(keys, commands).pipe(Effect.provide(Process.layer), Effect.provide(TestContext.TestContext))
          )
        ),
        { numRuns: 300 }
      ))
  }
})
