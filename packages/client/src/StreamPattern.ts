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

const star = "*".charCodeAt(0)
const questionMark = "?".charCodeAt(0)

/** UTF-16 has two units for some characters. */
const unitsAt = (text: string, at: number): number => ((text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1)

/**
 * The test whether a name matches the pattern. It takes at most (characters of the pattern) × (characters of the name) steps, whatever the pattern:
 * only the last `*` is ever gone back to, because what an earlier one took could not help.
 *
 * @since 0.1.0
 * @category predicates
 */
export const matcher = (pattern: string): ((name: string) => boolean) => {
  if (isLiteral(pattern)) return name => name === pattern
  return name => {
    let at = 0
    let wantedAt = 0
    let starAt = -1
    let taken = 0
    while (at < name.length) {
      const wanted = pattern.charCodeAt(wantedAt)
      if (wanted === star) {
        starAt = wantedAt++
        taken = at
      } else if (wanted === questionMark) {
        wantedAt++
        at += unitsAt(name, at)
      } else if (wanted === name.charCodeAt(at)) {
        wantedAt++
        at++
      } else if (starAt >= 0) {
        // A star may take half of a character here: it then leaves the other half, which is one for a `?` and equals nothing else.
        wantedAt = starAt + 1
        at = ++taken
      } else {
        return false
      }
    }
    while (pattern.charCodeAt(wantedAt) === star) wantedAt++
    return wantedAt === pattern.length
  }
}
