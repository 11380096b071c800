import * as v8 from "node:v8"
import * as vm from "node:vm"
import { Rpc, RpcGroup } from "@effect/rpc"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Fiber, TestClock } from "effect"
import * as ExitReason from "../src/ExitReason.js"
import * as GenServer from "../src/GenServer.js"
import * as Process from "../src/Process.js"
import * as ProcessGroup from "../src/ProcessGroup.js"
import * as ProcessGroupTransport from "../src/ProcessGroupTransport.js"
import * as Registry from "../src/Registry.js"
import * as Request from "../src/Request.js"
import * as Sys from "../src/Sys.js"
import * as Timer from "../src/Timer.js"
import { actor, provided, settle } from "./conformance/processes.js"

/*
 * What comes and goes must leave nothing behind: each case does the same thing over and over, in five rounds at most, and after each the
 * process table and the fibers are as they were. What is forgotten makes the heap grow in every round; compiled code and
 * the like do not. So there must be a round, of 4,000 cycles or more, in which it grew by less than 128 kB, and is the last then: an object and its
 * entry in a collection take more than the 32 bytes a cycle that this comes to.
 */

const many = 100_000
const some = 20_000
const rounds = 5
const toleranceBytes = 128_000

v8.setFlagsFromString("--expose-gc")
const collectGarbage: () => void = vm.runInNewContext("gc")

const turnOfTheEventLoop = Effect.async<void>(resume => {
  setImmediate(() => resume(Effect.void))
})

/** What there is, once everything has come to rest: the limits of calls expire, and the fibers that watch them end. */
const inventory = Effect.gen(function* () {
  yield* settle
  yield* TestClock.adjust("1 minute")
  yield* settle
  const kernel = yield* Process.ProcessTable
  const processes = Array.from(kernel.processes.values(), process => ({
    links: process.links?.size ?? 0,
    watchers: process.watchers?.size ?? 0,
    watching: process.watching?.size ?? 0,
    holdings: process.holdings?.size ?? 0,
    waiting: process.mailbox.length,
    isCalled: process.waitingHead !== undefined
  }))
  const names = Array.from(kernel.names.keys())
  const fibers = Array.from(yield* Fiber.roots).length
  yield* turnOfTheEventLoop
  yield* Effect.sync(collectGarbage)
  return { table: { processes, names, fibers }, heapBytes: process.memoryUsage().heapUsed }
})

type Cycle = Effect.Effect<unknown, unknown, Process.ProcessTable>

/** `prepare` gives what is done over and over. */
const leavesNothing = (name: string, cycles: number, prepare: Effect.Effect<Cycle, unknown, Process.ProcessTable>) =>
  it.effect(
    `${name}, ${cycles} times, leaves nothing`,
    () =>
      Effect.gen(function* () {
        const cycle = yield* prepare
        const play = Effect.zipRight(Effect.repeatN(cycle, cycles / rounds - 1), inventory)
        let before = yield* play
        const grown: Array<number> = []
        // One round in which nothing was left says it; others say that it was no accident that something was.
        while (grown.length < rounds - 1 && !grown.some(bytes => bytes < toleranceBytes)) {
          const { heapBytes, table } = yield* play
          assert.deepStrictEqual(table, before.table)
          grown.push(heapBytes - before.heapBytes)
          before = { heapBytes, table }
        }
        assert.isBelow(Math.min(...grown), toleranceBytes)
      }).pipe(provided),
    120_000
  )

describe("processes", () => {
  leavesNothing(
    "a process that ends",
    many,
    Effect.succeed(Effect.flatMap(Process.spawn(Effect.void), Process.awaitExit))
  )

  for (const reason of [ExitReason.shutdown(), ExitReason.killed]) {
    const ended = Effect.flatMap(Process.spawn(Effect.never), pid =>
      Effect.all([Effect.yieldNow(), Process.exit(pid, reason), Process.awaitExit(pid)])
    )
    leavesNothing(`a process that gets the exit signal ${ExitReason.format(reason)}`, some, Effect.succeed(ended))
  }

  leavesNothing(
    "a child that is linked, monitored and named, and dies",
    some,
    Effect.map(actor("parent", { trapExit: true }), parent => {
      const child = Process.spawnMonitor(Effect.void, { link: true, name: "child" })
      return Effect.all([parent.do(child), Effect.yieldNow(), Effect.sync(() => parent.inbox.splice(0))])
    })
  )

  leavesNothing(
    "link and unlink",
    many,
    Effect.gen(function* () {
      const [one, other] = [yield* actor("one"), yield* actor("other")]
      return one.do(Effect.zipRight(Process.link(other.pid), Process.unlink(other.pid)))
    })
  )

  leavesNothing(
    "monitor and demonitor",
    many,
    Effect.gen(function* () {
      const [one, other] = [yield* actor("one"), yield* actor("other")]
      return one.do(Effect.flatMap(Process.monitor(other.pid), Process.demonitor))
    })
  )

  leavesNothing(
    "a process that dies before what it monitors and is linked to",
    some,
    Effect.map(actor("other", { trapExit: true }), other => {
      const one = Process.spawn(Effect.zipRight(Process.link(other.pid), Process.monitor(other.pid)))
      return Effect.all([Effect.flatMap(one, Process.awaitExit), Effect.sync(() => other.inbox.splice(0))])
    })
  )

  leavesNothing(
    "register and unregister",
    many,
    Effect.map(actor("one"), one => Effect.zipRight(Process.register("name", one.pid), Process.unregister("name")))
  )

  it.effect(
    `a chain of ${many} processes, each started by the one before, does not remember its beginning`,
    () =>
      Effect.gen(function* () {
        const heapBytes = Effect.sync(() => {
          collectGarbage()
          return process.memoryUsage().heapUsed
        })
        const seen: Array<number> = []
        const finished = yield* Deferred.make<void>()
        const look = Effect.map(heapBytes, bytes => void seen.push(bytes))
        const generation = (n: number): Effect.Effect<unknown, never, Process.ProcessTable> =>
          Effect.flatMap(n > 0 && n % (many / rounds) === 0 ? look : Effect.void, () =>
            n === many
              ? Effect.asVoid(Deferred.succeed(finished, undefined))
              : Effect.asVoid(Process.spawn(generation(n + 1), { link: true }))
          )
        yield* Process.spawn(generation(0))
        yield* Deferred.await(finished)
        assert.lengthOf(seen, rounds)
        const grown = seen.slice(1).map((bytes, n) => bytes - (seen[n] ?? 0))
        assert.isBelow(Math.min(...grown), toleranceBytes)
      }).pipe(provided),
    120_000
  )
})

