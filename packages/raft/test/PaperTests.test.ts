import { assert, describe, it } from "@effect/vitest"
import { type Message, RaftCore } from "@reckon/raft"
import {
  appendEntries,
  conflict,
  heartbeat,
  heartbeatReply,
  matched,
  preVoteReply,
  requestVote,
  voteReply
} from "./core/member.js"
import { Subject } from "./scripts/subject.js"

/**
 * One test for each statement of D. Ongaro and J. Ousterhout, "In Search of an Understandable Consensus Algorithm", with the
 * section it stands in. Where this implementation asks for a pre-vote first, the test has it granted.
 */

const names = ["a", "b", "c", "d", "e"]

const votersOf = (size: number): ReadonlyArray<string> => names.slice(0, size)

const only = (outputs: ReadonlyArray<string>, part: string): ReadonlyArray<string> =>
  outputs.filter(output => output.includes(part))

/** A member that has just asked for votes in the next term, its own vote durable. */
const candidate = (init?: ConstructorParameters<typeof Subject>[0]): Subject => {
  const member = new Subject(init)
  member.timeOut()
  for (const from of member.others) {
    if (member.state.role === "pre_candidate")
      member.receive(preVoteReply(from, member.state.term, member.state.term + 1))
  }
  member.sync()
  return member
}

const inRole: Readonly<Record<RaftCore.Role, () => Subject>> = {
  follower: () => new Subject({ term: 1 }),
  pre_candidate: () => {
    const member = new Subject({ term: 1 })
    member.timeOut()
    return member
  },
  candidate: () => candidate(),
  leader: () => new Subject().lead()
}

const roles = ["follower", "pre_candidate", "candidate", "leader"] as const

/** Every list of so many answers. */
const mixes = <A>(answers: ReadonlyArray<A>, length: number): ReadonlyArray<ReadonlyArray<A>> =>
  length === 0 ? [[]] : mixes(answers, length - 1).flatMap(mix => answers.map(answer => [...mix, answer]))

const sizes = [1, 2, 3, 4, 5]

describe("§5.1 Raft basics", () => {
  it("§5.1 when servers start up, they begin as followers", () => {
    const { leader, role, term } = new Subject().state
    assert.deepStrictEqual({ role, term, leader }, { role: "follower", term: 0, leader: undefined })
  })

  describe.each(roles)("§5.1 a %s that learns of a later term enters it and follows", role => {
    const news: ReadonlyArray<readonly [string, Message.Message]> = [
      ["a request of a leader", appendEntries("b", 7, [0, 0], [])],
      ["a heartbeat", heartbeat("b", 7)],
      ["the answer to a request", matched("b", 7, 0)],
      ["a refusal", conflict("b", 7, 1, [0, 0])],
      ["the answer to a heartbeat", heartbeatReply("b", 7, 0)],
      ["the answer to a vote", voteReply("b", 7, 1, false)],
      ["the answer to a pre-vote", preVoteReply("b", 7, 2, false)],
      ["a vote its leader wishes", requestVote("b", 7, [9, 6], true)]
    ]
    it.each(news)("from %s", (_, message) => {
      const member = inRole[role]()
      member.receive(message)
      assert.deepStrictEqual([member.state.role, member.state.term], ["follower", 7])
    })
  })

  it.each(roles)("§5.1 a %s rejects a request of an older term, and answers with its own", role => {
    const member = role === "candidate" ? candidate({ term: 4 }) : new Subject({ term: 5 })
    if (role === "pre_candidate") member.timeOut()
    if (role === "leader") member.lead()
    const before = member.state
    const { term } = before
    assert.deepStrictEqual(member.receive(appendEntries("b", 4, [0, 0], [4])), [
      `HeartbeatReply→b term=${term} round=0`
    ])
    assert.deepStrictEqual(member.receive(requestVote("b", 4, [9, 4])), [`VoteReply→b term=${term} asked=4 refused`])
    assert.deepStrictEqual(member.state, before)
  })

  it.each(roles)("§5.1 the current term of a %s grows over time, and never falls", role => {
    const member = inRole[role]()
    let { term } = member.state
    for (const next of [3, 2, 9, 1, 9]) {
      member.receive(heartbeat("b", next))
      assert.isAtLeast(member.state.term, term)
      term = member.state.term
    }
    assert.strictEqual(term, 9)
  })
})

