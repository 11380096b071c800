import { assert, describe, it } from "@effect/vitest"
import {
  appendEntries,
  heartbeat,
  heartbeatReply,
  Member,
  matched,
  preVoteReply,
  requestVote,
  timeoutNow,
  voteReply
} from "./member.js"

const only = (outputs: ReadonlyArray<string>, part: string): ReadonlyArray<string> =>
  outputs.filter(output => output.includes(part))

describe("Raft §3.10, leadership transfer: the leader", () => {
  it("tells a target that has all of its log to ask for an election at once", () => {
    const member = new Member().lead()
    assert.deepStrictEqual(member.transfer(7, "b"), ["TimeoutNow→b term=1"])
  })

  it("brings a slow target up to its log first", () => {
    const member = new Member().lead()
    member.propose(1)
    assert.deepStrictEqual(member.transfer(7, "b"), [])
    assert.deepStrictEqual(only(member.receive(matched("c", 1, 2)), "TimeoutNow"), [])
    assert.deepStrictEqual(only(member.receive(matched("b", 1, 2)), "TimeoutNow"), ["TimeoutNow→b term=1"])
  })

  it("tells it again while it answers as a follower: the first word may be lost", () => {
    const member = new Member().lead()
    member.transfer(7, "b")
    assert.deepStrictEqual(member.receive(heartbeatReply("b", 1, 0)), ["TimeoutNow→b term=1"])
  })

  it("votes for the target, and reports once that it leads", () => {
    const member = new Member().lead()
    member.transfer(7, "b")
    assert.deepStrictEqual(member.receive(requestVote("b", 2, [1, 1], true)), [
      "Persist#3 term=2 vote=b",
      "Role follower term=2 leader=-",
      "after#3 VoteReply→b term=2 asked=2 granted"
    ])
    assert.deepStrictEqual(only(member.receive(heartbeat("b", 2)), "Transfer"), ["TransferEnded 7 transferred"])
    assert.deepStrictEqual(only(member.receive(heartbeat("b", 2)), "Transfer"), [])
  })

  it("reports it lost where another leads, or nobody for two election time-outs", () => {
    const another = new Member().lead()
    another.transfer(7, "b")
    assert.deepStrictEqual(only(another.receive(heartbeat("c", 2)), "Transfer"), ["TransferEnded 7 lost"])
    const nobody = new Member().lead()
    nobody.transfer(7, "b")
    nobody.receive(requestVote("b", 2, [1, 1], true))
    assert.deepStrictEqual(only(nobody.ticks(19), "Transfer"), [])
    assert.deepStrictEqual(only(nobody.ticks(1), "Transfer"), ["TransferEnded 7 lost"])
  })

  it.each([
    ["itself", "a", "target_leads"],
    ["a stranger", "x", "not_a_member"],
    ["a learner", "d", "target_is_learner"]
  ])("refuses %s as the target", (_, target, reason) => {
    const member = new Member().lead()
    member.change(1, "Add", "d")
    assert.deepStrictEqual(member.transfer(7, target), [`TransferRefused 7 ${reason} leader=a`])
  })

  it("refuses one that is being removed as the target", () => {
    const member = new Member().lead()
    member.change(1, "Remove", "b")
    assert.deepStrictEqual(member.transfer(7, "b"), ["TransferRefused 7 not_a_member leader=a"])
  })

  it("refuses a second transfer, to the same or to another, and goes on with the first", () => {
    const member = new Member().lead()
    member.transfer(7, "b")
    assert.deepStrictEqual(member.transfer(8, "c"), ["TransferRefused 8 transferring leader=a"])
    assert.deepStrictEqual(member.transfer(9, "b"), ["TransferRefused 9 transferring leader=a"])
    assert.deepStrictEqual(member.state.transfer, { id: 7, target: "b", ticks: 0 })
  })

  it("every other role refuses, and names the leader", () => {
    const follower = new Member()
    follower.receive(heartbeat("b", 1))
    const preCandidate = new Member()
    preCandidate.timeOut()
    const candidate = new Member()
    candidate.timeOut()
    candidate.receive(preVoteReply("b", 0, 1))
    for (const [member, leader] of [
      [follower, "b"],
      [preCandidate, "-"],
      [candidate, "-"]
    ] as const) {
      assert.deepStrictEqual(member.transfer(1, "c"), [`TransferRefused 1 not_leader leader=${leader}`])
      assert.isUndefined(member.state.transfer)
    }
  })

  it("changes no membership meanwhile, nor promotes anybody", () => {
    const member = new Member().lead()
    member.change(1, "Add", "d")
    member.sync()
    member.receive(matched("b", 1, 2))
    member.transfer(7, "b")
    assert.deepStrictEqual(member.change(2, "Remove", "c"), ["ChangeRefused 2 transferring leader=a"])
    member.receive(matched("d", 1, 2))
    assert.strictEqual(member.configuration, "a b c +d")
  })

  it("serves reads meanwhile: each asks a majority anew", () => {
    const member = new Member().lead()
    member.transfer(7, "b")
    member.read(1)
    assert.include(member.receive(heartbeatReply("c", 1, 1)), "ReadReady 1@1")
  })

  it("that is removing itself hands over all the same", () => {
    const member = new Member().lead()
    member.change(1, "Remove", "a")
    member.receive(matched("b", 1, 2))
    assert.deepStrictEqual(member.transfer(7, "b"), ["TimeoutNow→b term=1"])
  })
})

