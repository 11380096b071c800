import { assert, describe, it } from "@effect/vitest"
import * as Process from "@reckon/otp/Process"
import * as Machine from "@reckon/raft/Machine"
import * as MachineEffect from "@reckon/raft/MachineEffect"
import * as MachineReplica from "@reckon/raft/MachineReplica"
import { NotLeader } from "@reckon/raft/RaftError"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"
import * as Envelope from "../src/internal/machine/envelope.js"
import { keyOf } from "../src/internal/machine/obligations.js"
import { settable } from "./helpers/clock.js"
import { command, feed, leadership, makeLog, nextTurn, register, request } from "./helpers/machine.js"
import { processes } from "./helpers/processes.js"

const process = Schema.Struct({ node: Schema.String, name: Schema.String })

/** Does what it is told, and writes down what it hears. */
const agent = Machine.make({
  command: Schema.Struct({
    say: Schema.optional(Schema.String),
    set: Schema.optional(Schema.Struct({ name: Schema.String, after: Schema.Number })),
    cancel: Schema.optional(Schema.String),
    watch: Schema.optional(process),
    ignore: Schema.optional(process)
  }),
  reply: Schema.Void,
  state: Schema.Array(Schema.String),
  initial: [],
  apply: ({ cancel, ignore, say, set, watch }, heard) =>
    Machine.reply(undefined, heard, [
      ...(say === undefined ? [] : [MachineEffect.notify(say)]),
      ...(set === undefined ? [] : [MachineEffect.setTimer(set.name, set.after)]),
      ...(cancel === undefined ? [] : [MachineEffect.cancelTimer(cancel)]),
      ...(watch === undefined ? [] : [MachineEffect.monitor(MachineEffect.processSubject(watch.node, watch.name))]),
      ...(ignore === undefined ? [] : [MachineEffect.demonitor(MachineEffect.processSubject(ignore.node, ignore.name))])
    ]),
  info: (info, heard) => {
    switch (info._tag) {
      case "TimerFired":
        return Machine.noReply([...heard, `fired ${info.name}`], [MachineEffect.notify(info.name)])
      case "Down":
        return Machine.noReply([...heard, `down ${info.reason}`])
      case "SessionEnded":
        return Machine.noReply([...heard, `${info.reason} ${info.session}`])
    }
  }
})

/** A replica that leads from the start, if asked to, and what it did to the world. */
const makeAgent = (options: { readonly log?: ReturnType<typeof makeLog>; readonly leads?: boolean } = {}) =>
  Effect.gen(function* () {
    const log = options.log ?? makeLog()
    const said: Array<string> = []
    const proposed: Array<Envelope.Envelope> = []
    const replica = yield* MachineReplica.make(agent, {
      notify: (text: string) => Effect.sync(() => said.push(text)),
      monitor: MachineReplica.monitorLocal("here")
    })
    const lead = () => {
      log.nextTerm()
      replica.leading(leadership(log, replica, envelope => proposed.push(envelope)))
      log.follow(replica)
    }
    if (options.leads !== false) lead()
    const tell = (...values: ReadonlyArray<unknown>) =>
      Effect.flatMap(Effect.clock, clock =>
        Effect.zipRight(
          Effect.sync(() =>
            feed(log, replica, ...values.map(value => command(clock.unsafeCurrentTimeMillis(), value)))
          ),
          settle
        )
      )
    return { log, said, proposed, replica, lead, tell }
  })

/** Lets what was forked come to its next wait. */
const settle = TestClock.adjust(0)