describe("§5.2 leader election", () => {
  it.each([1, 2, 3])("§5.2 leaders send heartbeats to all followers, every %i ticks", heartbeatTicks => {
    const member = new Subject({ options: { heartbeatTicks } }).lead()
    for (let round = 0; round < 3; round++) {
      assert.deepStrictEqual(member.ticks(heartbeatTicks - 1), [])
      assert.deepStrictEqual(member.ticks(1), [
        "Heartbeat→b term=1 commit=1 round=0",
        "Heartbeat→c term=1 commit=1 round=0"
      ])
    }
  })

  it("§5.2 a follower stays a follower as long as it hears a leader", () => {
    const member = new Subject()
    for (let at = 0; at < 100; at++) {
      member.receive(heartbeat("b", 1))
      member.ticks(9)
    }
    assert.deepStrictEqual([member.state.role, member.state.leader], ["follower", "b"])
  })

  it.each(["follower", "candidate"] as const)(
    "§5.2 a %s whose time-out ends begins an election: next term, its own vote, a request to every other server",
    role => {
      const member = role === "candidate" ? candidate({ term: 1 }) : new Subject({ term: 2 })
      assert.deepStrictEqual([member.state.role, member.state.term], [role, 2])
      member.timeOut()
      assert.deepStrictEqual(member.receive(preVoteReply("c", 2, 3)).slice(-4), [
        `Persist#${member.state.issuedToken} term=3 vote=a`,
        "Role candidate term=3 leader=-",
        `after#${member.state.issuedToken} RequestVote→b term=3 asked=3 last=0/0`,
        `after#${member.state.issuedToken} RequestVote→c term=3 asked=3 last=0/0`
      ])
    }
  )

  it.each(sizes)(
    "§5.2 a candidate wins with the votes of a majority of %i, whoever grants, refuses or is silent",
    size => {
      for (const mix of mixes(["grants", "refuses", "is silent"], size - 1)) {
        const member = candidate({ voters: votersOf(size) })
        for (const [at, answer] of mix.entries()) {
          if (answer !== "is silent") member.receive(voteReply(names[at + 1] ?? "", 1, 1, answer === "grants"))
        }
        const granted = 1 + mix.filter(answer => answer === "grants").length
        const refused = mix.filter(answer => answer === "refuses").length
        const outcome = granted * 2 > size ? "leader" : (size - refused) * 2 > size ? "candidate" : "follower"
        assert.deepStrictEqual([member.state.role, member.state.term], [outcome, 1], mix.join(", "))
      }
    }
  )

  it.each([
    ["nobody", undefined, "b", true],
    ["the same", "b", "b", true],
    ["another", "c", "b", false],
    ["itself", "a", "b", false]
  ] as const)("§5.2 one vote a term, first come first served: after a vote for %s", (_, votedFor, from, granted) => {
    const member = new Subject({ term: 1, ...(votedFor === undefined ? {} : { votedFor }) })
    const answer = `asked=1 ${granted ? "granted" : "refused"}`
    assert.include(member.receive(requestVote(from, 1, [0, 0])).join("\n"), answer)
    assert.strictEqual(member.state.votedFor, granted ? from : votedFor)
  })

  it.each([
    ["of its term", 1],
    ["of a later term", 3]
  ])("§5.2 a candidate that hears a leader %s returns to following", (_, term) => {
    for (const message of [appendEntries("b", term, [0, 0], [term]), heartbeat("b", term)]) {
      const member = candidate()
      member.receive(message)
      assert.deepStrictEqual([member.state.role, member.state.term, member.state.leader], ["follower", term, "b"])
    }
  })

  it("§5.2 a candidate that hears a leader of an older term stays a candidate", () => {
    const member = candidate({ term: 3 })
    member.receive(appendEntries("b", 3, [0, 0], [3]))
    assert.deepStrictEqual([member.state.role, member.state.term], ["candidate", 4])
  })

  it.each(["follower", "candidate"] as const)("§5.2 the time-out of a %s is random in [T, 2T), all of it", role => {
    const drawn = new Set<number>()
    for (let seed = 0; seed < 200; seed++) {
      const member = role === "candidate" ? candidate({ seed }) : new Subject({ seed })
      const each = Array.from({ length: 25 }, () => member.ticks(1))
      drawn.add(1 + each.findIndex(outputs => outputs.some(output => output.startsWith("PreVote"))))
    }
    assert.deepStrictEqual(
      [...drawn].sort((a, b) => a - b),
      Array.from({ length: 10 }, (_, at) => 10 + at)
    )
  })

  it.each(["follower", "candidate"] as const)("§5.2 %ss time out together in fewer than 30% of rounds", role => {
    let conflicts = 0
    const rounds = 200
    for (let round = 0; round < rounds; round++) {
      const timeouts = names.map((_, at) => {
        const seed = round * names.length + at
        return (role === "candidate" ? candidate({ seed }) : new Subject({ seed })).state.electionTimeout
      })
      const first = Math.min(...timeouts)
      if (timeouts.filter(timeout => timeout === first).length > 1) conflicts += 1
    }
    assert.isBelow(conflicts / rounds, 0.3)
  })
})

