/**
 * The same as `StoreHistories.test.ts` on a store that is called in its own process, whose processes are killed and started again in the midst of it.
 */
import { describe, it } from "@effect/vitest"
import { nothingWrong } from "./helpers/histories/run.js"

describe("an embedded store that is killed and started again", () => {
  it("answers as one would that does one thing after the other", { timeout: 600_000 }, () => nothingWrong("single"))
})
