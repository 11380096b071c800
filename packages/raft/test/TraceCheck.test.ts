import { assert, describe, it } from "@effect/vitest"
import { Simulator, TraceCheck } from "@reckon/raft"
import { mutants } from "./core/mutants.js"
import { breathe } from "./helpers/breathe.js"

const state = (role: string, term: number, vote: string, log: string, numbers: string, rest = ""): string =>
  `${role} t${term} vote=${vote} leader=- log=${log} ${numbers} voters=n1,n2,n3${rest}`

const at = (durable: number, commit: number, applied = commit): string =>
  `durable=${durable} commit=${commit} applied=${applied}`

const idle = (id: string, term: number, vote = "-"): string =>
  `${id} Tick | ${state("follower", term, vote, "0/0", at(0, 0))} | -`

const voteFor = (voter: string, candidate: string, term: number): string =>
  `after 1: VoteReply ${voter}>${candidate} t${term} askedTerm=${term} granted=true`

/** n1 has become leader of term 2 by its own vote and that of n2; its term begins at 4, behind entries of term 1. */
const elected = [
  `n1 Tick | ${state("pre_candidate", 1, "-", "3/1", at(3, 1))} | -`,
  `n2 Tick | ${state("follower", 1, "-", "3/1", at(3, 1))} | -`,
  `n1 Receive PreVoteReply n2>n1 t1 askedTerm=2 granted=true | ${state("candidate", 2, "n1", "3/1", at(3, 1))} | ` +
    "Persist token=1 t2 vote=n1; after 1: RequestVote n1>n2 t2 askedTerm=2 lastIndex=3 lastTerm=1 transfer=false",
  `n1 Persisted token=1 lastIndex=3 | ${state("candidate", 2, "n1", "3/1", at(3, 1))} | -`,
  `n2 Receive RequestVote n1>n2 t2 askedTerm=2 lastIndex=3 lastTerm=1 transfer=false | ${state("follower", 2, "n1", "3/1", at(3, 1))} | ` +
    `Persist token=1 t2 vote=n1; ${voteFor("n2", "n1", 2)}`,
  `n2 Persisted token=1 lastIndex=3 | ${state("follower", 2, "n1", "3/1", at(3, 1))} | -`,
  `n1 Receive VoteReply n2>n1 t2 askedTerm=2 granted=true | ${state("leader", 2, "n1", "4/2", at(3, 1))} | Persist token=2 entries=4..4`
]

const leads = (commit: number, match: number, log = "4/2", output = "-"): string =>
  `n1 Receive AppendReply n2>n1 t2 round=0 Matched matchIndex=${match} | ` +
  `${state("leader", 2, "n1", log, at(4, commit), ` n2:replicate match=${match} next=5 inflight=0`)} | ${output}`

/** The rule that the last line breaks; none before it may break one. */
const refusalOf = (...lines: ReadonlyArray<string>): string | undefined => {
  const check = TraceCheck.make()
  lines.slice(0, -1).forEach(line => assert.isUndefined(check.line(line)))
  return check.line(lines.at(-1) ?? "")?.rule
}