describe("Raft §3.10, leadership transfer: the target", () => {
  it("asks for votes without a pre-vote, and says whose wish it is", () => {
    const member = new Member({ terms: [1], term: 1 })
    member.receive(heartbeat("b", 1))
    assert.deepStrictEqual(member.receive(timeoutNow("b", 1)), [
      "Persist#1 term=2 vote=a",
      "Role candidate term=2 leader=-",
      "after#1 RequestVote→b term=2 asked=2 last=1/1 transfer",
      "after#1 RequestVote→c term=2 asked=2 last=1/1 transfer"
    ])
  })

  it("that loses the election asks for a pre-vote the next time, in its own name", () => {
    const member = new Member()
    member.receive(timeoutNow("b", 1))
    member.sync()
    assert.include(member.timeOut().join("\n"), "PreVote→b term=2 asked=3")
    assert.include(member.receive(preVoteReply("b", 2, 3)).join("\n"), "RequestVote→b term=3 asked=3 last=0/0")
    assert.deepStrictEqual(only(member.sync(), "transfer"), [])
  })

  it("whose disk hangs does not take over", () => {
    const member = new Member({ term: 1 })
    member.receive(appendEntries("b", 1, [0, 0], [1]))
    for (let at = 0; at < 12; at++) {
      member.receive(heartbeat("b", 1))
      member.ticks(1)
    }
    assert.deepStrictEqual(member.receive(timeoutNow("b", 1)), [])
  })

  it("an old word of it deposes nobody", () => {
    const member = new Member({ term: 3 })
    assert.deepStrictEqual(member.receive(timeoutNow("b", 2)), ["HeartbeatReply→b term=3 round=0"])
    assert.strictEqual(member.state.role, "follower")
  })
})

describe("Raft §3.10, leadership transfer: the voters", () => {
  it("vote for the target though they hear the leader, and for nobody else", () => {
    const member = new Member()
    member.receive(heartbeat("b", 1))
    member.sync()
    assert.include(member.receive(requestVote("c", 2, [9, 1])), "VoteReply→c term=1 asked=2 refused")
    assert.include(member.receive(requestVote("c", 2, [9, 1], true)).join("\n"), "asked=2 granted")
  })

  it("do not for one with a shorter log, whoever sent it forward", () => {
    const member = new Member({ terms: [1, 1], term: 1 })
    assert.include(member.receive(requestVote("c", 2, [1, 1], true)).join("\n"), "asked=2 refused")
  })

  it("vote once a term, transfer or not", () => {
    const member = new Member()
    member.receive(requestVote("b", 1, [0, 0]))
    assert.include(member.receive(requestVote("c", 1, [9, 0], true)).join("\n"), "asked=1 refused")
  })
})

describe("bugs of others: transfer (§4.8)", () => {
  it("hashicorp#493, redpanda#24404: a leader whose target does not take over gives up, and serves again", () => {
    const member = new Member().lead()
    member.transfer(7, "b")
    member.receive(heartbeatReply("c", 1, 0))
    assert.deepStrictEqual(only(member.ticks(9), "Transfer"), [])
    member.receive(heartbeatReply("c", 1, 0))
    assert.deepStrictEqual(only(member.ticks(1), "Transfer"), ["TransferEnded 7 gave_up"])
    assert.strictEqual(member.state.role, "leader")
    assert.include(member.propose(1), "Appended 1@2/1")
    assert.deepStrictEqual(only(member.transfer(8, "c"), "Refused"), [])
  })

  it("hashicorp#493: the next term of the same leader knows nothing of the transfer", () => {
    const member = new Member().lead()
    member.transfer(7, "b")
    member.receive(heartbeat("c", 2))
    member.lead()
    assert.include(only(member.propose(1), "Appended").join("\n"), "Appended 1@")
  })

  it("hashicorp#581: no proposal is taken while it hands over", () => {
    const member = new Member().lead()
    member.transfer(7, "b")
    assert.deepStrictEqual(member.propose(1, 2), ["Refused 1 2 transferring leader=a"])
    assert.strictEqual(member.state.lastIndex, 1)
  })

  it("hashicorp#413: a candidate of an older term does not stand in its way", () => {
    const member = new Member()
    member.timeOut()
    member.receive(preVoteReply("b", 0, 1))
    assert.strictEqual(member.state.role, "candidate")
    member.receive(timeoutNow("c", 4))
    assert.deepStrictEqual([member.state.role, member.state.term], ["candidate", 5])
  })

  it("tikv#4680, tikv#9208 (a lease survives the transfer): an open read is refused when the leader steps down, never served", () => {
    const member = new Member().lead()
    member.read(1)
    member.transfer(7, "b")
    assert.include(member.receive(requestVote("b", 2, [1, 1], true)), "ReadRefused 1 not_leader leader=-")
    assert.deepStrictEqual(only(member.receive(heartbeatReply("c", 1, 1)), "ReadReady"), [])
  })

  it("the new leader hands back", () => {
    const member = new Member()
    member.receive(timeoutNow("b", 1))
    member.sync()
    member.receive(voteReply("b", 2, 2))
    member.sync()
    member.receive(matched("b", 2, 1))
    assert.deepStrictEqual(only(member.transfer(1, "b"), "TimeoutNow"), ["TimeoutNow→b term=2"])
  })
})
