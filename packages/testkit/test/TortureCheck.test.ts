/** A torture that finds nothing has found nothing only if its judge would have seen it: each broken promise, by hand. */
import { assert, describe, it } from "@effect/vitest"
import * as TortureCheck from "@reckon/testkit/TortureCheck"
import type * as TortureHistory from "@reckon/testkit/TortureHistory"

type Entry = TortureHistory.Entry
type Stored = TortureHistory.Stored

/** Writes a history by hand. Event `a1` has the content `a1!`. */
const makeHistory = () => {
  const entries: Array<Entry> = []
  let id = 0
  const call = (client: string, operation: TortureHistory.Operation) => {
    entries.push({ _tag: "Call", id: ++id, client, atMillis: id, operation })
    return id
  }
  const event = (name: string) => ({ id: name, content: `${name}!` })
  const told = (of: number, answer: TortureHistory.Answer) =>
    entries.push({ _tag: "Return", id: of, atMillis: of, answer })
  const asked = (client: string, stream: string, names: ReadonlyArray<string>, expected: number | "any" = "any") =>
    call(client, { _tag: "Append", stream, expected, events: names.map(event) })
  return {
    entries,
    call,
    told,
    asked,
    written: (client: string, stream: string, names: ReadonlyArray<string>, version: number, position: number) =>
      told(asked(client, stream, names), { _tag: "Appended", version, position }),
    refused: (client: string, stream: string, names: ReadonlyArray<string>, expected: number, actual: number) =>
      told(asked(client, stream, names, expected), { _tag: "WrongExpectedVersion", actual }),
    failed: (client: string, stream: string, names: ReadonlyArray<string>) =>
      entries.push({ _tag: "Fail", id: asked(client, stream, names), atMillis: id, error: "NoQuorum: nobody leads" }),
    unknown: (client: string, stream: string, names: ReadonlyArray<string>) =>
      entries.push({
        _tag: "Unknown",
        id: asked(client, stream, names),
        atMillis: id,
        error: "OutcomeUnknown: silence"
      }),
    page: (from: number, events: ReadonlyArray<Stored>) => {
      const of = call("r", { _tag: "ReadAll", from, count: 10 })
      told(of, { _tag: "AllEvents", events: events.map(({ digest: _, epochUs: __, ...rest }) => rest), isEnd: true })
    },
    holds: (node: string, events: ReadonlyArray<Stored>) => entries.push({ _tag: "Holds", node, events })
  }
}

/** What a node holds that has these events, each written `stream/name`, in this order. */
const log = (...places: ReadonlyArray<string>): ReadonlyArray<Stored> => {
  const versions = new Map<string, number>()
  return places.map((place, position) => {
    const [stream = "", id = ""] = place.split("/")
    const version = (versions.get(stream) ?? -1) + 1
    versions.set(stream, version)
    return { position, stream, version, id, content: `${id}!`, epochUs: position, digest: `${place} ${version}` }
  })
}

const kinds = (entries: ReadonlyArray<Entry>): ReadonlyArray<TortureCheck.ViolationKind> =>
  TortureCheck.check(entries).violations.map(({ kind }) => kind)

/** One client writes a batch of two to `s` and a single event to `t`, and sees them. */
const good = () => {
  const history = makeHistory()
  history.written("c", "s", ["a1", "a2"], 1, 1)
  history.written("c", "t", ["b1"], 0, 2)
  return history
}
const goodLog = log("s/a1", "s/a2", "t/b1")

