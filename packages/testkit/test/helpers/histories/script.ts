/**
 * What callers do and what happens to them meanwhile, all of it drawn from a seed. Few streams, tags and events, so that callers get into each other's way.
 *
 * A step says what it is about in terms of what its caller has seen by then; {@link resolve} makes a request of it.
 */
import * as Query from "@reckon/client/Query"
import type { Expected, Fact, Input, Page } from "./model.js"

/** An expectation: a word, or the version that the caller saw last and so many more. */
type Expectation = "any" | "no_stream" | "stream_exists" | { readonly seen: number }

export type Step =
  | {
      readonly _tag: "Append"
      readonly parts: ReadonlyArray<{
        readonly stream: string
        readonly expected: Expectation
        readonly events: ReadonlyArray<Fact>
      }>
      /** With `seen`, behind the last position that the caller saw; else behind none. */
      readonly condition: { readonly query: Query.Query; readonly seen: boolean } | null
    }
  /** An append that somebody made before, counted back; as it was, with another body, or with an event more. */
  | { readonly _tag: "Repeat"; readonly back: number; readonly how: "same" | "other" | "more"; readonly fact: Fact }
  | { readonly _tag: "Delete"; readonly stream: string; readonly expected: Expectation; readonly tombstone: boolean }
  | {
      readonly _tag: "SaveSnapshot"
      readonly stream: string
      readonly ahead: number
      readonly body: number
      readonly keep: number | null
    }
  | Exclude<Input, { readonly _tag: "Append" | "Delete" | "SaveSnapshot" }>

export interface Timed<A> {
  /** Milliseconds since what came before. */
  readonly after: number
  readonly what: A
}

/** In the midst of what happens at that time: everybody else has had so many turns by then. */
export interface TimedFault extends Timed<Fault> {
  readonly turns: number
}

export type Fault =
  | { readonly _tag: "Kill" | "Restart" | "Isolate" | "Transfer"; readonly node: number }
  | { readonly _tag: "Cut"; readonly node: number; readonly other: number }
  | { readonly _tag: "Heal" }

/**
 * - `cluster`: three nodes, called through the codec by clients that go from one to the next;
 * - `single`: one node, called in its own process.
 */
export type Kind = "cluster" | "single"

/** Who follows a stream, or all events (null), from where, beginning after so many milliseconds. */
export interface Follower {
  readonly first: number
  readonly after: number
  readonly stream: string | null
  readonly from: number | "current"
}

export interface Script {
  readonly seed: number
  /** The node that each caller asks first, and what it does. */
  readonly callers: ReadonlyArray<{ readonly first: number; readonly steps: ReadonlyArray<Timed<Step>> }>
  readonly faults: ReadonlyArray<TimedFault>
  readonly followers: ReadonlyArray<Follower>
}

export const streams = ["a", "b", "c"] as const
const tags = ["x", "y"] as const
const types = ["Made", "Moved"] as const

// -----------------------------------------------------------------------------
// drawing
// -----------------------------------------------------------------------------

/** Mulberry32: the same numbers for the same seed, in whatever release. */
const drawing = (seed: number) => {
  let state = seed >>> 0
  const unit = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  /** From `from` to `to`, both included. */
  const between = (from: number, to: number): number => from + Math.floor(unit() * (to - from + 1))
  const chance = (probability: number): boolean => unit() < probability
  const pick = <A>(first: A, ...others: ReadonlyArray<A>): A => [first, ...others][between(0, others.length)] ?? first
  return { between, chance, pick, unit }
}

type Drawing = ReturnType<typeof drawing>

/** One of several, by weight. */
const weighed = <A>(draw: Drawing, ...choices: ReadonlyArray<readonly [weight: number, make: () => A]>): A => {
  const sum = choices.reduce((total, [weight]) => total + weight, 0)
  let left = draw.unit() * sum
  for (const [weight, make] of choices) {
    left -= weight
    if (left < 0) return make()
  }
  throw new Error("the weights do not add up")
}

const queryIn = (draw: Drawing): Query.Query =>
  draw.pick(
    Query.all,
    Query.anyTag(draw.pick(...tags)),
    Query.allTags(...tags),
    Query.eventTypes(draw.pick(...types)),
    Query.streams(draw.pick("a", "?", "b*")),
    Query.metadata("even", draw.chance(0.5)),
    Query.make({ types: [draw.pick(...types)], tags: [draw.pick(...tags)] }, { tags: ["y"], stream: "c" })
  )

