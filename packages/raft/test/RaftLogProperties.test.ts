import { assert, describe, it } from "@effect/vitest"
import { configuration, type LogEntry } from "@reckon/raft/LogEntry"
import type { Placed } from "@reckon/raft/Membership"
import * as RaftLog from "@reckon/raft/RaftLog"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as fc from "fast-check"
import * as Membership from "../src/Membership.js"
import { crashImage, entry, hardState, type Log, temporaryFile } from "./helpers/raftLog.js"

// -----------------------------------------------------------------------------
// the model: a log as an array
// -----------------------------------------------------------------------------

interface Model {
  readonly term: number
  readonly base: RaftLog.Base
  readonly entries: ReadonlyArray<LogEntry>
}

const empty: Model = { term: 0, base: { index: 0, term: 0, configuration: undefined }, entries: [] }

const lastIndex = ({ base, entries }: Model) => base.index + entries.length

const termAt = ({ base, entries }: Model, index: number) =>
  index === base.index ? base.term : (entries[index - base.index - 1]?.term ?? 0)

const behind = ({ base, entries }: Model, index: number) => entries.slice(index - base.index)

const placedAt = ({ base, entries }: Model, index: number): Placed | undefined =>
  entries
    .filter(each => each.kind === "configuration" && each.index <= index)
    .map(each => ({ index: each.index, configuration: Option.getOrThrow(Membership.decode(each.payload)) }))
    .at(-1) ?? base.configuration

const written = (model: Model, { entries, hardState, snapshot, truncateFrom }: RaftLog.Write): Model => {
  let next = { ...model, term: hardState?.term ?? model.term }
  if (truncateFrom !== undefined) {
    next = { ...next, entries: next.entries.filter(({ index }) => index < truncateFrom) }
  }
  if (snapshot !== undefined) {
    const agrees = snapshot.index <= lastIndex(next) && termAt(next, snapshot.index) === snapshot.term
    next = { ...next, base: snapshot, entries: agrees ? behind(next, snapshot.index) : [] }
  }
  return { ...next, entries: [...next.entries, ...entries] }
}

const compacted = (model: Model, index: number): Model =>
  index <= model.base.index
    ? model
    : {
        ...model,
        base: { index, term: termAt(model, index), configuration: placedAt(model, index) },
        entries: behind(model, index)
      }

// -----------------------------------------------------------------------------
// what is done to it
// -----------------------------------------------------------------------------

/** Places are parts of what there is, so that every history fits every log. */
const share = fc.integer({ min: 0, max: 100 })

const action = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      _tag: fc.constant("Append" as const),
      count: fc.oneof({ weight: 9, arbitrary: fc.nat(6) }, { weight: 1, arbitrary: fc.constant(1_300) }),
      isConfigured: fc.boolean(),
      isNewTerm: fc.boolean(),
      isLarge: fc.boolean(),
      cut: fc.option(share)
    })
  },
  { weight: 2, arbitrary: fc.record({ _tag: fc.constant("Compact" as const), at: share }) },
  {
    weight: 1,
    arbitrary: fc.record({
      _tag: fc.constant("Install" as const),
      at: share,
      beyond: fc.nat(3),
      isConfigured: fc.boolean(),
      agrees: fc.boolean(),
      count: fc.nat(2)
    })
  },
  { weight: 3, arbitrary: fc.record({ _tag: fc.constant("Flush" as const) }) },
  { weight: 2, arbitrary: fc.record({ _tag: fc.constant("Reopen" as const) }) },
  { weight: 1, arbitrary: fc.record({ _tag: fc.constant("Crash" as const) }) }
)

type Action = typeof action extends fc.Arbitrary<infer A> ? A : never

const place = (model: Model, at: number) => model.base.index + Math.round((at / 100) * model.entries.length)

const members = (index: number): Membership.Configuration => ({ voters: ["a"], learners: [`m${index}`], removed: [] })

/** The large ones, every third, are such that few or none of them fit into a row with others. */
const added = (
  from: number,
  count: number,
  term: number,
  { isConfigured = false, isLarge = false }
): ReadonlyArray<LogEntry> =>
  Array.from({ length: count }, (_, at) =>
    at === 0 && isConfigured
      ? configuration(from, term, members(from))
      : entry(
          from + at,
          term,
          `${from + at} of ${term}${".".repeat(isLarge && at % 3 === 0 && at < 12 ? 30_000 * at : 0)}`
        )
  )

