/**
 * `pnpm bench NAME … [FLAG …]`: runs the benchmarks named, or lists them. Flags are for `store`.
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
import { store } from "./store.js"

const args = process.argv.slice(2)
const firstFlag = args.findIndex(arg => arg.startsWith("-"))
const names = firstFlag < 0 ? args : args.slice(0, firstFlag)
const flags = args.slice(names.length)

const benchmarks = {
  append,
  failover,
  import: importRate,
  "log-io": logIo,
  otp,
  raft,
  "raft-memory": raftMemory,
  store: store(flags)
}

const isName = (name: string): name is keyof typeof benchmarks => Object.hasOwn(benchmarks, name)

const usage = `usage: pnpm bench ${Object.keys(benchmarks).join(" | ")} …`

Effect.gen(function* () {
  const isUnderstood = names.every(isName) && (flags.length === 0 || names.includes("store"))
  if (names.length === 0 || !isUnderstood) {
    yield* Console.error(usage)
    return yield* Effect.sync(() => {
      process.exitCode = 2
    })
  }
  for (const name of names.filter(isName)) yield* benchmarks[name]
}).pipe(NodeRuntime.runMain)
