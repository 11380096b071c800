/**
 * Sets of characters, that is of Unicode code points, as ranges.
 */

/** Bounds of ranges, both included: `from, to, from, to, …`, ascending, with a gap between one range and the next. */
export type CharSet = ReadonlyArray<number>

export type Range = readonly [from: number, to: number]

const codePointMax = 0x10ffff

export const make = (ranges: Iterable<Range>): CharSet => {
  const bounds: Array<number> = []
  for (const [from, to] of [...ranges].sort(([one], [other]) => one - other)) {
    const last = bounds.at(-1)
    if (last !== undefined && from <= last + 1) bounds[bounds.length - 1] = Math.max(last, to)
    else bounds.push(from, to)
  }
  return bounds
}

export const ranges = (set: CharSet): ReadonlyArray<Range> =>
  Array.from({ length: set.length / 2 }, (_, n) => [set[2 * n] ?? 0, set[2 * n + 1] ?? 0])

/** All others. */
export const complement = (set: CharSet): CharSet => {
  const others: Array<Range> = []
  let from = 0
  for (const [start, end] of ranges(set)) {
    if (from < start) others.push([from, start - 1])
    from = end + 1
  }
  if (from <= codePointMax) others.push([from, codePointMax])
  return make(others)
}

/** In steps that grow with the logarithm of the number of ranges. */
export const has = (set: CharSet, codePoint: number): boolean => {
  let low = 0
  let high = set.length / 2
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((set[2 * middle + 1] ?? 0) < codePoint) low = middle + 1
    else high = middle
  }
  return low < set.length / 2 && (set[2 * low] ?? 0) <= codePoint
}

const codeOf = (character: string): number => character.codePointAt(0) ?? 0

const between = (from: string, to: string): Range => [codeOf(from), codeOf(to)]

export const single = (codePoint: number): CharSet => [codePoint, codePoint]

/** `\d` */
export const digits = make([between("0", "9")])

/** `\w` */
export const wordCharacters = make([between("0", "9"), between("A", "Z"), between("a", "z"), between("_", "_")])

/** `\s`: the white space and line terminators of ECMAScript. */
export const whiteSpace = make([
  [0x09, 0x0d],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff]
])

/** `.`: all but the line terminators. */
export const anyButLineEnd = complement(
  make([
    [0x0a, 0x0a],
    [0x0d, 0x0d],
    [0x2028, 0x2029]
  ])
)
