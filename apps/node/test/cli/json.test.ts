import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { jsonFault, memberTexts } from "../../src/cli/shared/json.js"

describe("jsonFault", () => {
  it("names the place", () => {
    assert.strictEqual(jsonFault('{"a":}'), 'it breaks at character 6, before "}"')
    assert.strictEqual(jsonFault("[1,]"), 'it breaks at character 4, before "]"')
    assert.strictEqual(jsonFault("{'a':1}"), `it breaks at character 2, before "'a':1}"`)
    assert.strictEqual(jsonFault('{"a":1} x'), 'it breaks at character 9, before "x"')
    assert.strictEqual(jsonFault('{"a":[1'), "it breaks off at its end, after 7 characters")
    assert.strictEqual(jsonFault('"a\tb"'), 'it breaks at character 1, before "\\"a\\tb\\""')
    assert.strictEqual(jsonFault("  "), "it is empty")
  })

  it("agrees with JSON.parse on what JSON is, and no prefix up to the fault is to blame", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.json(), FastCheck.nat(), FastCheck.string({ maxLength: 2 }), (text, at, noise) => {
        assert.isUndefined(jsonFault(text))
        const cut = at % (text.length + 1)
        const spoilt = text.slice(0, cut) + noise + text.slice(cut + 1)
        let valid = true
        try {
          JSON.parse(spoilt)
        } catch {
          valid = false
        }
        assert.strictEqual(jsonFault(spoilt) === undefined, valid)
      })
    )
  })
})

describe("memberTexts", () => {
  it("has what stands there, to the letter", () => {
    const text =
      ' { "a" : 1e400 , "b\\"\\u0041":[{"c":"},]\\\\"}, 9007199254740993 ],"a": -0.10,"__proto__":"x:\\"," } '
    assert.deepStrictEqual(
      [...memberTexts(text)],
      [
        ["a", "-0.10"],
        ['b"A', '[{"c":"},]\\\\"}, 9007199254740993 ]'],
        ["__proto__", '"x:\\","']
      ]
    )
    assert.deepStrictEqual([...memberTexts("{ }")], [])
  })

  it("finds each member that JSON.parse finds", () => {
    FastCheck.assert(
      FastCheck.property(
        FastCheck.dictionary(FastCheck.string(), FastCheck.jsonValue()),
        FastCheck.nat(3),
        (object, indent) => {
          const text = JSON.stringify(object, null, indent)
          const parsed: unknown = JSON.parse(text)
          const read = Object.fromEntries(
            [...memberTexts(text)].map(([name, value]) => [name, JSON.parse(value) as unknown])
          )
          assert.deepStrictEqual(read, parsed)
        }
      )
    )
  })
})
