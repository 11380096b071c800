import { assert, describe, it } from "@effect/vitest"
import * as GenServer from "@reckon/otp/GenServer"
import * as Process from "@reckon/otp/Process"
import * as Supervisor from "@reckon/otp/Supervisor"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as LeaderTracker from "../src/LeaderTracker.js"
import * as StoreNames from "../src/StoreNames.js"

describe("the tracker of a store's leaders", () => {
  it.scoped("says once that there is no leader any more, however many elections find none", () =>
    Effect.gen(function* () {
      const logged: Array<string> = []
      const logger = Logger.replace(
        Logger.defaultLogger,
        Logger.make(({ message }) => void logged.push(String(message)))
      )
      yield* Effect.gen(function* () {
        const name = StoreNames.leaderTracker("orders")
        const watch = { current: () => ({ leader: null, term: 0 }), onRoleChanged: () => Effect.void }
        yield* Supervisor.start({
          children: [Supervisor.worker(name, LeaderTracker.startLink("orders", watch))]
        })
        const tracker = GenServer.named(LeaderTracker.LeaderTrackerProtocol, name)
        for (const [term, leader] of [
          [1, null],
          [2, "n1"],
          [3, null],
          [4, null],
          [5, "n2"],
          [6, null]
        ] as const) {
          yield* tracker.call("Changed", { term, leader })
        }
      }).pipe(Effect.scoped, Effect.provide(Process.layer), Effect.provide(logger))
      assert.deepStrictEqual(
        logged.filter(line => line.startsWith("store orders")),
        ["store orders: no leader in term 3", "store orders: no leader in term 6"]
      )
    })
  )
})