describe("TraceCheck", () => {
  it("allows an election, and a commit of the leader's own entry that a majority holds", () => {
    assert.isUndefined(refusalOf(...elected, leads(4, 4)))
  })

  it.each<[string, string, ReadonlyArray<string>]>([
    ["a line that is none", "a line of a trace can be read", ["n1 thinks"]],
    ["a term that falls", "terms only grow (§5.1)", [idle("n1", 3), idle("n1", 2)]],
    ["a vote that changes", "one vote a term (§5.2)", [idle("n1", 3, "n2"), idle("n1", 3, "n3")]],
    ["a vote that is forgotten", "one vote a term (§5.2)", [idle("n1", 3, "n2"), idle("n1", 3)]],
    [
      "a candidate that skips a term",
      "a candidate enters the next term and votes for itself (§5.2)",
      [idle("n1", 1), `n1 Tick | ${state("candidate", 3, "n1", "0/0", at(0, 0))} | -`]
    ],
    [
      "a candidate that votes for another",
      "a candidate enters the next term and votes for itself (§5.2)",
      [idle("n1", 1), `n1 Tick | ${state("candidate", 2, "n2", "0/0", at(0, 0))} | -`]
    ],
    [
      "a follower that leads",
      "only a candidate becomes leader (§5.2)",
      [idle("n1", 1), `n1 Tick | ${state("leader", 1, "n1", "1/1", at(0, 0))} | -`]
    ],
    [
      "a leader without votes",
      "a leader has the votes of a majority (§5.2)",
      [...elected.slice(0, 4), `n1 Tick | ${state("leader", 2, "n1", "4/2", at(3, 1))} | -`]
    ],
    [
      "a leader by a vote that is not durable",
      "a leader has the votes of a majority (§5.2)",
      [...elected.slice(0, 5), `n1 Tick | ${state("leader", 2, "n1", "4/2", at(3, 1))} | -`]
    ],
    [
      "an entry of an old term that is committed by counting",
      "a leader commits by counting only in its own term (§5.4.2)",
      [...elected, leads(3, 3)]
    ],
    ["a commit that only the leader holds", "committed is on a majority (§5.3)", [...elected, leads(4, 3)]],
    [
      "a log that is rewritten under the commit index",
      "what is committed stays (§5.4)",
      [
        `n2 Tick | ${state("follower", 1, "-", "3/1", at(3, 2))} | -`,
        `n2 Receive AppendEntries n3>n2 t2 prev=1/1 entries=2..2 commit=2 round=0 | ${state("follower", 2, "-", "2/2", at(1, 2, 1))} | Persist token=1 t2 vote=- cut=2 entries=2..2`
      ]
    ],
    [
      "a leader that cuts its own log",
      "a leader only appends (§5.3)",
      [...elected, leads(1, 3, "4/2", "Persist token=3 cut=3 entries=3..4")]
    ],
    [
      "a snapshot from before what is committed",
      "what is committed stays (§7)",
      [
        `n2 Tick | ${state("follower", 1, "-", "3/1", at(3, 2))} | -`,
        `n2 Receive InstallSnapshot n3>n2 t1 at=2/1 configuration=0 | ${state("follower", 1, "-", "2/1", at(2, 2))} | Install token=1 at=2/1 configuration=0`
      ]
    ],
    [
      "a log that loses its end by itself",
      "a log gets shorter only by a cut (§5.3)",
      [
        `n2 Tick | ${state("follower", 1, "-", "3/1", at(3, 1))} | -`,
        `n2 Tick | ${state("follower", 1, "-", "2/1", at(2, 1))} | -`
      ]
    ],
    [
      "a commit index that falls",
      "the commit index only grows (§5.3)",
      [
        `n2 Tick | ${state("follower", 1, "-", "3/1", at(3, 2))} | -`,
        `n2 Tick | ${state("follower", 1, "-", "3/1", at(3, 1))} | -`
      ]
    ],
    [
      "a follower that commits what nobody told it",
      "a follower commits what its leader says (§5.3)",
      [
        `n2 Tick | ${state("follower", 1, "-", "3/1", at(3, 1))} | -`,
        `n2 Tick | ${state("follower", 1, "-", "3/1", at(3, 2))} | -`
      ]
    ],
    [
      "what is applied before it is durable",
      "applied ≤ committed, durable ≤ the log's end",
      [`n2 Tick | ${state("follower", 1, "-", "3/1", at(2, 3))} | -`]
    ],
    [
      "two voters that change at once",
      "one voter at a time (thesis §4.1)",
      [...elected, leads(4, 4), leads(4, 4).replace("voters=n1,n2,n3", "voters=n1")]
    ],
    [
      "voters that change before a commit in the term",
      "no change before a commit of the own term (thesis §4.1)",
      [...elected, leads(1, 3).replace("voters=n1,n2,n3", "voters=n1,n2")]
    ]
  ])("refuses %s", (_, rule, lines) => {
    assert.strictEqual(refusalOf(...lines), rule)
  })

  it("refuses a second vote in a term also where a restart lies between, unless the first never left", () => {
    const give = (candidate: string): string =>
      `n2 Receive RequestVote ${candidate}>n2 t2 askedTerm=2 lastIndex=0 lastTerm=0 transfer=false | ` +
      `${state("follower", 2, candidate, "0/0", at(0, 0))} | Persist token=1 t2 vote=${candidate}; ${voteFor("n2", candidate, 2)}`
    const durable = (candidate: string): string =>
      `n2 Persisted token=1 lastIndex=0 | ${state("follower", 2, candidate, "0/0", at(0, 0))} | -`
    const after = (isDurable: boolean): ReadonlyArray<string | undefined> => {
      const check = TraceCheck.make()
      check.line(give("n1"))
      if (isDurable) check.line(durable("n1"))
      check.restarted("n2")
      return [give("n3"), durable("n3")].map(line => check.line(line)?.rule)
    }
    assert.deepStrictEqual(after(true), [
      "a restart forgets neither term nor vote (figure 2)",
      "one vote a term (§5.2)"
    ])
    assert.deepStrictEqual(after(false), [undefined, undefined])
  })

  it.each<[string, string, string | undefined]>([
    ["with an older term", `n1 Restart | ${state("follower", 1, "-", "3/1", at(3, 1))} | -`, "forgets"],
    ["without its vote", `n1 Restart | ${state("follower", 2, "-", "3/1", at(3, 1))} | -`, "forgets"],
    ["with another vote", `n1 Restart | ${state("follower", 2, "n3", "3/1", at(3, 1))} | -`, "forgets"],
    ["as its disk has it", `n1 Restart | ${state("follower", 2, "n1", "3/1", at(3, 1))} | -`, undefined],
    ["with a later term", `n1 Restart | ${state("follower", 3, "-", "3/1", at(3, 1))} | -`, undefined]
  ])("a member may not come back from a restart with less than was durable: %s", (_, line, forgets) => {
    const rule = "a restart forgets neither term nor vote (figure 2)"
    assert.strictEqual(refusalOf(...elected, line), forgets && rule)
    // before its vote was durable it may come back without it
    const [, , asks = ""] = elected
    assert.isUndefined(refusalOf(asks, line))
  })

  it("refuses a leader of a term twice, also where it is the same member", () => {
    const check = TraceCheck.make()
    for (const line of elected) assert.isUndefined(check.line(line))
    check.restarted("n1")
    check.line(`n1 Tick | ${state("candidate", 2, "n1", "3/1", at(3, 1))} | -`)
    assert.strictEqual(check.line(elected.at(-1) ?? "")?.rule, "one leader a term (§5.2)")
  })

  it("allows every line of the simulator's runs, from restart to restart", async () => {
    for (let seed = 8; seed <= 160; seed += 8) {
      const { violations } = Simulator.run({ seed, shrink: false })
      assert.deepStrictEqual(violations, [])
      await breathe()
    }
  })

  it.each([
    "commits an entry of an older term by counting (§4.3)",
    "forgets its vote when it steps down in a term (§4.1)",
    "counts its own entries before they are durable (§4.6)"
  ])("is the first to see, in the simulator, that a core %s", { timeout: 60_000 }, async name => {
    for (let seed = 8; seed <= 1_600; seed += 8) {
      const [violation] = Simulator.run({
        seed,
        step: mutants[name],
        faults: { haste: true },
        shrink: false
      }).violations
      await breathe()
      if (violation?.invariant.startsWith("the trace is one of Raft")) return
    }
    assert.fail("200 seeds show it nothing")
  })
})
