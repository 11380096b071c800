import { assert, describe, it } from "@effect/vitest"
import { type Message, RaftCore } from "@reckon/raft"
import * as RaftOptions from "@reckon/raft/RaftOptions"
import { heartbeat, heartbeatReply, Member, matched, preVote, requestVote, timeoutNow, voteReply } from "./member.js"

const leaseTicks = 7

/** A lease is at most seven ticks long where elections take ten. */
const options = { leaseTicks }

const leased = (init: ConstructorParameters<typeof Member>[0] = {}): Member =>
  // none may ask for an election before its promise from the start is over
  new Member({ ...init, options: { ...options, ...init.options } })

const free = (init: ConstructorParameters<typeof Member>[0] = {}): Member => {
  const member = leased(init)
  member.state = { ...member.state, promise: undefined }
  return member
}

const leader = (init: ConstructorParameters<typeof Member>[0] = {}): Member => free(init).lead()

const tick = (member: Member, elapsed?: number): ReadonlyArray<string> => member.feed({ _tag: "Tick", elapsed })

const read = (member: Member, elapsed?: number): ReadonlyArray<string> =>
  member.feed({ _tag: "ReadIndex", id: 1, elapsed })

const served = ["ReadReady 1@1"]

/** The leader sends the next round, and `from` answers it. */
const renew = (member: Member, ...from: ReadonlyArray<string>): Member => {
  tick(member)
  for (const id of from) member.receive(heartbeatReply(id, member.state.term, member.state.round))
  return member
}

const answerOf = (member: Member, message: Message.Message): string =>
  member.receive(message).find(output => output.includes("VoteReply") || output.includes("RequestVote")) ?? "silence"

