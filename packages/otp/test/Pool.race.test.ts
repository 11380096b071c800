import { Rpc, RpcGroup } from "@effect/rpc"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Logger, LogLevel, Schema, TestClock, TestContext } from "effect"
import * as fc from "fast-check"
import * as GenServer from "../src/GenServer.js"
import * as Pool from "../src/Pool.js"
import * as Process from "../src/Process.js"

const Work = RpcGroup.make(
  Rpc.make("Do", { payload: { what: Schema.String, millis: Schema.Number } }),
  Rpc.make("Crash")
)

/** What the workers have done, in order, and which partitions have their file open. */
class World {
  readonly done: Array<string> = []
  readonly open = new Set<number>()
  /** Ever. Two workers of one partition at a time. */
  clashes = 0

  constructor(
    readonly startMillis: number,
    readonly stopMillis: number
  ) {}

  file(partition: number) {
    const open = Effect.sync(() => {
      if (this.open.has(partition)) this.clashes++
      this.open.add(partition)
    })
    return Effect.acquireRelease(Effect.delay(open, this.startMillis), () =>
      Effect.delay(
        Effect.sync(() => this.open.delete(partition)),
        this.stopMillis
      )
    )
  }

  worker(partition: number) {
    return GenServer.make(Work, {
      init: () => this.file(partition),
      handlers: {
        Do: ({ millis, what }, state) =>
          Effect.zipRight(
            Effect.sync(() => this.done.push(what)),
            millis === 0 ? GenServer.reply(undefined, state) : Effect.delay(GenServer.reply(undefined, state), millis)
          ),
        Crash: () => Effect.dieMessage("crashed")
      }
    })
  }
}

/** Of partitions 0, 1 and 2 of four; "d" and "f" share one. */
const keys = ["d", "f", "m", "a"]

const idleMillis = 10

/** The times are close to the idle time, to meet it from both sides. */
const step = (acts: ReadonlyArray<"call" | "cast" | "crash">) =>
  fc.record({
    act: fc.constantFrom(...acts),
    key: fc.constantFrom(...keys),
    millis: fc.constantFrom(0, 0, 1, 9, 10, 11),
    thenMillis: fc.constantFrom(0, 0, 1, 9, 10, 11, 19, 20, 21, 40)
  })

type Step = typeof step extends (...args: never) => fc.Arbitrary<infer A> ? A : never

/** Plays the steps until all is quiet, and tells what became of each, and how often it was done. */
const play = (world: World, steps: ReadonlyArray<Step>, opsBeforeYield: number) =>
  Effect.gen(function* () {
    const pool = yield* Pool.start(
      Pool.make({
        size: 4,
        routing: "hash",
        idleStop: idleMillis,
        intensity: steps.length,
        worker: partition => GenServer.startLink(world.worker(partition))
      })
    )
    const fibers: Array<Fiber.Fiber<string>> = []
    for (const [i, { act, key, millis, thenMillis }] of steps.entries()) {
      const what = `${key}${i}`
      const sent = {
        call: pool.call(key, "Do", { what, millis }),
        cast: pool.cast(key, "Do", { what, millis }),
        crash: pool.call(key, "Crash")
      }
      const outcome = Effect.match(sent[act], { onFailure: error => error._tag, onSuccess: () => "answered" })
      fibers.push(yield* Effect.fork(outcome))
      yield* TestClock.adjust(thenMillis)
    }
    yield* TestClock.adjust("4 seconds")
    const fates = yield* Effect.forEach(fibers, (fiber, i) =>
      Effect.map(Fiber.poll(fiber), polled => ({
        outcome: polled._tag === "Some" && polled.value._tag === "Success" ? polled.value.value : "unanswered",
        times: world.done.filter(what => what === `${steps[i]?.key}${i}`).length
      }))
    )
    return { fates, stats: yield* pool.stats }
  }).pipe(
    Effect.provide(Layer.merge(Process.layer, Logger.minimumLogLevel(LogLevel.None))),
    Effect.provide(TestContext.TestContext),
    Effect.withMaxOpsBeforeYield(opsBeforeYield),
    Effect.runPromise
  )

const checkOrder = (world: World): void => {
  assert.strictEqual(world.clashes, 0, "two workers of one partition had its file open")
  assert.strictEqual(world.open.size, 0)
  // "d" and "f" meet in one mailbox too.
  for (const together of ["df", "m", "a"]) {
    const order = world.done.filter(what => together.includes(what.charAt(0))).map(what => Number(what.slice(1)))
    assert.deepStrictEqual(
      order,
      order.toSorted((a, b) => a - b)
    )
  }
}

/** How long starts and stops take, and after how many operations a fiber lets others go first: ten is the least there is. */
const pace = [fc.constantFrom(0, 1, 10), fc.constantFrom(0, 1, 10), fc.constantFrom(10, 11, 12, 13, 17, 2_048)] as const

describe("Pool, when requests meet idle stops", () => {
  it("for any of them: each request is carried out once and answered, in the order of its key, and no worker is restarted", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(step(["call", "call", "cast"]), { maxLength: 25 }),
        ...pace,
        async (steps, startMillis, stopMillis, opsBeforeYield) => {
          const world = new World(startMillis, stopMillis)
          const { fates, stats } = await play(world, steps, opsBeforeYield)
          assert.deepStrictEqual(
            fates,
            steps.map(() => ({ outcome: "answered", times: 1 }))
          )
          assert.deepStrictEqual([stats.running, stats.inFlight, stats.waiting], [0, 0, 0])
          assert.strictEqual(stats.idleStops, stats.starts)
          checkOrder(world)
        }
      ),
      { numRuns: 30 }
    ))

  it("and for any crashes among them: each call is answered once, as what became of it, and what is done is done in order", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(step(["call", "call", "cast", "crash"]), { maxLength: 25 }),
        ...pace,
        async (steps, startMillis, stopMillis, opsBeforeYield) => {
          const world = new World(startMillis, stopMillis)
          const { fates, stats } = await play(world, steps, opsBeforeYield)
          for (const [i, { outcome, times }] of fates.entries()) {
            const { act } = steps[i] ?? assert.fail("a fate without a step")
            assert.isAtMost(times, 1)
            if (act === "call") assert.strictEqual(outcome, times === 1 ? "answered" : "ServerExited")
            else assert.strictEqual(outcome, act === "cast" ? "answered" : "ServerExited")
          }
          assert.deepStrictEqual([stats.running, stats.inFlight, stats.waiting], [0, 0, 0])
          checkOrder(world)
        }
      ),
      { numRuns: 30 }
    ))
})
