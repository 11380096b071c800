import { assert, describe, it } from "@effect/vitest"
import { LogEntry, type Membership } from "@reckon/raft"
import {
  appendEntries,
  heartbeat,
  heartbeatReply,
  Member,
  matched,
  preVote,
  preVoteReply,
  removedMessage,
  requestVote,
  sendEntries,
  timeoutNow,
  voteReply
} from "./member.js"

const only = (outputs: ReadonlyArray<string>, part: string): ReadonlyArray<string> =>
  outputs.filter(output => output.includes(part))

/** All is synced, and every other voter has all. */
const commitAll = (member: Member): ReadonlyArray<string> => {
  const { lastIndex, term } = member.state
  return [...member.sync(), ...member.others.flatMap(from => member.receive(matched(from, term, lastIndex)))]
}

const configuration = (
  voters: string,
  learners = "",
  removed = ""
): {
  readonly voters: ReadonlyArray<string>
  readonly learners: ReadonlyArray<string>
  readonly removed: ReadonlyArray<string>
} => ({
  voters: [...voters],
  learners: [...learners],
  removed: [...removed]
})

const placed = (index: number, term: number, next: Membership.Configuration): LogEntry.LogEntry =>
  LogEntry.configuration(index, term, next)

/** A leader of a, b and c in term 1 that has committed the addition of the learner d at 2. */
const withLearner = (): Member => {
  const member = new Member().lead()
  member.change(1, "Add", "d")
  commitAll(member)
  return member
}

