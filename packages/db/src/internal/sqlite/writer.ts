import type { Command, Operation, Reply } from "../../Command.js"
import type { Entry } from "../../StoreEngine.js"
import { bytesOf } from "../processes/operation.js"
import * as Appending from "./appending.js"
import type { Catalog } from "./catalog.js"
import type { Checkpoints } from "./checkpoints.js"
import type { Connection } from "./database.js"
import * as EventRows from "./eventRows.js"
import * as Head from "./head.js"
import * as Retention from "./retention.js"
import type { SnapshotRows } from "./snapshotRows.js"
import * as Streams from "./streams.js"
import * as Temporal from "./temporal.js"

export interface Writer {
  readonly head: () => Head.Head
  /** What is committed, and so will always be as it is: the events before a version of a stream, and those up to a position. Others read no more than that. */
  readonly committed: { readonly before: (stream: number) => number; readonly upTo: () => number }
  /** How often the head has fallen back. */
  readonly setbacks: () => number
  readonly apply: (entries: ReadonlyArray<Entry>) => ReadonlyArray<Reply | null>
  /** Ends the transaction that batches share, if one is open. */
  readonly commit: () => void
  /** From now on each batch is a transaction of its own, until what is returned is called. */
  readonly commitEach: () => () => void
  /**
   * To be called when a statement has met damage, be it a read. SQLite commits no transaction within which that happened: from now on each batch is one of its own, and where one is open nothing is applied
   * any more before {@link restore}, or before the file is opened anew.
   */
  readonly damaged: () => void
  /** Gives up what is not committed, where that cannot be committed any more. Reads see the store as it was committed last, and what is applied next follows that. */
  readonly restore: () => void
  /** To be called before the connection is closed. */
  readonly close: () => void
}

/**
 * The bytes of operations that share a transaction, unless one batch has more. Nobody waits for a commit here, for the log replays what a crash takes; and a commit writes every page that has
 * changed, of which batches have many in common: batches of 64 events cost half as much with a thousand of them to a transaction, and a fifth less again with four times as many.
 */
const transactionBytesMax = 2 * 1024 * 1024

const bytesIn = (entries: ReadonlyArray<Entry>): number => {
  let bytes = 0
  for (const { command } of entries) {
    if (command !== null) for (const operation of command.operations) bytes += bytesOf(operation)
  }
  return bytes
}

/** What changes the store, and nothing else does. `conditions` are asked within the transaction, about what was applied up to there. */
export const make = (
  db: Connection,
  catalog: Catalog,
  snapshots: SnapshotRows,
  conditions: Appending.Conditions,
  checkpoints: Pick<Checkpoints, "afterCommit" | "isCopied" | "proceed">
): Writer => {
  const headRows = Head.make(db)
  const eventRows = EventRows.make(db, catalog)
  const retention = Retention.make(eventRows, Temporal.make(db))
  const streams = Streams.make(catalog, retention, snapshots)
  const appending = Appending.make(catalog, eventRows, retention, streams, conditions)

  let head = headRows.read()
  let committedPosition = head.lastPosition
  let setbacks = 0

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
    eventRows.merge(moving.eventCount)
    headRows.write(moving)
    return { replies, next: moving }
  }

  const begin = db.prepare("BEGIN IMMEDIATE")
  const end = db.prepare("COMMIT")
  // A savepoint, within the transaction that it shares: of a batch that fails nothing stays, and the ones before it do.
  const batch = db.transaction(applyBatch)

  /** Of what the open transaction has. */
  let bytes = 0
  /** Who wants each batch committed. */
  let committingEach = 0

  /** Whether batches were applied in a transaction that was not committed yet. */
  let isShared = false
  /** Whether the open transaction cannot be committed any more, with all that the batches in it had. Reads see that until it is taken back, or the file is opened anew. */
  let isLost = false

  /** Beneath a statement that the disk refuses to serve SQLite gives up the transaction itself, be it a read; one that has met damage it does not commit. */
  const isGone = () => isLost || (isShared && !db.inTransaction)

  const assertSound = () => {
    if (isGone()) {
      throw new Error(
        "a page was found damaged, or could not be read, within the open transaction, which SQLite then gives up"
      )
    }
  }

  /** No transaction is open, and all that the head knows of is committed. */
  const settled = (): void => {
    eventRows.committed()
    committedPosition = head.lastPosition
  }

  /** When the disk fails SQLite may give up the whole transaction, and with it what was applied before. */
  const takeBack = (): void => {
    catalog.forget()
    eventRows.forget()
    snapshots.forget()
    if (db.inTransaction) return
    // Should the disk not even tell how far that goes, nothing follows.
    isLost = true
    const taken = headRows.read()
    if (taken.appliedIndex < head.appliedIndex) setbacks++
    head = taken
    isLost = false
    isShared = false
    bytes = 0
    settled()
  }

  const commit = (): void => {
    assertSound()
    bytes = 0
    if (!db.inTransaction) return
    try {
      end.run()
    } catch (cause) {
      takeBack()
      throw cause
    }
    isShared = false
    settled()
  }

  return {
    head: () => head,
    committed: { before: eventRows.uncommittedFrom, upTo: () => committedPosition },
    setbacks: () => setbacks,
    commit,
    commitEach: () => {
      commit()
      committingEach++
      return () => {
        committingEach--
      }
    },
    damaged: () => {
      committingEach++
      if (db.inTransaction) isLost = true
      else if (isShared) {
        // What reads see has fallen back already. Whoever waits for what is applied has to know.
        try {
          takeBack()
        } catch {
          // Nothing is applied any more as long as the disk does not even tell how far that goes, and the damage itself is told.
        }
      }
    },
    restore: () => {
      if (!isGone()) return
      if (db.inTransaction) db.exec("ROLLBACK")
      takeBack()
    },
    close: () => {
      if (!isGone()) commit()
      else if (db.inTransaction) db.exec("ROLLBACK")
    },
    apply: entries => {
      if (entries.length === 0) return []
      assertSound()
      Head.checkOrder(entries, head)
      try {
        if (checkpoints.isCopied()) {
          commit()
          checkpoints.proceed()
        }
        if (!db.inTransaction) begin.run()
        const { next, replies } = batch(entries)
        head = next
        isShared = true
        bytes += bytesIn(entries)
        if (committingEach > 0 || bytes >= transactionBytesMax) {
          commit()
          checkpoints.afterCommit()
        }
        return replies
      } catch (cause) {
        takeBack()
        throw cause
      }
    }
  }
}
