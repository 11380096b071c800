import { assert, describe, it } from "@effect/vitest"
import * as RaftCore from "@reckon/raft/RaftCore"
import { heartbeat, heartbeatReply, Member, matched } from "./member.js"

const reads = (outputs: ReadonlyArray<string>): ReadonlyArray<string> =>
  outputs.filter(output => output.startsWith("Read"))

describe("Raft §6.4, linearizable reads", () => {
  it("notes the index, sends a round, and is ready when a majority answered it", () => {
    const member = new Member().lead()
    assert.deepStrictEqual(member.read(1), [
      "Heartbeat→b term=1 commit=1 round=1",
      "Heartbeat→c term=1 commit=1 round=1"
    ])
    assert.deepStrictEqual(member.receive(heartbeatReply("b", 1, 1)), ["ReadReady 1@1"])
    assert.deepStrictEqual(member.receive(heartbeatReply("c", 1, 1)), [])
  })

  it("is ready at the index of its arrival, whatever is committed meanwhile", () => {
    const member = new Member().lead()
    member.read(1)
    member.propose(9)
    member.sync()
    member.receive(matched("c", 1, 2))
    assert.strictEqual(member.state.commitIndex, 2)
    assert.deepStrictEqual(reads(member.receive(heartbeatReply("b", 1, 1))), ["ReadReady 1@1"])
  })

  it("an answer to entries that were sent after it confirms it as well", () => {
    const member = new Member().lead()
    member.read(1)
    member.propose(9)
    assert.deepStrictEqual(reads(member.receive(matched("b", 1, 2, 1))), ["ReadReady 1@1"])
  })

  it("reads that arrive while a round is under way share the next", () => {
    const member = new Member().lead()
    member.read(1)
    assert.deepStrictEqual(member.read(2), [])
    assert.deepStrictEqual(member.read(3), [])
    assert.deepStrictEqual(member.receive(heartbeatReply("b", 1, 1)), [
      "ReadReady 1@1",
      "Heartbeat→b term=1 commit=1 round=2",
      "Heartbeat→c term=1 commit=1 round=2"
    ])
    assert.deepStrictEqual(member.receive(heartbeatReply("c", 1, 2)), ["ReadReady 2@1", "ReadReady 3@1"])
  })

  it("a round that was lost is overtaken by the next heartbeat", () => {
    const member = new Member().lead()
    member.read(1)
    member.read(2)
    assert.deepStrictEqual(member.ticks(1), [
      "Heartbeat→b term=1 commit=1 round=2",
      "Heartbeat→c term=1 commit=1 round=2"
    ])
    assert.deepStrictEqual(member.receive(heartbeatReply("b", 1, 2)), ["ReadReady 1@1", "ReadReady 2@1"])
  })

  it("a group of one is its own majority", () => {
    const member = new Member({ voters: ["a"] }).lead()
    assert.deepStrictEqual(member.read(1), ["ReadReady 1@1"])
  })

  it("a follower refuses and names the leader", () => {
    const member = new Member()
    member.receive(heartbeat("c", 1))
    assert.deepStrictEqual(member.read(1), ["ReadRefused 1 not_leader leader=c"])
  })

  it("a leader that steps down refuses all it holds", () => {
    const member = new Member().lead()
    member.read(1)
    member.read(2)
    assert.deepStrictEqual(reads(member.receive(heartbeatReply("b", 4, 0))), [
      "ReadRefused 1 not_leader leader=-",
      "ReadRefused 2 not_leader leader=-"
    ])
  })

  it("a leader holds so many and refuses the rest", () => {
    const member = new Member({ options: { pendingReadsMax: 2 } }).lead()
    member.read(1)
    member.read(2)
    assert.deepStrictEqual(member.read(3), ["ReadRefused 3 overloaded leader=a"])
  })
})

