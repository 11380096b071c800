import type { Delivery } from "@reckon/cluster/Deliveries"

/** Messages that can be told apart by their term. */
export const heartbeat = (term: number, group = "things"): Delivery => ({
  group,
  message: { _tag: "Heartbeat", from: "b", to: "a", term, commit: 0, round: 0 }
})

export const append = (term: number, bytes: number): Delivery => ({
  group: "things",
  message: {
    _tag: "AppendEntries",
    from: "b",
    to: "a",
    term,
    prevIndex: 0,
    prevTerm: 0,
    commit: 0,
    round: 1,
    entries: [{ index: 1, term, kind: "command", payload: new Uint8Array(bytes).fill(term) }]
  }
})

export const terms = (deliveries: ReadonlyArray<Delivery>): ReadonlyArray<number> =>
  deliveries.map(({ message }) => message.term)
