import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as fc from "fast-check"
import * as Filter from "../src/Filter.js"
import * as RegexProgram from "../src/internal/helpers/regexProgram.js"
import * as RegexSyntax from "../src/internal/helpers/regexSyntax.js"

const regex = (pattern: string): Filter.Regex => Either.getOrThrow(Filter.regex(pattern))

const refusal = (pattern: string): Filter.PatternError => Either.getOrThrow(Either.flip(Filter.regex(pattern)))

const program = (pattern: string): RegexProgram.Program =>
  RegexProgram.compile(RegexSyntax.parse(pattern), Number.MAX_SAFE_INTEGER)

const stepsOf = (pattern: string, text: string): number => RegexProgram.run(program(pattern), text).steps

/** Few different characters, so that much matches: letters of both cases, a digit, white space, line ends, one outside the basic plane and half of it. */
const textArbitrary = fc
  .array(fc.constantFrom("a", "b", "A", "1", "_", "-", " ", "\n", "\u2028", "é", "\u{1f600}", "\ud83d"), {
    maxLength: 8
  })
  .map(characters => characters.join(""))

/** Regular expressions of the syntax that is understood, nested three deep. */
const patternArbitrary: fc.Arbitrary<string> = fc.letrec<{
  choice: string
  sequence: string
  term: string
  atom: string
}>(tie => ({
  choice: fc.array(tie("sequence"), { minLength: 1, maxLength: 3 }).map(parts => parts.join("|")),
  sequence: fc.array(tie("term"), { maxLength: 3 }).map(parts => parts.join("")),
  term: fc.oneof(
    { weight: 1, arbitrary: fc.constantFrom("^", "$", "\\b", "\\B") },
    {
      weight: 6,
      arbitrary: fc
        .tuple(
          tie("atom"),
          fc.constantFrom("", "", "*", "+", "?", "*?", "+?", "??", "{0}", "{2}", "{1,}", "{0,2}", "{2,3}?")
        )
        .map(parts => parts.join(""))
    }
  ),
  atom: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constantFrom("a", "b", "1", "-", "é", "\u{1f600}", "\\u{1f600}", "\\ud83d\\ude00", "\\ud83d", "\\x61", "\\/"),
    fc.constantFrom(".", "\\d", "\\D", "\\w", "\\W", "\\s", "\\S", "\\n", "\\cJ", "\\.", "\\x00"),
    fc.constantFrom("[ab]", "[^a]", "[a-b1]", "[\\w-]", "[^\\d\\s]", "[]", "[^]", "[-a]", "[\\b\\-]", "[é-\\u{1f600}]"),
    tie("choice").map(inner => `(${inner})`),
    tie("choice").map(inner => `(?:${inner})`)
  )
})).choice

/**
 * RegExp as the oracle. It is asked for each place between two characters, because V8 by itself also tries the middle of a surrogate pair and finds
 * an empty match for `\B` there; ECMA-262 has it not.
 */
const oracle = (pattern: string) => {
  const expression = new RegExp(pattern, "uy")
  return (text: string): boolean => {
    const places = [0]
    for (const character of text) places.push((places.at(-1) ?? 0) + character.length)
    return places.some(place => {
      expression.lastIndex = place
      return expression.test(text)
    })
  }
}