describe("the effects of a machine", () => {
  it.scoped("are carried out by the leader, in the order of the log, and by nobody else", () =>
    Effect.gen(function* () {
      const log = makeLog()
      const leader = yield* makeAgent({ log })
      const follower = yield* makeAgent({ log, leads: false })
      yield* leader.tell({ say: "a" }, { say: "b" })
      yield* leader.tell({ say: "c" })
      log.follow(follower.replica)
      yield* settle
      assert.deepStrictEqual(leader.said, ["a", "b", "c"])
      assert.deepStrictEqual(follower.said, [])
    }).pipe(Effect.provide(processes))
  )

  it.scoped("are not carried out for entries of older terms: a new leader that catches up repeats none", () =>
    Effect.gen(function* () {
      const log = makeLog()
      const old = yield* makeAgent({ log })
      yield* old.tell({ say: "old" })
      const next = yield* makeAgent({ log })
      yield* next.tell({ say: "new" })
      assert.deepStrictEqual(next.said, ["new"])
    }).pipe(Effect.provide(processes))
  )

  it.scoped(
    "of older terms take no room: a new leader catches up with more than may wait, and has its own carried out",
    () =>
      Effect.gen(function* () {
        const { lead, log, replica, said } = yield* makeAgent({ leads: false })
        for (let at = 0; at < 5_000; at++) log.append(Envelope.encode(command(0, { say: "old" })))
        lead()
        feed(log, replica, command(0, { say: "new" }))
        yield* settle
        assert.deepStrictEqual(said, ["new"])
      }).pipe(Effect.provide(processes))
  )

  it.scoped("begin with the leader's own first entry, even where that and a command are applied in one go", () =>
    Effect.gen(function* () {
      const { log, replica, said } = yield* makeAgent({ leads: false })
      feed(log, replica, command(0, { say: "before" }))
      log.append(Envelope.encode(command(0, { say: "of the old term" })))
      log.nextTerm()
      log.append(Envelope.encode(command(0, { say: "after" })))
      replica.leading(leadership(log, replica))
      assert.strictEqual(log.follow(replica).length, 3)
      yield* settle
      assert.deepStrictEqual(said, ["after"])
    }).pipe(Effect.provide(processes))
  )

  it.scoped("end with the lead: what waited is not carried out", () =>
    Effect.gen(function* () {
      const { log, replica, said, tell } = yield* makeAgent()
      yield* tell({ set: { name: "t", after: 1_000 } })
      feed(log, replica, command(0, { say: "too late" }))
      replica.leading(undefined)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(said, [])
      assert.deepStrictEqual(replica.state(), [])
    }).pipe(Effect.provide(processes))
  )

  it.scoped("that fail are logged, and the next ones go on", () =>
    Effect.gen(function* () {
      const said: Array<string> = []
      const log = makeLog()
      const replica = yield* MachineReplica.make(agent, {
        notify: (text: string) => (text === "bad" ? Effect.die("bad") : Effect.sync(() => said.push(text)))
      })
      log.nextTerm()
      replica.leading(leadership(log, replica))
      feed(log, replica, command(0, { say: "bad" }), command(0, { say: "good" }))
      yield* settle
      assert.deepStrictEqual(said, ["good"])
    })
  )

  it.live("are carried out as fast as they come where the host does not wait, however much comes in a turn", () =>
    Effect.gen(function* () {
      const said: Array<string> = []
      const replicating = Effect.gen(function* () {
        const log = makeLog()
        const replica = yield* MachineReplica.make(agent, {
          notify: (text: string) => Effect.sync(() => said.push(text))
        })
        log.nextTerm()
        replica.leading(leadership(log, replica))
        for (let turn = 0; turn < 10; turn++) {
          const commands = Array.from({ length: 1_000 }, (_, at) => command(0, { say: `${turn * 1_000 + at}` }))
          feed(log, replica, ...commands)
          yield* nextTurn
        }
        yield* nextTurn
      })
      // A process goes by the turns of the event loop, and each of these takes longer than one may.
      const pid = yield* Process.spawn(replicating)
      yield* Process.awaitExit(pid)
      assert.deepStrictEqual(
        said,
        Array.from({ length: 10_000 }, (_, at) => `${at}`)
      )
    }).pipe(Effect.provide(processes))
  )

  it.scoped("are lost, the newest of them, where more than 4,096 wait for a slow host; apply goes on", () =>
    Effect.gen(function* () {
      const said: Array<string> = []
      const open = yield* Deferred.make<void>()
      const log = makeLog()
      const replica = yield* MachineReplica.make(agent, {
        notify: (text: string) =>
          Effect.zipRight(
            Deferred.await(open),
            Effect.sync(() => said.push(text))
          )
      })
      log.nextTerm()
      replica.leading(leadership(log, replica))
      for (let at = 0; at < 5_000; at++) feed(log, replica, command(0, { say: `${at}` }))
      assert.strictEqual(replica.appliedIndex(), 5_001)
      yield* Deferred.succeed(open, undefined)
      yield* settle
      assert.isAtLeast(said.length, 4_096)
      assert.isAtMost(said.length, 4_097)
      assert.deepStrictEqual(said.slice(0, 3), ["0", "1", "2"])
    })
  )
})

