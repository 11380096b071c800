import { assert, describe, it } from "@effect/vitest"
import type { Message, RaftCore } from "@reckon/raft"
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
  removedMessage,
  requestVote,
  snapshotAt,
  timeoutNow,
  voteReply
} from "./member.js"

/** Members of a group of three in term 3, each in one role, with the log [1, 2] and, for the leader, its no-op behind it. */
const members: Readonly<Record<RaftCore.Role, () => Member>> = {
  follower: () => {
    const member = new Member({ terms: [1, 2], term: 3 })
    member.receive(heartbeat("b", 3))
    return member
  },
  pre_candidate: () => {
    const member = new Member({ terms: [1, 2], term: 3 })
    member.timeOut()
    return member
  },
  candidate: () => {
    const member = new Member({ terms: [1, 2], term: 2 })
    member.timeOut()
    member.receive(preVoteReply("b", 2, 3))
    member.sync()
    return member
  },
  leader: () => new Member({ terms: [1, 2], term: 2 }).lead()
}

type Row = readonly [
  what: string,
  message: Message.Message | Message.InstallSnapshot,
  next: Readonly<Record<RaftCore.Role, string>>
]

const all = (next: string): Readonly<Record<RaftCore.Role, string>> => ({
  follower: next,
  pre_candidate: next,
  candidate: next,
  leader: next
})

const unmoved = {
  follower: "follower 3 b",
  pre_candidate: "pre_candidate 3 -",
  candidate: "candidate 3 -",
  leader: "leader 3 a"
}

const leaderless = "follower 4 -"

const stepsDown = "follower 3 -"

/** What each role becomes, in which term, with which leader. */
const table: ReadonlyArray<Row> = [
  ["a heartbeat of its term", heartbeat("b", 3), { ...all("follower 3 b"), leader: stepsDown }],
  ["a heartbeat of a later term", heartbeat("c", 4), all("follower 4 c")],
  ["a heartbeat of an older term", heartbeat("c", 2), unmoved],
  ["entries of its term", appendEntries("b", 3, [2, 2], [3]), { ...all("follower 3 b"), leader: stepsDown }],
  ["entries of a later term", appendEntries("c", 4, [3, 3], [4]), all("follower 4 c")],
  ["entries of an older term", appendEntries("c", 2, [2, 2], [2]), unmoved],
  ["a pre-vote", preVote("c", 3, 4, [9, 3]), unmoved],
  ["a pre-vote of a far term", preVote("c", 8, 9, [9, 3]), unmoved],
  ["a vote of its term", requestVote("c", 3, [9, 3]), unmoved],
  ["a vote of an older term", requestVote("c", 2, [9, 3]), unmoved],
  [
    "a vote of a later term",
    requestVote("c", 4, [9, 3]),
    { ...unmoved, pre_candidate: leaderless, candidate: leaderless }
  ],
  ["a vote of a later term that the leader wishes", requestVote("c", 4, [9, 3], true), all(leaderless)],
  ["a vote of an older term that its leader wished", requestVote("c", 2, [9, 3], true), unmoved],
  ["a snapshot of its term", installSnapshot("b", 3, snapshotAt(9, 3)), { ...all("follower 3 b"), leader: stepsDown }],
  ["a snapshot of a later term", installSnapshot("c", 4, snapshotAt(9, 3)), all("follower 4 c")],
  ["a snapshot of an older term", installSnapshot("c", 2, snapshotAt(9, 2)), unmoved],
  ["the lead of its term", timeoutNow("b", 3), { ...all("candidate 4 -"), leader: stepsDown }],
  ["the lead of a later term", timeoutNow("c", 4), all("candidate 5 -")],
  ["the lead of an older term", timeoutNow("c", 2), unmoved],
  [
    "the news of its removal",
    removedMessage("b", 3),
    { ...unmoved, pre_candidate: stepsDown, candidate: stepsDown, leader: stepsDown }
  ],
  ["a pre-vote granted", preVoteReply("b", 3, 4), { ...unmoved, pre_candidate: "candidate 4 -" }],
  ["a pre-vote granted for another term", preVoteReply("b", 3, 7), unmoved],
  ["a pre-vote refused", preVoteReply("b", 3, 4, false), unmoved],
  ["a pre-vote refused from a later term", preVoteReply("b", 4, 4, false), all(leaderless)],
  ["a vote granted", voteReply("b", 3, 3), { ...unmoved, candidate: "leader 3 a" }],
  ["a vote granted for an older term", voteReply("b", 3, 2), unmoved],
  ["a vote refused", voteReply("b", 3, 3, false), unmoved],
  ["a vote refused from a later term", voteReply("b", 4, 3, false), all(leaderless)],
  ["a match", matched("b", 3, 2), unmoved],
  ["a match from a later term", matched("b", 4, 2), all(leaderless)],
  ["a conflict", conflict("b", 3, 1, [0, 0]), unmoved],
  ["a heartbeat's answer", heartbeatReply("b", 3, 0), unmoved],
  ["a heartbeat's answer from a later term", heartbeatReply("b", 4, 0), all(leaderless)]
]

const stand = (member: Member): string => `${member.state.role} ${member.state.term} ${member.state.leader ?? "-"}`

describe.each(Object.entries(members))("a %s that receives", (role, make) => {
  it("is what the table says it is", () => {
    assert.strictEqual(stand(make()), Object.entries(unmoved).find(([name]) => name === role)?.[1])
  })

  it.each(table)("%s", (_, message, next) => {
    const member = make()
    const expected = Object.entries(next).find(([name]) => name === role)?.[1]
    const before = member.state
    const outputs = member.receive(message)
    assert.strictEqual(stand(member), expected)
    const changed = stand(member) !== `${before.role} ${before.term} ${before.leader ?? "-"}`
    assert.strictEqual(
      outputs.some(output => output.startsWith("Role")),
      changed
    )
    // a new term, and only a new term or vote, is written
    const hardState = outputs.find(output => output.includes("vote="))
    assert.strictEqual(
      hardState !== undefined,
      member.state.term !== before.term || member.state.votedFor !== before.votedFor
    )
  })

  it("a message for another member, or from itself, does nothing", () => {
    const member = make()
    const before = member.state
    assert.deepStrictEqual(member.receive({ ...heartbeat("b", 9), to: "c" }), [])
    assert.deepStrictEqual(member.receive(heartbeat("a", 9)), [])
    assert.deepStrictEqual(member.state, before)
  })
})
