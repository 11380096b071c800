import { assert, describe, it } from "@effect/vitest"
import { Membership, RaftCore, Simulator, Snapshot } from "@reckon/raft"
import * as Trace from "@reckon/raft/Trace"

const alone = RaftCore.make({
  id: "n1",
  base: Snapshot.founding(Membership.founding(["n1", "n2"])),
  configurations: [],
  hardState: { term: 3, votedFor: "n2" },
  lastIndex: 0,
  lastTerm: 0,
  appliedIndex: 0,
  seed: 1
})

const empty: RaftCore.LogView = { firstIndex: 1, lastIndex: 0, term: () => 0, entries: () => [] }

const lineOf = (input: RaftCore.Input): string => Trace.line(input, RaftCore.step(alone, input, empty))

describe("Trace", () => {
  it("says what happened, where the member stands and what it wants, in one line", () => {
    assert.strictEqual(
      lineOf({
        _tag: "Receive",
        message: {
          _tag: "AppendEntries",
          from: "n2",
          to: "n1",
          term: 3,
          prevIndex: 0,
          prevTerm: 0,
          entries: [
            { index: 1, term: 3, kind: "noop", payload: new Uint8Array(0) },
            { index: 2, term: 3, kind: "command", payload: new Uint8Array(9) }
          ],
          commit: 1,
          round: 7
        }
      }),
      "n1 Receive AppendEntries n2>n1 t3 prev=0/0 entries=1..2 commit=1 round=7 | " +
        "follower t3 vote=n2 leader=n2 log=2/3 durable=0 commit=1 applied=0 voters=n1,n2 | " +
        "Persist token=1 entries=1..2; RoleChanged role=follower term=3 leader=n2; " +
        "after 1: AppendReply n1>n2 t3 round=7 Matched matchIndex=2"
    )
  })

  it("says nothing with a dash", () => {
    assert.strictEqual(
      lineOf(RaftCore.tick),
      "n1 Tick | follower t3 vote=n2 leader=- log=0/0 durable=0 commit=0 applied=0 voters=n1,n2 | -"
    )
  })

  it("shows a vote with the write that it waits for", () => {
    const line = lineOf({
      _tag: "Receive",
      message: {
        _tag: "RequestVote",
        from: "n2",
        to: "n1",
        term: 4,
        askedTerm: 4,
        lastIndex: 5,
        lastTerm: 3,
        transfer: false
      }
    })
    assert.include(line, "| follower t4 vote=n2 leader=- ")
    assert.include(line, "| Persist token=1 t4 vote=n2; ")
    assert.include(line, "; after 1: VoteReply n1>n2 t4 askedTerm=4 granted=true")
  })

  it("has a line for every event of a run, and the same ones each time", () => {
    const trace = (): ReadonlyArray<string> => {
      const lines: Array<string> = []
      Simulator.run({ seed: 17, trace: line => lines.push(line) })
      return lines
    }
    const lines = trace()
    assert.isAbove(lines.length, 3_000)
    for (const line of lines) assert.notInclude(line, "\n")
    assert.deepStrictEqual(trace(), lines)
    const transitions = lines.flatMap(line => line.split(" => ").slice(1))
    assert.isAbove(transitions.length, 1_000)
    for (const transition of transitions) assert.lengthOf(transition.split(" | "), 3)
  })

  it("does not change the run that it tells of", () => {
    assert.deepStrictEqual(Simulator.run({ seed: 17, trace: () => {} }), Simulator.run({ seed: 17 }))
  })
})
