/**
 * A member whose machine can apply nothing any more, or whose files cannot be written, or opened again. To its group it is down: it hears nobody, votes for nobody and leads nothing, so that another is elected where it led. Its
 * process lives on, since to start it anew would change nothing, and says what is wrong to whoever asks. Every few seconds it looks whether that is over, and ends if so, for its supervisor to start it anew.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { MemberId } from "../../Membership.js"
import { NotLeader } from "../../RaftError.js"
import type { Status } from "../../RaftProtocol.js"
import type { Driver } from "./driver.js"
import { Intake } from "./intake.js"

/** What keeps the member out is over: its process ends, and another begins. Thrown, for nothing else ends a process that handles its inputs. */
export class Over extends Error {
  override readonly name = "Over"
}

const refused = Exit.fail(new NotLeader({ leader: null }))

const absent = (options: {
  readonly intake: Intake
  readonly status: () => Status
  readonly isOver: Effect.Effect<boolean>
}): Driver => ({
  receive: () => {},
  tick: () => {},
  isQuiet: () => true,
  intake: options.intake,
  readIndex: reply => reply(refused),
  awaitApplied: (index, reply) => reply(index <= options.status().appliedIndex ? Exit.void : refused),
  changeMembership: (_, reply) => Effect.sync(() => reply(refused)),
  transferLeadership: (_, reply) => Effect.sync(() => reply(refused)),
  status: options.status,
  handle: input =>
    input._tag === "Probe"
      ? Effect.flatMap(options.isOver, isOver => (isOver ? Effect.die(new Over()) : Effect.void))
      : Effect.void,
  setAside: () => Effect.void,
  isOver: () => false,
  close: () => {}
})

/** In the place of a driver that was closed. */
export const make = (closed: Driver): Driver =>
  absent({
    intake: closed.intake,
    status: () => ({ ...closed.status(), role: "follower", leader: null, followers: [] }),
    isOver: Effect.sync(closed.isOver)
  })

/** Of a member that has nothing open, and knows no more of itself than its name. */
export const unopened = (options: {
  readonly self: MemberId
  readonly voters: ReadonlyArray<MemberId>
  readonly problem: string
  /** Whether it could be opened by now. */
  readonly isOver: Effect.Effect<boolean>
}): Driver =>
  absent({
    intake: new Intake({
      propose: (_, reply) => reply(refused),
      isCurrent: () => false,
      whenReplaced: () => () => {},
      problem: () => options.problem
    }),
    status: () => ({
      member: options.self,
      role: "follower",
      leader: null,
      term: 0,
      commitIndex: 0,
      appliedIndex: 0,
      lastIndex: 0,
      firstIndex: 1,
      logBytes: 0,
      lastFlushMillis: null,
      voters: options.voters,
      learners: [],
      removed: false,
      problem: options.problem,
      incarnation: null,
      openProposals: 0,
      uncommittedBytes: 0,
      pendingChange: null,
      transferringTo: null,
      machine: null,
      followers: []
    }),
    isOver: options.isOver
  })
