import { RpcGroup } from "@effect/rpc"
import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer } from "effect"
import * as ExitReason from "../src/ExitReason.js"
import * as GenServer from "../src/GenServer.js"
import * as Process from "../src/Process.js"
import * as Supervisor from "../src/Supervisor.js"
import { endPid, pidOf, provided } from "./conformance/helpers.js"

/** A child that writes its start and its stop down. */
const noted = (journal: Array<string>, id: string) =>
  Supervisor.scoped(
    id,
    Effect.acquireRelease(
      Effect.sync(() => journal.push(`+${id}`)),
      () => Effect.sync(() => journal.push(`-${id}`))
    )
  )

it("children that are written in place need what they need by name", () => {
  class Settings extends Context.Tag("Settings")<Settings, number>() {}
  const tree = Supervisor.start({
    children: [
      Supervisor.layered("layer", Layer.succeed(Settings, 1)),
      Supervisor.worker(
        "server",
        GenServer.startLink(GenServer.make(RpcGroup.make(), { init: () => Settings, handlers: {} }))
      )
    ]
  })
  expectTypeOf<Effect.Effect.Context<typeof tree>>().toEqualTypeOf<Process.ProcessTable | Settings>()
})

// What a supervisor does line by line is in `conformance/`; here is how its own helpers and its host behave.
describe("Supervisor", () => {
  it.effect("children start left to right and stop in reverse", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const sup = yield* Supervisor.start({ children: ["a", "b", "c"].map(id => noted(journal, id)) })
      yield* Supervisor.stop(sup)
      assert.deepStrictEqual(journal, ["+a", "+b", "+c", "-c", "-b", "-a"])
      assert.deepStrictEqual(yield* Process.list, [])
    }).pipe(provided)
  )

  it.effect("a child started without a link is linked and adopted by the supervisor", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const server = GenServer.make(RpcGroup.make(), {
        trapExit: true,
        init: () => Effect.succeed(0),
        handlers: {},
        terminate: reason => Effect.sync(() => journal.push(`terminate ${reason._tag}`))
      })
      const sup = yield* Supervisor.start({ children: [Supervisor.worker("a", GenServer.start(server))] })
      const before = yield* pidOf(sup, "a")
      yield* endPid(before, ExitReason.killed)
      assert.notStrictEqual(yield* pidOf(sup, "a"), before)
      yield* Supervisor.stop(sup)
      assert.deepStrictEqual(journal, ["terminate Shutdown"])
    }).pipe(provided)
  )

  describe("hosting", () => {
    class Greeting extends Context.Tag("Greeting")<Greeting, string>() {}

    it.effect("a layer runs the tree with the environment of its children and stops it in order", () =>
      Effect.gen(function* () {
        const journal: Array<string> = []
        const child = Supervisor.scoped(
          "hello",
          Effect.map(Greeting, greeting => journal.push(greeting))
        )
        const tree = Supervisor.layer({ children: [noted(journal, "a"), child] }).pipe(
          Layer.provide(Layer.succeed(Greeting, "hello"))
        )
        yield* Effect.map(Supervisor.Root, () => journal.push("body")).pipe(Effect.provide(tree))
        assert.deepStrictEqual(journal, ["+a", "hello", "body", "-a"])
      }).pipe(provided)
    )

    it.effect("launch fails when the tree gives up", () =>
      Effect.gen(function* () {
        const launched = yield* Effect.fork(
          Supervisor.launch({ intensity: 0, children: [Supervisor.task("t", Effect.die("boom"))] })
        )
        const exit = yield* Fiber.await(launched)
        assert.isTrue(Exit.isFailure(exit))
        assert.include(String(exit), "reached_max_restart_intensity")
      }).pipe(provided)
    )
  })
})