describe("§5.3 log replication: the leader", () => {
  it("§5.3 appends the command to its log and sends it to each of the other servers at once", () => {
    const member = new Subject().lead()
    assert.deepStrictEqual(member.propose(7), [
      "Persist#3 2/1",
      "Appended 7@2/1",
      "AppendEntries→b term=1 prev=1/1 [2/1] commit=1",
      "AppendEntries→c term=1 prev=1/1 [2/1] commit=1"
    ])
  })

  it("§5.3 an entry has a command, the term in which its leader received it, and an index", () => {
    const member = new Subject({ terms: [1, 2], term: 4 }).lead()
    member.propose(7)
    const { index, kind, payload, term } = member.log[3] ?? assert.fail("no entry 4")
    assert.deepStrictEqual(
      { index, kind, term, payload: [...payload] },
      { index: 4, kind: "command", term: 5, payload: [7] }
    )
  })

  it("§5.3 commits an entry once a majority has it, and tells the followers", () => {
    const member = new Subject().lead()
    member.propose(7)
    member.sync()
    assert.deepStrictEqual(member.receive(matched("b", 1, 2)), ["Commit 2", "Heartbeat→b term=1 commit=2 round=0"])
    assert.deepStrictEqual(only(member.propose(8), "→c"), ["AppendEntries→c term=1 prev=2/1 [3/1] commit=2"])
  })

  it.each(sizes)(
    "§5.3 the acknowledgements of a majority of %i, the leader's among them, commit, whosever they are",
    size => {
      for (const mix of mixes(["yes", "no"], size - 1)) {
        const member = new Subject({ voters: votersOf(size) }).lead()
        member.propose(7)
        member.sync()
        for (const [at, answer] of mix.entries()) {
          if (answer === "yes") member.receive(matched(names[at + 1] ?? "", 1, 2))
        }
        const acknowledged = 1 + mix.filter(answer => answer === "yes").length
        assert.strictEqual(member.state.commitIndex === 2, acknowledged * 2 > size, mix.join(", "))
      }
    }
  )

  it.each([[[]], [[2]], [[1, 2]], [[1]]])("§5.3 commits with it all preceding entries: after terms %j", terms => {
    const member = new Subject({ terms, term: 2 }).lead(false)
    member.propose(7)
    member.sync()
    member.receive(matched("b", 3, terms.length + 2))
    assert.strictEqual(member.state.commitIndex, terms.length + 2)
  })

  it("§5.3 sends on, endlessly, to a follower that does not answer", () => {
    const member = new Subject().lead()
    member.propose(7)
    member.sync()
    for (let at = 0; at < 30; at++) {
      assert.lengthOf(only(member.ticks(1), "Heartbeat→c"), 1)
      member.receive(heartbeatReply("b", 1, 0))
    }
    assert.include(member.receive(heartbeatReply("c", 1, 0)).join("\n"), "AppendEntries→c term=1 prev=2/1 []")
    assert.include(member.receive(conflict("c", 1, 2, [1, 1])), "AppendEntries→c term=1 prev=1/1 [2/1] commit=1")
  })

  it("§5.3 never overwrites or deletes entries of its own log", () => {
    const member = new Subject({ terms: [1, 1, 2] }).lead(false)
    const before = [...member.log]
    member.receive(conflict("b", 3, 3, [0, 0]))
    member.receive(matched("c", 3, 4))
    member.propose(7)
    member.ticks(9)
    assert.deepStrictEqual(member.log.slice(0, before.length), before)
  })
})

