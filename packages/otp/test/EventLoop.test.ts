import { Rpc, RpcGroup } from "@effect/rpc"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FiberRef, Scheduler, Schema } from "effect"
import * as GenServer from "../src/GenServer.js"
import { EventLoop } from "../src/internal/eventLoop.js"
import * as Process from "../src/Process.js"

const Counting = RpcGroup.make(Rpc.make("Next", { success: Schema.Int }))

const counter = GenServer.make(Counting, {
  init: () => Effect.succeed(0),
  handlers: { Next: (_, count) => GenServer.reply(count, count + 1) }
})

/** More than is ever done in one turn of the loop, and an end for a loop that does not turn. */
const stepsMax = 300_000

/** What timers and sockets wait for. */
const nextTurn = Effect.sync(() => {
  const watch = { came: false }
  setTimeout(() => {
    watch.came = true
  }, 0)
  return watch
})

const provided = Effect.provide(Process.layer)

// On the real clock: it is the one that says when a turn has lasted too long.
describe("the event loop turns", () => {
  it.live("while a server is called without end", () =>
    Effect.gen(function* () {
      const server = yield* GenServer.start(counter)
      const turn = yield* nextTurn
      let steps = 0
      while (!turn.came && steps < stepsMax) steps = yield* server.call("Next")
      assert.isBelow(steps, stepsMax)
    }).pipe(provided)
  )

  it.live("while two processes send each other messages without end", () =>
    Effect.gen(function* () {
      const turn = yield* nextTurn
      const players: Array<Process.Pid> = []
      let steps = 0
      const player = (other: 0 | 1) =>
        Effect.gen(function* () {
          while (!turn.came && steps < stepsMax) {
            yield* Process.receive
            steps++
            const to = players[other]
            if (to !== undefined) yield* Process.send(to, "ball")
          }
        })
      players.push(yield* Process.spawn(player(1)), yield* Process.spawn(player(0)))
      for (const to of players) yield* Process.send(to, "ball")
      for (const pid of players) yield* Process.awaitExit(pid)
      assert.isBelow(steps, stepsMax)
    }).pipe(provided)
  )
})

describe("fibers of processes", () => {
  it.live("let the event loop turn while one gives way without end", () =>
    Effect.gen(function* () {
      const turn = yield* nextTurn
      let steps = 0
      const pid = yield* Process.spawn(
        Effect.whileLoop({
          while: () => !turn.came && steps < stepsMax,
          body: () => Effect.yieldNow(),
          step: () => {
            steps++
          }
        })
      )
      yield* Process.awaitExit(pid)
      assert.isBelow(steps, stepsMax)
    }).pipe(provided)
  )

  it.effect("and the fibers they fork are scheduled by the process table", () =>
    Effect.gen(function* () {
      const kernel = yield* Process.ProcessTable
      const seen: Array<Scheduler.Scheduler> = []
      const look = Effect.map(FiberRef.get(FiberRef.currentScheduler), scheduler => seen.push(scheduler))
      yield* Process.awaitExit(
        yield* Process.spawn(Effect.zipRight(look, Effect.flatMap(Effect.fork(look), Effect.fromFiber)))
      )
      assert.deepStrictEqual(seen, [kernel.eventLoop, kernel.eventLoop])
    }).pipe(provided)
  )

  it.effect("keep a scheduler that the program has chosen", () =>
    Effect.gen(function* () {
      const chosen = new Scheduler.MixedScheduler(16)
      const seen: Array<Scheduler.Scheduler> = []
      const look = Effect.map(FiberRef.get(FiberRef.currentScheduler), scheduler => seen.push(scheduler))
      const pid = yield* Effect.withScheduler(Process.spawn(look), chosen)
      yield* Process.awaitExit(pid)
      assert.deepStrictEqual(seen, [chosen])
    }).pipe(provided)
  )
})

describe("a turn", () => {
  /** How many messages fit into it, if each takes so long. */
  const messagesOf = (nanos: bigint, most = 1_000) => {
    let now = 0n
    const loop = new EventLoop({ unsafeCurrentTimeNanos: () => now })
    for (let messages = 1; messages <= most; messages++) {
      if (loop.isOverdue()) return messages
      now += nanos
    }
    return null
  }

  it("is not too long for a thousand messages where no time passes", () => assert.isNull(messagesOf(0n)))

  it("is over after many messages where no time passes: a clock that stands still does not stop the loop", () => {
    const messages = messagesOf(0n, 100_000)
    assert.isNotNull(messages)
    assert.isAtLeast(messages, 65_536)
  })

  it("is over with the first message that took too long", () => assert.strictEqual(messagesOf(5_000_000n), 2))

  it("of many short messages is over a few messages after two milliseconds", () => {
    const messages = messagesOf(10_000n)
    assert.isNotNull(messages)
    assert.isAtLeast(messages, 200)
    assert.isAtMost(messages, 217)
  })
})
