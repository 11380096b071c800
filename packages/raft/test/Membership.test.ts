import { assert, describe, it } from "@effect/vitest"
import { Membership, Quorum } from "@reckon/raft"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as fc from "fast-check"

type Standing = "voter" | "learner" | "removed"

/** A configuration as the plainest thing there is: what each name is. */
type Naive = ReadonlyMap<string, Standing>

const naively = (naive: Naive, { _tag, member }: Membership.Change): Naive | Membership.Impossible => {
  const standing = naive.get(member)
  const next = new Map(naive)
  if (_tag === "Add") {
    if (standing === "removed") return "was_removed"
    if (standing !== undefined) return "already_member"
    return next.set(member, "learner")
  }
  if (standing === undefined || standing === "removed") return "not_a_member"
  next.set(member, "removed")
  return [...next.values()].includes("voter") ? next : "last_voter"
}

const toNaive = ({ learners, removed, voters }: Membership.Configuration): Naive =>
  new Map<string, Standing>([
    ...voters.map(id => [id, "voter"] as const),
    ...learners.map(id => [id, "learner"] as const),
    ...removed.map(id => [id, "removed"] as const)
  ])

const names = ["a", "b", "c", "d", "e", "f"]

const configurations: fc.Arbitrary<Membership.Configuration> = fc
  .array(fc.constantFrom<Standing | "stranger">("voter", "learner", "removed", "stranger"), {
    minLength: names.length - 1,
    maxLength: names.length - 1
  })
  .map(standings => {
    const of = (standing: Standing) => names.filter((_, at) => standings[at - 1] === standing)
    return { voters: ["a", ...of("voter")], learners: of("learner"), removed: of("removed") }
  })

const changes: fc.Arbitrary<Membership.Change> = fc.record({
  _tag: fc.constantFrom("Add", "Remove"),
  member: fc.constantFrom(...names)
})

describe("Membership", () => {
  it("changes as the naive one does, or refuses for the same reason", () => {
    fc.assert(
      fc.property(configurations, changes, (configuration, change) => {
        const next = Membership.change(configuration, change)
        assert.deepStrictEqual(
          Either.match(next, { onLeft: reason => reason, onRight: toNaive }),
          naively(toNaive(configuration), change)
        )
      }),
      { numRuns: 1_000 }
    )
  })

  it("any majority before a change shares a voter with any majority after it", () => {
    const shares = (before: ReadonlyArray<string>, after: ReadonlyArray<string>): boolean => {
      // two sets of these sizes out of so many names cannot miss each other
      const all = new Set([...before, ...after]).size
      return Quorum.size(before.length) + Quorum.size(after.length) > all
    }
    fc.assert(
      fc.property(configurations, changes, (configuration, change) => {
        const next = Membership.change(configuration, change)
        const promoted = configuration.learners.map(learner => Membership.promote(configuration, learner))
        for (const after of Either.isRight(next) ? [next.right, ...promoted] : promoted) {
          assert.isTrue(shares(configuration.voters, after.voters), `${configuration.voters} and ${after.voters}`)
        }
      })
    )
  })

  it("a name stands in it once, whatever happens, and a removed one for ever", () => {
    fc.assert(
      fc.property(configurations, fc.array(changes, { maxLength: 30 }), (first, all) => {
        let configuration = first
        for (const change of all) {
          const before = configuration
          configuration = Either.getOrElse(Membership.change(before, change), () => before)
          const everybody = [...Membership.members(configuration), ...configuration.removed]
          assert.strictEqual(new Set(everybody).size, everybody.length)
          assert.includeMembers([...configuration.removed], [...before.removed])
        }
      })
    )
  })

  it("promotes a learner and nobody else", () => {
    const configuration = { voters: ["a"], learners: ["b", "c"], removed: ["d"] }
    assert.deepStrictEqual(Membership.promote(configuration, "c"), {
      voters: ["a", "c"],
      learners: ["b"],
      removed: ["d"]
    })
    for (const id of ["a", "d", "x"]) {
      assert.throws(() => Membership.promote(configuration, id), /only a learner is promoted/)
    }
  })

  it("is full at its limits, and says so", () => {
    const many = (count: number, prefix: string) => Array.from({ length: count }, (_, at) => `${prefix}${at}`)
    const members = Membership.founding(many(Membership.membersMax, "m"))
    assert.deepStrictEqual(Membership.change(members, { _tag: "Add", member: "x" }), Either.left("full"))
    const veteran = { voters: ["a", "b"], learners: [], removed: many(Membership.removedMax, "r") }
    assert.deepStrictEqual(Membership.change(veteran, { _tag: "Remove", member: "b" }), Either.left("full"))
    assert.isTrue(Either.isRight(Membership.change(veteran, { _tag: "Add", member: "x" })))
  })

  it("is not founded by what no configuration can hold", () => {
    const many = Array.from({ length: Membership.membersMax + 1 }, (_, at) => `m${at}`)
    assert.throws(() => Membership.founding(["a", "a"]), /voters are distinct/)
    for (const voters of [["a", ""], ["x".repeat(256)], many]) {
      assert.throws(() => Membership.founding(voters), /at most 64 voters, with names of 1 to 255 characters/)
    }
  })

  it("survives its bytes", () => {
    fc.assert(
      fc.property(configurations, configuration =>
        assert.deepStrictEqual(Membership.decode(Membership.encode(configuration)), Option.some(configuration))
      )
    )
  })

  it.each([
    ["nothing", ""],
    ["another shape", '{"voters":["a"]}'],
    ["a name twice", '{"voters":["a"],"learners":["a"],"removed":[]}'],
    ["an empty name", '{"voters":[""],"learners":[],"removed":[]}']
  ])("is not read from %s", (_, text) => {
    assert.isTrue(Option.isNone(Membership.decode(new TextEncoder().encode(text))))
  })
})