describe("§5.3 log replication: the follower", () => {
  it("§5.3 applies what its leader has committed, in log order", () => {
    const member = new Subject({ term: 1 })
    const told: Array<string> = []
    for (const commit of [0, 1, 2, 2, 4]) {
      told.push(...only(member.receive(appendEntries("b", 1, [0, 0], [1, 1, 1, 1], commit)), "Commit"))
      told.push(...only(member.sync(), "Commit"))
    }
    assert.deepStrictEqual(told, ["Commit 1", "Commit 2", "Commit 4"])
  })

  it.each([
    ["an empty log", [], [0, 0], "match=0"],
    ["the predecessor", [1, 2], [1, 1], "match=1"],
    ["the predecessor, its last entry", [1, 2], [2, 2], "match=2"],
    ["an index with another term", [1, 2], [1, 2], "conflict=1 hint=1/1"],
    ["an index it has not", [1, 2], [3, 3], "conflict=3 hint=2/2"],
    ["an older term at that index", [1, 2], [2, 1], "conflict=2 hint=1/1"]
  ] as const)("§5.3 refuses entries without their predecessor, with a hint: %s", (_, terms, prev, answer) => {
    const member = new Subject({ terms, term: 3 })
    assert.include(only(member.receive(appendEntries("b", 3, prev, [])), "AppendReply").join("\n"), answer)
    assert.lengthOf(member.log, terms.length)
  })

  it.each([
    [[1, 2], [2, 2], [3], [1, 2, 3]],
    [
      [1, 2],
      [1, 1],
      [3, 4],
      [1, 3, 4]
    ],
    [[1, 2], [0, 0], [1], [1, 2]],
    [[1, 2], [0, 0], [3], [3]],
    [[1, 2, 2], [1, 1], [2], [1, 2, 2]],
    [
      [1, 2, 2],
      [1, 1],
      [2, 3],
      [1, 2, 3]
    ]
  ] as const)(
    "§5.3 the log %j after %j with the terms %j is %j: what conflicts goes, and what follows it",
    (...row) => {
      const [terms, prev, entries, after] = row
      const member = new Subject({ terms, term: 4 })
      member.receive(appendEntries("b", 4, prev, entries))
      assert.deepStrictEqual(
        member.log.map(({ term }) => term),
        [...after]
      )
    }
  )

  it("§5.3 two entries with the same index and term have the same command, and the same logs before them", () => {
    const leader = new Subject().lead()
    const follower = new Subject({ voters: ["a", "b"] })
    leader.propose(3, 4)
    leader.propose(5)
    for (const { index } of leader.log) {
      const entries = leader.log.slice(0, index)
      const message = { ...appendEntries("b", 1, [0, 0], []), entries }
      follower.receive(message)
      assert.deepStrictEqual(follower.log, entries)
    }
  })

  /** Figure 7: logs of followers when the leader at the top comes to power. */
  const figure7 = {
    a: [1, 1, 1, 4, 4, 5, 5, 6, 6],
    b: [1, 1, 1, 4],
    c: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
    d: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
    e: [1, 1, 1, 4, 4, 4, 4],
    f: [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3]
  }

  it.each(Object.entries(figure7))(
    "§5.3 figure 7 (%s): the leader brings this log in line with its own",
    (_, terms) => {
      const leader = new Subject({ terms: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6], term: 7 }).lead(false)
      const follower = new Subject({ terms, term: 7 })
      let asked = leader.raw({ _tag: "Receive", message: heartbeatReply("b", 8, 0) })
      let questions = 0
      for (; questions < 12 && follower.state.lastTerm !== 8; questions++) {
        const [answer] = asked
          .flatMap(output =>
            output._tag === "Send" && output.message.to === "b"
              ? follower.raw({ _tag: "Receive", message: { ...output.message, from: "b", to: "a" } })
              : []
          )
          .slice(-1)
        follower.sync()
        if (answer?._tag !== "Send" && answer?._tag !== "SendAfterPersist") assert.fail("no answer")
        asked = leader.raw({ _tag: "Receive", message: { ...answer.message, from: "b", to: "a" } })
      }
      assert.deepStrictEqual(
        follower.log.map(({ index, term }) => [index, term]),
        leader.log.map(({ index, term }) => [index, term])
      )
      assert.isAtMost(questions, 4)
    }
  )
})

