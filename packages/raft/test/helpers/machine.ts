/**
 * Machines without a group around them: a log of envelopes is applied by hand.
 */
import * as LogEntry from "@reckon/raft/LogEntry"
import type { MachineReplica } from "@reckon/raft/MachineReplica"
import type { Leadership } from "@reckon/raft/StateMachine"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Answer from "../../src/internal/machine/answer.js"
import * as Envelope from "../../src/internal/machine/envelope.js"

export const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))

export const command = (timeMillis: number, value: unknown): Envelope.Envelope => ({
  _tag: "Command",
  timeMillis,
  body: json(value)
})

export const request = (
  timeMillis: number,
  session: number,
  sequence: number,
  value: unknown,
  lowest = 1
): Envelope.Envelope => ({ _tag: "Request", timeMillis, session, sequence, lowest, body: json(value) })

export const register = (timeMillis: number, timeoutMillis: number): Envelope.Envelope => ({
  _tag: "Register",
  timeMillis,
  timeoutMillis
})

export const tick = (timeMillis: number): Envelope.Envelope => ({ _tag: "Tick", timeMillis })

/** What an answer says, with the machine's reply as its value. */
export const readAnswer = (bytes: Uint8Array): unknown => {
  const answer = Either.getOrThrow(Answer.decode(bytes))
  if (answer._tag !== "Replied") return answer
  return answer.reply.length === 0 ? undefined : JSON.parse(new TextDecoder().decode(answer.reply))
}

/** A log that grows by hand, and replicas that follow it as far as they are told. */
export const makeLog = () => {
  const entries: Array<LogEntry.LogEntry> = []
  let term = 1
  const append = (payload: Uint8Array) => {
    const entry = LogEntry.command(entries.length + 1, term, payload)
    entries.push(entry)
    return entry
  }
  return {
    entries,
    append,
    get term() {
      return term
    },
    /** A new leader's term, with its no-op. */
    nextTerm: () => {
      term++
      entries.push(LogEntry.noop(entries.length + 1, term))
      return term
    },
    /** What the replica has not applied yet; its answers. */
    follow: (replica: Pick<MachineReplica<unknown>, "appliedIndex" | "apply">) =>
      replica.apply(entries.slice(replica.appliedIndex()))
  }
}

/** Appends the envelopes and lets the replica apply them; what it answers to each. */
export const feed = (
  log: ReturnType<typeof makeLog>,
  replica: Pick<MachineReplica<unknown>, "appliedIndex" | "apply">,
  ...envelopes: ReadonlyArray<Envelope.Envelope>
): ReadonlyArray<unknown> => {
  log.follow(replica)
  for (const envelope of envelopes) log.append(Envelope.encode(envelope))
  return log.follow(replica).map(readAnswer)
}

/** The lead of the log's term: what is proposed is committed and applied at once. */
export const leadership = (
  log: ReturnType<typeof makeLog>,
  replica: Pick<MachineReplica<unknown>, "appliedIndex" | "apply">,
  onProposal: (envelope: Envelope.Envelope) => void = () => {}
): Leadership => ({
  term: log.term,
  propose: (payload, reply) => {
    onProposal(Either.getOrThrow(Envelope.decode(payload)))
    log.append(payload)
    const answer = log.follow(replica).at(-1)
    if (answer !== undefined) reply(Exit.succeed(answer))
  }
})

/** Lets the event loop go round once. */
export const nextTurn = Effect.promise(() => new Promise<void>(resolve => setImmediate(resolve)))

/** Asks again until everything that is applied now is durable. */
export const persisted = (replica: Pick<MachineReplica<unknown>, "appliedIndex" | "persist">) =>
  Effect.suspend(() => {
    const index = replica.appliedIndex()
    return Effect.repeat(
      Effect.tap(
        Effect.sync(() => replica.persist()),
        nextTurn
      ),
      { until: durable => durable >= index }
    )
  })
