/**
 * The Raft groups of a node, as those that come in from peers find them.
 *
 * @since 0.1.0
 */
import type { Standing } from "@reckon/raft/Membership"
import type { Receiver } from "@reckon/raft/RaftTransport"
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"

/**
 * The groups that listen on this node, by name; `undefined` of one that did and does not now.
 *
 * @since 0.1.0
 * @category services
 */
export class Receivers extends Context.Tag("@reckon/cluster/Receivers")<
  Receivers,
  Map<string, Receiver | undefined>
>() {}

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Receivers> = Layer.sync(Receivers, () => new Map())

/**
 * What somebody is to the groups that listen here, taken together: a `member` of one at least, `removed` from all, or a `stranger`.
 *
 * @since 0.1.0
 * @category getters
 */
export const standingOf = (receivers: ReadonlyMap<string, Receiver | undefined>, name: string): Standing => {
  const standings = [...receivers.values()].flatMap(receiver => receiver?.standingOf(name) ?? [])
  if (standings.includes("member")) return "member"
  return standings.length === 0 || standings.includes("stranger") ? "stranger" : "removed"
}