describe("Raft §4.1, one change at a time: the leader", () => {
  it("adds a member as a learner, in force at once and sent to it as well", () => {
    const member = new Member().lead()
    assert.deepStrictEqual(member.change(7, "Add", "d"), [
      "Persist#3 2/1(a b c +d)",
      "Members a b c +d @2",
      "AppendEntries→b term=1 prev=1/1 [2/1(a b c +d)] commit=1",
      "AppendEntries→c term=1 prev=1/1 [2/1(a b c +d)] commit=1",
      "AppendEntries→d term=1 prev=1/1 [2/1(a b c +d)] commit=1"
    ])
    assert.deepStrictEqual(only(commitAll(member), "Change"), ["ChangeCommitted 7@2"])
  })

  it("removes a voter: it is sent nothing more, and told once the removal is committed", () => {
    const member = new Member().lead()
    assert.deepStrictEqual(member.change(7, "Remove", "c"), [
      "Persist#3 2/1(a b -c)",
      "Members a b -c @2",
      "AppendEntries→b term=1 prev=1/1 [2/1(a b -c)] commit=1"
    ])
    member.sync()
    assert.deepStrictEqual(member.receive(matched("b", 1, 2)), [
      "Commit 2",
      "Heartbeat→b term=1 commit=2 round=0",
      "ChangeCommitted 7@2",
      "Removed→c term=1"
    ])
  })

  it("removes a learner", () => {
    const member = withLearner()
    member.change(2, "Remove", "d")
    assert.strictEqual(member.configuration, "a b c -d")
    assert.include(commitAll(member), "Removed→d term=1")
  })

  it("a learner counts for nothing: not for a commit, not for a read, not for CheckQuorum", () => {
    const member = new Member().lead()
    member.change(1, "Add", "d")
    member.sync()
    member.receive(matched("d", 1, 2))
    assert.strictEqual(member.state.commitIndex, 1)
    member.read(1)
    assert.deepStrictEqual(only(member.receive(heartbeatReply("d", 1, 1)), "ReadReady"), [])
    const roles = Array.from({ length: 21 }, () => {
      member.receive(heartbeatReply("d", 1, 0))
      member.ticks(1)
      return member.state.role
    })
    assert.strictEqual(roles.at(-1), "follower")
  })

  it("after a removal fewer are a majority, also for what came before it", () => {
    const member = new Member({ voters: ["a", "b", "c", "d"] }).lead()
    member.propose(1)
    member.sync()
    member.receive(matched("b", 1, 2))
    assert.strictEqual(member.state.commitIndex, 1)
    assert.include(member.change(7, "Remove", "d"), "Commit 2")
  })

  it("and for a read that only the removed had still to confirm", () => {
    const member = new Member({ voters: ["a", "b"] }).lead()
    member.read(1)
    assert.include(member.change(7, "Remove", "b"), "ReadReady 1@1")
    assert.deepStrictEqual(member.state.reads, [])
  })

  it("a leader that removes itself does not count itself, leads until that is committed, and steps down", () => {
    const member = new Member().lead()
    assert.include(member.change(7, "Remove", "a"), "Members b c -a @2")
    assert.include(member.propose(9), "Appended 9@3/1")
    member.sync()
    assert.deepStrictEqual(only(member.receive(matched("b", 1, 2)), "Commit"), [])
    assert.deepStrictEqual(member.receive(matched("c", 1, 2)), [
      "Role follower term=1 leader=-",
      "Commit 2",
      "MemberRemoved",
      "ChangeCommitted 7@2"
    ])
    assert.deepStrictEqual(only(member.ticks(60), "Vote"), [])
  })

  it("a leader that removes itself confirms no read and no lead by itself", () => {
    const member = new Member().lead()
    member.change(7, "Remove", "a")
    member.read(1)
    member.sync()
    assert.deepStrictEqual(only(member.receive(heartbeatReply("c", 1, 1)), "ReadReady"), [])
    assert.deepStrictEqual(only(member.receive(heartbeatReply("b", 1, 1)), "ReadReady"), ["ReadReady 1@1"])
    for (let at = 0; at < 21; at++) {
      member.receive(heartbeatReply("b", 1, 0))
      member.ticks(1)
    }
    assert.strictEqual(member.state.role, "follower")
  })

  it.each([
    ["Add", "b", ["a", "b"], "already_member"],
    ["Add", "a", ["a", "b"], "already_member"],
    ["Remove", "x", ["a", "b"], "not_a_member"],
    ["Remove", "a", ["a"], "last_voter"]
  ] as const)("refuses to %s %s where %j vote: %s", (change, id, voters, reason) => {
    const member = new Member({ voters }).lead()
    assert.deepStrictEqual(member.change(7, change, id), [`ChangeRefused 7 ${reason} leader=a`])
  })

  it("refuses a second change until the first is committed", () => {
    const member = new Member().lead()
    member.change(1, "Add", "d")
    assert.deepStrictEqual(member.change(2, "Remove", "b"), ["ChangeRefused 2 change_pending leader=a"])
    commitAll(member)
    assert.include(member.change(3, "Remove", "b"), "Members a c +d -b @3")
  })

  it("that steps down leaves the outcome of its change open, and says so once", () => {
    const member = new Member().lead()
    member.change(1, "Add", "d")
    assert.deepStrictEqual(only(member.receive(heartbeatReply("b", 4, 0)), "Change"), ["ChangeUnknown 1@2"])
    assert.isUndefined(member.state.change)
    member.receive(sendEntries("c", 4, [1, 1], [LogEntry.noop(2, 4)], 2))
    assert.deepStrictEqual(only(member.sync(), "Change"), [])
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
      const before = member.state
      assert.deepStrictEqual(member.change(1, "Add", "d"), [`ChangeRefused 1 not_leader leader=${leader}`])
      assert.deepStrictEqual(member.state, before)
    }
  })
})

