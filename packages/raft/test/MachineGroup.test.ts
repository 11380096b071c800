import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import * as Process from "@reckon/otp/Process"
import * as Machine from "@reckon/raft/Machine"
import * as MachineClient from "@reckon/raft/MachineClient"
import * as MachineReplica from "@reckon/raft/MachineReplica"
import * as Raft from "@reckon/raft/Raft"
import * as RaftClient from "@reckon/raft/RaftClient"
import * as RaftLog from "@reckon/raft/RaftLog"
import * as RaftTransport from "@reckon/raft/RaftTransport"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { whileTimePasses } from "./helpers/group.js"
import { type Granted, locks } from "./helpers/lockService.js"
import { processes } from "./helpers/processes.js"

const names = ["a", "b", "c"]

const folder = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "machine-group-"))),
  made => Effect.sync(() => fs.rmSync(made, { recursive: true }))
)

/** Three members with logs and machines in files; `machineOf` says whose code knows what. */
const makeGroup = <State, Command, Reply, Notification>(
  machineOf: (member: string) => Machine.Machine<State, Command, Reply, Notification>,
  limits: { readonly entriesMax: number; readonly tailEntries: number } = { entriesMax: 65_536, tailEntries: 8_192 }
) =>
  Effect.gen(function* () {
    const network = yield* RaftTransport.makeNetwork
    const made = yield* folder
    const notified: Array<readonly [member: string, notification: Notification]> = []
    const members = yield* Effect.forEach(names, self =>
      Effect.gen(function* () {
        const processName = `raft-${self}`
        const transport = network.transport(self)
        let replica: MachineReplica.MachineReplica<State> | undefined
        const start = Raft.startLink({
          group: "g",
          self,
          voters: names,
          processName,
          compaction: limits,
          open: Effect.gen(function* () {
            const log = yield* RaftLog.make({ filename: path.join(made, self, "log") })
            const machine = yield* MachineReplica.make(machineOf(self), {
              filename: path.join(made, self, "machine"),
              notify: notification => Effect.sync(() => notified.push([self, notification]))
            })
            replica = machine
            return { log, machine }
          })
        }).pipe(Effect.provideService(RaftTransport.RaftTransport, transport))
        const raft = yield* RaftClient.make({ group: "g", self, processName }).pipe(
          Effect.provideService(RaftTransport.RaftTransport, transport)
        )
        let ref = yield* start
        return {
          self,
          raft,
          client: MachineClient.make(machineOf(self), raft),
          state: () => replica?.state(),
          kill: Effect.suspend(() => Process.exit(ref.pid, { _tag: "Killed" })),
          start: Effect.map(start, started => {
            ref = started
          })
        }
      })
    )
    return { members, notified, network }
  })

type Members = Effect.Effect.Success<ReturnType<typeof makeGroup>>["members"]

/** Time goes on while what was opened is closed. */
const onNode = <A, E>(effect: Effect.Effect<A, E, Process.ProcessTable | Scope.Scope>) =>
  Effect.acquireUseRelease(
    Scope.make(),
    scope => Scope.extend(effect, scope),
    (scope, exit) => whileTimePasses(Scope.close(scope, exit))
  ).pipe(Effect.provide(processes))

const pass = (millis: number) => whileTimePasses(Effect.sleep(millis))

const leaderOf = <M extends { readonly raft: Members[number]["raft"] }>(members: ReadonlyArray<M>) =>
  Effect.gen(function* () {
    for (;;) {
      for (const member of members) {
        const status = yield* member.raft.status
        if (status?.role === "leader" && status.commitIndex > 0) return member
      }
      yield* Effect.sleep("100 millis")
    }
  }).pipe(whileTimePasses)

const acquire = { _tag: "Acquire", lock: "l" } as const
const release = { _tag: "Release", lock: "l" } as const
const lines = (notified: ReadonlyArray<readonly [string, Granted]>) => notified.map(([, { session }]) => session)

it("a replica that asks nothing of its host needs nothing, also where it is made in place", () => {
  const start = Raft.startLink({
    group: "g",
    self: "a",
    voters: ["a"],
    processName: "raft-a",
    open: Effect.all({ log: RaftLog.make({ filename: "log" }), machine: MachineReplica.make(locks) })
  })
  expectTypeOf<Effect.Effect.Context<typeof start>>().toEqualTypeOf<
    Process.ProcessTable | RaftTransport.RaftTransport
  >()
})

