/**
 * Traces of real members, who talk through their queues and write to their logs, held against the specification.
 */
import { assert, describe, it } from "@effect/vitest"
import * as TraceCheck from "@reckon/raft/TraceCheck"
import * as Effect from "effect/Effect"
import {
  eventually,
  kill,
  leaderOf,
  type Member,
  makeGroup,
  makeMember,
  propose,
  proposeMany,
  whileTimePasses
} from "./helpers/group.js"
import { processes } from "./helpers/processes.js"

const names = ["a", "b", "c"]

const caughtUp = (members: ReadonlyArray<Member>, commands: number) =>
  eventually(Effect.sync(() => members.every(({ applied }) => applied.length === commands)))

/** An election, commands, a leader that is killed and comes back, a member that joins, votes and removes another. */
const life = Effect.gen(function* () {
  const lines: Array<string> = []
  const trace = (line: string) => void lines.push(line)
  const { members, network, refs } = yield* makeGroup(names, { trace })
  const leader = yield* leaderOf(members)
  yield* proposeMany(leader, 1, 5)

  const ref = refs[members.indexOf(leader)]
  const others = members.filter(member => member !== leader)
  assert(ref !== undefined)
  yield* kill(ref)
  const successor = yield* leaderOf(others)
  yield* whileTimePasses(propose(successor, "6"))
  yield* leader.start
  yield* caughtUp(members, 6)

  const joining = yield* makeMember(network, "d", names, { trace })
  yield* joining.start
  yield* whileTimePasses(successor.client.replaceMember({ add: "d", remove: leader.self }))
  yield* whileTimePasses(propose(successor, "7"))
  yield* caughtUp([...others, joining], 7)
  return { lines, leader: leader.self, successor: successor.self }
}).pipe(Effect.provide(processes), Effect.scoped)

const firstRefusal = (lines: ReadonlyArray<string>) => {
  const check = TraceCheck.make()
  for (const [at, line] of lines.entries()) {
    const refusal = check.line(line)
    if (refusal !== undefined) return { at, rule: refusal.rule }
  }
  return undefined
}

/** The trace with one line of it told otherwise, and where that is. */
const forge = (lines: ReadonlyArray<string>, isIt: (line: string) => boolean, tell: (line: string) => string) => {
  const at = lines.findIndex(isIt)
  assert.isAtLeast(at, 0)
  const forged = lines.with(at, tell(lines[at] ?? ""))
  assert.notStrictEqual(forged[at], lines[at])
  return { at, forged }
}

describe("the trace of a real group", () => {
  it.effect("through elections, commands, a kill, a restart and a change of members is one of Raft", () =>
    Effect.gen(function* () {
      const { leader, lines, successor } = yield* life
      assert.isUndefined(firstRefusal(lines))
      const inputsOf = (member: string) => lines.filter(line => line.startsWith(`${member} `))
      assert.lengthOf(
        lines.filter(line => line.split(" ")[1] === "Restart"),
        5
      )
      assert.isTrue(inputsOf(leader)[0]?.startsWith(`${leader} Restart | follower t0 vote=- leader=- log=0/0 `))
      assert.isTrue(inputsOf(leader).some(line => line.includes(" | leader ")))
      assert.isTrue(inputsOf(successor).some(line => line.includes(" | leader ")))
      assert.isTrue(inputsOf("d").some(line => /voters=\S*d/.test(line)))
      assert.isTrue(lines.some(line => line.includes(`removed=${leader}`)))
    })
  )

  it.effect("is refused where one line of it is forged", () =>
    Effect.gen(function* () {
      const { leader, lines, successor } = yield* life
      const follower = names.find(name => name !== leader && name !== successor)
      const forgeries: ReadonlyArray<readonly [string, (line: string) => boolean, (line: string) => string]> = [
        [
          "committed is on a majority (§5.3)",
          line => line.startsWith(`${leader} Propose `),
          line => line.replace(/ commit=\d+/, " commit=999").replace(/log=\d+/, "log=999")
        ],
        [
          "a follower commits what its leader says (§5.3)",
          line => line.startsWith(`${follower} Tick `) && line.includes(" | follower ") && !line.includes(" commit=0 "),
          line => line.replace(/ commit=\d+/, " commit=999").replace(/log=\d+/, "log=999")
        ],
        [
          "one vote a term (§5.2)",
          line => line.startsWith(`${follower} `) && line.includes(` vote=${successor} leader=${successor} `),
          line => line.replace(`vote=${successor}`, `vote=${leader}`)
        ],
        [
          "terms only grow (§5.1)",
          line => line.startsWith(`${successor} Propose `),
          line => line.replace(/ leader t\d+/, " leader t0")
        ]
      ]
      for (const [rule, isIt, tell] of forgeries) {
        const { at, forged } = forge(lines, isIt, tell)
        assert.deepStrictEqual(firstRefusal(forged), { at, rule })
      }
    })
  )
})