const pageIn = (draw: Drawing): Page => {
  const direction = draw.pick("forward" as const, "backward" as const)
  return {
    direction,
    from: draw.chance(0.6) ? (direction === "forward" ? 0 : Number.MAX_SAFE_INTEGER) : draw.between(0, 6),
    count: draw.pick(1000, 1000, 1000, 2)
  }
}

const stepsIn = (draw: Drawing) => {
  let lastId = 0
  let lastBody = 0
  const fact = (): Fact => ({
    id: ++lastId,
    body: 0,
    type: draw.pick(...types),
    tags: draw.pick([], ["x"], ["y"], ["x", "y"])
  })
  const facts = () => Array.from({ length: draw.pick(1, 1, 2, 3) }, fact)
  const stream = () => draw.pick("a", "a", "b", "c")
  const expected = (): Expectation =>
    weighed<Expectation>(
      draw,
      [4, () => "any"],
      [4, () => ({ seen: 0 })],
      [1, () => ({ seen: draw.pick(-1, 1) })],
      [1, () => "no_stream"],
      [1, () => "stream_exists"]
    )
  const condition = () => ({ query: queryIn(draw), seen: draw.chance(0.7) })
  const version = () => (draw.chance(0.5) ? null : draw.between(0, 4))
  const asOf = () => (draw.chance(0.8) ? null : draw.between(-1, 8))

  return (): Step =>
    weighed<Step>(
      draw,
      [
        24,
        () => ({
          _tag: "Append",
          parts: [{ stream: stream(), expected: expected(), events: facts() }],
          condition: null
        })
      ],
      [
        8,
        () => ({
          _tag: "Append",
          parts: [{ stream: stream(), expected: expected(), events: facts() }],
          condition: condition()
        })
      ],
      [
        8,
        () => ({
          _tag: "Append",
          parts: streams
            .filter((_, at) => at < 2 || draw.chance(0.3))
            .map(stream => ({ stream, expected: draw.chance(0.5) ? ("any" as const) : expected(), events: facts() })),
          condition: draw.chance(0.2) ? condition() : null
        })
      ],
      [1, () => ({ _tag: "Append", parts: [{ stream: stream(), expected: expected(), events: [] }], condition: null })],
      [
        7,
        () => ({
          _tag: "Repeat",
          back: draw.between(0, 7),
          how: draw.pick("same", "same", "same", "other", "more"),
          fact: fact()
        })
      ],
      [5, () => ({ _tag: "Delete", stream: stream(), expected: expected(), tombstone: draw.chance(0.12) })],
      [
        3,
        () => ({
          _tag: "Limit",
          stream: stream(),
          maxCount: draw.chance(0.5) ? null : draw.between(1, 4),
          truncateBefore: draw.chance(0.5) ? null : draw.between(0, 4),
          young: draw.chance(0.4)
        })
      ],
      [
        6,
        () => ({
          _tag: "SaveSnapshot",
          stream: stream(),
          ahead: draw.pick(0, 0, 0, -1, 1),
          body: ++lastBody,
          keep: draw.pick(null, null, 1, 2)
        })
      ],
      [1, () => ({ _tag: "DeleteSnapshots", stream: stream(), version: version() })],
      [10, () => ({ _tag: "Read", stream: stream(), page: pageIn(draw) })],
      [9, () => ({ _tag: "ReadAll", page: pageIn(draw), asOf: asOf() })],
      [8, () => ({ _tag: "Query", query: queryIn(draw), page: pageIn(draw), asOf: asOf() })],
      [5, () => ({ _tag: "Version", stream: stream() })],
      [3, () => ({ _tag: "Details", stream: stream() })],
      [1, () => ({ _tag: "HasEvents" })],
      [2, () => ({ _tag: "Streams" })],
      [4, () => ({ _tag: "LoadSnapshot", stream: stream(), version: version() })],
      [1, () => ({ _tag: "Snapshots", stream: stream() })]
    )
}

const turnsIn = (draw: Drawing): number => (draw.chance(0.3) ? 0 : draw.between(1, 400))

