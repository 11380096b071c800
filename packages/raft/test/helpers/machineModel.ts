/**
 * A machine whose state tells in which order what was applied, and a model of it that looks through the whole log for each answer and keeps nothing.
 */
import * as Machine from "@reckon/raft/Machine"
import { cancelTimer, notify, setTimer } from "@reckon/raft/MachineEffect"
import * as Schema from "effect/Schema"
import type * as Envelope from "../../src/internal/machine/envelope.js"

export const timerNames = ["x", "y"]

export interface Order {
  readonly value: number
  readonly set?: string | undefined
  readonly cancel?: string | undefined
}

/** Order matters to it, and every entry leaves its trace. */
const mix = (hash: number, value: number): number => (hash * 31 + value) % 1_000_003

const State = Schema.Struct({ hash: Schema.Int, news: Schema.Array(Schema.String) })

export const first = Machine.make({
  command: Schema.Struct({
    value: Schema.Int,
    set: Schema.optional(Schema.String),
    cancel: Schema.optional(Schema.String)
  }),
  reply: Schema.Int,
  state: State,
  initial: { hash: 1, news: [] },
  apply: ({ cancel, set, value }, state, { index }) => {
    const hash = mix(state.hash, value)
    return Machine.reply(hash, { ...state, hash }, [
      notify(index),
      ...(set === undefined ? [] : [setTimer(set, 1_000)]),
      ...(cancel === undefined ? [] : [cancelTimer(cancel)])
    ])
  },
  info: (info, state) =>
    Machine.noReply({
      ...state,
      news: [
        ...state.news,
        info._tag === "TimerFired" ? info.name : info._tag === "SessionEnded" ? `${info.session} ${info.reason}` : "?"
      ]
    })
})

export const machine = Machine.nextVersion(first, {
  command: Schema.Struct({ value: Schema.Int }),
  reply: Schema.Int,
  state: State,
  upgrade: state => state,
  apply: ({ value }, state, { index }) => {
    const hash = mix(state.hash, -value)
    return Machine.reply(hash, { ...state, hash }, [notify(index)])
  },
  info: (_, state) => Machine.noReply(state)
})

export type Entry = { readonly term: number; readonly envelope: Envelope.Envelope | "noop" | "garbage" }

export interface Expected {
  readonly answers: ReadonlyArray<unknown>
  readonly state: typeof State.Type
  /** Indices of the commands that took effect. */
  readonly applied: ReadonlyArray<number>
}

export const orderOf = (body: Uint8Array): Order => JSON.parse(new TextDecoder().decode(body))

const timeOf = (entry: Entry): number => (typeof entry.envelope === "string" ? 0 : entry.envelope.timeMillis)

export const expect = (entries: ReadonlyArray<Entry>): Expected => {
  const answers: Array<unknown> = []
  const applied: Array<number> = []
  const executed: Array<{ readonly session: number; readonly sequence: number; readonly answer: unknown }> = []
  const touches: Array<{ readonly session: number; readonly at: number; readonly lowest: number }> = []
  const closed = new Set<number>()
  const timers: Array<{ readonly name: string; readonly armed: number }> = []
  const news: Array<string> = []
  let hash = 1
  let version = 1
  const timeAt = (at: number) => Math.max(0, ...entries.slice(0, at + 1).map(timeOf))
  const timeout = (session: number) => {
    const envelope = entries[session - 1]?.envelope
    return typeof envelope === "object" && envelope._tag === "Register" ? envelope.timeoutMillis : undefined
  }
  const tell = (text: string) => {
    if (version === 1) news.push(text)
  }
  const carryOut = (at: number, order: Order) => {
    hash = mix(hash, version === 1 ? order.value : -order.value)
    applied.push(at + 1)
    if (version === 2) return hash
    const drop = (name: string) => timers.splice(0, timers.length, ...timers.filter(timer => timer.name !== name))
    if (order.set !== undefined) {
      drop(order.set)
      timers.push({ name: order.set, armed: at + 1 })
    }
    if (order.cancel !== undefined) drop(order.cancel)
    return hash
  }
  const expired = { _tag: "SessionExpired" }
  const done = { _tag: "Done" }

  for (const [at, { envelope }] of entries.entries()) {
    if (envelope === "noop") {
      answers.push(undefined)
      continue
    }
    if (envelope === "garbage") {
      answers.push({ _tag: "Refused", reason: "unreadable" })
      continue
    }
    const heard = (session: number) => touches.filter(touch => touch.session === session)
    for (let session = 1; session <= at; session++) {
      const limit = timeout(session)
      const last = heard(session).at(-1)?.at ?? session - 1
      if (limit === undefined || closed.has(session) || timeAt(at) - timeAt(last) <= limit) continue
      closed.add(session)
      tell(`${session} expired`)
    }
    const isOpen = (session: number) => session <= at && timeout(session) !== undefined && !closed.has(session)
    const answer = ((): unknown => {
      switch (envelope._tag) {
        case "Command":
          return carryOut(at, orderOf(envelope.body))
        case "Request": {
          const { lowest, sequence, session } = envelope
          if (!isOpen(session)) return expired
          touches.push({ session, at, lowest })
          if (sequence < Math.max(...heard(session).map(touch => touch.lowest))) return { _tag: "SessionOutdated" }
          const earlier = executed.find(one => one.session === session && one.sequence === sequence)
          if (earlier !== undefined) return earlier.answer
          const answer = carryOut(at, orderOf(envelope.body))
          executed.push({ session, sequence, answer })
          return answer
        }
        case "Register":
          return { _tag: "Registered", session: at + 1 }
        case "KeepAlive":
          if (!isOpen(envelope.session)) return expired
          touches.push({ session: envelope.session, at, lowest: envelope.lowest })
          return done
        case "Close":
          if (!isOpen(envelope.session)) return expired
          closed.add(envelope.session)
          tell(`${envelope.session} closed`)
          return done
        case "Upgrade":
          if (envelope.from !== version || envelope.to <= version)
            return { _tag: "VersionConflict", effective: version }
          version = envelope.to
          return done
        case "TimerFired": {
          const found = timers.findIndex(({ armed, name }) => name === envelope.name && armed === envelope.armed)
          if (found >= 0) {
            timers.splice(found, 1)
            tell(envelope.name)
          }
          return done
        }
        default:
          return done
      }
    })()
    answers.push(answer)
  }
  return { answers, state: { hash, news }, applied }
}