describe("Raft §6.4.1, reads by lease: the leader", () => {
  it("answers at once while a majority has answered what it sent lately", () => {
    const member = renew(leader(), "b")
    assert.deepStrictEqual(read(member), served)
    assert.deepStrictEqual(member.state.reads, [])
  })

  it("asks a majority where the option is off, which it is by default", () => {
    assert.strictEqual(RaftCore.defaults.leaseTicks, 0)
    const member = new Member().lead()
    member.ticks(1)
    member.receive(heartbeatReply("b", 1, member.state.round))
    assert.deepStrictEqual(read(member).slice(0, 1), ["Heartbeat→b term=1 commit=1 round=1"])
  })

  it("begins a round with each heartbeat", () => {
    const member = leader()
    assert.deepStrictEqual(member.ticks(2), [
      "Heartbeat→b term=1 commit=1 round=1",
      "Heartbeat→c term=1 commit=1 round=1",
      "Heartbeat→b term=1 commit=1 round=2",
      "Heartbeat→c term=1 commit=1 round=2"
    ])
  })

  it("counts from the tick in which it sent what was answered, not from the answer", () => {
    const member = leader()
    tick(member)
    const { round } = member.state
    member.ticks(leaseTicks - 1)
    member.receive(heartbeatReply("b", 1, round))
    assert.deepStrictEqual(read(member), served)
    tick(member)
    assert.notDeepEqual(read(member), served)
  })

  it("counts no answer twice: a copy of an old one renews nothing", () => {
    const member = renew(leader(), "b")
    const { round } = member.state
    for (let at = 0; at < leaseTicks; at++) {
      tick(member)
      member.receive(heartbeatReply("b", 1, round))
    }
    assert.notDeepEqual(read(member), served)
  })

  it("an answer to entries renews it as well", () => {
    const member = leader()
    tick(member)
    member.propose(9)
    member.receive(matched("b", 1, 2, member.state.round))
    assert.deepStrictEqual(read(member), served)
  })

  it("needs a majority of the voters: of five two more, learners apart", () => {
    const member = leader({ voters: ["a", "b", "c", "d", "e"] })
    renew(member, "b")
    assert.notDeepEqual(read(member), served)
    member.receive(heartbeatReply("c", 1, member.state.round))
    assert.deepStrictEqual(member.read(2), ["ReadReady 2@1"])
  })

  it("has none before it has committed in its term", () => {
    const member = free({ terms: [1], term: 1, applied: 1 }).lead(false)
    renew(member, "b")
    assert.deepStrictEqual(read(member), [])
  })

  it("ages by the time that has really passed", () => {
    const paused = renew(leader(), "b")
    tick(paused, leaseTicks)
    assert.notDeepEqual(read(paused), served)
    const short = renew(leader(), "b")
    tick(short, leaseTicks - 1)
    assert.deepStrictEqual(read(short), served)
  })

  it("ages for a read that a held-up process comes to before its tick", () => {
    assert.deepStrictEqual(read(renew(leader(), "b"), leaseTicks), served)
    assert.notDeepEqual(read(renew(leader(), "b"), leaseTicks + 1), served)
  })

  it("ends with the role", () => {
    const member = renew(leader(), "b")
    member.receive(heartbeatReply("c", 2, 0))
    assert.deepStrictEqual(read(member), ["ReadRefused 1 not_leader leader=-"])
    assert.isUndefined(member.state.lease)
  })

  it("is not taken over into a later term", () => {
    const member = renew(leader(), "b", "c")
    member.receive(heartbeatReply("c", 2, 0))
    member.state = { ...member.state, promise: undefined }
    member.lead()
    assert.notDeepEqual(member.read(1), ["ReadReady 1@2"])
  })

  it("ends where a transfer begins, and does not come back when that is given up", () => {
    const member = renew(leader(), "b")
    member.transfer(7, "c")
    assert.notDeepEqual(read(member), served)
    for (let at = 0; at < 30; at++) renew(member, "b", "c")
    assert.isUndefined(member.state.transfer)
    assert.strictEqual(member.state.role, "leader")
    assert.notDeepEqual(member.read(2).slice(0, 1), ["ReadReady 2@1"])
  })

  it("outlives a transfer that was refused", () => {
    const member = renew(leader(), "b")
    member.transfer(7, "x")
    assert.deepStrictEqual(read(member), served)
  })

  it("counts only what was sent since the membership changed", () => {
    const member = renew(leader(), "b", "c")
    member.change(2, "Remove", "c")
    assert.notDeepEqual(read(member), served)
    // an answer that was under way
    member.receive(heartbeatReply("b", 1, member.state.round - 1))
    assert.notInclude(member.read(2), "ReadReady 2@1")
    renew(member, "b")
    assert.deepStrictEqual(member.read(3), ["ReadReady 3@1"])
  })

  it("a learner's answers make none", () => {
    const member = leader()
    member.change(2, "Add", "d")
    for (let at = 0; at < leaseTicks; at++) renew(member, "d")
    assert.notDeepEqual(read(member), served)
  })

  it("keeps the rounds of one lease and no more, however many reads there are", () => {
    const member = leader()
    for (let at = 0; at < 100; at++) {
      tick(member)
      for (let id = 0; id < 5; id++) member.read(at * 5 + id)
    }
    assert.isAtMost(member.state.lease?.rounds.length ?? 0, leaseTicks + 1)
  })

  it("a group of one needs none", () => {
    assert.deepStrictEqual(read(leader({ voters: ["a"] }), 1_000), served)
  })

  it("no follower has one: it refuses, and names the leader", () => {
    const member = leased()
    member.receive(heartbeat("c", 1))
    assert.deepStrictEqual(read(member), ["ReadRefused 1 not_leader leader=c"])
  })
})

