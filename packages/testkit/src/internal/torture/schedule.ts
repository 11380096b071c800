/**
 * What is done to the cluster and when: all of it follows from the seed.
 */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"

/** A node by its number, or whoever leads when the time has come. */
export type Target = number | "leader"

export type Fault =
  /** `kill -9`, and a start after `millis`. */
  | { readonly _tag: "Kill"; readonly targets: ReadonlyArray<Target>; readonly millis: number }
  /** SIGSTOP, and SIGCONT after `millis`. */
  | { readonly _tag: "Pause"; readonly targets: ReadonlyArray<Target>; readonly millis: number }
  /**
   * Nothing passes between the node and the peers so many places behind it: from it, to it or both. `heal` says what becomes of what was under way: it comes
   * late, as if the network had held it, or its connection is reset.
   */
  | {
      readonly _tag: "Cut"
      readonly target: Target
      readonly offsets: ReadonlyArray<number>
      readonly way: "from" | "to" | "both"
      readonly heal: "late" | "reset"
      readonly millis: number
    }
  /** The disk of the one node that has a small one takes `slackBytes` more and then nothing. */
  | { readonly _tag: "FullDisk"; readonly slackBytes: number; readonly millis: number }
  /** Every node ends at once, and starts again after `millis`. */
  | { readonly _tag: "RestartAll"; readonly signal: "SIGKILL" | "SIGTERM"; readonly millis: number }

export interface Step {
  readonly atMillis: number
  readonly fault: Fault
}

/** The shortest election time-out of a node. */
const electionMillis = 1_000

const kinds = [
  "kill leader",
  "kill one",
  "kill most",
  "pause leader",
  "pause one",
  "pause most",
  "cut from",
  "cut to",
  "cut both",
  "isolate",
  "full disk",
  "restart all"
] as const

type Kind = (typeof kinds)[number]

/** Under which name a fault is counted. */
export const kindOf = (fault: Fault): string => {
  const whom = (targets: ReadonlyArray<Target>) =>
    targets.length > 1 ? "a majority" : targets[0] === "leader" ? "the leader" : "one node"
  switch (fault._tag) {
    case "Kill":
      return `kill ${whom(fault.targets)}`
    case "Pause":
      return `pause ${whom(fault.targets)}`
    case "Cut":
      return `cut ${fault.way === "both" ? "both ways" : "one way"}`
    case "FullDisk":
      return "full disk"
    case "RestartAll":
      return "restart all"
  }
}

export const show = (fault: Fault): string => {
  const { _tag, millis, ...details } = fault
  return `${Object.entries(details)
    .map(([name, value]) => `${name} ${value}`)
    .join(", ")}, for ${millis} ms`
}

const between = (least: number, most: number) => Random.nextIntBetween(least, most + 1)

/** So many different nodes. */
const draw = (count: number, nodes: number) =>
  Effect.map(Random.shuffle(Array.from({ length: nodes }, (_, at) => at)), shuffled => [...shuffled].slice(0, count))

/** A fault of this kind, its details left to chance. */
const make = (kind: Kind, nodes: number): Effect.Effect<Fault> =>
  Effect.gen(function* () {
    const majority = Math.floor(nodes / 2) + 1
    switch (kind) {
      case "kill leader":
        return { _tag: "Kill", targets: ["leader"], millis: yield* between(0, 5_000) }
      case "kill one":
        return { _tag: "Kill", targets: yield* draw(1, nodes), millis: yield* between(0, 5_000) }
      case "kill most":
        return { _tag: "Kill", targets: yield* draw(majority, nodes), millis: yield* between(0, 5_000) }
      case "pause leader":
        return { _tag: "Pause", targets: ["leader"], millis: electionMillis * (yield* between(1, 6)) }
      case "pause one":
        return { _tag: "Pause", targets: yield* draw(1, nodes), millis: electionMillis * (yield* between(1, 6)) }
      case "pause most":
        return { _tag: "Pause", targets: yield* draw(majority, nodes), millis: electionMillis * (yield* between(1, 6)) }
      case "cut from":
      case "cut to":
      case "cut both":
      case "isolate": {
        const isAlone = kind === "isolate" || (kind !== "cut both" && (yield* Random.nextBoolean))
        return {
          _tag: "Cut",
          target: (yield* Random.nextBoolean) ? "leader" : yield* between(0, nodes - 1),
          offsets: isAlone ? Array.from({ length: nodes - 1 }, (_, at) => at + 1) : [yield* between(1, nodes - 1)],
          way: kind === "cut from" ? "from" : kind === "cut to" ? "to" : "both",
          heal: (yield* Random.nextBoolean) ? "late" : "reset",
          millis: yield* between(1_500, 9_000)
        }
      }
      case "full disk":
        return { _tag: "FullDisk", slackBytes: yield* between(0, 512 * 1024), millis: yield* between(2_000, 8_000) }
      case "restart all":
        return {
          _tag: "RestartAll",
          signal: (yield* Random.nextBoolean) ? "SIGKILL" : "SIGTERM",
          millis: yield* between(0, 1_000)
        }
    }
  })

/** The steps of a run of this length. A deck of all kinds is shuffled and dealt, again and again, so that none is left out by chance. */
export const plan = (seed: number, durationMillis: number, nodes: number): ReadonlyArray<Step> =>
  Effect.gen(function* () {
    const steps: Array<Step> = []
    let deck: ReadonlyArray<Kind> = []
    let atMillis = 1_000
    while (true) {
      if (deck.length === 0) deck = [...(yield* Random.shuffle(kinds))]
      const [kind, ...rest] = deck
      if (kind === undefined) return steps
      deck = rest
      const fault = yield* make(kind, nodes)
      if (atMillis + fault.millis > durationMillis) return steps
      steps.push({ atMillis, fault })
      // Every fourth one falls into the one before it.
      const isOverlapping = (yield* Random.next) < 0.25
      atMillis += isOverlapping
        ? yield* between(100, Math.max(100, fault.millis))
        : fault.millis + (yield* between(500, 5_000))
    }
  }).pipe(Effect.withRandom(Random.make(seed)), Effect.runSync)
