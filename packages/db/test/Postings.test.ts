import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Postings from "../src/internal/sqlite/postings.js"
import type { Direction } from "../src/StoreEngine.js"

/** What is to be made of some lists. */
type Plan =
  | { readonly _tag: "leaf"; readonly positions: ReadonlyArray<number> }
  | { readonly _tag: "union" | "intersection"; readonly parts: ReadonlyArray<Plan> }
  | { readonly _tag: "filter"; readonly part: Plan; readonly divisor: number }
  | { readonly _tag: "within"; readonly part: Plan; readonly parts: ReadonlyArray<Plan> }

/** Some lists are much longer than others, and longer than what is fetched at a time. */
const leafPlan = fc
  .oneof(
    fc.uniqueArray(fc.nat({ max: 60 }), { maxLength: 20 }),
    fc.uniqueArray(fc.nat({ max: 3000 }), { maxLength: 12 }),
    fc
      .tuple(fc.nat({ max: 500 }), fc.integer({ min: 1, max: 3 }), fc.nat({ max: 2000 }))
      .map(([from, every, count]) => Array.from({ length: count }, (_, n) => from + n * every))
  )
  .map((positions): Plan => ({ _tag: "leaf", positions }))

const { plan } = fc.letrec<{ plan: Plan; parts: Array<Plan> }>(tie => ({
  plan: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    leafPlan,
    tie("parts").map((parts): Plan => ({ _tag: "union", parts })),
    fc
      .tuple(tie("plan"), tie("parts"))
      .map(([first, parts]): Plan => ({ _tag: "intersection", parts: [first, ...parts] })),
    fc
      .tuple(tie("plan"), fc.integer({ min: 2, max: 50 }))
      .map(([part, divisor]): Plan => ({ _tag: "filter", part, divisor })),
    fc.tuple(tie("plan"), tie("parts")).map(([part, parts]): Plan => ({ _tag: "within", part, parts }))
  ),
  parts: fc.array(tie("plan"), { maxLength: 3 })
}))

const setOf = (plan: Plan): ReadonlySet<number> => {
  switch (plan._tag) {
    case "leaf":
      return new Set(plan.positions)
    case "union":
      return new Set(plan.parts.flatMap(part => [...setOf(part)]))
    case "intersection": {
      const sets = plan.parts.map(setOf)
      return new Set([...(sets[0] ?? [])].filter(position => sets.every(set => set.has(position))))
    }
    case "filter":
      return new Set([...setOf(plan.part)].filter(position => position % plan.divisor === 0))
    case "within": {
      const all = setOf({ _tag: "union", parts: plan.parts })
      return new Set([...setOf(plan.part)].filter(position => all.has(position)))
    }
  }
}

/** The oracle: all members in order. */
const sorted = (plan: Plan, direction: Direction): ReadonlyArray<number> =>
  [...setOf(plan)].sort((a, b) => (direction === "forward" ? a - b : b - a))

/** An index over these positions that notes how many rows each fetch took from it. */
const indexOf = (positions: ReadonlyArray<number>, direction: Direction, fetched: Array<number> = []) => {
  const order = Postings.orderOf(direction)
  const rows = positions.toSorted((a, b) => (a - b) * order.step)
  return Postings.leaf(order, (position, limit) => {
    const found = rows.filter(row => !order.isBefore(row, position)).slice(0, limit)
    fetched.push(found.length)
    return found
  })
}

const build = (plan: Plan, direction: Direction, budget: Postings.Budget): Postings.Postings => {
  const order = Postings.orderOf(direction)
  switch (plan._tag) {
    case "leaf":
      return indexOf(plan.positions, direction)
    case "union":
      return Postings.union(
        order,
        plan.parts.map(part => build(part, direction, budget)),
        budget
      )
    case "intersection":
      return Postings.intersection(
        plan.parts.map(part => build(part, direction, budget)),
        budget
      )
    case "filter":
      return Postings.filter(
        order,
        build(plan.part, direction, budget),
        position => position % plan.divisor === 0,
        budget
      )
    case "within": {
      const union: Plan = { _tag: "union", parts: plan.parts }
      const members = setOf(union)
      const all = Postings.union(
        order,
        plan.parts.map(part => build(part, direction, budget)),
        budget
      )
      return Postings.within(order, build(plan.part, direction, budget), all, place => members.has(place), budget)
    }
  }
}

