import { assert, describe, it } from "@effect/vitest"
import { LogEntry } from "@reckon/raft"
import { appendEntries, conflict, heartbeat, heartbeatReply, Member, matched } from "./member.js"

const only = (outputs: ReadonlyArray<string>, part: string): ReadonlyArray<string> =>
  outputs.filter(output => output.includes(part))

describe("Raft §5.3, log replication: the leader", () => {
  it("appends a batch in one write and sends it at once", () => {
    const member = new Member().lead()
    assert.deepStrictEqual(member.propose(7, 8), [
      "Persist#3 2/1 3/1",
      "Appended 7@2/1 8@3/1",
      "AppendEntries→b term=1 prev=1/1 [2/1 3/1] commit=1",
      "AppendEntries→c term=1 prev=1/1 [2/1 3/1] commit=1"
    ])
  })

  it("commits what a majority holds durably, itself included, and what precedes it", () => {
    const member = new Member({ terms: [1, 1], term: 1 }).lead(false)
    assert.deepStrictEqual(member.receive(matched("b", 2, 3)), ["Commit 3", "Heartbeat→b term=2 commit=3 round=0"])
  })

  it("does not count itself before its own write is durable", () => {
    const member = new Member().lead()
    member.propose(1)
    member.receive(matched("b", 1, 2))
    assert.strictEqual(member.state.commitIndex, 1)
    assert.deepStrictEqual(only(member.sync(), "Commit"), ["Commit 2"])
  })

  it("commits by the others alone, but applies only what it has durably itself", () => {
    const member = new Member().lead()
    member.propose(1)
    member.receive(matched("b", 1, 2))
    assert.deepStrictEqual(only(member.receive(matched("c", 1, 2)), "Commit"), [])
    assert.deepStrictEqual([member.state.commitIndex, member.state.applyIndex], [2, 1])
    assert.deepStrictEqual(member.sync(), ["Commit 2"])
  })

  it.each([
    [3, 1, true],
    [4, 1, false],
    [4, 2, true],
    [5, 1, false],
    [5, 2, true]
  ])("with %i voters and %i answers: committed is %s", (voters, answers, committed) => {
    const member = new Member({ voters: ["a", "b", "c", "d", "e"].slice(0, voters) }).lead()
    member.propose(1)
    member.sync()
    for (const from of "bcde".slice(0, answers)) member.receive(matched(from, 1, 2))
    assert.strictEqual(member.state.commitIndex === 2, committed)
  })

  it("keeps a window of messages and bytes, and sends on as answers come", () => {
    const member = new Member({ options: { inflightMessagesMax: 2, appendEntriesMax: 1 } }).lead()
    assert.lengthOf(only(member.propose(1, 2, 3), "→b"), 2)
    assert.deepStrictEqual(only(member.receive(matched("b", 1, 2)), "AppendEntries"), [
      "AppendEntries→b term=1 prev=3/1 [4/1] commit=1"
    ])
    const bytes = new Member({ options: { inflightBytesMax: LogEntry.overheadBytes + 1, appendEntriesMax: 1 } }).lead()
    assert.lengthOf(only(bytes.propose(1, 2, 3), "→b"), 1)
  })

  it("cuts messages by bytes, but always sends an entry", () => {
    const member = new Member({ options: { appendBytesMax: 1 } }).lead()
    assert.deepStrictEqual(only(member.propose(1, 2), "→b"), [
      "AppendEntries→b term=1 prev=1/1 [2/1] commit=1",
      "AppendEntries→b term=1 prev=2/1 [3/1] commit=1"
    ])
  })

  it("refuses proposals beyond the uncommitted bytes, and takes them again after the commit", () => {
    const member = new Member({ options: { uncommittedBytesMax: 100 } }).lead()
    member.propose(1, 2)
    assert.deepStrictEqual(member.propose(3, 4), ["Refused 3 4 overloaded leader=a"])
    assert.deepStrictEqual(only(member.propose(5), "Appended"), ["Appended 5@4/1"])
    member.sync()
    member.receive(matched("b", 1, 4))
    assert.strictEqual(member.state.uncommittedBytes, 0)
    assert.deepStrictEqual(only(member.propose(6), "Appended"), ["Appended 6@5/1"])
  })

  it("takes any one batch when nothing is uncommitted", () => {
    const member = new Member({ options: { uncommittedBytesMax: 1 } }).lead()
    assert.deepStrictEqual(only(member.propose(1, 2, 3), "Appended"), ["Appended 1@2/1 2@3/1 3@4/1"])
  })

  it("a follower refuses proposals and names the leader", () => {
    const member = new Member()
    assert.deepStrictEqual(member.propose(1), ["Refused 1 not_leader leader=-"])
    member.receive(heartbeat("c", 1))
    assert.deepStrictEqual(member.propose(1, 2), ["Refused 1 2 not_leader leader=c"])
  })
})

