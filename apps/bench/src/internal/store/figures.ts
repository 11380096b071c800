/** What is measured of a store, in the process that asks it. Each answer is looked at: a page that lacks events would be a quick one. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { quantile } from "../table.js"
import { type Adapter, type Reads, SubjectFailed } from "./adapter.js"
import { closedLoop, type Measured } from "./loop.js"
import {
  chunkEvents,
  depthPosition,
  makeAppend,
  type Plan,
  pageEvents,
  passAppends,
  streamName,
  tagName,
  typeName
} from "./workload.js"

const loadRequestAppends = 200
const loadInFlight = 4
const snapshotStreams = 100
const snapshotBytes = 1000

/** Above the streams of the plan: a long one, and short ones, one for each time that they are compared. */
const longStream = (plan: Plan) => plan.streams
const shortStream = (plan: Plan, round: number) => plan.streams + 1 + round
export const lengths = { short: 100, long: 20_000 }
const lengthAppends = 200
const tailStream = (plan: Plan, at: number) => plan.streams + 100 + at
const tailAppends = 1000

// -----------------------------------------------------------------------------
// loading
// -----------------------------------------------------------------------------

/** Passes `from` to `to`, the last one not included. Events a second. */
export const load = (adapter: Adapter, plan: Plan, from: number, to: number): Effect.Effect<number, SubjectFailed> =>
  Effect.gen(function* () {
    const began = yield* Clock.currentTimeMillis
    for (let pass = from; pass < to; pass++) {
      // Nothing of the next pass leaves before this one is there: its appends name the versions that this one makes.
      yield* Effect.forEach(
        passAppends(plan, pass, loadRequestAppends),
        appends => Effect.suspend(() => adapter.load(appends())),
        { concurrency: loadInFlight, discard: true }
      )
    }
    const seconds = ((yield* Clock.currentTimeMillis) - began) / 1000
    return ((to - from) * plan.streams * chunkEvents) / seconds
  })

const loadStream = (adapter: Adapter, stream: number, events: number) =>
  Effect.forEach(
    Array.from({ length: Math.ceil(events / pageEvents) }, (_, at) => at * pageEvents - 1),
    version => adapter.load([makeAppend(stream, version, pageEvents)]),
    { discard: true }
  )

/** Appends one after another to a stream of their own: what a crash leaves behind that no checkpoint knows of. `at` is another one each time. */
export const tail = (adapter: Adapter, plan: Plan, at: number): Effect.Effect<void, SubjectFailed> =>
  Effect.forEach(
    Array.from({ length: tailAppends }, (_, version) => version - 1),
    version => adapter.append(makeAppend(tailStream(plan, at), version, 1)),
    { discard: true }
  )

/** What the figures need besides the streams of the plan. */
export const prepare = (adapter: Adapter, plan: Plan, rounds: number): Effect.Effect<void, SubjectFailed> =>
  Effect.gen(function* () {
    yield* loadStream(adapter, longStream(plan), lengths.long)
    for (let round = 0; round < rounds; round++) yield* loadStream(adapter, shortStream(plan, round), lengths.short)
    const { snapshots } = adapter.reads
    if (snapshots === undefined) return
    const data = new Uint8Array(snapshotBytes).fill(7)
    for (let stream = 0; stream < Math.min(plan.streams, snapshotStreams); stream++) {
      for (const version of [10, 50, 90]) yield* snapshots.save(streamName(stream), version, data)
    }
  })

// -----------------------------------------------------------------------------
// appends
// -----------------------------------------------------------------------------

const startVersions = (adapter: Adapter, plan: Plan) =>
  Effect.map(adapter.versions, versions =>
    Array.from({ length: plan.streams + 1 }, (_, at) => versions.get(streamName(at)) ?? -1)
  )

export interface Appending {
  readonly measure: (callers: number, batch: number, millis: number) => Effect.Effect<Measured, SubjectFailed>
  readonly compareLengths: (round: number) => Effect.Effect<Lengths, SubjectFailed>
}

/** Milliseconds of one append, half of all taking less. */
export const Lengths = Schema.Struct({ shortMillis: Schema.Number, longMillis: Schema.Number })

export interface Lengths extends Schema.Schema.Type<typeof Lengths> {}

/** Appends as an application makes them: each to the version that its stream is at. Callers share no streams, so that none of them has to fail. */
export const appending = (adapter: Adapter, plan: Plan): Effect.Effect<Appending, SubjectFailed> =>
  Effect.map(startVersions(adapter, plan), versions => {
    const append = (stream: number, batch: number) =>
      Effect.suspend(() => {
        const version = versions[stream] ?? -1
        return Effect.map(adapter.append(makeAppend(stream, version, batch)), () => {
          versions[stream] = version + batch
        })
      })

    const timed = <A, E>(effect: Effect.Effect<A, E>) =>
      Effect.gen(function* () {
        const began = yield* Clock.currentTimeNanos
        yield* effect
        return Number((yield* Clock.currentTimeNanos) - began) / 1e6
      })

    return {
      measure: (callers, batch, millis) => {
        const own = Math.floor(plan.streams / callers)
        return closedLoop({
          callers,
          measuredMillis: millis,
          operation: (caller, round) => append(caller * own + (round % own), batch)
        })
      },
      compareLengths: round =>
        Effect.gen(function* () {
          const [short, long]: [Array<number>, Array<number>] = [[], []]
          versions[shortStream(plan, round)] = lengths.short - 1
          for (let turn = 0; turn < lengthAppends; turn++) {
            short.push(yield* timed(append(shortStream(plan, round), 1)))
            long.push(yield* timed(append(longStream(plan), 1)))
          }
          return { shortMillis: quantile(short, 0.5), longMillis: quantile(long, 0.5) }
        })
    }
  })