const clusterFaults = (draw: Drawing): ReadonlyArray<TimedFault> => {
  const fault = (what: Fault, most = 80): TimedFault => ({ after: draw.between(1, most), turns: turnsIn(draw), what })
  return Array.from({ length: draw.pick(0, 1, 2, 3) }).flatMap(() => {
    const node = draw.between(0, 2)
    return weighed<ReadonlyArray<TimedFault>>(
      draw,
      [4, () => [fault({ _tag: "Kill", node }), fault({ _tag: "Restart", node }, 2500)]],
      [5, () => [fault({ _tag: "Isolate", node }), fault({ _tag: "Heal" }, 4000)]],
      // Which leaves no majority: whoever cannot wait for one to be back is told so.
      [
        2,
        () => [
          fault({ _tag: "Kill", node }),
          fault({ _tag: "Kill", node: (node + 1) % 3 }),
          fault({ _tag: "Restart", node }, 8000),
          fault({ _tag: "Restart", node: (node + 1) % 3 })
        ]
      ],
      [1, () => [fault({ _tag: "Cut", node, other: (node + 1) % 3 })]],
      [2, () => [fault({ _tag: "Transfer", node })]]
    )
  })
}

const singleFaults = (draw: Drawing): ReadonlyArray<TimedFault> =>
  Array.from({ length: draw.pick(0, 1, 2, 3) }).flatMap(
    (): ReadonlyArray<TimedFault> => [
      { after: draw.between(0, 100), turns: turnsIn(draw), what: { _tag: "Kill", node: 0 } },
      { after: draw.between(0, 300), turns: 0, what: { _tag: "Restart", node: 0 } }
    ]
  )

const followersIn = (draw: Drawing, isCluster: boolean): ReadonlyArray<Follower> =>
  Array.from({ length: draw.pick(0, 1, 1, 2) }, () => ({
    first: isCluster ? draw.between(0, 2) : 0,
    after: draw.chance(0.4) ? 0 : draw.between(1, 120),
    stream: draw.pick(null, null, "a", "b"),
    from: draw.chance(0.6) ? 0 : draw.pick<number | "current">("current", draw.between(1, 6))
  }))

/** Of about 30 steps by 3 to 5 callers. */
export const draw = (seed: number, kind: Kind): Script => {
  const draw = drawing(seed)
  const step = stepsIn(draw)
  const count = draw.between(3, 5)
  const isCluster = kind === "cluster"
  // Together, or a little apart: what happens at the same time is what is asked about.
  const pause = () => (draw.chance(0.7) ? 0 : draw.between(1, 60))
  return {
    seed,
    callers: Array.from({ length: count }, () => ({
      first: isCluster ? draw.between(0, 2) : 0,
      steps: Array.from({ length: Math.round(30 / count) }, () => ({ after: pause(), what: step() }))
    })),
    faults: isCluster ? clusterFaults(draw) : singleFaults(draw),
    followers: followersIn(draw, isCluster)
  }
}

// -----------------------------------------------------------------------------
// resolving
// -----------------------------------------------------------------------------

/** What a caller knows. */
export interface Seen {
  /** The version of each stream, as it was told last. */
  readonly versions: Map<string, number>
  position: number
}

/** `made`: the appends of all callers so far, the newest last. Null where there is none to repeat. */
export const resolve = (
  step: Step,
  seen: Seen,
  made: ReadonlyArray<Extract<Input, { _tag: "Append" }>>
): Input | null => {
  const version = (stream: string): number => seen.versions.get(stream) ?? -1
  const expectedOf = (stream: string, expected: Expectation): Expected => {
    if (typeof expected === "string") return expected
    const wanted = version(stream) + expected.seen
    return wanted < 0 ? "no_stream" : wanted
  }
  switch (step._tag) {
    case "Append":
      return {
        _tag: "Append",
        parts: step.parts.map(part => ({ ...part, expected: expectedOf(part.stream, part.expected) })),
        condition:
          step.condition === null
            ? null
            : { query: step.condition.query, after: step.condition.seen ? seen.position : -1 }
      }
    case "Repeat": {
      const before = made[made.length - 1 - (step.back % Math.max(1, made.length))]
      const [first, ...others] = before?.parts ?? []
      if (before === undefined || first === undefined) return null
      const events =
        step.how === "same"
          ? first.events
          : step.how === "more"
            ? [...first.events, step.fact]
            : first.events.map(fact => ({ ...fact, body: fact.body + 1 }))
      return { ...before, parts: [{ ...first, events }, ...others] }
    }
    case "Delete":
      return { ...step, expected: expectedOf(step.stream, step.expected) }
    case "SaveSnapshot": {
      const { ahead, body, keep, stream } = step
      return { _tag: "SaveSnapshot", stream, version: Math.max(0, version(stream) + ahead), body, keep }
    }
    default:
      return step
  }
}
