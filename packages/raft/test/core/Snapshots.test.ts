import { assert, describe, it } from "@effect/vitest"
import { LogEntry, Membership, Message } from "@reckon/raft"
import * as Schema from "effect/Schema"
import {
  appendEntries,
  conflict,
  heartbeat,
  heartbeatReply,
  installSnapshot,
  Member,
  matched,
  preVote,
  preVoteReply,
  requestVote,
  sendEntries,
  snapshotAt,
  timeoutNow,
  voteReply
} from "./member.js"

const only = (outputs: ReadonlyArray<string>, part: string): ReadonlyArray<string> =>
  outputs.filter(output => output.includes(part))

const placed = (index: number, voters: string, learners = "", removed = ""): Membership.Placed => ({
  index,
  configuration: { voters: [...voters], learners: [...learners], removed: [...removed] }
})

/** The leader of a, b and c in term 2, with entries 1 to 10, all committed, and those up to `cutAt` gone from its log. */
const leader = (cutAt = 8): Member => {
  const member = new Member({ terms: [1, 1, 1, 1, 1, 1, 1, 1, 1], applied: 9 }).lead(false)
  member.receive(matched("c", 2, 10))
  return member.compact(cutAt)
}

/** That leader, with a snapshot on its way to b, which has two entries. */
const sending = (cutAt = 8): Member => {
  const member = leader(cutAt)
  assert.include(member.receive(conflict("b", 2, 9, [2, 1])), `SendSnapshot→b term=2 through=${cutAt}`)
  return member
}

const toB = { to: "b", term: 2 }

const phaseOf = (member: Member): string | undefined => member.state.progress.find(({ id }) => id === "b")?.phase

/** Ticks, with the word of c each time, so that the leader goes on leading. */
const pass = (member: Member, ticks: number): ReadonlyArray<string> =>
  Array.from({ length: ticks }, () => {
    member.receive(heartbeatReply("c", 2, 0))
    return member.ticks(1)
  }).flat()

