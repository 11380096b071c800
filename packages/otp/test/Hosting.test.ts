import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Logger, LogLevel, TestClock } from "effect"
import * as GenServer from "../src/GenServer.js"
import * as Process from "../src/Process.js"
import * as Supervisor from "../src/Supervisor.js"

const provided = <A, E>(effect: Effect.Effect<A, E, Process.ProcessTable>) =>
  effect.pipe(Effect.provide(Process.layer), Logger.withMinimumLogLevel(LogLevel.None))

/** A tree that gives up at the first crash, which comes when the gate opens. */
const fragile = (gate: Deferred.Deferred<void>) => ({
  intensity: 0,
  children: [Supervisor.task("t", Effect.zipRight(Deferred.await(gate), Effect.die("boom")))]
})

describe("a tree in a host", () => {
  class Greeting extends Context.Tag("Greeting")<Greeting, string>() {}

  it.effect("layer: runs the tree with the environment of its children and stops it in order", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const noted = (id: string, greeting: string) =>
        Supervisor.scoped(
          id,
          Effect.acquireRelease(
            Effect.sync(() => journal.push(`+${id} ${greeting}`)),
            () => Effect.sync(() => journal.push(`-${id}`))
          )
        )
      const tree = Layer.unwrapEffect(
        Effect.map(Greeting, greeting => Supervisor.layer({ children: [noted("a", greeting), noted("b", greeting)] }))
      ).pipe(Layer.provide(Layer.succeed(Greeting, "hello")))
      yield* Effect.map(Supervisor.Root, () => journal.push("body")).pipe(Effect.provide(tree))
      assert.deepStrictEqual(journal, ["+a hello", "+b hello", "body", "-b", "-a"])
    }).pipe(provided)
  )

  it.effect("layer: a tree that does not start fails the build", () =>
    Effect.gen(function* () {
      const tree = Supervisor.layer({ children: [Supervisor.scoped("a", Effect.fail("no luck"))] })
      const error = yield* Effect.flip(Effect.scoped(Layer.build(tree)))
      assert.include(error.message, "no luck")
      assert.deepStrictEqual(yield* Process.list, [])
    }).pipe(provided)
  )

  it.effect("layer: computes the spec with the environment of the host, under a name of its own", () =>
    Effect.gen(function* () {
      const init = Effect.map(Greeting, greeting => ({ children: [Supervisor.scoped(greeting, Effect.void)] }))
      const tree = Supervisor.layer(init, { name: "root" }).pipe(Layer.provide(Layer.succeed(Greeting, "hello")))
      const children = yield* Supervisor.whichChildren("root").pipe(Effect.provide(tree))
      assert.deepStrictEqual(
        children.map(({ id }) => id),
        ["hello"]
      )
    }).pipe(provided)
  )

  it.effect("layer: an init that ignores fails the build with StartIgnored, which a host can do without", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Effect.scoped(Layer.build(Supervisor.layer(GenServer.ignore))))
      assert.strictEqual(error._tag, "StartIgnored")
      const body = Supervisor.whileAlive(Effect.succeed("with")).pipe(
        Effect.provide(Supervisor.layer(GenServer.ignore)),
        Effect.catchTag("StartIgnored", () => Effect.succeed("without"))
      )
      assert.strictEqual(yield* body, "without")
      assert.deepStrictEqual(yield* Process.list, [])
    }).pipe(provided)
  )

  it.effect("launch: an init that ignores is StartIgnored, one that fails is StartFailed", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* Effect.flip(Supervisor.launch(GenServer.ignore)))._tag, "StartIgnored")
      assert.strictEqual((yield* Effect.flip(Supervisor.launch(Effect.fail("no luck"))))._tag, "StartFailed")
    }).pipe(provided)
  )

  it.effect("launch: fails when the tree gives up, and says why", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const launched = yield* Effect.fork(Supervisor.launch(fragile(gate)))
      yield* Deferred.succeed(gate, undefined)
      const exit = yield* Fiber.await(launched)
      assert.isTrue(Exit.isFailure(exit))
      assert.include(String(exit), "reached_max_restart_intensity")
    }).pipe(provided)
  )

  it.effect("launch: interruption stops the tree in order", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const child = Supervisor.scoped(
        "a",
        Effect.addFinalizer(() => Effect.sync(() => journal.push("-a")))
      )
      const launched = yield* Effect.fork(Supervisor.launch({ children: [child] }))
      yield* TestClock.adjust(0)
      yield* Fiber.interrupt(launched)
      assert.deepStrictEqual(journal, ["-a"])
      assert.deepStrictEqual(yield* Process.list, [])
    }).pipe(provided)
  )

  it.effect(
    "layer and launch: can be interrupted while a child takes for ever to start, and leave nothing behind",
    () =>
      Effect.gen(function* () {
        const journal: Array<string> = []
        const first = Supervisor.scoped(
          "first",
          Effect.addFinalizer(() => Effect.sync(() => journal.push("-first")))
        )
        const spec = { children: [first, Supervisor.scoped("stuck", Effect.never)] }
        for (const host of [Effect.scoped(Layer.build(Supervisor.layer(spec))), Supervisor.launch(spec)]) {
          const hosting = yield* Effect.fork(host)
          yield* TestClock.adjust(0)
          assert.strictEqual((yield* Process.list).length, 3)
          yield* Fiber.interrupt(hosting)
          yield* TestClock.adjust(0)
          assert.deepStrictEqual(yield* Process.list, [])
        }
        assert.deepStrictEqual(journal, ["-first", "-first"])
      }).pipe(provided)
  )

  it.effect("whileAlive: the host's work is interrupted when the tree gives up, and the failure says why", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const journal: Array<string> = []
      const work = Effect.onInterrupt(Effect.never, () => Effect.sync(() => journal.push("interrupted")))
      const host = yield* Effect.fork(Supervisor.whileAlive(work).pipe(Effect.provide(Supervisor.layer(fragile(gate)))))
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(journal, [])
      yield* Deferred.succeed(gate, undefined)
      const error = yield* Effect.flip(Fiber.join(host))
      assert.strictEqual(error._tag, "TreeExited")
      assert.deepStrictEqual(journal, ["interrupted"])
    }).pipe(provided)
  )

  it.effect("whileAlive: work that ends first is the result, and the tree is stopped with its layer", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const result = yield* Supervisor.whileAlive(Effect.succeed(7)).pipe(
        Effect.provide(Supervisor.layer(fragile(gate)))
      )
      assert.strictEqual(result, 7)
      assert.deepStrictEqual(yield* Process.list, [])
    }).pipe(provided)
  )
})
