/**
 * The store as one machine that does one thing after the other: plain values without any index, that are never changed, so that a search can go back to what was. It says what the contract says, and of
 * each answer only what does not depend on the clock.
 */
import * as Query from "@reckon/client/Query"
import type { Model } from "@reckon/raft/Linearizability"

// -----------------------------------------------------------------------------
// what is asked and answered
// -----------------------------------------------------------------------------

export type Expected = "any" | "no_stream" | "stream_exists" | number

/** An event by its number; `body` tells apart two that claim the same number. */
export interface Fact {
  readonly id: number
  readonly body: number
  readonly type: string
  readonly tags: ReadonlyArray<string>
}

export interface Part {
  readonly stream: string
  readonly expected: Expected
  readonly events: ReadonlyArray<Fact>
}

export interface Page {
  readonly from: number
  readonly count: number
  readonly direction: "forward" | "backward"
}

export type Input =
  | {
      readonly _tag: "Append"
      readonly parts: ReadonlyArray<Part>
      readonly condition: { readonly query: Query.Query; readonly after: number } | null
    }
  | { readonly _tag: "Delete"; readonly stream: string; readonly expected: Expected; readonly tombstone: boolean }
  | {
      readonly _tag: "Limit"
      readonly stream: string
      readonly maxCount: number | null
      readonly truncateBefore: number | null
      /** Whether it is to keep only what is young, see `Age`. */
      readonly young: boolean
    }
  | {
      readonly _tag: "SaveSnapshot"
      readonly stream: string
      readonly version: number
      readonly body: number
      readonly keep: number | null
    }
  | { readonly _tag: "DeleteSnapshots"; readonly stream: string; readonly version: number | null }
  | { readonly _tag: "Read"; readonly stream: string; readonly page: Page }
  | { readonly _tag: "ReadAll"; readonly page: Page; readonly asOf: number | null }
  | { readonly _tag: "Query"; readonly query: Query.Query; readonly page: Page; readonly asOf: number | null }
  | { readonly _tag: "Version"; readonly stream: string }
  | { readonly _tag: "Details"; readonly stream: string }
  | { readonly _tag: "HasEvents" }
  | { readonly _tag: "Streams" }
  | { readonly _tag: "LoadSnapshot"; readonly stream: string; readonly version: number | null }
  | { readonly _tag: "Snapshots"; readonly stream: string }
  /** So much time passes that nothing is young any more. */
  | { readonly _tag: "Age" }

type Of<Tag extends Input["_tag"]> = Extract<Input, { readonly _tag: Tag }>

/** An answer as text, with what of it a repetition on the way may change set apart: how many events were there already, of how many. */
export interface Output {
  readonly text: string
  readonly changes: boolean
  readonly present?: number | undefined
  readonly given?: number | undefined
}

export const observed = (text: string): Output => ({ text, changes: false })
export const refused = (tag: string, ...numbers: ReadonlyArray<string | number | null>): Output => ({
  text: [tag, ...numbers].join(" "),
  changes: false
})
export const done: Output = { text: "done", changes: true }

export interface Placed {
  readonly stream: string
  readonly version: number
  readonly position: number
}

export const appended = (places: ReadonlyArray<Placed>, present: number, given: number): Output => ({
  text: `appended ${places.map(({ position, stream, version }) => `${stream}/${version}#${position}`).join(" ")}`,
  changes: true,
  present,
  given
})

export interface Stored extends Fact, Placed {}

export const pageOf = (events: ReadonlyArray<Stored>, isEnd: boolean): Output =>
  observed(
    `${events.map(({ body, id, position, stream, version }) => `e${id}.${body}@${stream}/${version}#${position}`).join(" ")}${isEnd ? " end" : " …"}`
  )

// -----------------------------------------------------------------------------
// the state
// -----------------------------------------------------------------------------

interface Stream {
  /** Everything it ever had, by version. */
  readonly events: ReadonlyArray<Stored>
  /** The oldest version that it keeps. */
  readonly first: number
  readonly state: "active" | "deleted" | "tombstoned"
  /** How many events it had when it was last created. */
  readonly born: number
  readonly maxCount: number | null
  readonly truncateBefore: number | null
  readonly young: boolean
  /** How many of its events are not young. */
  readonly old: number
  /** Version and body. */
  readonly snapshots: ReadonlyMap<number, number>
}

export interface State {
  readonly streams: ReadonlyMap<string, Stream>
  /** How many events were written, ever. */
  readonly count: number
}

const unborn: Stream = {
  events: [],
  first: 0,
  state: "active",
  born: 0,
  maxCount: null,
  truncateBefore: null,
  young: false,
  old: 0,
  snapshots: new Map()
}

