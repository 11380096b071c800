import { assert, describe, it } from "@effect/vitest"
import { LogEntry, Membership } from "@reckon/raft"
import {
  appendEntries,
  conflict,
  heartbeat,
  heartbeatReply,
  installSnapshot,
  matched,
  preVote,
  preVoteReply,
  requestVote,
  sendEntries,
  snapshotAt,
  timeoutNow,
  voteReply
} from "./core/member.js"
import { Subject } from "./scripts/subject.js"

/**
 * The same as in PaperTests.test.ts for what follows the core of the paper (§6 to §8), and for the parts of D. Ongaro,
 * "Consensus: Bridging Theory and Practice", that the paper lacks or that replace it: one change at a time instead of joint
 * consensus (ch. 4), transfer (§3.10), reads (§6.4), pre-votes (§9.6), the leader's disk (§10.2.1).
 */

const only = (outputs: ReadonlyArray<string>, part: string): ReadonlyArray<string> =>
  outputs.filter(output => output.includes(part))

const five = ["a", "b", "c", "d", "e"]

const configuration = (voters: string, learners = "", removed = ""): Membership.Configuration => ({
  voters: [...voters],
  learners: [...learners],
  removed: [...removed]
})

/** All is synced here, and every other voter has all. */
const commitAll = (member: Subject): ReadonlyArray<string> => {
  const { lastIndex, term } = member.state
  return [...member.sync(), ...member.others.flatMap(from => member.receive(matched(from, term, lastIndex)))]
}

describe("paper §6, cluster membership changes", () => {
  it("§6 a server uses the latest configuration in its log, whether it is committed or not", () => {
    const member = new Subject({ term: 1 })
    member.receive(sendEntries("b", 1, [0, 0], [LogEntry.configuration(1, 1, configuration("abcd"))]))
    assert.deepStrictEqual([member.configuration, member.state.commitIndex], ["a b c d", 0])
  })

  it("§6 new servers join as non-voting members: they receive, and are not counted for majorities", () => {
    const member = new Subject().lead()
    assert.lengthOf(only(member.change(1, "Add", "d"), "AppendEntries→d"), 1)
    member.sync()
    member.receive(matched("d", 1, 2))
    assert.strictEqual(member.state.commitIndex, 1)
    member.receive(matched("b", 1, 2))
    assert.strictEqual(member.state.commitIndex, 2)
  })

  it("§6 a leader outside the new configuration manages a cluster that does not include itself, and steps down when that is committed", () => {
    const member = new Subject().lead()
    member.change(1, "Remove", "a")
    member.sync()
    member.receive(matched("b", 1, 2))
    assert.deepStrictEqual([member.state.role, member.state.commitIndex], ["leader", 1])
    member.receive(matched("c", 1, 2))
    assert.deepStrictEqual([member.state.role, member.state.commitIndex], ["follower", 2])
  })

  it("§6 a server disregards a request for its vote when it believes that a leader exists: neither term nor vote change", () => {
    const member = new Subject()
    member.receive(heartbeat("b", 1))
    member.ticks(9)
    const before = member.state
    assert.include(member.receive(requestVote("d", 9, [9, 9])).join("\n"), "refused")
    assert.deepStrictEqual(member.state, before)
    member.ticks(1)
    assert.include(member.receive(requestVote("d", 9, [9, 9])).join("\n"), "granted")
  })
})

