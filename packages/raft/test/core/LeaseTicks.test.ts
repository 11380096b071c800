import { assert, describe, it } from "@effect/vitest"
import * as Raft from "@reckon/raft/Raft"
import * as RaftClient from "@reckon/raft/RaftClient"
import type { Options } from "@reckon/raft/RaftCore"
import * as RaftLog from "@reckon/raft/RaftLog"
import * as RaftTransport from "@reckon/raft/RaftTransport"
import type { Clock } from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Ticks from "../../src/internal/driver/ticks.js"
import { leaderOf, makeMachine, whileTimePasses } from "../helpers/group.js"
import { processes } from "../helpers/processes.js"

/** A clock whose two hands are set by hand. */
const makeClock = () => {
  const hands = { steady: 0, wall: 1_000_000 }
  const clock: Pick<Clock, "unsafeCurrentTimeMillis" | "unsafeCurrentTimeNanos"> = {
    unsafeCurrentTimeMillis: () => hands.wall,
    unsafeCurrentTimeNanos: () => BigInt(Math.round(hands.steady * 1e6))
  }
  const pass = (millis: number) => {
    hands.steady += millis
    hands.wall += millis
  }
  return { hands, pass, ticks: Ticks.make(clock, 100) }
}

describe("the time of a driver, in ticks", () => {
  it("counts whole ones, and loses nothing between them", () => {
    const { pass, ticks } = makeClock()
    const counted = Array.from({ length: 200 }, (_, at) => {
      pass(at % 2 === 0 ? 99 : 103)
      return ticks.tick()
    })
    assert.strictEqual(
      counted.reduce((sum, each) => sum + each, 0),
      202
    )
  })

  it("counts all the time for which the process was held up", () => {
    const { pass, ticks } = makeClock()
    pass(100)
    assert.strictEqual(ticks.tick(), 1)
    pass(5_050)
    assert.strictEqual(ticks.tick(), 50)
  })

  it("counts what has begun since, without a tick", () => {
    const { pass, ticks } = makeClock()
    pass(130)
    ticks.tick()
    assert.strictEqual(ticks.begun(), 1)
    pass(71)
    assert.strictEqual(ticks.begun(), 2)
    pass(3_000)
    assert.strictEqual(ticks.begun(), 32)
    assert.strictEqual(ticks.tick(), 31)
  })

  it("believes the hand that went further: the steady one where the other is set back, the other where a machine slept", () => {
    const { hands, pass, ticks } = makeClock()
    hands.wall -= 3_600_000
    pass(200)
    assert.strictEqual(ticks.tick(), 2)
    hands.wall += 60_000
    assert.strictEqual(ticks.begun(), 600)
    assert.strictEqual(ticks.tick(), 600)
  })
})

/** A transport that counts what leaves. */
const counting = (transport: RaftTransport.RaftTransport["Type"], sent: { messages: number }) =>
  RaftTransport.RaftTransport.of({
    ...transport,
    send: (group, message) => {
      sent.messages += 1
      transport.send(group, message)
    }
  })

const names = ["a", "b", "c"]

const makeGroup = (limits: Partial<Options>) =>
  Effect.gen(function* () {
    const network = yield* RaftTransport.makeNetwork
    const sent = { messages: 0 }
    const members = yield* Effect.forEach(names, self =>
      Effect.gen(function* () {
        const log = yield* RaftLog.make({ filename: ":memory:" })
        const { applied, counts, machine } = makeMachine()
        const transport = counting(network.transport(self), sent)
        const processName = `raft-${self}`
        const start = Raft.startLink({
          group: "g",
          self,
          voters: names,
          processName,
          open: Effect.succeed({ log, machine }),
          limits
        }).pipe(Effect.provideService(RaftTransport.RaftTransport, transport))
        yield* start
        const client = yield* RaftClient.make({ group: "g", self, processName }).pipe(
          Effect.provideService(RaftTransport.RaftTransport, transport)
        )
        const status = Effect.flatMap(client.status, found =>
          found === null ? Effect.dieMessage(`${self} does not run`) : Effect.succeed(found)
        )
        return { self, applied, counts, client, start, log, status }
      })
    )
    const leader = yield* leaderOf(members)
    yield* whileTimePasses(Effect.sleep("1 second"))
    return { leader, sent }
  })

describe("a leader with a lease", () => {
  it.scoped("answers a read without a message, where one without asks the others", () =>
    Effect.gen(function* () {
      const { leader, sent } = yield* makeGroup({ leaseTicks: 7 })
      const before = sent.messages
      yield* leader.client.readBarrier
      assert.strictEqual(sent.messages, before)
    }).pipe(Effect.provide(processes))
  )

  it.scoped("without one it asks the others", () =>
    Effect.gen(function* () {
      const { leader, sent } = yield* makeGroup({})
      const before = sent.messages
      yield* leader.client.readBarrier
      assert.isAbove(sent.messages, before)
    }).pipe(Effect.provide(processes))
  )
})
