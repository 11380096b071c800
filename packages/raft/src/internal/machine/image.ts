/**
 * The replicated state as bytes, for a snapshot. Members at the same index have the same bytes.
 *
 * "RKMS", a format number, and records. A record is its kind (1 byte), the length of its body (4 bytes, little endian), the body as JSON, and the CRC-32 of all records up
 * to there (4 bytes): none can be changed, left out or moved. One with the head comes first, then one for each session and one for each part of the machine's state, and
 * one without a body at the end.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type { Machine } from "../../Machine.js"
import { Subject } from "../../MachineEffect.js"
import { SnapshotError } from "../../StateMachine.js"
import * as Codec from "./codec.js"
import { crc32 } from "./crc32.js"
import { nextTurn } from "./nextTurn.js"
import { keyOf } from "./obligations.js"
import { Replicated } from "./replicated.js"

const magic = Uint8Array.from([0x52, 0x4b, 0x4d, 0x53])
const format = 2
const recordsAt = magic.length + 1
const bodyAt = 5
const checksumBytes = 4

const kinds = { head: 0, session: 1, part: 2, end: 3 } as const

/** What is encoded, or decoded, before others get their turn; a single larger part is done in one go. */
export const sliceBytes = 64 * 1024

const Count = Schema.Int.pipe(Schema.nonNegative())

const head = Codec.make(
  Schema.Struct({
    index: Count,
    term: Count,
    timeMillis: Count,
    releasedIndex: Count,
    version: Schema.Int.pipe(Schema.positive()),
    timers: Schema.Array(Schema.Struct({ name: Schema.String, deadlineMillis: Count, armed: Count })),
    monitors: Schema.Array(Schema.Struct({ subject: Subject, armed: Count }))
  })
)

const session = Codec.make(
  Schema.Struct({
    id: Count,
    timeoutMillis: Count,
    heardMillis: Count,
    lowest: Count,
    answers: Schema.Array(Schema.Tuple(Count, Schema.Uint8ArrayFromBase64))
  })
)

// -----------------------------------------------------------------------------
// writing
// -----------------------------------------------------------------------------

interface Body {
  readonly kind: number
  readonly bytes: Uint8Array
}

/** Records with the checksum of each. */
const framed = function* (bodies: Iterable<Body>): Generator<Uint8Array> {
  let checksum = 0
  for (const { bytes, kind } of bodies) {
    const record = new Uint8Array(bodyAt + bytes.length + checksumBytes)
    const view = new DataView(record.buffer)
    record[0] = kind
    view.setUint32(1, bytes.length, true)
    record.set(bytes, bodyAt)
    checksum = crc32(record.subarray(0, -checksumBytes), checksum)
    view.setUint32(record.length - checksumBytes, checksum, true)
    yield record
  }
}

const joined = (pieces: ReadonlyArray<Uint8Array>, length: number): Uint8Array => {
  const bytes = new Uint8Array(length)
  let at = 0
  for (const piece of pieces) {
    bytes.set(piece, at)
    at += piece.length
  }
  return bytes
}

/** As many of the pieces together as a slice takes. */
const sliced = function* (pieces: Iterable<Uint8Array>): Generator<Uint8Array> {
  let slice: Array<Uint8Array> = []
  let length = 0
  for (const piece of pieces) {
    slice.push(piece)
    length += piece.length
    if (length < sliceBytes) continue
    yield joined(slice, length)
    slice = []
    length = 0
  }
  if (length > 0) yield joined(slice, length)
}

/**
 * The state as it is when this is called, in slices that are encoded when they are asked for. What changes in place is copied at once; the machine's state is a value, and
 * there is another one after the next command.
 */
