import { RpcGroup } from "@effect/rpc"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Option, TestClock } from "effect"
import * as ExitReason from "../../src/ExitReason.js"
import * as GenServer from "../../src/GenServer.js"
import * as Process from "../../src/Process.js"
import * as Supervisor from "../../src/Supervisor.js"
import { assertAlive, end, obedient, pidOf, provided, settle } from "./helpers.js"

/** It is open at the end of the test, if not before. */
const gateOf = Effect.acquireRelease(Deferred.make<void>(), gate => Deferred.succeed(gate, undefined))

/** A server that has ended when the gate is open, and not before. */
const reluctant = (gate: Deferred.Deferred<void>, trapExit: boolean) =>
  GenServer.make(RpcGroup.make(), {
    trapExit,
    init: () => Effect.addFinalizer(() => Deferred.await(gate)),
    handlers: {}
  })

/** A supervisor that bears one restart, over one that has a reluctant child; both have names. */
const treeOf = (gate: Deferred.Deferred<void>, trapExit: boolean) => {
  const worker = Supervisor.worker("w", GenServer.startLink(reluctant(gate, trapExit), { name: "w" }))
  return Supervisor.start({
    intensity: 1,
    children: [Supervisor.supervisor("s", { name: "s", children: [worker] })]
  })
}

/** Starts another server under the name `w`. */
const another = GenServer.start(obedient("another"), { name: "w" })

describe("what a killed supervisor leaves behind", () => {
  for (const trapExit of [true, false]) {
    const kind = trapExit ? "that traps exits" : "that traps no exits"

    it.scoped(`has its name until it has ended, and its successor waits for that: a server ${kind}`, () =>
      Effect.gen(function* () {
        const gate = yield* gateOf
        const top = yield* treeOf(gate, trapExit)
        const left = yield* pidOf("s", "w")
        yield* end(top, "s", ExitReason.killed)
        assert.deepStrictEqual(yield* Process.whereis("w"), Option.some(left))
        yield* Deferred.succeed(gate, undefined)
        yield* settle
        yield* assertAlive(top.pid)
        const successor = yield* pidOf("s", "w")
        assert.notStrictEqual(successor, left)
        assert.deepStrictEqual(yield* Process.whereis("w"), Option.some(successor))
      }).pipe(provided)
    )

    it.scoped(`is waited for as long as a child has to end, and then its name is taken: a server ${kind}`, () =>
      Effect.gen(function* () {
        const gate = yield* gateOf
        const sup = yield* Supervisor.start({ name: "s", children: [] })
        yield* Supervisor.startChild(
          sup,
          Supervisor.worker("w", GenServer.startLink(reluctant(gate, trapExit), { name: "w" }))
        )
        const left = yield* pidOf("s", "w")
        yield* Process.exit(sup.pid, ExitReason.killed)
        const start = yield* Effect.fork(Effect.flip(another))
        yield* TestClock.adjust("4999 millis")
        assert.isTrue(Option.isNone(yield* Fiber.poll(start)))
        yield* TestClock.adjust("1 millis")
        const error = yield* Fiber.join(start)
        if (error._tag !== "AlreadyStarted") return assert.fail(error.message)
        assert.strictEqual(error.pid, left)
        yield* Deferred.succeed(gate, undefined)
        yield* settle
        yield* another
      }).pipe(provided)
    )
  }

  it.effect("is nobody's to wait for where it goes on: a server that traps no exits, of a parent that ended well", () =>
    Effect.gen(function* () {
      const parent = yield* Process.spawn(GenServer.startLink(obedient("w"), { name: "w" }))
      yield* Process.awaitExit(parent)
      const error = yield* Effect.flip(another)
      assert.strictEqual(error._tag, "AlreadyStarted")
    }).pipe(provided)
  )
})
