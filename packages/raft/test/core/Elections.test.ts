import { assert, describe, it } from "@effect/vitest"
import { RaftCore } from "@reckon/raft"
import {
  appendEntries,
  heartbeat,
  heartbeatReply,
  Member,
  matched,
  preVote,
  preVoteReply,
  requestVote,
  voteReply
} from "./member.js"

const candidate = (init?: ConstructorParameters<typeof Member>[0]): Member => {
  const member = new Member(init)
  member.timeOut()
  for (const voter of member.others) {
    if (member.state.role === "pre_candidate") {
      member.receive(preVoteReply(voter, member.state.term, member.state.term + 1))
    }
  }
  return member
}

describe("Raft §5.1, terms", () => {
  it("members start as followers that know of no leader", () => {
    const { leader, role } = new Member({ term: 3 }).state
    assert.deepStrictEqual({ role, leader }, { role: "follower", leader: undefined })
  })

  it.each(["follower", "pre_candidate", "candidate", "leader"] as const)(
    "a %s adopts a later term from an answer and follows",
    role => {
      const member = {
        follower: () => new Member(),
        pre_candidate: () => {
          const asking = new Member()
          asking.timeOut()
          return asking
        },
        candidate,
        leader: () => new Member().lead()
      }[role]()
      assert.strictEqual(member.state.role, role)
      const outputs = member.receive(heartbeatReply("b", 9, 0))
      assert.strictEqual(member.state.role, "follower")
      assert.strictEqual(member.state.term, 9)
      assert.include(outputs, "Role follower term=9 leader=-")
      assert.match(outputs[0] ?? "", /^Persist#\d+ term=9 vote=-$/)
    }
  )

  it("messages of an older term change nothing, and their sender learns the present one", () => {
    const member = new Member({ term: 5 })
    const before = member.state
    assert.deepStrictEqual(member.receive(appendEntries("b", 4, [0, 0], [4])), ["HeartbeatReply→b term=5 round=0"])
    assert.deepStrictEqual(member.receive(heartbeat("b", 4)), ["HeartbeatReply→b term=5 round=0"])
    assert.deepStrictEqual(member.receive(requestVote("b", 4, [9, 4])), ["VoteReply→b term=5 asked=4 refused"])
    assert.deepStrictEqual(member.receive(matched("b", 4, 1)), [])
    assert.deepStrictEqual(member.state, before)
  })
})

describe("Raft §5.2, leader election", () => {
  it("asks for a pre-vote after its time-out, and for votes in the next term once a majority would give them", () => {
    const member = new Member({ terms: [1, 1, 2] })
    assert.deepStrictEqual(member.timeOut(), [
      "Role pre_candidate term=2 leader=-",
      "PreVote→b term=2 asked=3 last=3/2",
      "PreVote→c term=2 asked=3 last=3/2"
    ])
    assert.deepStrictEqual(member.receive(preVoteReply("c", 2, 3)), [
      "Persist#1 term=3 vote=a",
      "Role candidate term=3 leader=-",
      "after#1 RequestVote→b term=3 asked=3 last=3/2",
      "after#1 RequestVote→c term=3 asked=3 last=3/2"
    ])
  })

  it("opens its term with a no-op, sent before its own write is synced", () => {
    const member = candidate({ terms: [1] })
    member.sync()
    assert.deepStrictEqual(member.receive(voteReply("b", 2, 2)), [
      "Persist#2 2/2",
      "Role leader term=2 leader=a",
      "AppendEntries→b term=2 prev=1/1 [2/2] commit=0",
      "AppendEntries→c term=2 prev=1/1 [2/2] commit=0"
    ])
  })

  it.each([
    [1, [], "leader"],
    [2, [], "candidate"],
    [2, [true], "leader"],
    [3, [true], "leader"],
    [3, [false], "candidate"],
    [3, [false, false], "follower"],
    [3, [false, true], "leader"],
    [4, [true], "candidate"],
    [4, [true, true], "leader"],
    [4, [false, false], "follower"],
    [5, [true], "candidate"],
    [5, [true, false, true], "leader"],
    [5, [false, false, false], "follower"],
    [5, [true, false, false], "candidate"]
  ] as const)("of %i voters with the answers %j it is a %s", (voters, answers, role) => {
    const member = candidate({ voters: ["a", "b", "c", "d", "e"].slice(0, voters) })
    member.sync()
    answers.forEach((granted, at) => {
      member.receive(voteReply("bcde".charAt(at), 1, 1, granted))
    })
    assert.strictEqual(member.state.role, role)
  })

  it("votes once a term, first come first served, and again for the same", () => {
    const member = new Member()
    assert.deepStrictEqual(member.receive(requestVote("b", 1, [0, 0])), [
      "Persist#1 term=1 vote=b",
      "Role follower term=1 leader=-",
      "after#1 VoteReply→b term=1 asked=1 granted"
    ])
    assert.deepStrictEqual(member.receive(requestVote("c", 1, [0, 0])), ["after#1 VoteReply→c term=1 asked=1 refused"])
    member.sync()
    assert.deepStrictEqual(member.receive(requestVote("b", 1, [0, 0])), ["VoteReply→b term=1 asked=1 granted"])
  })

  it("a candidate follows the leader of its term", () => {
    const member = candidate()
    const outputs = member.receive(heartbeat("b", 1))
    assert.deepStrictEqual(outputs.slice(0, 1), ["Role follower term=1 leader=b"])
    assert.strictEqual(member.state.votedFor, "a")
  })

  it("draws time-outs over all of [T, 2T), not the same for neighbours in the seed", () => {
    const first = Array.from({ length: 200 }, (_, seed) => new Member({ seed }).state.electionTimeout)
    assert.deepStrictEqual(
      [...new Set(first)].sort((a, b) => a - b),
      Array.from({ length: 10 }, (_, at) => 10 + at)
    )
    const member = new Member()
    const again = Array.from({ length: 50 }, () => {
      member.timeOut()
      return member.state.electionTimeout
    })
    assert.isAtLeast(new Set(again).size, 8)
  })
})

describe("Raft §5.4.1, election restriction", () => {
  it.each([
    ["the same log", [2, 2], true],
    ["a longer log", [3, 2], true],
    ["a later last term in a shorter log", [1, 3], true],
    ["a shorter log", [1, 2], false],
    ["an older last term in a longer log", [9, 1], false]
  ] as const)("%s", (_, last, granted) => {
    const word = granted ? "granted" : "refused"
    const asked = new Member({ terms: [1, 2], term: 3 })
    assert.include(asked.receive(preVote("b", 3, 4, last)), `PreVoteReply→b term=3 asked=4 ${word}`)
    assert.include(asked.receive(requestVote("b", 4, last)).join("\n"), `asked=4 ${word}`)
  })
})

describe("bugs of others: terms and votes (§4.1)", () => {
  it("term and vote are one write", () => {
    const outputs = new Member().raw({ _tag: "Receive", message: requestVote("b", 7, [0, 0]) })
    const writes = outputs.filter(output => output._tag === "Persist")
    assert.deepStrictEqual(
      writes.map(({ hardState }) => hardState),
      [{ term: 7, votedFor: "b" }]
    )
  })

  it("no answer to a vote leaves before it is durable", () => {
    const outputs = new Member().raw({ _tag: "Receive", message: requestVote("b", 7, [0, 0]) })
    assert.isUndefined(outputs.find(output => output._tag === "Send"))
  })

  it("the vote survives a step-down within its term", () => {
    const member = candidate()
    member.sync()
    member.receive(voteReply("b", 1, 1, false))
    member.receive(voteReply("c", 1, 1, false))
    assert.strictEqual(member.state.role, "follower")
    assert.deepStrictEqual(member.receive(requestVote("b", 1, [5, 0])), ["VoteReply→b term=1 asked=1 refused"])
  })

  it("the own vote counts when it is durable, not before", () => {
    const member = candidate()
    member.receive(voteReply("b", 1, 1))
    assert.strictEqual(member.state.role, "candidate")
    member.sync()
    assert.strictEqual(member.state.role, "leader")
  })

  it("the own vote is no vote where it is durable only after the election was lost, or in the next one", () => {
    const member = candidate()
    member.receive(voteReply("b", 1, 1))
    member.receive(heartbeat("c", 1))
    assert.deepStrictEqual(member.sync(), [])
    assert.deepStrictEqual([member.state.role, member.state.leader], ["follower", "c"])

    const again = candidate()
    const late = again.state.issuedToken
    again.feed({ _tag: "Campaign" })
    again.receive(preVoteReply("b", 1, 2))
    again.receive(voteReply("b", 2, 2))
    assert.deepStrictEqual(again.persisted(late, 0), [])
    assert.deepStrictEqual([again.state.role, again.state.term], ["candidate", 2])
    again.sync()
    assert.strictEqual(again.state.role, "leader")
  })

  it("a group of one elects itself only when its vote is durable", () => {
    const member = new Member({ voters: ["a"] })
    assert.deepStrictEqual(member.timeOut(), ["Persist#1 term=1 vote=a", "Role candidate term=1 leader=-"])
    assert.deepStrictEqual(member.sync(), ["Persist#2 1/1", "Role leader term=1 leader=a"])
    assert.deepStrictEqual(member.sync(), ["Commit 1"])
  })

  it("answers for an older term do not count", () => {
    const member = candidate({ term: 4 })
    member.sync()
    assert.deepStrictEqual(member.receive(voteReply("b", 4, 4)), [])
    assert.strictEqual(member.state.role, "candidate")
  })

  it("the copy of an answer does not count", () => {
    const member = candidate({ voters: ["a", "b", "c", "d", "e"] })
    member.sync()
    member.receive(voteReply("b", 1, 1))
    member.receive(voteReply("b", 1, 1))
    assert.strictEqual(member.state.role, "candidate")
  })

  it("the answer of a stranger does not count", () => {
    const member = candidate()
    member.sync()
    member.receive(voteReply("x", 1, 1))
    assert.strictEqual(member.state.role, "candidate")
  })

  it("nobody votes while the leader lives, nor takes up the term", () => {
    const member = new Member()
    member.receive(heartbeat("b", 1))
    member.sync()
    assert.deepStrictEqual(member.receive(requestVote("c", 5, [9, 9])), ["VoteReply→c term=1 asked=5 refused"])
    assert.strictEqual(member.state.term, 1)
  })
})

describe("bugs of others: pre-votes and disruption (§4.2)", () => {
  it("a pre-vote changes nothing at all", () => {
    const member = new Member({ terms: [1], term: 2 })
    const before = member.state
    assert.deepStrictEqual(member.receive(preVote("b", 6, 7, [1, 1])), ["PreVoteReply→b term=2 asked=7 granted"])
    assert.deepStrictEqual(member.state, before)
  })

  it("is refused by who hears the leader, but not to the leader itself", () => {
    const member = new Member()
    member.receive(heartbeat("b", 1))
    member.sync()
    assert.deepStrictEqual(member.receive(preVote("c", 1, 2, [9, 9])), ["PreVoteReply→c term=1 asked=2 refused"])
    assert.deepStrictEqual(member.receive(preVote("b", 1, 2, [9, 9])), ["PreVoteReply→b term=1 asked=2 granted"])
    member.ticks(10)
    assert.deepStrictEqual(member.receive(preVote("c", 1, 2, [9, 9])), ["PreVoteReply→c term=1 asked=2 granted"])
  })

  it("a member of a later term counts grants from members of older ones", () => {
    const member = new Member({ term: 7 })
    member.timeOut()
    member.receive(preVoteReply("b", 5, 8))
    assert.deepStrictEqual([member.state.role, member.state.term], ["candidate", 8])
  })

  it("a member of an older term learns the later one from a refusal, and asks on from there", () => {
    const member = new Member({ term: 3 })
    member.timeOut()
    member.receive(preVoteReply("b", 6, 4, false))
    assert.deepStrictEqual([member.state.role, member.state.term], ["follower", 6])
    member.sync()
    const asked = member.timeOut()
    assert.include(asked.join("\n"), "PreVote→b term=6 asked=7")
  })

  it.each(["pre_candidate", "candidate"] as const)("a %s grants a pre-vote to a longer log", role => {
    const member = role === "candidate" ? candidate() : new Member()
    if (role === "pre_candidate") member.timeOut()
    assert.strictEqual(member.state.role, role)
    assert.include(member.receive(preVote("b", 1, 2, [4, 1])).join("\n"), "asked=2 granted")
  })

  it("a pre-candidate forgets the old leader and the old answers", () => {
    const member = new Member({ voters: ["a", "b", "c", "d", "e"] })
    member.receive(heartbeat("b", 1))
    member.sync()
    member.timeOut()
    member.receive(preVoteReply("b", 1, 2))
    member.timeOut()
    assert.isUndefined(member.state.leader)
    assert.deepStrictEqual(member.state.votes, [{ id: "a", granted: true }])
  })

  it("a leader that hears no majority steps down within two election time-outs", () => {
    const member = new Member().lead()
    const outputs = member.ticks(20)
    assert.include(outputs, "Role follower term=1 leader=-")
  })

  it("a leader that hears a majority stays", () => {
    const member = new Member({ voters: ["a", "b", "c", "d", "e"] }).lead()
    for (let at = 0; at < 50; at++) {
      member.ticks(1)
      member.receive(heartbeatReply("b", 1, 0))
      member.receive(heartbeatReply("c", 1, 0))
    }
    assert.strictEqual(member.state.role, "leader")
  })

  it("a leader whose own disk hangs steps down, though all others answer, and asks for no election", () => {
    const member = new Member().lead()
    member.propose(1)
    const roles = Array.from({ length: 60 }, () => {
      member.feed(RaftCore.tick)
      member.receive(heartbeatReply("b", 1, 0))
      member.receive(heartbeatReply("c", 1, 0))
      return member.state.role
    })
    assert.isAbove(roles.indexOf("follower"), 9)
    assert.isBelow(roles.indexOf("follower"), 21)
    assert.deepStrictEqual(new Set(roles), new Set(["leader", "follower"]))
    member.sync()
    member.ticks(1)
    assert.strictEqual(member.state.role, "pre_candidate")
  })

  it("a disk that keeps up with the writes is not hanging, however many there are", () => {
    const member = new Member().lead()
    for (let at = 0; at < 50; at++) {
      member.propose(at)
      member.ticks(1)
      member.receive(heartbeatReply("b", 1, 0))
      // always one write behind
      member.persisted(member.state.issuedToken - 1, member.state.lastIndex - 1)
    }
    assert.strictEqual(member.state.role, "leader")
  })

  it("a leader leads on, whatever somebody answers who is no member", () => {
    const member = new Member().lead()
    const { term } = member.state
    for (const answer of [
      voteReply("x", term + 5, term),
      preVoteReply("x", term + 5, term, false),
      heartbeatReply("x", term + 5, 0),
      matched("x", term + 5, 1)
    ]) {
      assert.deepStrictEqual(member.receive(answer), [])
    }
    assert.deepStrictEqual([member.state.role, member.state.term], ["leader", term])
    member.receive(voteReply("b", term + 5, term))
    assert.deepStrictEqual([member.state.role, member.state.term], ["follower", term + 5])
  })

  it("who is no voter never asks for an election", () => {
    const member = new Member({ voters: ["b", "c", "d"] })
    assert.deepStrictEqual(member.ticks(50), [])
    assert.include(member.receive(requestVote("b", 1, [0, 0])).join("\n"), "granted")
  })
})

describe("a member that lost its disk, and has been sent a part of its log again", () => {
  /** It has one entry of the five that it has heard to be committed. */
  const partly = () => {
    const member = new Member({ term: 2 })
    member.receive(appendEntries("b", 2, [0, 0], [1], 5))
    member.sync()
    assert.deepStrictEqual([member.state.lastIndex, member.state.commitIndex], [1, 1])
    member.timeOut()
    assert.strictEqual(member.state.role, "pre_candidate")
    return member
  }

  it("gives no vote to a log that ends before what is committed", () => {
    const member = partly()
    assert.deepStrictEqual(member.receive(preVote("c", 2, 3, [4, 1])), ["PreVoteReply→c term=2 asked=3 refused"])
    assert.match(member.receive(requestVote("c", 3, [4, 1])).join(), /VoteReply→c term=3 asked=3 refused/)
    assert.match(member.receive(requestVote("c", 3, [5, 1])).join(), /VoteReply→c term=3 asked=3 granted/)
  })

  it("has none for itself: the others alone have to be a majority", () => {
    const member = partly()
    member.receive(preVoteReply("b", 2, 3))
    assert.strictEqual(member.state.role, "pre_candidate")
    member.receive(preVoteReply("c", 2, 3))
    assert.strictEqual(member.state.role, "candidate")
  })
})
