/** The figures of `@reckon/otp`. */
import * as Rpc from "@effect/rpc/Rpc"
import * as RpcGroup from "@effect/rpc/RpcGroup"
import * as DynamicSupervisor from "@reckon/otp/DynamicSupervisor"
import * as ExitReason from "@reckon/otp/ExitReason"
import * as GenServer from "@reckon/otp/GenServer"
import * as Process from "@reckon/otp/Process"
import * as Supervisor from "@reckon/otp/Supervisor"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import { bytesEach, millisEach, perSecond, timed } from "./measure.js"
import { callsEach, castBurst, castCapacity, children, few, idle, restarts, spawned } from "./sizes.js"

const Counter = RpcGroup.make(
  Rpc.make("Add", { payload: { by: Schema.Number }, success: Schema.Number }),
  Rpc.make("Get", { success: Schema.Number })
)

const counter = GenServer.make(Counter, {
  init: () => Effect.succeed(0),
  handlers: {
    Add: ({ by }, count) => GenServer.reply(count + by, count + by),
    Get: (_, count) => GenServer.reply(count, count)
  },
  mailboxCapacity: castCapacity
})

const times = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, index) => index)

export const calls = (callers: number) =>
  Effect.gen(function* () {
    const server = yield* GenServer.start(counter)
    const caller = Effect.gen(function* () {
      for (let i = 0; i < callsEach; i++) yield* server.call("Add", { by: 1 })
    })
    const all = Effect.forEach(times(callers), () => caller, { concurrency: "unbounded", discard: true })
    return yield* perSecond(timed(callers * callsEach, all))
  }).pipe(Effect.provide(Process.layer))

export const casts = Effect.gen(function* () {
  const server = yield* GenServer.start(counter)
  let sent = 0
  const burst = Effect.gen(function* () {
    for (let i = 0; i < castBurst; i++) yield* server.cast("Add", { by: 1 })
    sent += castBurst
    const counted = yield* server.call("Get")
    if (counted !== sent) yield* Effect.dieMessage(`${sent} casts were sent, ${counted} counted`)
  })
  return yield* perSecond(timed(castBurst, burst))
}).pipe(Effect.provide(Process.layer))

/** Runs the effect as a process and waits for its value: monitors belong to a process. */
const asProcess = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const value = yield* Queue.bounded<Effect.Effect<A, E>>(1)
    yield* Process.spawn(Effect.flatMap(Effect.exit(effect), exit => Queue.offer(value, exit)))
    return yield* Effect.flatten(Queue.take(value))
  })

const spawning = (count: number) =>
  timed(
    count,
    Effect.gen(function* () {
      for (let i = 0; i < count; i++) yield* Process.spawnMonitor(Effect.void)
      for (let i = 0; i < count; i++) yield* Process.receive
    })
  )

export const spawns = asProcess(perSecond(spawning(spawned), spawning(few))).pipe(Effect.provide(Process.layer))

export const idleBytes = bytesEach(idle, GenServer.start(counter)).pipe(Effect.provide(Process.layer))

/** A server that says who it is as soon as its supervisor has it back. */
const announcing = (announced: Queue.Enqueue<Process.Pid>) =>
  GenServer.make(RpcGroup.make(), {
    init: (self: GenServer.Self<never>) => Effect.succeed(GenServer.initContinue(self.pid, "announce")),
    handlers: {},
    continue: (_, pid) => Effect.as(Queue.offer(announced, pid), GenServer.noReply(pid))
  })

const workers = <E, R>(count: number, start: Effect.Effect<{ readonly pid: Process.Pid }, E, R>) =>
  times(count).map(index => Supervisor.worker(`worker-${index}`, start))

const kill = (pid: Process.Pid) => Process.exit(pid, ExitReason.killed)

export const restartsOfOne = perSecond(
  Effect.gen(function* () {
    const announced = yield* Queue.bounded<Process.Pid>(children)
    const supervisor = yield* Supervisor.start({
      intensity: restarts,
      children: workers(1, GenServer.startLink(announcing(announced)))
    })
    let worker = yield* Queue.take(announced)
    const work = Effect.gen(function* () {
      for (let i = 0; i < restarts; i++) {
        yield* kill(worker)
        worker = yield* Queue.take(announced)
      }
    })
    const sample = yield* timed(restarts, work)
    yield* Supervisor.stop(supervisor)
    return sample
  })
).pipe(Effect.provide(Process.layer))

const restarting = (count: number) =>
  Effect.gen(function* () {
    const announced = yield* Queue.bounded<Process.Pid>(children)
    const everybody = Queue.takeN(announced, count)
    const supervisor = yield* Supervisor.start({
      intensity: count,
      children: workers(count, GenServer.startLink(announcing(announced)))
    })
    const pids = yield* everybody
    const work = Effect.zipRight(Effect.forEach(pids, kill, { discard: true }), everybody)
    const sample = yield* timed(count, work)
    yield* Supervisor.stop(supervisor)
    return sample
  })

export const restartsOfAll = perSecond(restarting(children), restarting(few)).pipe(Effect.provide(Process.layer))

export const stopMillis = millisEach(
  Effect.gen(function* () {
    const supervisor = yield* Supervisor.start({ children: workers(children, GenServer.startLink(counter)) })
    return yield* timed(1, Supervisor.stop(supervisor))
  })
).pipe(Effect.provide(Process.layer))

const dynamicWorkers = DynamicSupervisor.make({ start: (_: undefined) => GenServer.startLink(counter) })

export const stopDynamicMillis = millisEach(
  Effect.gen(function* () {
    const supervisor = yield* DynamicSupervisor.start(dynamicWorkers)
    for (let i = 0; i < children; i++) yield* supervisor.startChild(undefined)
    return yield* timed(1, DynamicSupervisor.stop(supervisor))
  })
).pipe(Effect.provide(Process.layer))
