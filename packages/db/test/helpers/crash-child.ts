import * as fs from "node:fs"
import * as Effect from "effect/Effect"
import * as SqliteStoreEngine from "../../src/SqliteStoreEngine.js"
import type { Entry } from "../../src/StoreEngine.js"
import { logFrom } from "./crash.js"
import { append, command, event } from "./events.js"

/** An entry that kills the process when its event is written: in the middle of its batch, and of its transaction. */
const deadly = (index: number): Entry => {
  const last = {
    ...event(1),
    get data(): Uint8Array {
      process.kill(process.pid, "SIGKILL")
      return new Uint8Array(0)
    }
  }
  return { index, term: 1, command: command(1, append("deadly", "any", event(2), last)) }
}

/** Batches from one checkpoint to the next. */
const checkpointBatches = 3

/**
 * Applies the log to the file named on the command line, telling after each checkpoint how far that reaches, until it is killed: from outside, or by itself in the
 * batch after the index that is the second argument.
 */
const main = Effect.gen(function* () {
  const [filename = "", deathAfter = "Infinity"] = process.argv.slice(2)
  const engine = yield* SqliteStoreEngine.make({ filename })
  for (let batches = 1; ; batches++) {
    const applied = engine.appliedIndex()
    const batch = logFrom(applied + 1, 20)
    engine.apply(applied < Number(deathAfter) ? batch : [...batch.slice(0, 10), deadly(applied + 11)])
    if (batches % checkpointBatches === 0) fs.writeSync(1, `${engine.checkpoint()}\n`)
  }
})

await Effect.runPromise(Effect.scoped(main))
