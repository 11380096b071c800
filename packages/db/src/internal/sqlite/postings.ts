import type { Direction } from "../../StoreEngine.js"

/** Which of two positions comes first, and how to get from one to the next. */
export interface Order {
  readonly step: 1 | -1
  readonly isBefore: (a: number, b: number) => boolean
}

const orders: Readonly<Record<Direction, Order>> = {
  forward: { step: 1, isBefore: (a, b) => a < b },
  backward: { step: -1, isBefore: (a, b) => a > b }
}

export const orderOf = (direction: Direction): Order => orders[direction]

/** The positions of events, each once, in one order: what an index knows of a criterion, or what was made of several of those. */
export interface Postings {
  /**
   * The first position of the list that does not come before the one asked for; `null` where there is none. What is asked for never goes back.
   *
   * When its {@link Budget} is spent, the answer may be one that is not in the list: the list has nothing before it, and that is all.
   */
  readonly seek: (position: number) => number | null
}

/** How many rows a read may still look at without returning them. All that takes part in the read takes from it. */
export interface Budget {
  left: number
}

export const none: Postings = { seek: () => null }

const chunkLeast = 4
const chunkMost = 512

/**
 * A list that is fetched in pieces: `fetch` answers the first `limit` positions from one on. Pieces that are read through are followed by
 * larger ones; when most of a piece would be jumped over, they are small. The first is large enough for as many as are `wanted`, where that is known.
 */
export const leaf = (
  order: Order,
  fetch: (position: number, limit: number) => ReadonlyArray<number>,
  wanted = chunkLeast
): Postings => {
  let chunk: ReadonlyArray<number> = []
  let at = 0
  let answered = -1
  let limit = Math.ceil(wanted / chunkLeast)
  let isLast = false
  return {
    seek: position => {
      let found = chunk[at]
      while (found !== undefined && order.isBefore(found, position)) found = chunk[++at]
      if (found === undefined && !isLast) {
        const wasReadThrough = answered === chunk.length - 1
        limit = wasReadThrough ? Math.min(limit * chunkLeast, chunkMost) : chunkLeast
        chunk = fetch(position, limit)
        isLast = chunk.length < limit
        at = 0
        found = chunk[0]
      }
      answered = at
      return found ?? null
    }
  }
}

/** What is in any of the lists. */
export const union = (order: Order, lists: ReadonlyArray<Postings>): Postings => {
  const [only] = lists
  if (only === undefined) return none
  if (lists.length === 1) return only
  const heads: Array<number | null | undefined> = lists.map(() => undefined)
  return {
    seek: position => {
      let first: number | null = null
      lists.forEach((list, n) => {
        let head = heads[n]
        if (head === undefined || (head !== null && order.isBefore(head, position))) {
          head = list.seek(position)
          heads[n] = head
        }
        if (head !== null && (first === null || order.isBefore(head, first))) first = head
      })
      return first
    }
  }
}

/**
 * What is in all of the lists, of which there is at least one. Each in turn is asked for the place where the others are, so that long gaps of one
 * are never walked through in another (leapfrog join: Veldhuizen, 2014). Each leap costs one of the budget.
 */
export const intersection = (lists: ReadonlyArray<Postings>, budget: Budget): Postings => {
  const [first, ...others] = lists
  if (first === undefined || others.length === 0) return first ?? none
  return {
    seek: position => {
      let candidate = first.seek(position)
      let agreeing = 1
      for (let turn = 1; candidate !== null && agreeing < lists.length; turn++) {
        const found: number | null = lists[turn % lists.length]?.seek(candidate) ?? null
        if (found === candidate) {
          agreeing += 1
        } else {
          candidate = found
          agreeing = 1
          budget.left -= 1
          if (budget.left <= 0) break
        }
      }
      return candidate
    }
  }
}

/** What passes the test, at one of the budget for each that does not. */
export const filter = (
  order: Order,
  list: Postings,
  passes: (position: number) => boolean,
  budget: Budget
): Postings => ({
  seek: position => {
    let found = list.seek(position)
    while (found !== null && !passes(found)) {
      budget.left -= 1
      if (budget.left <= 0) break
      found = list.seek(found + order.step)
    }
    return found
  }
})