describe("paper §7, log compaction", () => {
  /** The leader of term 2, with entries 1 to 5 committed, and those up to 4 gone. */
  const compacted = (): Subject => {
    const member = new Subject({ terms: [1, 1, 1, 1], applied: 4 }).lead(false)
    member.receive(matched("c", 2, 5))
    return member.compact(4)
  }

  it("§7 each server cuts its log by itself, and only what is committed", () => {
    assert.deepStrictEqual(only(compacted().ticks(1), "Heartbeat→c"), ["Heartbeat→c term=2 commit=5 round=0"])
    const member = new Subject({ terms: [1, 1], term: 1, applied: 1 }).compact(2)
    assert.throws(() => member.ticks(1), /firstIndex=3 commitIndex=1/)
  })

  it("§7 the term of the last entry that is gone is kept, for the check of the first that is left", () => {
    assert.include(
      compacted()
        .receive(heartbeatReply("b", 2, 0))
        .join("\n"),
      "AppendEntries→b term=2 prev=4/1 [5/2] commit=5"
    )
  })

  it("§7 a leader that has discarded what a follower needs next sends a snapshot, and to nobody else", () => {
    const member = compacted()
    assert.deepStrictEqual(member.receive(conflict("b", 2, 4, [2, 1])), ["SendSnapshot→b term=2 through=4"])
    assert.deepStrictEqual(only(member.propose(1), "Snapshot"), [])
  })

  it("§7 a snapshot of what the follower's log has not supersedes all of that log", () => {
    for (const terms of [
      [1, 1, 1],
      [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]
    ]) {
      const member = new Subject({ terms, term: 3 })
      member.receive(installSnapshot("b", 3, snapshotAt(9, 2)))
      assert.deepStrictEqual([member.log, member.state.lastIndex, member.state.lastTerm], [[], 9, 2])
    }
  })

  it("§7 a snapshot of a prefix of the follower's log leaves what follows it", () => {
    const member = new Subject({ terms: [1, 1, 1], term: 3 })
    assert.include(member.receive(installSnapshot("b", 3, snapshotAt(2, 1))), "Commit 2")
    assert.deepStrictEqual([member.log.length, member.state.lastIndex], [3, 3])
  })

  it("§7 a snapshot brings the configuration as of its last entry", () => {
    const member = new Subject({ term: 3 })
    const placed = { index: 5, configuration: configuration("abcd") }
    assert.include(member.receive(installSnapshot("b", 3, snapshotAt(9, 2, placed))), "Members a b c d @5")
  })

  it("§7 a snapshot of an older term is rejected", () => {
    const member = new Subject({ term: 3 })
    assert.deepStrictEqual(member.receive(installSnapshot("b", 2, snapshotAt(9, 2))), [
      "HeartbeatReply→b term=3 round=0"
    ])
  })
})

describe("paper §8, client interaction", () => {
  it("§8 each leader commits a no-op at the start of its term", () => {
    const member = new Subject({ terms: [1, 1] }).lead()
    assert.deepStrictEqual(
      member.log.slice(2).map(({ kind, term }) => [kind, term]),
      [["noop", 2]]
    )
    assert.strictEqual(member.state.commitIndex, 3)
  })

  it("§8 a follower sends a client to the leader it heard of last", () => {
    const member = new Subject()
    member.receive(heartbeat("c", 1))
    assert.deepStrictEqual(member.propose(1), ["Refused 1 not_leader leader=c"])
    assert.deepStrictEqual(member.read(1), ["ReadRefused 1 not_leader leader=c"])
    assert.deepStrictEqual(member.change(1, "Add", "d"), ["ChangeRefused 1 not_leader leader=c"])
    assert.deepStrictEqual(member.transfer(1, "b"), ["TransferRefused 1 not_leader leader=c"])
  })

  it("§8 a leader exchanges heartbeats with a majority before it answers a read", () => {
    const member = new Subject({ voters: five }).lead()
    member.read(1)
    assert.deepStrictEqual(member.receive(heartbeatReply("b", 1, 1)), [])
    assert.deepStrictEqual(member.receive(heartbeatReply("c", 1, 1)), ["ReadReady 1@1"])
  })
})

