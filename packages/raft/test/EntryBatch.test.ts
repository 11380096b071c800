import { assert, describe, it } from "@effect/vitest"
import * as LogEntry from "@reckon/raft/LogEntry"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import { EntryBatch, pack, unpack } from "../src/internal/entryBatch.js"

const bodies = fc.record({
  term: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  kind: fc.constantFrom("noop" as const, "command" as const, "configuration" as const),
  payload: fc.uint8Array({ maxLength: 40 })
})

const batches = fc
  .tuple(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER - 100 }), fc.array(bodies, { maxLength: 20 }))
  .map(([first, all]) => all.map((body, at) => ({ index: first + at, ...body })))

describe("entries on the wire", () => {
  it("come back as they were sent", () => {
    fc.assert(
      fc.property(batches, entries => {
        assert.deepStrictEqual(Either.getOrThrow(unpack(pack(entries))), entries)
        assert.deepStrictEqual(Schema.decodeSync(EntryBatch)(Schema.encodeSync(EntryBatch)(entries)), entries)
      })
    )
  })

  it("are what their schema says they are, whatever the bytes, or are refused", () => {
    const isEntry = Schema.is(LogEntry.LogEntry)
    let refused = 0
    let taken = 0
    fc.assert(
      fc.property(
        batches,
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }),
        fc.nat(30),
        (entries, flips, cut) => {
          const bytes = pack(entries).slice()
          for (const [at, value] of flips) if (bytes.length > 0) bytes[at % bytes.length] = value
          const found = unpack(bytes.subarray(0, Math.max(0, bytes.length - cut)))
          if (Either.isLeft(found)) {
            refused += 1
            return
          }
          taken += 1
          for (const [at, entry] of found.right.entries()) {
            assert.isTrue(isEntry(entry))
            assert.strictEqual(entry.index, (found.right[0]?.index ?? 0) + at)
          }
        }
      ),
      { numRuns: 3_000, seed: 7 }
    )
    assert.isAbove(refused, 500)
    assert.isAbove(taken, 100)
  })

  it("are refused where they end too early, with where", () => {
    const bytes = pack([LogEntry.command(7, 2, new Uint8Array([1, 2, 3])), LogEntry.noop(8, 2)])
    const refusals = Array.from({ length: bytes.length - 1 }, (_, at) => unpack(bytes.subarray(0, at + 1)))
    // Only where the first entry ends do the bytes make sense.
    assert.strictEqual(refusals.filter(Either.isRight).length, 1)
    assert.deepStrictEqual(unpack(bytes.subarray(0, bytes.length - 1)), Either.left("they end within entry 8"))
  })
})
