/**
 * How long appends stop when the leader dies: kill -9 to the next acknowledged append, ten times, with one client that knows all three nodes.
 *
 * @since 0.1.0
 */
import * as Client from "@reckon/client/Client"
import * as Event from "@reckon/client/Event"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { makeCluster } from "./internal/cluster.js"
import { print, quantile } from "./internal/table.js"

const kills = 10

/**
 * @since 0.1.0
 * @category benchmarks
 */
export const failover = Effect.gen(function* () {
  const cluster = yield* makeCluster
  const client = yield* Client.make({ endpoints: cluster.endpoints, timeout: "60 seconds", attemptTimeout: "1 second" })
  const append = Effect.flatMap(Event.json({ type: "Ping", data: null }), event =>
    client.append("ping", "any", [event])
  )
  const gaps: Array<number> = []
  for (let kill = 0; kill < kills; kill++) {
    const leader = yield* cluster.settled
    yield* append
    const killed = yield* Clock.currentTimeMillis
    process.kill(leader.pid, "SIGKILL")
    yield* append
    gaps.push((yield* Clock.currentTimeMillis) - killed)
    yield* cluster.settled
  }
  yield* print(
    `kill -9 of the leader to the next acknowledged append, ${kills} kills`,
    ["", "ms"],
    [
      ["shortest", Math.min(...gaps)],
      ["median", quantile(gaps, 0.5)],
      ["longest", Math.max(...gaps)],
      ["all", gaps.map(gap => Math.round(gap)).join(" ")]
    ]
  )
}).pipe(Effect.scoped)