describe("a leader whose log has lost its beginning", () => {
  it("asks from its first entry on: the term before that is still known", () => {
    assert.deepStrictEqual(only(leader().receive(conflict("b", 2, 9, [8, 1])), "→b"), [
      "AppendEntries→b term=2 prev=8/1 [9/1 10/2] commit=10"
    ])
  })

  it("has a snapshot sent, once, to a follower that needs what is gone; meanwhile heartbeats go, entries do not", () => {
    const member = sending()
    assert.strictEqual(phaseOf(member), "snapshot")
    assert.deepStrictEqual(member.receive(heartbeatReply("b", 2, 0)), [])
    assert.deepStrictEqual(member.receive(conflict("b", 2, 9, [2, 1])), [])
    assert.deepStrictEqual(only(member.propose(1), "→b"), [])
    assert.deepStrictEqual(only(pass(member, 1), "→b"), ["Heartbeat→b term=2 commit=0 round=0"])
  })

  it("also for one whose window was full while the log was cut: nothing is asked with a made-up term (etcd/raft 76f1249)", () => {
    const member = new Member({ options: { inflightMessagesMax: 1 } }).lead()
    for (const id of [1, 2, 3]) member.propose(id)
    member.sync()
    member.receive(matched("c", 1, 2))
    member.receive(matched("c", 1, 4))
    member.compact(4)
    member.ticks(1)
    assert.deepStrictEqual(member.receive(heartbeatReply("b", 1, 0)), ["SendSnapshot→b term=1 through=4"])
  })

  it("counts its heartbeat answers for CheckQuorum and for reads all the same", () => {
    const member = sending()
    member.read(1)
    assert.include(member.receive(heartbeatReply("b", 2, 1)), "ReadReady 1@10")
    for (let tick = 0; tick < 30; tick++) {
      member.receive(heartbeatReply("b", 2, 0))
      member.ticks(1)
    }
    assert.strictEqual(member.state.role, "leader")
  })

  it("goes on with entries from the match that its answer shows", () => {
    const member = sending()
    assert.deepStrictEqual(only(member.receive(matched("b", 2, 9)), "→b"), [
      "AppendEntries→b term=2 prev=9/1 [10/2] commit=10"
    ])
    assert.strictEqual(phaseOf(member), "replicate")
  })

  it("takes any match from which its log goes on for the end, also that of a smaller snapshot or of an older append (etcd/raft 5e2260f)", () => {
    const member = sending()
    assert.include(only(member.receive(matched("b", 2, 8)), "→b").join("\n"), "prev=8/1 [9/1 10/2]")
  })

  it("takes a match before its log's beginning for no end, and after the delivery asks and sends another", () => {
    const member = sending()
    member.propose(1)
    member.sync()
    member.receive(matched("c", 2, 11))
    member.compact(11)
    assert.deepStrictEqual(member.receive(matched("b", 2, 10)), [])
    assert.deepStrictEqual(member.feed({ _tag: "SnapshotDelivered", ...toB }), [
      "AppendEntries→b term=2 prev=11/2 [] commit=11"
    ])
    assert.deepStrictEqual(member.receive(conflict("b", 2, 11, [10, 2])), ["SendSnapshot→b term=2 through=11"])
  })

  it("asks what it has before it sends another, and so none to one that is ahead already (ra 51f9810e)", () => {
    const member = sending()
    assert.deepStrictEqual(member.feed({ _tag: "SnapshotDelivered", ...toB }), [
      "AppendEntries→b term=2 prev=8/1 [9/1 10/2] commit=10"
    ])
    assert.deepStrictEqual(only(member.receive(matched("b", 2, 10)), "Snapshot"), [])
    assert.strictEqual(phaseOf(member), "replicate")
  })

  it("finds out, where the answer was lost, that the snapshot was installed", () => {
    const member = sending()
    member.feed({ _tag: "SnapshotDelivered", ...toB })
    // the question is lost as well: the next heartbeat's answer repeats it
    assert.deepStrictEqual(member.receive(heartbeatReply("b", 2, 0)), [
      "AppendEntries→b term=2 prev=8/1 [9/1 10/2] commit=10"
    ])
  })

  it("waits after a failure before it asks, twice as long after each, and at most eight election time-outs", () => {
    const member = sending()
    const waits = Array.from({ length: 6 }, () => {
      member.feed({ _tag: "SnapshotFailed", ...toB })
      let waited = 0
      while (phaseOf(member) === "snapshot" && waited < 1_000) {
        member.receive(heartbeatReply("b", 2, 0))
        pass(member, 1)
        waited += 1
      }
      member.receive(conflict("b", 2, 8, [2, 1]))
      return waited
    })
    assert.deepStrictEqual(waits, [10, 20, 40, 80, 80, 80])
  })

  it("forgets the failures of one that was away, and has a question ready for it", () => {
    const member = sending()
    for (let failure = 0; failure < 4; failure++) {
      member.feed({ _tag: "SnapshotFailed", ...toB })
      if (failure === 3) break
      for (let tick = 0; phaseOf(member) === "snapshot" && tick < 1_000; tick++) {
        member.receive(heartbeatReply("b", 2, 0))
        pass(member, 1)
      }
      member.receive(conflict("b", 2, 8, [2, 1]))
    }
    assert.isAtLeast(member.state.progress.find(({ id }) => id === "b")?.snapshotPause ?? 0, 80)
    pass(member, 20)
    assert.strictEqual(phaseOf(member), "probe")
    assert.include(only(member.receive(heartbeatReply("b", 2, 0)), "AppendEntries").join("\n"), "→b term=2 prev=8/1")
    member.receive(conflict("b", 2, 8, [2, 1]))
    member.feed({ _tag: "SnapshotFailed", ...toB })
    assert.strictEqual(member.state.progress.find(({ id }) => id === "b")?.snapshotPause, 10)
  })

  it("hears of the end of a snapshot only in the term of its sending, and while it is on its way", () => {
    const member = sending()
    const { state } = member
    for (const _tag of ["SnapshotDelivered", "SnapshotFailed"] as const) {
      assert.deepStrictEqual(member.feed({ _tag, to: "b", term: 1 }), [])
      assert.deepStrictEqual(member.feed({ _tag, to: "c", term: 2 }), [])
      assert.deepStrictEqual(member.feed({ _tag, to: "x", term: 2 }), [])
      assert.deepStrictEqual(member.state, state)
    }
    member.receive(heartbeat("c", 3))
    const follower = member.state
    member.feed({ _tag: "SnapshotFailed", ...toB })
    assert.deepStrictEqual(member.state, follower)
  })

  it("makes a voter of a learner that caught up by a snapshot", () => {
    const member = leader()
    member.change(1, "Add", "d")
    member.sync()
    member.receive(matched("c", 2, 11))
    member.compact(11)
    assert.deepStrictEqual(member.receive(conflict("d", 2, 10, [0, 0])), ["SendSnapshot→d term=2 through=11"])
    assert.include(member.receive(matched("d", 2, 11)), "Members a b c d @12")
  })

  it("sends no more to one that is removed meanwhile, whatever becomes of the snapshot", () => {
    const member = sending()
    member.change(1, "Remove", "b")
    member.sync()
    assert.include(member.receive(matched("c", 2, 11)), "Removed→b term=2")
    assert.deepStrictEqual(member.receive(matched("b", 2, 9)), [])
    assert.deepStrictEqual(member.feed({ _tag: "SnapshotDelivered", ...toB }), [])
  })

  it("hands its leadership over to one that needs a snapshot when that has come, and gives up meanwhile as for any slow one", () => {
    const member = sending()
    assert.deepStrictEqual(member.transfer(7, "b"), [])
    assert.deepStrictEqual(only(member.receive(matched("b", 2, 9)), "TimeoutNow"), [])
    assert.deepStrictEqual(only(member.receive(matched("b", 2, 10)), "TimeoutNow"), ["TimeoutNow→b term=2"])
    const slow = sending()
    slow.transfer(7, "b")
    assert.deepStrictEqual(only(pass(slow, 10), "Transfer"), ["TransferEnded 7 gave_up"])
  })

  it("whose log is cut beyond what is committed is a defect", () => {
    const member = new Member({ terms: [1, 1, 1], term: 1, applied: 2 }).compact(3)
    assert.throws(() => member.ticks(1), /firstIndex=4 commitIndex=2/)
  })
})

