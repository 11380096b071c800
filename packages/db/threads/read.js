/**
 * A thread that reads rows of events ahead, see `src/internal/sqlite/readThread.ts`. Plain JavaScript outside of the sources, as the thread beside it is.
 */
import { createRequire } from "node:module"
import { parentPort, workerData } from "node:worker_threads"

const { cellOf, cells, filename, payloads, smallMax, sqlite, statements } = workerData
const no = 0
const yes = 1

const Database = createRequire(import.meta.url)(sqlite)

/** While nobody copies the WAL, nor cuts it. */
const alone = body => {
  while (Atomics.compareExchange(cells, cellOf.isTaken, no, yes) !== no) Atomics.wait(cells, cellOf.isTaken, yes)
  try {
    return body()
  } finally {
    Atomics.store(cells, cellOf.isTaken, no)
    Atomics.notify(cells, cellOf.isTaken)
  }
}

const isEnding = () => Atomics.load(cells, cellOf.isEnding) === yes

const connect = () => {
  const database = new Database(filename, { readonly: true, fileMustExist: true })
  // Another connection writes: what this one keeps is of no use after the next commit.
  database.pragma("cache_size = -2048")
  database.pragma("cell_size_check = ON")
  database.pragma("trusted_schema = OFF")
  return database
}

/** The heads of gathered rows, with what each has for tags, metadata and data; of a large one that is read now. As many as there is room for, which may be none. */
const take = ([headsText, , smallMetadata, smallData], bytesMost, selectPayloads) => {
  const heads = JSON.parse(headsText)
  const rows = []
  let room = bytesMost
  let metadataAt = 0
  let dataAt = 0
  for (const [position, stream, version, kind, epochUs, bytes, smallTags, metadataLength, dataLength] of heads) {
    room -= bytes
    if (room < 0) break
    const isSmall = bytes <= smallMax
    const [tags, metadata, data] = isSmall
      ? [
          smallTags,
          metadataLength === null ? null : smallMetadata.subarray(metadataAt, metadataAt + metadataLength),
          smallData === null ? null : smallData.subarray(dataAt, dataAt + dataLength)
        ]
      : selectPayloads.get(position)
    if (isSmall) {
      metadataAt += metadataLength ?? 0
      dataAt += dataLength
    }
    rows.push({ position, stream, version, kind, epochUs, tags, metadata, metadataLength, data, dataLength })
  }
  return rows
}

/** The layout stands at the head of `src/internal/sqlite/packedRows.ts`. */
const pack = ({ ids, rows }) => {
  const placeOf = new Map()
  let payloadBytes = 0
  for (const { dataLength, metadataLength, tags } of rows) {
    if (tags !== null && !placeOf.has(tags)) placeOf.set(tags, placeOf.size)
    payloadBytes += dataLength + (metadataLength ?? 0)
  }
  const tagsText = Buffer.from(`[${[...placeOf.keys()].join(",")}]`)
  const headsEnd = 8 * (2 + 8 * rows.length)
  const idsEnd = headsEnd + 16 * rows.length
  const page = new ArrayBuffer(idsEnd + tagsText.length + payloadBytes)
  const numbers = new Float64Array(page, 0, headsEnd / 8)
  const bytes = new Uint8Array(page)
  numbers[0] = rows.length
  numbers[1] = tagsText.length
  if (rows.length > 0) bytes.set(ids.subarray(0, 16 * rows.length), headsEnd)
  bytes.set(tagsText, idsEnd)
  let at = 2
  let end = idsEnd + tagsText.length
  for (const row of rows) {
    numbers[at] = row.position
    numbers[at + 1] = row.stream
    numbers[at + 2] = row.version
    numbers[at + 3] = row.kind
    numbers[at + 4] = row.epochUs
    numbers[at + 5] = row.tags === null ? -1 : placeOf.get(row.tags)
    numbers[at + 6] = row.metadataLength ?? -1
    numbers[at + 7] = row.dataLength
    at += 8
    if (row.metadataLength) bytes.set(row.metadata, end)
    end += row.metadataLength ?? 0
    if (row.dataLength > 0) bytes.set(row.data, end)
    end += row.dataLength
  }
  return page
}

const database = alone(() => {
  if (isEnding()) return undefined
  const opened = connect()
  Atomics.store(cells, cellOf.isOpen, yes)
  return opened
})

if (database !== undefined) {
  const prepared = statements.map(sql => database.prepare(sql).raw())
  const selectPayloads = database.prepare(payloads).raw()

  const read = ({ bytesMost, parameters, statement }) =>
    alone(() => {
      const row = prepared[statement].get(...parameters)
      return { rows: take(row, bytesMost, selectPayloads), ids: row[1] }
    })

  const answer = question => {
    try {
      const page = pack(read(question))
      parentPort.postMessage(page, [page])
    } catch (cause) {
      // Whoever asked reads himself, and may meet there what stood in the way here.
      parentPort.postMessage(cause instanceof Error ? cause.message : String(cause))
    } finally {
      Atomics.add(cells, cellOf.done, 1)
    }
  }

  parentPort.on("message", question => {
    if (!isEnding()) return answer(question)
    database.close()
    Atomics.store(cells, cellOf.isOpen, no)
    Atomics.notify(cells, cellOf.isOpen)
    parentPort.close()
  })
  // It can be asked.
  parentPort.postMessage(undefined)
}
