import * as LogEntry from "../../LogEntry.js"
import * as Membership from "../../Membership.js"
import type { LogView } from "../../RaftState.js"
import type { Draft } from "./draft.js"

/** How a group comes by its incarnation, and how a log shows that it is settled. */

/**
 * The first entry of a term: a no-op, but in a group without an incarnation the configuration that is in force and committed, with one. That changes no voter, so
 * no majority depends on whether it stays. Over a change that may yet be cut off it would stand in the way of who is leaving: the next change brings it then.
 */
export const opening = (draft: Draft): LogEntry.LogEntry => {
  const { commitIndex, configurations, newIncarnation, term, termStartIndex } = draft.state
  const [{ configuration, index }] = configurations
  const isNamed = configuration.incarnation !== undefined || newIncarnation === undefined
  return isNamed || index > commitIndex
    ? LogEntry.noop(termStartIndex, term)
    : LogEntry.configuration(termStartIndex, term, { ...configuration, incarnation: newIncarnation })
}

/**
 * Whether a leader must not add anything yet: while the incarnation in its log may be replaced by another. Whoever has what was proposed behind an
 * incarnation knows by that that it is settled.
 */
export const isFounding = ({ state }: Draft): boolean => Membership.isTentative(state.configurations, state.commitIndex)

/**
 * How far a log shows by itself that it is committed, which a machine that is kept in memory, or has lost what it applied, does not know: up to the incarnation, where
 * behind it a second entry of any term stands. Nobody adds one before that, see {@link isFounding}.
 */
export const committedIndexOf = (
  log: Pick<LogView, "firstIndex" | "lastIndex" | "term">,
  beginning: Membership.Placed,
  configurations: Iterable<{ readonly index: number; readonly payload: Uint8Array }>
): number => {
  const baseIndex = log.firstIndex - 1
  const first = Membership.fromLog(beginning, configurations).findLast(
    ({ configuration }) => configuration.incarnation !== undefined
  )
  if (first === undefined || first.index <= baseIndex) return baseIndex
  for (let index = first.index; index < log.lastIndex; index++) {
    if (log.term(index) === log.term(index + 1)) return first.index
  }
  return baseIndex
}
