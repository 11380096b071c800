/**
 * `pnpm bench NAME …`: runs the benchmarks named, or lists them.
 *
 * @since 0.1.0
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { append } from "./append.js"
import { failover } from "./failover.js"
import { importRate } from "./importRate.js"
import { logIo } from "./logIo.js"
import { otp } from "./otp.js"
import { raft } from "./raft.js"
import { raftMemory } from "./raftMemory.js"

const benchmarks = { append, failover, import: importRate, "log-io": logIo, otp, raft, "raft-memory": raftMemory }

const isName = (name: string): name is keyof typeof benchmarks => Object.hasOwn(benchmarks, name)

const names = process.argv.slice(2)
const usage = `usage: pnpm bench ${Object.keys(benchmarks).join(" | ")} …`

Effect.gen(function* () {
  if (names.length === 0 || !names.every(isName)) {
    yield* Console.error(usage)
    return yield* Effect.sync(() => {
      process.exitCode = 2
    })
  }
  for (const name of names.filter(isName)) yield* benchmarks[name]
}).pipe(NodeRuntime.runMain)