describe("Raft §4.2.1, catching up", () => {
  it("a learner that has all the leader had when its round began becomes a voter", () => {
    const member = withLearner()
    assert.deepStrictEqual(member.receive(matched("d", 1, 2)), [
      "Persist#4 3/1(a b c d)",
      "Members a b c d @3",
      "Heartbeat→d term=1 commit=2 round=0",
      "AppendEntries→b term=1 prev=2/1 [3/1(a b c d)] commit=2",
      "AppendEntries→c term=1 prev=2/1 [3/1(a b c d)] commit=2",
      "AppendEntries→d term=1 prev=2/1 [3/1(a b c d)] commit=2"
    ])
    assert.deepStrictEqual(
      member.state.progress.map(({ catchUp, id, matchIndex }) => [id, matchIndex, catchUp]),
      [
        ["b", 2, undefined],
        ["c", 2, undefined],
        ["d", 2, undefined]
      ]
    )
  })

  it("one whose round took longer than an election time-out begins another", () => {
    const member = withLearner()
    for (let at = 0; at < 11; at++) {
      member.receive(heartbeatReply("b", 1, 0))
      member.ticks(1)
    }
    member.propose(1)
    assert.deepStrictEqual(only(member.receive(matched("d", 1, 2)), "Members"), [])
    assert.deepStrictEqual(member.state.progress.at(-1)?.catchUp, { lastIndex: 3, ticks: 0 })
    assert.include(member.receive(matched("d", 1, 3)), "Members a b c d @4")
  })

  it("one that was not heard of lately waits, though it has all", () => {
    const member = new Member().lead()
    member.change(1, "Add", "d")
    member.receive(matched("d", 1, 2))
    assert.strictEqual(member.configuration, "a b c +d")
    member.receive(heartbeatReply("b", 1, 0))
    member.ticks(10)
    // its answers are forgotten by now: the commit alone promotes nobody
    commitAll(member)
    assert.strictEqual(member.configuration, "a b c +d")
    member.receive(heartbeatReply("d", 1, 0))
    assert.strictEqual(member.configuration, "a b c d")
  })

  it("a leader of one that has made a voter of a learner leads on by its answers, and no longer without", () => {
    const member = new Member({ voters: ["a"] }).lead()
    member.change(1, "Add", "b")
    member.sync()
    // as long as it learns nobody has to be heard
    member.ticks(50)
    assert.strictEqual(member.state.role, "leader")
    // its round took too long, and so it takes another
    for (let round = 0; round < 2; round++) member.receive(matched("b", 1, 2))
    assert.strictEqual(member.configuration, "a b")
    member.sync()
    for (let at = 0; at < 50; at++) {
      member.ticks(1)
      member.receive(heartbeatReply("b", 1, 0))
    }
    assert.strictEqual(member.state.role, "leader")
    member.ticks(20)
    assert.strictEqual(member.state.role, "follower")
  })

  it("a new leader promotes the learners it finds", () => {
    const log = [placed(1, 1, configuration("abc", "d"))]
    const member = new Member({ log, applied: 1 }).lead()
    member.receive(matched("d", 2, 2))
    assert.strictEqual(member.configuration, "a b c d")
  })
})

describe("the membership of a log: the follower", () => {
  it("goes by a configuration as soon as it is appended", () => {
    const member = new Member({ term: 1 })
    assert.deepStrictEqual(
      only(member.receive(sendEntries("b", 1, [0, 0], [placed(1, 1, configuration("abc", "d"))])), "Members"),
      ["Members a b c +d @1"]
    )
    assert.strictEqual(member.state.commitIndex, 0)
  })

  it("goes by the newest of several, and reports it once", () => {
    const member = new Member({ term: 1 })
    const entries = [placed(1, 1, configuration("abc", "d")), placed(2, 1, configuration("abcd"))]
    assert.deepStrictEqual(only(member.receive(sendEntries("b", 1, [0, 0], entries)), "Members"), [
      "Members a b c d @2"
    ])
  })

  it("hears of its removal by its own log, and asks for nothing from then on", () => {
    const member = new Member({ term: 1 })
    member.receive(sendEntries("b", 1, [0, 0], [placed(1, 1, configuration("bc", "", "a"))]))
    assert.deepStrictEqual(only(member.receive(heartbeat("b", 1, 1)), "Removed"), ["MemberRemoved"])
    member.sync()
    assert.deepStrictEqual(member.ticks(60), [])
    assert.deepStrictEqual(member.feed({ _tag: "Campaign" }), [])
  })

  it("who joins knows nobody, and follows and votes all the same", () => {
    const member = new Member({ voters: [] })
    assert.include(member.receive(heartbeat("x", 1)), "Role follower term=1 leader=x")
    member.sync()
    const later = new Member({ voters: [] })
    assert.include(later.receive(requestVote("x", 1, [0, 0])).join("\n"), "granted")
    assert.deepStrictEqual(later.ticks(60), [])
  })
})

