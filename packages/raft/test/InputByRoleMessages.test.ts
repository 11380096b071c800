import { assert, describe, it } from "@effect/vitest"
import type { Message } from "@reckon/raft"
import {
  appendEntries,
  conflict,
  heartbeat,
  heartbeatReply,
  installSnapshot,
  matched,
  preVote,
  preVoteReply,
  removedMessage,
  requestVote,
  snapshotAt,
  timeoutNow,
  voteReply
} from "./core/member.js"
import {
  check,
  each,
  enters,
  followsB,
  givesUp,
  heard,
  type Row,
  receive,
  stands,
  start,
  stays,
  toBoth,
  votes
} from "./scripts/roles.js"

const abcd = { index: 4, configuration: { voters: ["a", "b", "c", "d"], learners: [], removed: [] } }

/** Every message, in an older, in its own and in a later term where that matters, to every role. */
const rows: ReadonlyArray<Row> = [
  // PreVote
  [
    "PreVote for a term that is not later",
    receive(preVote("c", 2, 3, [9, 3])),
    stays("PreVoteReply→c term=3 asked=3 refused")
  ],
  [
    "PreVote for the next term, with the longer log",
    receive(preVote("c", 3, 4, [9, 3])),
    {
      ...stays("PreVoteReply→c term=3 asked=4 granted"),
      follower: [start.follower, "PreVoteReply→c term=3 asked=4 refused"],
      learner: [start.learner, "PreVoteReply→c term=3 asked=4 refused"],
      leader: [start.leader, "PreVoteReply→c term=3 asked=4 refused"]
    }
  ],
  [
    "PreVote for a far term, from a later one",
    receive(preVote("c", 8, 9, [9, 3])),
    {
      ...stays("PreVoteReply→c term=3 asked=9 granted"),
      follower: [start.follower, "PreVoteReply→c term=3 asked=9 refused"],
      learner: [start.learner, "PreVoteReply→c term=3 asked=9 refused"],
      leader: [start.leader, "PreVoteReply→c term=3 asked=9 refused"]
    }
  ],
  [
    "PreVote of its leader",
    receive(preVote("b", 3, 4, [9, 3])),
    {
      ...stays("PreVoteReply→b term=3 asked=4 granted"),
      leader: [start.leader, "PreVoteReply→b term=3 asked=4 refused"]
    }
  ],
  ["PreVote with an older log", receive(preVote("c", 3, 4, [9, 1])), stays("PreVoteReply→c term=3 asked=4 refused")],

  // RequestVote
  ["RequestVote in an older term", receive(requestVote("c", 2, [9, 3])), stays("VoteReply→c term=3 asked=2 refused")],
  [
    "RequestVote in an older term, at a leader's wish",
    receive(requestVote("c", 2, [9, 3], true)),
    stays("VoteReply→c term=3 asked=2 refused")
  ],
  [
    "RequestVote in its term",
    receive(requestVote("c", 3, [9, 3])),
    {
      ...stays("VoteReply→c term=3 asked=3 refused"),
      pre_candidate: ["pre_candidate 3 c -", "Persist term=3 vote=c", "after VoteReply→c term=3 asked=3 granted"],
      removed: ["follower 3 c - removed", "Persist term=3 vote=c", "after VoteReply→c term=3 asked=3 granted"]
    }
  ],
  [
    "RequestVote in a later term",
    receive(requestVote("c", 4, [9, 3])),
    {
      ...votes("c"),
      follower: [start.follower, "VoteReply→c term=3 asked=4 refused"],
      learner: [start.learner, "VoteReply→c term=3 asked=4 refused"],
      leader: [start.leader, "VoteReply→c term=3 asked=4 refused"]
    }
  ],
  [
    "RequestVote of its leader in a later term",
    receive(requestVote("b", 4, [9, 3])),
    { ...votes("b"), leader: [start.leader, "VoteReply→b term=3 asked=4 refused"] }
  ],
  ["RequestVote in a later term, at the leader's wish", receive(requestVote("c", 4, [9, 3], true)), votes("c")],
  [
    "RequestVote in a later term, at the leader's wish, with an older log",
    receive(requestVote("c", 4, [9, 1], true)),
    enters(4, "-", () => ["after VoteReply→c term=4 asked=4 refused"])
  ],

  // PreVoteReply
  ["PreVoteReply, granted", receive(preVoteReply("b", 3, 4)), { ...stays(), pre_candidate: stands(4, "2/2", false) }],
  [
    "PreVoteReply, granted by a member of an older term",
    receive(preVoteReply("b", 1, 4)),
    { ...stays(), pre_candidate: stands(4, "2/2", false) }
  ],
  ["PreVoteReply, granted for another term", receive(preVoteReply("b", 3, 3)), stays()],
  ["PreVoteReply, granted by a stranger", receive(preVoteReply("x", 3, 4)), stays()],
  ["PreVoteReply, refused", receive(preVoteReply("b", 3, 4, false)), stays()],
  ["PreVoteReply, refused from a later term", receive(preVoteReply("b", 4, 4, false)), enters(4, "-")],

  // VoteReply
  [
    "VoteReply, granted",
    receive(voteReply("b", 3, 3)),
    {
      ...stays(),
      candidate: [
        "leader 3 a a",
        "Persist 3/3",
        "Role leader term=3 leader=a",
        ...toBoth(to => `AppendEntries→${to} term=3 prev=2/2 [3/3] commit=0`)
      ]
    }
  ],
  ["VoteReply, granted for an older term", receive(voteReply("b", 3, 2)), stays()],
  ["VoteReply, granted by a stranger", receive(voteReply("x", 3, 3)), stays()],
  ["VoteReply, refused", receive(voteReply("b", 3, 3, false)), stays()],
  ["VoteReply, refused from a later term", receive(voteReply("b", 4, 3, false)), enters(4, "-")],

  // AppendEntries
  [
    "AppendEntries of an older term",
    receive(appendEntries("c", 2, [2, 2], [2])),
    stays("HeartbeatReply→c term=3 round=0")
  ],
  [
    "AppendEntries that follow its log",
    receive(appendEntries("b", 3, [2, 2], [3], 2)),
    followsB(role => ["Persist 3/3", ...heard(role), "Commit 2", "after AppendReply→b term=3 match=3"])
  ],
  [
    "AppendEntries behind its log",
    receive(appendEntries("b", 3, [5, 3], [3], 2)),
    followsB(role => [...heard(role), "AppendReply→b term=3 conflict=5 hint=2/2"])
  ],
  [
    "AppendEntries that differ from its log",
    receive(appendEntries("b", 3, [0, 0], [1, 3])),
    followsB(role => ["Persist cut=2 2/3", ...heard(role), "Truncated from=2", "after AppendReply→b term=3 match=2"])
  ],
  [
    "AppendEntries that it has",
    receive(appendEntries("b", 3, [0, 0], [1])),
    followsB(role => [...heard(role), "AppendReply→b term=3 match=1"])
  ],
  [
    "AppendEntries of a later term",
    receive(appendEntries("c", 4, [2, 2], [])),
    enters(4, "c", role => [`after AppendReply→c term=4 match=${role === "leader" ? 3 : 2}`])
  ],

  // InstallSnapshot
  [
    "InstallSnapshot of an older term",
    receive(installSnapshot("c", 2, snapshotAt(9, 2))),
    stays("HeartbeatReply→c term=3 round=0")
  ],
  [
    "InstallSnapshot of what its log has",
    receive(installSnapshot("b", 3, snapshotAt(1, 1))),
    followsB(role => [...heard(role), ...(role === "removed" ? [] : ["Commit 1"]), "AppendReply→b term=3 match=1"])
  ],
  [
    "InstallSnapshot of what its log lacks",
    receive(installSnapshot("b", 3, snapshotAt(9, 3, abcd))),
    followsB(role => [
      "Install 9/3(a b c d @4)",
      ...heard(role),
      `Truncated from=${role === "removed" ? 2 : 1}`,
      "Members a b c d @4",
      "after AppendReply→b term=3 match=9"
    ])
  ],
  [
    "InstallSnapshot of a later term",
    receive(installSnapshot("c", 4, snapshotAt(1, 1))),
    enters(4, "c", role => [
      ...(role === "removed" || role === "leader" ? [] : ["Commit 1"]),
      `after AppendReply→c term=4 match=${role === "leader" ? 3 : 1}`
    ])
  ],

  // AppendReply
  [
    "AppendReply, a match",
    receive(matched("b", 3, 4)),
    { ...stays(), leader: [start.leader, "Commit 4", "Heartbeat→b term=3 commit=4 round=0"] }
  ],
  ["AppendReply, a match known before", receive(matched("b", 3, 2)), stays()],
  ["AppendReply, a match of an older term", receive(matched("b", 2, 4)), stays()],
  ["AppendReply, a match of a later term", receive(matched("b", 4, 4)), enters(4, "-")],
  [
    "AppendReply of a stranger in a later term",
    receive(matched("x", 9, 4)),
    { ...enters(9, "-"), leader: [start.leader] }
  ],
  [
    "AppendReply, a conflict",
    receive(conflict("b", 3, 4, [3, 3])),
    { ...stays(), leader: [start.leader, "AppendEntries→b term=3 prev=3/3 [4/3] commit=3"] }
  ],
  ["AppendReply, a conflict known to be past", receive(conflict("b", 3, 2, [1, 1])), stays()],

  // Heartbeat
  ["Heartbeat of an older term", receive(heartbeat("c", 2, 0, 7)), stays("HeartbeatReply→c term=3 round=0")],
  [
    "Heartbeat of its term",
    receive(heartbeat("b", 3, 2, 7)),
    followsB(role => [...heard(role), "Commit 2", "HeartbeatReply→b term=3 round=7"])
  ],
  [
    "Heartbeat of a later term",
    receive(heartbeat("c", 4, 0, 7)),
    enters(4, "c", () => ["after HeartbeatReply→c term=4 round=7"])
  ],

  // HeartbeatReply
  ["HeartbeatReply, where all entries were sent after the heartbeat", receive(heartbeatReply("b", 3, 0)), stays()],
  [
    "HeartbeatReply, where entries were sent before the heartbeat",
    member => {
      member.ticks(1)
      return member.receive(heartbeatReply("b", 3, 0))
    },
    { ...stays(), leader: [start.leader, "AppendEntries→b term=3 prev=4/3 [] commit=3"] }
  ],
  ["HeartbeatReply of an older term", receive(heartbeatReply("b", 2, 0)), stays()],
  ["HeartbeatReply of a later term", receive(heartbeatReply("b", 4, 0)), enters(4, "-")],
  [
    "HeartbeatReply of a stranger in a later term",
    receive(heartbeatReply("x", 9, 0)),
    { ...enters(9, "-"), leader: [start.leader] }
  ],

  // TimeoutNow
  ["TimeoutNow of an older term", receive(timeoutNow("c", 2)), stays("HeartbeatReply→c term=3 round=0")],
  [
    "TimeoutNow of its term",
    receive(timeoutNow("b", 3)),
    {
      ...each(() => stands(4, "2/2", true)),
      leader: givesUp,
      learner: [start.learner],
      removed: ["follower 3 - b removed", "Role follower term=3 leader=b"]
    }
  ],
  [
    "TimeoutNow of a later term",
    receive(timeoutNow("c", 4)),
    {
      ...each(() => stands(5, "2/2", true)),
      leader: stands(5, "4/3", true),
      learner: ["follower 4 - c", "Persist term=4 vote=-", "Role follower term=4 leader=c"],
      removed: ["follower 4 - c removed", "Persist term=4 vote=-", "Role follower term=4 leader=c"]
    }
  ],

  // Removed
  [
    "Removed",
    receive(removedMessage("b", 3)),
    {
      follower: ["follower 3 - b removed", "MemberRemoved"],
      pre_candidate: ["follower 3 - - removed", "Role follower term=3 leader=-", "MemberRemoved"],
      candidate: ["follower 3 a - removed", "Role follower term=3 leader=-", "MemberRemoved"],
      leader: ["follower 3 a - removed", "Role follower term=3 leader=-", "MemberRemoved"],
      learner: ["follower 3 - b removed", "MemberRemoved"],
      removed: [start.removed]
    }
  ],

  // not for this member
  ["a message for another", receive({ ...heartbeat("b", 9), to: "c" }), stays()],
  ["a message of its own", receive(heartbeat("a", 9)), stays()]
]

check(rows)

describe("the rows", () => {
  /** The compiler sees to it that none is left out here, the test that none is left out above. */
  const tags: Readonly<Record<Message.Message["_tag"] | "InstallSnapshot", true>> = {
    AppendEntries: true,
    AppendReply: true,
    Heartbeat: true,
    HeartbeatReply: true,
    InstallSnapshot: true,
    PreVote: true,
    PreVoteReply: true,
    Removed: true,
    RequestVote: true,
    TimeoutNow: true,
    VoteReply: true
  }

  it.each(Object.keys(tags))("have %s", tag => {
    assert.isTrue(rows.some(([what]) => new RegExp(`^${tag}\\b`).test(what)))
  })
})