const writeOf = (model: Model, done: Action): RaftLog.Write | undefined => {
  switch (done._tag) {
    case "Append": {
      const term = Math.max(1, model.term + (done.isNewTerm ? 1 : 0))
      const cut = done.cut === null ? lastIndex(model) + 1 : place(model, done.cut) + 1
      const isCut = cut <= lastIndex(model)
      return {
        hardState: hardState(term),
        truncateFrom: isCut ? cut : undefined,
        entries: added(cut, done.count, term, done)
      }
    }
    case "Install": {
      const index = place(model, done.at) + done.beyond
      const isInside = index <= lastIndex(model)
      const term = isInside && done.agrees ? termAt(model, index) : model.term + 1
      const configured = index > 0 && done.isConfigured ? { index, configuration: members(index) } : undefined
      const snapshot = { index, term, configuration: configured }
      const next = { hardState: hardState(model.term + 1), snapshot, entries: [] }
      const from = lastIndex(written(model, next)) + 1
      return { ...next, entries: added(from, done.count, model.term + 1, {}) }
    }
    default:
      return undefined
  }
}

// -----------------------------------------------------------------------------
// the comparison
// -----------------------------------------------------------------------------

/** Looks at nothing that would have to be read from the disk: that would flush what is staged. */
const checkView = (log: Log, model: Model) => {
  assert.deepStrictEqual(log.base(), model.base)
  assert.deepStrictEqual([log.firstIndex(), log.lastIndex()], [model.base.index + 1, lastIndex(model)])
  assert.strictEqual(log.hardState().term, model.term)
  for (const share of [0, 30, 60, 100]) {
    const index = place(model, share)
    assert.strictEqual(log.term(index), termAt(model, index))
  }
}

const plain = (entries: ReadonlyArray<LogEntry>) =>
  entries.map(({ payload, ...each }) => ({ ...each, payload: Buffer.from(payload).toString("latin1") }))

const assertSame = (found: ReadonlyArray<LogEntry>, expected: ReadonlyArray<LogEntry>) =>
  assert.deepStrictEqual(plain(found), plain(expected))

const checkAll = (log: Log, model: Model) => {
  checkView(log, model)
  assertSame(log.entries(log.firstIndex(), log.lastIndex(), 1e9), model.entries)
  for (const [from, to] of [
    [20, 40],
    [50, 50],
    [70, 100]
  ] as const) {
    const [first, last] = [place(model, from), place(model, to)]
    if (first > model.base.index)
      assertSame(log.entries(first, last, 1e9), behind(model, first - 1).slice(0, last - first + 1))
  }
  assert.deepStrictEqual(
    log.configurations().map(each => each.index),
    model.entries.filter(({ kind }) => kind === "configuration").map(({ index }) => index)
  )
}

const check = (history: ReadonlyArray<Action>) =>
  Effect.gen(function* () {
    let filename = yield* temporaryFile
    let model = empty
    let durable = empty
    let life = yield* Scope.make()
    let log = yield* Scope.extend(RaftLog.make({ filename }), life)
    for (const done of history) {
      const write = writeOf(model, done)
      if (write !== undefined) {
        log.stage(write)
        model = written(model, write)
      } else if (done._tag === "Compact") {
        const index = place(model, done.at)
        // It flushes first, if there is anything to compact.
        if (index > model.base.index) durable = model
        log.compact(index)
        model = compacted(model, index)
      } else if (done._tag === "Flush") {
        log.flush()
        durable = model
        checkAll(log, model)
      } else {
        if (done._tag === "Crash") filename = crashImage(filename)
        yield* Scope.close(life, Exit.void)
        life = yield* Scope.make()
        log = yield* Scope.extend(RaftLog.make({ filename }), life)
        model = durable
        checkAll(log, model)
      }
      checkView(log, model)
    }
    yield* Scope.close(life, Exit.void)
  }).pipe(Effect.scoped)

describe("a Raft log under random histories", () => {
  it("what was flushed is there, what was not is not, over closings and crashes", { timeout: 60_000 }, () =>
    fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 1, maxLength: 30 }), history => Effect.runPromise(check(history))),
      { numRuns: 150 }
    )
  )
})