describe("thesis §3.10, leadership transfer", () => {
  it("§3.10 step 1: the prior leader stops accepting new client requests", () => {
    const member = new Subject().lead()
    member.transfer(1, "b")
    assert.deepStrictEqual(member.propose(1), ["Refused 1 transferring leader=a"])
  })

  it("§3.10 step 2: it updates the target's log to its own", () => {
    const member = new Subject().lead()
    member.propose(1)
    assert.deepStrictEqual(member.transfer(1, "b"), [])
    assert.deepStrictEqual(only(member.receive(matched("b", 1, 1)), "TimeoutNow"), [])
    assert.deepStrictEqual(only(member.receive(matched("b", 1, 2)), "TimeoutNow"), ["TimeoutNow→b term=1"])
  })

  it("§3.10 step 3: the target, told to, begins an election at once, without the wait and without a pre-vote", () => {
    const member = new Subject({ terms: [1], term: 1 })
    member.receive(heartbeat("b", 1))
    assert.deepStrictEqual(member.receive(timeoutNow("b", 1)), [
      "Persist#1 term=2 vote=a",
      "Role candidate term=2 leader=-",
      "after#1 RequestVote→b term=2 asked=2 last=1/1 transfer",
      "after#1 RequestVote→c term=2 asked=2 last=1/1 transfer"
    ])
  })

  it("§3.10 the prior leader steps down on the target's request, which has a later term", () => {
    const member = new Subject().lead()
    member.transfer(1, "b")
    assert.include(member.receive(requestVote("b", 2, [1, 1], true)), "Role follower term=2 leader=-")
  })

  it("§3.10 if it does not come about within an election time-out, the prior leader aborts it and goes on", () => {
    const member = new Subject().lead()
    member.transfer(1, "b")
    member.receive(heartbeatReply("c", 1, 0))
    assert.deepStrictEqual(only(member.ticks(9), "Transfer"), [])
    assert.deepStrictEqual(only(member.ticks(1), "Transfer"), ["TransferEnded 1 gave_up"])
    assert.deepStrictEqual(only(member.propose(1), "Appended"), ["Appended 1@2/1"])
  })

  it("§3.10 a server that hears a leader votes for the target all the same: the request says that the leader wishes it", () => {
    const member = new Subject()
    member.receive(heartbeat("b", 1))
    assert.include(member.receive(requestVote("c", 2, [9, 1])).join("\n"), "refused")
    assert.include(member.receive(requestVote("c", 2, [9, 1], true)).join("\n"), "granted")
  })
})

describe("thesis chapter 4, one change at a time", () => {
  it("§4.1 the leader appends the new configuration to its log, goes by it at once, and replicates it", () => {
    const member = new Subject().lead()
    assert.deepStrictEqual(member.change(1, "Remove", "b"), [
      "Persist#3 2/1(a c -b)",
      "Members a c -b @2",
      "AppendEntries→c term=1 prev=1/1 [2/1(a c -b)] commit=1"
    ])
  })

  it("§4.1 a majority of the new configuration commits it, and nobody else", () => {
    const member = new Subject({ voters: five.slice(0, 4) }).lead()
    member.change(1, "Remove", "d")
    member.receive(matched("b", 1, 2))
    assert.strictEqual(member.state.commitIndex, 1)
    assert.include(member.sync(), "ChangeCommitted 1@2")
  })

  it("§4.1 a change may begin only when the one before is committed", () => {
    const member = new Subject().lead()
    member.change(1, "Add", "d")
    assert.deepStrictEqual(member.change(2, "Remove", "b"), ["ChangeRefused 2 change_pending leader=a"])
    commitAll(member)
    assert.include(member.change(3, "Remove", "b"), "Members a c +d -b @3")
  })

  it("§4.1 (corrected 2015) a change may begin only when the leader has committed an entry of its term", () => {
    const member = new Subject({ terms: [1], applied: 1 }).lead(false)
    assert.deepStrictEqual(member.change(1, "Add", "d"), ["ChangeRefused 1 no_commit_in_term leader=a"])
    commitAll(member)
    assert.include(member.change(2, "Add", "d"), "Members a b c +d @3")
  })

  it("§4.1 if the entry is cut off, the server falls back to the configuration before it in its log", () => {
    const member = new Subject({ term: 1 })
    member.receive(sendEntries("b", 1, [0, 0], [LogEntry.configuration(1, 1, configuration("ab"))]))
    member.receive(appendEntries("c", 2, [0, 0], [2]))
    assert.strictEqual(member.configuration, "a b c")
  })

  it("§4.1 a server accepts entries from a leader that is not in its configuration", () => {
    const member = new Subject({ voters: ["a", "b"] })
    assert.include(member.receive(appendEntries("z", 1, [0, 0], [1])).join("\n"), "AppendReply→z term=1 match=1")
  })

  it("§4.1 a server votes for a candidate that is not in its configuration", () => {
    const member = new Subject({ voters: ["a", "b"] })
    assert.include(member.receive(preVote("z", 0, 1, [0, 0])).join("\n"), "granted")
    assert.include(member.receive(requestVote("z", 1, [0, 0])).join("\n"), "granted")
  })

  it("§4.2.1 a new server catches up in rounds, and is added when a round took less than an election time-out", () => {
    const member = new Subject().lead()
    member.change(1, "Add", "d")
    commitAll(member)
    for (let at = 0; at < 11; at++) {
      member.receive(heartbeatReply("b", 1, 0))
      member.ticks(1)
    }
    member.propose(1)
    member.receive(matched("d", 1, 2))
    assert.strictEqual(member.configuration, "a b c +d")
    member.ticks(9)
    assert.include(member.receive(matched("d", 1, 3)), "Members a b c d @4")
  })

  it("§4.2.2 a leader that is removed replicates and does not count itself", () => {
    const member = new Subject({ voters: five.slice(0, 4) }).lead()
    member.change(1, "Remove", "a")
    assert.include(member.propose(5), "Appended 5@3/1")
    member.sync()
    member.receive(matched("b", 1, 3))
    assert.strictEqual(member.state.commitIndex, 1)
    assert.include(member.receive(matched("c", 1, 3)), "Commit 3")
  })

  it("§4.2.3 a removed server cannot depose a leader, however often it asks", () => {
    const member = new Subject().lead()
    member.change(1, "Remove", "c")
    commitAll(member)
    for (let term = 2; term < 20; term++) {
      member.receive(preVote("c", term, term + 1, [1, 1]))
      member.receive(requestVote("c", term, [1, 1]))
    }
    assert.deepStrictEqual([member.state.role, member.state.term], ["leader", 1])
  })
})

