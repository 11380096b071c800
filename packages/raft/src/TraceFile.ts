/**
 * Traces of real members in files: each line of {@link Trace} behind the time at which it was written, `2026-11-21T20:01:02.345Z n1 Tick | …`.
 *
 * A member writes its lines to a file of its own. When that is full it is set aside under the same name with `.old` behind it, in the place of the one before, so the
 * newest lines are there however long the member lives. Lines are handed to the operating system one by one and never synced: they outlive the process, and a
 * loss of power takes the last of them.
 *
 * @since 0.1.0
 */
import * as fs from "node:fs"
import * as path from "node:path"
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Folder from "./Folder.js"
import * as TraceCheck from "./TraceCheck.js"

const olderSuffix = ".old"
const chunkBytes = 64 * 1024
/** A line that goes on for longer is none of ours. */
const lineCharactersMax = 16 * 1024 * 1024

/**
 * A file of a trace could not be read.
 *
 * @since 0.1.0
 * @category errors
 */
export class TraceFileError extends Schema.TaggedError<TraceFileError>("@reckon/raft/TraceFileError")(
  "TraceFileError",
  { filename: Schema.String, detail: Schema.String }
) {
  readonly retryable = false
  override get message() {
    return `${this.filename}: ${this.detail}`
  }
}

const reasonOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

// -----------------------------------------------------------------------------
// writing
// -----------------------------------------------------------------------------

/** Whether the last line of the file is whole: nothing is written behind one that a loss of power has torn. */
const endsWhole = (file: number, size: number): boolean => {
  if (size === 0) return true
  const last = new Uint8Array(1)
  fs.readSync(file, last, 0, 1, size - 1)
  return last[0] === 0x0a
}

/**
 * Writes lines to the end of the file until the scope closes; for the `trace` of `Raft.Opened`. The file and the one that is set aside have `bytesMax` together, but
 * for a single line that has more.
 *
 * A trace is no reason for a member to stop: where the file cannot be written that is logged once, and the lines from there on are dropped.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: {
  readonly filename: string
  readonly bytesMax: number
}): Effect.Effect<(line: string) => void, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { bytesMax, filename } = options
    const clock = yield* Effect.clock
    const runtime = yield* Effect.runtime<never>()
    let file: number | undefined
    let size = 0
    let isOver = false

    const open = () => {
      Folder.make(path.dirname(filename))
      file = fs.openSync(filename, "a+")
      size = fs.fstatSync(file).size
    }
    const close = () => {
      const open = file
      file = undefined
      if (open !== undefined) fs.closeSync(open)
    }
    const setAside = () => {
      close()
      fs.renameSync(filename, filename + olderSuffix)
      open()
    }
    const orGiveUp = (use: () => void): void => {
      try {
        use()
      } catch (cause) {
        isOver = true
        Runtime.runFork(runtime, Effect.logWarning(`the trace ${filename} ends: ${reasonOf(cause)}`))
      }
    }

    yield* Effect.addFinalizer(() => Effect.sync(close))
    orGiveUp(() => {
      open()
      if (file !== undefined && !endsWhole(file, size)) setAside()
    })
    return line => {
      if (isOver) return
      const bytes = Buffer.from(`${new Date(clock.unsafeCurrentTimeMillis()).toISOString()} ${line}\n`)
      orGiveUp(() => {
        if (size > 0 && size + bytes.length > bytesMax / 2) setAside()
        if (file === undefined) return
        const written = fs.writeSync(file, bytes)
        size += written
        if (written < bytes.length) throw new Error("there is no room for a whole line")
      })
    }
  })

// -----------------------------------------------------------------------------
// reading
// -----------------------------------------------------------------------------

/** A line, and where it stands. */
interface Found {
  readonly filename: string
  /** From 1 on. */
  readonly number: number
  readonly time: string
  readonly line: string
}

const linePattern = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (.*)$/

const texts = function* (filename: string): Generator<string> {
  const file = fs.openSync(filename, "r")
  try {
    const decoder = new TextDecoder()
    const chunk = new Uint8Array(chunkBytes)
    let rest = ""
    for (let length = fs.readSync(file, chunk); length > 0; length = fs.readSync(file, chunk)) {
      const pieces = (rest + decoder.decode(chunk.subarray(0, length), { stream: true })).split("\n")
      // What has no end is being written just now, or was torn.
      rest = pieces.pop() ?? ""
      yield* pieces
      if (rest.length > lineCharactersMax) throw new Error("it has a line without end")
    }
  } finally {
    fs.closeSync(file)
  }
}

const linesOf = function* (filename: string): Generator<Found> {
  let number = 0
  for (const text of texts(filename)) {
    number += 1
    const [, time = "", line = text] = linePattern.exec(text) ?? []
    yield { filename, number, time, line }
  }
}

/** What was set aside comes first. */
const traceOf = function* (filename: string): Generator<Found> {
  if (fs.existsSync(filename + olderSuffix)) yield* linesOf(filename + olderSuffix)
  yield* linesOf(filename)
}

/** All of them by their times; those of one trace stay in their order. */
const merge = function* (traces: ReadonlyArray<Generator<Found>>): Generator<Found> {
  const heads = traces.map(trace => ({ trace, head: trace.next() }))
  for (;;) {
    let earliest: { readonly from: (typeof heads)[number]; readonly found: Found } | undefined
    for (const from of heads) {
      if (from.head.done === true) continue
      const found = from.head.value
      if (earliest === undefined || found.time < earliest.found.time) earliest = { from, found }
    }
    if (earliest === undefined) return
    yield earliest.found
    earliest.from.head = earliest.from.trace.next()
  }
}

/**
 * How many lines were looked at, and the first that the algorithm does not allow, with where it stands; `undefined` where all are allowed.
 *
 * @since 0.1.0
 * @category models
 */
export interface Verdict {
  readonly lines: number
  readonly refusal:
    | (TraceCheck.Refusal & { readonly filename: string; readonly number: number; readonly line: string })
    | undefined
}

/**
 * Holds the traces of a group's members against {@link TraceCheck}, one file for each member and what was set aside of it, in the order of their times. Clocks that differ make
 * it see less between members, and refuse nothing that is right. It reads the files in pieces, and gives nobody a turn meanwhile.
 *
 * @since 0.1.0
 * @category checking
 */
export const check = (filenames: ReadonlyArray<string>): Effect.Effect<Verdict, TraceFileError> =>
  Effect.try({
    try: () => {
      const checker = TraceCheck.make()
      const traces = filenames.map(filename => traceOf(filename))
      let lines = 0
      try {
        for (const { filename, line, number } of merge(traces)) {
          lines += 1
          const refusal = checker.line(line)
          if (refusal !== undefined) return { lines, refusal: { ...refusal, filename, number, line } }
        }
        return { lines, refusal: undefined }
      } finally {
        // One that was not read to its end still has its file open.
        for (const trace of traces) trace.return(undefined)
      }
    },
    catch: cause => new TraceFileError({ filename: filenames.join(", "), detail: reasonOf(cause) })
  })
