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
   * When its {@link Budget} is spent, or `leapsMost` leaps have led to nothing, the answer may be one that is not in the list: the list has nothing before it, and that is all.
   */
  readonly seek: (position: number, leapsMost?: number) => number | null
  /** Whether the list has what it answered last, or it answered that there is nothing more. */
  readonly isFound: () => boolean
}

/** How many rows a read may still look at without returning them. All that takes part in the read takes from it. */
export interface Budget {
  left: number
}

export const none: Postings = { seek: () => null, isFound: () => true }

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
    },
    isFound: () => true
  }
}

/** One of the lists of a union, and its first position that may be wanted: `undefined`, nobody has asked. */
interface Member {
  readonly list: Postings
  head: number | null | undefined
}

/** Leaps of one list of a union before whichever is behind has its turn. */
const turnLeaps = 16

/** Several lists as one. */
export interface Union extends Postings {
  /** How many of the lists have to be asked when this position is. */
  readonly behind: (position: number) => number
}

/**
 * What is in any of the lists.
 *
 * They get on side by side, however much each has to leap over. One that went on until it finds something might spend the {@link Budget} far ahead of the others, and whoever went on from where those
 * are would have it spent on the same again.
 */
export const union = (order: Order, lists: ReadonlyArray<Postings>, budget: Budget): Union => {
  const [only] = lists
  if (only === undefined) return { ...none, behind: () => 0 }
  if (lists.length === 1) return { ...only, behind: () => 1 }
  const members = lists.map((list): Member => ({ list, head: undefined }))

  const isBehind = ({ head }: Member, position: number): boolean =>
    head === undefined || (head !== null && order.isBefore(head, position))

  const firstFrom = (position: number): Member | null => {
    let first: Member | null = null
    let least: number | null = null
    for (const member of members) {
      const head = isBehind(member, position) ? member.list.seek(position, turnLeaps) : (member.head ?? null)
      member.head = head
      if (head !== null && (least === null || order.isBefore(head, least))) {
        first = member
        least = head
      }
    }
    return first
  }

  let isFound = true
  return {
    seek: position => {
      for (;;) {
        const first = firstFrom(position)
        const head = first?.head ?? null
        isFound = first === null || first.list.isFound()
        if (first === null || head === null || isFound || budget.left <= 0) return head
        first.head = first.list.seek(head, turnLeaps)
      }
    },
    isFound: () => isFound,
    behind: position => members.filter(member => isBehind(member, position)).length
  }
}

/**
 * What is in all of the lists, of which there is at least one. Each in turn is asked for the place where the others are, so that long gaps of one
 * are never walked through in another (leapfrog join: Veldhuizen, 2014). Each leap costs of the budget how many lists were asked for it.
 */
export const intersection = (lists: ReadonlyArray<Postings>, budget: Budget): Postings => {
  const [first, ...others] = lists
  if (first === undefined || others.length === 0) return first ?? none
  let isFound = true
  return {
    seek: (position, leapsMost = Number.POSITIVE_INFINITY) => {
      let candidate = first.seek(position)
      let agreeing = 1
      let leaps = 0
      for (let turn = 1; candidate !== null && agreeing < lists.length; turn++) {
        const found: number | null = lists[turn % lists.length]?.seek(candidate) ?? null
        if (found === candidate) {
          agreeing += 1
        } else {
          candidate = found
          budget.left -= agreeing
          agreeing = 1
          leaps += 1
          if (budget.left <= 0 || leaps >= leapsMost) break
        }
      }
      isFound = candidate === null || agreeing === lists.length
      return candidate
    },
    isFound: () => isFound
  }
}

/** What passes the test, at a leap and one of the budget for each that does not. */
export const filter = (
  order: Order,
  list: Postings,
  passes: (position: number) => boolean,
  budget: Budget
): Postings => {
  let isFound = true
  return {
    seek: (position, leapsMost = Number.POSITIVE_INFINITY) => {
      let candidate = list.seek(position)
      let leaps = 0
      isFound = true
      while (candidate !== null && !passes(candidate)) {
        leaps += 1
        budget.left -= 1
        isFound = budget.left > 0 && leaps < leapsMost
        if (!isFound) break
        candidate = list.seek(candidate + order.step)
      }
      return candidate
    },
    isFound: () => isFound
  }
}

/** What it costs to seek in a list of a union that is far behind, in looks at an event. */
const catchUpCost = 4

/**
 * What is in the list and in the union, of which `isIn` tells at the price of a look at the event. Each leap costs one of the budget.
 *
 * A leap of the list may leave many lists of the union behind, and to have all of them catch up costs many times such a look. So they are left there, until as much was spent on looks in vain: what comes of it costs at most
 * twice what the better of the two ways would have.
 */
export const within = (
  order: Order,
  list: Postings,
  all: Union,
  isIn: (position: number) => boolean,
  budget: Budget
): Postings => {
  let isFound = true
  let inVain = 0

  /** The position itself, or one that nothing in both comes before. */
  const next = (position: number): number | null => {
    const behind = all.behind(position)
    if (behind <= 1) return all.seek(position)
    if (inVain >= catchUpCost * behind) {
      inVain = 0
      budget.left -= catchUpCost * behind
      return all.seek(position)
    }
    if (isIn(position)) return position
    inVain += 1
    return position + order.step
  }

  return {
    seek: (position, leapsMost = Number.POSITIVE_INFINITY) => {
      let candidate = list.seek(position, leapsMost)
      for (let leaps = 1; ; leaps++) {
        isFound = list.isFound()
        if (candidate === null || !isFound) return candidate
        const there = next(candidate)
        if (there === candidate) return candidate
        budget.left -= 1
        isFound = there === null
        if (there === null || budget.left <= 0 || leaps >= leapsMost) return there
        candidate = list.seek(there, leapsMost)
      }
    },
    isFound: () => isFound
  }
}
