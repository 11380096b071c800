/**
 * Raft groups in one process under TestClock: members whose log and machine outlive their process, as files would.
 */
import * as fs from "node:fs"
import { assert } from "@effect/vitest"
import * as Process from "@reckon/otp/Process"
import type * as Compaction from "@reckon/raft/Compaction"
import * as Raft from "@reckon/raft/Raft"
import * as RaftClient from "@reckon/raft/RaftClient"
import * as RaftLog from "@reckon/raft/RaftLog"
import * as RaftTransport from "@reckon/raft/RaftTransport"
import { StateMachine } from "@reckon/raft/StateMachine"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"

const group = "g"
export const encode = (text: string) => new TextEncoder().encode(text)
export const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

/** Remembers what it applied, and answers each command with its place. A snapshot is all of that as JSON. */
export const makeMachine = (unreadable?: (command: Uint8Array) => string | undefined) => {
  const applied: Array<string> = []
  let index = 0
  const counts = { snapshots: 0, installs: 0 }
  const machine = StateMachine.of({
    ...(unreadable === undefined ? {} : { unreadable }),
    appliedIndex: () => index,
    apply: entries =>
      entries.map(entry => {
        assert.strictEqual(entry.index, index + 1)
        assert.notStrictEqual(entry.kind, "configuration")
        index = entry.index
        if (entry.kind === "command") applied.push(decode(entry.payload))
        return encode(`${applied.length}`)
      }),
    persist: () => index,
    snapshot: file =>
      Effect.sync(() => {
        counts.snapshots += 1
        fs.writeFileSync(file, JSON.stringify({ index, applied }))
        return { index }
      }),
    install: file =>
      Effect.sync(() => {
        counts.installs += 1
        const read = JSON.parse(fs.readFileSync(file, "utf8"))
        index = read.index
        applied.splice(0, applied.length, ...read.applied)
      })
  })
  return { applied, machine, counts }
}

export interface MemberOptions {
  readonly compaction?: Partial<Compaction.Compaction>
  readonly filename?: string
  readonly state?: ReturnType<typeof makeMachine>
  readonly trace?: (line: string) => void
  /** What is in the way of its files just now, `forever` perhaps; by default nothing ever is. */
  readonly inTheWay?: () => string | undefined
}

export const makeMember = (
  network: RaftTransport.Network,
  self: string,
  voters: ReadonlyArray<string>,
  options: MemberOptions = {}
) =>
  Effect.gen(function* () {
    const transport = network.transport(self)
    const log = yield* RaftLog.make({ filename: options.filename ?? ":memory:" })
    const state = options.state ?? makeMachine()
    const processName = `raft-${self}`
    const start = Raft.startLink({
      group,
      self,
      voters,
      processName,
      open: Effect.suspend(() => {
        const why = options.inTheWay?.()
        return why === undefined
          ? Effect.succeed({ log, machine: state.machine, trace: options.trace })
          : Effect.fail(why)
      }),
      ...(options.inTheWay === undefined ? {} : { passing: (why: string) => (why === "forever" ? undefined : why) }),
      ...(options.compaction === undefined ? {} : { compaction: options.compaction })
    }).pipe(Effect.provideService(RaftTransport.RaftTransport, transport))
    const client = yield* RaftClient.make({ group, self, processName }).pipe(
      Effect.provideService(RaftTransport.RaftTransport, transport)
    )
    const status = Effect.flatMap(client.status, found =>
      found === null ? Effect.dieMessage(`${self} does not run`) : Effect.succeed(found)
    )
    return { self, applied: state.applied, counts: state.counts, client, start, log, status }
  })

export type Member = Effect.Effect.Success<ReturnType<typeof makeMember>>

/** A group whose members all run. */
export const makeGroup = (names: ReadonlyArray<string>, options: MemberOptions = {}) =>
  Effect.gen(function* () {
    const network = yield* RaftTransport.makeNetwork
    const members = yield* Effect.forEach(names, self => makeMember(network, self, names, options))
    const refs = yield* Effect.forEach(members, member => member.start)
    return { network, members, refs }
  })

const turn = Effect.promise(() => new Promise<void>(resolve => setImmediate(resolve)))

/** Whether something that was asked of the file system is not done. */
const isAtFiles = (): boolean =>
  process.getActiveResourcesInfo().some(name => /^(CloseReq|FileHandle|FSReq)/.test(name))

/** Lets time pass, a tick at a time, until the effect is done. */
export const whileTimePasses = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(effect)
    for (let tick = 0; tick < 1_200; tick++) {
      const done = yield* Fiber.poll(fiber)
      if (Option.isSome(done)) break
      yield* TestClock.adjust("50 millis")
      // Files are read and written in pieces, by the event loop, and each takes its own time: the clock waits for it, or time-outs would pass meanwhile.
      yield* Effect.repeat(turn, { while: () => isAtFiles() })
    }
    return yield* Fiber.join(fiber)
  })

/** Waits, while time passes, until it is true. */
export const eventually = <E, R>(condition: Effect.Effect<boolean, E, R>) =>
  whileTimePasses(Effect.repeat(Effect.delay(condition, "100 millis"), { until: isTrue => isTrue }))

export const leaderOf = (members: ReadonlyArray<Member>): Effect.Effect<Member> =>
  whileTimePasses(
    Effect.gen(function* () {
      for (;;) {
        for (const member of members) {
          const status = yield* member.client.status
          if (status?.role === "leader" && status.commitIndex > 0) return member
        }
        yield* Effect.sleep("100 millis")
      }
    })
  )

export const propose = (member: Member, text: string) => Effect.map(member.client.propose(encode(text)), decode)

/** Proposes so many commands, in order. */
export const proposeMany = (member: Member, from: number, to: number) =>
  whileTimePasses(
    Effect.forEach(
      Array.from({ length: to - from + 1 }, (_, at) => `${from + at}`),
      text => propose(member, text),
      { discard: true }
    )
  )

export const kill = (ref: { readonly pid: Process.Pid }) => Process.exit(ref.pid, { _tag: "Killed" })
