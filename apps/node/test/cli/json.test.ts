import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { jsonFault } from "../../src/cli/shared/json.js"

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