describe("a follower that is handed a snapshot", () => {
  it("puts it in the place of log and machine, and answers when that is durable", () => {
    const member = new Member({ terms: [1, 1], term: 2 })
    assert.deepStrictEqual(member.receive(installSnapshot("b", 2, snapshotAt(9, 2, placed(5, "abcd")))), [
      "Install#1 9/2(a b c d @5)",
      "Role follower term=2 leader=b",
      "Truncated from=1",
      "Members a b c d @5",
      "after#1 AppendReply→b term=2 match=9"
    ])
    assert.deepStrictEqual(member.sync(), ["Commit 9"])
    const { applyIndex, commitIndex, durableIndex, lastIndex, lastTerm } = member.state
    assert.deepStrictEqual([applyIndex, commitIndex, durableIndex, lastIndex, lastTerm], [9, 9, 9, 9, 2])
  })

  it("enters a later term with it, in one write", () => {
    const outputs = new Member({ term: 2 }).receive(installSnapshot("b", 4, snapshotAt(9, 3)))
    assert.strictEqual(outputs[0], "Install#1 term=4 vote=- 9/3(a b c @0)")
  })

  it("refuses one of an earlier term with its own", () => {
    const member = new Member({ term: 3 })
    assert.deepStrictEqual(member.receive(installSnapshot("b", 2, snapshotAt(9, 2))), [
      "HeartbeatReply→b term=3 round=0"
    ])
    assert.strictEqual(member.state.lastIndex, 0)
  })

  it.each([
    ["a pre-candidate", false],
    ["a candidate", true]
  ])("follows whoever sends it as %s (ra 3b904736)", (_, asked) => {
    const member = new Member()
    member.timeOut()
    if (asked) member.receive(preVoteReply("b", 0, 1))
    const { role, term } = member.state
    assert.strictEqual(role, asked ? "candidate" : "pre_candidate")
    const outputs = member.receive(installSnapshot("c", Math.max(1, term), snapshotAt(9, 1)))
    assert.lengthOf(only(outputs, "Install#"), 1)
    assert.deepStrictEqual([member.state.role, member.state.leader], ["follower", "c"])
  })

  it("does not take it as the leader of the same term, and leads no more", () => {
    const member = new Member().lead()
    assert.deepStrictEqual(member.receive(installSnapshot("b", 1, snapshotAt(9, 1))), [
      "Role follower term=1 leader=-",
      "Contradicted two_leaders by b at 1, last 1"
    ])
  })

  it("looks at none that is for another", () => {
    const member = new Member()
    const message = { ...installSnapshot("b", 1, snapshotAt(9, 1)), to: "c" }
    assert.deepStrictEqual(member.receive(message), [])
  })

  it("waits for its next election from then on", () => {
    const member = new Member()
    member.ticks(9)
    member.receive(installSnapshot("b", 1, snapshotAt(9, 1)))
    assert.strictEqual(member.state.electionElapsed, 0)
  })

  it("needs none of what it has committed, and answers with that", () => {
    const member = new Member({ terms: [1, 1, 1], term: 1, applied: 2 })
    assert.deepStrictEqual(member.receive(installSnapshot("b", 1, snapshotAt(1, 1))), [
      "Role follower term=1 leader=b",
      "AppendReply→b term=1 match=2"
    ])
    assert.deepStrictEqual(member.receive(installSnapshot("b", 1, snapshotAt(2, 1))), ["AppendReply→b term=1 match=2"])
  })

  it("needs no second of the same, nor a smaller one after a larger", () => {
    const member = new Member({ term: 1 })
    member.receive(installSnapshot("b", 1, snapshotAt(9, 1)))
    assert.deepStrictEqual(member.receive(installSnapshot("b", 1, snapshotAt(9, 1))), [
      "after#1 AppendReply→b term=1 match=9"
    ])
    member.sync()
    assert.deepStrictEqual(member.receive(installSnapshot("b", 1, snapshotAt(7, 1))), ["AppendReply→b term=1 match=9"])
  })

  it("keeps its log where that has the snapshot's last entry, tail and all, and commits up to there (Raft §7)", () => {
    const member = new Member({ terms: [1, 1, 1, 1], term: 2, applied: 1 })
    assert.deepStrictEqual(member.receive(installSnapshot("b", 2, snapshotAt(3, 1))), [
      "Role follower term=2 leader=b",
      "Commit 3",
      "AppendReply→b term=2 match=3"
    ])
    assert.strictEqual(member.state.lastIndex, 4)
  })

  it("and answers no sooner than what it has is durable", () => {
    const member = new Member({ term: 1 })
    member.receive(appendEntries("b", 1, [0, 0], [1, 1, 1]))
    assert.deepStrictEqual(member.receive(installSnapshot("b", 1, snapshotAt(3, 1))), [
      "after#1 AppendReply→b term=1 match=3"
    ])
  })

  it("keeps nothing of another history", () => {
    const member = new Member({ terms: [1, 1, 2, 2, 2], term: 3, applied: 2 })
    const outputs = member.receive(installSnapshot("b", 3, snapshotAt(4, 1)))
    assert.include(outputs, "Install#1 4/1(a b c @0)")
    assert.include(outputs, "Truncated from=3")
    assert.deepStrictEqual([member.state.lastIndex, member.state.lastTerm], [4, 1])
  })

  it("applies nothing until it is durable, and no completion from before vouches for anything", () => {
    const member = new Member({ term: 1 })
    member.receive(appendEntries("b", 1, [0, 0], [1, 1, 1], 3))
    member.receive(installSnapshot("b", 1, snapshotAt(9, 1)))
    assert.deepStrictEqual(member.persisted(1, 3), [])
    assert.deepStrictEqual([member.state.applyIndex, member.state.durableIndex], [0, 0])
    assert.deepStrictEqual(member.persisted(2, 9), ["Commit 9"])
  })

  it("appends the next entry to the snapshot's last, durable or not (ra 919a6484)", () => {
    const member = new Member({ terms: [1, 1, 1], term: 3 })
    member.receive(installSnapshot("b", 3, snapshotAt(9, 2)))
    assert.deepStrictEqual(member.receive(appendEntries("b", 3, [9, 2], [3, 3], 10)), [
      "Persist#2 10/3 11/3",
      "after#2 AppendReply→b term=3 match=11"
    ])
    assert.deepStrictEqual(member.sync(), ["Commit 10"])
  })

  it.each([
    ["that ends before it", [4, 1], [1, 1], "match=9"],
    ["that reaches over it", [7, 1], [1, 2, 3], "match=10"],
    ["that begins at it", [9, 2], [3], "match=10"],
    ["from beyond it", [12, 3], [3], "conflict=12 hint=9/2"]
  ] as const)("answers an append %s", (_, prev, terms, answer) => {
    const member = new Member({ term: 3, base: snapshotAt(9, 2) })
    const outputs = member.receive(appendEntries("b", 3, prev, terms))
    assert.include(only(outputs, "AppendReply").join("\n"), answer)
  })

  it("takes a second shortly after the first (etcd#18055)", () => {
    const member = new Member({ term: 1 })
    member.receive(installSnapshot("b", 1, snapshotAt(9, 1)))
    assert.include(
      only(member.receive(installSnapshot("b", 1, snapshotAt(12, 1))), "Install").join("\n"),
      "Install#2 12/1"
    )
    assert.deepStrictEqual(member.persisted(1, 9), [])
    assert.deepStrictEqual(member.persisted(2, 12), ["Commit 12"])
  })

  it("follows a new leader's appends, and votes, while the snapshot is being written", () => {
    const member = new Member({ term: 1 })
    member.receive(installSnapshot("b", 1, snapshotAt(9, 1)))
    assert.include(member.receive(preVote("c", 1, 2, [8, 1])), "PreVoteReply→c term=1 asked=2 refused")
    const shorter = member.receive(requestVote("c", 2, [8, 1], true))
    assert.include(shorter.join("\n"), "VoteReply→c term=2 asked=2 refused")
    const longer = member.receive(requestVote("c", 3, [9, 1], true))
    assert.include(longer.join("\n"), "VoteReply→c term=3 asked=3 granted")
    assert.include(member.receive(appendEntries("c", 3, [9, 1], [3])).join("\n"), "match=10")
  })

  it("asks for votes on its strength only once it is durable", () => {
    const member = new Member({ term: 1 })
    member.receive(installSnapshot("b", 1, snapshotAt(9, 1)))
    const asked = member.receive(timeoutNow("b", 1))
    assert.include(asked.join("\n"), "after#2 RequestVote→b term=2 asked=2 last=9/1")
  })
})