export const capture = <State, Notification>(replicated: Replicated<State, Notification>): Iterable<Uint8Array> => {
  const { index, instance, obligations, releasedIndex, term, timeMillis } = replicated
  const { version } = instance
  const timers = Array.from(obligations.timers.values())
  const monitors = Array.from(obligations.monitors.values())
  const sessions = Array.from(replicated.sessions.all(), session => ({
    ...session,
    answers: Array.from(session.answers)
  }))
  const bodies = function* (): Generator<Body> {
    const begun = head.encode({ index, term, timeMillis, releasedIndex, version, timers, monitors })
    yield { kind: kinds.head, bytes: Either.getOrThrow(begun) }
    for (const one of sessions) yield { kind: kinds.session, bytes: Either.getOrThrow(session.encode(one)) }
    for (const bytes of instance.encode()) yield { kind: kinds.part, bytes }
    yield { kind: kinds.end, bytes: new Uint8Array(0) }
  }
  const pieces = function* (): Generator<Uint8Array> {
    yield Uint8Array.from([...magic, format])
    yield* framed(bodies())
  }
  return sliced(pieces())
}

// -----------------------------------------------------------------------------
// reading
// -----------------------------------------------------------------------------

/** The records one after the other, each once its checksum is found right; `undefined` for one that is damaged, and nothing behind it. */
const recordsOf = function* (bytes: Uint8Array): Generator<Body | undefined> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let checksum = 0
  for (let at = recordsAt; at < bytes.length; ) {
    const length = at + bodyAt <= bytes.length ? view.getUint32(at + 1, true) : Number.POSITIVE_INFINITY
    const end = at + bodyAt + length
    if (end + checksumBytes > bytes.length) return yield undefined
    checksum = crc32(bytes.subarray(at, end), checksum)
    if (view.getUint32(end, true) !== checksum) return yield undefined
    yield { kind: view.getUint8(at), bytes: bytes.subarray(at + bodyAt, end) }
    at = end + checksumBytes
  }
}

/** Others get their turn after each slice. */
export const decode = <State, Command, Reply, Notification>(
  machine: Machine<State, Command, Reply, Notification>,
  filename: string,
  bytes: Uint8Array
): Effect.Effect<Replicated<State, Notification>, SnapshotError> =>
  Effect.gen(function* () {
    const failure = (reason: SnapshotError["reason"], detail: string) => new SnapshotError({ filename, reason, detail })
    const orDamaged = <A>(what: string, read: Either.Either<A, Codec.Unreadable>): Either.Either<A, SnapshotError> =>
      Either.mapLeft(read, ({ message }) => failure("damaged", `has an unreadable ${what}: ${message}`))

    if (bytes.length < recordsAt || magic.some((byte, at) => bytes[at] !== byte)) {
      return yield* failure("damaged", "is no snapshot of a machine")
    }
    if (bytes[magic.length] !== format) {
      return yield* failure("unsupported", `has format ${bytes[magic.length]}, this release reads format ${format}`)
    }

    const records = recordsOf(bytes)
    let taken = 0
    const next = Effect.gen(function* () {
      const { value: record } = records.next()
      if (record === undefined) return yield* failure("damaged", "is not whole, or does not match its checksums")
      taken += record.bytes.length
      if (taken > sliceBytes) {
        taken = record.bytes.length
        yield* nextTurn
      }
      return record
    })

    const first = yield* next
    if (first.kind !== kinds.head) return yield* failure("damaged", "does not begin with its head")
    const { monitors, timers, version, ...rest } = yield* orDamaged("head", head.decode(first.bytes))
    if (version > machine.version) {
      return yield* failure("unsupported", `is of version ${version}, the newest known here is ${machine.version}`)
    }
    const state = yield* orDamaged("state", machine.restore(version))
    const sessions: Array<Parameters<typeof session.encode>[0]> = []
    for (let record = yield* next; record.kind !== kinds.end; record = yield* next) {
      if (record.kind === kinds.part) yield* orDamaged("state", state.take(record.bytes))
      else if (record.kind === kinds.session) sessions.push(yield* orDamaged("session", session.decode(record.bytes)))
      else return yield* failure("damaged", `has a record of the unknown kind ${record.kind}`)
    }
    if (records.next().done !== true) return yield* failure("damaged", "goes on behind its end")

    const instance = yield* orDamaged("state", state.end())
    const replicated = Object.assign(new Replicated(machine.version, instance), rest)
    for (const { answers, ...one } of sessions) {
      replicated.sessions.restore({ ...one, answers: new Map(answers) })
    }
    for (const timer of timers) replicated.obligations.timers.set(timer.name, timer)
    for (const monitor of monitors) replicated.obligations.monitors.set(keyOf(monitor.subject), monitor)
    return replicated
  })
