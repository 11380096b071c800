import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import type { ExpectedVersion, StreamEvent, StreamInput, StreamOutput } from "../../Linearizability.js"

/**
 * An event in its stream, with those before it. Streams that began alike share their beginning, and an event is found by its version in logarithmic
 * time: `jump` leads back over as many events as the jumps behind it in a skew binary number.
 */
interface Node {
  readonly event: StreamEvent
  readonly version: number
  readonly previous: Node | undefined
  readonly jump: Node | undefined
}

/** A stream as it is between two operations. */
export interface Stream {
  readonly last: Node | undefined
  readonly byId: HashMap.HashMap<string, Node>
}

export const empty: Stream = { last: undefined, byId: HashMap.empty() }

const noEvents = -1

const versionOf = (node: Node | undefined): number => node?.version ?? noEvents

const append = (stream: Stream, event: StreamEvent): Stream => {
  const { last } = stream
  const jumps = versionOf(last?.jump)
  const isFull = last !== undefined && last.version - jumps === jumps - versionOf(last.jump?.jump)
  const node: Node = {
    event,
    version: versionOf(last) + 1,
    previous: last,
    jump: isFull ? last.jump?.jump : last
  }
  return { last: node, byId: HashMap.set(stream.byId, event.id, node) }
}

const nodeAt = (last: Node | undefined, version: number): Node | undefined => {
  let node = last
  while (node !== undefined && node.version > version)
    node = versionOf(node.jump) >= version ? node.jump : node.previous
  return node
}

const isSameEvent = (a: StreamEvent, b: StreamEvent): boolean => a === b || (a.id === b.id && a.content === b.content)

/** Streams with the same events. What they share is the same object, so the walk ends where they parted. */
export const isSame = (a: Stream, b: Stream): boolean => {
  let one = a.last
  let other = b.last
  if (versionOf(one) !== versionOf(other)) return false
  while (one !== other) {
    if (one === undefined || other === undefined || !isSameEvent(one.event, other.event)) return false
    one = one.previous
    other = other.previous
  }
  return true
}

const isMet = (expected: ExpectedVersion, version: number): boolean => {
  switch (expected) {
    case "any":
      return true
    case "no_stream":
      return version === noEvents
    case "stream_exists":
      return version > noEvents
    default:
      return version === expected
  }
}

const runAppend = (
  stream: Stream,
  input: StreamInput & { readonly _tag: "Append" }
): readonly [Stream, StreamOutput] => {
  let after = stream
  let version = versionOf(stream.last)
  for (const event of input.events) {
    const twin = Option.getOrUndefined(HashMap.get(after.byId, event.id))
    if (twin !== undefined && !isSameEvent(twin.event, event)) {
      return [stream, { _tag: "EventIdConflict", eventId: event.id, version: twin.version }]
    }
    if (twin === undefined) after = append(after, event)
    version = twin?.version ?? versionOf(after.last)
  }
  const isAllPresent = after === stream && input.events.length > 0
  return isAllPresent || isMet(input.expected, versionOf(stream.last))
    ? [after, { _tag: "Appended", version }]
    : [stream, { _tag: "WrongExpectedVersion", actual: versionOf(stream.last) }]
}

const runRead = ({ last }: Stream, input: StreamInput & { readonly _tag: "Read" }): StreamOutput => {
  if (last === undefined) return { _tag: "StreamNotFound" }
  const events: Array<StreamEvent & { readonly version: number }> = []
  let node = nodeAt(last, input.from + input.count - 1)
  for (; node !== undefined && node.version >= input.from; node = node.previous) {
    events.push({ id: node.event.id, content: node.event.content, version: node.version })
  }
  return { _tag: "Events", events: events.reverse(), isEnd: input.from + input.count > last.version }
}

/** What the operation does to the stream and answers. */
export const run = (stream: Stream, input: StreamInput): readonly [Stream, StreamOutput] => {
  switch (input._tag) {
    case "Append":
      return runAppend(stream, input)
    case "Read":
      return [stream, runRead(stream, input)]
    case "Version":
      return [stream, { _tag: "Version", version: versionOf(stream.last) }]
  }
}

export const isSameOutput = (a: StreamOutput, b: StreamOutput): boolean => {
  switch (a._tag) {
    case "Appended":
      return b._tag === "Appended" && a.version === b.version
    case "WrongExpectedVersion":
      return b._tag === "WrongExpectedVersion" && a.actual === b.actual
    case "EventIdConflict":
      return b._tag === "EventIdConflict" && a.eventId === b.eventId && a.version === b.version
    case "StreamNotFound":
      return b._tag === "StreamNotFound"
    case "Version":
      return b._tag === "Version" && a.version === b.version
    case "Events":
      return (
        b._tag === "Events" &&
        a.isEnd === b.isEnd &&
        a.events.length === b.events.length &&
        a.events.every((event, at) => {
          const other = b.events[at]
          return other !== undefined && event.version === other.version && isSameEvent(event, other)
        })
      )
  }
}

const showEvent = ({ content, id }: StreamEvent): string => `${id}=${content}`

export const showInput = (input: StreamInput): string => {
  switch (input._tag) {
    case "Append":
      return `append ${input.events.map(showEvent).join(" ")} expecting ${input.expected}`
    case "Read":
      return `read ${input.count} from ${input.from}`
    case "Version":
      return "version"
  }
}

export const showOutput = (output: StreamOutput): string => {
  switch (output._tag) {
    case "Appended":
      return `appended, version ${output.version}`
    case "WrongExpectedVersion":
      return `wrong expected version, it is ${output.actual}`
    case "EventIdConflict":
      return `conflict with ${output.eventId} at ${output.version}`
    case "StreamNotFound":
      return "no stream"
    case "Version":
      return `version ${output.version}`
    case "Events": {
      const events = output.events.map(event => `${event.version}:${showEvent(event)}`).join(" ")
      return `[${events}]${output.isEnd ? ", the end" : ""}`
    }
  }
}