describe("a lock service on a Raft group", () => {
  it.effect(
    "gives a lock to one session after the other, with ever higher fences, and tells them from the leader",
    () =>
      Effect.gen(function* () {
        const { members, notified } = yield* makeGroup(() => locks)
        const leader = yield* leaderOf(members)
        const other = members.find(member => member !== leader) ?? leader
        const first = yield* whileTimePasses(leader.client.openSession())
        const second = yield* whileTimePasses(other.client.openSession())
        assert.strictEqual(yield* whileTimePasses(first.propose(acquire)), "held")
        assert.strictEqual(yield* whileTimePasses(second.propose(acquire)), "waiting")
        assert.strictEqual(yield* whileTimePasses(second.propose(release)), "not_held")
        assert.strictEqual(yield* whileTimePasses(first.propose(release)), "released")
        assert.strictEqual(yield* whileTimePasses(other.client.propose(acquire)), "no_session")
        assert.deepStrictEqual(lines(notified), [first.id, second.id])
        assert.deepStrictEqual(new Set(notified.map(([member]) => member)), new Set([leader.self]))
        const [one, two] = notified.map(([, { fence }]) => fence)
        assert.isBelow(one ?? 0, two ?? 0)
      }).pipe(onNode)
  )

  it.effect("takes the lock from a session that fell silent, that was closed, or whose lease is over", () =>
    Effect.gen(function* () {
      const { members, notified } = yield* makeGroup(() => locks)
      const { client, raft } = yield* leaderOf(members)
      let isMute = false
      const silent = yield* whileTimePasses(
        MachineClient.make(locks, {
          propose: payload => (isMute ? Effect.never : raft.propose(payload))
        }).openSession({ timeout: "2 seconds" })
      )
      const scope = yield* Scope.make()
      const closed = yield* whileTimePasses(client.openSession().pipe(Scope.extend(scope)))
      const slow = yield* whileTimePasses(client.openSession({ timeout: "2 seconds" }))
      const last = yield* whileTimePasses(client.openSession())
      for (const session of [silent, closed, slow, last]) yield* whileTimePasses(session.propose(acquire))
      yield* pass(5_000)
      assert.deepStrictEqual(lines(notified), [silent.id])

      isMute = true
      yield* pass(3_000)
      assert.deepStrictEqual(lines(notified), [silent.id, closed.id])
      yield* whileTimePasses(Scope.close(scope, Exit.void))
      assert.deepStrictEqual(lines(notified), [silent.id, closed.id, slow.id])
      yield* pass(9_000)
      assert.deepStrictEqual(lines(notified), [silent.id, closed.id, slow.id])
      yield* pass(1_500)
      assert.deepStrictEqual(lines(notified), [silent.id, closed.id, slow.id, last.id])
    }).pipe(onNode)
  )

  it.effect(
    "goes on under the next leader: a lease that runs out meanwhile is passed on once, and retries take effect once",
    () =>
      Effect.gen(function* () {
        const { members, notified } = yield* makeGroup(() => locks)
        const old = yield* leaderOf(members)
        const other = members.find(member => member !== old) ?? old
        const first = yield* whileTimePasses(other.client.openSession())
        const second = yield* whileTimePasses(other.client.openSession())
        yield* whileTimePasses(first.propose(acquire))
        yield* whileTimePasses(second.propose(acquire))

        yield* old.kill
        assert.strictEqual(yield* whileTimePasses(second.propose(acquire)), "waiting")
        yield* pass(12_000)
        assert.deepStrictEqual(lines(notified), [first.id, second.id])
        assert.notStrictEqual(notified[1]?.[0], old.self)

        yield* old.start
        yield* whileTimePasses(old.raft.readBarrier)
        assert.deepStrictEqual(old.state(), other.state())
        assert.deepStrictEqual(lines(notified), [first.id, second.id], "what is replayed has no effects")
      }).pipe(onNode)
  )
})

const counter = Machine.make({
  command: Schema.Int,
  reply: Schema.Int,
  state: Schema.Int,
  initial: 0,
  apply: (by, count) => Machine.reply(count + by, count + by)
})

const counterV2 = Machine.nextVersion(counter, {
  command: Schema.Int,
  reply: Schema.Int,
  state: Schema.Int,
  upgrade: count => count,
  apply: (by, count) => Machine.reply(count - by, count - by)
})

describe("a machine on a Raft group", () => {
  it.effect(
    "a member that was away for longer than the log goes back gets the machine's snapshot, sessions and all",
    () =>
      Effect.gen(function* () {
        const { members } = yield* makeGroup(() => counter, { entriesMax: 20, tailEntries: 4 })
        const leader = yield* leaderOf(members)
        const away = members.find(member => member !== leader) ?? leader
        const session = yield* whileTimePasses(leader.client.openSession())
        yield* away.kill
        let count = 0
        const proposeOne = Effect.tap(session.propose(1), () => {
          count += 1
        })
        yield* whileTimePasses(
          Effect.repeat(Effect.zipRight(Effect.delay(proposeOne, "50 millis"), leader.raft.status), {
            until: status => status !== null && status.firstIndex > 20
          })
        )

        yield* away.start
        yield* whileTimePasses(away.raft.readBarrier)
        assert.strictEqual(away.state(), count)
        assert.strictEqual(yield* whileTimePasses(session.propose(1)), count + 1)
        yield* whileTimePasses(away.raft.readBarrier)
        assert.strictEqual(away.state(), count + 1)
      }).pipe(onNode)
  )

  it.effect(
    "a member whose code lacks the new version stops applying and says so, keeps voting, and goes on with newer code",
    () =>
      Effect.gen(function* () {
        const known = new Map<string, Machine.Machine<number, number, number>>()
        const { members } = yield* makeGroup(member => known.get(member) ?? counterV2)
        const leader = yield* leaderOf(members)
        const [old, third] = members.filter(member => member !== leader)
        assert(old !== undefined && third !== undefined)
        known.set(old.self, counter)
        yield* old.kill
        yield* old.start
        assert.strictEqual(yield* whileTimePasses(leader.client.propose(5)), 5)
        yield* whileTimePasses(old.raft.readBarrier)
        yield* whileTimePasses(leader.client.upgrade({ from: 1, to: 2 }))
        yield* third.kill
        assert.strictEqual(yield* whileTimePasses(leader.client.propose(2)), 3, "the old member's vote counts")
        yield* pass(500)
        assert.strictEqual(old.state(), 5)
        assert.deepStrictEqual((yield* old.raft.status)?.machine, { supported: 1, effective: 1, required: 2 })

        known.delete(old.self)
        yield* old.kill
        yield* old.start
        yield* whileTimePasses(old.raft.readBarrier)
        assert.strictEqual(old.state(), 3)
        assert.deepStrictEqual((yield* old.raft.status)?.machine, { supported: 2, effective: 2 })
      }).pipe(onNode)
  )
})
