/**
 * The Raft groups of a node, as those that come in from peers find them.
 *
 * @since 0.1.0
 */
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
