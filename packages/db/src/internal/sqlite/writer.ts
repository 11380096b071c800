import type { Command, Operation, Reply } from "../../Command.js"
import type { Entry } from "../../StoreEngine.js"
import * as Appending from "./appending.js"
import type { Catalog } from "./catalog.js"
import type { Connection } from "./database.js"
import * as EventRows from "./eventRows.js"
import * as Head from "./head.js"
import * as Retention from "./retention.js"
import * as SnapshotRows from "./snapshotRows.js"
import * as Streams from "./streams.js"
import * as Temporal from "./temporal.js"

/** The queries of a write that could scan, by name, so that a test can ask SQLite how it would go about each. */
export const queries = { ...EventRows.queries, ...SnapshotRows.queries } as const

export interface Writer {
  readonly head: () => Head.Head
  readonly apply: (entries: ReadonlyArray<Entry>) => ReadonlyArray<Reply | null>
}

/** What changes the store, and nothing else does. `conditions` are asked within the transaction, about what was applied up to there. */
export const make = (db: Connection, catalog: Catalog, conditions: Appending.Conditions): Writer => {
  const headRows = Head.make(db)
  const eventRows = EventRows.make(db, catalog)
  const retention = Retention.make(eventRows, Temporal.make(db))
  const snapshots = SnapshotRows.make(db, catalog)
  const streams = Streams.make(catalog, retention, snapshots)
  const appending = Appending.make(catalog, eventRows, retention, streams, conditions)

  let head = headRows.read()

  const applyOperation = (operation: Operation, moving: Head.MovingHead, at: number): Reply[number] => {
    const nowUs = Math.max(at, moving.lastEpochUs)
    switch (operation._tag) {
      case "Append":
        return appending.append(operation, moving, nowUs)
      case "DeleteStream":
        return streams.delete(operation, moving)
      case "SetStreamMetadata":
        return streams.setMetadata(operation, moving, nowUs)
      case "SaveSnapshot":
        return snapshots.save(operation, nowUs)
      case "DeleteSnapshots":
        return snapshots.delete(operation)
    }
  }

  const applyBatch = (entries: ReadonlyArray<Entry>) => {
    const moving: Head.MovingHead = { ...head }
    const applyCommand = ({ at, operations }: Command): Reply =>
      operations.map(operation => applyOperation(operation, moving, at))

    const replies = entries.map(({ command, index, term }) => {
      moving.appliedIndex = index
      moving.appliedTerm = term
      return command === null ? null : applyCommand(command)
    })
    catalog.flush()
    headRows.write(moving)
    return { replies, next: moving }
  }

  const transaction = db.transaction(applyBatch).immediate

  return {
    head: () => head,
    apply: entries => {
      if (entries.length === 0) return []
      Head.checkOrder(entries, head)
      try {
        const { next, replies } = transaction(entries)
        head = next
        return replies
      } catch (cause) {
        catalog.forget()
        throw cause
      }
    }
  }
}
