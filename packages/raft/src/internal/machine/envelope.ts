/**
 * What a machine's entry carries: who asks, when, and for what. The command itself stays opaque here.
 *
 * An entry is a format number, the kind, the time that its proposer read before the log, the fields of the kind, and for a command its bytes to the end.
 *
 * Bytes that are no envelope of format 1 are refused by every member in the same way, and that binds all later releases: a release that writes another format
 * must go on refusing it for as long as a version is in force that was there before that format. What cannot be read is thus never read by some members only.
 */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { DownReason, nameLengthMax } from "../../MachineEffect.js"
import { type Reader, read, Writer } from "./binary.js"

export const format = 1

export const commandBytesMax = 1024 * 1024
/** The last instant that a `Date` can show. */
const timeMillisMax = 8_640_000_000_000_000
export const sessionTimeoutMillisMin = 100
export const sessionTimeoutMillisMax = 24 * 3_600_000

const Count = Schema.Int.pipe(Schema.nonNegative())
const Positive = Schema.Int.pipe(Schema.positive())
const Body = Schema.Uint8ArrayFromSelf.pipe(Schema.filter(bytes => bytes.length <= commandBytesMax))
const timeMillis = Count.pipe(Schema.lessThanOrEqualTo(timeMillisMax))
/** A subject's key has two names in it, quoted: a character may take six. */
const Key = Schema.String.pipe(Schema.maxLength(2 * 6 * nameLengthMax + 16))

export const Envelope = Schema.Union(
  Schema.TaggedStruct("Command", { timeMillis, body: Body }),
  Schema.TaggedStruct("Request", { timeMillis, session: Positive, sequence: Positive, lowest: Positive, body: Body }),
  Schema.TaggedStruct("Register", {
    timeMillis,
    timeoutMillis: Schema.Int.pipe(Schema.between(sessionTimeoutMillisMin, sessionTimeoutMillisMax))
  }),
  Schema.TaggedStruct("KeepAlive", { timeMillis, session: Positive, lowest: Positive }),
  Schema.TaggedStruct("Close", { timeMillis, session: Positive }),
  Schema.TaggedStruct("Upgrade", { timeMillis, from: Positive, to: Positive }),
  /** `armed` is the index of the entry that set the timer: a firing that crossed a new setting is told apart by it. */
  Schema.TaggedStruct("TimerFired", {
    timeMillis,
    name: Schema.String.pipe(Schema.maxLength(nameLengthMax)),
    armed: Positive
  }),
  Schema.TaggedStruct("Down", { timeMillis, subject: Key, armed: Positive, reason: DownReason }),
  /** Carries the time only, where sessions are due and nothing else is proposed. */
  Schema.TaggedStruct("Tick", { timeMillis })
)

export type Envelope = typeof Envelope.Type

/** How a kind and a reason are written: by their places here, for ever. */
const kinds: ReadonlyArray<Envelope["_tag"]> = [
  "Command",
  "Request",
  "Register",
  "KeepAlive",
  "Close",
  "Upgrade",
  "TimerFired",
  "Down",
  "Tick"
]
const reasons: ReadonlyArray<DownReason> = ["Normal", "Shutdown", "Killed", "Crash", "NoProc", "NoConnection"]

export const encode = (envelope: Envelope): Uint8Array => {
  // There is no way to write a time before 1970, which a clock may show that was never set: the replicated time is no earlier.
  const writer = new Writer().byte(format).byte(kinds.indexOf(envelope._tag)).number(Math.max(0, envelope.timeMillis))
  switch (envelope._tag) {
    case "Command":
      return writer.take(envelope.body)
    case "Request":
      return writer.number(envelope.session).number(envelope.sequence).number(envelope.lowest).take(envelope.body)
    case "Register":
      return writer.number(envelope.timeoutMillis).take()
    case "KeepAlive":
      return writer.number(envelope.session).number(envelope.lowest).take()
    case "Close":
      return writer.number(envelope.session).take()
    case "Upgrade":
      return writer.number(envelope.from).number(envelope.to).take()
    case "TimerFired":
      return writer.text(envelope.name).number(envelope.armed).take()
    case "Down":
      return writer.text(envelope.subject).number(envelope.armed).byte(reasons.indexOf(envelope.reason)).take()
    case "Tick":
      return writer.take()
  }
}

const readFields = (reader: Reader, kind: Envelope["_tag"] | undefined) => {
  switch (kind) {
    case "Command":
      return { body: reader.rest() }
    case "Request":
      return { session: reader.number(), sequence: reader.number(), lowest: reader.number(), body: reader.rest() }
    case "Register":
      return { timeoutMillis: reader.number() }
    case "KeepAlive":
      return { session: reader.number(), lowest: reader.number() }
    case "Close":
      return { session: reader.number() }
    case "Upgrade":
      return { from: reader.number(), to: reader.number() }
    case "TimerFired":
      return { name: reader.text(), armed: reader.number() }
    case "Down":
      return { subject: reader.text(), armed: reader.number(), reason: reasons[reader.byte()] }
    case "Tick":
    case undefined:
      return {}
  }
}

const decodeFields = Schema.decodeUnknownEither(Envelope)

export const decode = (bytes: Uint8Array): Either.Either<Envelope, string> =>
  read(bytes, reader => {
    if (reader.byte() !== format) return undefined
    const kind = kinds[reader.byte()]
    const timeMillis = reader.number()
    return { _tag: kind, timeMillis, ...readFields(reader, kind) }
  }).pipe(Either.flatMap(fields => Either.mapLeft(decodeFields(fields), () => "a field is out of its range")))