describe("Filter.regex", () => {
  it("agrees with RegExp, flag u, on generated patterns and texts", () => {
    const runs = 3_000
    let refused = 0
    fc.assert(
      fc.property(patternArbitrary, fc.array(textArbitrary, { minLength: 1, maxLength: 5 }), (pattern, texts) => {
        const ours = Filter.regex(pattern)
        // Repetitions within repetitions: some have more parts than are allowed. These are matched all the same, by what they would be without that limit.
        if (Either.isLeft(ours)) {
          refused++
          assert.match(ours.left.problem, /^more than 2000 parts /)
        }
        const matches = Either.isRight(ours)
          ? ours.right.matches
          : (text: string) => RegexProgram.run(program(pattern), text).matched
        const theirs = oracle(pattern)
        for (const text of texts) assert.strictEqual(matches(text), theirs(text), text)
      }),
      { numRuns: runs }
    )
    assert.isBelow(refused, runs / 100)
  })

  it("takes and refuses what RegExp, flag u, takes and refuses", () => {
    // Without what makes lookaround, named groups and property escapes, which are refused by rule.
    const noise = fc
      .array(fc.constantFrom(..."ab19-,^$\\.*+?()[]{}|/:dDwWsSbBcuxtn0"), { maxLength: 9 })
      .map(characters => characters.join(""))
    const isRegExp = (pattern: string): boolean => {
      try {
        return new RegExp(pattern, "u") instanceof RegExp
      } catch {
        return false
      }
    }
    fc.assert(
      fc.property(noise, pattern => {
        const outcome = Filter.regex(pattern)
        // References to groups are unsafe, whether the group is there or not.
        if (Either.isLeft(outcome) && outcome.left._tag === "UnsafePattern") return
        assert.strictEqual(Either.isRight(outcome), isRegExp(pattern))
      }),
      { numRuns: 20_000 }
    )
  })

  it("knows the same white space, digits and word characters as RegExp, in the whole of Unicode's first plane", () => {
    for (const escape of ["\\s", "\\d", "\\w", "."]) {
      const ours = regex(`^${escape}$`)
      const theirs = new RegExp(`^${escape}$`, "u")
      for (let unit = 0; unit <= 0xffff; unit++) {
        const text = String.fromCharCode(unit)
        if (ours.matches(text) !== theirs.test(text)) assert.fail(`${escape} and U+${unit.toString(16)}`)
      }
    }
  })

  it("matches any part of the text; anchors tie it to its ends, not to those of its lines", () => {
    assert.isTrue(regex("b+").matches("abbc"))
    assert.isFalse(regex("^b+").matches("abbc"))
    assert.isFalse(regex("^b").matches("a\nb"))
    assert.isTrue(regex("^order-\\d{3,}$").matches("order-12345"))
    assert.isFalse(regex("^order-\\d{3,}$").matches("order-12345x"))
    assert.isTrue(regex("").matches(""))
  })

  it("can be used again and again, and for several texts at a time", () => {
    const { matches } = regex("ab$")
    assert.deepStrictEqual(["ab", "b", "ab", "abc", "ab"].map(matches), [true, false, true, false, true])
  })
})

describe("the work of matching", () => {
  it("is one for (a+)+$ that grows with the text and no faster, where going back would double it with each character", () => {
    const short = stepsOf("(a+)+$", `${"a".repeat(1_000)}b`)
    const long = stepsOf("(a+)+$", `${"a".repeat(100_000)}b`)
    assert.isAtMost(long, 100 * short)
    assert.isAtMost(long, 10 * 100_000)
    assert.isFalse(regex("(a+)+$").matches(`${"a".repeat(100_000)}b`))
    assert.isTrue(regex("(a+)+$").matches("a".repeat(100_000)))
  })

  it("is linear for the patterns that are known to be catastrophic", () => {
    for (const pattern of [
      "^(a|a)*$",
      "^(a|aa)+$",
      "^(a*)*$",
      "^(.*a){10}$",
      "^((a+)?b?)*$",
      "(?:a?){50}a{50}b",
      "^\\s+$|(.*)*c"
    ]) {
      const [first = 0, second = 0, third = 0] = [2_000, 4_000, 6_000].map(n => stepsOf(pattern, `${"a".repeat(n)}!`))
      assert.strictEqual(third - second, second - first, pattern)
    }
  })

  it("never exceeds states × (characters + 1)", () => {
    fc.assert(
      fc.property(patternArbitrary, textArbitrary, (pattern, text) => {
        const compiled = program(pattern)
        const { steps } = RegexProgram.run(compiled, text)
        assert.isAtMost(steps, compiled.states.length * ([...text].length + 1))
      })
    )
  })
})

