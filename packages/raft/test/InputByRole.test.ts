import { assert, describe, it } from "@effect/vitest"
import type { RaftCore } from "@reckon/raft"
import { appendEntries, matched, preVoteReply, requestVote, voteReply } from "./core/member.js"
import { asks, check, each, members, type Row, refusesToServe, start, stays, toBoth } from "./scripts/roles.js"

/** Every input but messages, to every role. */
const rows: ReadonlyArray<Row> = [
  // time
  [
    "Tick",
    member => member.ticks(1),
    { ...stays(), leader: [start.leader, ...toBoth(to => `Heartbeat→${to} term=3 commit=3 round=0`)] }
  ],
  [
    "Tick, the one that ends its wait, of 25",
    member => {
      for (let at = 0; at < 25; at++) {
        const says = member.ticks(1)
        if (says.some(line => !line.startsWith("Heartbeat"))) return says
      }
      return []
    },
    {
      follower: asks("pre_candidate 3 - -", "Role pre_candidate term=3 leader=-"),
      pre_candidate: asks("pre_candidate 3 - -"),
      candidate: asks("pre_candidate 3 a -", "Role pre_candidate term=3 leader=-"),
      // the check of its majority, of which nobody was heard since the one before
      leader: ["follower 3 a -", "Role follower term=3 leader=-"],
      learner: [start.learner],
      removed: [start.removed]
    }
  ],
  [
    "Campaign",
    member => member.feed({ _tag: "Campaign" }),
    {
      ...stays(),
      follower: asks("pre_candidate 3 - -", "Role pre_candidate term=3 leader=-"),
      pre_candidate: asks("pre_candidate 3 - -"),
      candidate: asks("pre_candidate 3 a -", "Role pre_candidate term=3 leader=-")
    }
  ],

  // requests
  [
    "Propose",
    member => member.propose(7),
    {
      ...refusesToServe(leader => `Refused 7 not_leader leader=${leader}`),
      leader: [
        start.leader,
        "Persist 5/3",
        "Appended 7@5/3",
        ...toBoth(to => `AppendEntries→${to} term=3 prev=4/3 [5/3] commit=3`)
      ]
    }
  ],
  [
    "ReadIndex",
    member => member.read(7),
    {
      ...refusesToServe(leader => `ReadRefused 7 not_leader leader=${leader}`),
      leader: [start.leader, ...toBoth(to => `Heartbeat→${to} term=3 commit=3 round=1`)]
    }
  ],
  [
    "ChangeMembership",
    member => member.change(7, "Add", "d"),
    {
      ...refusesToServe(leader => `ChangeRefused 7 not_leader leader=${leader}`),
      leader: [
        start.leader,
        "Persist 5/3(a b c +d)",
        "Members a b c +d @5",
        ...["b", "c", "d"].map(to => `AppendEntries→${to} term=3 prev=4/3 [5/3(a b c +d)] commit=3`)
      ]
    }
  ],
  [
    "TransferLeadership",
    member => member.transfer(7, "b"),
    { ...refusesToServe(leader => `TransferRefused 7 not_leader leader=${leader}`), leader: [start.leader] }
  ],

  // snapshots
  [
    "SnapshotDelivered, none being under way",
    member => member.feed({ _tag: "SnapshotDelivered", to: "b", term: 3 }),
    stays()
  ],
  [
    "SnapshotFailed, none being under way",
    member => member.feed({ _tag: "SnapshotFailed", to: "b", term: 3 }),
    stays()
  ],

  // the disk
  ["Persisted, heard of before", member => member.persisted(member.state.persistedToken, 2), stays()],
  [
    "Persisted, of what was never asked for",
    member => member.persisted(99, 2),
    each(() => ({ defect: "only what was asked for is persisted" }))
  ]
]

check(rows)

describe("Persisted, of the write it waits for", () => {
  it("a follower, or a learner, applies what is committed and answers", () => {
    for (const role of ["follower", "learner"] as const) {
      const member = members[role]()
      assert.deepStrictEqual(member.receive(appendEntries("b", 3, [2, 2], [3], 3)), [
        "Persist#1 3/3",
        "Commit 2",
        "after#1 AppendReply→b term=3 match=3"
      ])
      assert.deepStrictEqual(member.sync(), ["Commit 3"])
    }
  })

  it("a pre-candidate, or one that was removed, has voted and goes on", () => {
    for (const role of ["pre_candidate", "removed"] as const) {
      const member = members[role]()
      member.receive(requestVote("c", 3, [9, 3]))
      assert.deepStrictEqual(member.sync(), [])
    }
  })

  it("a candidate counts its own vote", () => {
    const member = members.pre_candidate()
    member.receive(preVoteReply("b", 3, 4))
    assert.deepStrictEqual(member.receive(voteReply("b", 4, 4)), [])
    assert.strictEqual(member.sync()[1], "Role leader term=4 leader=a")
  })

  it("a leader counts its own log", () => {
    const member = members.leader()
    member.propose(7)
    assert.include(member.receive(matched("b", 3, 5)), "Commit 4")
    assert.deepStrictEqual(member.sync(), ["Commit 5", "Heartbeat→b term=3 commit=5 round=0"])
  })
})

describe("the rows", () => {
  /** The compiler sees to it that none is left out here, the test that none is left out above. */
  const tags: Readonly<Record<Exclude<RaftCore.Input["_tag"], "Receive">, true>> = {
    Tick: true,
    Propose: true,
    Persisted: true,
    ReadIndex: true,
    Campaign: true,
    ChangeMembership: true,
    TransferLeadership: true,
    SnapshotDelivered: true,
    SnapshotFailed: true
  }

  it.each(Object.keys(tags))("have %s", tag => {
    assert.isTrue(rows.some(([what]) => new RegExp(`^${tag}\\b`).test(what)))
  })
})
