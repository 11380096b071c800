/**
 * Reads regular expressions: the part of ECMAScript's syntax with the `u` flag (ECMA-262, 22.2.1) that says which texts match, without what makes
 * matching depend on more than that (groups that are referred to, lookaround).
 */
import * as CharSet from "./charSet.js"

/** What must be the case at a place in the text: its start, its end, or whether a word begins or ends there. */
export type Place = "start" | "end" | "word_boundary" | "no_word_boundary"

export type Node =
  | { readonly _tag: "Set"; readonly set: CharSet.CharSet }
  | { readonly _tag: "Place"; readonly place: Place }
  | { readonly _tag: "Sequence"; readonly nodes: ReadonlyArray<Node> }
  | { readonly _tag: "Choice"; readonly nodes: ReadonlyArray<Node> }
  /** `max` is infinity where it is not bounded. */
  | { readonly _tag: "Repeat"; readonly node: Node; readonly min: number; readonly max: number }

/** Why a pattern is not taken. Thrown, because it may be found at any depth; whoever starts the reading catches it. */
export class Refusal extends Error {
  override readonly name = "Refusal"
  constructor(
    readonly kind: "invalid" | "unsafe",
    readonly problem: string
  ) {
    super(problem)
  }
}

const syntaxCharacters = new Set("^$\\.*+?()[]{}|/")

const classEscapes: ReadonlyMap<string, CharSet.CharSet> = new Map([
  ["d", CharSet.digits],
  ["D", CharSet.complement(CharSet.digits)],
  ["w", CharSet.wordCharacters],
  ["W", CharSet.complement(CharSet.wordCharacters)],
  ["s", CharSet.whiteSpace],
  ["S", CharSet.complement(CharSet.whiteSpace)]
])

const controlEscapes: ReadonlyMap<string, number> = new Map([
  ["t", 0x09],
  ["n", 0x0a],
  ["v", 0x0b],
  ["f", 0x0c],
  ["r", 0x0d]
])

const codePointMax = 0x10ffff

const isDigit = (character: string | undefined): character is string =>
  character !== undefined && /^\d$/.test(character)

/** A reader with a place in the pattern. */
class Reader {
  private readonly characters: ReadonlyArray<string>
  private at = 0

  constructor(pattern: string) {
    this.characters = [...pattern]
  }

  get next(): string | undefined {
    return this.characters[this.at]
  }

  /** How many characters of the pattern have been read. */
  get place(): number {
    return this.at
  }

  /** Takes the characters of `text` if they come next. */
  takes(text: string): boolean {
    const wanted = [...text]
    if (!wanted.every((character, n) => this.characters[this.at + n] === character)) return false
    this.at += wanted.length
    return true
  }

  /** Takes the next character. */
  take(): string | undefined {
    const taken = this.next
    if (taken !== undefined) this.at++
    return taken
  }

  /** Takes digits of the base, as many as there are, or exactly `count`; `undefined`, and nothing taken, where there are none. */
  number(base: 10 | 16, count?: number): number | undefined {
    const digit = base === 10 ? /^\d$/ : /^[\da-fA-F]$/
    let end = this.at
    while (digit.test(this.characters[end] ?? "") && (count === undefined || end < this.at + count)) end++
    if (end === this.at || (count !== undefined && end < this.at + count)) return undefined
    const digits = this.characters.slice(this.at, end).join("")
    this.at = end
    return base === 10 ? Number(digits) : Number.parseInt(digits, 16)
  }

  /** Goes on at an earlier place. */
  back(place: number): void {
    this.at = place
  }
}

const invalid = (reader: Reader, problem: string): Refusal =>
  new Refusal("invalid", `${problem} at character ${reader.place}`)

const unsafe = (reader: Reader, problem: string): Refusal =>
  new Refusal("unsafe", `${problem} at character ${reader.place}`)

/** The expression that a pattern is. Throws a `Refusal`. */
export const parse = (pattern: string): Node => {
  const reader = new Reader(pattern)
  const node = choice(reader)
  if (reader.next !== undefined) throw invalid(reader, "a ) without its (")
  return node
}

const choice = (reader: Reader): Node => {
  const nodes = [sequence(reader)]
  while (reader.takes("|")) nodes.push(sequence(reader))
  return onlyOne(nodes) ?? { _tag: "Choice", nodes }
}

const sequence = (reader: Reader): Node => {
  const nodes: Array<Node> = []
  while (reader.next !== undefined && reader.next !== "|" && reader.next !== ")") nodes.push(term(reader))
  return onlyOne(nodes) ?? { _tag: "Sequence", nodes }
}

const onlyOne = (nodes: ReadonlyArray<Node>): Node | undefined => (nodes.length === 1 ? nodes[0] : undefined)

const term = (reader: Reader): Node => {
  const place = placeOf(reader)
  if (place !== undefined) return { _tag: "Place", place }
  const node = atom(reader)
  const bounds = quantifier(reader)
  return bounds === undefined ? node : { _tag: "Repeat", node, ...bounds }
}

const placeOf = (reader: Reader): Place | undefined => {
  if (reader.takes("^")) return "start"
  if (reader.takes("$")) return "end"
  if (reader.takes("\\b")) return "word_boundary"
  if (reader.takes("\\B")) return "no_word_boundary"
  return undefined
}

/** Whether it is greedy makes no difference to whether a text matches. */
const quantifier = (reader: Reader): { readonly min: number; readonly max: number } | undefined => {
  const bounds = boundsOf(reader)
  if (bounds !== undefined) reader.takes("?")
  return bounds
}

