import { assert, describe, it } from "@effect/vitest"
import { LogEntry, type Message, RaftCore } from "@reckon/raft"
import * as fc from "fast-check"
import { conflict, heartbeatReply, Member, matched } from "./member.js"

const sum = (inflight: ReadonlyArray<RaftCore.Inflight>): number =>
  inflight.reduce((total, { bytes }) => total + bytes, 0)

const appends = (outputs: ReadonlyArray<RaftCore.Output>, to: string): ReadonlyArray<Message.AppendEntries> =>
  outputs.flatMap(output => {
    const message = output._tag === "Send" || output._tag === "SendAfterPersist" ? output.message : undefined
    return message?._tag === "AppendEntries" && message.to === to ? [message] : []
  })

const bytesOf = (messages: ReadonlyArray<Message.AppendEntries>): number =>
  messages.flatMap(({ entries }) => entries).reduce((total, entry) => total + LogEntry.sizeBytes(entry), 0)

/** A member that keeps book of what its core reads. */
class Reader extends Member {
  readBytes = 0
  override readonly view = (): RaftCore.LogView => {
    const { log } = this
    return {
      firstIndex: 1,
      lastIndex: log.length,
      term: index => log[index - 1]?.term ?? 0,
      entries: (from, to, bytesMax) => {
        const found: Array<LogEntry.LogEntry> = []
        let bytes = 0
        for (let at = from; at <= to; at++) {
          const entry = log[at - 1]
          if (entry === undefined) break
          bytes += LogEntry.sizeBytes(entry)
          if (found.length > 0 && bytes > bytesMax) break
          found.push(entry)
        }
        this.readBytes += found.reduce((total, entry) => total + LogEntry.sizeBytes(entry), 0)
        return found
      }
    }
  }
}

describe("flow: proposals", () => {
  it("a burst is one write, whatever its length, and one message to a follower as far as that goes", () => {
    const member = new Member().lead()
    const proposals = Array.from({ length: 1_000 }, (_, id) => ({ id, payload: new Uint8Array(100) }))
    const outputs = member.raw({ _tag: "Propose", proposals })
    const writes = outputs.filter(output => output._tag === "Persist")
    assert.deepStrictEqual(
      writes.map(({ entries }) => entries.length),
      [1_000]
    )
    assert.lengthOf(appends(outputs, "b"), 1)
  })

  it("what is refused leaves no trace", () => {
    const member = new Member({ options: { uncommittedBytesMax: 100 } }).lead()
    member.propose(1, 2)
    const { uncommitted, uncommittedBytes } = member.state
    assert.deepStrictEqual(member.propose(3, 4, 5), ["Refused 3 4 5 overloaded leader=a"])
    assert.deepStrictEqual(
      { uncommitted: member.state.uncommitted, uncommittedBytes: member.state.uncommittedBytes },
      { uncommitted, uncommittedBytes }
    )
  })

  it("what is uncommitted when a leader steps down does not count when it leads again", () => {
    const member = new Member({ options: { uncommittedBytesMax: 100 } }).lead()
    member.propose(1, 2)
    member.receive(heartbeatReply("b", 5, 0))
    assert.strictEqual(member.state.uncommittedBytes, 0)
    member.lead(false)
    assert.strictEqual(member.state.uncommittedBytes, 0)
    assert.include(member.propose(3, 4).join(), "Appended 3@")
  })
})

// -----------------------------------------------------------------------------
// conservation
// -----------------------------------------------------------------------------

const limits = {
  appendBytesMax: 200,
  appendEntriesMax: 4,
  inflightMessagesMax: 3,
  inflightBytesMax: 300,
  uncommittedBytesMax: 1_000
}
const payloadMax = 150
const entryMax = payloadMax + LogEntry.overheadBytes

type DeedName = "propose" | "match" | "doubt" | "live" | "sync" | "tick" | "depose" | "cut"
type Deed = readonly [DeedName, number, number]

const deeds: fc.Arbitrary<ReadonlyArray<Deed>> = fc.array(
  fc.tuple(
    fc.constantFrom<DeedName>(
      "propose",
      "propose",
      "match",
      "match",
      "match",
      "doubt",
      "live",
      "sync",
      "sync",
      "tick",
      "depose",
      "depose",
      "cut",
      "cut"
    ),
    fc.nat(1_000),
    fc.nat(1_000)
  ),
  { maxLength: 80, size: "max" }
)

