/** A row of an ordered sequence that may have holes. */
export interface Placed {
  readonly place: number
}

/**
 * The place of the last row from `least` to `most` that `holds` is true of, and `null` where it is true of none. It must be true of a first part of the
 * rows and false of the rest. `rowFrom` answers the first row at a place or behind it.
 *
 * It halves what is left. Where it is said to be near an end it strides from there with steps that double, and halves the last of them: the cost goes with the logarithm of the distance from that end.
 */
export const lastThat = <Row extends Placed>(
  least: number,
  most: number,
  rowFrom: (place: number) => Row | null,
  holds: (row: Row) => boolean,
  near?: "least" | "most"
): number | null => {
  let found: number | null = null
  /** The first place from which on `holds` is known to be false. */
  let end = most + 1
  let next = least
  let stride = near === undefined ? 0 : 1
  while (next < end) {
    const strode = near === "least" ? Math.min(next + stride - 1, end - 1) : Math.max(end - stride, next)
    const probe = stride > 0 ? strode : next + Math.floor((end - 1 - next) / 2)
    const row = rowFrom(probe)
    const isBeyond = row === null || row.place >= end || !holds(row)
    if (isBeyond) {
      end = probe
    } else {
      found = row.place
      next = row.place + 1
    }
    stride = isBeyond === (near === "most") ? stride * 2 : 0
  }
  return found
}