describe("bugs of others: membership (§4.4)", () => {
  it("raft-dev 2015, copycat#23, axon-server-se#120, braft#182, openraft#2051: no change before a commit of the own term", () => {
    const member = new Member({ terms: [1, 1], applied: 2 }).lead(false)
    assert.deepStrictEqual(member.change(1, "Add", "d"), ["ChangeRefused 1 no_commit_in_term leader=a"])
    commitAll(member)
    assert.include(member.change(2, "Add", "d"), "Members a b c +d @4")
  })

  it("etcd#12133, raft-rs#221: what is pending is any configuration, an inherited one and the leader's own as well", () => {
    const inherited = new Member({ log: [placed(1, 1, configuration("abc", "d"))] }).lead(false)
    assert.deepStrictEqual(inherited.change(1, "Remove", "b"), ["ChangeRefused 1 no_commit_in_term leader=a"])
    const promoting = withLearner()
    promoting.receive(matched("d", 1, 2))
    assert.deepStrictEqual(promoting.change(2, "Remove", "b"), ["ChangeRefused 2 change_pending leader=a"])
  })

  it("raft#456, raft#458, raft#469: nobody asks for an election under a configuration that a later one in its log replaced", () => {
    const member = new Member({ log: [placed(1, 1, configuration("abcde"))] })
    assert.deepStrictEqual(
      only(member.timeOut(), "PreVote").map(line => line.slice(0, 9)),
      ["PreVote→b", "PreVote→c", "PreVote→d", "PreVote→e"]
    )
  })

  it("etcd#7625, camunda#57386: votes and pre-votes whatever its own configuration says, for whomever", () => {
    const learner = new Member({ log: [placed(1, 1, configuration("bc", "a"))], term: 1 })
    assert.include(learner.receive(preVote("x", 1, 2, [1, 1])), "PreVoteReply→x term=1 asked=2 granted")
    assert.include(learner.receive(requestVote("x", 2, [1, 1])).join("\n"), "granted")
  })

  it("camunda#57386, ra 110b8d63, NuRaft#67, d-engine#431: a restart goes by the last configuration of its log, committed or not", () => {
    const log = [placed(1, 1, configuration("abc", "d")), LogEntry.noop(2, 1), placed(3, 1, configuration("abcd"))]
    const member = new Member({ log, applied: 1 })
    assert.strictEqual(member.configuration, "a b c d")
    member.receive(appendEntries("b", 2, [2, 1], [2]))
    assert.strictEqual(member.configuration, "a b c +d")
  })

  it("ra 82e5ca2f, bb04b866: a cut brings back the configuration before, and the founding one where there is no other", () => {
    const member = new Member({ term: 1 })
    member.receive(sendEntries("b", 1, [0, 0], [placed(1, 1, configuration("abc", "d"))]))
    member.receive(sendEntries("b", 1, [1, 1], [placed(2, 1, configuration("abc", "", "d"))]))
    assert.deepStrictEqual(only(member.receive(appendEntries("c", 2, [1, 1], [2])), "Members"), ["Members a b c +d @1"])
    assert.deepStrictEqual(only(member.receive(appendEntries("b", 3, [0, 0], [3])), "Members"), ["Members a b c @0"])
  })

  it("ra dbc9f0d9: a leader that was a follower of a pending change may change again when that one is committed", () => {
    const member = new Member({ log: [placed(1, 1, configuration("abc", "d"))] }).lead()
    assert.include(member.change(1, "Remove", "d"), "Members a b c -d @3")
  })

  it("etcd/raft db54973, ra#435, ra#525, hashicorp 656e6c0: a learner asks for no election, by time, by request, by transfer", () => {
    const member = new Member({ log: [placed(1, 1, configuration("bc", "a"))] })
    assert.deepStrictEqual(member.ticks(60), [])
    assert.deepStrictEqual(member.feed({ _tag: "Campaign" }), [])
    assert.deepStrictEqual(member.receive(timeoutNow("b", 1)), ["Role follower term=1 leader=b"])
  })

  it("dragonboat#94: a learner is one after its restart as well", () => {
    const log = [placed(1, 1, configuration("abc", "d"))]
    assert.strictEqual(new Member({ log, applied: 1 }).configuration, "a b c +d")
  })

  it("identity reused (etcd forbids it, Ra's UId exists for it): who was removed is never added again", () => {
    const member = new Member().lead()
    member.change(1, "Remove", "c")
    commitAll(member)
    assert.deepStrictEqual(member.change(2, "Add", "c"), ["ChangeRefused 2 was_removed leader=a"])
    const later = new Member({ log: [...member.log], applied: 2 }).lead()
    assert.deepStrictEqual(later.change(3, "Add", "c"), ["ChangeRefused 3 was_removed leader=a"])
  })

  it("the leader of two removes itself and fails before the other hears of it: it may still be elected, by the other alone", () => {
    const member = new Member({
      voters: ["a", "b"],
      log: [LogEntry.noop(1, 1), placed(2, 1, configuration("b", "", "a"))]
    })
    assert.include(member.timeOut().join("\n"), "PreVote→b term=1 asked=2 last=2/1")
    member.receive(preVoteReply("b", 1, 2))
    member.sync()
    assert.strictEqual(member.state.role, "candidate")
    member.receive(voteReply("b", 2, 2))
    member.sync()
    assert.strictEqual(member.state.commitIndex, 0)
    assert.deepStrictEqual(member.receive(matched("b", 2, 3)), [
      "Role follower term=2 leader=-",
      "Commit 3",
      "MemberRemoved",
      "Heartbeat→b term=2 commit=3 round=0"
    ])
  })
})

