/**
 * Gathers appends that wait at the same time into requests.
 *
 * Appends wait in a lane per stream. A request takes appends from the lanes in turn; a lane that is in a request gives to no other one until that has ended,
 * which keeps a stream's appends in order, repetitions included. In a request all stand in the order in which they came. Everything is bounded: requests under way, appends and bytes in a
 * request, appends and bytes that wait or are under way.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as FiberSet from "effect/FiberSet"
import type { Batching } from "../Client.js"
import type { AppendFailure } from "../EventStore.js"
import * as Limits from "../Limits.js"
import { OutcomeUnknown, Overloaded, Unreachable } from "../StoreError.js"
import type { Append, Appended } from "../StoreRpcs.js"
import { type Admitted, admit } from "./admit.js"
import { type Attempts, emptyHistory, type History } from "./attempts.js"
import { conclude } from "./conclude.js"
import { closedDetail } from "./lost.js"
import type { Appends } from "./service.js"
import * as Steady from "./steady.js"

type Result = Either.Either<Appended, AppendFailure>

interface Waiting extends Admitted {
  /** It came after those with smaller ones. */
  readonly turn: number
  /** By `Steady.millis`. */
  readonly deadline: number
  /** Told once; does nothing when told again. */
  readonly settle: (result: Result) => void
}

interface Lane {
  readonly streamId: string
  /** In the order in which they came. */
  readonly waiting: Set<Waiting>
}

interface Batch {
  readonly members: ReadonlyArray<Waiting>
  readonly lanes: ReadonlyArray<Lane>
}