const unlimited = (): Postings.Budget => ({ left: Number.POSITIVE_INFINITY })
const start = (direction: Direction) => (direction === "forward" ? 0 : 10_000)

/** Everything in the list, in its order. */
const walk = (list: Postings.Postings, direction: Direction): ReadonlyArray<number> => {
  const { step } = Postings.orderOf(direction)
  const all: Array<number> = []
  for (let at = list.seek(start(direction)); at !== null; at = list.seek(at + step)) all.push(at)
  return all
}

const direction = fc.constantFrom<Direction>("forward", "backward")

describe("postings", () => {
  it("walked through, are what the sets are, in order and without repetition", () => {
    fc.assert(
      fc.property(plan, direction, (plan, direction) => {
        assert.deepStrictEqual(walk(build(plan, direction, unlimited()), direction), sorted(plan, direction))
      }),
      { numRuns: 300 }
    )
  })

  it("asked for places further and further on, answer the first member that is not before each", () => {
    fc.assert(
      fc.property(plan, direction, fc.array(fc.nat({ max: 3500 })), (plan, direction, places) => {
        const { isBefore, step } = Postings.orderOf(direction)
        const list = build(plan, direction, unlimited())
        const members = sorted(plan, direction)
        for (const place of places.toSorted((a, b) => (a - b) * step)) {
          assert.strictEqual(list.seek(place), members.find(member => !isBefore(member, place)) ?? null)
        }
      }),
      { numRuns: 300 }
    )
  })

  it("read in parts that each have a small budget, lose no member, and get on with each part", () => {
    fc.assert(
      fc.property(plan, direction, fc.integer({ min: 1, max: 40 }), (plan, direction, left) => {
        const { step } = Postings.orderOf(direction)
        const members = setOf(plan)
        const found: Array<number> = []
        let from: number | null = start(direction)
        while (from !== null) {
          const budget: Postings.Budget = { left }
          const list = build(plan, direction, budget)
          let at = list.seek(from)
          while (at !== null && budget.left > 0) {
            found.push(at)
            at = list.seek(at + step)
          }
          if (at !== null) found.push(at)
          from = at === null ? null : at + step
        }
        assert.deepStrictEqual(
          found.filter(position => members.has(position)),
          sorted(plan, direction)
        )
        assert.strictEqual(new Set(found).size, found.length)
      }),
      { numRuns: 300 }
    )
  })
})

describe("a leaf", () => {
  const dense = Array.from({ length: 10_000 }, (_, n) => n)

  it("fetches a few rows first, and more at a time as it is read through", () => {
    const fetched: Array<number> = []
    const list = indexOf(dense, "forward", fetched)
    assert.strictEqual(list.seek(0), 0)
    assert.deepStrictEqual(fetched, [4])
    walk(list, "forward")
    assert.isBelow(fetched.length, 30)
    assert.isAtMost(Math.max(...fetched), 512)
  })

  it("fetches a few rows at a time while it is jumped through", () => {
    const fetched: Array<number> = []
    const list = indexOf(dense, "forward", fetched)
    for (let place = 0; place < 10_000; place += 1000) assert.strictEqual(list.seek(place), place)
    assert.deepStrictEqual(new Set(fetched), new Set([4]))
  })

  it("fetches as many as are wanted at once, where that is known, up to its limit", () => {
    for (const [wanted, first] of [
      [100, 100],
      [10_000, 512]
    ] as const) {
      const fetched: Array<number> = []
      const fetch = (from: number, limit: number) => {
        fetched.push(limit)
        return dense.slice(from, from + limit)
      }
      const list = Postings.leaf(Postings.orderOf("forward"), fetch, wanted)
      assert.deepStrictEqual(walk(list, "forward"), dense)
      assert.strictEqual(fetched[0], first)
      assert.isAtMost(Math.max(...fetched), 512)
    }
  })

  it("does not ask again behind its end", () => {
    const fetched: Array<number> = []
    const list = indexOf([1, 2], "forward", fetched)
    assert.deepStrictEqual(walk(list, "forward"), [1, 2])
    assert.isNull(list.seek(50))
    assert.deepStrictEqual(fetched, [2])
  })
})

