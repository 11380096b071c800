/**
 * What happened in a torture run, as a file of JSON lines: every operation of every client, every fault, and at the end what each node holds.
 *
 * A line is written before the thing it tells of goes on, so that the order of the lines is an order in time, and a run that is cut short loses nothing it
 * knew.
 *
 * @since 0.1.0
 */
import * as fs from "node:fs"
import * as readline from "node:readline"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"

// -----------------------------------------------------------------------------
// operations and answers
// -----------------------------------------------------------------------------

const Content = Schema.Struct({ id: Schema.String, content: Schema.String })

/**
 * What a client asks. `content` is a digest of an event's payload. `ReadAll` is one page of the store, the others are what `Linearizability.stream` knows.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Operation = Schema.Union(
  Schema.TaggedStruct("Append", {
    stream: Schema.String,
    expected: Schema.Union(Schema.Number, Schema.Literal("any", "no_stream", "stream_exists")),
    events: Schema.Array(Content)
  }),
  Schema.TaggedStruct("Read", { stream: Schema.String, from: Schema.Number, count: Schema.Number }),
  Schema.TaggedStruct("Version", { stream: Schema.String }),
  Schema.TaggedStruct("ReadAll", { from: Schema.Number, count: Schema.Number })
)

/**
 * @since 0.1.0
 * @category models
 */
export type Operation = typeof Operation.Type

/**
 * @since 0.1.0
 * @category models
 */
export type Append = Extract<Operation, { readonly _tag: "Append" }>

const Placed = Schema.Struct({
  position: Schema.Number,
  stream: Schema.String,
  version: Schema.Number,
  id: Schema.String,
  content: Schema.String
})

/**
 * An event at its place in the store.
 *
 * @since 0.1.0
 * @category models
 */
export type Placed = typeof Placed.Type

/**
 * What a client is told. A refused append is an answer as well. `Appended` carries version and position of the last event.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Answer = Schema.Union(
  Schema.TaggedStruct("Appended", { version: Schema.Number, position: Schema.Number }),
  Schema.TaggedStruct("WrongExpectedVersion", { actual: Schema.Number }),
  Schema.TaggedStruct("EventIdConflict", { eventId: Schema.String, version: Schema.Number }),
  Schema.TaggedStruct("Events", {
    events: Schema.Array(Schema.Struct({ ...Content.fields, version: Schema.Number })),
    isEnd: Schema.Boolean
  }),
  Schema.TaggedStruct("StreamNotFound", {}),
  Schema.TaggedStruct("Version", { version: Schema.Number }),
  Schema.TaggedStruct("AllEvents", { events: Schema.Array(Placed), isEnd: Schema.Boolean })
)

/**
 * @since 0.1.0
 * @category models
 */
export type Answer = typeof Answer.Type

// -----------------------------------------------------------------------------
// entries
// -----------------------------------------------------------------------------

const atMillis = Schema.Number

/**
 * An event as a node holds it at the end. `digest` is one of all its fields.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Stored = Schema.Struct({ ...Placed.fields, epochUs: Schema.Number, digest: Schema.String })

/**
 * @since 0.1.0
 * @category models
 */
export type Stored = typeof Stored.Type

/**
 * One line. Times are milliseconds since the begin of the run.
 *
 * A `Call` has one end at most: a `Return`; a `Fail`, which says that it surely had no effect and never will; or an `Unknown`, which says nothing. `Holds` is a
 * page of all that one node holds once everything is healed, in order.
 *
 * A `Fault` is what was meant. What it did is a `Node`, which has `started` when it says so and is `full` and `free` by its disk, and a `Link`, which goes one way and may be cut several
 * times over; a node that ends by itself has an `Exit`. The histories of earlier runs do not have these two.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Entry = Schema.Union(
  Schema.TaggedStruct("Begin", { seed: Schema.Number, nodes: Schema.Number, means: Schema.String }),
  Schema.TaggedStruct("Call", { id: Schema.Number, client: Schema.String, atMillis, operation: Operation }),
  Schema.TaggedStruct("Return", { id: Schema.Number, atMillis, answer: Answer }),
  Schema.TaggedStruct("Fail", { id: Schema.Number, atMillis, error: Schema.String }),
  Schema.TaggedStruct("Unknown", { id: Schema.Number, atMillis, error: Schema.String }),
  Schema.TaggedStruct("Fault", { atMillis, kind: Schema.String, detail: Schema.String }),
  Schema.TaggedStruct("Leader", { atMillis, node: Schema.String, term: Schema.Number }),
  Schema.TaggedStruct("Exit", { atMillis, node: Schema.String, how: Schema.String }),
  Schema.TaggedStruct("Node", {
    atMillis,
    node: Schema.String,
    became: Schema.Literal("started", "ended", "held", "released", "full", "free")
  }),
  Schema.TaggedStruct("Link", {
    atMillis,
    from: Schema.String,
    to: Schema.String,
    became: Schema.Literal("cut", "healed")
  }),
  Schema.TaggedStruct("Settled", { atMillis, afterMillis: Schema.Number }),
  Schema.TaggedStruct("NotSettled", { atMillis, detail: Schema.String }),
  Schema.TaggedStruct("Holds", { node: Schema.String, events: Schema.Array(Stored) })
)

/**
 * @since 0.1.0
 * @category models
 */
export type Entry = typeof Entry.Type

/** An entry that has yet to be given its time. */
type Untimed<A> = A extends { readonly atMillis: number } ? Omit<A, "atMillis"> : A

/**
 * A history that is being written.
 *
 * @since 0.1.0
 * @category models
 */
export interface Journal {
  readonly file: string
  /** Writes the line, with the time if its kind has one, before it returns. */
  readonly write: (entry: Untimed<Entry>) => Effect.Effect<void>
  /** A number that no operation has had. */
  readonly nextId: Effect.Effect<number>
}

const EntryLine = Schema.parseJson(Entry)
const decodeLine = Schema.decode(EntryLine)

/**
 * Begins a file. It is closed with the scope.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (file: string): Effect.Effect<Journal, never, Scope.Scope> =>
  Effect.gen(function* () {
    const beganAt = yield* Clock.currentTimeMillis
    const descriptor = yield* Effect.acquireRelease(
      Effect.sync(() => fs.openSync(file, "w")),
      open => Effect.sync(() => fs.closeSync(open))
    )
    let id = 0
    return {
      file,
      write: entry =>
        Effect.map(Clock.currentTimeMillis, now => {
          fs.writeSync(descriptor, `${JSON.stringify({ atMillis: now - beganAt, ...entry })}\n`)
        }),
      nextId: Effect.sync(() => ++id)
    }
  })

const endsWithNewline = (file: string): boolean => {
  const descriptor = fs.openSync(file, "r")
  try {
    const last = Buffer.alloc(1)
    fs.readSync(descriptor, last, 0, 1, Math.max(0, fs.fstatSync(descriptor).size - 1))
    return last.toString() === "\n"
  } finally {
    fs.closeSync(descriptor)
  }
}

/**
 * Reads a file back. A last line that was cut short is left out, any other that cannot be read is a defect.
 *
 * @since 0.1.0
 * @category constructors
 */
export const read = (file: string): Effect.Effect<ReadonlyArray<Entry>> =>
  Effect.gen(function* () {
    const lines = yield* Effect.promise(async () => {
      const all: Array<string> = []
      for await (const line of readline.createInterface({ input: fs.createReadStream(file) })) all.push(line)
      return all
    })
    if (!endsWithNewline(file)) lines.pop()
    return yield* Effect.orDie(Effect.forEach(lines, line => decodeLine(line)))
  })