describe("registries and groups", () => {
  leavesNothing(
    "register and unregister in a registry",
    some,
    Effect.gen(function* () {
      const one = yield* actor("one")
      const registry = yield* Registry.make<string>({ keys: "unique" })
      return one.do(Effect.zipRight(Registry.register(registry, "key"), Registry.unregister(registry, "key")))
    })
  )

  leavesNothing(
    "a process that dies with a place in a registry",
    some,
    Effect.map(Registry.make<string>({ keys: "unique" }), registry =>
      Effect.flatMap(Process.spawn(Effect.void, { name: Registry.via(registry, "key") }), Process.awaitExit)
    )
  )

  const scope = Effect.provide(ProcessGroup.start(), ProcessGroupTransport.layerLocal)

  leavesNothing(
    "join and leave of a group",
    some,
    Effect.map(Effect.zipRight(scope, actor("one")), ({ pid }) =>
      Effect.zipRight(ProcessGroup.join("group", pid), ProcessGroup.leave("group", pid))
    )
  )

  leavesNothing(
    "a member of a group that dies",
    some,
    Effect.as(
      scope,
      Effect.flatMap(Process.spawn(Effect.never), pid =>
        Effect.all([ProcessGroup.join("group", pid), Process.exit(pid, ExitReason.killed), Effect.yieldNow()])
      )
    )
  )
})

describe("servers", () => {
  const server = GenServer.make(RpcGroup.make(Rpc.make("Get"), Rpc.make("Ignore"), Rpc.make("Wait")), {
    init: () => Effect.succeed(0),
    handlers: {
      Get: (_, n) => GenServer.reply(undefined, n),
      Ignore: (_, n) => GenServer.noReply(n),
      Wait: (_, n) => GenServer.noReply(n, { timeout: "1 day" })
    }
  })

  leavesNothing(
    "start and stop of a server with a name",
    some,
    Effect.succeed(Effect.flatMap(GenServer.start(server, { name: "it" }), GenServer.stopServer))
  )

  leavesNothing(
    "a start that fails",
    some,
    Effect.succeed(
      Effect.flip(
        GenServer.start(GenServer.make(RpcGroup.make(), { init: () => Effect.interrupt, handlers: {} }), { name: "it" })
      )
    )
  )

  leavesNothing(
    "a call with a time limit",
    many,
    Effect.map(GenServer.start(server), ref => ref.call("Get", undefined, { timeout: "1 second" }))
  )

  leavesNothing(
    "a call without a limit whose caller is interrupted",
    some,
    Effect.map(GenServer.start(server), ref =>
      Effect.flatMap(Effect.fork(ref.call("Ignore", undefined, { timeout: Duration.infinity })), fiber =>
        Effect.zipRight(Effect.yieldNow(), Fiber.interrupt(fiber))
      )
    )
  )

  leavesNothing(
    "a hundred calls that nobody answers until their time is over",
    200,
    Effect.map(GenServer.start(server), ref =>
      Effect.zipRight(
        Effect.replicateEffect(Effect.forkDaemon(Effect.flip(ref.call("Ignore", undefined, { timeout: 1_000 }))), 100),
        TestClock.adjust("1 second")
      )
    )
  )

  leavesNothing(
    "a request that is given up",
    some,
    Effect.map(GenServer.start(server), ref =>
      Effect.flatMap(ref.request("Ignore"), request => Effect.flip(Request.receive(request, { timeout: 0 })))
    )
  )

  leavesNothing(
    "a server that is killed while it waits for a timeout, and is called",
    some,
    Effect.succeed(
      Effect.gen(function* () {
        const ref = yield* GenServer.start(server)
        const asking = yield* Effect.fork(Effect.flip(ref.call("Ignore")))
        yield* Effect.yieldNow()
        yield* ref.cast("Wait")
        yield* Sys.getState(ref)
        yield* Process.exit(ref.pid, ExitReason.killed)
        yield* asking
      })
    )
  )
})

describe("timers", () => {
  leavesNothing(
    "a message for later that is taken back",
    many,
    Effect.map(actor("one"), one => Effect.flatMap(Timer.sendAfter(one, "late", "1 day"), Timer.cancel))
  )

  leavesNothing(
    "a message for later to a process that dies",
    some,
    Effect.succeed(
      Effect.flatMap(Process.spawn(Effect.yieldNow()), pid =>
        Effect.zipRight(Timer.sendAfter({ pid }, "late", "1 day"), Process.awaitExit(pid))
      )
    )
  )
})
