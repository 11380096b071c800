import { assert, describe, it } from "@effect/vitest"
import * as LogEntry from "@reckon/raft/LogEntry"
import * as Exit from "effect/Exit"
import * as Proposals from "../src/internal/driver/proposals.js"
import { encode } from "./helpers/group.js"

/** Proposals whose time stands still until it is set, and what each of them was told, in order. */
const make = () => {
  const time = { millis: 0 }
  let lastId = 0
  const proposals = Proposals.make(
    () => {
      lastId += 1
      return lastId
    },
    { unsafeCurrentTimeNanos: () => BigInt(time.millis) * 1_000_000n }
  )
  const told: Array<string> = []
  const gather = (name: string) =>
    proposals.gather(encode(name), outcome =>
      told.push(`${name}: ${Exit.match(outcome, { onSuccess: () => "applied", onFailure: cause => tagOf(cause) })}`)
    )
  /** What has gathered goes to the core, which puts it into the log from there on. */
  const append = (firstIndex: number, term = 1) =>
    proposals.appended({
      _tag: "ProposalsAppended",
      proposals: proposals.take().map(({ id }, at) => ({ id, index: firstIndex + at, term }))
    })
  const apply = (index: number, term = 1) =>
    proposals.applied([LogEntry.command(index, term, encode(""))], [encode("answer")], undefined)
  return { time, proposals, told, gather, append, apply }
}

const tagOf = (cause: { readonly _tag: string; readonly error?: { readonly _tag: string } }) =>
  cause.error?._tag ?? cause._tag

describe("proposals", () => {
  it("are unknown five seconds after they were taken, each batch in its own time, and are told nothing more", () => {
    const { append, apply, gather, proposals, time, told } = make()
    gather("a")
    gather("b")
    append(1)
    time.millis = 3_000
    gather("c")
    append(3)
    apply(1)
    time.millis = 4_999
    proposals.expire()
    assert.deepStrictEqual(told, ["a: applied"])
    time.millis = 5_000
    proposals.expire()
    assert.deepStrictEqual(told, ["a: applied", "b: ProposalUnknown"])
    apply(2)
    apply(3)
    assert.deepStrictEqual(told, ["a: applied", "b: ProposalUnknown", "c: applied"])
    assert.strictEqual(proposals.open(), 0)
  })

  it("that the process has not come to in that time never go to the core, and are told so", () => {
    const { gather, proposals, time, told } = make()
    gather("a")
    time.millis = 5_000
    proposals.expire()
    assert.deepStrictEqual(told, ["a: Overloaded"])
    assert.deepStrictEqual(proposals.take(), [])
    gather("b")
    proposals.expire()
    assert.strictEqual(proposals.take().length, 1)
    assert.deepStrictEqual(told, ["a: Overloaded"])
  })

  it.each([
    ["a later term", 3],
    ["an earlier term", 1]
  ])("have surely failed where an entry of %s is applied in their place", (_, term) => {
    const { append, apply, gather, proposals, told } = make()
    gather("a")
    gather("b")
    append(7, 2)
    apply(7, term)
    assert.deepStrictEqual(told, ["a: NotLeader"])
    apply(8, 2)
    assert.deepStrictEqual(told, ["a: NotLeader", "b: applied"])
    assert.strictEqual(proposals.open(), 0)
  })

  it("that claim one place, after another leader has cut the first off, have one of them applied", () => {
    const { append, apply, gather, told } = make()
    gather("cut off")
    append(7, 2)
    gather("there")
    append(7, 4)
    apply(7, 4)
    assert.deepStrictEqual(told, ["cut off: NotLeader", "there: applied"])
  })

  it("are unknown where a snapshot stands for their place, and those behind it wait on", () => {
    const { append, apply, gather, proposals, told } = make()
    gather("a")
    gather("b")
    append(7)
    proposals.covered(7)
    assert.deepStrictEqual(told, ["a: ProposalUnknown"])
    apply(8)
    assert.deepStrictEqual(told, ["a: ProposalUnknown", "b: applied"])
  })

  it("are answered when the process ends: unknown where they are in the log, and surely not applied where they are not", () => {
    const { append, gather, proposals, told } = make()
    gather("in the log")
    append(1)
    gather("in the core, which broke down over it")
    proposals.take()
    gather("on its way")
    proposals.close("the process ended")
    assert.sameMembers(told, [
      "in the log: ProposalUnknown",
      "in the core, which broke down over it: ProposalUnknown",
      "on its way: NotLeader"
    ])
    assert.isFalse(gather("too late"))
    assert.deepStrictEqual(told.slice(3), ["too late: NotLeader"])
    assert.strictEqual(proposals.open(), 0)
  })
})
