import { assert, describe, it } from "@effect/vitest"
import * as LogEntry from "@reckon/raft/LogEntry"
import * as Membership from "@reckon/raft/Membership"
import * as RaftLog from "@reckon/raft/RaftLog"
import * as Effect from "effect/Effect"
import { takeName } from "../src/internal/processes/soleMember.js"

const incarnation = "a".repeat(32)

/** The voters that a log names after the node has come under the name. */
const votersOf = (self: string, configuration: Membership.Configuration) =>
  Effect.gen(function* () {
    const log = yield* RaftLog.make({ filename: ":memory:" })
    log.stage({
      hardState: { term: 3, votedFor: "embedded" },
      entries: [LogEntry.configuration(1, 3, { ...configuration, incarnation })]
    })
    takeName(log, self)
    const beginning = { index: 0, configuration: Membership.founding([]) }
    const [newest] = Membership.fromLog(beginning, log.configurations())
    assert.strictEqual(newest.configuration.incarnation, incarnation)
    return { voters: newest.configuration.voters, index: newest.index, ...log.hardState() }
  })

describe("a node that opens a log under another name", () => {
  it.scoped("is its member, where the group has had one member ever", () =>
    Effect.gen(function* () {
      const found = yield* votersOf("node1", Membership.founding(["embedded"]))
      assert.deepStrictEqual(found, { voters: ["node1"], index: 2, term: 4, votedFor: "node1" })
    })
  )

  it.scoped("is not, where it has had others", () =>
    Effect.gen(function* () {
      for (const configuration of [
        Membership.founding(["a", "b", "c"]),
        { voters: ["a"], learners: [], removed: ["b"] },
        { voters: ["a"], learners: ["b"], removed: [] }
      ]) {
        const found = yield* votersOf("node1", configuration)
        assert.deepStrictEqual(found, { voters: configuration.voters, index: 1, term: 3, votedFor: "embedded" })
      }
    })
  )

  it.scoped("writes nothing under the name that the log has", () =>
    Effect.gen(function* () {
      const found = yield* votersOf("embedded", Membership.founding(["embedded"]))
      assert.deepStrictEqual(found, { voters: ["embedded"], index: 1, term: 3, votedFor: "embedded" })
    })
  )
})