describe("a machine's timer", () => {
  it.scoped("comes back through the log when its time has come, once", () =>
    Effect.gen(function* () {
      const { proposed, replica, said, tell } = yield* makeAgent()
      yield* tell({ set: { name: "t", after: 1_000 } })
      yield* TestClock.adjust(999)
      assert.deepStrictEqual(proposed, [])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(proposed, [{ _tag: "TimerFired", timeMillis: 1_000, name: "t", armed: 2 }])
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(replica.state(), ["fired t"])
      assert.deepStrictEqual(said, ["t"])
    }).pipe(Effect.provide(processes))
  )

  it.scoped("that is set anew fires at its new time only; that is cancelled not at all", () =>
    Effect.gen(function* () {
      const { proposed, replica, tell } = yield* makeAgent()
      yield* tell({ set: { name: "again", after: 1_000 } }, { set: { name: "never", after: 1_000 } })
      yield* TestClock.adjust(900)
      yield* tell({ set: { name: "again", after: 1_000 } }, { cancel: "never" })
      yield* TestClock.adjust(999)
      assert.deepStrictEqual(replica.state(), [])
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(replica.state(), ["fired again"])
      assert.strictEqual(proposed.length, 1, "what was cancelled is not even proposed")
    }).pipe(Effect.provide(processes))
  )

  it.scoped("whose firing crossed a new setting does not fire: the log has the last word", () =>
    Effect.gen(function* () {
      const { log, replica, tell } = yield* makeAgent()
      yield* tell({ set: { name: "t", after: 1_000 } })
      yield* tell({ set: { name: "t", after: 5_000 } })
      const fired = { _tag: "TimerFired" as const, timeMillis: 0, name: "t" }
      feed(log, replica, { ...fired, armed: 2 })
      assert.deepStrictEqual(replica.state(), [])
      feed(log, replica, { ...fired, armed: 3 }, { ...fired, armed: 3 })
      assert.deepStrictEqual(replica.state(), ["fired t"])
    }).pipe(Effect.provide(processes))
  )

  it.scoped("is taken over by the next leader for the time that is left, and fires at once where that is over", () =>
    Effect.gen(function* () {
      const log = makeLog()
      const old = yield* makeAgent({ log })
      yield* old.tell({ set: { name: "soon", after: 1_000 } }, { set: { name: "later", after: 10_000 } })
      old.replica.leading(undefined)
      yield* TestClock.adjust(4_000)
      const next = yield* makeAgent({ log })
      yield* settle
      assert.deepStrictEqual(next.replica.state(), ["fired soon"])
      yield* TestClock.adjust(5_999)
      assert.deepStrictEqual(next.replica.state(), ["fired soon"])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(next.replica.state(), ["fired soon", "fired later"])
      log.follow(old.replica)
      assert.deepStrictEqual(old.replica.state(), next.replica.state())
    }).pipe(Effect.provide(processes))
  )

  it.scoped("that another leader cancels is not even proposed by the old one, should that lead again", () =>
    Effect.gen(function* () {
      const log = makeLog()
      const first = yield* makeAgent({ log })
      yield* first.tell({ set: { name: "t", after: 1_000 } })
      first.replica.leading(undefined)
      const second = yield* makeAgent({ log })
      yield* second.tell({ cancel: "t" })
      second.replica.leading(undefined)
      log.follow(first.replica)
      first.lead()
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual([...first.proposed, ...second.proposed], [])
    }).pipe(Effect.provide(processes))
  )

  it.scoped("does not fire early where another proposer's clock is ahead", () =>
    Effect.gen(function* () {
      const { log, replica } = yield* makeAgent()
      feed(log, replica, command(3_600_000, { set: { name: "t", after: 1_000 } }))
      yield* TestClock.adjust(999)
      assert.deepStrictEqual(replica.state(), [])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(replica.state(), ["fired t"])
    }).pipe(Effect.provide(processes))
  )

  it.scoped("fires in its time, though the clock is set back meanwhile", () =>
    Effect.gen(function* () {
      const { clock, set } = yield* settable
      const { said, tell } = yield* Effect.withClock(makeAgent(), clock)
      yield* tell({ set: { name: "lease", after: 2_000 } })
      yield* TestClock.adjust("1 second")
      yield* set(-3_600_000)
      yield* TestClock.adjust("999 millis")
      assert.deepStrictEqual(said, [])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(said, ["lease"])
    }).pipe(Effect.provide(processes))
  )

  it.scoped("of more days than JavaScript's timers know fires on its day", () =>
    Effect.gen(function* () {
      const { replica, tell } = yield* makeAgent()
      yield* tell({ set: { name: "t", after: 30 * 24 * 3_600_000 } })
      yield* TestClock.adjust("29 days")
      assert.deepStrictEqual(replica.state(), [])
      yield* TestClock.adjust("1 day")
      assert.deepStrictEqual(replica.state(), ["fired t"])
    }).pipe(Effect.provide(processes))
  )

  it.scoped("whose firing the group refuses is proposed again until it is applied", () =>
    Effect.gen(function* () {
      const { log, replica } = yield* makeAgent({ leads: false })
      log.nextTerm()
      let attempts = 0
      const willing = leadership(log, replica)
      replica.leading({
        ...willing,
        propose: (payload, reply) =>
          ++attempts < 4 ? reply(Exit.fail(new NotLeader({ leader: null }))) : willing.propose(payload, reply)
      })
      feed(log, replica, command(0, { set: { name: "t", after: 100 } }))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(attempts, 4)
      assert.deepStrictEqual(replica.state(), ["fired t"])
    }).pipe(Effect.provide(processes))
  )
})

