import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Observer from "../src/Observer.js"
import * as Process from "../src/Process.js"
import * as Supervisor from "../src/Supervisor.js"

describe("Observer", () => {
  it.effect("shows the tree as it is, in start order", () =>
    Effect.gen(function* () {
      yield* Supervisor.start({
        name: "top",
        children: [
          Supervisor.scoped("a", Effect.void),
          Supervisor.supervisor("inner", { name: "inner", children: [Supervisor.task("b", Effect.never)] })
        ]
      })
      yield* Process.spawn(Effect.never, { name: "loner" })
      const text = Observer.format(yield* Observer.snapshot).replace(/ waiting=0/g, "")
      assert.deepStrictEqual(text.split("\n"), [
        "supervisor top <1 top>",
        "  server <2>",
        "  supervisor inner <3 inner>",
        "    process <4 b>",
        "process loner <5 loner>"
      ])
    }).pipe(Effect.provide(Process.layer))
  )
})