// -----------------------------------------------------------------------------
// reads
// -----------------------------------------------------------------------------

export const depths = [0, 0.01, 0.5, 0.99]

/** As in the titles of tables: the first page, or one so deep. */
export const depthTitle = (depth: number): string => (depth === 0 ? "first page" : `page at ${depth * 100} %`)

interface ReadFigure {
  readonly title: string
  /** Whether it answers one value: then what is measured is the way to the store and back. */
  readonly single: boolean
  /** The read of this round, its answer and the least and most that it may be; `null` where the store has no such read. */
  readonly make: (
    reads: Reads,
    plan: Plan
  ) => Effect.Effect<((round: number) => Effect.Effect<number, SubjectFailed>) | null, SubjectFailed>
  readonly least: number
  readonly most: number
}

const full = { single: false, least: pageEvents, most: pageEvents }

/** Far from the stream before, as reads of an application are. */
const streamOf = (plan: Plan, round: number): string => streamName((round * 7919) % plan.streams)

/** A page that begins somewhere near a depth: always the same one would be a page from the cache. */
const near = (plan: Plan, depth: number, round: number): number =>
  depthPosition(plan, depth) + (depth === 0 ? 0 : (round * 31) % pageEvents)

const pages = (
  title: string,
  pick: (reads: Reads) => ((round: number, from: number) => Effect.Effect<number, SubjectFailed>) | undefined
): ReadonlyArray<ReadFigure> =>
  depths.map(depth => ({
    title: `${title}, ${depthTitle(depth)}`,
    ...full,
    make: (reads, plan) =>
      Effect.sync(() => {
        const read = pick(reads)
        return read === undefined ? null : round => read(round, near(plan, depth, round))
      })
  }))

/** Of the time when half of the events were there. */
const halfTime = ({ time }: Reads, plan: Plan) =>
  time === undefined
    ? Effect.succeed(null)
    : Effect.map(time.at(Math.floor(plan.events / 2)), epochUs => ({ time, epochUs }))

export const readFigures: ReadonlyArray<ReadFigure> = [
  {
    title: "100 of a stream",
    ...full,
    make: (reads, plan) => Effect.sync(() => round => reads.stream(streamOf(plan, round), pageEvents))
  },
  ...pages("all events", ({ all }) => all && ((_, from) => all(from, pageEvents))),
  ...pages("by tag", ({ tagged }) => tagged && ((round, from) => tagged(tagName(round), from, pageEvents))),
  ...pages("by type", ({ typed }) => typed && ((round, from) => typed(typeName(round), from, pageEvents))),
  {
    title: "all events as of a position",
    ...full,
    make: ({ asOf }, plan) =>
      Effect.sync(() =>
        asOf === undefined
          ? null
          : round => asOf(Math.floor(plan.events / 2), Math.floor(plan.events / 4) + (round % pageEvents), pageEvents)
      )
  },
  {
    title: "version of a stream at a time",
    single: true,
    least: 0,
    most: Number.POSITIVE_INFINITY,
    make: (reads, plan) =>
      Effect.map(halfTime(reads, plan), half =>
        half === null ? null : round => half.time.versionAt(streamOf(plan, round), half.epochUs)
      )
  },
  {
    title: "a stream until a time",
    single: false,
    least: 1,
    most: Number.POSITIVE_INFINITY,
    make: (reads, plan) =>
      Effect.map(halfTime(reads, plan), half =>
        half === null ? null : round => half.time.until(streamOf(plan, round), half.epochUs)
      )
  },
  {
    title: "latest snapshot",
    single: true,
    least: 90,
    most: 90,
    make: ({ snapshots }, plan) =>
      Effect.sync(() =>
        snapshots === undefined
          ? null
          : round => snapshots.latest(streamName(round % Math.min(plan.streams, snapshotStreams)))
      )
  }
]

/** `null` where the store has no such read. */
export const measureRead = (
  adapter: Adapter,
  plan: Plan,
  title: string,
  callers: number,
  millis: number
): Effect.Effect<Measured | null, SubjectFailed> =>
  Effect.gen(function* () {
    const figure = readFigures.find(figure => figure.title === title)
    if (figure === undefined) return yield* new SubjectFailed({ what: `no figure is called "${title}"` })
    const read = yield* figure.make(adapter.reads, plan)
    if (read === null) return null
    const check = (answer: number) =>
      answer >= figure.least && answer <= figure.most
        ? Effect.void
        : new SubjectFailed({ what: `${title} answered ${answer}` })
    return yield* closedLoop({
      callers,
      measuredMillis: millis,
      operation: (caller, round) => Effect.flatMap(read(caller * 104_729 + round), check)
    })
  })