describe("thesis §6.2 and §6.4, leaders of the past and reads", () => {
  it("§6.2 a leader steps down when an election time-out goes by without a round of heartbeats to a majority", () => {
    const member = new Subject({ voters: five }).lead()
    member.ticks(10)
    for (let at = 0; at < 10; at++) {
      member.receive(heartbeatReply("b", 1, 0))
      member.ticks(1)
    }
    assert.strictEqual(member.state.role, "follower")
  })

  it("§6.4 step 1: a leader that has not committed in its term waits until it has", () => {
    const member = new Subject({ terms: [1], applied: 1 }).lead(false)
    member.read(1)
    member.receive(heartbeatReply("b", 2, 0))
    member.receive(heartbeatReply("c", 2, 0))
    assert.lengthOf(member.state.reads, 1)
    member.receive(matched("b", 2, 2))
    assert.deepStrictEqual(only(member.receive(heartbeatReply("b", 2, 1)), "Read"), ["ReadReady 1@2"])
  })

  it("§6.4 step 2: it saves its commit index as the read's index, a lower bound of what the read sees", () => {
    const member = new Subject().lead()
    member.read(1)
    member.propose(1)
    member.sync()
    member.receive(matched("b", 1, 2))
    assert.include(member.receive(heartbeatReply("c", 1, 1)), "ReadReady 1@1")
  })

  it("§6.4 step 3: it issues a new round of heartbeats, and only answers to that round count", () => {
    const member = new Subject().lead()
    member.ticks(1)
    assert.deepStrictEqual(member.read(1), [
      "Heartbeat→b term=1 commit=1 round=1",
      "Heartbeat→c term=1 commit=1 round=1"
    ])
    assert.deepStrictEqual(member.receive(heartbeatReply("b", 1, 0)), [])
    assert.deepStrictEqual(member.receive(heartbeatReply("c", 1, 0)), [])
    assert.deepStrictEqual(member.receive(heartbeatReply("c", 1, 1)), ["ReadReady 1@1"])
  })

  it("§6.4 one round serves any number of reads that came before it", () => {
    const member = new Subject().lead()
    member.read(1)
    for (const id of [2, 3, 4]) assert.deepStrictEqual(member.read(id), [])
    member.receive(heartbeatReply("b", 1, 1))
    assert.deepStrictEqual(member.receive(heartbeatReply("b", 1, 2)), [
      "ReadReady 2@1",
      "ReadReady 3@1",
      "ReadReady 4@1"
    ])
  })

  it("§6.4.1 there is no lease: a leader that heard all others a tick ago asks again", () => {
    const member = new Subject().lead()
    member.ticks(1)
    member.receive(heartbeatReply("b", 1, 0))
    member.receive(heartbeatReply("c", 1, 0))
    assert.deepStrictEqual(only(member.read(1), "ReadReady"), [])
  })
})

