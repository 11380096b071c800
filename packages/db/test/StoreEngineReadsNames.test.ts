import { assert, describe, it } from "@effect/vitest"
import * as StreamPattern from "@reckon/client/StreamPattern"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import * as StreamNames from "../src/internal/sqlite/streamNames.js"
import * as SqliteStoreEngine from "../src/SqliteStoreEngine.js"
import type { Service } from "../src/StoreEngine.js"
import { append, applyAt, event, limit, remove } from "./helpers/reading.js"
import { withWriter } from "./helpers/writer.js"

/** Uses an engine in memory that has these streams. */
const having = <A>(names: ReadonlyArray<string>, use: (engine: Service) => A) =>
  Effect.scoped(
    Effect.map(SqliteStoreEngine.make({ filename: ":memory:" }), engine => {
      applyAt(engine, 1, ...names.map(name => append(name, event(1))))
      return use(engine)
    })
  )

/** All pages, each behind the one before it. */
const pages = (engine: Service, pattern: string | null, count: number, first: string | null = null) => {
  const all: Array<ReadonlyArray<string>> = []
  for (let after = first; ; ) {
    const { isEnd, next, streams } = engine.listStreams({ pattern, after, count })
    all.push(streams.map(({ streamId }) => streamId))
    if (isEnd) return all
    if (next === after) throw new Error(`a page behind ${after} goes on from there`)
    after = next
  }
}

const list = (engine: Service, pattern: string | null = null) => pages(engine, pattern, 1000).flat()

const inBytes = (names: Iterable<string>) => [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))

/** At the edges of UTF-8 and UTF-16: a character that sorts before another by its units sorts behind it by its bytes. */
const edges = [
  "a",
  "b",
  "\u007e",
  "\u0080",
  "\u07ff",
  "\u0800",
  "\ud7ff",
  "\ue000",
  "\uffff",
  "\u{10000}",
  "\u{10ffff}"
]

const name = fc.array(fc.constantFrom(...edges), { minLength: 1, maxLength: 4 }).map(parts => parts.join(""))
const pattern = fc
  .tuple(fc.array(fc.constantFrom(...edges), { maxLength: 2 }), fc.constantFrom("*", "?", "?*", "", "*a"))
  .map(([parts, rest]) => parts.join("") + rest)
  .filter(pattern => pattern !== "")

describe("the names of streams", () => {
  it("in the order of their bytes, those that match, a page at a time, from any name on", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(name, { maxLength: 40 }),
        fc.array(
          fc.record({ pattern: fc.option(pattern), count: fc.integer({ min: 1, max: 5 }), after: fc.option(name) }),
          { minLength: 1, maxLength: 10 }
        ),
        (names, reads) => {
          Effect.runSync(
            having(names, engine => {
              for (const { after, count, pattern } of reads) {
                const matches = pattern === null ? () => true : StreamPattern.matcher(pattern)
                const behind = after === null ? names : names.filter(name => inBytes([after, name])[1] === name && name !== after) // biome-ignore format: one thought
                const expected = inBytes(behind.filter(matches))
                const all = pages(engine, pattern, count, after)
                assert.deepStrictEqual(all.flat(), expected)
                for (const page of all.slice(0, -1)) assert.strictEqual(page.length, count)
                assert.strictEqual(all.length, Math.max(1, Math.ceil(expected.length / count)))
              }
            })
          )
        }
      ),
      { numRuns: 80 }
    )
  })

  it.effect("begin with what the pattern begins with, up to the last character there is", () =>
    having(["\u{10ffff}", "\u{10ffff}\u{10ffff}", "\u{10ffff}a", "\ud7ff1", "\ue000", "\u{10fffe}"], engine => {
      assert.deepStrictEqual(list(engine, "\u{10ffff}*"), ["\u{10ffff}", "\u{10ffff}a", "\u{10ffff}\u{10ffff}"])
      assert.deepStrictEqual(list(engine, "\ud7ff*"), ["\ud7ff1"])
      assert.deepStrictEqual(list(engine, "\u{10ffff}"), ["\u{10ffff}"])
    })
  )

  it.effect("do not begin anew behind one that is behind all that match", () =>
    having(["\uffff", "\u{10000}"], engine => {
      assert.deepStrictEqual(pages(engine, "\uffff*", 10, "\u{10000}"), [[]])
    })
  )

  it.effect("are those of streams that are there: not deleted, and more than metadata", () =>
    having(["a", "b", "c", "d"], engine => {
      applyAt(
        engine,
        2,
        remove("a"),
        remove("b", true),
        limit("new", { maxCount: 1 }),
        limit("c", { truncateBefore: 9 })
      )
      assert.deepStrictEqual(list(engine), ["c", "d"])
      applyAt(engine, 3, append("a", event(2)))
      const { isEnd, streams } = engine.listStreams({ pattern: null, after: null, count: 1 })
      assert.deepStrictEqual(streams, [{ streamId: "a", version: 1 }])
      assert.isFalse(isEnd)
    })
  )

  it.effect("with many that do not match, come in pages that may be empty and that all get on", () => {
    const names = Array.from({ length: 9000 }, (_, n) => `s-${String(n).padStart(4, "0")}`)
    return having([...names, "s-8999-last"], engine => {
      const all = pages(engine, "*-last", 10)
      assert.deepStrictEqual(all.flat(), ["s-8999-last"])
      assert.strictEqual(all.length, 3)
      // A pattern that begins with a text looks at no others.
      assert.strictEqual(pages(engine, "s-8999*", 10).length, 1)
      assert.strictEqual(pages(engine, "s-8999-last", 10).length, 1)
      // For long names a pattern takes longer.
      applyAt(engine, 2, ...names.slice(0, 500).map(name => append(`long-${name}-${"x".repeat(1_000)}`, event(1))))
      assert.isAtLeast(pages(engine, "long-*-last", 10).length, 2)
    })
  })

  it.effect("one page ends where it says, also when no stream is left", () =>
    having(["a", "b"], engine => {
      assert.deepStrictEqual(engine.listStreams({ pattern: null, after: null, count: 2 }).isEnd, true)
      assert.deepStrictEqual(engine.listStreams({ pattern: null, after: "b", count: 2 }), {
        streams: [],
        isEnd: true,
        next: "b"
      })
    })
  )

  it("that a pattern means are told as long as they are no more than asked for, and no more are looked at", () =>
    withWriter(({ apply, db }) => {
      apply(1, ...["a-1", "a-2", "a-3"].map(name => append(name, event(1))), append("a-4", event(1)), remove("a-4"))
      const { keeping } = StreamNames.make(db)
      const few = (count: number, lookedAt: number) => keeping("a-*", { count, lookedAt })?.length ?? null
      assert.deepStrictEqual([few(3, 4), few(2, 4), few(3, 3)], [3, null, null])
    }))
})
