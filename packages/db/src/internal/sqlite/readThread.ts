/**
 * A thread that reads rows of events ahead of whoever makes a page of them, on a connection of its own.
 *
 * What costs most of a page of a stream is to bring its rows from SQLite into JavaScript, on the thread that everything else of the node runs on. But a row that is committed never changes, and so may be read by
 * anybody, at any time: here on another processor, where several reads are asked for at once. The page is made as it always is, at one moment and by one thread, which knows what can be seen then. It takes the
 * rows that were read ahead where they are those that it would have read, and reads the others itself; so nothing depends on the thread, nor on when it has read, nor on whether it lives.
 *
 * A read of its own, in SQLite, keeps the WAL from being copied to its end and cut. So no page is read while that is done, see {@link ReadThread.alone}.
 */
import { createRequire } from "node:module"
import * as os from "node:os"
import { Worker } from "node:worker_threads"
import * as Sqlite from "@reckon/raft/Sqlite"
import * as Effect from "effect/Effect"
import type { Connection } from "./database.js"
import * as Gathered from "./gathered.js"

export interface Limits {
  /** For so many reads it has to be worth while before it is started. */
  readonly wishesLeast: number
  /** Pages that are asked for and not taken, at most. */
  readonly pagesMost: number
  /** Bytes of a page's tags and payloads. What is behind them is left to whoever makes the page. */
  readonly bytesMost: number
}

const defaults: Limits = { wishesLeast: 128, pagesMost: 32, bytesMost: 1024 * 1024 }

/** Whether there is a processor for it. */
export const isWorthWhile: boolean = os.availableParallelism() > 1

/** How long it may take for anything: no disk takes that long, but a thread that has died would for ever. */
const waitMillis = 10_000

/** What both threads know, each in a cell of a shared array. */
const cellOf = { isTaken: 0, isEnding: 1, isOpen: 2, done: 3 } as const
const no = 0
const yes = 1

const tell = (cause: unknown): void =>
  process.emitWarning(
    `The thread that reads ahead for a store has ended, it is read without one now: ${cause instanceof Error ? cause.message : cause}`
  )

const tellOnce = (why: unknown): void =>
  process.emitWarning(
    `The thread that reads ahead for a store could not read a page, which is read without it, as is each that it cannot read from now on: ${why}`
  )

/** With rows, see `packedRows.ts`, or `undefined` where whoever asked has to read himself. */
type Answer = (page: ArrayBuffer | undefined) => void

export class ReadThread {
  readonly #cells = new Int32Array(new SharedArrayBuffer(4 * Int32Array.BYTES_PER_ELEMENT))
  /** In the order in which they were asked, which is that of the answers. */
  readonly #pending: Array<Answer> = []
  #worker: Worker | undefined
  #wishes = 0
  #asked = 0
  #isReady = false
  #hasTold = false
  #hasEnded = false

  constructor(
    private readonly db: Connection,
    /** What it can be asked for, with the columns of `Gathered`. */
    private readonly statements: ReadonlyArray<string>,
    private readonly limits: Limits = defaults
  ) {}

  /** Whether to leave a page to it, where so many reads are under way: half of them at most, for this thread makes the others. It is started when that was asked often enough. */
  isFree(reads: number): boolean {
    if (this.#hasEnded) return false
    if (this.#worker === undefined && ++this.#wishes >= this.limits.wishesLeast) this.#start()
    if (!this.#isReady || this.#pending.length >= this.limits.pagesMost) return false
    // What it has read may lie here for a while before it is taken: whoever reads does not wait for that.
    const underWay = (this.#asked - Atomics.load(this.#cells, cellOf.done)) | 0
    return underWay < reads / 2
  }

  read(statement: number, parameters: ReadonlyArray<number>): Effect.Effect<ArrayBuffer | undefined> {
    return Effect.async(resume => {
      const worker = this.#worker
      if (worker === undefined || this.#hasEnded) return resume(Effect.succeed(undefined))
      // A process that has nothing else to do than to wait for the answer may not end.
      if (this.#pending.length === 0) worker.ref()
      this.#asked++
      this.#pending.push(page => resume(Effect.succeed(page)))
      worker.postMessage({ statement, parameters, bytesMost: this.limits.bytesMost })
    })
  }

  /** While it reads nothing. */
  readonly alone = <A>(body: () => A): A => {
    if (this.#worker === undefined || this.#hasEnded) return body()
    this.#take()
    try {
      return body()
    } finally {
      Atomics.store(this.#cells, cellOf.isTaken, no)
      Atomics.notify(this.#cells, cellOf.isTaken)
    }
  }

  /** Returns when it has closed the file. What it was asked for is left to those who asked. */
  close(): void {
    const worker = this.#worker
    if (worker === undefined || this.#hasEnded) return
    // From now on it opens nothing.
    this.alone(() => Atomics.store(this.#cells, cellOf.isEnding, yes))
    worker.postMessage(undefined)
    if (Atomics.wait(this.#cells, cellOf.isOpen, yes, waitMillis) === "timed-out") {
      tell(`it did not close the file within ${waitMillis} ms`)
    }
    this.#end()
  }

  #take(): void {
    while (Atomics.compareExchange(this.#cells, cellOf.isTaken, no, yes) !== no) {
      if (Atomics.wait(this.#cells, cellOf.isTaken, yes, waitMillis) !== "timed-out") continue
      tell(`it did not finish a page within ${waitMillis} ms`)
      this.#end()
      return
    }
  }

  #start(): void {
    try {
      // By its name, for this module may have been bundled, and lie elsewhere.
      const file = createRequire(import.meta.url).resolve("@reckon/db/threads/read.js")
      const { payloads } = Gathered.queries
      const { smallMax } = Gathered
      const statements = this.statements.map(Gathered.gathered)
      const worker = new Worker(file, {
        workerData: {
          sqlite: Sqlite.path,
          filename: this.db.name,
          statements,
          payloads,
          smallMax,
          cells: this.#cells,
          cellOf
        },
        // What the program loads beside itself, a loader or an agent, is not for this.
        execArgv: [],
        // Hardly anything that it makes lives for long.
        resourceLimits: { maxYoungGenerationSizeMb: 2 }
      })
      this.#worker = worker
      worker.unref()
      worker.on("message", message => this.#hear(message))
      // It is followed by "exit".
      worker.on("error", tell)
      worker.on("exit", () => this.#end())
    } catch (cause) {
      // In a bundle of CommonJS this module has no place of its own, and the package may not be beside one.
      tell(cause)
      this.#end()
    }
  }

  #hear(message: unknown): void {
    // First of all it says that it has opened the file.
    if (!this.#isReady) {
      this.#isReady = true
      return
    }
    const page = message instanceof ArrayBuffer ? message : undefined
    if (page === undefined && !this.#hasTold) {
      this.#hasTold = true
      tellOnce(message)
    }
    this.#pending.shift()?.(page)
    if (this.#pending.length === 0) this.#worker?.unref()
  }

  #end(): void {
    this.#hasEnded = true
    void this.#worker?.terminate()
    for (const answer of this.#pending.splice(0)) answer(undefined)
  }
}
