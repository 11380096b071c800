/** A group of three whose members have folders, which may be lost, and be another group's. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert } from "@effect/vitest"
import * as Process from "@reckon/otp/Process"
import * as RaftTransport from "@reckon/raft/RaftTransport"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import {
  eventually,
  kill,
  leaderOf,
  type Member,
  type MemberOptions,
  makeMachine,
  makeMember,
  proposeMany
} from "./group.js"
import { processes } from "./processes.js"

export const names = ["a", "b", "c"]

/** The folders of a cluster's nodes: each has its member's log, and the machine that outlives the process. */
const makeNodes = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "reckon-incarnation-"))),
    folder => Effect.sync(() => fs.rmSync(folder, { recursive: true, force: true }))
  ),
  folder => {
    const states = new Map<string, ReturnType<typeof makeMachine>>()
    const file = (self: string) => path.join(folder, self, "raft.sqlite")
    const wipe = (self: string) => {
      fs.rmSync(path.join(folder, self), { recursive: true, force: true })
      fs.mkdirSync(path.join(folder, self))
      states.set(self, makeMachine())
    }
    const state = (self: string) => states.get(self) ?? makeMachine()
    return { file, wipe, options: (self: string): MemberOptions => ({ filename: file(self), state: state(self) }) }
  }
)

export type Nodes = Effect.Effect.Success<typeof makeNodes>

export const freshNodes = Effect.tap(makeNodes, nodes => names.forEach(nodes.wipe))

export interface Place {
  readonly self: string
  readonly nodes: Nodes
  readonly voters?: ReadonlyArray<string>
  readonly options?: MemberOptions
}

/** Runs members on these folders until `f` ends, and keeps what was said as an error meanwhile. */
export const running = <A, E, R>(
  places: ReadonlyArray<Place>,
  f: (
    members: ReadonlyArray<Member>,
    network: RaftTransport.Network,
    errors: ReadonlyArray<string>
  ) => Effect.Effect<A, E, R>
) => {
  const errors: Array<string> = []
  const logger = Logger.replace(
    Logger.defaultLogger,
    Logger.make(({ logLevel, message }) => {
      if (logLevel.label === "ERROR") errors.push(String(message))
    })
  )
  return Effect.gen(function* () {
    const network = yield* RaftTransport.makeNetwork
    const members = yield* Effect.forEach(places, ({ nodes, options, self, voters = names }) =>
      makeMember(network, self, voters, { ...nodes.options(self), ...options })
    )
    yield* Effect.forEach(members, member => member.start)
    return yield* f(members, network, errors)
  }).pipe(Effect.scoped, Effect.provide(processes), Effect.provide(logger))
}

export const on = (nodes: Nodes, ...members: ReadonlyArray<string>): ReadonlyArray<Place> =>
  members.map(self => ({ self, nodes }))

export const incarnationOf = (member: Member) => Effect.map(member.status, ({ incarnation }) => incarnation)

/** The one that all come to be of. */
export const common = (members: ReadonlyArray<Member>) =>
  Effect.gen(function* () {
    yield* eventually(
      Effect.map(
        Effect.forEach(members, incarnationOf),
        ([first, ...rest]) => first !== null && rest.every(other => other === first)
      )
    )
    const [first] = members
    assert(first !== undefined)
    const incarnation = yield* incarnationOf(first)
    assert(incarnation !== null)
    return incarnation
  })

/** A group of three that has served so many commands, and was stopped. */
export const serve = (nodes: Nodes, commands: number) =>
  running(on(nodes, ...names), members =>
    Effect.gen(function* () {
      yield* proposeMany(yield* leaderOf(members), 1, commands)
      yield* eventually(Effect.sync(() => members.every(({ applied }) => applied.length === commands)))
      return yield* common(members)
    })
  )

export const standing = (member: Member) =>
  Effect.map(member.status, ({ appliedIndex, commitIndex, incarnation, lastIndex, term }) => ({
    appliedIndex,
    commitIndex,
    incarnation,
    lastIndex,
    term
  }))

export const stop = ({ self }: Member) =>
  Effect.flatMap(Process.whereis(`raft-${self}`), pid => Effect.flatMap(pid, found => kill({ pid: found })))
