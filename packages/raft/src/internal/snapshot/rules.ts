import type { Snapshot } from "../../Snapshot.js"

/**
 * Where bytes are held against their checksum: a piece as it arrives, the whole as it stands on the disk before anybody relies on it, what an earlier life of
 * the process kept, and the sender's own copy once somebody found it damaged.
 */
export type Checked = "piece" | "whole" | "kept" | "copy"

/** What a member does at its start: goes on, puts the snapshot in the machine's place first, or does not start. */
export type Beginning = "go_on" | "install" | "refuse"

/** What of a snapshot is taken in just now, in the name of which term. */
export interface Arriving {
  readonly snapshot: Snapshot
  readonly size: number
  readonly term: number
}

/**
 * What members decide about snapshots' bytes and about the machine's own file, apart from files and sockets. The real ones go by these rules, and so do those of
 * the simulator, which can be given broken ones.
 */
export interface SnapshotRules {
  /** Whether bytes are what they were meant to be. */
  readonly isSound: (checked: Checked, expected: string, found: string) => boolean
  /**
   * The machine may be ahead of where the log begins, but never behind it: between the two would be a hole. What fills it is the snapshot that the log was cut
   * for, if a crash came between the two steps of an install; else nothing on this disk does.
   */
  readonly beginning: (disk: {
    readonly appliedIndex: number
    readonly baseIndex: number
    /** Whether the sound snapshot of the log's base is there. */
    readonly hasSnapshot: boolean
  }) => Beginning
  /** Whether a piece belongs to what is arriving, begins another snapshot in its place, or comes too late. */
  readonly admit: (arriving: Arriving | undefined, piece: Arriving) => "same" | "other" | "superseded"
}

/** Whether two descriptions are of the same bytes. */
export const isSame = (a: Snapshot, b: Snapshot): boolean =>
  a.index === b.index && a.term === b.term && a.checksum === b.checksum

export const rules: SnapshotRules = {
  isSound: (_, expected, found) => expected === found,
  beginning: ({ appliedIndex, baseIndex, hasSnapshot }) => {
    if (appliedIndex >= baseIndex) return "go_on"
    return hasSnapshot ? "install" : "refuse"
  },
  admit: (arriving, piece) => {
    if (arriving === undefined) return "other"
    if (piece.term < arriving.term) return "superseded"
    if (isSame(arriving.snapshot, piece.snapshot) && arriving.size === piece.size) return "same"
    return piece.term === arriving.term && piece.snapshot.index < arriving.snapshot.index ? "superseded" : "other"
  }
}
