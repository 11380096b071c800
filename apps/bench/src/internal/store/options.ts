/** What is asked for on the command line. */
import { parseArgs } from "node:util"
import * as Either from "effect/Either"

export const subjectNames = ["embedded", "cluster", "bare", "postgres", "postgres-light", "emmett"] as const

export type SubjectName = (typeof subjectNames)[number]

export interface Options {
  readonly events: number
  /** Measured time of one figure of one subject in one round. */
  readonly seconds: number
  readonly rounds: number
  readonly only: ReadonlyArray<SubjectName>
  readonly installPeers: boolean
  /** A smoke test: everything runs, nothing is measured well. */
  readonly quick: boolean
}

export const eventsMin = 20_000
const full = { events: 1_000_000, seconds: 2, rounds: 3 }
const quick = { events: eventsMin, seconds: 0.25, rounds: 1 }

export const usage = `usage: pnpm bench store [--events N|Nk|Nm] [--seconds S] [--only ${subjectNames.join(",")}] [--quick] [--install-peers]
  --events         events loaded before anything is measured, ${eventsMin.toLocaleString("en")} at least (default 1m)
  --seconds        measured time of each figure in each of ${full.rounds} rounds (default ${full.seconds})
  --only           the subjects to measure, with commas between them (default all)
  --quick          ${quick.events.toLocaleString("en")} events, ${quick.rounds} round, ${quick.seconds} s a figure, to see that everything runs
  --install-peers  first installs the npm packages of the peers, in apps/bench/peers/node_modules`

const magnitudes = new Map([
  ["", 1],
  ["k", 1_000],
  ["m", 1_000_000]
])

const eventsOf = (text: string): number | undefined => {
  const [, digits = "", unit = ""] = /^(\d+)([km]?)$/i.exec(text) ?? []
  const events = Number(digits) * (magnitudes.get(unit.toLowerCase()) ?? Number.NaN)
  return Number.isSafeInteger(events) && events >= eventsMin ? events : undefined
}

const secondsOf = (text: string): number | undefined => {
  const seconds = Number(text)
  return seconds > 0 && seconds <= 3600 ? seconds : undefined
}

const isSubject = (name: string): name is SubjectName => subjectNames.some(known => known === name)

const flagsOf = (args: ReadonlyArray<string>) =>
  parseArgs({
    args: [...args],
    options: {
      events: { type: "string" },
      seconds: { type: "string" },
      only: { type: "string" },
      quick: { type: "boolean", default: false },
      "install-peers": { type: "boolean", default: false }
    }
  }).values

/** Left: what is wrong with it. */
export const parse = (args: ReadonlyArray<string>): Either.Either<Options, string> =>
  Either.gen(function* () {
    const flags = yield* Either.try({
      try: () => flagsOf(args),
      catch: cause => (cause instanceof Error ? cause.message : String(cause))
    })
    const defaults = flags.quick ? quick : full
    const events = flags.events === undefined ? defaults.events : eventsOf(flags.events)
    if (events === undefined)
      return yield* Either.left(`--events: ${flags.events} is no number of at least ${eventsMin}`)
    const seconds = flags.seconds === undefined ? defaults.seconds : secondsOf(flags.seconds)
    if (seconds === undefined) return yield* Either.left(`--seconds: ${flags.seconds} is no number of seconds`)
    const only = flags.only?.split(",") ?? [...subjectNames]
    const unknown = only.find(name => !isSubject(name))
    if (unknown !== undefined) return yield* Either.left(`--only: "${unknown}" is none of ${subjectNames.join(", ")}`)
    return {
      events,
      seconds,
      rounds: defaults.rounds,
      // In the order of the tables, each once, however they were named.
      only: subjectNames.filter(name => only.includes(name)),
      installPeers: flags["install-peers"],
      quick: flags.quick
    }
  })