describe("a snapshot's membership", () => {
  it("takes the place of the member's own, an uncommitted one as well, and no cut brings that back (openraft#1808, openraft#1809)", () => {
    const member = new Member({ term: 1 })
    member.receive(
      sendEntries(
        "b",
        1,
        [0, 0],
        [LogEntry.configuration(1, 1, placed(1, "abc", "d").configuration), LogEntry.noop(2, 1)]
      )
    )
    member.receive(installSnapshot("c", 2, snapshotAt(9, 2, placed(1, "abce"))))
    assert.strictEqual(member.configuration, "a b c e")
    member.receive(appendEntries("c", 2, [9, 2], [2]))
    member.receive(appendEntries("b", 3, [9, 2], [3]))
    assert.strictEqual(member.configuration, "a b c e")
  })

  it("keeps a learner one (dragonboat#94), and makes a voter of one that was", () => {
    const learner = new Member({ voters: [] })
    learner.receive(installSnapshot("b", 1, snapshotAt(9, 1, placed(5, "bc", "a"))))
    learner.sync()
    assert.deepStrictEqual(learner.ticks(60), [])
    const voter = new Member({ voters: [] })
    voter.receive(installSnapshot("b", 1, snapshotAt(9, 1, placed(5, "abc"))))
    voter.sync()
    assert.include(voter.timeOut().join("\n"), "PreVote→b")
  })

  it("makes a voter of a learner, which asks for elections from then on", () => {
    const member = new Member({ log: [LogEntry.configuration(1, 1, placed(1, "bc", "a").configuration)] })
    assert.deepStrictEqual(member.ticks(60), [])
    member.receive(installSnapshot("b", 1, snapshotAt(9, 1, placed(5, "abc"))))
    member.sync()
    assert.include(member.timeOut().join("\n"), "PreVote→b")
  })

  it("tells one that was removed", () => {
    const member = new Member()
    const outputs = member.receive(installSnapshot("b", 1, snapshotAt(9, 1, placed(5, "bc", "", "a"))))
    assert.include(outputs, "MemberRemoved")
    member.sync()
    assert.deepStrictEqual(member.ticks(60), [])
  })

  it("is not in force later than its index", () => {
    const history = Membership.fromLog(placed(3, "abc"), [
      LogEntry.configuration(5, 1, placed(5, "abc", "d").configuration),
      LogEntry.configuration(8, 1, placed(8, "abcd").configuration)
    ])
    assert.deepStrictEqual(
      [3, 4, 5, 7, 8, 20].map(index => Membership.at(history, index).index),
      [3, 3, 5, 5, 8, 8]
    )
    assert.throws(() => Membership.at(history, 2), /index=2/)
  })
})