describe("a read that asks nobody", () => {
  const indexAt = (member: Member) => RaftCore.readIndexAlone(member.state)

  it("is ready at the only voter's commit index", () => {
    const member = new Member({ voters: ["a"] }).lead()
    assert.strictEqual(indexAt(member), 1)
    member.propose(9)
    assert.strictEqual(indexAt(member), 1)
    member.sync()
    assert.strictEqual(indexAt(member), 2)
  })

  it("is not served before the only voter has committed in its own term", () => {
    const member = new Member({ voters: ["a"], terms: [1, 1], term: 1, applied: 1 })
    assert.isUndefined(indexAt(member))
    member.feed({ _tag: "Campaign" })
    member.sync()
    assert.strictEqual(member.state.role, "leader")
    assert.isUndefined(indexAt(member))
    member.sync()
    assert.strictEqual(indexAt(member), 3)
  })

  it("is not served where another one votes, nor from the moment on in which one is to", () => {
    assert.isUndefined(indexAt(new Member().lead()))
    const member = new Member({ voters: ["a"] }).lead()
    member.change(1, "Add", "b")
    member.sync()
    assert.strictEqual(indexAt(member), 2)
    member.receive(matched("b", 1, 2))
    assert.deepStrictEqual(RaftCore.configuration(member.state).voters, ["a", "b"])
    assert.isUndefined(indexAt(member))
  })

  it("is not served by the only voter once it has heard of a later term", () => {
    const member = new Member({ voters: ["a"] }).lead()
    member.receive(heartbeat("b", 7))
    assert.isUndefined(indexAt(member))
  })
})

describe("bugs of others: reads (§4.5)", () => {
  it("none is served before the leader has committed in its own term", () => {
    const member = new Member({ terms: [1, 1], term: 1, applied: 1 }).lead(false)
    assert.deepStrictEqual(member.read(1), [])
    assert.deepStrictEqual(reads(member.receive(heartbeatReply("b", 2, 0))), [])
    assert.deepStrictEqual(member.receive(matched("b", 2, 3)), [
      "Commit 3",
      "Heartbeat→b term=2 commit=3 round=0",
      "Heartbeat→b term=2 commit=3 round=1",
      "Heartbeat→c term=2 commit=0 round=1"
    ])
    assert.deepStrictEqual(member.receive(heartbeatReply("c", 2, 1)).slice(0, 1), [
      "AppendEntries→c term=2 prev=2/1 [3/2] commit=3"
    ])
    assert.strictEqual(member.state.reads.length, 0)
  })

  it("answers to an older round confirm nothing newer", () => {
    const member = new Member().lead()
    member.read(1)
    member.receive(heartbeatReply("b", 1, 1))
    member.read(2)
    assert.deepStrictEqual(reads(member.receive(heartbeatReply("c", 1, 1))), [])
    assert.deepStrictEqual(reads(member.receive(heartbeatReply("c", 1, 2))), ["ReadReady 2@1"])
  })

  it("answers of an older term confirm nothing", () => {
    const member = new Member({ term: 1 }).lead()
    member.read(1)
    assert.deepStrictEqual(member.receive(heartbeatReply("b", 1, 1)), [])
    assert.strictEqual(member.state.reads.length, 1)
  })

  it("the answer that tells an old leader of a new term confirms no round of the new one", () => {
    const member = new Member({ term: 4 })
    assert.deepStrictEqual(member.receive(heartbeat("b", 3, 0, 8)), ["HeartbeatReply→b term=4 round=0"])
  })

  it("rounds go on counting over terms, so none is asked twice", () => {
    const member = new Member().lead()
    member.read(1)
    member.receive(heartbeatReply("b", 2, 0))
    member.lead()
    member.read(2)
    assert.strictEqual(member.state.round, 2)
  })

  it("one majority member twice is no majority", () => {
    const member = new Member({ voters: ["a", "b", "c", "d", "e"] }).lead()
    member.read(1)
    member.receive(heartbeatReply("b", 1, 1))
    assert.deepStrictEqual(reads(member.receive(heartbeatReply("b", 1, 1))), [])
    assert.deepStrictEqual(reads(member.receive(heartbeatReply("d", 1, 1))), ["ReadReady 1@1"])
  })
})
