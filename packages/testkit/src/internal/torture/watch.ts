/**
 * Who leads, as the nodes say.
 */
import * as Client from "@reckon/client/Client"
import type { NodeStatus } from "@reckon/client/StoreRpcs"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type { Journal } from "../../TortureHistory.js"

export interface Watch {
  /** The number of the node that was last seen leading in the highest term. */
  readonly leader: () => number
  /** Waits until every node is healthy, follows the same leader and has applied all there is; fails with what it last saw. */
  readonly settled: (timeoutMillis: number) => Effect.Effect<void, string>
}

const pollMillis = 400

export const make = (endpoints: ReadonlyArray<string>, names: ReadonlyArray<string>, journal: Journal) =>
  Effect.gen(function* () {
    const client = yield* Client.make({ endpoints, attemptTimeout: "1 second" })
    const statuses: Effect.Effect<ReadonlyArray<NodeStatus>> = Effect.map(
      Effect.forEach(endpoints, endpoint => Effect.option(client.status(endpoint)), { concurrency: endpoints.length }),
      answers => answers.flatMap(answer => (answer._tag === "Some" ? [answer.value] : []))
    )
    let leader = 0
    let term = 0

    const look = Effect.gen(function* () {
      for (const status of yield* statuses) {
        if (status.role !== "leader" || status.term <= term) continue
        term = status.term
        leader = Math.max(0, names.indexOf(status.node))
        yield* journal.write({ _tag: "Leader", node: status.node, term })
      }
    })
    yield* Effect.forkScoped(Effect.repeat(look, Schedule.spaced(pollMillis)))

    const isSettled = (all: ReadonlyArray<NodeStatus>): boolean => {
      const [first] = all
      return (
        first !== undefined &&
        all.length === endpoints.length &&
        all.some(status => status.role === "leader") &&
        all.every(
          status =>
            status.healthy &&
            status.leader === first.leader &&
            status.appliedIndex === status.commitIndex &&
            status.appliedIndex === first.appliedIndex &&
            status.lastPosition === first.lastPosition
        )
      )
    }

    const watch: Watch = {
      leader: () => leader,
      settled: timeoutMillis =>
        Effect.gen(function* () {
          const deadline = (yield* Clock.currentTimeMillis) + timeoutMillis
          while (true) {
            const all = yield* statuses
            if (isSettled(all)) return
            if ((yield* Clock.currentTimeMillis) > deadline) return yield* Effect.fail(JSON.stringify(all))
            yield* Effect.sleep(200)
          }
        })
    }
    return watch
  })
