/**
 * Did the store keep its promises? Judges the history of a torture run; where it came from is all one to it.
 *
 * What is acknowledged is there exactly once, at the version and position that was told; what was surely refused is not there; what is unknown is there whole
 * or not at all. Versions and positions are dense, all nodes hold the same, the appends of one client keep their order, no read is stale,
 * and each stream's history is linearizable.
 *
 * @since 0.1.0
 */
import * as Linearizability from "@reckon/raft/Linearizability"
import * as Operations from "./internal/torture/operations.js"
import * as Outcomes from "./internal/torture/outcomes.js"
import * as Reads from "./internal/torture/reads.js"
import * as Replicas from "./internal/torture/replicas.js"
import * as Streams from "./internal/torture/streams.js"
import type { Entry } from "./TortureHistory.js"

/**
 * The kinds of what can be wrong.
 *
 * - `NotSettled`: the healed cluster did not agree in time, or a node could not be read.
 * - `NodesDiffer`: two nodes do not hold the same.
 * - `Gap`: positions or versions are not dense, or the commit times go back.
 * - `Lost`: an acknowledged event is not there. `Doubled`: an event is there twice.
 * - `Moved`: an acknowledged event is at another place than was told.
 * - `Torn`: a part of a batch is there, or a batch with something in it.
 * - `Refused`: an event is there that was surely refused. `Foreign`: one that nobody wrote, or not with this content, or not to this stream.
 * - `Reordered`: two acknowledged appends of one client to a stream are in the other order.
 * - `StaleRead`: a read of the store missed what was acknowledged or seen before it began. `WrongRead`: it showed what is not so.
 * - `NotLinearizable`: no order of the operations on a stream explains what they answered.
 *
 * @since 0.1.0
 * @category models
 */
export type ViolationKind =
  | "NotSettled"
  | "NodesDiffer"
  | "Gap"
  | "Lost"
  | "Doubled"
  | "Moved"
  | "Torn"
  | "Refused"
  | "Foreign"
  | "Reordered"
  | "StaleRead"
  | "WrongRead"
  | "NotLinearizable"

/**
 * @since 0.1.0
 * @category models
 */
export interface Violation {
  readonly kind: ViolationKind
  readonly description: string
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Verdict {
  readonly violations: ReadonlyArray<Violation>
  /** Streams whose linearizability was not decided within the steps allowed. */
  readonly undecided: ReadonlyArray<string>
  /** How many nodes were read at the end. None: the history was cut short. */
  readonly nodes: number
  /** What the first of them holds. */
  readonly streams: number
  readonly events: number
}

/**
 * Steps that the search for an order may take for each stream, if not told otherwise.
 *
 * @since 0.1.0
 * @category constants
 */
export const stepsMaxDefault = 2_000_000

/**
 * Judges a whole history. One that was cut short before any node was read is judged by its reads alone. Runs to the end without a pause.
 *
 * @since 0.1.0
 * @category checking
 */
export const check = (entries: ReadonlyArray<Entry>, options?: { readonly stepsMax?: number | undefined }): Verdict => {
  const replicas = Replicas.collect(entries)
  const linearizable = Streams.history(entries, replicas.log)
  const verdict = Linearizability.check(Linearizability.stream, linearizable, {
    stepsMax: options?.stepsMax ?? stepsMaxDefault
  })
  return {
    violations: [
      ...replicas.violations,
      ...(replicas.log === undefined ? [] : Outcomes.check(Operations.collect(entries), replicas.log)),
      ...Reads.check(entries, replicas.log),
      ...(verdict._tag === "Violation"
        ? [{ kind: "NotLinearizable" as const, description: `stream ${verdict.key}\n${verdict.explanation}` }]
        : [])
    ],
    undecided: verdict._tag === "Undecided" ? verdict.keys : [],
    nodes: replicas.nodes,
    streams: new Set(replicas.log?.map(event => event.stream)).size,
    events: replicas.log?.length ?? 0
  }
}
