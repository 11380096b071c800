import { assert, describe, it } from "@effect/vitest"
import { LogEntry, Membership, type Message } from "@reckon/raft"
import {
  appendEntries,
  heartbeat,
  heartbeatReply,
  installSnapshot,
  Member,
  matched,
  preVote,
  requestVote,
  sendEntries,
  snapshotAt,
  timeoutNow
} from "./member.js"

const isContradicted = (outputs: ReadonlyArray<string>) => outputs.some(line => line.startsWith("Contradicted"))

/** It hears nobody any more, asks for nothing and serves nothing. */
const assertSetAside = (member: Member) => {
  const { commitIndex, contradiction, lastIndex, term } = member.state
  assert.isDefined(contradiction)
  for (const message of [
    heartbeat("b", term, 0),
    heartbeat("b", term + 1, 0),
    appendEntries("b", term + 1, [commitIndex, member.view().term(commitIndex)], [term + 1]),
    installSnapshot("b", term + 1, snapshotAt(99, term + 1)),
    preVote("b", term, term + 1, [99, term]),
    requestVote("b", term + 1, [99, term]),
    timeoutNow("b", term)
  ]) {
    assert.deepStrictEqual(member.receive(message), [])
  }
  assert.deepStrictEqual(member.ticks(100), [])
  assert.deepStrictEqual(member.feed({ _tag: "Campaign" }), [])
  assert.deepStrictEqual(member.propose(1), ["Refused 1 not_leader leader=-"])
  assert.deepInclude(member.state, { role: "follower", leader: undefined, commitIndex, lastIndex, term })
}

describe("a member that has less than it acknowledged", () => {
  it("is set aside as soon as a heartbeat shows it", () => {
    const member = new Member({ terms: [1, 1], term: 1, applied: 2 })
    assert.deepStrictEqual(member.receive(heartbeat("b", 1, 5)), ["Contradicted forgotten by b at 5, last 2"])
    assertSetAside(member)
  })

  it("gets all again where it has nothing at all, and what was sent before its leader heard of that does not count against it", () => {
    const member = new Member()
    assert.include(member.receive(heartbeat("b", 1, 5)).join("\n"), "lost")
    member.receive(appendEntries("b", 1, [0, 0], [1, 1], 5))
    member.sync()
    assert.deepStrictEqual(member.receive(heartbeat("b", 1, 5)), ["HeartbeatReply→b term=1 round=0"])
    assert.strictEqual(member.state.commitIndex, 2)
    // the leader of the next term knows nothing but what it was told since
    assert.isTrue(isContradicted(member.receive(heartbeat("c", 2, 5))))
  })
})

describe("a leader whose follower has committed more than it has", () => {
  it("leads no more: it was elected without what was acknowledged", () => {
    const member = new Member().lead()
    assert.deepStrictEqual(member.receive(matched("b", 1, 9)), [
      "Role follower term=1 leader=-",
      "Contradicted behind by b at 9, last 1"
    ])
    assertSetAside(member)
  })

  it("does not take an answer for its own whose question it never asked", () => {
    const member = new Member().lead()
    const before = member.state
    for (const reply of [heartbeatReply("b", 1, 7), matched("b", 1, 9, 7)]) {
      assert.deepStrictEqual(member.receive(reply), [])
      assert.deepStrictEqual(member.state, before)
    }
  })
})

