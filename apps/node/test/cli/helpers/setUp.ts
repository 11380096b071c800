/**
 * What the tests of the client commands have in common.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Gateway from "./gateway.js"
import { type Outcome, reckon } from "./reckon.js"

/** A failure is exactly one line on standard error, begun by the error's name, and nothing on standard output. */
export const assertFailure = (outcome: Outcome, code: number, begins: string) => {
  assert.strictEqual(outcome.code, code, outcome.err)
  assert.match(outcome.err, /^[^\n]+\n$/)
  assert.isTrue(outcome.err.startsWith(begins), outcome.err)
}

/** A gateway with small pages, and what appends events through it. */
export const setUp = Effect.gen(function* () {
  const store = new Gateway.MemoryStore()
  const gateway = yield* Gateway.make(store, { pageMax: 5 })
  const at = ["--endpoint", gateway.endpoint]
  const append = (stream: string, count: number) =>
    Effect.forEach(Array.from({ length: count }), (_, index) =>
      reckon(["append", stream, "--type", `T${index}`, "--data", `{"n":${index}}`, ...at])
    )
  return { store, gateway, at, append }
})
