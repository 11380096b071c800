/** What the cluster's own slowness is, told from the faults', on histories made by hand. */
import { assert, describe, it } from "@effect/vitest"
import type * as TortureHistory from "@reckon/testkit/TortureHistory"
import * as Recovery from "../src/internal/torture/recovery.js"

type Entry = TortureHistory.Entry
type Became = Extract<Entry, { readonly _tag: "Node" }>["became"]

const node = (atMillis: number, name: string, became: Became): Entry => ({ _tag: "Node", atMillis, node: name, became })
const link = (atMillis: number, from: string, to: string, became: "cut" | "healed"): Entry => ({
  _tag: "Link",
  atMillis,
  from,
  to,
  became
})
const acknowledged = (atMillis: number): Entry => ({
  _tag: "Return",
  id: atMillis,
  atMillis,
  answer: { _tag: "Appended", version: 0, position: 0 }
})

/** Nodes that have started at 0, an append that is acknowledged at 1,000, what happens from there on, and one more at 9,000. */
const longest = (names: ReadonlyArray<string>, ...happens: ReadonlyArray<Entry>) =>
  Recovery.longest([
    ...names.map(name => node(0, name, "started")),
    acknowledged(1_000),
    ...happens,
    acknowledged(9_000)
  ])

const three = ["n0", "n1", "n2"]

describe("the time without an append while one majority was up", () => {
  it("is all of it where nothing happened, and begins with the first append", () => {
    assert.deepStrictEqual(longest(three), { fromMillis: 1_000, millis: 8_000 })
  })

  it("ends with the last append: nobody may have asked for one since", () => {
    const entries = [...three.map(name => node(0, name, "started")), acknowledged(1_000), acknowledged(1_500)]
    assert.strictEqual(Recovery.longest([...entries, node(9_000, "n0", "ended")])?.millis, 500)
  })

  it("is the longest of several", () => {
    assert.deepStrictEqual(longest(three, acknowledged(3_000), acknowledged(7_500)), {
      fromMillis: 3_000,
      millis: 4_500
    })
  })

  it("takes no answer for an acknowledgement but that of an append", () => {
    const read: Entry = { _tag: "Return", id: 1, atMillis: 5_000, answer: { _tag: "Version", version: 3 } }
    assert.strictEqual(longest(three, read)?.millis, 8_000)
  })

  it("goes on while a minority is away, for whatever reason", () => {
    assert.strictEqual(longest(three, node(1_100, "n2", "ended"))?.millis, 8_000)
    assert.strictEqual(longest(three, node(1_100, "n2", "held"))?.millis, 8_000)
    assert.strictEqual(longest(three, node(1_100, "n2", "full"))?.millis, 8_000)
    assert.strictEqual(longest(three, link(1_100, "n2", "n0", "cut"))?.millis, 8_000)
  })

  it("ends where a majority is away and begins anew when it is back", () => {
    const back = { fromMillis: 6_000, millis: 3_000 }
    assert.deepStrictEqual(
      longest(
        three,
        ...[node(1_100, "n1", "ended"), node(1_100, "n2", "ended")],
        ...[node(6_000, "n1", "started"), node(6_000, "n2", "started")]
      ),
      back
    )
    assert.deepStrictEqual(
      longest(
        three,
        ...[node(1_100, "n1", "held"), node(1_100, "n2", "full")],
        ...[node(6_000, "n1", "released"), node(7_000, "n2", "free")]
      ),
      back
    )
  })

  it("counts what was left of it before the majority went", () => {
    assert.deepStrictEqual(longest(three, node(6_000, "n1", "ended"), node(6_000, "n2", "ended")), {
      fromMillis: 1_000,
      millis: 5_000
    })
  })

  it("takes a node that ended by itself for one that is away", () => {
    const exit: Entry = { _tag: "Exit", atMillis: 2_000, node: "n1", how: "code 1" }
    assert.deepStrictEqual(longest(three, exit, node(2_000, "n2", "held"), node(2_500, "n1", "started")), {
      fromMillis: 2_500,
      millis: 6_500
    })
  })

  it("takes a node that is started anew for one that nobody holds", () => {
    assert.deepStrictEqual(
      longest(
        three,
        node(1_100, "n2", "held"),
        ...[node(2_000, "n1", "held"), node(3_000, "n1", "ended"), node(4_000, "n1", "started")]
      ),
      { fromMillis: 4_000, millis: 5_000 }
    )
  })

  it("needs both ways between any two of the majority, however often each was cut", () => {
    const alone = [link(1_100, "n0", "n1", "cut"), link(1_100, "n0", "n2", "cut"), link(1_100, "n2", "n1", "cut")]
    assert.strictEqual(longest(three, ...alone)?.millis, 100)
    assert.deepStrictEqual(
      longest(
        three,
        ...alone,
        link(2_000, "n2", "n1", "cut"),
        link(3_000, "n2", "n1", "healed"),
        link(7_000, "n2", "n1", "healed")
      ),
      { fromMillis: 7_000, millis: 2_000 }
    )
  })

  it("begins anew where another majority takes over", () => {
    assert.deepStrictEqual(
      longest(three, node(1_100, "n0", "held"), node(4_000, "n0", "released"), node(4_000, "n1", "held")),
      { fromMillis: 4_000, millis: 5_000 }
    )
  })

  it("needs more than half of four and of five", () => {
    const gone = [node(1_100, "n0", "ended"), node(1_100, "n1", "ended")]
    assert.strictEqual(longest([...three, "n3"], ...gone)?.millis, 100)
    assert.strictEqual(longest([...three, "n3", "n4"], ...gone)?.millis, 8_000)
  })

  it("is not known of a history that does not tell of its nodes", () => {
    assert.isUndefined(Recovery.longest([acknowledged(1_000), acknowledged(9_000)]))
  })
})