describe("a member whose leader has something else where it has committed", () => {
  it.each<[string, Message.Message]>([
    ["in the last entry of all that both have", appendEntries("b", 2, [0, 0], [1, 2])],
    ["within a batch that goes on", appendEntries("b", 2, [0, 0], [2, 2, 2, 2])],
    ["in the entry that a batch follows", appendEntries("b", 2, [2, 2], [2])],
    ["in what a question is about", appendEntries("b", 2, [2, 2], [])]
  ])("is set aside, and cuts nothing: %s", (_, message) => {
    const member = new Member({ terms: [1, 1, 1], term: 1, applied: 2 })
    assert.deepStrictEqual(member.receive(message), [
      "Persist#1 term=2 vote=-",
      "Role follower term=2 leader=-",
      "Contradicted forked by b at 2, last 3"
    ])
    member.sync()
    assertSetAside(member)
  })

  it.each<[string, Message.Message]>([
    ["follows it", appendEntries("b", 2, [9, 2], [2])],
    ["it is within", appendEntries("b", 2, [8, 1], [2, 2])]
  ])("is set aside where that is the last entry of its snapshot, and a batch %s", (_, message) => {
    const member = new Member({ term: 2, base: snapshotAt(9, 1) })
    assert.deepStrictEqual(member.receive(message), ["Contradicted forked by b at 9, last 9"])
    assertSetAside(member)
  })

  it.each<[string, Message.Message]>([
    ["older ones that it has", appendEntries("b", 3, [0, 0], [1, 1])],
    ["those that are gone from its log", sendEntries("b", 3, [0, 0], [LogEntry.noop(1, 3)])],
    ["others behind what is committed", appendEntries("b", 3, [3, 2], [3])]
  ])("goes on where it is sent %s", (_, message) => {
    const member = new Member({ terms: [1, 1, 2, 2], term: 3, applied: 3 }).compact(2)
    assert.isFalse(isContradicted(member.receive(message)))
    assert.strictEqual(member.state.leader, "b")
  })
})

describe("a member that hears of a second leader in its term", () => {
  it("stays with the one it follows", () => {
    const member = new Member({ terms: [1, 1], term: 1 })
    member.receive(appendEntries("b", 1, [2, 1], [1]))
    for (const message of [
      appendEntries("c", 1, [2, 1], [1]),
      heartbeat("c", 1, 3),
      installSnapshot("c", 1, snapshotAt(9, 1)),
      timeoutNow("c", 1)
    ]) {
      assert.deepStrictEqual(member.receive(message), ["Contradicted two_leaders by c at 0, last 3"])
    }
    assert.deepInclude(member.state, { role: "follower", leader: "b", lastIndex: 3, contradiction: undefined })
  })

  it("gives up the lead if it is the first, for an election in another term", () => {
    const member = new Member().lead()
    assert.deepStrictEqual(member.receive(heartbeat("c", 1, 0)), [
      "Role follower term=1 leader=-",
      "Contradicted two_leaders by c at 1, last 1"
    ])
    member.timeOut()
    assert.deepInclude(member.state, { role: "pre_candidate", contradiction: undefined })
  })
})

describe("a member with the beginning of another group's log, of the same index and term", () => {
  const named = (incarnation: string) =>
    LogEntry.configuration(1, 1, { ...Membership.founding(["a", "b", "c"]), incarnation })
  const mine = "a".repeat(32)
  const theirs = "b".repeat(32)
  const ofTheirs = (message: Message.Message): Message.Message => ({ ...message, incarnation: theirs })

  it.each<[string, Message.Message]>([
    ["is asked for it", sendEntries("b", 1, [1, 1], [])],
    ["is sent what follows it", sendEntries("b", 1, [1, 1], [LogEntry.noop(2, 1)])],
    ["is sent all", sendEntries("b", 1, [0, 0], [named(theirs), LogEntry.noop(2, 1)])]
  ])("is set aside when it %s, and acknowledges nothing", (_, message) => {
    const member = new Member({ log: [named(mine)] })
    assert.deepStrictEqual(member.receive(ofTheirs(message)), ["Contradicted forked by b at 1, last 1"])
    assertSetAside(member)
  })

  it("takes theirs where that is of another term", () => {
    const member = new Member({ log: [named(mine)] })
    const entry = LogEntry.configuration(1, 2, { ...Membership.founding(["a", "b", "c"]), incarnation: theirs })
    member.receive(ofTheirs(sendEntries("b", 2, [0, 0], [entry])))
    assert.strictEqual(member.configuration, "a b c #bbbb")
  })
})
