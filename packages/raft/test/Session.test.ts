import { assert, describe, it } from "@effect/vitest"
import * as Machine from "@reckon/raft/Machine"
import * as MachineClient from "@reckon/raft/MachineClient"
import {
  CommandRefused,
  SessionExpired,
  SessionsExhausted,
  VersionConflict,
  VersionUnsupported
} from "@reckon/raft/MachineError"
import * as MachineReplica from "@reckon/raft/MachineReplica"
import type { RaftClient } from "@reckon/raft/RaftClient"
import { NotLeader, Overloaded, ProposalUnknown } from "@reckon/raft/RaftError"
import * as Chunk from "effect/Chunk"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import * as Envelope from "../src/internal/machine/envelope.js"
import { sessionsMax } from "../src/internal/machine/sessions.js"
import { counter } from "./helpers/counter.js"
import { feed, makeLog, register, tick } from "./helpers/machine.js"

type Fate = "ok" | "not applied" | "applied, unanswered" | "never arrived, unanswered" | "overloaded" | "nobody leads"

/** A group of one member that treats the next proposals as it is told, and the rest well. */
const makeGroup = Effect.map(MachineReplica.make(counter), replica => {
  const log = makeLog()
  const fates: Array<Fate> = []
  const seen: Array<Envelope.Envelope> = []
  const group: Pick<RaftClient, "propose"> = {
    propose: payload =>
      Effect.suspend((): ReturnType<RaftClient["propose"]> => {
        seen.push(Either.getOrThrow(Envelope.decode(payload)))
        const fate = fates.shift() ?? "ok"
        if (fate === "not applied") return Effect.fail(new NotLeader({ leader: null }))
        if (fate === "overloaded") return Effect.fail(new Overloaded())
        if (fate === "nobody leads") return Effect.never
        if (fate === "never arrived, unanswered") return Effect.fail(new ProposalUnknown({ detail: "lost" }))
        log.append(payload)
        const [answer] = log.follow(replica)
        return fate === "ok" && answer !== undefined
          ? Effect.succeed(answer)
          : Effect.fail(new ProposalUnknown({ detail: "lost" }))
      })
  }
  const ofKind = (tag: Envelope.Envelope["_tag"]) => seen.filter(({ _tag }) => _tag === tag)
  return {
    replica,
    fates,
    ofKind,
    client: MachineClient.make(counter, group),
    feed: (...all: ReadonlyArray<Envelope.Envelope>) => feed(log, replica, ...all)
  }
})

const whileTimePasses = <A, E, R>(effect: Effect.Effect<A, E, R>, time: Duration.DurationInput = "1 minute") =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(effect)
    yield* TestClock.adjust(time)
    return yield* Fiber.join(fiber)
  })