/** What is done to the leader, and what it says to that. Nobody claims what was never sent. */
const act = (member: Member, [deed, first, second]: Deed): ReadonlyArray<RaftCore.Output> => {
  const { state } = member
  const from = first % 2 === 0 ? "b" : "c"
  const matchIndex = state.progress.find(({ id }) => id === from)?.matchIndex ?? 0
  const between = matchIndex + (second % (state.lastIndex - matchIndex + 1))
  switch (deed) {
    case "propose": {
      const payload = new Uint8Array(second % payloadMax)
      return member.raw({
        _tag: "Propose",
        proposals: Array.from({ length: 1 + (first % 6) }, (_, id) => ({ id, payload }))
      })
    }
    case "match":
      return member.raw({ _tag: "Receive", message: matched(from, state.term, between) })
    case "doubt":
      return member.raw({ _tag: "Receive", message: conflict(from, state.term, between, [matchIndex, state.term]) })
    case "live":
      return member.raw({ _tag: "Receive", message: heartbeatReply(from, state.term, 0) })
    case "sync":
      member.sync()
      return []
    case "tick":
      return member.raw(RaftCore.tick)
    case "depose":
      if (second % 4 > 0) return []
      member.receive(heartbeatReply(from, state.term + 1, 0))
      member.lead(false)
      return []
    case "cut":
      if (state.applyIndex > member.base.index) member.compact(state.applyIndex)
      return []
  }
}

const check = ({ state }: Member, outputs: ReadonlyArray<RaftCore.Output>): void => {
  assert.strictEqual(state.uncommittedBytes, sum(state.uncommitted))
  assert.isAtMost(state.uncommittedBytes, Math.max(limits.uncommittedBytesMax, 6 * entryMax))
  assert.isTrue(state.uncommitted.every(({ lastIndex }) => lastIndex > state.commitIndex))
  for (const { id, inflight, inflightBytes, matchIndex, phase } of state.progress) {
    assert.strictEqual(inflightBytes, sum(inflight))
    assert.isAtMost(inflight.length, limits.inflightMessagesMax)
    assert.isBelow(inflightBytes, limits.inflightBytesMax + Math.max(limits.appendBytesMax, entryMax))
    assert.isTrue(inflight.every(({ lastIndex }) => lastIndex > matchIndex))
    if (phase !== "replicate") assert.deepStrictEqual(inflight, [])
    const sent = appends(outputs, id).filter(({ entries }) => entries.length > 0)
    // while it is not known where the logs agree, one question at a time
    assert.isAtMost(sent.length, phase === "replicate" ? limits.inflightMessagesMax : phase === "probe" ? 1 : 0)
    for (const message of sent) {
      assert.isAtMost(message.entries.length, limits.appendEntriesMax)
      assert.isAtMost(bytesOf([message]), Math.max(limits.appendBytesMax, entryMax))
    }
  }
}

/** Lets a history happen, and all be answered after it. How often each situation was met. */
const play = (history: ReadonlyArray<Deed>) => {
  const met = { probe: 0, replicate: 0, snapshot: 0, full: 0, refused: 0 }
  const member = new Member({ options: limits }).lead()
  for (const deed of history) {
    const outputs = act(member, deed)
    check(member, outputs)
    for (const { inflight, phase } of member.state.progress) {
      met[phase] += 1
      if (inflight.length === limits.inflightMessagesMax) met.full += 1
    }
    if (outputs.some(output => output._tag === "ProposalsRefused")) met.refused += 1
  }
  member.sync()
  const isOwed = () => member.state.progress.some(({ inflight, phase }) => inflight.length > 0 || phase !== "replicate")
  for (let round = 0; round < 50 && isOwed(); round++) {
    for (const from of ["b", "c"]) member.receive(matched(from, member.state.term, member.state.lastIndex))
  }
  const { commitIndex, lastIndex, progress, uncommittedBytes } = member.state
  assert.deepStrictEqual([uncommittedBytes, commitIndex], [0, lastIndex])
  assert.deepStrictEqual(
    progress.map(({ inflightBytes }) => inflightBytes),
    [0, 0]
  )
  return met
}