describe("TortureCheck", () => {
  it("a history in which all is well has no violation", () => {
    const history = good()
    history.refused("c", "s", ["x1"], 7, 1)
    history.failed("c", "s", ["x2"])
    history.unknown("d", "s", ["u1", "u2"])
    history.unknown("d", "t", ["v1"])
    history.page(1, goodLog.slice(1))
    for (const node of ["n0", "n1"]) history.holds(node, log("s/a1", "s/a2", "t/b1", "s/u1", "s/u2"))
    const verdict = TortureCheck.check(history.entries)
    assert.deepStrictEqual(verdict, { violations: [], undecided: [], nodes: 2, streams: 2, events: 5 })
  })

  it("an append that is repeated until it is answered counts once, even if it was refused after all", () => {
    const history = good()
    history.unknown("c", "t", ["d1"])
    history.written("c", "t", ["d1"], 1, 3)
    history.holds("n0", log("s/a1", "s/a2", "t/b1", "t/d1"))
    assert.deepStrictEqual(kinds(history.entries), [])

    const late = good()
    late.unknown("c", "t", ["d1"])
    late.failed("c", "t", ["d1"])
    late.holds("n0", log("s/a1", "s/a2", "t/b1", "t/d1"))
    assert.deepStrictEqual(kinds(late.entries), [])
  })

  it("Lost: an acknowledged append, or the end of one, is not there", () => {
    const whole = good()
    whole.holds("n0", log("s/a1", "s/a2"))
    assert.deepStrictEqual(kinds(whole.entries), ["Lost", "NotLinearizable"])

    const part = good()
    part.holds("n0", log("s/a1", "t/b1"))
    assert.include(kinds(part.entries), "Lost")
  })

  it("Doubled: an event is there twice", () => {
    const history = good()
    history.holds("n0", log("s/a1", "s/a2", "t/b1", "t/b1"))
    assert.deepStrictEqual(kinds(history.entries), ["Doubled", "NotLinearizable"])
  })

  it("Moved: an acknowledged append is at another version or position than was told", () => {
    const version = good()
    version.holds("n0", log("s/a1", "s/a2", "t/u", "t/b1"))
    assert.includeMembers([...kinds(version.entries)], ["Moved", "Foreign"])

    const position = good()
    position.holds("n0", log("t/b1", "s/a1", "s/a2"))
    assert.deepStrictEqual(kinds(position.entries), ["Moved", "Moved"])
  })

  it("Torn: a part of a batch of unknown outcome is there, or something between its events", () => {
    const half = good()
    half.unknown("d", "t", ["u1", "u2"])
    half.holds("n0", log("s/a1", "s/a2", "t/b1", "t/u1"))
    assert.deepStrictEqual(kinds(half.entries), ["Torn", "NotLinearizable"])

    const split = makeHistory()
    split.unknown("d", "s", ["u1", "u2"])
    split.unknown("e", "t", ["v1"])
    split.holds("n0", log("s/u1", "t/v1", "s/u2"))
    assert.deepStrictEqual(kinds(split.entries), ["Torn"])
  })

  it("Refused: an event is there that was refused, or of which it was said that nothing happened", () => {
    const wrong = good()
    wrong.refused("c", "s", ["x1"], 7, 1)
    wrong.holds("n0", log("s/a1", "s/a2", "t/b1", "s/x1"))
    assert.deepStrictEqual(kinds(wrong.entries), ["Refused", "NotLinearizable"])

    const failed = good()
    failed.failed("c", "s", ["x1"])
    failed.holds("n0", log("s/a1", "s/a2", "t/b1", "s/x1"))
    assert.deepStrictEqual(kinds(failed.entries), ["Refused", "NotLinearizable"])
  })

  it("Foreign: an event is there that nobody wrote, with other content, or in another stream", () => {
    const stranger = good()
    stranger.holds("n0", [...goodLog, ...log("s/", "s/", "t/", "t/z").slice(3)])
    assert.include(kinds(stranger.entries), "Foreign")

    const altered = good()
    altered.holds(
      "n0",
      goodLog.map(event => ({ ...event, content: "other" }))
    )
    assert.include(kinds(altered.entries), "Foreign")

    const astray = good()
    astray.holds("n0", log("s/a1", "s/a2", "z/b1"))
    assert.include(kinds(astray.entries), "Foreign")
  })

  it("Gap: positions or versions are not dense, or commit times go back", () => {
    const holding = (changed: Partial<Stored>) => {
      const history = good()
      history.holds("n0", [...goodLog.slice(0, 2), ...goodLog.slice(2).map(last => ({ ...last, ...changed }))])
      return kinds(history.entries)
    }
    assert.include(holding({ position: 3 }), "Gap")
    assert.include(holding({ version: 1 }), "Gap")
    assert.deepStrictEqual(holding({ epochUs: 0 }), ["Gap"])
  })

  it("NodesDiffer: a node holds less, more or something else", () => {
    for (const other of [log("s/a1", "s/a2"), log("s/a1", "s/a2", "t/b1", "t/b2"), log("s/a1", "s/a2", "t/c1")]) {
      const history = good()
      history.holds("n0", goodLog)
      history.holds("n1", goodLog)
      history.holds("n2", other)
      assert.deepStrictEqual(kinds(history.entries), ["NodesDiffer"])
    }
  })

  it("Reordered: what a client had been told of before comes after", () => {
    const history = makeHistory()
    history.written("c", "s", ["a1"], 1, 1)
    history.written("c", "s", ["a2"], 0, 0)
    history.holds("n0", log("s/a2", "s/a1"))
    assert.deepStrictEqual(kinds(history.entries), ["Reordered", "NotLinearizable"])
  })

  it("StaleRead: a read of the store misses what was acknowledged, or seen, before it began", () => {
    const behindAppend = good()
    behindAppend.page(0, goodLog.slice(0, 2))
    behindAppend.holds("n0", goodLog)
    assert.deepStrictEqual(kinds(behindAppend.entries), ["StaleRead"])

    const behindRead = makeHistory()
    behindRead.unknown("c", "s", ["u1"])
    behindRead.page(0, log("s/u1"))
    behindRead.page(0, [])
    behindRead.holds("n0", log("s/u1"))
    assert.deepStrictEqual(kinds(behindRead.entries), ["StaleRead"])
  })

  it("StaleRead: not where the append was still under way", () => {
    const history = makeHistory()
    const append = history.asked("c", "s", ["a1"])
    const read = history.call("r", { _tag: "ReadAll", from: 0, count: 10 })
    history.told(append, { _tag: "Appended", version: 0, position: 0 })
    history.told(read, { _tag: "AllEvents", events: [], isEnd: true })
    history.holds("n0", log("s/a1"))
    assert.deepStrictEqual(kinds(history.entries), [])
  })

  it("WrongRead: a read of the store shows what is not there in the end", () => {
    const history = good()
    history.unknown("d", "t", ["u1"])
    history.page(2, log("s/a1", "s/a2", "t/u1").slice(2))
    history.holds("n0", goodLog)
    assert.deepStrictEqual(kinds(history.entries), ["WrongRead"])
  })

  it("NotLinearizable: a read of a stream or of its version is stale", () => {
    const events = good()
    events.told(events.call("r", { _tag: "Read", stream: "t", from: 0, count: 5 }), { _tag: "StreamNotFound" })
    events.holds("n0", goodLog)
    assert.deepStrictEqual(kinds(events.entries), ["NotLinearizable"])

    const version = good()
    version.told(version.call("r", { _tag: "Version", stream: "s" }), { _tag: "Version", version: 0 })
    version.holds("n0", goodLog)
    assert.deepStrictEqual(kinds(version.entries), ["NotLinearizable"])
  })

  it("NotLinearizable: an append was refused at a version that the stream had left", () => {
    const history = good()
    history.refused("d", "s", ["x1"], 5, 0)
    history.holds("n0", goodLog)
    assert.deepStrictEqual(kinds(history.entries), ["NotLinearizable"])
  })

  it("NotSettled: the healed cluster did not agree", () => {
    const history = good()
    history.entries.push({ _tag: "NotSettled", atMillis: 9, detail: "n1 is silent" })
    assert.deepStrictEqual(TortureCheck.check(history.entries).violations, [
      { kind: "NotSettled", description: "n1 is silent" }
    ])
  })

  it("a history that was cut short is judged by its reads; a node that holds nothing has lost all", () => {
    const history = good()
    history.asked("c", "s", ["open"])
    assert.deepStrictEqual(kinds(history.entries), [])
    history.page(0, goodLog.slice(0, 1))
    assert.deepStrictEqual(kinds(history.entries), ["StaleRead"])

    const empty = good()
    empty.holds("n0", [])
    assert.deepStrictEqual(kinds(empty.entries), ["Lost", "Lost", "NotLinearizable"])
  })
})