describe("the configurations of a log", () => {
  const at = (index: number): Membership.Configuration => Membership.founding([`v${index}`])
  const entry = (index: number) => ({ index, payload: Membership.encode(at(index)) })
  const placed = (index: number) => ({ index, configuration: at(index) })

  type Act = { readonly _tag: "Append" | "Cut" | "Commit"; readonly by: number }
  const acts: fc.Arbitrary<ReadonlyArray<Act>> = fc.array(
    fc.record({ _tag: fc.constantFrom("Append", "Cut", "Commit"), by: fc.integer({ min: 1, max: 4 }) }),
    { maxLength: 60 }
  )

  it("in force is the newest that was appended and not cut, as in a list that forgets nothing", () => {
    fc.assert(
      fc.property(acts, all => {
        let history: Membership.History = [placed(0)]
        let naive = [0]
        let last = 0
        let commit = 0
        for (const { _tag, by } of all) {
          if (_tag === "Append") {
            last += by
            history = Membership.record(history, entry(last))
            naive.push(last)
          } else if (_tag === "Cut" && last - by >= commit) {
            const from = last - by + 1
            history = Membership.undo(history, from)
            naive = naive.filter(index => index < from)
            last = from - 1
          } else if (_tag === "Commit") {
            commit = Math.min(last, commit + by)
            history = Membership.settle(history, commit)
          }
          assert.strictEqual(history[0].index, naive.at(-1))
          assert.strictEqual(
            Membership.committed(history, commit).voters[0],
            `v${naive.filter(index => index <= commit).at(-1)}`
          )
          // what no cut can bring back is not kept
          assert.isAtMost(history.length, naive.filter(index => index > commit).length + (_tag === "Commit" ? 1 : 99))
        }
      })
    )
  })

  it("is read to the end of the log, whatever is committed", () => {
    assert.deepStrictEqual(Membership.fromLog(placed(0), [entry(3), entry(7)]), [placed(7), placed(3), placed(0)])
  })

  it("an entry that is no configuration is a defect, with its index", () => {
    assert.throws(
      () => Membership.fromLog(placed(0), [{ index: 4, payload: new Uint8Array(0) }]),
      /a configuration can be read \(index=4\)/
    )
  })

  it("a cut of what is committed is a defect", () => {
    assert.throws(() => Membership.undo([placed(5)], 4), /never cut off/)
  })

  it.each([
    ["a voter", "a", 0, true],
    ["a learner", "l", 0, false],
    ["a stranger", "x", 0, false],
    ["one that is leaving", "gone", 4, true],
    ["one that has left", "gone", 5, false],
    ["one that left earlier", "before", 0, false]
  ])("%s may lead: %s, with %i committed: %s", (_, member, commitIndex, expected) => {
    const configuration = { voters: ["a", "b"], learners: ["l"], removed: ["before", "gone"] }
    const earlier = { voters: ["a", "b", "gone"], learners: ["l"], removed: ["before"] }
    const first = { voters: ["a", "b", "gone", "before"], learners: ["l"], removed: [] }
    const history: Membership.History = [
      { index: 5, configuration },
      { index: 3, configuration: earlier },
      { index: 0, configuration: first }
    ]
    assert.strictEqual(Membership.mayLead(history, commitIndex, member), expected)
  })
})