describe("Raft §5.3, log replication: the follower", () => {
  it("acknowledges entries when they are durable", () => {
    const member = new Member({ term: 1 })
    assert.deepStrictEqual(member.receive(appendEntries("b", 1, [0, 0], [1, 1], 1)), [
      "Persist#1 1/1 2/1",
      "Role follower term=1 leader=b",
      "after#1 AppendReply→b term=1 match=2"
    ])
    assert.deepStrictEqual(member.sync(), ["Commit 1"])
  })

  it.each([
    ["nothing to compare", [], [0, 0], [1], "match=1"],
    ["a missing predecessor", [1, 1], [5, 1], [1], "conflict=5 hint=2/1"],
    ["a predecessor of another term, a term skipped", [1, 2, 2, 2], [4, 3], [3], "conflict=4 hint=4/2"],
    ["a predecessor of an older term than its own", [1, 3, 3, 3], [4, 2], [2], "conflict=4 hint=1/1"],
    ["a known prefix", [1, 1, 1], [1, 1], [1], "match=2"]
  ] as const)("the check: %s", (_, terms, prev, entries, answer) => {
    const member = new Member({ terms, term: 5 })
    const outputs = member.receive(appendEntries("b", 5, prev, entries))
    assert.include(only(outputs, "AppendReply").join("\n"), answer)
  })

  it("removes what differs and all behind it, keeps what agrees", () => {
    const member = new Member({ terms: [1, 1, 2, 2], term: 3 })
    assert.deepStrictEqual(member.receive(appendEntries("b", 3, [1, 1], [1, 3])), [
      "Persist#1 cut=3 3/3",
      "Role follower term=3 leader=b",
      "Truncated from=3",
      "after#1 AppendReply→b term=3 match=3"
    ])
    assert.deepStrictEqual(
      member.log.map(({ term }) => term),
      [1, 1, 3]
    )
  })

  it("a shorter message that agrees removes nothing", () => {
    const member = new Member({ terms: [1, 1, 1], term: 1 })
    member.receive(appendEntries("b", 1, [0, 0], [1]))
    assert.strictEqual(member.state.lastIndex, 3)
  })

  it.each([
    ["the same", [1, 3, 3, 3, 5, 5, 5], [1, 3, 3, 3, 5, 5, 5], 1],
    ["nothing", [1, 3, 3, 3, 5, 5, 5], [], 2],
    ["less", [1, 3, 3, 3, 5, 5, 5], [1, 3, 3], 2],
    ["more of an older term", [1, 3, 3, 3, 5, 5, 5], [1, 3, 3, 3, 3, 3, 3, 3, 3], 2],
    ["another term in the middle, and as much", [1, 1, 1, 3, 3, 3, 5], [1, 1, 1, 2, 2, 2, 2], 2],
    ["many terms that the leader never saw", [1, 1, 1, 7, 7, 7, 7], [1, 1, 1, 2, 3, 4, 5, 6], 2],
    ["few entries of each of many terms that both have", [1, 2, 3, 4, 5, 6, 7], [1, 2, 3, 3, 3, 3, 3], 2],
    ["other terms by turns", [1, 2, 2, 4, 4, 6, 6], [1, 1, 3, 3, 5, 5, 5], 4],
    ["another term at each index", [1, 3, 5, 7, 9, 11], [1, 2, 4, 6, 8, 10], 6]
  ] as const)("a follower that has %s: log %j beside %j in %i questions", (_, mine, theirs, expected) => {
    const leader = new Member({ terms: [...mine], term: 11 }).lead(false)
    const follower = new Member({ terms: [...theirs], term: 11 })
    let questions = 0
    let waiting = leader.raw({ _tag: "Receive", message: heartbeatReply("b", 12, 0) })
    for (; questions < 12 && follower.state.lastTerm !== 12; questions++) {
      const [question] = waiting.flatMap(output =>
        output._tag === "Send" && output.message.to === "b" ? [output.message] : []
      )
      if (question === undefined) assert.fail("no question")
      const [answer] = follower
        .raw({ _tag: "Receive", message: { ...question, from: "b", to: "a" } })
        .flatMap(output => (output._tag === "Send" || output._tag === "SendAfterPersist" ? [output.message] : []))
      if (answer === undefined) assert.fail("no answer")
      follower.sync()
      waiting = leader.raw({ _tag: "Receive", message: { ...answer, from: "b", to: "a" } })
    }
    assert.deepStrictEqual(
      follower.log.map(({ term }) => term),
      [...mine, 12]
    )
    assert.strictEqual(questions, expected)
  })

  const figure7 = {
    a: [1, 1, 1, 4, 4, 5, 5, 6, 6],
    b: [1, 1, 1, 4],
    c: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
    d: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
    e: [1, 1, 1, 4, 4, 4, 4],
    f: [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3]
  }

  it.each(Object.entries(figure7))("the leader brings follower %s of figure 7 in line", (_, terms) => {
    const leaderTerms = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6]
    const leader = new Member({ terms: leaderTerms, term: 7 }).lead(false)
    const follower = new Member({ terms, term: 7 })
    // the follower under test is played by a member that is called "a" as well: only the names are exchanged
    let questions = leader.raw({ _tag: "Receive", message: heartbeatReply("b", 8, 0) })
    let rounds = 0
    for (; rounds < 12 && follower.state.lastTerm !== leader.state.lastTerm; rounds++) {
      const answers = questions.flatMap(output => {
        if (output._tag !== "Send" || output.message.to !== "b") return []
        return follower.raw({ _tag: "Receive", message: { ...output.message, from: "b", to: "a" } })
      })
      follower.sync()
      questions = answers.flatMap(output =>
        output._tag === "Send" || output._tag === "SendAfterPersist"
          ? leader.raw({ _tag: "Receive", message: { ...output.message, from: "b", to: "a" } })
          : []
      )
    }
    assert.deepStrictEqual(
      follower.log.map(({ term }) => term),
      leader.log.map(({ term }) => term)
    )
    assert.isAtMost(rounds, 5)
  })
})

