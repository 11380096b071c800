/**
 * The part of an append's condition that can be judged before the append goes into the log.
 *
 * When an append is applied, everything behind it waits until its condition is judged, and a query that matches little may have to look at much: at all events with a frequent tag for one
 * with a rare tag, at all that a stream has hidden. So most of it is looked at before, by a reader, page by page, with everything else served between two pages; the append carries the position
 * up to which no event breaks its condition, and is judged by what lies behind that.
 *
 * Every replica comes to the same answer, and to the one it would have come to without the check:
 *
 * - the position is one that this node has applied before it proposed the append, so that on every replica the events up to there stand in the log before the append;
 * - positions, types, tags, metadata and names of streams never change, and what is hidden stays so (`retention.ts`): what broke no condition when it was looked at breaks none later;
 * - what did break it when it was looked at may have been deleted since: the check stops before it, and says nothing of it;
 * - a node that lags has applied less and checks less, and nothing else.
 *
 * Only age hides an event by the clock. It is asked of the node that also stamps the append, later: if somebody sets it back between the two, an event that was too old once is not looked at again.
 */
import { Overloaded, type RequestError } from "@reckon/client/StoreError"
import type { AppendCondition } from "@reckon/client/StoreRpcs"
import type { StoreBackend } from "@reckon/gater/StoreBackend"
import type * as ServiceHandle from "@reckon/otp/ServiceHandle"
import * as Effect from "effect/Effect"
import type { Condition } from "../../Command.js"
import type { Service as Engine } from "../../StoreEngine.js"
import { assertInvariant } from "../sqlite/invariant.js"

/** Says how far a condition was looked through. The append was not proposed where this fails. */
export type ConditionCheck = (condition: AppendCondition) => Effect.Effect<Condition, RequestError>

/** As many events may be left to be judged when the append is applied: fewer than a check would cost. What commits between the check and the append comes on top. */
export const judgedAtOnceMax = 512

/** What a writer is given to answer, too. */
const limit = "20 seconds"

export const make = (options: {
  readonly engine: ServiceHandle.ServiceHandle<Engine>
  readonly query: StoreBackend["query"]
}): ConditionCheck => {
  const { engine, query } = options

  /** How many events this node knows of behind a position: none, while it has no engine. */
  const behind = (position: number): number => (engine.current()?.lastPosition() ?? -1) - position

  const look = Effect.fnUntraced(function* (condition: AppendCondition) {
    let through = condition.after
    while (behind(through) > judgedAtOnceMax) {
      const from = through + 1
      const page = yield* query({
        query: condition.query,
        from,
        count: 1,
        direction: "forward",
        asOf: null,
        consistency: "local"
      })
      const [breach] = page.events
      if (breach !== undefined) return breach.position - 1
      assertInvariant(page.next > from, "a page without events leads on", { from, next: page.next })
      through = page.next - 1
    }
    return through
  })

  const inTime = Effect.timeoutFail({
    duration: limit,
    onTimeout: () => new Overloaded({ detail: `its condition has more to look through than ${limit} allow` })
  })

  return condition =>
    Effect.suspend(() =>
      behind(condition.after) <= judgedAtOnceMax
        ? Effect.succeed({ ...condition, checkedThrough: -1 })
        : Effect.map(inTime(look(condition)), checkedThrough => ({ ...condition, checkedThrough }))
    )
}