describe("an intersection", () => {
  it("of a long list with a short one costs what the short one does", () => {
    const fetched: Array<number> = []
    const long = indexOf(
      Array.from({ length: 100_000 }, (_, n) => n),
      "forward",
      fetched
    )
    const short = indexOf([5, 50_000, 99_999], "forward")
    assert.deepStrictEqual(walk(Postings.intersection([long, short], unlimited()), "forward"), [5, 50_000, 99_999])
    assert.isBelow(
      fetched.reduce((sum, rows) => sum + rows, 0),
      30
    )
  })

  it("of lists that never meet stops when its budget is spent, at a place that misses nothing", () => {
    const numbers = Array.from({ length: 2000 }, (_, n) => n)
    const even = indexOf(
      numbers.map(n => 2 * n),
      "forward"
    )
    const odd = indexOf([...numbers.map(n => 2 * n + 1), 3000], "forward")
    const budget = { left: 100 }
    const place = Postings.intersection([even, odd], budget).seek(0)
    assert.isAtMost(budget.left, 0)
    assert.isAbove(place ?? 0, 90)
    assert.isBelow(place ?? Number.POSITIVE_INFINITY, 3000)
  })

  it("of very many lists costs of its budget how often they are asked", () => {
    let asked = 0
    const counted = (list: Postings.Postings): Postings.Postings => ({
      ...list,
      seek: position => {
        asked += 1
        return list.seek(position)
      }
    })
    const multiples = (rest: number) => Array.from({ length: 2000 }, (_, n) => 10 * n + rest)
    const lists = Array.from({ length: 64 }, (_, n) => counted(indexOf(multiples(n === 63 ? 5 : 0), "forward")))
    Postings.intersection(lists, { left: 1000 }).seek(0)
    assert.isBelow(asked, 1100)
  })
})

describe("what a list and many others have in common", () => {
  const every = (step: number, first = 0) =>
    Array.from({ length: Math.ceil((100_000 - first) / step) }, (_, n) => first + n * step)

  /** How often an index was asked, and how often a single event, until all was found that 200 lists side by side have in common with this one. */
  const cost = (list: ReadonlyArray<number>, others: ReadonlyArray<ReadonlyArray<number>>) => {
    const fetched: Array<number> = []
    const members = new Set(others.flat())
    const order = Postings.orderOf("forward")
    const lists = others.map(positions => indexOf(positions, "forward", fetched))
    const all = Postings.union(order, lists, unlimited())
    let looks = 0
    const isIn = (position: number) => {
      looks += 1
      return members.has(position)
    }
    const common = Postings.within(order, indexOf(list, "forward"), all, isIn, unlimited())
    assert.deepStrictEqual(
      walk(common, "forward"),
      list.filter(position => members.has(position))
    )
    return { fetches: fetched.length, looks }
  }

  it("costs what the list does where that is the shorter one", () => {
    const others = Array.from({ length: 200 }, (_, n) => every(200, n))
    assert.deepStrictEqual(cost(every(1000), others), { fetches: 0, looks: 100 })
  })

  it("costs what the others do where these are", () => {
    const others = Array.from({ length: 200 }, (_, n) => [500 * n, 500 * n + 100])
    const { fetches, looks } = cost(every(1), others)
    assert.isAtMost(fetches, 600)
    assert.isAtMost(looks, 2000)
  })
})
