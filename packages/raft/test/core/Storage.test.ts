import { assert, describe, it } from "@effect/vitest"
import { LogEntry, Message, RaftCore } from "@reckon/raft"
import * as Schema from "effect/Schema"
import { appendEntries, heartbeat, installSnapshot, Member, matched, requestVote, snapshotAt } from "./member.js"

const view = (member: Member): RaftCore.LogView => ({
  firstIndex: 1,
  lastIndex: member.log.length,
  term: index => member.log[index - 1]?.term ?? 0,
  entries: (from, to) => member.log.slice(from - 1, to)
})

describe("what is durable", () => {
  it("tokens count up, one a step that writes", () => {
    const member = new Member().lead()
    assert.strictEqual(member.propose(1)[0], "Persist#3 2/1")
    assert.strictEqual(member.propose(2)[0], "Persist#4 3/1")
    assert.strictEqual(
      member.ticks(1).find(output => output.startsWith("Persist")),
      undefined
    )
  })

  it("one completion stands for all before it, a second of the same says nothing new", () => {
    const member = new Member({ term: 1 })
    member.receive(appendEntries("b", 1, [0, 0], [1]))
    member.receive(appendEntries("b", 1, [1, 1], [1]))
    member.persisted(2, 2)
    assert.strictEqual(member.state.durableIndex, 2)
    const before = member.state
    assert.deepStrictEqual(member.persisted(1, 1), [])
    assert.deepStrictEqual(member.state, before)
  })

  it("an acknowledgement of entries still under way waits for the newest write", () => {
    const member = new Member({ term: 1 })
    member.receive(appendEntries("b", 1, [0, 0], [1]))
    assert.deepStrictEqual(member.receive(appendEntries("b", 1, [0, 0], [1])), ["after#1 AppendReply→b term=1 match=1"])
    member.sync()
    assert.deepStrictEqual(member.receive(appendEntries("b", 1, [0, 0], [1])), ["AppendReply→b term=1 match=1"])
  })

  it("a term is shown to nobody before it is durable", () => {
    const member = new Member()
    member.receive(requestVote("b", 3, [0, 0]))
    assert.deepStrictEqual(member.receive(heartbeat("b", 3)).slice(1), ["after#1 HeartbeatReply→b term=3 round=0"])
  })

  it("two cuts under way: nothing vouches beyond the lower one until the later is durable", () => {
    const member = new Member({ terms: [1, 1, 1, 1, 1], term: 1 })
    member.receive(appendEntries("b", 2, [1, 1], [2, 2, 2]))
    member.receive(appendEntries("c", 3, [3, 2], [3]))
    assert.strictEqual(member.state.durableIndex, 1)
    member.persisted(1, 4)
    assert.strictEqual(member.state.durableIndex, 1)
    member.persisted(2, 4)
    assert.strictEqual(member.state.durableIndex, 4)
  })

  it("a leader that writing held up for longer than an election time-out commits what it can, and leads no more", () => {
    const heldUp = (ticks: number, voters = ["a", "b", "c"]) => {
      const member = new Member({ voters }).lead()
      member.propose(1)
      for (const from of voters.slice(1)) member.receive(matched(from, member.state.term, member.state.lastIndex))
      const { issuedToken, lastIndex } = member.state
      member.persisted(issuedToken, lastIndex, ticks)
      return [member.state.role, member.state.commitIndex === lastIndex]
    }
    assert.deepStrictEqual(heldUp(10), ["leader", true])
    assert.deepStrictEqual(heldUp(11), ["follower", true])
    assert.deepStrictEqual(heldUp(1_000, ["a"]), ["leader", true])
    const follower = new Member({ term: 1 })
    follower.receive(appendEntries("b", 1, [0, 0], [1]))
    follower.persisted(1, 1, 1_000)
    assert.strictEqual(follower.state.leader, "b")
  })

  it("a completion of what was never asked for is a defect", () => {
    assert.throws(() => new Member().persisted(1, 1), /token=1 issuedToken=0/)
  })

  it("a log that is not the one the core accepted is a defect", () => {
    const member = new Member({ terms: [1, 1], term: 1 })
    member.log.pop()
    assert.throws(() => member.ticks(1), /lastIndex=2 logLastIndex=1/)
  })
})

describe("a step", () => {
  it("changes neither its state nor anything in it", () => {
    const freeze = <A>(value: A): A => {
      if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
        Object.freeze(value)
        Object.values(value).forEach(freeze)
      }
      return value
    }
    const member = new Member().lead()
    const inputs: ReadonlyArray<RaftCore.Input> = [
      { _tag: "Propose", proposals: [{ id: 1, payload: new Uint8Array(0) }] },
      { _tag: "ReadIndex", id: 1 },
      RaftCore.tick,
      { _tag: "ChangeMembership", id: 1, change: { _tag: "Remove", member: "b" } },
      { _tag: "TransferLeadership", id: 1, target: "c" },
      { _tag: "SnapshotFailed", to: "b", term: 1 },
      { _tag: "Receive", message: heartbeat("b", 4) },
      { _tag: "Receive", message: installSnapshot("b", 4, snapshotAt(9, 4)) }
    ]
    for (const input of inputs) {
      const before = freeze(member.state)
      const once = RaftCore.step(before, input, view(member))
      assert.deepStrictEqual(RaftCore.step(before, input, view(member)), once)
      member.feed(input)
      assert.deepStrictEqual(member.state, once.state)
    }
  })

  it.each([
    [{ electionTicks: 1, heartbeatTicks: 1 }, /heartbeats come more often/],
    [{ appendBytesMax: 0 }, /appendBytesMax is a positive integer/],
    [{ electionTicks: 1.5 }, /electionTicks is a positive integer/]
  ])("is not taken with the options %j", (options, message) => {
    assert.throws(() => new Member({ options }), message)
  })
})

describe("messages", () => {
  const decode = Schema.decodeUnknownOption(Message.Message)
  const message = appendEntries("b", 2, [1, 1], [1, 2])

  it("survive their codec", () => {
    const encoded = Schema.encodeSync(Message.Message)(message)
    assert.deepStrictEqual(Schema.decodeUnknownSync(Message.Message)(encoded), message)
  })

  it.each([
    ["a gap", { ...message, prevIndex: 0 }],
    ["terms that fall", { ...message, entries: [LogEntry.noop(2, 2), LogEntry.noop(3, 1)] }],
    ["a configuration that is none", { ...message, entries: [{ ...LogEntry.noop(2, 1), kind: "configuration" }] }],
    [
      "a name twice in a configuration",
      {
        ...message,
        entries: [LogEntry.configuration(2, 1, { voters: ["a"], learners: [], removed: [] })].map(entry => ({
          ...entry,
          payload: new TextEncoder().encode('{"voters":["a"],"learners":["a"],"removed":[]}')
        }))
      }
    ],
    ["entries of a later term than the sender", { ...message, term: 1 }],
    ["a negative index", { ...message, commit: -1 }],
    ["no sender", { ...message, from: "" }]
  ])("with %s do not decode", (_, broken) => {
    assert.strictEqual(decode(broken)._tag, "None")
  })
})
