import { assert, describe, it } from "@effect/vitest"
import { LogEntry, type Message } from "@reckon/raft"
import * as RaftLog from "@reckon/raft/RaftLog"
import * as RaftTransport from "@reckon/raft/RaftTransport"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { makeDriver } from "./helpers/driver.js"

/** A member of three, and in one list what it sent and when its log was synced. */
const makeMember = Effect.gen(function* () {
  const seen: Array<string> = []
  const disk = { fails: false }
  const log = yield* RaftLog.make({ filename: ":memory:" })
  const network = yield* RaftTransport.makeNetwork
  const { driver, queue, work } = yield* makeDriver({
    voters: ["a", "b", "c"],
    log: {
      ...log,
      flush: () => {
        if (disk.fails) throw new Error("the disk failed")
        log.flush()
        seen.push("synced")
      }
    },
    transport: {
      ...network.transport("a"),
      send: (_, message) => {
        seen.push(`${message._tag} to ${message.to}`)
      }
    }
  })
  /** Handles the message, and nothing that this puts into the queue. */
  const hear = (...messages: ReadonlyArray<Message.Message>) =>
    Effect.suspend(() => {
      driver.receive(messages)
      const input = queue.pop()
      return input === undefined ? Effect.dieMessage("the message was not taken") : driver.handle(input)
    })
  return { disk, hear, queue, seen, work }
})

const asksForVote: Message.Message = {
  _tag: "RequestVote",
  from: "b",
  to: "a",
  term: 1,
  askedTerm: 1,
  lastIndex: 0,
  lastTerm: 0,
  transfer: false
}

/** The entry at an index of the first term, sent by its leader. */
const sends = (index: number): Message.Message => ({
  _tag: "AppendEntries",
  from: "b",
  to: "a",
  term: 1,
  prevIndex: index - 1,
  prevTerm: Math.min(index - 1, 1),
  entries: [LogEntry.noop(index, 1)],
  commit: 0,
  round: 0
})

describe("what rests on a write", () => {
  it.scoped("leaves when it is synced: a vote", () =>
    Effect.gen(function* () {
      const { hear, seen, work } = yield* makeMember
      yield* hear(asksForVote)
      assert.deepStrictEqual(seen, [])
      yield* work
      assert.deepStrictEqual(seen, ["synced", "VoteReply to b"])
    })
  )

  it.scoped("leaves when it is synced: acknowledgements, of one write and of the next before it, with one sync", () =>
    Effect.gen(function* () {
      const { hear, seen, work } = yield* makeMember
      yield* hear(sends(1), sends(2))
      yield* hear(sends(3))
      assert.deepStrictEqual(seen, [])
      yield* work
      assert.deepStrictEqual(seen, ["synced", "AppendReply to b", "AppendReply to b", "AppendReply to b"])
    })
  )

  it.scoped("never leaves where the sync fails, and the process ends with it", () =>
    Effect.gen(function* () {
      const { disk, hear, seen, work } = yield* makeMember
      yield* hear(asksForVote)
      disk.fails = true
      const exit = yield* Effect.exit(work)
      assert.isTrue(Exit.isFailure(exit))
      assert.deepStrictEqual(seen, [])
    })
  )
})

describe("a leader whose sync holds it up", () => {
  it.scoped.each([
    [900, "leader"],
    [1_100, "follower"]
  ] as const)("for %i ms, of the 1,000 of an election, is a %s after it", ([millis, role]) =>
    Effect.gen(function* () {
      const time = { millis: 0, sync: 0 }
      const { currentTimeMillis, currentTimeNanos, sleep } = yield* Effect.clock
      const clock: Clock.Clock = {
        [Clock.ClockTypeId]: Clock.ClockTypeId,
        currentTimeMillis,
        currentTimeNanos,
        sleep,
        unsafeCurrentTimeMillis: () => time.millis,
        unsafeCurrentTimeNanos: () => BigInt(time.millis) * 1_000_000n
      }
      const log = yield* RaftLog.make({ filename: ":memory:" })
      const flush = () => {
        time.millis += time.sync
        log.flush()
      }
      const { driver, lead, work } = yield* makeDriver({ voters: ["a", "b", "c"], clock, log: { ...log, flush } })
      yield* lead
      time.sync = millis
      driver.intake.current()?.propose(new Uint8Array(1), () => {})
      yield* work
      assert.strictEqual(driver.status().role, role)
    })
  )
})
