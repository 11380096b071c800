import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { jsonFault, jsonLine, memberTexts } from "../../src/cli/shared/json.js"

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

describe("jsonLine", () => {
  it("leaves a text as it was written, but for the ends of lines", () => {
    assert.strictEqual(jsonLine('\r\n{"n":\n 1e400,\r\n\t"m": -0.10}\n'), '{"n":  1e400,  \t"m": -0.10}')
    assert.strictEqual(jsonLine('["a\u2028b\\\\\u2029", "\\n"]'), '["a\\u2028b\\\\\\u2029", "\\n"]')
    const deep = `${"[\n".repeat(100_000)}${"]".repeat(100_000)}`
    assert.strictEqual(jsonLine(deep), deep.replaceAll("\n", " "))
    for (const text of ["", "{", "\u2028 1", "\ufeff1"]) assert.isUndefined(jsonLine(text))
  })

  it("means what it meant", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.jsonValue(), FastCheck.nat(3), (value, indent) => {
        const line = jsonLine(JSON.stringify(value, null, indent))
        assert.notMatch(line ?? "\n", /[\r\n\u2028\u2029]/)
        assert.deepStrictEqual(JSON.parse(line ?? ""), JSON.parse(JSON.stringify(value)))
      })
    )
  })
})