describe("a pattern is refused", () => {
  const unsafe = (pattern: string, words: string) => {
    const error = refusal(pattern)
    assert.strictEqual(error._tag, "UnsafePattern", pattern.slice(0, 40))
    assert.include(error.message, words)
    assert.isFalse(error.retryable)
    assert.isFalse(Filter.isValidRegex(pattern))
  }

  const invalid = (pattern: string, words: string) => {
    const error = refusal(pattern)
    assert.strictEqual(error._tag, "InvalidPattern", pattern)
    assert.include(error.message, words)
    assert.isFalse(error.retryable)
    assert.isFalse(Filter.isValidRegex(pattern))
  }

  it("as unsafe, if it refers to a group or looks around", () => {
    for (const pattern of ["(a)\\1", "\\2", "\\k<n>"]) unsafe(pattern, "reference")
    for (const pattern of ["(?=a)", "a(?!b)", "(?<=a)b", "(?<!a)b"]) unsafe(pattern, "lookaround")
  })

  it("as unsafe, if it has more than 1,000 characters", () => {
    assert.isTrue(Filter.isValidRegex("a".repeat(1_000)))
    unsafe("a".repeat(1_001), "1001 characters")
    assert.strictEqual(refusal("a".repeat(5_000_000)).pattern.length, 1_000)
  })

  it("as unsafe, if it has more than 2,000 parts with repetitions written out, however they are nested", () => {
    assert.isTrue(Filter.isValidRegex("a{1999}"))
    unsafe("a{2000}", "2000 parts")
    unsafe("a{0,2000}", "2000 parts")
    unsafe("a{2000,}", "2000 parts")
    unsafe("a{99999999999999999999}", "2000 parts")
    unsafe(`a{${"9".repeat(400)}}`, "2000 parts")
    unsafe("((((a{99}){99}){99}){99}){99}", "2000 parts")
    unsafe("(((((?:){999}){999}){999}){999}){999}", "2000 parts")
  })

  it("as invalid, if it is malformed, with the place", () => {
    invalid("a(b", "a ( without its ) at character 3")
    invalid("ab)", "a ) without its ( at character 2")
    invalid("[a-", "a [ without its ] at character 3")
    invalid("*a", "nothing to repeat at character 0")
    invalid("^*", "nothing to repeat at character 1")
    invalid("a**", "nothing to repeat at character 2")
    invalid("a{2,1}", "out of order at character 6")
    invalid("[b-a]", "out of order at character 4")
    invalid("[\\d-x]", "no single characters")
    invalid("a\\", "a \\ at the end")
    invalid("\\q", "\\q is unknown")
    invalid("}", "a } that opens or closes nothing")
  })

  it("as invalid, if it needs what is not part of the syntax", () => {
    invalid("\\p{L}", "\\p is unknown")
    invalid("(?<year>\\d+)", "neither (…) nor (?:…)")
    invalid("(?i:a)", "neither (…) nor (?:…)")
  })

  it("not for being nested deeply", () => {
    assert.isTrue(regex(`${"(".repeat(499)}a${")".repeat(499)}`).matches("a"))
    assert.isTrue(regex(`${"(?:".repeat(190)}a${")*".repeat(190)}b`).matches("aab"))
  })
})