const prints = new WeakMap<State, string>()

const print = (state: State): string => {
  const known = prints.get(state)
  if (known !== undefined) return known
  const streams = [...state.streams].sort(([a], [b]) => (a < b ? -1 : 1))
  const text = JSON.stringify(
    streams.map(([name, { events, snapshots, ...rest }]) => [
      name,
      events.map(({ body, id, position }) => [id, body, position]),
      [...snapshots].sort(([a], [b]) => a - b),
      rest
    ])
  )
  prints.set(state, text)
  return text
}

const exists = (stream: Stream): boolean => stream.state === "active" && stream.events.length > stream.born
const versionOf = (stream: Stream): number => (exists(stream) ? stream.events.length - 1 : -1)
/** The first version that it shows. */
const firstShown = ({ first, old, young }: Stream): number => (young ? Math.max(first, old) : first)
const kept = (stream: Stream): ReadonlyArray<Stored> => stream.events.slice(firstShown(stream))

const isMet = (expected: Expected, version: number): boolean =>
  expected === "any" ||
  (expected === "no_stream" ? version < 0 : expected === "stream_exists" ? version >= 0 : version === expected)

const absence = (stream: Stream, name: string): Output | null => {
  if (stream.state === "deleted") return refused("StreamDeleted", name)
  if (stream.state === "tombstoned") return refused("StreamTombstoned", name)
  return exists(stream) ? null : refused("StreamNotFound", name)
}

const withLimits = (stream: Stream): Stream => ({
  ...stream,
  first: Math.max(
    stream.first,
    stream.truncateBefore ?? 0,
    stream.maxCount === null ? 0 : stream.events.length - stream.maxCount
  )
})

// -----------------------------------------------------------------------------
// what each thing does
// -----------------------------------------------------------------------------

type Step = readonly [State, Output]

const streamIn = ({ streams }: State, name: string): Stream => streams.get(name) ?? unborn

const put = (state: State, name: string, stream: Stream): State => ({
  ...state,
  streams: new Map(state.streams).set(name, stream)
})

const visible = (state: State): ReadonlyArray<Stored> =>
  [...state.streams.values()].flatMap(kept).sort((a, b) => a.position - b.position)

const sameFact = (one: Fact, other: Fact): boolean =>
  one.body === other.body && one.type === other.type && one.tags.join() === other.tags.join()

const append = (state: State, { condition, parts }: Of<"Append">): Step => {
  const fresh = new Map<string, Array<Fact>>()
  for (const { events, stream } of parts) {
    const own: Array<Fact> = [...streamIn(state, stream).events]
    const news: Array<Fact> = []
    for (const event of events) {
      const version = own.findIndex(({ id }) => id === event.id)
      const twin = own[version]
      if (twin === undefined) {
        own.push(event)
        news.push(event)
      } else if (!sameFact(twin, event)) {
        return [state, refused("EventIdConflict", stream, event.id, version)]
      }
    }
    fresh.set(stream, news)
  }
  const given = parts.reduce((sum, { events }) => sum + events.length, 0)
  const added = [...fresh.values()].reduce((sum, news) => sum + news.length, 0)
  if (given === 0 || added > 0) {
    for (const { expected, stream } of parts) {
      const found = streamIn(state, stream)
      if (found.state === "tombstoned") return [state, refused("StreamTombstoned", stream)]
      const actual = versionOf(found)
      if (!isMet(expected, actual)) return [state, refused("WrongExpectedVersion", stream, expected, actual)]
    }
    if (condition !== null) {
      const matches = matcherOf(condition.query)
      const breach = visible(state).find(event => event.position > condition.after && matches(event))
      if (breach !== undefined) return [state, refused("AppendConditionFailed", condition.after, breach.position)]
    }
  }
  let after = state
  for (const [name, news] of fresh) {
    if (news.length === 0) continue
    const before = streamIn(after, name)
    const events = [...before.events]
    for (const [at, event] of news.entries()) {
      events.push({ ...event, stream: name, version: events.length, position: after.count + at })
    }
    const born = before.state === "deleted" ? before.events.length : before.born
    after = put(
      { ...after, count: after.count + news.length },
      name,
      withLimits({ ...before, events, born, state: "active" })
    )
  }
  const places = parts.map(({ events, stream }): Placed => {
    const found = streamIn(after, stream)
    const last = events.at(-1)
    const place =
      last === undefined
        ? exists(found)
          ? found.events.at(-1)
          : undefined
        : found.events.find(({ id }) => id === last.id)
    return { stream, version: place?.version ?? -1, position: place?.position ?? -1 }
  })
  return [after, appended(places, given - added, given)]
}

