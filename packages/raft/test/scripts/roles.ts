import { assert, describe, it } from "@effect/vitest"
import { LogEntry, type Message } from "@reckon/raft"
import { heartbeat, preVoteReply } from "../core/member.js"
import { Subject } from "./subject.js"

/**
 * A table of inputs by roles: what the member is afterwards, and all that it says. All members are in term 3 and in a group
 * with b and c; the log ends in 2/2, and at the leader in 4/3, of which it has committed up to 3 and wrote the rest.
 */

export const roleNames = ["follower", "pre_candidate", "candidate", "leader", "learner", "removed"] as const

export type RoleName = (typeof roleNames)[number]

const logWith = (voters: string, learners: string, removed: string): ReadonlyArray<LogEntry.LogEntry> => [
  LogEntry.configuration(1, 1, { voters: [...voters], learners: [...learners], removed: [...removed] }),
  LogEntry.noop(2, 2)
]

/** The follower and the learner have just heard of b, their leader. */
export const members: Readonly<Record<RoleName, () => Subject>> = {
  follower: () => {
    const member = new Subject({ terms: [1, 2], term: 3 })
    member.receive(heartbeat("b", 3))
    return member
  },
  pre_candidate: () => {
    const member = new Subject({ terms: [1, 2], term: 3 })
    member.timeOut()
    return member
  },
  candidate: () => {
    const member = new Subject({ terms: [1, 2], term: 2 })
    member.timeOut()
    member.receive(preVoteReply("b", 2, 3))
    member.sync()
    return member
  },
  leader: () => {
    const member = new Subject({ terms: [1, 2], term: 2 }).lead()
    member.propose(1)
    member.sync()
    return member
  },
  learner: () => {
    const member = new Subject({ log: logWith("bc", "a", ""), term: 3 })
    member.receive(heartbeat("b", 3))
    return member
  },
  removed: () => new Subject({ log: logWith("bc", "", "a"), term: 3, applied: 1 })
}

/** Role, term, vote and leader, and whether it knows that it is removed. */
const stand = ({ state }: Subject): string =>
  `${state.role} ${state.term} ${state.votedFor ?? "-"} ${state.leader ?? "-"}${state.removed ? " removed" : ""}`

export const start: Readonly<Record<RoleName, string>> = {
  follower: "follower 3 - b",
  pre_candidate: "pre_candidate 3 - -",
  candidate: "candidate 3 a -",
  leader: "leader 3 a a",
  learner: "follower 3 - b",
  removed: "follower 3 - - removed"
}

/** What the member is, then what it says; or the sentence of the defect. */
export type Cell = readonly [stand: string, ...says: ReadonlyArray<string>] | { readonly defect: string }

export type Row = readonly [
  what: string,
  act: (member: Subject) => ReadonlyArray<string>,
  cells: Record<RoleName, Cell>
]

export const each = (cell: (role: RoleName) => Cell): Record<RoleName, Cell> => ({
  follower: cell("follower"),
  pre_candidate: cell("pre_candidate"),
  candidate: cell("candidate"),
  leader: cell("leader"),
  learner: cell("learner"),
  removed: cell("removed")
})

/** Stays what it is, and says this. */
export const stays = (...says: ReadonlyArray<string>): Record<RoleName, Cell> => each(role => [start[role], ...says])

/** What follows for those that hear of their leader for the first time. */
export const heard = (role: RoleName): ReadonlyArray<string> =>
  role === "follower" || role === "learner" ? [] : ["Role follower term=3 leader=b"]

/** Follows b in term 3, and keeps its vote. */
export const followsB = (says: (role: RoleName) => ReadonlyArray<string>): Record<RoleName, Cell> => ({
  ...each(role => [`follower 3 ${role === "candidate" ? "a" : "-"} b${suffix(role)}`, ...says(role)]),
  leader: givesUp
})

/** Hears that b leads as well. */
export const givesUp: Cell = [
  "follower 3 a -",
  "Role follower term=3 leader=-",
  "Contradicted two_leaders by b at 3, last 4"
]

const suffix = (role: RoleName): string => (role === "removed" ? " removed" : "")

/** Enters a term, votes for nobody, and says this after it. */
export const enters = (
  term: number,
  leader: string,
  says: (role: RoleName) => ReadonlyArray<string> = () => []
): Record<RoleName, Cell> =>
  each(role => [
    `follower ${term} - ${leader}${suffix(role)}`,
    `Persist term=${term} vote=-`,
    `Role follower term=${term} leader=${leader}`,
    ...says(role)
  ])

/** Enters term 4 and votes there. */
export const votes = (candidate: string): Record<RoleName, Cell> =>
  each(role => [
    `follower 4 ${candidate} -${suffix(role)}`,
    `Persist term=4 vote=${candidate}`,
    "Role follower term=4 leader=-",
    `after VoteReply→${candidate} term=4 asked=4 granted`
  ])

export const stands = (term: number, last: string, transfer: boolean): Cell => [
  `candidate ${term} a -`,
  `Persist term=${term} vote=a`,
  `Role candidate term=${term} leader=-`,
  ...["b", "c"].map(
    to => `after RequestVote→${to} term=${term} asked=${term} last=${last}${transfer ? " transfer" : ""}`
  )
]

export const asks = (becomes: string, ...role: ReadonlyArray<string>): Cell => [
  becomes,
  ...role,
  "PreVote→b term=3 asked=4 last=2/2",
  "PreVote→c term=3 asked=4 last=2/2"
]

export const refusesToServe = (what: (leader: string) => string): Record<RoleName, Cell> =>
  each(role => [start[role], what(role === "follower" || role === "learner" ? "b" : "-")])

/** What a leader says to b and to c alike. */
export const toBoth = (line: (to: string) => string): ReadonlyArray<string> => ["b", "c"].map(line)

export const receive =
  (message: Message.Message | Message.InstallSnapshot): Row[1] =>
  member =>
    member.receive(message)

/** Leaves out the token of the step's own write: it is always the next. */
const withoutToken = (line: string, token: number): string =>
  line.replace(new RegExp(`^(Persist|Install|after)#${token} `), "$1 ")

/** One test for each row in each role. */
export const check = (rows: ReadonlyArray<Row>): void =>
  describe.each(roleNames)("a %s", role => {
    it(`is ${start[role]}`, () => {
      assert.strictEqual(stand(members[role]()), start[role])
    })

    it.each(rows)("%s", (_, act, cells) => {
      const member = members[role]()
      const token = member.state.issuedToken + 1
      const expected = cells[role]
      if ("defect" in expected) {
        assert.throws(() => act(member), `broken invariant: ${expected.defect} (`)
        return
      }
      const says = act(member).map(line => withoutToken(line, token))
      assert.deepStrictEqual([stand(member), ...says], [...expected])
    })
  })