describe("§5.4 safety", () => {
  it.each([[[1]], [[1, 2]], [[2, 3, 3]]])("§5.4.1 a request for a vote says how the log %j ends", terms => {
    const member = new Subject({ terms })
    member.timeOut()
    const asked = member.receive(preVoteReply("b", member.state.term, member.state.term + 1))
    const last = `last=${terms.length}/${terms.at(-1)}`
    assert.deepStrictEqual(
      only(asked, "RequestVote").map(output => output.slice(output.indexOf("RequestVote"))),
      ["b", "c"].map(to => `RequestVote→${to} term=${member.state.term} asked=${member.state.term} ${last}`)
    )
  })

  it.each([
    [[1], [1, 1], true],
    [[1], [2, 1], true],
    [[1, 1], [1, 1], false],
    [[1], [1, 2], true],
    [[1], [2, 2], true],
    [[1, 1], [1, 2], true],
    [[2], [1, 1], false],
    [[2], [2, 1], false],
    [[1, 2], [9, 1], false]
  ] as const)("§5.4.1 a voter with the log %j, asked by one that ends in %j: granted is %s", (terms, last, granted) => {
    const member = new Subject({ terms, term: 3 })
    const answer = member.receive(requestVote("b", 4, last))
    assert.include(answer.join("\n"), `asked=4 ${granted ? "granted" : "refused"}`)
  })

  it.each([
    [1, 0],
    [2, 0],
    [3, 3]
  ])(
    "§5.4.2 only entries of the leader's own term are committed by counting: up to %i counted, %i committed",
    (...row) => {
      const [counted, committed] = row
      const member = new Subject({ terms: [1, 2], term: 2 }).lead(false)
      assert.strictEqual(member.state.term, 3)
      member.receive(matched("b", 3, counted))
      member.receive(matched("c", 3, counted))
      assert.strictEqual(member.state.commitIndex, committed)
    }
  )

  it("§5.4.2 figure 8: what a majority has of an older term may yet be overwritten, by one with a later last term", () => {
    const leader = new Subject({ voters: votersOf(5), terms: [1, 2], term: 3 }).lead(false)
    for (const from of ["b", "c"]) leader.receive(matched(from, 4, 2))
    assert.strictEqual(leader.state.commitIndex, 0)
    const voter = new Subject({ voters: votersOf(5), terms: [1, 2], term: 4 })
    assert.include(voter.receive(requestVote("e", 5, [2, 3])).join("\n"), "granted")
    voter.receive(appendEntries("e", 5, [1, 1], [3, 5]))
    assert.deepStrictEqual(
      voter.log.map(({ term }) => term),
      [1, 3, 5]
    )
  })

  it("§5.4.3 whoever acknowledged an entry refuses everybody who lacks it, from then on", () => {
    const member = new Subject({ term: 1 })
    member.receive(appendEntries("b", 1, [0, 0], [1, 1]))
    for (const term of [2, 3, 4]) {
      assert.include(member.receive(requestVote("c", term, [1, 1], true)).join("\n"), "refused")
    }
  })
})

describe("§5.5 crashes, §5.6 timing", () => {
  it("§5.5 a request that comes twice does no harm", () => {
    const member = new Subject({ term: 1 })
    const message = appendEntries("b", 1, [0, 0], [1, 1], 1)
    member.receive(message)
    member.sync()
    const before = member.state
    assert.deepStrictEqual(member.receive(message), ["AppendReply→b term=1 match=2"])
    assert.deepStrictEqual(member.state, before)
    assert.lengthOf(member.log, 2)
  })

  it("§5.5 a server that crashed after its answer was ready but before its write is durable had not answered", () => {
    const member = new Subject({ term: 1 })
    const outputs = member.raw({ _tag: "Receive", message: appendEntries("b", 1, [0, 0], [1]) })
    assert.deepStrictEqual(
      outputs.filter(output => output._tag === "Send"),
      []
    )
  })

  it("§5.6 heartbeats come more often than elections", () => {
    assert.isBelow(RaftCore.defaults.heartbeatTicks * 3, RaftCore.defaults.electionTicks)
    assert.throws(() => new Subject({ options: { heartbeatTicks: 10 } }), /heartbeats come more often/)
  })
})