const remove = (state: State, { expected, stream: name, tombstone }: Of<"Delete">): Step => {
  const stream = streamIn(state, name)
  if (stream.state === "tombstoned" && !tombstone) return [state, refused("StreamTombstoned", name)]
  const last = stream.events.length - 1
  if (!isMet(expected, last)) return [state, refused("WrongExpectedVersion", name, expected, last)]
  if (!tombstone && !exists(stream)) return [state, done]
  const gone = {
    ...stream,
    state: tombstone ? ("tombstoned" as const) : ("deleted" as const),
    first: stream.events.length,
    truncateBefore: null,
    snapshots: new Map()
  }
  return [put(state, name, gone), done]
}

const limit = (state: State, { maxCount, stream: name, truncateBefore, young }: Of<"Limit">): Step => {
  const stream = streamIn(state, name)
  if (stream.state === "tombstoned") return [state, refused("StreamTombstoned", name)]
  const reached = truncateBefore === null ? null : Math.min(truncateBefore, stream.events.length)
  // What was hidden stays hidden.
  const first = firstShown(stream)
  return [put(state, name, withLimits({ ...stream, first, maxCount, truncateBefore: reached, young })), done]
}

const age = (state: State): Step => {
  const streams = [...state.streams].map(([name, stream]) => [name, { ...stream, old: stream.events.length }] as const)
  return [{ ...state, streams: new Map(streams) }, done]
}

const saveSnapshot = (state: State, { body, keep, stream: name, version }: Of<"SaveSnapshot">): Step => {
  const stream = streamIn(state, name)
  const absent = absence(stream, name)
  if (absent !== null) return [state, absent]
  const most = stream.events.length - 1
  if (version < stream.born || version > most) {
    return [state, refused("SnapshotOutOfRange", name, version, stream.born, most)]
  }
  const saved = [...new Map(stream.snapshots).set(version, body)].sort(([a], [b]) => a - b)
  const snapshots = new Map(keep === null ? saved : saved.slice(-keep))
  return [put(state, name, { ...stream, snapshots }), done]
}

const deleteSnapshots = (state: State, { stream: name, version }: Of<"DeleteSnapshots">): Step => {
  const stream = streamIn(state, name)
  const snapshots = new Map(version === null ? [] : [...stream.snapshots].filter(([saved]) => saved !== version))
  return [snapshots.size === stream.snapshots.size ? state : put(state, name, { ...stream, snapshots }), done]
}

// -----------------------------------------------------------------------------
// reads
// -----------------------------------------------------------------------------

/** What the metadata of an event says. */
export const isEven = ({ id }: Fact): boolean => id % 2 === 0

const encoder = new TextEncoder()

const matcherOf = (query: Query.Query): ((event: Stored) => boolean) => {
  const matches = Query.matcher(query)
  return event =>
    matches({
      eventType: event.type,
      tags: event.tags,
      streamId: event.stream,
      metadata: encoder.encode(JSON.stringify({ even: isEven(event) })),
      metadataContentType: "application/json"
    })
}

const paged = (
  events: ReadonlyArray<Stored>,
  { count, direction, from }: Page,
  placeOf: (event: Stored) => number
): Output => {
  const ahead =
    direction === "forward"
      ? events.filter(event => placeOf(event) >= from)
      : events.filter(event => placeOf(event) <= from).reverse()
  return pageOf(ahead.slice(0, count), ahead.length <= count)
}

const upTo = (asOf: number | null) => (event: Stored) => asOf === null || event.position <= asOf

const observe = (state: State, input: Input): Output => {
  switch (input._tag) {
    case "Read": {
      const stream = streamIn(state, input.stream)
      return absence(stream, input.stream) ?? paged(kept(stream), input.page, ({ version }) => version)
    }
    case "ReadAll":
      return paged(visible(state).filter(upTo(input.asOf)), input.page, ({ position }) => position)
    case "Query": {
      const found = visible(state).filter(upTo(input.asOf)).filter(matcherOf(input.query))
      return paged(found, input.page, ({ position }) => position)
    }
    case "Version":
      return observed(`version ${versionOf(streamIn(state, input.stream))}`)
    case "Details": {
      const stream = state.streams.get(input.stream)
      if (stream === undefined) return refused("StreamNotFound", input.stream)
      const { events, first, maxCount, state: now, truncateBefore, young } = stream
      return details(now, first, events.length - 1, events.length - first, maxCount, truncateBefore, young)
    }
    case "HasEvents":
      return observed(`hasEvents ${visible(state).length > 0}`)
    case "Streams":
      return listed(
        [...state.streams]
          .filter(([, stream]) => exists(stream))
          .map(([streamId, stream]) => ({ streamId, version: versionOf(stream) }))
          .sort((a, b) => (a.streamId < b.streamId ? -1 : 1))
      )
    case "LoadSnapshot": {
      const { snapshots } = streamIn(state, input.stream)
      const version = input.version ?? Math.max(-1, ...snapshots.keys())
      const body = snapshots.get(version)
      return body === undefined
        ? refused("SnapshotNotFound", input.stream, input.version)
        : observed(`snapshot ${version} ${body}`)
    }
    case "Snapshots":
      return observed(
        `snapshots ${[...streamIn(state, input.stream).snapshots.keys()].sort((a, b) => a - b).join(" ")}`
      )
    default:
      throw new Error(`${input._tag} is no read`)
  }
}

