/**
 * `reckon status`: a row per node.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import { type EventStore, StoreError, type StoreRpcs } from "@reckon/client"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { connect, sharedOptions } from "./shared/options.js"
import { plain, printJson, printLine } from "./shared/print.js"
import { table } from "./shared/table.js"

interface Row {
  readonly node: string | null
  readonly endpoint: string
  readonly role: StoreRpcs.NodeStatus["role"] | "unreachable" | "failing"
  readonly leader: string | null
  readonly term: number | null
  readonly commitIndex: number | null
  readonly appliedIndex: number | null
  readonly pid: number | null
  readonly healthy: boolean
  readonly problem: string | null
}

const answered = (endpoint: string, status: StoreRpcs.NodeStatus): Row => ({
  node: status.node,
  endpoint,
  role: status.role,
  leader: status.leader,
  term: status.term,
  commitIndex: status.commitIndex,
  appliedIndex: status.appliedIndex,
  pid: status.pid,
  healthy: status.healthy,
  problem: status.problem
})

/** Why there is no status, with the endpoint in it: what an attempt to reach it came to has that already. */
const reasonOf = (endpoint: string, error: EventStore.ReadFailure): string =>
  error._tag === "Unreachable" ? error.detail : `${endpoint}: ${error.message}`

const silent = (endpoint: string, error: EventStore.ReadFailure): Row => ({
  node: null,
  endpoint,
  role: error._tag === "Unreachable" ? "unreachable" : "failing",
  leader: null,
  term: null,
  commitIndex: null,
  appliedIndex: null,
  pid: null,
  healthy: false,
  problem: reasonOf(endpoint, error)
})

const columns = ["node", "endpoint", "role", "term", "commit", "applied", "pid", "healthy"]

const cells = (row: Row): ReadonlyArray<string> =>
  [
    row.node,
    row.endpoint,
    row.role,
    row.term,
    row.commitIndex,
    row.appliedIndex,
    row.pid,
    row.healthy ? "yes" : "no"
  ].map(cell => (cell === null ? "-" : plain(String(cell))))

/**
 * @since 0.1.0
 * @category commands
 */
export const status = Command.make("status", sharedOptions, options =>
  Effect.gen(function* () {
    const { client } = yield* connect(options)
    const results = yield* Effect.forEach(client.endpoints, endpoint => Effect.either(client.status(endpoint)), {
      concurrency: "unbounded"
    })
    const rows = results.map((result, index) => {
      const endpoint = client.endpoints[index] ?? ""
      return Either.match(result, {
        onLeft: error => silent(endpoint, error),
        onRight: status => answered(endpoint, status)
      })
    })
    if (options.json) yield* Effect.forEach(rows, printJson, { discard: true })
    else {
      yield* printLine(table([columns, ...rows.map(cells)]))
      yield* Effect.forEach(rows, ({ problem }) => (problem === null ? Effect.void : printLine(plain(problem))), {
        discard: true
      })
    }
    const failures = results.filter(Either.isLeft).map(result => result.left)
    const first = failures.find(error => error._tag !== "Unreachable") ?? failures[0]
    if (failures.length < results.length || first === undefined) return
    return yield* first._tag === "Unreachable"
      ? new StoreError.Unreachable({ endpoints: client.endpoints, detail: first.detail })
      : Effect.fail(first)
  }).pipe(Effect.scoped)
).pipe(Command.withDescription("Shows each node's role, term and progress"))
