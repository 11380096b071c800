import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import * as StreamPattern from "../src/StreamPattern.js"

/** By the definition: the first piece of the pattern takes something off the front, the others match the rest. */
const matches = (pattern: ReadonlyArray<string>, name: ReadonlyArray<string>): boolean => {
  const [first, ...others] = pattern
  if (first === undefined) return name.length === 0
  if (first === "*") return name.some((_, at) => matches(others, name.slice(at))) || matches(others, [])
  return name.length > 0 && (first === "?" || first === name[0]) && matches(others, name.slice(1))
}

/** The last three share halves in UTF-16. */
const characters = fc.constantFrom("a", "b", "é", "e\u0301", "🧾", "🧽", "🗾")
const name = fc.array(characters, { maxLength: 8 }).map(parts => parts.join(""))
const pattern = fc.array(fc.oneof(characters, fc.constantFrom("*", "?")), { maxLength: 6 }).map(parts => parts.join(""))

describe("a stream pattern", () => {
  it("matches what its definition says", () => {
    fc.assert(
      fc.property(pattern, name, (pattern, name) => {
        assert.strictEqual(StreamPattern.matcher(pattern)(name), matches([...pattern], [...name]))
      }),
      { numRuns: 2000 }
    )
  })

  it("means the same however long it is", () => {
    const piece = fc.oneof(
      { weight: 20, arbitrary: fc.constantFrom("a", "b", "🧾") },
      { weight: 2, arbitrary: fc.constant("?") },
      { weight: 1, arbitrary: fc.constant("*") }
    )
    const long = fc.array(piece, { minLength: 20, maxLength: 150 })
    const filling = fc.array(fc.constantFrom("a", "b", "🧾"), { maxLength: 40 }).map(parts => parts.join(""))
    fc.assert(
      fc.property(long, filling, fc.nat(200), (pattern, filling, at) => {
        const regex = new RegExp(`^${pattern.join("").replaceAll("?", ".").replaceAll("*", ".*")}$`, "su")
        const matches = StreamPattern.matcher(pattern.join(""))
        const name = pattern.join("").replaceAll("?", "b").replaceAll("*", filling)
        const cut = [...name].toSpliced(at, 1).join("")
        for (const candidate of [name, cut, `${name}a`, `a${name}`]) {
          assert.strictEqual(matches(candidate), regex.test(candidate), candidate)
        }
        assert.isTrue(matches(name))
      }),
      { numRuns: 500 }
    )
  })

  it.each([
    ["order-*", ["order-1", "order-", "order-*"], ["order", "my-order-1", "Order-1"]],
    ["*-1", ["order-1", "-1", "a-1-1"], ["order-11", "1"]],
    ["o?d", ["old", "o🧾d"], ["od", "oold", "o🧾🧾d"]],
    ["*", ["a", "a b", "*"], []],
    ["**", ["a"], []],
    ["a.c", ["a.c"], ["abc"]],
    ["$all", ["$all"], ["all", "$al", "$alls"]],
    ["[ab]*", ["[ab]", "[ab]c"], ["a", "b"]]
  ])("%s", (pattern, those, others) => {
    const matches = StreamPattern.matcher(pattern)
    assert.deepStrictEqual(those.filter(matches), those)
    assert.deepStrictEqual(others.filter(matches), [])
  })

  it("without wildcards matches itself only, whatever characters it has", () => {
    fc.assert(
      fc.property(name, name, (pattern, name) => {
        assert.isTrue(StreamPattern.isLiteral(pattern))
        assert.strictEqual(StreamPattern.matcher(pattern)(name), pattern === name)
      })
    )
  })

  it("every name that matches begins with its literal prefix, and no longer prefix has that property", () => {
    fc.assert(
      fc.property(pattern, name, (pattern, name) => {
        const prefix = StreamPattern.literalPrefix(pattern)
        assert.isTrue(StreamPattern.isLiteral(prefix))
        if (StreamPattern.matcher(pattern)(name)) assert.isTrue(name.startsWith(prefix))
        assert.strictEqual(prefix === pattern, StreamPattern.isLiteral(pattern))
        if (prefix !== pattern) assert.match(pattern.charAt(prefix.length), /[*?]/)
      })
    )
  })

  it("cannot be made to take long", () => {
    // Each star that could be gone back to would multiply the steps of a backtracking matcher by 500: this one would never come back.
    const matches = StreamPattern.matcher(`${"a*".repeat(200)}b`)
    assert.isFalse(matches("a".repeat(512)))
  })

  it("is as long as a name may be, and has no control characters", () => {
    const isPattern = Schema.is(StreamPattern.StreamPattern)
    assert.isTrue(isPattern("*"))
    assert.isTrue(isPattern("x".repeat(512)))
    assert.isFalse(isPattern(""))
    assert.isFalse(isPattern("x".repeat(513)))
    assert.isFalse(isPattern("a\n*"))
  })
})
