import { assert, describe, it } from "@effect/vitest"
import { byteLength } from "@reckon/client/Event"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { Operation } from "../src/Command.js"
import * as SqliteStoreEngine from "../src/SqliteStoreEngine.js"
import type { Service } from "../src/StoreEngine.js"
import {
  applyAt,
  directionArbitrary,
  event,
  History,
  historyArbitrary,
  pages,
  queryArbitrary,
  wholly
} from "./helpers/reading.js"

/** Uses an engine in memory. */
const using = <A>(use: (engine: Service) => A) =>
  Effect.scoped(Effect.map(SqliteStoreEngine.make({ filename: ":memory:" }), use))

/** An engine with what the steps made of it, and the oracle with the same. */
const replay = (engine: Service, steps: ReadonlyArray<{ readonly at: number; readonly operation: Operation }>) => {
  const history = new History()
  for (const { at, operation } of steps) {
    applyAt(engine, at, operation)
    history.apply(at, operation)
  }
  return history
}

describe("a query, compared with a test of each event", () => {
  it("finds the same events in the same order, page after page, at any time, in both directions", () => {
    let pagesSeen = 0
    let eventsSeen = 0
    fc.assert(
      fc.property(
        historyArbitrary,
        fc.array(
          fc.record({
            query: queryArbitrary,
            direction: directionArbitrary,
            count: fc.integer({ min: 1, max: 12 }),
            bytesMax: fc.constantFrom(1, 200, 400, Number.MAX_SAFE_INTEGER),
            asOf: fc.option(fc.nat({ max: 80 })),
            nowUs: fc.integer({ min: 100, max: 300 }),
            from: fc.option(fc.integer({ min: -3, max: 80 }), { nil: undefined })
          }),
          { minLength: 1, maxLength: 8 }
        ),
        (steps, reads) => {
          Effect.runSync(
            using(engine => {
              const history = replay(engine, steps)
              for (const { from: place, query, ...options } of reads) {
                const { from, ...read } = wholly(place === undefined ? options : { ...options, from: place })
                const { bytesMax, count, direction } = read
                const matching = history.matching(query, read)
                const expected =
                  direction === "forward"
                    ? matching.filter(({ position }) => position >= from)
                    : matching.filter(({ position }) => position <= from).reverse()
                const all = pages(from, from => engine.readQuery({ ...read, from, query }))
                assert.deepStrictEqual(
                  all.flatMap(({ events }) => events),
                  expected
                )
                for (const page of all) {
                  assert.isAtMost(page.events.length, count)
                  const bytes = page.events.reduce((sum, event) => sum + byteLength(event), 0)
                  assert.isTrue(bytes <= bytesMax || page.events.length === 1)
                  // So few rows are no burden: a page without events says that there are none.
                  assert.strictEqual(page.events.length === 0, expected.length === 0)
                }
                pagesSeen += all.length
                eventsSeen += expected.length
              }
            })
          )
        }
      ),
      { numRuns: 150 }
    )
    // What found nothing has proved nothing.
    assert.isAbove(pagesSeen, 500)
    assert.isAbove(eventsSeen, 1000)
  })

  it("says of conditions what a scan would say", () => {
    fc.assert(
      fc.property(
        historyArbitrary,
        fc.array(fc.record({ query: queryArbitrary, after: fc.integer({ min: -1, max: 60 }) }), { maxLength: 8 }),
        (steps, conditions) => {
          Effect.runSync(
            using(engine => {
              const history = replay(engine, steps)
              const nowUs = history.all.at(-1)?.epochUs ?? 0
              conditions.forEach(({ after, query }, n) => {
                const matching = history.matching(query, { asOf: null, nowUs })
                const breach = matching.find(({ position }) => position > after)
                const probe = { streamId: "probe", expectedVersion: "any", events: [event(1_000_000 + n)] } as const
                const operation = Operation.Append({
                  appends: [probe],
                  condition: { query, after, checkedThrough: -1 }
                })
                const [reply] = applyAt(engine, 0, operation)
                const error = reply?.[0]?._tag === "Left" ? reply[0].left : null
                assert.strictEqual(
                  error?._tag === "AppendConditionFailed" ? error.position : undefined,
                  breach?.position
                )
                if (breach === undefined) history.apply(0, operation)
              })
            })
          )
        }
      ),
      { numRuns: 100 }
    )
  })
})
