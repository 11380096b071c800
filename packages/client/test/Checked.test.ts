import { assert, describe, it } from "@effect/vitest"
import { Event, ExpectedVersion, Query, StoreRpcs } from "@reckon/client"
import { Either, Schema } from "effect"
import { checked } from "../src/internal/checked.js"

const Request = Schema.Struct({
  streamId: Event.StreamId,
  expectedVersion: ExpectedVersion.ExpectedVersion,
  from: StoreRpcs.SubscribeFrom,
  condition: Schema.NullOr(Schema.Struct({ query: Query.Query, after: Schema.Int }))
})

/** What is said of a request of which a part is wrong. */
const saidOf = (wrong: Partial<typeof Request.Type>): string =>
  Either.match(
    checked(Request)({ streamId: "order-1", expectedVersion: "any", from: "origin", condition: null, ...wrong }),
    { onLeft: ({ message }) => message, onRight: () => "nothing" }
  )

describe("a request that does not fit", () => {
  it("is told where, what is wanted there and what there is", () => {
    assert.strictEqual(saidOf({}), "nothing")
    assert.strictEqual(saidOf({ streamId: "" }), 'streamId: Expected a string at least 1 character(s) long, actual ""')
  })

  it("is told all that may stand there, not the first of it", () => {
    assert.strictEqual(
      saidOf({ expectedVersion: -1 }),
      'expectedVersion: Expected "any" or "no_stream" or "stream_exists" or a non-negative number, actual -1'
    )
    assert.strictEqual(saidOf({ from: -5 }), 'from: Expected "origin" or "current" or a non-negative number, actual -5')
  })

  it("hears nothing of null, which stands for what was left out", () => {
    assert.strictEqual(
      saidOf({ condition: { query: Query.all, after: 1.5 } }),
      "condition.after: Expected an integer, actual 1.5"
    )
  })

  it("is told no more of a value than fits a line", () => {
    const said = saidOf({ streamId: "x\n".repeat(10_000) })
    assert.isAtMost(said.length, 220)
    assert.notInclude(said, "\n")
  })
})
