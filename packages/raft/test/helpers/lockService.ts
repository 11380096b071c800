/**
 * Locks with a queue: whoever holds one has it until it lets go, its session ends or its lease is over. Each grant has a number that is higher than all before, by
 * which what the lock protects can tell an old holder from the new one.
 */
import * as Machine from "@reckon/raft/Machine"
import { cancelTimer, notify, setTimer } from "@reckon/raft/MachineEffect"
import * as Schema from "effect/Schema"

const Lock = Schema.Struct({
  holder: Schema.Int,
  fence: Schema.Int,
  waiting: Schema.Array(Schema.Int)
})

const State = Schema.Record({ key: Schema.String, value: Lock })
type State = typeof State.Type

export interface Granted {
  readonly lock: string
  readonly session: number
  readonly fence: number
}

const leaseMillis = 10_000

const grant = (state: State, lock: string, session: number, waiting: ReadonlyArray<number>, fence: number) =>
  Machine.noReply({ ...state, [lock]: { holder: session, fence, waiting } }, [
    notify<Granted>({ lock, session, fence }),
    setTimer(lock, leaseMillis)
  ])

/** The lock goes to whoever waits first, or is free. */
const passOn = (state: State, lock: string, fence: number) => {
  const { [lock]: held, ...others } = state
  const [next, ...waiting] = held?.waiting ?? []
  return next === undefined ? Machine.noReply(others, [cancelTimer(lock)]) : grant(state, lock, next, waiting, fence)
}

export const locks = Machine.make({
  command: Schema.Struct({ _tag: Schema.Literal("Acquire", "Release"), lock: Schema.String }),
  reply: Schema.Literal("held", "waiting", "released", "not_held", "no_session"),
  state: State,
  initial: {},
  apply: ({ _tag, lock }, state, { index, session }) => {
    const held = state[lock]
    if (session === undefined) return Machine.reply("no_session", state)
    if (_tag === "Release") {
      if (held?.holder !== session) return Machine.reply("not_held", state)
      return Machine.replyWith("released", passOn(state, lock, index))
    }
    if (held === undefined) return Machine.replyWith("held", grant(state, lock, session, [], index))
    if (held.holder === session) return Machine.reply("held", state)
    const waiting = held.waiting.includes(session) ? held.waiting : [...held.waiting, session]
    return Machine.reply("waiting", { ...state, [lock]: { ...held, waiting } })
  },
  info: (info, state, { index }) => {
    if (info._tag === "TimerFired") return passOn(state, info.name, index)
    if (info._tag !== "SessionEnded") return Machine.noReply(state)
    let left = Machine.noReply<State, Granted>(state)
    for (const [lock, held] of Object.entries(state)) {
      const waiting = held.waiting.filter(session => session !== info.session)
      const without = { ...left.state, [lock]: { ...held, waiting } }
      const next = held.holder === info.session ? passOn(without, lock, index) : Machine.noReply(without)
      left = Machine.noReply(next.state, [...left.effects, ...next.effects])
    }
    return left
  }
})
