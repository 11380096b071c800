/**
 * Rows of events as one piece of memory, which goes from one thread to another without being copied. `threads/read.js` makes it, of the rows that {@link Gathered.gathered} brings from SQLite.
 *
 * ```
 * header     rows · bytes of the tags
 * heads      each: position · stream · version · kind · epochUs · place among the tags, -1 for none · length of the metadata, -1 for none · length of the data
 * ids        16 bytes each
 * tags       an array in JSON, of what stands in the column, each once
 * payloads   each: metadata, data
 * ```
 *
 * Header and heads are float64s in the order of the machine. It is no format: both threads are of one process.
 */
import * as EventIdBytes from "@reckon/client/EventIdBytes"
import { tagsListFromColumns } from "./content.js"
import type { EventRow } from "./gathered.js"

const headerNumbers = 2
const headNumbers = 8

const none: ReadonlyArray<string> = []

/** One after the other. The payloads are views of the page. */
export function* rowsOf(page: ArrayBuffer): Generator<EventRow, undefined> {
  const [count = 0, tagsLength = 0] = new Float64Array(page, 0, headerNumbers)
  const numbers = new Float64Array(page, 0, headerNumbers + count * headNumbers)
  const idsAt = numbers.byteLength
  const tagsAt = idsAt + count * EventIdBytes.length
  const idAt = EventIdBytes.texts(new Uint8Array(page, idsAt, tagsAt - idsAt))
  const tags = tagsListFromColumns(Buffer.from(page, tagsAt, tagsLength).toString())
  let end = tagsAt + tagsLength
  const payload = (length: number): Uint8Array => {
    end += length
    return new Uint8Array(page, end - length, length)
  }
  const number = (at: number): number => numbers[at] ?? -1
  for (let row = 0, at = headerNumbers; row < count; row++, at += headNumbers) {
    const metadataLength = number(at + 6)
    const metadata = metadataLength < 0 ? null : payload(metadataLength)
    yield [
      number(at),
      number(at + 1),
      number(at + 2),
      number(at + 3),
      number(at + 4),
      idAt(row),
      tags[number(at + 5)] ?? none,
      metadata,
      payload(number(at + 7))
    ]
  }
}
