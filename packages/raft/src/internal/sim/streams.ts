import * as Schema from "effect/Schema"
import { type Model, type StreamInput, type StreamOutput, stream } from "../../Linearizability.js"
import type { Definition, Last, Random } from "../../Simulator.js"

const Version = Schema.Int
const Event = Schema.Struct({ id: Schema.String, content: Schema.String })

const Operation = Schema.Union(
  Schema.TaggedStruct("Append", {
    stream: Schema.String,
    expected: Schema.Union(Version, Schema.Literal("any", "no_stream", "stream_exists")),
    events: Schema.Array(Event)
  }),
  Schema.TaggedStruct("Read", { stream: Schema.String, from: Version, count: Version }),
  Schema.TaggedStruct("Version", { stream: Schema.String })
)

/** An operation, and whose it is: `call` tells it from all others of that client, and grows. */
const Input = Schema.Struct({ client: Schema.String, call: Schema.Int, operation: Operation })

const Output = Schema.Union(
  Schema.TaggedStruct("Appended", { version: Version }),
  Schema.TaggedStruct("Version", { version: Version }),
  Schema.TaggedStruct("WrongExpectedVersion", { actual: Version }),
  Schema.TaggedStruct("EventIdConflict", { eventId: Schema.String, version: Version }),
  Schema.TaggedStruct("Events", {
    events: Schema.Array(Schema.Struct({ ...Event.fields, version: Version })),
    isEnd: Schema.Boolean
  }),
  Schema.TaggedStruct("StreamNotFound", {})
)

/** Each client's newest request that was applied, and its answer. */
const Sessions = Schema.Record({ key: Schema.String, value: Schema.Struct({ call: Schema.Int, output: Output }) })

const State = Schema.Struct({
  streams: Schema.Record({ key: Schema.String, value: Schema.Array(Event) }),
  sessions: Sessions
})

type State = typeof State.Type
type Input = typeof Input.Type
type Append = Extract<StreamInput, { readonly _tag: "Append" }>

const isMet = (expected: Append["expected"], last: number): boolean =>
  expected === "any" ||
  (expected === "no_stream" && last === -1) ||
  (expected === "stream_exists" && last >= 0) ||
  expected === last

/**
 * The plainest machine that does what the model says. An append that comes again gets the answer that it got: to know it by the ids of its events would not
 * do, for one that was refused has left none, and might succeed the second time.
 */
const append = (state: State, input: Input, { events, expected, stream }: Append): readonly [State, StreamOutput] => {
  const session = state.sessions[input.client]
  if (session !== undefined && session.call >= input.call) return [state, session.output]
  const before = state.streams[stream] ?? []
  const last = before.length - 1
  const output: StreamOutput = isMet(expected, last)
    ? { _tag: "Appended", version: last + events.length }
    : { _tag: "WrongExpectedVersion", actual: last }
  return [
    {
      streams: output._tag === "Appended" ? { ...state.streams, [stream]: [...before, ...events] } : state.streams,
      sessions: { ...state.sessions, [input.client]: { call: input.call, output } }
    },
    output
  ]
}

const apply = (state: State, input: Input): readonly [State, StreamOutput] => {
  const { operation } = input
  const events = state.streams[operation.stream] ?? []
  switch (operation._tag) {
    case "Append":
      return append(state, input, operation)
    case "Read": {
      if (events.length === 0) return [state, { _tag: "StreamNotFound" }]
      const end = operation.from + operation.count
      const page = events.slice(operation.from, end).map((event, at) => ({ ...event, version: operation.from + at }))
      return [state, { _tag: "Events", events: page, isEnd: end >= events.length }]
    }
    case "Version":
      return [state, { _tag: "Version", version: events.length - 1 }]
  }
}

const names = ["a", "b", "c"]

/** As many events as no stream of a run has. */
const all = 10_000

/** The version that an answer tells of. */
const versionIn = (output: StreamOutput): number => {
  switch (output._tag) {
    case "Appended":
    case "Version":
      return output.version
    case "WrongExpectedVersion":
      return output.actual
    case "Events":
      return output.events.at(-1)?.version ?? -1
    case "EventIdConflict":
    case "StreamNotFound":
      return -1
  }
}

/** Mostly goes on with the stream of its last operation, whose version it knows: else no append that expects one would ever succeed. */
const drawOperation = (
  random: Random,
  call: number,
  last: Last<StreamInput, StreamOutput> | undefined
): StreamInput => {
  const drawn = random.pick(names) ?? "a"
  const known = last !== undefined && random.chance(0.6) ? last : undefined
  const stream = known?.input.stream ?? drawn
  const version = known === undefined ? -1 : versionIn(known.output)
  if (random.chance(0.45)) {
    const events = Array.from({ length: random.between(1, 2) }, (_, at) => ({
      id: `${call}.${at}`,
      content: `${call}`
    }))
    const exactly = version < 0 ? "no_stream" : version
    const expected = random.pick<Append["expected"]>(["any", "any", "stream_exists", exactly, exactly])
    return { _tag: "Append", stream, expected: expected ?? "any", events }
  }
  return random.chance(0.3)
    ? { _tag: "Version", stream }
    : { _tag: "Read", stream, from: Math.max(0, version - random.between(0, 3)), count: random.between(1, 8) }
}

/** The machine's own, and of the model only the operation. */
const model: Model<Input, StreamOutput, typeof stream.init> = {
  ...stream,
  key: ({ operation }) => stream.key(operation),
  apply: (state, { operation }) => stream.apply(state, operation),
  observes: ({ operation }, output) => stream.observes(operation, output),
  showInput: ({ operation }) => stream.showInput(operation)
}

/** Streams of events as a store keeps them, and clients that are known again. */
export const definition: Definition<
  State,
  Input,
  StreamOutput,
  typeof stream.init,
  typeof State.Encoded,
  typeof Input.Encoded,
  typeof Output.Encoded
> = {
  input: Input,
  output: Output,
  state: State,
  initial: { streams: {}, sessions: {} },
  apply,
  isRead: ({ operation }) => operation._tag !== "Append",
  draw: (random, { client, number }, last) => ({
    client,
    call: number,
    operation: drawOperation(random, number, last && { input: last.input.operation, output: last.output })
  }),
  closing: names.map(name => ({
    client: "everybody",
    call: 0,
    operation: { _tag: "Read", stream: name, from: 0, count: all }
  })),
  model
}
