/**
 * Patterns for the names of streams: `*` stands for any run of characters, none included, `?` for exactly one; everything else for itself. A pattern
 * matches whole names only: `order-*` names all orders, and nothing that merely holds `order-`.
 *
 * @since 0.1.0
 */
import { StreamId } from "./Event.js"

/**
 * 1 to 512 characters, no control characters. A pattern without wildcards is the name of one stream.
 *
 * @since 0.1.0
 * @category schemas
 */
export const StreamPattern = StreamId

const wildcards = /[*?]/

/**
 * The text before the first wildcard: what every name that matches begins with, so that an index need look at no others.
 *
 * @since 0.1.0
 * @category getters
 */
export const literalPrefix = (pattern: string): string => pattern.split(wildcards, 1)[0] ?? ""

/**
 * Whether the pattern can match one name only, its own.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isLiteral = (pattern: string): boolean => !wildcards.test(pattern)

/** What a pattern asks of a name, as bits: bit `n` stands for "the first `n` characters of the pattern, stars not counted, are found". */
interface Automaton {
  /** The bit of the whole pattern. */
  readonly size: number
  /** Where a star stands: any character keeps the bit. */
  readonly kept: Int32Array
  /** Where a `?` stands: any character moves the bit on. */
  readonly moved: Int32Array
  /** Where this character stands: pairs of a word and the bits in it, of the words that have any, so that a pattern needs no more room than its characters. */
  readonly movedBy: ReadonlyMap<string, ReadonlyArray<number>>
}

const compile = (pattern: string): Automaton => {
  const kept = new Int32Array((pattern.length >>> 5) + 1)
  const moved = new Int32Array(kept.length)
  const movedBy = new Map<string, Array<number>>()
  let size = 0
  for (const character of pattern) {
    const word = size >>> 5
    const bit = 1 << size
    if (character === "*") {
      kept[word] = (kept[word] ?? 0) | bit
      continue
    }
    if (character === "?") moved[word] = (moved[word] ?? 0) | bit
    else {
      const places = movedBy.get(character) ?? []
      movedBy.set(character, places)
      if (places.at(-2) === word) places.push((places.pop() ?? 0) | bit)
      else places.push(word, bit)
    }
    size++
  }
  return { size, kept: kept.subarray(0, (size >>> 5) + 1), moved, movedBy }
}

/**
 * The test whether a name matches the pattern. Its steps go with (characters of the name) × (characters of the pattern / 32), whatever the pattern: all ways to match
 * are followed at a time, each in one bit (Shift-And: Baeza-Yates & Gonnet, 1992).
 *
 * @since 0.1.0
 * @category predicates
 */
export const matcher = (pattern: string): ((name: string) => boolean) => {
  if (isLiteral(pattern)) return name => name === pattern
  const prefix = literalPrefix(pattern)
  const { kept, moved, movedBy, size } = compile(pattern)
  const endsInStar = pattern.endsWith("*")
  const found = new Int32Array(kept.length)
  const reading = new Int32Array(kept.length)
  const last = size >>> 5

  const isWhole = (): boolean => (((found[last] ?? 0) >>> size) & 1) === 1

  return name => {
    if (!name.startsWith(prefix)) return false
    found.fill(0)
    found[0] = 1
    for (const character of name) {
      for (let word = 0; word <= last; word++) reading[word] = (found[word] ?? 0) & (moved[word] ?? 0)
      const places = movedBy.get(character)
      if (places !== undefined) {
        for (let at = 0; at < places.length; at += 2) {
          const word = places[at] ?? 0
          reading[word] = (reading[word] ?? 0) | ((found[word] ?? 0) & (places[at + 1] ?? 0))
        }
      }
      let carry = 0
      let anything = 0
      for (let word = 0; word <= last; word++) {
        const read = reading[word] ?? 0
        const next = (read << 1) | carry | ((found[word] ?? 0) & (kept[word] ?? 0))
        carry = read >>> 31
        found[word] = next
        anything |= next
      }
      if (anything === 0) return false
      // Nothing that follows can undo it.
      if (endsInStar && isWhole()) return true
    }
    return isWhole()
  }
}
