/** Rows that a thread has read ahead of whoever makes a page of them. */
import type { EventRow } from "./gathered.js"
import * as PackedRows from "./packedRows.js"
import type { ReadThread } from "./readThread.js"

/** What was asked of the thread, by its place among the statements, and of which stream, `null` for all. */
export interface Question {
  readonly statement: number
  readonly stream: number | null
}

export class Ahead {
  constructor(
    private readonly by: ReadThread,
    private readonly question: Question,
    private readonly page: ArrayBuffer
  ) {}

  /** Whether these are rows of the file that this thread reads, and of what is asked for. */
  answers(thread: ReadThread | undefined, { statement, stream }: Question): boolean {
    return this.by === thread && this.question.statement === statement && this.question.stream === stream
  }

  /** Those from a place on, as long as none is left out. `step`: from one place to the next. */
  *rowsFrom(from: number, placeOf: (row: EventRow) => number, step: 1 | -1): Generator<EventRow, undefined> {
    let next = from
    for (const row of PackedRows.rowsOf(this.page)) {
      const place = placeOf(row)
      if ((place - next) * step < 0) continue
      if (place !== next) return
      next += step
      yield row
    }
  }
}