describe("Raft §5.4.2, committing entries of earlier terms", () => {
  it("figure 8: an old entry on a majority is not committed until one of the present term is on top of it", () => {
    const member = new Member({ voters: ["a", "b", "c", "d", "e"], terms: [1, 2], term: 3 }).lead(false)
    member.receive(matched("b", 4, 2))
    member.receive(matched("c", 4, 2))
    assert.strictEqual(member.state.commitIndex, 0)
    member.receive(matched("b", 4, 3))
    assert.deepStrictEqual(only(member.receive(matched("c", 4, 3)), "Commit"), ["Commit 3"])
  })
})

describe("bugs of others: replication and commit (§4.3)", () => {
  it("a heartbeat's answer raises no match", () => {
    const member = new Member().lead()
    member.propose(1)
    member.sync()
    member.receive(heartbeatReply("b", 1, 0))
    member.receive(heartbeatReply("c", 1, 0))
    assert.strictEqual(member.state.commitIndex, 1)
  })

  it("a heartbeat commits no more than the follower is known to hold", () => {
    const member = new Member().lead(false)
    member.receive(matched("b", 1, 1))
    assert.strictEqual(member.state.commitIndex, 1)
    assert.deepStrictEqual(only(member.ticks(1), "Heartbeat"), [
      "Heartbeat→b term=1 commit=1 round=0",
      "Heartbeat→c term=1 commit=0 round=0"
    ])
  })

  it("a follower commits no more than this leader verified", () => {
    const member = new Member({ terms: [1, 1, 1, 1], term: 2 })
    assert.deepStrictEqual(only(member.receive(appendEntries("b", 2, [1, 1], [1], 4)), "Commit"), ["Commit 2"])
  })

  it("a cut lowers what is durable, and no late completion raises it again (ABA)", () => {
    const member = new Member({ term: 1 })
    member.receive(appendEntries("b", 1, [0, 0], [1, 1, 1]))
    const first = member.state.issuedToken
    member.receive(appendEntries("c", 2, [1, 1], [2, 2]))
    assert.strictEqual(member.state.durableIndex, 0)
    member.persisted(first, 3)
    assert.strictEqual(member.state.durableIndex, 1)
    const answer = member.receive(appendEntries("c", 2, [3, 2], [], 3))
    assert.deepStrictEqual(answer, ["Commit 1", "after#2 AppendReply→c term=2 match=3"])
    assert.deepStrictEqual(member.sync(), ["Commit 3"])
  })

  it("a leader's write that is durable only when it leads no more commits nothing", () => {
    const member = new Member().lead()
    member.propose(1)
    member.receive(heartbeat("b", 2))
    assert.deepStrictEqual(member.sync(), [])
    assert.deepStrictEqual([member.state.commitIndex, member.state.durableIndex], [1, 2])
    // the other member never had it
    member.receive(appendEntries("b", 2, [1, 1], [2], 2))
    assert.deepStrictEqual([member.sync(), member.log.map(({ term }) => term)], [["Commit 2"], [1, 2]])
  })

  it("refusals that are old or overtaken move nothing back", () => {
    const member = new Member({ terms: [1, 1, 1, 1], term: 1 }).lead(false)
    member.receive(conflict("b", 2, 4, [2, 1]))
    assert.strictEqual(member.state.progress[0]?.nextIndex, 3)
    // the same once more, and one of a question that is no longer asked
    assert.deepStrictEqual(member.receive(conflict("b", 2, 4, [2, 1])), [])
    assert.deepStrictEqual(member.receive(conflict("b", 2, 3, [0, 0])), [])
    member.receive(matched("b", 2, 5))
    assert.deepStrictEqual(member.receive(conflict("b", 2, 2, [0, 0])), [])
    const [progress] = member.state.progress
    assert.deepStrictEqual([progress?.phase, progress?.matchIndex, progress?.nextIndex], ["replicate", 5, 6])
  })

  it("a match from before a probe does not answer its question: nothing is streamed on the strength of it", () => {
    const member = new Member({ options: { appendEntriesMax: 1 } }).lead()
    member.propose(1, 2, 3)
    member.receive(matched("b", 1, 3))
    member.receive(conflict("b", 1, 4, [3, 1]))
    assert.deepStrictEqual(member.receive(matched("b", 1, 2)), [])
    const [progress] = member.state.progress
    assert.deepStrictEqual([progress?.phase, progress?.matchIndex, progress?.nextIndex], ["probe", 3, 4])
  })

  it("one that lost its disk is asked for all anew, from the beginning and below what it had", () => {
    const member = new Member().lead()
    member.propose(1)
    member.sync()
    member.receive(matched("b", 1, 2))
    const lost = { _tag: "AppendReply", from: "b", to: "a", term: 1, round: 0, result: { _tag: "Lost" } } as const
    assert.deepStrictEqual(member.receive(lost), ["AppendEntries→b term=1 prev=0/0 [1/1 2/1] commit=2"])
    const [progress] = member.state.progress
    assert.deepStrictEqual([progress?.phase, progress?.matchIndex, progress?.nextIndex], ["probe", 0, 1])
  })

  it("a refusal while streaming goes back to the match, never below", () => {
    const member = new Member().lead()
    member.propose(1)
    member.propose(2)
    const outputs = member.receive(conflict("b", 1, 2, [0, 0]))
    assert.deepStrictEqual(outputs, ["AppendEntries→b term=1 prev=1/1 [2/1 3/1] commit=1"])
    assert.deepStrictEqual(member.state.progress[0]?.inflight, [])
  })

  it("a full window whose messages are all lost is noticed by the next heartbeat's answer", () => {
    const member = new Member({ options: { inflightMessagesMax: 1 } }).lead()
    member.propose(1)
    member.propose(2)
    member.ticks(1)
    assert.deepStrictEqual(member.receive(heartbeatReply("b", 1, 0)), ["AppendEntries→b term=1 prev=2/1 [] commit=1"])
    assert.deepStrictEqual(member.receive(conflict("b", 1, 2, [1, 1])), [
      "AppendEntries→b term=1 prev=1/1 [2/1 3/1] commit=1"
    ])
  })

  it("what was sent after a heartbeat is not asked for by its answer, but by that of the next", () => {
    const member = new Member().lead()
    member.ticks(1)
    member.propose(1)
    assert.deepStrictEqual(member.receive(heartbeatReply("b", 1, 0)), [])
    member.ticks(1)
    assert.deepStrictEqual(member.receive(heartbeatReply("b", 1, 0)), ["AppendEntries→b term=1 prev=2/1 [] commit=1"])
  })

  it("the news of a commit costs an answer and no question, whatever is sent meanwhile", () => {
    const member = new Member().lead()
    member.propose(1)
    member.sync()
    assert.deepStrictEqual(only(member.receive(matched("b", 1, 2)), "→b"), ["Heartbeat→b term=1 commit=2 round=0"])
    member.propose(2)
    assert.deepStrictEqual(member.receive(heartbeatReply("b", 1, 0)), [])
  })

  it("a lost probe is asked again", () => {
    const member = new Member().lead(false)
    assert.isTrue(member.state.progress[0]?.paused)
    assert.deepStrictEqual(only(member.receive(heartbeatReply("b", 1, 0)), "→b"), [
      "AppendEntries→b term=1 prev=0/0 [1/1] commit=0"
    ])
  })

  it("the counters of a leader end with it", () => {
    const member = new Member().lead()
    member.propose(1, 2, 3)
    member.read(1)
    member.receive(heartbeatReply("b", 9, 0))
    const { progress, reads, uncommitted, uncommittedBytes } = member.state
    assert.deepStrictEqual(
      { progress, reads, uncommitted, uncommittedBytes },
      {
        progress: [],
        reads: [],
        uncommitted: [],
        uncommittedBytes: 0
      }
    )
  })

  it("a batch that is all known is answered once, with all that is committed", () => {
    const member = new Member({ terms: [1, 1, 1], term: 1, applied: 3 })
    assert.deepStrictEqual(only(member.receive(appendEntries("b", 1, [0, 0], [1, 1])), "AppendReply"), [
      "AppendReply→b term=1 match=3"
    ])
  })
})
