/**
 * When the WAL is copied into the file, and by whom.
 *
 * A WAL of tens of megabytes takes up to a tenth of a second to copy, three quarters of that for the disk. SQLite would have a commit do it, on the thread that everything else of the node
 * runs on. Here a thread of its own copies, on a connection of its own, while batches are applied and committed. What was committed meanwhile follows, and when
 * little is left the connection that writes copies it itself, between two transactions.
 *
 * A WAL that is copied is cut to nothing. SQLite would write over it from its beginning, in frames that are 24 bytes longer than a page and so lie across the blocks of the disk: each block that
 * the system no longer has in its cache, after a pause say, would have to be read before a part of it can be changed, by the thread that commits.
 *
 * Two connections never copy at a time. SQLite had a fault with those until 3.51.3, its "WAL-reset bug".
 */
import { createRequire } from "node:module"
import { Worker } from "node:worker_threads"
import * as Sqlite from "@reckon/raft/Sqlite"
import type { Connection } from "./database.js"
import { assertInvariant } from "./invariant.js"

/** Of the frames of a WAL, of a page each. */
export interface Limits {
  /** From so many on it is copied. A page that changed often is copied once, so that seldom is less work; but a restart has to read the WAL. */
  readonly framesLong: number
  /** From so many on the writer copies the rest itself, and waits for the copy that is under way: a disk that falls behind slows it down, and is not filled up. */
  readonly framesMost: number
  /** Up to so many that were committed while the rest was copied, the writer copies itself. */
  readonly framesLeft: number
}

/** 16, 192 and 4 MiB. Three times the 16 took no more appends a second, and is written all at once. */
export const defaults: Limits = { framesLong: 4_000, framesMost: 48_000, framesLeft: 1_000 }

/** How long a copy may be waited for: no disk takes that long, but a thread that has died would for ever. */
const waitMillis = 60_000

/** What both threads know of a copy, in the one cell of a shared array. */
type Cell = Int32Array<SharedArrayBuffer>
const copying = 0
const copied = 1

const tell = (cause: unknown): void =>
  process.emitWarning(
    `The thread that copies the WALs of stores has ended, they are held up by it now: ${cause instanceof Error ? cause.message : cause}`
  )

/** One for all stores of this process: started by the first whose WAL has grown long, ended by the last of those that closes. */
class Thread {
  static #shared: Thread | undefined

  static acquire(): Thread {
    const thread = Thread.#shared ?? new Thread()
    if (!thread.hasEnded) Thread.#shared = thread
    thread.#users++
    return thread
  }

  readonly #worker: Worker | undefined
  #users = 0
  #hasEnded = false

  private constructor() {
    this.#worker = this.#start()
    // A process that has nothing else to do may end.
    this.#worker?.unref()
    // It is followed by "exit", after which each store copies everything itself.
    this.#worker?.on("error", tell)
    this.#worker?.on("exit", () => this.#end())
  }

  #start(): Worker | undefined {
    try {
      // By its name, for this module may have been bundled, and lie elsewhere.
      const file = createRequire(import.meta.url).resolve("@reckon/db/threads/checkpoint.js")
      // What the program loads beside itself, a loader or an agent, is not for this.
      return new Worker(file, { workerData: { sqlite: Sqlite.path }, execArgv: [] })
    } catch (cause) {
      // In a bundle of CommonJS this module has no place of its own, and the package may not be beside one.
      tell(cause)
      this.#end()
      return undefined
    }
  }

  #end() {
    this.#hasEnded = true
    if (Thread.#shared === this) Thread.#shared = undefined
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  copy(filename: string, cell: Cell): void {
    Atomics.store(cell, 0, copying)
    this.#worker?.postMessage({ filename, cell, copied })
  }

  release(): void {
    this.#users--
    if (this.#users > 0 || this.#hasEnded) return
    this.#end()
    void this.#worker?.terminate()
  }
}

/** How the WAL of one connection, which alone writes the file, gets into it. */
export interface Checkpoints {
  /** To be called after a commit: has the WAL copied if it has become long. */
  readonly afterCommit: () => void
  /** Whether that copy is done. */
  readonly isCopied: () => boolean
  /** To be called then, when no transaction is open: what was committed meanwhile follows, so that the WAL begins anew. */
  readonly proceed: () => void
  /** Copies what there is to copy, when no transaction is open. Whether all of it is in the file now, and synced: whoever reads the file from outside can be in the way. */
  readonly complete: () => boolean
  /** To be called before the connection is closed. */
  readonly close: () => void
}

const atOnce = <A>(body: () => A): A => body()

/** `alone`: while nobody else of this process reads the file, who would keep the rest of the WAL from being copied, and it from being cut. */
export const make = (
  db: Connection,
  { framesLeft, framesLong, framesMost } = defaults,
  alone: <A>(body: () => A) => A = atOnce
): Checkpoints => {
  type Progress = [busy: number, framesInWal: number, framesCopied: number]
  // It only tells how things stand. In memory there is no WAL, and both numbers are -1.
  const look = db.prepare<[], Progress>("PRAGMA wal_checkpoint(NOOP)").raw()
  const copy = db.prepare<[], Progress>("PRAGMA wal_checkpoint(PASSIVE)").raw()
  const truncate = db.prepare<[], Progress>("PRAGMA wal_checkpoint(TRUNCATE)").raw()
  const busyMillis = Number(db.pragma("busy_timeout", { simple: true }))
  const cell: Cell = new Int32Array(new SharedArrayBuffer(4))

  let thread: Thread | undefined
  let isAsked = false

  const isCopied = () => isAsked && (Atomics.load(cell, 0) === copied || thread?.hasEnded === true)

  const wait = () => {
    if (isAsked && !isCopied()) {
      const outcome = Atomics.wait(cell, 0, copying, waitMillis)
      assertInvariant(outcome !== "timed-out", "a copy of the WAL ends", { waitMillis })
    }
    isAsked = false
  }

  /** Of a WAL that is all in the file. As long as somebody outside reads from it, it stays: they are not waited for. */
  const cut = () => {
    db.pragma("busy_timeout = 0")
    try {
      truncate.get()
    } finally {
      db.pragma(`busy_timeout = ${busyMillis}`)
    }
  }

  const complete = () => {
    wait()
    return alone(() => {
      const [busy, framesInWal, framesCopied] = copy.get() ?? [1, 0, 0]
      const isComplete = busy === 0 && framesInWal === framesCopied
      if (isComplete && framesInWal > 0) cut()
      return isComplete
    })
  }

  const ask = () => {
    thread ??= Thread.acquire()
    thread.copy(db.name, cell)
    isAsked = true
  }

  return {
    isCopied,
    complete,
    proceed: () => {
      const [, framesInWal, framesCopied] = look.get() ?? [1, 0, 0]
      // Where each copy leaves much behind, because commits change many pages, the next one would as well, for ever.
      const isLeft = framesInWal - framesCopied > framesLeft && framesInWal < framesMost
      if (isLeft && thread?.hasEnded === false) ask()
      else complete()
    },
    afterCommit: () => {
      const [, framesInWal] = look.get() ?? [1, 0, 0]
      if (framesInWal >= framesMost) complete()
      else if (framesInWal >= framesLong && !isAsked) ask()
    },
    close: () => {
      wait()
      thread?.release()
      thread = undefined
    }
  }
}
