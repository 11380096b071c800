// Appends entries one flush at a time, compacts now and then, and prints each index once it is durable. Runs on the build, as a process of its own, to be killed or traced.

import { writeSync } from "node:fs"
import { make } from "@reckon/raft/RaftLog"
import { Effect } from "effect"

const [filename, count] = process.argv.slice(2)

Effect.gen(function* () {
  const log = yield* make({ filename })
  writeSync(1, "open\n")
  for (let written = 0; written < Number(count); written++) {
    const index = log.lastIndex() + 1
    log.stage({
      hardState: { term: 3, votedFor: "a" },
      entries: [{ index, term: 3, kind: "command", payload: Buffer.from(`entry ${index}`) }]
    })
    if (index % 25 === 0) log.compact(index - 10)
    log.flush()
    writeSync(1, `${index}\n`)
  }
}).pipe(Effect.scoped, Effect.runPromise)
