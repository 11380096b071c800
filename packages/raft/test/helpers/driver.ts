/** A member's driver in front of a queue that the test reads, and that has no room when it says so. */
import { assert } from "@effect/vitest"
import * as Compaction from "@reckon/raft/Compaction"
import type { Message } from "@reckon/raft/Message"
import * as RaftLog from "@reckon/raft/RaftLog"
import * as RaftTransport from "@reckon/raft/RaftTransport"
import type { StateMachine } from "@reckon/raft/StateMachine"
import type { Clock } from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Admission from "../../src/internal/driver/admission.js"
import * as Driver from "../../src/internal/driver/driver.js"
import type { DriverInput } from "../../src/internal/driver/input.js"
import type { Courier } from "../../src/internal/snapshot/courier.js"
import { makeMachine } from "./group.js"

export interface DriverSurroundings {
  readonly voters: ReadonlyArray<string>
  readonly clock?: Clock
  readonly log?: Context.Tag.Service<RaftLog.RaftLog>
  readonly transport?: Context.Tag.Service<RaftTransport.RaftTransport>
  readonly machine?: Context.Tag.Service<StateMachine>
  readonly compaction?: Partial<Compaction.Compaction>
  readonly courier?: Courier
}

/** The driver of the member `a`. */
export const makeDriver = (surroundings: DriverSurroundings) =>
  Effect.gen(function* () {
    const queue: Array<DriverInput> = []
    const room = { isFull: false }
    const driver = Driver.make({
      group: "g",
      self: "a",
      voters: surroundings.voters,
      limits: undefined,
      compaction: { ...Compaction.defaults, ...surroundings.compaction },
      onRoleChanged: () => Effect.void,
      onMembershipChanged: () => Effect.void,
      trace: undefined,
      admission: Admission.make({ group: "g", self: "a" }),
      newIncarnation: "0".repeat(32),
      seed: 1,
      clock: surroundings.clock ?? (yield* Effect.clock),
      tickMillis: 100,
      transport: surroundings.transport ?? (yield* RaftTransport.makeNetwork).transport("a"),
      log: surroundings.log ?? (yield* RaftLog.make({ filename: ":memory:" })),
      machine: surroundings.machine ?? makeMachine().machine,
      courier: surroundings.courier,
      install: () => Effect.void,
      wake: input => {
        if (!room.isFull) queue.push(input)
        return !room.isFull
      },
      stir: () => {},
      probe: Effect.void
    })
    yield* driver.intake.lend
    /** Handles what is in the queue, and what that puts there. */
    const work = Effect.gen(function* () {
      for (let input = queue.shift(); input !== undefined; input = queue.shift()) yield* driver.handle(input)
    })
    const hear = (message: Message) =>
      Effect.suspend(() => {
        driver.receive([message])
        return work
      })
    /** Makes it the leader of the first term, by the votes of `b`, with the first entry committed. */
    const lead = Effect.gen(function* () {
      for (let ticks = 0; driver.status().role === "follower"; ticks++) {
        assert.isBelow(ticks, 100)
        driver.tick()
        yield* work
      }
      const answer = { from: "b", to: "a", askedTerm: 1, granted: true } as const
      yield* hear({ _tag: "PreVoteReply", term: 0, ...answer })
      yield* hear({ _tag: "VoteReply", term: 1, ...answer })
      const result = { _tag: "Matched", matchIndex: 1 } as const
      yield* hear({ _tag: "AppendReply", from: "b", to: "a", term: 1, round: 0, result })
      assert.deepInclude(driver.status(), { role: "leader", commitIndex: 1 })
    })
    return { driver, queue, room, work, hear, lead }
  })
