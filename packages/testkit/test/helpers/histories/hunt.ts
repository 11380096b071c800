/**
 * Plays histories until something is wrong with one, and makes that one as small as it gets.
 *
 * Ten histories that follow each other in number share a world: a store, with its time and its chance, that are made anew for the next ten. So the number of a history says all about it, and the
 * store need not be started a thousand times.
 */
import type * as EventStore from "@reckon/client/EventStore"
import * as Effect from "effect/Effect"
import * as VirtualTime from "../virtualTime.js"
import { judge } from "./judge.js"
import * as Play from "./play.js"
import * as Script from "./script.js"

/** Something between the callers and the store, made anew for each world. */
export type Between = () => (requests: EventStore.Requests) => EventStore.Requests

/** Something that stands in for the store: whatever is asked for, and followed, at whichever node (null: at the one that serves). */
export type Around = (store: EventStore.Service, node: string | null) => EventStore.Service

interface World {
  readonly kind: Script.Kind
  readonly seed: number
  readonly scripts: ReadonlyArray<Script.Script>
  readonly between?: Between | undefined
  readonly around?: Around | undefined
  readonly onPlayed?: ((played: Play.Played) => void) | undefined
}

interface Failure {
  /** The place of the script in its world. */
  readonly at: number
  readonly problems: ReadonlyArray<string>
}

const historiesInWorld = 10

/** The longest that the histories of a world may take together, of their own time. */
const limit = "30 minutes"

/** What is compiled when it is first needed would be compiled in the midst of the first history, and time would pass meanwhile. */
let isWarm = false
const warmUp = async (): Promise<void> => {
  if (isWarm) return
  isWarm = true
  await failureIn({ kind: "single", seed: 0, scripts: [Script.draw(0, "single")] })
}

/** The first history of a world that something is wrong with. The same every time. */
const failureIn = async ({ around, between, kind, onPlayed, scripts, seed }: World): Promise<Failure | undefined> => {
  let at = 0
  const plays = (still: VirtualTime.Still, leap: VirtualTime.Leap) =>
    Effect.gen(function* () {
      const stage = yield* Play.make({ kind, still, leap, between: between?.(), around })
      for (; at < scripts.length; at++) {
        const script = scripts[at]
        if (script === undefined) continue
        const played = yield* stage.play(script)
        onPlayed?.(played)
        const problems = judge(played)
        if (problems.length > 0) return { at, problems }
      }
      return undefined
    }).pipe(Effect.scoped)
  // Most errors here are answers, and nobody asks where they were made.
  const before = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  try {
    return await VirtualTime.run(plays, { seed, limit })
  } catch (cause) {
    return { at, problems: [`it broke: ${cause}`] }
  } finally {
    Error.stackTraceLimit = before
  }
}

/** All scripts that have one thing less, the larger things first. */
const smaller = (script: Script.Script): ReadonlyArray<Script.Script> => [
  ...script.callers.map((_, at) => ({ ...script, callers: script.callers.filter((_, place) => place !== at) })),
  ...script.faults.map((_, at) => ({ ...script, faults: script.faults.filter((_, place) => place !== at) })),
  ...script.followers.map((_, at) => ({ ...script, followers: script.followers.filter((_, place) => place !== at) })),
  ...script.callers.flatMap(({ steps }, at) =>
    steps.map((_, step) => ({
      ...script,
      callers: script.callers.map((caller, place) =>
        place === at ? { ...caller, steps: steps.filter((_, other) => other !== step) } : caller
      )
    }))
  )
]

/** Of a world that fails with its last script: one of which nothing more can be left out, or as far as so many plays get. */
const shrink = async (failing: World, playsMax: number): Promise<World> => {
  let plays = 0
  const fails = async (world: World): Promise<boolean> => {
    plays += 1
    return (await failureIn(world))?.at === world.scripts.length - 1
  }
  const alone = { ...failing, scripts: failing.scripts.slice(-1) }
  let smallest = (await fails(alone)) ? alone : failing
  for (let found = true; found; ) {
    found = false
    const last = smallest.scripts.at(-1)
    for (const script of last === undefined ? [] : smaller(last)) {
      if (plays >= playsMax) return smallest
      const world = { ...smallest, scripts: [...smallest.scripts.slice(0, -1), script] }
      found = await fails(world)
      if (!found) continue
      smallest = world
      break
    }
  }
  return smallest
}

export interface Found {
  /** The number of the history. */
  readonly seed: number
  /** How many histories it took. */
  readonly histories: number
  readonly problems: ReadonlyArray<string>
  /** All that one needs to know of it. */
  readonly text: string
}

/** The first history that something is wrong with, of `count` from one on, or nothing. */
export const hunt = async (options: {
  readonly kind: Script.Kind
  readonly seed: number
  readonly count: number
  readonly between?: Between | undefined
  readonly around?: Around | undefined
  /** Plays that may be spent on making it smaller. Default 200. */
  readonly shrinkMax?: number | undefined
  /** Told of each history, before it is judged. */
  readonly onPlayed?: ((played: Play.Played) => void) | undefined
}): Promise<Found | undefined> => {
  const { around, between, count, kind, seed } = options
  const end = seed + count
  await warmUp()
  for (let first = seed - (seed % historiesInWorld); first < end; first += historiesInWorld) {
    const length = Math.min(historiesInWorld, end - first)
    const scripts = Array.from({ length }, (_, at) => Script.draw(first + at, kind))
    const world: World = { kind, seed: first, scripts, between, around }
    const failure = await failureIn({ ...world, onPlayed: options.onPlayed })
    if (failure === undefined) continue
    const least = await shrink({ ...world, scripts: scripts.slice(0, failure.at + 1) }, options.shrinkMax ?? 200)
    const left = await failureIn(least)
    const found = first + failure.at
    return {
      seed: found,
      histories: found - seed + 1,
      problems: failure.problems,
      text: [
        `something is wrong with history ${found} (${kind}); RECKON_HISTORY_SEED=${found} plays it again:`,
        ...failure.problems,
        "",
        `As small as it gets${least.scripts.length > 1 ? `, after ${least.scripts.length - 1} others in the same store` : ""}:`,
        ...(left?.problems ?? []),
        ...(least.scripts.at(-1)?.callers ?? []).map(caller => `  ${JSON.stringify(caller)}`),
        ...(least.scripts.at(-1)?.faults ?? []).map(fault => `  ${JSON.stringify(fault)}`),
        ...(least.scripts.at(-1)?.followers ?? []).map(follower => `  ${JSON.stringify(follower)}`)
      ].join("\n")
    }
  }
  return undefined
}