export const details = (
  state: string,
  first: number,
  last: number,
  count: number,
  maxCount: number | null,
  truncateBefore: number | null,
  young: boolean
): Output =>
  observed(`${state} ${first}–${last} (${count}) keeps ${maxCount} from ${truncateBefore}${young ? ", if young" : ""}`)

export const listed = (streams: ReadonlyArray<{ readonly streamId: string; readonly version: number }>): Output =>
  observed(`streams ${streams.map(({ streamId, version }) => `${streamId}/${version}`).join(" ")}`)

// -----------------------------------------------------------------------------
// the machine
// -----------------------------------------------------------------------------

const apply = (state: State, input: Input): Step => {
  switch (input._tag) {
    case "Append":
      return append(state, input)
    case "Delete":
      return remove(state, input)
    case "Limit":
      return limit(state, input)
    case "SaveSnapshot":
      return saveSnapshot(state, input)
    case "DeleteSnapshots":
      return deleteSnapshots(state, input)
    case "Age":
      return age(state)
    default:
      return [state, observe(state, input)]
  }
}

/** A repetition on the way finds all that the first attempt wrote. */
const canBeBoth = (one: Output, other: Output): boolean =>
  one.present === other.present || one.present === one.given || other.present === other.given

export const model: Model<Input, Output, State> = {
  key: () => "store",
  init: { streams: new Map(), count: 0 },
  apply,
  observes: (_, { changes }) => !changes,
  sameState: (one, other) => one === other || print(one) === print(other),
  sameOutput: (one, other) => one.text === other.text && canBeBoth(one, other),
  showInput: input => show(input),
  showOutput: ({ given, present, text }) => (present === undefined ? text : `${text} (${present} of ${given} there)`)
}

const showPage = ({ count, direction, from }: Page): string =>
  `${count} from ${from === Number.MAX_SAFE_INTEGER ? "the end" : from}${direction === "forward" ? "" : " back"}`

const showQuery = ({ items }: Query.Query): string =>
  items
    .map(({ metadata, stream, tags, types }) =>
      [
        ...types,
        ...tags,
        ...metadata.map(({ field, value }) => `${field}=${value}`),
        ...(stream === null ? [] : [stream])
      ].join("&")
    )
    .join("|")

export const show = (input: Input): string => {
  switch (input._tag) {
    case "Append": {
      const parts = input.parts.map(
        ({ events, expected, stream }) =>
          `${stream} if ${expected}: ${events.map(({ body, id }) => `e${id}.${body}`).join(",")}`
      )
      const { condition } = input
      return `append ${parts.join(" + ")}${condition === null ? "" : ` unless ${showQuery(condition.query)} behind ${condition.after}`}`
    }
    case "Delete":
      return `${input.tombstone ? "tombstone" : "delete"} ${input.stream} if ${input.expected}`
    case "Limit":
      return `limit ${input.stream} to ${input.maxCount} from ${input.truncateBefore}${input.young ? ", if young" : ""}`
    case "SaveSnapshot":
      return `save snapshot ${input.stream}/${input.version} ${input.body} keep ${input.keep}`
    case "DeleteSnapshots":
    case "LoadSnapshot":
      return `${input._tag === "LoadSnapshot" ? "load" : "delete"} snapshot ${input.stream}/${input.version ?? "*"}`
    case "Read":
      return `read ${input.stream} ${showPage(input.page)}`
    case "ReadAll":
      return `read all ${showPage(input.page)}${input.asOf === null ? "" : ` as of ${input.asOf}`}`
    case "Query":
      return `query ${showQuery(input.query)} ${showPage(input.page)}${input.asOf === null ? "" : ` as of ${input.asOf}`}`
    case "Version":
    case "Details":
    case "Snapshots":
      return `${input._tag} ${input.stream}`
    case "HasEvents":
    case "Streams":
    case "Age":
      return input._tag
  }
}