describe("reads by lease: what a voter promises", () => {
  const follower = (): Member => {
    const member = leased({ term: 1 })
    member.receive(heartbeat("b", 1, 0, 1))
    return member
  }

  it("votes for nobody else for an election time-out", () => {
    const member = follower()
    member.ticks(9)
    assert.include(answerOf(member, preVote("c", 1, 2, [0, 0])), "refused")
    assert.include(answerOf(member, requestVote("c", 2, [0, 0])), "refused")
    member.ticks(1)
    assert.include(answerOf(member, requestVote("c", 2, [0, 0])), "granted")
  })

  it("keeps it in a later term, where it has forgotten the leader", () => {
    const member = follower()
    member.receive(heartbeatReply("c", 5, 0))
    assert.deepStrictEqual([member.state.term, member.state.leader], [5, undefined])
    assert.include(answerOf(member, preVote("c", 5, 6, [0, 0])), "refused")
    assert.include(answerOf(member, requestVote("c", 5, [0, 0])), "refused")
    assert.include(answerOf(member, requestVote("c", 6, [0, 0])), "refused")
    assert.strictEqual(member.state.term, 5)
    member.ticks(9)
    assert.include(answerOf(member, requestVote("c", 6, [0, 0])), "refused")
    member.ticks(1)
    assert.include(answerOf(member, requestVote("c", 6, [0, 0])), "granted")
  })

  it("keeps it through a restart: who starts votes for nobody at first", () => {
    const member = leased({ term: 1 })
    assert.include(answerOf(member, preVote("c", 1, 2, [0, 0])), "refused")
    assert.include(answerOf(member, requestVote("c", 2, [0, 0])), "refused")
    member.ticks(9)
    assert.include(answerOf(member, requestVote("c", 2, [0, 0])), "refused")
    member.ticks(1)
    assert.include(answerOf(member, requestVote("c", 2, [0, 0])), "granted")
  })

  it("asks for no votes itself, whoever tells it to", () => {
    const member = follower()
    assert.deepStrictEqual(member.feed({ _tag: "Campaign" }), [])
    assert.strictEqual(member.state.role, "follower")
    member.ticks(10)
    member.feed({ _tag: "Campaign" })
    assert.strictEqual(member.state.role, "pre_candidate")
  })

  it("votes for the leader itself, which no longer leads when it asks", () => {
    assert.include(answerOf(follower(), requestVote("b", 2, [0, 0])), "granted")
  })

  it("votes for whom the leader sends forward, and goes when it is sent itself", () => {
    assert.include(answerOf(follower(), requestVote("c", 2, [0, 0], true)), "granted")
    assert.include(answerOf(follower(), timeoutNow("b", 1)), "RequestVote→b term=2")
  })

  it("is bound by nothing where the option is off", () => {
    const member = new Member({ term: 1 })
    member.receive(heartbeat("b", 1, 0, 1))
    assert.isUndefined(member.state.promise)
    assert.notDeepEqual(member.feed({ _tag: "Campaign" }), [])
  })

  it("becomes the leader of whom nobody made a promise any more", () => {
    const member = leased()
    member.timeOut()
    member.receive({ _tag: "PreVoteReply", from: "b", to: "a", term: 0, askedTerm: 1, granted: true })
    member.sync()
    assert.include(member.receive(voteReply("b", 1, 1)), "Role leader term=1 leader=a")
  })
})

describe("reads by lease: the option", () => {
  it.each([
    [{ leaseTicks: 8 }, "leaseTicksMax=7"],
    [{ leaseTicks: 1 }, "heartbeatTicks=1"],
    [{ leaseTicks: -1 }, "leaseTicks is a positive integer"],
    [{ leaseTicks: 2.5 }, "leaseTicks is a positive integer"],
    [{ leaseTicks: 4, electionTicks: 6 }, "leaseTicksMax=3"]
  ])("%o is refused", (wrong, part) => {
    assert.throws(() => RaftOptions.make(wrong), part)
  })

  it("is at most what the slowest of its voters keeps by the fastest of clocks", () => {
    for (let electionTicks = 5; electionTicks <= 100; electionTicks++) {
      const max = RaftOptions.leaseTicksMax(electionTicks)
      assert.isAtMost(max, (electionTicks - 2) * 0.9)
      assert.strictEqual(RaftOptions.make({ electionTicks, leaseTicks: max }).leaseTicks, max)
    }
  })
})