const boundsOf = (reader: Reader): { readonly min: number; readonly max: number } | undefined => {
  if (reader.takes("*")) return { min: 0, max: Number.POSITIVE_INFINITY }
  if (reader.takes("+")) return { min: 1, max: Number.POSITIVE_INFINITY }
  if (reader.takes("?")) return { min: 0, max: 1 }
  if (!reader.takes("{")) return undefined
  const min = reader.number(10)
  if (min === undefined) throw invalid(reader, "no number of repetitions")
  const max = reader.takes(",") ? (reader.number(10) ?? Number.POSITIVE_INFINITY) : min
  if (!reader.takes("}")) throw invalid(reader, "no } after the number of repetitions")
  if (max < min) throw invalid(reader, "repetitions out of order")
  return { min, max }
}

const atom = (reader: Reader): Node => {
  if (reader.takes("(")) return group(reader)
  if (reader.takes("[")) return { _tag: "Set", set: classOf(reader) }
  if (reader.takes(".")) return { _tag: "Set", set: CharSet.anyButLineEnd }
  if (reader.takes("\\")) return { _tag: "Set", set: escape(reader, false) }
  const character = reader.next ?? ""
  if (syntaxCharacters.has(character) && character !== "/") {
    throw invalid(
      reader,
      "*+?{".includes(character) ? "nothing to repeat" : `a ${character} that opens or closes nothing`
    )
  }
  reader.take()
  return { _tag: "Set", set: CharSet.single(codePointOf(character)) }
}

const codePointOf = (character: string): number => character.codePointAt(0) ?? 0

const group = (reader: Reader): Node => {
  if (reader.takes("?=") || reader.takes("?!") || reader.takes("?<=") || reader.takes("?<!")) {
    throw unsafe(reader, "lookaround")
  }
  if (reader.takes("?") && !reader.takes(":")) throw invalid(reader, "a group that is neither (…) nor (?:…)")
  const node = choice(reader)
  if (!reader.takes(")")) throw invalid(reader, "a ( without its )")
  return node
}

// -----------------------------------------------------------------------------
// escapes and classes
// -----------------------------------------------------------------------------

/** After the backslash. */
const escape = (reader: Reader, inClass: boolean): CharSet.CharSet => {
  const character = reader.take()
  if (character === undefined) throw invalid(reader, "a \\ at the end")
  const set = classEscapes.get(character)
  return set ?? CharSet.single(characterEscape(reader, character, inClass))
}

const characterEscape = (reader: Reader, character: string, inClass: boolean): number => {
  const control = controlEscapes.get(character)
  if (control !== undefined) return control
  if (syntaxCharacters.has(character) || (inClass && character === "-")) return codePointOf(character)
  if (inClass && character === "b") return 0x08
  if (character === "0" && !isDigit(reader.next)) return 0
  if (character === "x") return hexadecimal(reader, 2)
  if (character === "u") return unicode(reader)
  if (character === "c" && /^[a-zA-Z]$/.test(reader.next ?? "")) return codePointOf(reader.take() ?? "") % 32
  if (!inClass && (character === "k" || (isDigit(character) && character !== "0"))) {
    throw unsafe(reader, "a reference to a group")
  }
  throw invalid(reader, `the escape \\${character} is unknown`)
}

const hexadecimal = (reader: Reader, count: number): number => {
  const code = reader.number(16, count)
  if (code === undefined) throw invalid(reader, `${count} hexadecimal digits are missing`)
  return code
}

/** After `\u`. */
const unicode = (reader: Reader): number => {
  if (reader.takes("{")) {
    const code = reader.number(16)
    if (code === undefined || code > codePointMax || !reader.takes("}"))
      throw invalid(reader, "no code point in \\u{…}")
    return code
  }
  const lead = hexadecimal(reader, 4)
  if (lead < 0xd800 || lead > 0xdbff) return lead
  // The two halves of a surrogate pair, written one after the other, are one character.
  const { place } = reader
  if (reader.takes("\\u")) {
    const trail = reader.number(16, 4)
    if (trail !== undefined && trail >= 0xdc00 && trail <= 0xdfff) {
      return 0x10000 + (lead - 0xd800) * 0x400 + (trail - 0xdc00)
    }
  }
  reader.back(place)
  return lead
}

/** After the opening bracket. */
const classOf = (reader: Reader): CharSet.CharSet => {
  const isNegated = reader.takes("^")
  const found: Array<CharSet.Range> = []
  while (!reader.takes("]")) {
    const first = classAtom(reader)
    const { place } = reader
    if (reader.takes("-") && reader.next !== "]") {
      found.push(rangeOf(reader, first, classAtom(reader)))
    } else {
      reader.back(place)
      found.push(...CharSet.ranges(first))
    }
  }
  const set = CharSet.make(found)
  return isNegated ? CharSet.complement(set) : set
}

/** A character, or the many of an escape such as `\d`. */
const classAtom = (reader: Reader): CharSet.CharSet => {
  if (reader.takes("\\")) return escape(reader, true)
  const character = reader.take()
  if (character === undefined) throw invalid(reader, "a [ without its ]")
  return CharSet.single(codePointOf(character))
}

const rangeOf = (reader: Reader, first: CharSet.CharSet, last: CharSet.CharSet): CharSet.Range => {
  const [from = 0, end] = first
  const [start, to = 0] = last
  if (from !== end || start !== to) throw invalid(reader, "a range whose ends are no single characters")
  if (to < from) throw invalid(reader, "a range that is out of order")
  return [from, to]
}
