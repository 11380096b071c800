import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { Lru } from "../src/internal/sqlite/lru.js"

const max = 5

const uses = fc.array(fc.record({ key: fc.nat({ max: 20 }), sets: fc.boolean() }), { maxLength: 60, size: "max" })

describe("a cache that forgets", () => {
  it("keeps those used last, each with its latest value, and at most twice as many as it was made for", () => {
    fc.assert(
      fc.property(uses, uses => {
        const cache = new Lru<number, number>(max)
        const values = new Map<number, number>()
        /** The keys in the order of their last use. */
        let order: ReadonlyArray<number> = []
        uses.forEach(({ key, sets }, at) => {
          const found = cache.get(key)
          if (order.slice(-max).includes(key)) assert.isDefined(found)
          if (found !== undefined) assert.strictEqual(found, values.get(key))
          if (sets) {
            cache.set(key, at)
            values.set(key, at)
          }
          if (sets || found !== undefined) order = [...order.filter(other => other !== key), key]
        })
        const kept = order.toReversed().filter(key => cache.get(key) !== undefined)
        assert.isAtMost(kept.length, 2 * max)
      })
    )
  })

  it("knows what was deleted no more, however long ago it was used", () => {
    const cache = new Lru<string, number>(2)
    cache.set("a", 1)
    cache.set("b", 2)
    cache.set("c", 3)
    for (const key of ["a", "c", "d"]) cache.delete(key)
    assert.deepStrictEqual([cache.get("a"), cache.get("b"), cache.get("c")], [undefined, 2, undefined])
  })

  it("knows nothing of what was there before it was cleared", () => {
    const cache = new Lru<string, number>(1)
    cache.set("a", 1)
    cache.set("b", 2)
    cache.clear()
    assert.deepStrictEqual([cache.get("a"), cache.get("b")], [undefined, undefined])
  })
})