describe("thesis §9.6, pre-votes", () => {
  it("§9.6 a candidate increments its term only when a majority would vote for it", () => {
    const member = new Subject({ voters: five, term: 3 })
    member.timeOut()
    member.receive(preVoteReply("b", 3, 4))
    assert.deepStrictEqual([member.state.role, member.state.term], ["pre_candidate", 3])
    member.receive(preVoteReply("c", 3, 4))
    assert.deepStrictEqual([member.state.role, member.state.term], ["candidate", 4])
  })

  it("§9.6 a server that is cut off does not increment its term, however long that lasts", () => {
    const member = new Subject({ term: 3 })
    member.ticks(500)
    assert.strictEqual(member.state.term, 3)
  })

  it("§9.6 a pre-vote is granted to a log that is up to date, and by a server that has not heard a leader for an election time-out", () => {
    const member = new Subject({ terms: [1, 2], term: 2 })
    member.receive(heartbeat("b", 2))
    member.ticks(9)
    assert.deepStrictEqual(member.receive(preVote("c", 2, 3, [2, 2])), ["PreVoteReply→c term=2 asked=3 refused"])
    member.ticks(1)
    assert.deepStrictEqual(member.receive(preVote("c", 2, 3, [2, 2])), ["PreVoteReply→c term=2 asked=3 granted"])
    assert.deepStrictEqual(member.receive(preVote("c", 2, 3, [1, 2])), ["PreVoteReply→c term=2 asked=3 refused"])
  })

  it("§9.6 granting one changes nothing: neither the term nor the vote nor the wait", () => {
    const member = new Subject({ terms: [1], term: 2 })
    member.ticks(3)
    const before = member.state
    member.receive(preVote("b", 5, 6, [1, 1]))
    assert.deepStrictEqual(member.state, before)
  })

  it("§9.6 a candidate whose pre-vote is granted asks for votes as ever: nobody is bound by what it granted", () => {
    const member = new Subject({ term: 1 })
    assert.include(member.receive(preVote("b", 1, 2, [0, 0])), "PreVoteReply→b term=1 asked=2 granted")
    assert.include(member.receive(requestVote("c", 2, [0, 0])).join("\n"), "granted")
    assert.include(member.receive(requestVote("b", 2, [0, 0])).join("\n"), "refused")
  })
})

describe("thesis §10.2.1, writing to the leader's disk in parallel", () => {
  it("§10.2.1 the leader sends entries before its own write is durable", () => {
    const member = new Subject().lead()
    const outputs = member.raw({ _tag: "Propose", proposals: [{ id: 1, payload: new Uint8Array(0) }] })
    assert.lengthOf(
      outputs.filter(({ _tag }) => _tag === "Send"),
      2
    )
  })

  it("§10.2.1 it counts itself only once its write is durable", () => {
    const member = new Subject().lead()
    member.propose(1)
    member.receive(matched("b", 1, 2))
    assert.strictEqual(member.state.commitIndex, 1)
    member.sync()
    assert.strictEqual(member.state.commitIndex, 2)
  })

  it("§10.2.1 it may commit before its own write is durable, by a majority of the others", () => {
    const member = new Subject().lead()
    member.propose(1)
    member.receive(matched("b", 1, 2))
    member.receive(matched("c", 1, 2))
    assert.deepStrictEqual([member.state.commitIndex, member.state.applyIndex], [2, 1])
  })
})

describe("what must be durable before a server answers (figure 2)", () => {
  it("the term and the vote, together, before a vote is given", () => {
    const outputs = new Subject().raw({ _tag: "Receive", message: requestVote("b", 3, [0, 0]) })
    assert.deepStrictEqual(
      outputs.map(({ _tag }) => _tag),
      ["Persist", "RoleChanged", "SendAfterPersist"]
    )
  })

  it("the entries before they are acknowledged", () => {
    const outputs = new Subject({ term: 1 }).raw({ _tag: "Receive", message: appendEntries("b", 1, [0, 0], [1]) })
    assert.strictEqual(outputs.at(-1)?._tag, "SendAfterPersist")
  })

  it("its vote for itself before it asks, and before that counts", () => {
    const member = new Subject({ voters: ["a", "b"] })
    member.timeOut()
    const outputs = member.raw({ _tag: "Receive", message: preVoteReply("b", 0, 1) })
    assert.deepStrictEqual(
      outputs.filter(({ _tag }) => _tag === "Send"),
      []
    )
    member.receive(voteReply("b", 1, 1))
    assert.strictEqual(member.state.role, "candidate")
    member.sync()
    assert.strictEqual(member.state.role, "leader")
  })
})
