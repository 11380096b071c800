/** A member's driver in front of a queue that the test reads, and that has no room when it says so. */
import * as Compaction from "@reckon/raft/Compaction"
import * as RaftLog from "@reckon/raft/RaftLog"
import * as RaftTransport from "@reckon/raft/RaftTransport"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Admission from "../../src/internal/driver/admission.js"
import * as Driver from "../../src/internal/driver/driver.js"
import { makeMachine } from "./group.js"

export interface DriverSurroundings {
  readonly voters: ReadonlyArray<string>
  readonly log?: Context.Tag.Service<RaftLog.RaftLog>
  readonly transport?: Context.Tag.Service<RaftTransport.RaftTransport>
}

/** The driver of the member `a`. */
export const makeDriver = (surroundings: DriverSurroundings) =>
  Effect.gen(function* () {
    const queue: Array<Driver.DriverInput> = []
    const room = { isFull: false }
    const driver = Driver.make({
      group: "g",
      self: "a",
      voters: surroundings.voters,
      limits: undefined,
      compaction: Compaction.defaults,
      onRoleChanged: () => Effect.void,
      onMembershipChanged: () => Effect.void,
      trace: undefined,
      admission: Admission.make({ group: "g", self: "a" }),
      newIncarnation: "0".repeat(32),
      seed: 1,
      clock: yield* Effect.clock,
      tickMillis: 100,
      transport: surroundings.transport ?? (yield* RaftTransport.makeNetwork).transport("a"),
      log: surroundings.log ?? (yield* RaftLog.make({ filename: ":memory:" })),
      machine: makeMachine().machine,
      courier: undefined,
      install: () => Effect.void,
      wake: input => {
        if (!room.isFull) queue.push(input)
        return !room.isFull
      }
    })
    yield* driver.intake.lend
    /** Handles what is in the queue, and what that puts there. */
    const work = Effect.gen(function* () {
      for (let input = queue.shift(); input !== undefined; input = queue.shift()) yield* driver.handle(input)
    })
    return { driver, queue, room, work }
  })
