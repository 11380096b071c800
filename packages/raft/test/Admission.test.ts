import { assert, describe, it } from "@effect/vitest"
import type { Claim } from "@reckon/raft/Incarnation"
import * as Membership from "@reckon/raft/Membership"
import { admits, admitsRequest, make } from "../src/internal/driver/admission.js"

const x = "a".repeat(32)
const y = "b".repeat(32)

const claims = {
  "says nothing": {},
  "tentatively of x": { incarnation: x, isTentative: true },
  "tentatively of y": { incarnation: y, isTentative: true },
  "of x": { incarnation: x },
  "of y": { incarnation: y }
} satisfies Record<string, Claim>

type Name = keyof typeof claims

const names: ReadonlyArray<Name> = ["says nothing", "tentatively of x", "tentatively of y", "of x", "of y"]
const answers = ["AppendReply", "HeartbeatReply", "PreVote", "PreVoteReply", "VoteReply"] as const
const orders = ["AppendEntries", "Heartbeat", "InstallSnapshot", "Removed", "RequestVote", "TimeoutNow"] as const

const taken = (own: Name, tags: ReadonlyArray<Parameters<typeof admits>[2]>): ReadonlyArray<Name> =>
  names.filter(theirs => {
    const verdicts = new Set(tags.map(tag => admits(claims[own], claims[theirs], tag)))
    assert.strictEqual(verdicts.size, 1, `${own} from ${theirs}: one verdict for all of ${tags}`)
    return verdicts.has(true)
  })

describe("a member whose incarnation is not settled", () => {
  it("takes what anybody says where it has one in its log: it may have all to learn", () => {
    assert.deepStrictEqual(taken("tentatively of x", answers), names)
    assert.deepStrictEqual(taken("tentatively of x", orders), names)
  })

  it("takes no part in an election of those that are settled where it has none: it may have lost what decides it", () => {
    const elections = ["PreVote", "RequestVote"] as const
    const isElection = (tag: string) => elections.some(election => election === tag)
    assert.deepStrictEqual(taken("says nothing", elections), ["says nothing", "tentatively of x", "tentatively of y"])
    assert.deepStrictEqual(
      taken(
        "says nothing",
        [...answers, ...orders].filter(tag => !isElection(tag))
      ),
      names
    )
  })

  it("elects nobody with those that have none either, once it has heard of one that is settled", () => {
    const ballots = ["PreVote", "PreVoteReply", "RequestVote", "VoteReply"] as const
    const ofNone = (tag: Parameters<typeof admits>[2]) => [false, true].map(knows => admits({}, {}, tag, knows))
    for (const tag of ballots) assert.deepStrictEqual(ofNone(tag), [true, false], tag)
    for (const tag of [...answers, ...orders].filter(tag => !ballots.some(ballot => ballot === tag))) {
      assert.deepStrictEqual(ofNone(tag), [true, true], tag)
    }
    // Those that have one it hears, or not, as it did.
    for (const theirs of names.filter(name => name !== "says nothing")) {
      for (const tag of [...answers, ...orders]) {
        assert.strictEqual(admits({}, claims[theirs], tag, true), admits({}, claims[theirs], tag), `${tag}, ${theirs}`)
      }
    }
  })

  it.each(["says nothing", "tentatively of x"] as const)(
    "that is %s answers no request of one that knows its group",
    own => {
      const answered = names.filter(theirs => admitsRequest(claims[own], claims[theirs]))
      assert.deepStrictEqual(answered, ["says nothing", "tentatively of x", "tentatively of y"])
    }
  )
})

describe("a member that has nothing in its log", () => {
  const founding = { index: 0, configuration: Membership.founding(["a", "b", "c"]) }
  const member = { id: "a", term: 3, lastIndex: 0, lastTerm: 0, leader: undefined }
  const fresh = () => {
    const admission = make({ group: "g", self: "a" })
    admission.follow([founding], 0)
    return admission
  }

  it("asks all others until one says that it has something: for a vote in its own term, which nobody gives", () => {
    const admission = fresh()
    const question = { _tag: "PreVote" as const, from: "a", term: 3, askedTerm: 3, lastIndex: 0, lastTerm: 0 }
    const toAll = [
      { ...question, to: "b" },
      { ...question, to: "c" }
    ]
    assert.deepStrictEqual(admission.inquiries(member), toAll)
    assert.deepStrictEqual(admission.inquiries({ ...member, leader: "b" }), [])
    admission.admits({ from: "b" }, "PreVoteReply")
    admission.admits({ from: "b", incarnation: x, isTentative: true }, "PreVoteReply")
    assert.deepStrictEqual(admission.inquiries(member), toAll)
    assert.isTrue(admission.admits({ from: "b" }, "VoteReply"))
    assert.isUndefined(admission.hindrance())

    admission.admits({ from: "c", incarnation: x }, "PreVoteReply")
    assert.deepStrictEqual(admission.inquiries(member), [])
    assert.isFalse(admission.admits({ from: "b" }, "VoteReply"))
    assert.match(admission.hindrance() ?? "", /^a has nothing in its log, .* as c has/)
  })

  it("has its vote again with the log", () => {
    const admission = fresh()
    admission.admits({ from: "c", incarnation: x }, "PreVoteReply")
    const first = { index: 1, configuration: { ...founding.configuration, incarnation: x } }
    admission.follow([first, founding], 1)
    assert.isUndefined(admission.hindrance())
    assert.isTrue(admission.admits({ from: "c", incarnation: x }, "RequestVote"))
  })
})

describe("a member of a settled incarnation", () => {
  it("says which others have nothing, as long as they do, and whether the rest can elect a leader", () => {
    const founding = { index: 0, configuration: Membership.founding(["a", "b", "c"]) }
    const admission = make({ group: "g", self: "a" })
    admission.follow([{ index: 1, configuration: { ...founding.configuration, incarnation: x } }, founding], 1)
    assert.isUndefined(admission.hindrance())
    assert.deepStrictEqual(admission.inquiries({ id: "a", term: 3, lastIndex: 1, lastTerm: 1, leader: undefined }), [])
    admission.admits({ from: "c" }, "PreVote")
    admission.admits({ from: "nobody" }, "PreVote")
    assert.match(admission.hindrance() ?? "", /^c has nothing .*The others have to elect a leader, .*: a, b$/)
    admission.admits({ from: "b" }, "PreVote")
    assert.match(
      admission.hindrance() ?? "",
      /^b has nothing .*; c has nothing .*too few to elect a leader: a\. Put back/
    )
    admission.admits({ from: "b", incarnation: x, isTentative: true }, "AppendReply")
    assert.match(admission.hindrance() ?? "", /^c has nothing .*The others have to elect/)
    admission.admits({ from: "c", incarnation: x }, "HeartbeatReply")
    assert.isUndefined(admission.hindrance())
  })

  it("follows, votes for and leaves at the word of those only whose log has it, settled or not", () => {
    assert.deepStrictEqual(taken("of x", orders), ["tentatively of x", "of x"])
  })

  it("takes answers and pre-votes of all but those that are settled in another", () => {
    assert.deepStrictEqual(taken("of x", answers), ["says nothing", "tentatively of x", "tentatively of y", "of x"])
  })

  it("answers requests of all but those that are settled in another", () => {
    const answered = names.filter(theirs => admitsRequest(claims["of x"], claims[theirs]))
    assert.deepStrictEqual(answered, ["says nothing", "tentatively of x", "tentatively of y", "of x"])
  })
})