describe("a session's client", () => {
  it.scoped("has each call applied once, however often it had to be sent", () =>
    Effect.gen(function* () {
      const { client, fates, ofKind, replica } = yield* makeGroup
      const session = yield* client.openSession()
      fates.push("applied, unanswered", "not applied", "never arrived, unanswered", "overloaded", "applied, unanswered")
      assert.strictEqual(yield* whileTimePasses(session.propose(5)), 5)
      assert.strictEqual(yield* session.propose(1), 6)
      assert.strictEqual(replica.state().count, 6)
      assert.strictEqual(ofKind("Request").length, 7)
    })
  )

  it.scoped("confirms what it has: the group keeps no answer for long", () =>
    Effect.gen(function* () {
      const { client, ofKind } = yield* makeGroup
      const session = yield* client.openSession()
      yield* Effect.forEach([1, 1, 1], by => session.propose(by))
      assert.deepStrictEqual(
        ofKind("Request").map(envelope => (envelope._tag === "Request" ? [envelope.sequence, envelope.lowest] : [])),
        [
          [1, 1],
          [2, 2],
          [3, 3]
        ]
      )
    })
  )

  it.scoped("sends calls side by side; each gets its own answer", () =>
    Effect.gen(function* () {
      const { client, fates, replica } = yield* makeGroup
      const session = yield* client.openSession()
      fates.push("not applied", "applied, unanswered", "ok", "applied, unanswered")
      const replies = yield* whileTimePasses(
        Effect.forEach(Chunk.range(1, 500), () => session.propose(1), { concurrency: 500 })
      )
      assert.strictEqual(new Set(replies).size, 500)
      assert.strictEqual(replica.state().count, 500)
    })
  )

  it.scoped("gives up when its patience is over; the outcome is unknown if any attempt left it open", () =>
    Effect.gen(function* () {
      const { client, fates, replica } = yield* makeGroup
      const session = yield* client.openSession({ patience: "2 seconds" })
      fates.push("applied, unanswered", ...Array<Fate>(20).fill("not applied"))
      assert.instanceOf(yield* whileTimePasses(Effect.flip(session.propose(5)), "3 seconds"), ProposalUnknown)
      fates.splice(0, fates.length, ...Array<Fate>(20).fill("not applied"))
      assert.instanceOf(yield* whileTimePasses(Effect.flip(session.propose(1)), "3 seconds"), NotLeader)
      fates.splice(0)
      assert.strictEqual(yield* session.propose(1), 6)
      assert.strictEqual(replica.state().count, 6)
    })
  )

  it.scoped("stays alive while its scope is open, and is closed with it", () =>
    Effect.gen(function* () {
      const { client, replica, feed } = yield* makeGroup
      const scope = yield* Scope.make()
      const session = yield* client.openSession({ timeout: "3 seconds" }).pipe(Scope.extend(scope))
      for (let second = 1; second <= 10; second++) {
        yield* TestClock.adjust("1 second")
        feed(tick(second * 1_000))
      }
      assert.strictEqual(yield* session.propose(1), 1)
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(replica.state().ended, [`${session.id} closed`])
      const error = yield* Effect.flip(session.propose(1))
      assert.instanceOf(error, SessionExpired)
    })
  )

  it.scoped(
    "gives another sign of life soon after one that got nowhere, or a new leader would hear of it too late",
    () =>
      Effect.gen(function* () {
        const { client, fates, feed } = yield* makeGroup
        const session = yield* client.openSession({ timeout: "3 seconds" })
        fates.push("nobody leads")
        yield* TestClock.adjust("2500 millis")
        feed(tick(3_001))
        assert.strictEqual(yield* session.propose(1), 1)
      })
  )

  it.scoped(
    "whose session was ended by the group fails its calls, and says whether an earlier attempt may have been applied",
    () =>
      Effect.gen(function* () {
        const { client, fates, feed, replica } = yield* makeGroup
        const session = yield* client.openSession({ timeout: "10 seconds" })
        fates.push("applied, unanswered")
        const call = yield* Effect.fork(Effect.flip(session.propose(1)))
        yield* TestClock.adjust(1)
        feed(tick(60_000))
        yield* TestClock.adjust("1 second")
        const first = yield* Fiber.join(call)
        assert.deepStrictEqual(first, new SessionExpired({ session: session.id, outcome: "unknown" }))
        const second = yield* Effect.flip(session.propose(1))
        assert.deepStrictEqual(second, new SessionExpired({ session: session.id, outcome: "not_applied" }))
        assert.strictEqual(replica.state().count, 1)
      })
  )

  it.scoped("learns from the sign of life that its session is over, and stops giving any", () =>
    Effect.gen(function* () {
      const { client, feed, ofKind } = yield* makeGroup
      yield* client.openSession({ timeout: "3 seconds" })
      feed(tick(60_000))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(ofKind("KeepAlive").length, 1)
    })
  )

  it.scoped("costs whoever closes it a second at most, where the group does not answer", () =>
    Effect.gen(function* () {
      const { replica } = yield* makeGroup
      const log = makeLog()
      let isDead = false
      const client = MachineClient.make(counter, {
        propose: payload =>
          Effect.suspend(() => {
            log.append(payload)
            return isDead ? Effect.never : Effect.succeed(log.follow(replica)[0] ?? new Uint8Array(0))
          })
      })
      const scope = yield* Scope.make()
      yield* client.openSession().pipe(Scope.extend(scope))
      isDead = true
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* TestClock.adjust(999)
      assert.isTrue(Option.isNone(yield* Fiber.poll(closing)))
      yield* TestClock.adjust(1)
      assert.isTrue(Option.isSome(yield* Fiber.poll(closing)))
    })
  )

  it.scoped("cannot open a session where there are too many", () =>
    Effect.gen(function* () {
      const { client, feed } = yield* makeGroup
      feed(...Array.from({ length: sessionsMax }, () => register(0, 86_400_000)))
      assert.instanceOf(yield* whileTimePasses(Effect.flip(client.openSession())), SessionsExhausted)
    })
  )
})

