/** A row of an ordered sequence that may have holes. */
export interface Placed {
  readonly place: number
}

/**
 * The place of the last row from `least` to `most` that `holds` is true of, and `null` where it is true of none. It must be true of a first part of the
 * rows and false of the rest. `rowFrom` answers the first row at a place or behind it.
 *
 * It strides from `least` on with steps that double, and halves the last of them: the cost goes with the logarithm of the distance.
 */
export const lastThat = <Row extends Placed>(
  least: number,
  most: number,
  rowFrom: (place: number) => Row | null,
  holds: (row: Row) => boolean
): number | null => {
  let found: number | null = null
  /** The first place from which on `holds` is known to be false. */
  let end = most + 1
  let next = least
  let stride = 1
  while (next < end) {
    const probe = stride > 0 ? Math.min(next + stride - 1, end - 1) : next + Math.floor((end - 1 - next) / 2)
    const row = rowFrom(probe)
    if (row !== null && row.place < end && holds(row)) {
      found = row.place
      next = row.place + 1
      stride *= 2
    } else {
      end = probe
      stride = 0
    }
  }
  return found
}
