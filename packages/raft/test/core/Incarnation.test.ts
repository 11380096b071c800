import { assert, describe, it } from "@effect/vitest"
import { LogEntry, Membership } from "@reckon/raft"
import { committedIndexOf } from "../../src/internal/core/incarnation.js"
import { logOf, Member, matched, sendEntries } from "./member.js"

const mine = "a".repeat(32)
const theirs = "b".repeat(32)

const founders = Membership.founding(["a", "b", "c"])
const named = (incarnation: string): Membership.Configuration => ({ ...founders, incarnation })

/** The entries of a log: their kinds, and of a configuration what it says. */
const kinds = ({ log }: Member): ReadonlyArray<string> => log.map(({ kind }) => kind)

describe("the first leader of a group that has no incarnation", () => {
  it("opens its term with one, in force at once and sent to all", () => {
    const member = new Member({ newIncarnation: mine }).lead(false)
    assert.deepStrictEqual(kinds(member), ["configuration"])
    assert.strictEqual(member.configuration, "a b c #aaaa")
  })

  it("takes no proposals until it is committed, and says that it will soon", () => {
    const member = new Member({ newIncarnation: mine }).lead(false)
    assert.deepStrictEqual(member.propose(1), ["Refused 1 founding leader=a"])
    assert.strictEqual(member.state.lastIndex, 1)
    member.receive(matched("b", 1, 1))
    assert.include(member.propose(2), "Appended 2@2/1")
  })

  it("alone, opens and commits it in one go", () => {
    const member = new Member({ voters: ["a"], newIncarnation: mine }).lead()
    assert.deepInclude(member.state, { role: "leader", commitIndex: 1 })
    assert.strictEqual(member.configuration, "a #aaaa")
  })

  it("writes none where it was given none", () => {
    const member = new Member().lead(false)
    assert.deepStrictEqual(kinds(member), ["noop"])
    assert.include(member.propose(1), "Appended 1@2/1")
  })

  it("writes it behind an old log as well, which has entries and has none", () => {
    const member = new Member({ terms: [1, 1, 2], newIncarnation: mine }).lead()
    assert.deepStrictEqual(kinds(member), ["command", "command", "command", "configuration"])
    assert.strictEqual(member.configuration, "a b c #aaaa")
  })
})

describe("a leader in whose log an incarnation stands that is not committed", () => {
  const log = [LogEntry.configuration(1, 1, named(theirs))]

  it("keeps it", () => {
    const member = new Member({ log, newIncarnation: mine }).lead()
    assert.deepStrictEqual(kinds(member), ["configuration", "noop"])
    assert.strictEqual(member.configuration, "a b c #bbbb")
  })

  it("takes no proposals until an entry of its own has committed it", () => {
    const member = new Member({ log, newIncarnation: mine }).lead(false)
    member.receive(matched("b", 2, 1))
    assert.deepStrictEqual(member.propose(1), ["Refused 1 founding leader=a"])
    member.receive(matched("b", 2, 2))
    assert.include(member.propose(2), "Appended 2@3/2")
  })
})

describe("a member in whose log an incarnation stands that is not committed", () => {
  it("takes that of a later leader, who never had it", () => {
    const member = new Member({ log: [LogEntry.configuration(1, 1, named(mine))] })
    member.receive(sendEntries("b", 2, [0, 0], [LogEntry.configuration(1, 2, named(theirs))]))
    assert.strictEqual(member.configuration, "a b c #bbbb")
  })

  it("has none where a later leader's log has none", () => {
    const member = new Member({ log: [LogEntry.configuration(1, 1, named(mine))] })
    member.receive(sendEntries("b", 2, [0, 0], [LogEntry.noop(1, 2)]))
    assert.strictEqual(member.configuration, "a b c")
  })
})

describe("an incarnation and a change of the membership", () => {
  const change = LogEntry.configuration(2, 1, { voters: ["a", "b", "c"], learners: ["d"], removed: [] })

  it("that is not committed when a leader is elected: the next change brings the incarnation", () => {
    const member = new Member({ log: [LogEntry.noop(1, 1), change], newIncarnation: mine }).lead()
    assert.deepStrictEqual(kinds(member), ["noop", "configuration", "noop"])
    assert.strictEqual(member.configuration, "a b c +d")
    member.change(1, "Remove", "d")
    assert.strictEqual(member.configuration, "a b c -d #aaaa")
    assert.deepStrictEqual(member.propose(1), ["Refused 1 founding leader=a"])
  })

  it("that removes the leader itself, one of two: it may still be elected, and go on", () => {
    const leaving = { voters: ["b"], learners: [], removed: ["a"] }
    const log = [LogEntry.noop(1, 1), LogEntry.configuration(2, 1, leaving)]
    const member = new Member({ voters: ["a", "b"], log, applied: 1, newIncarnation: mine }).lead(false)
    assert.strictEqual(member.state.role, "leader")
    assert.deepStrictEqual(kinds(member).slice(2), ["noop"])
  })

  it("all later ones hand it down, whatever they change", () => {
    const member = new Member({ newIncarnation: mine }).lead()
    member.change(1, "Add", "d")
    assert.strictEqual(member.configuration, "a b c +d #aaaa")
    member.sync()
    member.receive(matched("b", 1, 2))
    member.receive(matched("d", 1, 2))
    assert.strictEqual(member.configuration, "a b c d #aaaa")
  })

  it("one without inherits it, and one of another is a defect", () => {
    const history = Membership.fromLog({ index: 1, configuration: named(mine) }, [
      LogEntry.configuration(2, 1, founders)
    ])
    assert.strictEqual(history[0].configuration.incarnation, mine)
    assert.throws(
      () => Membership.record(history, LogEntry.configuration(3, 1, named(theirs))),
      /a log is of one incarnation/
    )
  })
})

it("what is known to be committed at the start is told to the machine first of all", () => {
  const log = [LogEntry.configuration(1, 1, named(mine)), LogEntry.noop(2, 1)]
  const member = new Member({ log, committed: 1 })
  assert.deepInclude(member.state, { commitIndex: 1, applyIndex: 0 })
  assert.deepStrictEqual(member.ticks(1), ["Commit 1"])
})

it.each([
  ["nothing, where nothing is behind it", [1], 0],
  ["nothing, where each leader has only opened its term behind it", [1, 2, 5], 0],
  ["the incarnation, where somebody who had opened a term went on", [1, 2, 2], 1],
  ["the incarnation, where its own leader went on", [1, 1], 1]
])("a log shows that %s is committed", (_, terms, committed) => {
  const [founding, ...others] = logOf(...terms)
  assert(founding !== undefined)
  const configuration = LogEntry.configuration(1, founding.term, named(mine))
  const { base, view } = new Member({ log: [configuration, ...others] })
  assert.strictEqual(committedIndexOf(view(), base.configuration, [configuration]), committed)
})
