/**
 * The replicated state as bytes, for a snapshot. Members at the same index have the same bytes.
 *
 * "RKMS", a format number, the CRC-32 of everything behind it (4 bytes, little endian), the length of the header, the header and the machine's state. The last two are JSON.
 */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type { Machine } from "../../Machine.js"
import { Subject } from "../../MachineEffect.js"
import { SnapshotError } from "../../StateMachine.js"
import * as Codec from "./codec.js"
import { crc32 } from "./crc32.js"
import { keyOf } from "./obligations.js"
import { Replicated } from "./replicated.js"

const magic = Uint8Array.from([0x52, 0x4b, 0x4d, 0x53])
const format = 1
const checksumAt = magic.length + 1
const headerLengthAt = checksumAt + 4
const headerAt = headerLengthAt + 4

const Count = Schema.Int.pipe(Schema.nonNegative())

const Header = Schema.Struct({
  index: Count,
  term: Count,
  timeMillis: Count,
  releasedIndex: Count,
  version: Schema.Int.pipe(Schema.positive()),
  sessions: Schema.Array(
    Schema.Struct({
      id: Count,
      timeoutMillis: Count,
      heardMillis: Count,
      lowest: Count,
      answers: Schema.Array(Schema.Tuple(Count, Schema.Uint8ArrayFromBase64))
    })
  ),
  timers: Schema.Array(Schema.Struct({ name: Schema.String, deadlineMillis: Count, armed: Count })),
  monitors: Schema.Array(Schema.Struct({ subject: Subject, armed: Count }))
})

const header = Codec.make(Header)

export const encode = <State, Notification>(replicated: Replicated<State, Notification>): Uint8Array => {
  const { index, instance, obligations, releasedIndex, sessions, term, timeMillis } = replicated
  const head = Either.getOrThrow(
    header.encode({
      index,
      term,
      timeMillis,
      releasedIndex,
      version: instance.version,
      sessions: Array.from(sessions.all(), session => ({ ...session, answers: Array.from(session.answers) })),
      timers: Array.from(obligations.timers.values()),
      monitors: Array.from(obligations.monitors.values())
    })
  )
  const state = instance.encode()
  const bytes = new Uint8Array(headerAt + head.length + state.length)
  const view = new DataView(bytes.buffer)
  bytes.set(magic)
  bytes[magic.length] = format
  view.setUint32(headerLengthAt, head.length, true)
  bytes.set(head, headerAt)
  bytes.set(state, headerAt + head.length)
  view.setUint32(checksumAt, crc32(bytes.subarray(headerLengthAt)), true)
  return bytes
}

export const decode = <State, Command, Reply, Notification>(
  machine: Machine<State, Command, Reply, Notification>,
  filename: string,
  bytes: Uint8Array
): Either.Either<Replicated<State, Notification>, SnapshotError> => {
  const fail = (reason: SnapshotError["reason"], detail: string) =>
    Either.left(new SnapshotError({ filename, reason, detail }))
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < headerAt || magic.some((byte, at) => bytes[at] !== byte)) {
    return fail("damaged", "is no snapshot of a machine")
  }
  if (bytes[magic.length] !== format) {
    return fail("unsupported", `has format ${bytes[magic.length]}, this release reads format ${format}`)
  }
  if (crc32(bytes.subarray(headerLengthAt)) !== view.getUint32(checksumAt, true)) {
    return fail("damaged", "does not match its checksum")
  }
  const stateAt = headerAt + view.getUint32(headerLengthAt, true)
  const head = header.decode(bytes.subarray(headerAt, stateAt))
  if (Either.isLeft(head)) return fail("damaged", `has an unreadable header: ${head.left.message}`)
  const { monitors, sessions, timers, version, ...rest } = head.right
  if (version > machine.version) {
    return fail("unsupported", `is of version ${version}, the newest known here is ${machine.version}`)
  }
  const instance = machine.restore(version, bytes.subarray(stateAt))
  if (Either.isLeft(instance)) return fail("damaged", `has an unreadable state: ${instance.left.message}`)
  const replicated = Object.assign(new Replicated(machine.version, instance.right), rest)
  for (const session of sessions) replicated.sessions.restore({ ...session, answers: new Map(session.answers) })
  for (const timer of timers) replicated.obligations.timers.set(timer.name, timer)
  for (const monitor of monitors) replicated.obligations.monitors.set(keyOf(monitor.subject), monitor)
  return Either.right(replicated)
}