describe("a machine's client without a session", () => {
  it.scoped("proposes once: what it cannot know it says", () =>
    Effect.gen(function* () {
      const { client, fates, ofKind } = yield* makeGroup
      fates.push("applied, unanswered")
      assert.instanceOf(yield* Effect.flip(client.propose(1)), ProposalUnknown)
      assert.strictEqual(yield* client.propose(1), 2)
      assert.strictEqual(ofKind("Command").length, 2)
    })
  )

  it.scoped("stamps a command with the time of its own clock, before the log", () =>
    Effect.gen(function* () {
      const { client, replica } = yield* makeGroup
      yield* TestClock.adjust(1_234)
      yield* client.propose(1)
      assert.strictEqual(replica.timeMillis(), 1_234)
    })
  )

  it.scoped("sends no command that its own schema or the limit on its size refuses", () =>
    Effect.gen(function* () {
      const { client, ofKind } = yield* makeGroup
      const refused = yield* Effect.flip(client.propose(0.5))
      assert.deepInclude(refused, { _tag: "CommandRefused", reason: "unreadable" })
      assert.match(refused.message, /unreadable: .*an integer, actual 0\.5/s)
      const unkept = Machine.make({
        command: Schema.Union(Schema.DateFromSelf, Schema.BigIntFromSelf),
        reply: Schema.Void,
        state: Schema.Void,
        initial: undefined,
        apply: () => Machine.reply(undefined, undefined)
      })
      for (const command of [new Date(0), 1n]) {
        const error = yield* Effect.flip(
          MachineClient.make(unkept, { propose: () => Effect.dieMessage("it was sent") }).propose(command)
        )
        assert.match(error.message, /unreadable: as JSON it cannot be read back/)
      }
      const texts = Machine.make({
        command: Schema.String,
        reply: Schema.Void,
        state: Schema.Void,
        initial: undefined,
        apply: () => Machine.reply(undefined, undefined)
      })
      const large = MachineClient.make(texts, { propose: () => Effect.dieMessage("it was sent") }).propose(
        "x".repeat(1024 * 1024)
      )
      assert.deepStrictEqual(yield* Effect.flip(large), new CommandRefused({ reason: "command_too_large" }))
      assert.strictEqual(ofKind("Command").length, 0)
    })
  )

  it.scoped("asks for an upgrade, and is told which version is in force where it is another", () =>
    Effect.gen(function* () {
      const second = Machine.nextVersion(counter, {
        command: Schema.Int,
        reply: Schema.Int,
        state: Schema.Int,
        upgrade: ({ count }) => count,
        apply: (by, count) => Machine.reply(count - by, count - by)
      })
      const replica = yield* MachineReplica.make(second)
      const log = makeLog()
      const client = MachineClient.make(second, {
        propose: payload =>
          Effect.sync(() => {
            log.append(payload)
            return log.follow(replica)[0] ?? new Uint8Array(0)
          })
      })
      assert.strictEqual(yield* client.propose(5), 5)
      yield* client.upgrade({ from: 1, to: 2 })
      assert.strictEqual(yield* client.propose(5), 0)
      assert.deepStrictEqual(
        yield* Effect.flip(client.upgrade({ from: 1, to: 2 })),
        new VersionConflict({ from: 1, to: 2, effective: 2 })
      )
      assert.deepStrictEqual(
        yield* Effect.flip(client.upgrade({ from: 2, to: 3 })),
        new VersionUnsupported({ version: 3, supported: 2 })
      )
    })
  )
})