describe("a member that starts on a snapshot", () => {
  it("has committed and applied what that stands for, and goes by its membership", () => {
    const member = new Member({ base: snapshotAt(9, 2, placed(5, "ab")) })
    const { applyIndex, commitIndex, durableIndex, lastIndex, lastTerm } = member.state
    assert.deepStrictEqual([applyIndex, commitIndex, durableIndex, lastIndex, lastTerm], [9, 9, 9, 9, 2])
    assert.strictEqual(member.configuration, "a b")
  })

  it("goes by a configuration of the log on top of it", () => {
    const log = [LogEntry.configuration(10, 2, placed(10, "ab", "c").configuration)]
    assert.strictEqual(new Member({ base: snapshotAt(9, 2, placed(5, "ab")), log }).configuration, "a b +c")
  })

  it("leads from there on", () => {
    const member = new Member({ base: snapshotAt(9, 2) })
    member.timeOut()
    member.receive(preVoteReply("b", 2, 3))
    member.sync()
    assert.include(member.receive(voteReply("b", 3, 3)), "AppendEntries→b term=3 prev=9/2 [10/3] commit=9")
  })

  it("whose machine is from before it is a defect (dragonboat#369)", () => {
    assert.throws(() => new Member({ base: snapshotAt(9, 2), applied: 8 }), /baseIndex=9 appliedIndex=8/)
  })
})

describe("the message of a snapshot", () => {
  const decode = Schema.decodeUnknownOption(Message.InstallSnapshot)
  const message = installSnapshot("b", 2, snapshotAt(9, 2, placed(5, "abc")))

  it("survives its codec", () => {
    const encoded = Schema.encodeSync(Message.InstallSnapshot)(message)
    assert.deepStrictEqual(Schema.decodeUnknownSync(Message.InstallSnapshot)(encoded), message)
  })

  it("is none that travels by itself, without the bytes", () => {
    assert.strictEqual(Schema.decodeUnknownOption(Message.Message)(message)._tag, "None")
  })

  it.each([
    ["a later term than its sender's", { ...message, term: 1 }],
    ["no entry behind it", { ...message, snapshot: { ...message.snapshot, index: 0 } }],
    [
      "a configuration from after it",
      { ...message, snapshot: { ...message.snapshot, configuration: placed(10, "abc") } }
    ],
    ["a checksum without end", { ...message, snapshot: { ...message.snapshot, checksum: "f".repeat(129) } }],
    ["no checksum", { ...message, snapshot: { ...message.snapshot, checksum: "" } }]
  ])("with %s does not decode", (_, broken) => {
    assert.strictEqual(decode(broken)._tag, "None")
  })
})