export const make = Effect.fnUntraced(function* (options: {
  readonly attempts: Attempts
  readonly store: string
  readonly limits: Limits.Limits
  readonly batching: Batching
}) {
  const { attempts, batching, limits, store } = options
  const lanes = new Map<string, Lane>()
  /** Lanes with something to give, in the order of their turns. */
  const ready = new Set<Lane>()
  let turns = 0
  let held = 0
  let heldBytes = 0
  let inFlight = 0
  let pumping = false
  let closed = false

  const closedError = () => new Unreachable({ endpoints: attempts.peers.names, detail: closedDetail })

  // ── Closing: no new appends, then the fibers (whose members learn that the outcome is unknown), then what never left. ──
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      for (const lane of lanes.values()) {
        for (const waiting of lane.waiting) waiting.settle(Either.left(closedError()))
      }
    })
  )
  const run = yield* FiberSet.makeRuntime<never>()
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      closed = true
    })
  )

  // ── Forming requests ──

  const takeBatch = (): Batch => {
    const members: Array<Waiting> = []
    const taken: Array<Lane> = []
    let bytes = 0
    let events = 0
    for (const lane of ready) {
      const before = members.length
      for (const waiting of lane.waiting) {
        if (members.length >= batching.appendsMax) break
        if (members.length > 0 && bytes + waiting.bytes > limits.requestBytesMax) break
        if (members.length > 0 && events + Limits.eventsIn(waiting.append) > Limits.eventsMax) break
        lane.waiting.delete(waiting)
        members.push(waiting)
        bytes += waiting.bytes
        events += Limits.eventsIn(waiting.append)
      }
      if (members.length > before) taken.push(lane)
      // The next lane's first append might still fit, but passing over this one would let small appends starve large ones.
      if (lane.waiting.size > 0) break
    }
    for (const lane of taken) ready.delete(lane)
    // The lanes have taken them apart: what a stream got behind an event of another shall stand behind it.
    members.sort((one, other) => one.turn - other.turn)
    return { members, lanes: taken }
  }

  const release = (batch: Batch) => {
    for (const lane of batch.lanes) {
      if (lane.waiting.size > 0) ready.add(lane)
      else lanes.delete(lane.streamId)
    }
  }

  const settleAll = (members: ReadonlyArray<Waiting>, error: AppendFailure) => {
    for (const member of members) member.settle(Either.left(error))
  }

  /** Sends until every member is answered or out of time; each gives up at its own deadline, the others go on. */
  const send = (members: ReadonlyArray<Waiting>, history: History): Effect.Effect<void> =>
    attempts
      .until(rpc => rpc.Append({ store, appends: members.map(member => member.append) }), {
        deadline: members.reduce((least, member) => Math.min(least, member.deadline), Number.POSITIVE_INFINITY),
        history,
        kind: "append"
      })
      .pipe(
        Effect.matchEffect({
          onSuccess: results =>
            Effect.sync(() => {
              members.forEach((member, index) => member.settle(conclude([member.append], results[index], history)))
            }),
          onFailure: error =>
            Effect.flatMap(Steady.millis, now => {
              const expired = error.retryable ? members.filter(member => member.deadline <= now) : members
              settleAll(expired.length === 0 ? members : expired, error)
              const left = expired.length === 0 ? [] : members.filter(member => member.deadline > now)
              return left.length === 0 || !error.retryable ? Effect.void : send(left, history)
            })
        })
      )

  const sendBatch = (batch: Batch): Effect.Effect<void> =>
    send(batch.members, emptyHistory()).pipe(
      Effect.onExit(exit =>
        Effect.sync(() => {
          if (Exit.isFailure(exit)) {
            // Cut off by the end of the client. Whoever has an answer already keeps it.
            settleAll(batch.members, new OutcomeUnknown({ detail: "the client was closed before the answer came" }))
          }
          inFlight--
          release(batch)
          schedulePump()
        })
      )
    )

  const pump = Effect.sync(() => {
    pumping = false
    while (inFlight < batching.inFlightMax && ready.size > 0) {
      inFlight++
      run(sendBatch(takeBatch()))
    }
  })

  /** Not at once: whoever appends in the same turn of the event loop shall come along. */
  const schedulePump = () => {
    if (pumping || closed || inFlight >= batching.inFlightMax || ready.size === 0) return
    pumping = true
    run(Effect.zipRight(Effect.yieldNow(), pump))
  }

  // ── Entering ──

  const enter = ({ append, bytes }: Admitted, deadline: number, done: (result: Result) => void): Waiting => {
    held++
    heldBytes += bytes
    let settled = false
    const waiting: Waiting = {
      turn: turns++,
      append,
      bytes,
      deadline,
      settle: result => {
        if (settled) return
        settled = true
        held--
        heldBytes -= bytes
        done(result)
      }
    }
    const lane = lanes.get(append.streamId)
    if (lane !== undefined) {
      // A lane that is in a request comes back to `ready` when that ends.
      lane.waiting.add(waiting)
    } else {
      const fresh: Lane = { streamId: append.streamId, waiting: new Set([waiting]) }
      lanes.set(append.streamId, fresh)
      ready.add(fresh)
    }
    schedulePump()
    return waiting
  }

  const refusal = (count: number, bytes: number): AppendFailure | undefined => {
    if (closed) return closedError()
    return held + count > batching.queueAppendsMax || heldBytes + bytes > batching.queueBytesMax
      ? new Overloaded({ detail: `the client has ${held} appends of ${heldBytes} bytes waiting` })
      : undefined
  }

  /** Does not send it any more. Where it has left already, it is no longer in its lane. */
  const withdraw = (waiting: Waiting) => {
    const lane = lanes.get(waiting.append.streamId)
    if (lane === undefined || !lane.waiting.delete(waiting) || lane.waiting.size > 0) return
    if (ready.delete(lane)) lanes.delete(lane.streamId)
  }

  /** Nobody waits for these any more; what has left already takes effect or not. */
  const abandon = (entered: ReadonlyArray<Waiting>) =>
    Effect.sync(() => {
      for (const waiting of entered) {
        withdraw(waiting)
        waiting.settle(Either.left(new Overloaded({ detail: "the append was interrupted" })))
      }
    })

  const append = (one: Append): Effect.Effect<Appended, AppendFailure> =>
    Effect.flatMap(Steady.millis, now =>
      Effect.async<Appended, AppendFailure>(resume => {
        const admitted = admit(one, limits)
        if (Either.isLeft(admitted)) return resume(Effect.fail(admitted.left))
        const refused = refusal(1, admitted.right.bytes)
        if (refused !== undefined) return resume(Effect.fail(refused))
        return abandon([enter(admitted.right, now + attempts.timeoutMillis, resume)])
      })
    )

  /** A slice of an `appendAll`: as many as one request takes. */
  const appendSlice = (slice: ReadonlyArray<Append>): Effect.Effect<ReadonlyArray<Result>> =>
    Effect.flatMap(Steady.millis, now =>
      Effect.async<ReadonlyArray<Result>>(resume => {
        const admitted = slice.map(one => admit(one, limits))
        const taken = admitted.filter(Either.isRight)
        const refused = refusal(
          taken.length,
          taken.reduce((sum, { right }) => sum + right.bytes, 0)
        )
        const results: Array<Result> = []
        const entered: Array<Waiting> = []
        let open = slice.length
        const put = (index: number, result: Result) => {
          results[index] = result
          if (--open === 0) resume(Effect.succeed(results))
        }
        admitted.forEach((one, index) => {
          if (Either.isLeft(one)) put(index, Either.left(one.left))
          else if (refused !== undefined) put(index, Either.left(refused))
          else entered.push(enter(one.right, now + attempts.timeoutMillis, result => put(index, result)))
        })
        return abandon(entered)
      })
    )

  const appends: Appends = {
    append,
    appendAll: Effect.fnUntraced(function* (appends) {
      const results: Array<Result> = []
      for (let at = 0; at < appends.length; at += batching.appendsMax) {
        results.push(...(yield* appendSlice(appends.slice(at, at + batching.appendsMax))))
      }
      return results
    })
  }
  return appends
})
