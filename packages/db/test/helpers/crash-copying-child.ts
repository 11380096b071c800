import * as fs from "node:fs"
import { Worker } from "node:worker_threads"
import * as Effect from "effect/Effect"
import * as SqliteStoreEngine from "../../src/SqliteStoreEngine.js"
import { logFrom } from "./crash.js"

/**
 * Applies the log, of events of the weight that is the third argument, to the file named on the command line, and kills itself while a thread copies the WAL into the
 * file: as soon as its time of change (`begun`) or its length (`grown`), whichever the second argument names, is another than when the thread was asked.
 */
const [filename = "", moment, weight] = process.argv.slice(2)

const look = () => {
  const { mtimeNs, size } = fs.statSync(filename, { bigint: true })
  return moment === "grown" ? size : mtimeNs
}

const post = Worker.prototype.postMessage
Worker.prototype.postMessage = function (
  this: Worker,
  request: { readonly cell: Int32Array; readonly copied: number }
) {
  const before = look()
  post.call(this, request)
  const isCopied = () => Atomics.load(request.cell, 0) === request.copied
  while (look() === before && !isCopied());
  if (!isCopied()) process.kill(process.pid, "SIGKILL")
}

const main = Effect.gen(function* () {
  const engine = yield* SqliteStoreEngine.make({ filename })
  for (;;) engine.apply(logFrom(engine.appliedIndex() + 1, 20, Number(weight)))
})

await Effect.runPromise(Effect.scoped(main))
