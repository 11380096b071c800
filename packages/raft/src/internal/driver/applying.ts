/** What a member's machine is given of the log, and whether one that could not take it can by now. */
import type * as Context from "effect/Context"
import * as LogEntry from "../../LogEntry.js"
import { RaftLogError } from "../../RaftError.js"
import type { RaftLog } from "../../RaftLog.js"
import { MachineDamaged, type StateMachine } from "../../StateMachine.js"

type Log = Pick<Context.Tag.Service<RaftLog>, "entries" | "hasFailed" | "hasRoom">
type Machine = Context.Tag.Service<StateMachine>

/** What one transaction of the state machine takes, so that no apply keeps heartbeats waiting for long. */
const applyBytesMax = 4 * 1024 * 1024
const applyEntriesMax = 1024

/** To the state machine an entry that concerns only the group is a no-op, which moves its applied index. */
const forMachine = (entry: LogEntry.LogEntry): LogEntry.LogEntry =>
  entry.kind === "configuration" ? LogEntry.noop(entry.index, entry.term) : entry

/** Gives the machine the next entries up to this index, and tells which and what it answered. */
export const applyNext = (log: Log, machine: Machine, through: number) => {
  const applied = machine.appliedIndex()
  const entries = log.entries(applied + 1, Math.min(through, applied + applyEntriesMax), applyBytesMax)
  return { applied, entries, answers: machine.apply(entries.map(forMachine)) }
}

/** What a member is set aside for: its machine, or its log where that may be read or written again. */
export type Damage = MachineDamaged | RaftLogError

export const isDamage = (failure: unknown): failure is Damage =>
  failure instanceof MachineDamaged || (failure instanceof RaftLogError && failure.mayPass)

/** Whether that may be over some time. */
export const mayPass = (damage: Damage, machine: Machine): boolean =>
  damage instanceof RaftLogError || machine.restore !== undefined

/** Whether the machine takes everything up to this index, and keeps it; or, of a log that could not be written, whether there is room to open it anew. */
export const isOver = (log: Log, machine: Machine, through: number): boolean => {
  if (log.hasFailed()) return log.hasRoom()
  try {
    machine.restore?.()
    while (machine.appliedIndex() < through) {
      // It stops where it does not know what follows; a new life says so.
      if (applyNext(log, machine, through).answers.length === 0) return true
    }
    machine.persist?.()
    return true
  } catch (cause) {
    if (isDamage(cause)) return false
    throw cause
  }
}
