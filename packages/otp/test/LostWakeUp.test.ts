/**
 * Between a reader's look into its empty mailbox and the moment it waits, Effect may make its fiber give way to a sender. Where
 * that happens depends on how many steps a fiber may make in one go, so all small numbers are tried.
 */
import { RpcGroup } from "@effect/rpc"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as GenServer from "../src/GenServer.js"
import * as Process from "../src/Process.js"

const budgets = Array.from({ length: 60 }, (_, i) => 12 + i)

/** Sends bursts, and one message more at each moment at which the reader has caught up; then it must catch up by itself. */
const feed = (pid: Process.Pid, got: () => number) =>
  Effect.gen(function* () {
    let sent = 0
    const send = Effect.suspend(() => Process.send(pid, ++sent))
    for (let length = 1; length <= 16; length++) {
      for (let i = 0; i < length; i++) yield* send
      for (let i = 0; i < 24; i++) {
        yield* Effect.yieldNow()
        if (got() === sent) yield* send
      }
      for (let i = 0; i < 100 && got() < sent; i++) yield* Effect.yieldNow()
      assert.strictEqual(got(), sent)
    }
  })

describe("a message that comes while the reader gives way before it waits", () => {
  it.effect("wakes a process in receive", () =>
    Effect.forEach(budgets, budget =>
      Effect.gen(function* () {
        let got = 0
        const read: Effect.Effect<never> = Effect.flatMap(Process.receive, () => {
          got++
          return read
        })
        yield* feed(yield* Process.spawn(Effect.withMaxOpsBeforeYield(read, budget)), () => got)
      })
    ).pipe(Effect.provide(Process.layer))
  )

  it.effect("wakes a server", () =>
    Effect.forEach(budgets, budget =>
      Effect.gen(function* () {
        let got = 0
        const server = GenServer.make(RpcGroup.make(), {
          init: (_: GenServer.Self<unknown>) => Effect.succeed(0),
          handlers: {},
          info: (_, n) =>
            Effect.map(Effect.void, () => {
              got++
              return GenServer.noReply(n)
            })
        })
        const { pid } = yield* Effect.withMaxOpsBeforeYield(GenServer.start(server), budget)
        yield* feed(pid, () => got)
      })
    ).pipe(Effect.provide(Process.layer))
  )
})