describe("flow: what goes in comes out", () => {
  it("windows and counters keep their limits in all phases, and are empty when all is answered", () => {
    fc.assert(
      fc.property(deeds, history => void play(history)),
      { numRuns: 300 }
    )
  })

  it("such histories meet all phases, full windows and refusals", () => {
    const all = fc.sample(deeds, { numRuns: 300, seed: 1 }).map(play)
    for (const what of ["probe", "replicate", "snapshot", "full", "refused"] as const) {
      assert.isAbove(
        all.reduce((total, met) => total + met[what], 0),
        20,
        what
      )
    }
  })
})

// -----------------------------------------------------------------------------
// one that is far behind
// -----------------------------------------------------------------------------

describe("flow: catching up", () => {
  const behind = 100_000
  const payload = new Uint8Array(1_000)
  const log = Array.from({ length: behind }, (_, at) => LogEntry.command(at + 1, 1, payload))

  /** A leader that one follower is level with, while the other has nothing. */
  const leader = (): Reader => {
    const member = new Reader({ log, term: 1, applied: behind }).lead(false)
    member.receive(matched("c", 2, behind + 1))
    member.raw({ _tag: "Receive", message: conflict("b", 2, behind, [0, 0]) })
    return member
  }

  it("a follower far behind costs each step two messages' worth of reading, and its answers do the rest", () => {
    const member = leader()
    const { appendBytesMax } = member.state.options
    let last = member.state.progress[0]?.nextIndex ?? 0
    let steps = 0
    for (const waiting: Array<number> = [1]; waiting.length > 0; steps++) {
      const match = waiting.shift() ?? 0
      member.readBytes = 0
      const outputs = member.raw({ _tag: "Receive", message: matched("b", 2, match) })
      assert.isAtMost(member.readBytes, 2 * appendBytesMax)
      for (const { entries, prevIndex } of appends(outputs, "b")) {
        last = prevIndex + entries.length
        waiting.push(last)
      }
    }
    assert.strictEqual(last, member.state.lastIndex)
    // no answer was without use: the follower is fed as fast as it answers
    assert.isAtMost(steps, Math.ceil((behind * 1_032) / (appendBytesMax - 1_032)) + 2)
  })

  it("its window fills: it does not remain one message at a time", () => {
    const member = leader()
    for (let match = 1; match < 40_000; ) {
      const outputs = member.raw({ _tag: "Receive", message: matched("b", 2, match) })
      match = Math.max(match + 1, member.state.progress[0]?.inflight[0]?.lastIndex ?? 0, appends(outputs, "b").length)
    }
    const [progress] = member.state.progress
    const { inflightBytesMax, inflightMessagesMax } = member.state.options
    const isFull =
      progress?.inflight.length === inflightMessagesMax || (progress?.inflightBytes ?? 0) >= inflightBytesMax
    assert.isTrue(isFull)
  })

  it("the others get what is new in the same step, and it commits without the one that is behind", () => {
    const member = leader()
    member.raw({ _tag: "Receive", message: matched("b", 2, 1) })
    for (let id = 1; id <= 50; id++) {
      member.readBytes = 0
      const outputs = member.raw({ _tag: "Propose", proposals: [{ id, payload }] })
      assert.strictEqual(bytesOf(appends(outputs, "c")), 1_032)
      assert.isAtMost(member.readBytes, 2 * member.state.options.appendBytesMax)
      member.sync()
      member.receive(matched("c", 2, member.state.lastIndex))
      assert.strictEqual(member.state.commitIndex, member.state.lastIndex)
    }
    assert.isBelow(member.state.progress[0]?.nextIndex ?? 0, behind)
  })

  it("a heartbeat still goes to all in its tick", () => {
    const member = leader()
    member.raw({ _tag: "Receive", message: matched("b", 2, 1) })
    member.readBytes = 0
    assert.deepStrictEqual(
      member.ticks(1).map(output => output.split(" ")[0]),
      ["Heartbeat→b", "Heartbeat→c"]
    )
    assert.strictEqual(member.readBytes, 0)
  })
})
