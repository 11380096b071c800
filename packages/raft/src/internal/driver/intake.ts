import * as ServiceHandle from "@reckon/otp/ServiceHandle"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { MemberId } from "../../Membership.js"
import type { ProposeError } from "../../RaftError.js"
import type { Reply } from "./reply.js"

/** What is asked of a member so often that a call of its process would cost more than all that is done about it. It costs the process's queue nothing. */
export interface Requests {
  /** Never waits. The reply is called once: within the time that a proposal has for its outcome, and when the process ends. */
  readonly propose: (payload: Uint8Array, reply: Reply<Uint8Array, ProposeError>) => void
  /** Whether the machine stands at this moment where a linearizable read has to find it. Where it cannot be known without asking others, it is false. */
  readonly isCurrent: () => boolean
  /** Calls back, once, when the member follows another than this leader, or leads itself: at once where that is so by now. What it answers calls that off. */
  readonly whenReplaced: (leader: MemberId, replaced: () => void) => () => void
  /** Why the member was set aside, and will not hear of a leader before it is started anew. */
  readonly problem: () => string | undefined
}

/** Where requests enter a member without its queue: lent to those beside it, for as long as it lives. The next one has its own. */
export class Intake {
  private readonly handle = ServiceHandle.unsafeMake<Requests>("the intake of a Raft member")

  constructor(private readonly requests: Requests) {}

  /** Open from now on, until the process that runs this is dead or the scope closes. One that is killed knows of nothing, and its successor may lead before it has been tidied up. */
  get lend(): Effect.Effect<void, never, Scope.Scope> {
    return this.handle.provide(this.requests)
  }

  /** Nothing once the process has ended. */
  current(): Requests | undefined {
    return this.handle.current()
  }
}
