/** Numbers for people: a table, figures in columns. */
import * as Console from "effect/Console"
import type * as Effect from "effect/Effect"

export type Row = ReadonlyArray<string | number>

const shown = (cell: string | number): string =>
  typeof cell === "string" ? cell : cell >= 100 ? Math.round(cell).toLocaleString("en") : cell.toPrecision(3)

export const print = (title: string, header: ReadonlyArray<string>, rows: ReadonlyArray<Row>): Effect.Effect<void> => {
  const lines = [header, ...rows.map(row => row.map(shown))]
  const widths = header.map((_, column) => Math.max(...lines.map(line => line[column]?.length ?? 0)))
  const text = lines.map(line =>
    line
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join("  ")
  )
  return Console.log(["", title, ...text].join("\n"))
}

/** The value below which `share` of the sorted values lie. */
export const quantile = (values: ReadonlyArray<number>, share: number): number => {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}