describe("bugs of others: members that were removed (§4.2)", () => {
  const group = () => new Member({ log: [placed(1, 1, configuration("ab", "", "c"))], applied: 1 })

  it("etcd/raft ff14791, hashicorp#564, redisraft#3: one that asks for votes is told that it was removed, and changes nothing", () => {
    const member = group()
    const before = member.state
    assert.deepStrictEqual(member.receive(preVote("c", 1, 2, [9, 9])), ["Removed→c term=1"])
    assert.deepStrictEqual(member.receive(requestVote("c", 7, [9, 9])), ["Removed→c term=1"])
    assert.deepStrictEqual(member.receive(requestVote("c", 7, [9, 9], true)), ["Removed→c term=1"])
    assert.deepStrictEqual(member.state, before)
  })

  it("until the removal is committed it is answered like any other: it may be needed", () => {
    const member = new Member({ log: [placed(1, 1, configuration("ab", "", "c"))] })
    assert.include(member.receive(preVote("c", 1, 2, [1, 1])), "PreVoteReply→c term=1 asked=2 granted")
  })

  it("one that is told falls silent for good, and says so once", () => {
    const member = new Member()
    member.timeOut()
    assert.deepStrictEqual(member.receive(removedMessage("b", 3)), ["Role follower term=0 leader=-", "MemberRemoved"])
    assert.deepStrictEqual(member.receive(removedMessage("c", 3)), [])
    assert.deepStrictEqual(member.ticks(60), [])
    assert.deepStrictEqual(member.feed({ _tag: "Campaign" }), [])
  })

  it("what one that left still answers, of whatever term, moves no leader", () => {
    const member = new Member().lead()
    member.change(1, "Remove", "c")
    commitAll(member)
    const before = member.state
    assert.deepStrictEqual(member.receive(heartbeatReply("c", 9, 0)), [])
    assert.deepStrictEqual(member.receive(matched("c", 1, 1)), [])
    assert.deepStrictEqual(member.state, before)
  })
})
