/**
 * Those who wait for a leader to be replaced: they have asked it something, and it may never answer.
 */
import type { MemberId } from "../../Membership.js"

export interface Successions {
  readonly whenReplaced: (leader: MemberId, replaced: () => void) => () => void
  /** Who leads as far as is known. That nobody does replaces nobody. */
  readonly follow: (leader: MemberId | undefined) => void
}

export const make = (first: MemberId | undefined): Successions => {
  let newest = first
  const waiting = new Set<{ readonly leader: MemberId; readonly replaced: () => void }>()

  return {
    whenReplaced: (leader, replaced) => {
      const waiter = { leader, replaced }
      if (newest === undefined || newest === leader) waiting.add(waiter)
      else replaced()
      return () => waiting.delete(waiter)
    },
    follow: leader => {
      newest = leader
      if (leader === undefined) return
      for (const waiter of waiting) {
        if (waiter.leader === leader) continue
        waiting.delete(waiter)
        waiter.replaced()
      }
    }
  }
}