describe("a machine's monitor", () => {
  const watched = { node: "here", name: "worker" }
  const worker = (end: Effect.Effect<void>) => Process.spawn(end, { name: "worker" })

  it.scoped("comes back through the log with the reason, once, however often it was asked for", () =>
    Effect.gen(function* () {
      const { replica, tell } = yield* makeAgent()
      const pid = yield* worker(Effect.never)
      yield* tell({ watch: watched }, { watch: watched })
      assert.deepStrictEqual(replica.state(), [])
      yield* Process.exit(pid, { _tag: "Killed" })
      yield* settle
      assert.deepStrictEqual(replica.state(), ["down Killed"])
    }).pipe(Effect.provide(processes))
  )

  it.scoped("of nobody comes back at once, and so does one of a node that is not connected", () =>
    Effect.gen(function* () {
      const { replica, tell } = yield* makeAgent()
      yield* tell({ watch: watched }, { watch: { node: "elsewhere", name: "worker" } })
      assert.deepStrictEqual(replica.state(), ["down NoProc", "down NoConnection"])
    }).pipe(Effect.provide(processes))
  )

  it.scoped("that was taken back says nothing more", () =>
    Effect.gen(function* () {
      const { replica, tell } = yield* makeAgent()
      const pid = yield* worker(Effect.never)
      yield* tell({ watch: watched })
      yield* tell({ ignore: watched })
      yield* Process.exit(pid, { _tag: "Killed" })
      yield* settle
      assert.deepStrictEqual(replica.state(), [])
    }).pipe(Effect.provide(processes))
  )

  it.scoped("whose news crossed a new watch says nothing: the log has the last word", () =>
    Effect.gen(function* () {
      const { log, replica, tell } = yield* makeAgent()
      yield* worker(Effect.never)
      yield* tell({ watch: watched }, { ignore: watched }, { watch: watched })
      const subject = keyOf(MachineEffect.processSubject(watched.node, watched.name))
      const down = { _tag: "Down" as const, timeMillis: 0, subject, reason: "Killed" as const }
      feed(log, replica, { ...down, armed: 2 })
      assert.deepStrictEqual(replica.state(), [])
      feed(log, replica, { ...down, armed: 4 }, { ...down, armed: 4 })
      assert.deepStrictEqual(replica.state(), ["down Killed"])
    }).pipe(Effect.provide(processes))
  )

  it.scoped("is set up anew by the next leader", () =>
    Effect.gen(function* () {
      const log = makeLog()
      const old = yield* makeAgent({ log })
      const pid = yield* worker(Effect.never)
      yield* old.tell({ watch: watched })
      old.replica.leading(undefined)
      const next = yield* makeAgent({ log })
      yield* Process.exit(pid, { _tag: "Killed" })
      yield* settle
      assert.deepStrictEqual(next.replica.state(), ["down Killed"])
      assert.strictEqual(next.proposed.length + old.proposed.length, 1)
    }).pipe(Effect.provide(processes))
  )
})

describe("sessions in a quiet group", () => {
  it.scoped("are ended by the leader with an entry that carries the time, not before the time-out is over", () =>
    Effect.gen(function* () {
      const { log, proposed, replica } = yield* makeAgent()
      feed(log, replica, register(0, 5_000))
      yield* TestClock.adjust(2_000)
      feed(log, replica, register(2_000, 1_000), request(2_000, 2, 1, {}))
      yield* TestClock.adjust(1_000)
      assert.deepStrictEqual(replica.state(), [])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(replica.state(), ["expired 3"])
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(replica.state(), ["expired 3", "expired 2"])
      assert.deepStrictEqual(proposed, [
        { _tag: "Tick", timeMillis: 3_001 },
        { _tag: "Tick", timeMillis: 7_001 }
      ])
    }).pipe(Effect.provide(processes))
  )
})
