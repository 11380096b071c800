/** What the cases are made of. */
import * as assert from "node:assert/strict"
import * as Event from "@reckon/client/Event"
import { EventStore } from "@reckon/client/EventStore"
import type { StoreError } from "@reckon/client/StoreError"
import type { Append } from "@reckon/client/StoreRpcs"
import type * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Stream from "effect/Stream"
import type * as TestClock from "effect/TestClock"

export interface EventOptions {
  readonly type?: string
  readonly tags?: ReadonlyArray<string>
  readonly metadata?: unknown
  readonly id?: string
}

export const event = (data: unknown, options: EventOptions = {}) => Event.json({ type: "Happened", data, ...options })

/** Events with these numbers as their data. */
export const events = (...numbers: ReadonlyArray<number>) => Effect.forEach(numbers, number => event({ number }))

/** `count` events, numbered from 0. */
export const series = (count: number) => events(...Array.from({ length: count }, (_, number) => number))

/** An append of `count` events to any stream. */
export const seed = (streamId: string, count: number) =>
  Effect.gen(function* () {
    const store = yield* EventStore
    return yield* store.append(streamId, "any", yield* series(count))
  })

export const appendOf = (streamId: string, expectedVersion: Append["expectedVersion"], count: number) =>
  Effect.map(series(count), (events): Append => ({ streamId, expectedVersion, events }))

/** The error's tag and those of its fields that are named. */
export const failsWith = <A, E extends StoreError, R>(
  effect: Effect.Effect<A, E, R>,
  expected: { readonly _tag: StoreError["_tag"] } & Readonly<Record<string, unknown>>
): Effect.Effect<void, never, R> =>
  Effect.map(Effect.either(effect), result => {
    if (Either.isRight(result))
      assert.fail(`${expected._tag} was expected, it succeeded with ${JSON.stringify(result.right)}`)
    const fields = new Map<string, unknown>(Object.entries(result.left))
    const found = Object.fromEntries(
      Object.keys(expected).map(key => [key, key === "_tag" ? result.left._tag : fields.get(key)])
    )
    assert.deepEqual(found, expected)
  })

export const equal = (actual: unknown, expected: unknown, message?: string) =>
  Effect.sync(() => assert.deepEqual(actual, expected, message))

export const collect = <A, E, R>(stream: Stream.Stream<A, E, R>) =>
  Effect.map(Stream.runCollect(stream), chunk => [...chunk])

export const versions = (events: ReadonlyArray<{ readonly version: number }>) => events.map(({ version }) => version)

/** The `number` of each event's data. */
export const numbers = (events: ReadonlyArray<Event.RecordedEvent>) =>
  Effect.forEach(events, event =>
    Effect.map(Event.decodeData(event), data => {
      assert.ok(typeof data === "object" && data !== null && "number" in data)
      return data.number
    })
  )

const isTestClock = (clock: Clock.Clock): clock is TestClock.TestClock => "adjust" in clock

/** Lets so much time pass, under a clock that moves only when it is told to as well. */
export const timePasses = (duration: Duration.DurationInput): Effect.Effect<void> =>
  Effect.clockWith(clock => (isTestClock(clock) ? clock.adjust(duration) : Effect.sleep(duration)))

export const upTo = (last: number) => Array.from({ length: last + 1 }, (_, number) => number)
