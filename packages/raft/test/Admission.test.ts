import { assert, describe, it } from "@effect/vitest"
import type { Claim } from "@reckon/raft/Incarnation"
import { admits, admitsRequest } from "../src/internal/driver/admission.js"

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

  it.each(["says nothing", "tentatively of x"] as const)(
    "that is %s answers no request of one that knows its group",
    own => {
      const answered = names.filter(theirs => admitsRequest(claims[own], claims[theirs]))
      assert.deepStrictEqual(answered, ["says nothing", "tentatively of x", "tentatively of y"])
    }
  )
})

describe("a member of a settled incarnation", () => {
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