describe("wildcards", () => {
  /** The definition, word by word. */
  const naive = ([wanted, ...pattern]: ReadonlyArray<string>, text: ReadonlyArray<string>): boolean => {
    const [character, ...rest] = text
    if (wanted === undefined) return character === undefined
    if (wanted === "*") return naive(pattern, text) || (character !== undefined && naive([wanted, ...pattern], rest))
    return character !== undefined && (wanted === "?" || wanted === character) && naive(pattern, rest)
  }

  const wildcardArbitrary = fc
    .array(fc.constantFrom("a", "b", "\u{1f600}", ".", "*", "*", "?"), { maxLength: 7 })
    .map(characters => characters.join(""))

  it("* stands for any run of characters, none too, ? for exactly one, at both ends of the text", () => {
    const cases: ReadonlyArray<readonly [string, string, boolean]> = [
      ["order-1", "order-1", true],
      ["order-1", "order-2", false],
      ["order-1", "order-*", true],
      ["order-", "order-*", true],
      ["my-order-1", "order-*", false],
      ["sales-region-eu", "*-region-eu", true],
      ["sales-region-eu-2", "*-region-eu", false],
      ["order-eu-1", "order-*-1", true],
      ["order-1", "order-?", true],
      ["order-", "order-?", false],
      ["order-12", "order-?", false],
      ["order-\u{1f600}", "order-?", true],
      ["anything", "*", true],
      ["", "*", true],
      ["", "?", false],
      ["a.c", "a.c", true],
      ["abc", "a.c", false],
      ["a\nb", "a*b", true]
    ]
    for (const [text, pattern, expected] of cases) {
      assert.strictEqual(Filter.wildcardMatch(text, pattern), expected, `${text} ${pattern}`)
    }
  })

  it("mean what their definition says", () => {
    fc.assert(
      fc.property(wildcardArbitrary, textArbitrary, (pattern, text) => {
        assert.strictEqual(Filter.wildcardMatch(text, pattern), naive([...pattern], [...text]))
      }),
      { numRuns: 1_000 }
    )
  })

  it("mean the same as regular expressions", () => {
    fc.assert(
      fc.property(fc.oneof(wildcardArbitrary, fc.string({ maxLength: 12 })), textArbitrary, (pattern, text) => {
        const { matches } = regex(Filter.wildcardToRegex(pattern))
        assert.strictEqual(matches(text), Filter.wildcardMatch(text, pattern))
        assert.strictEqual(matches(pattern), Filter.wildcardMatch(pattern, pattern))
      })
    )
  })
})

describe("lists", () => {
  const streams = ["order-3", "user-1", "order-1", "order-20", "invoice", "user-2"]

  it("keep their order under every filter", () => {
    assert.deepStrictEqual(Filter.filterByWildcard(streams, "order-?"), ["order-3", "order-1"])
    assert.deepStrictEqual(Filter.filterByPrefix(streams, "user-"), ["user-1", "user-2"])
    assert.deepStrictEqual(Filter.filterBySuffix(streams, "-1"), ["user-1", "order-1"])
    assert.deepStrictEqual(Either.getOrThrow(Filter.filterByRegex(streams, "^(order|user)-[12]$")), [
      "user-1",
      "order-1",
      "user-2"
    ])
  })

  it("take prefixes and suffixes literally", () => {
    assert.deepStrictEqual(Filter.filterByPrefix(["a*b", "ab"], "a*"), ["a*b"])
    assert.deepStrictEqual(Filter.filterBySuffix(["a?", "ab"], "?"), ["a?"])
    assert.isTrue(Filter.hasPrefix("order-1", ""))
    assert.isFalse(Filter.hasSuffix("order-1", "order"))
  })

  it("tell where the matches stand, from 0, and how many there are", () => {
    assert.deepStrictEqual(Filter.matchIndices(streams, "user-*"), [1, 5])
    assert.deepStrictEqual(Filter.matchIndices(streams, "nothing*"), [])
    assert.strictEqual(Filter.countMatches(streams, "order-*"), 3)
    assert.strictEqual(Filter.countMatches([], "*"), 0)
  })

  it("are not filtered by a pattern that is refused", () => {
    const outcome = Filter.filterByRegex(streams, "(order")
    assert.strictEqual(Either.isLeft(outcome) && outcome.left._tag, "InvalidPattern")
    assert.deepStrictEqual(Filter.regexMatch("order-1", "r-\\d"), Either.right(true))
  })
})
