/**
 * Requests to this member's own process, which are never forwarded: what the transport offers to the other members.
 */
import * as GenServer from "@reckon/otp/GenServer"
import { ProcessTable } from "@reckon/otp/Process"
import * as Effect from "effect/Effect"
import { NotLeader, ProposalUnknown, type ProposeError, type ReadError, ReadTimeout } from "../RaftError.js"
import { RaftProtocol, type Status } from "../RaftProtocol.js"

/** How long a proposal waits to be committed before its outcome is declared unknown, and a read for its confirmation. */
const outcomeMillis = 5_000

export const localRequests = (processName: string) =>
  Effect.map(ProcessTable, table => {
    const ref = GenServer.named(RaftProtocol, processName)
    const propose = (payload: Uint8Array): Effect.Effect<Uint8Array, ProposeError> =>
      ref.call("Propose", { payload }, { timeout: outcomeMillis }).pipe(
        Effect.catchTags({
          CallTimeout: () => new ProposalUnknown({ detail: `it was not committed within ${outcomeMillis} ms` }),
          ServerExited: () => new ProposalUnknown({ detail: "the member's process stopped" }),
          NoProcess: () => new NotLeader({ leader: null }),
          CallingSelf: () => new NotLeader({ leader: null }),
          MailboxFull: () => new NotLeader({ leader: null })
        }),
        Effect.provideService(ProcessTable, table)
      )
    const unconfirmed = () => new ReadTimeout()
    const readIndex: Effect.Effect<number, ReadError> = ref
      .call("ReadIndex", undefined, { timeout: outcomeMillis })
      .pipe(
        Effect.catchTags({
          CallTimeout: unconfirmed,
          ServerExited: unconfirmed,
          NoProcess: unconfirmed,
          CallingSelf: unconfirmed,
          MailboxFull: unconfirmed
        }),
        Effect.provideService(ProcessTable, table)
      )
    const awaitApplied = (index: number): Effect.Effect<void, ReadError> =>
      ref.call("AwaitApplied", { index }, { timeout: outcomeMillis }).pipe(
        Effect.catchTags({
          CallTimeout: unconfirmed,
          ServerExited: unconfirmed,
          NoProcess: unconfirmed,
          CallingSelf: unconfirmed,
          MailboxFull: unconfirmed
        }),
        Effect.provideService(ProcessTable, table)
      )
    const status: Effect.Effect<Status | null> = ref.call("Status", undefined).pipe(
      Effect.orElseSucceed(() => null),
      Effect.provideService(ProcessTable, table)
    )
    return { propose, readIndex, awaitApplied, status }
  })
