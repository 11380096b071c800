import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Decider from "../src/Decider.js"
import * as DecisionModel from "../src/DecisionModel.js"
import * as Event from "../src/Event.js"
import { EventStore } from "../src/EventStore.js"
import * as EventType from "../src/EventType.js"
import * as ExpectedVersion from "../src/ExpectedVersion.js"
import * as Query from "../src/Query.js"
import * as StoreError from "../src/StoreError.js"
import { type Memory, withStore } from "./helpers/memoryEventStore.js"

// The course example of dcb.events: a course has so many places, a student takes so many courses.

const Enrolled = EventType.make("Enrolled", Schema.Struct({ course: Schema.String, student: Schema.String }), {
  tags: ({ course, student }) => [`course:${course}`, `student:${student}`]
})
const CourseFull = EventType.make("CourseFull", Schema.Struct({ course: Schema.String }))
const events = EventType.union(Enrolled, CourseFull)

const places = 3
const coursesPerStudent = 2

class Refused extends Data.TaggedError("Refused")<{ readonly because: "full" | "busy" | "enrolled" }> {}

interface Enrol {
  readonly course: string
  readonly student: string
}

const enrolment = DecisionModel.make({
  events,
  decider: Decider.make({
    initial: [],
    decide: ({ course, student }: Enrol, enrolled: ReadonlyArray<Enrol>) => {
      const inCourse = enrolled.filter(one => one.course === course)
      if (inCourse.some(one => one.student === student)) return Either.left(new Refused({ because: "enrolled" }))
      if (inCourse.length >= places) return Either.left(new Refused({ because: "full" }))
      const courses = enrolled.filter(one => one.student === student).length
      if (courses >= coursesPerStudent) return Either.left(new Refused({ because: "busy" }))
      const enrol = Enrolled.make({ course, student })
      return inCourse.length === places - 1 ? [enrol, CourseFull.make({ course })] : [enrol]
    },
    evolve: (enrolled: ReadonlyArray<Enrol>, event: EventType.Of<typeof events>): ReadonlyArray<Enrol> =>
      event._tag === "Enrolled" ? [...enrolled, event.data] : enrolled
  }),
  query: ({ course, student }: Enrol) =>
    Query.make(
      { types: ["Enrolled"], tags: [`course:${course}`] },
      { types: ["Enrolled"], tags: [`student:${student}`] }
    ),
  stream: event => (event._tag === "Enrolled" ? "enrolments" : `course-${event.data.course}`),
  retry: Schedule.recurs(50)
})

const enrol = (course: string, student: string, commandId?: string) =>
  enrolment.execute({ course, student }, { commandId })

const enrolled = (memory: Memory) => memory.visible(Query.eventTypes("Enrolled")).length

describe("executing a command", () => {
  it.effect(
    "decides on what the query finds, across streams",
    withStore(memory =>
      Effect.gen(function* () {
        yield* enrol("maths", "ada")
        yield* enrol("maths", "bob")
        yield* enrol("art", "ada")
        assert.deepStrictEqual(yield* Effect.flip(enrol("music", "ada")), new Refused({ because: "busy" }))
        const last = yield* enrol("maths", "cyd")
        assert.deepStrictEqual(last, {
          events: [Enrolled.make({ course: "maths", student: "cyd" }), CourseFull.make({ course: "maths" })],
          position: 4,
          state: ["ada", "bob", "cyd"].map(student => ({ course: "maths", student })),
          repeated: false
        })
        assert.deepStrictEqual(yield* Effect.flip(enrol("maths", "dan")), new Refused({ because: "full" }))
        assert.deepStrictEqual(
          memory.all.map(({ streamId }) => streamId),
          ["enrolments", "enrolments", "enrolments", "enrolments", "course-maths"]
        )
        const loaded = yield* enrolment.load({ course: "art", student: "bob" })
        assert.deepStrictEqual(loaded, {
          position: 2,
          state: [
            { course: "maths", student: "bob" },
            { course: "art", student: "ada" }
          ]
        })
      })
    )
  )

  it.effect(
    "is decided again when something came to match the query, and not when anything else did",
    withStore(memory =>
      Effect.gen(function* () {
        const appends = () => memory.requests.splice(0).filter(request => request.startsWith("append")).length
        for (const student of ["ada", "bob"]) yield* enrol("maths", student)
        appends()
        memory.beforeAppend = enrol("art", "eve")
        yield* enrol("maths", "cyd")
        assert.strictEqual(appends(), 2)
        yield* enrol("music", "eve")
        appends()
        memory.beforeAppend = enrol("music", "ada")
        assert.deepStrictEqual(yield* Effect.flip(enrol("art", "eve")), new Refused({ because: "enrolled" }))
        yield* enrol("art", "bob")
        appends()
        memory.beforeAppend = enrol("music", "dan")
        assert.deepStrictEqual(yield* Effect.flip(enrol("music", "ada")), new Refused({ because: "enrolled" }))
      })
    )
  )

  it.effect(
    "the loser of a race is decided on what the winner wrote",
    withStore(memory =>
      Effect.gen(function* () {
        yield* enrol("maths", "ada")
        yield* enrol("maths", "bob")
        memory.beforeAppend = enrol("maths", "cyd")
        assert.deepStrictEqual(yield* Effect.flip(enrol("maths", "dan")), new Refused({ because: "full" }))
        assert.strictEqual(enrolled(memory), 3)
      })
    )
  )

  it.effect(
    "no course and no student is ever overbooked, however many enrol at once",
    withStore(memory =>
      Effect.gen(function* () {
        const wishes = ["ada", "bob", "cyd", "dan", "eve"].flatMap(student =>
          ["maths", "art", "music"].map(course => ({ course, student }))
        )
        const outcomes = yield* Effect.forEach(wishes, wish => Effect.either(enrolment.execute(wish)), {
          concurrency: "unbounded"
        })
        const granted = outcomes.filter(Either.isRight).length
        assert.strictEqual(enrolled(memory), granted)
        for (const [tag, most] of [
          ["course:", places],
          ["student:", coursesPerStudent]
        ] as const) {
          const counts = new Map<string, number>()
          for (const { tags } of memory.all) {
            for (const found of tags) if (found.startsWith(tag)) counts.set(found, (counts.get(found) ?? 0) + 1)
          }
          assert.isAtMost(Math.max(...counts.values()), most)
        }
        // Whoever was refused is still refused: nobody was turned away for a place that then stayed empty.
        for (const [index, wish] of wishes.entries()) {
          const outcome = outcomes[index]
          if (outcome !== undefined && Either.isLeft(outcome)) {
            assert.strictEqual((yield* Effect.flip(enrolment.execute(wish)))._tag, "Refused")
          }
        }
      })
    )
  )

  it.effect(
    "an append whose answer got lost is asked about with the same ids, and written once",
    withStore(memory =>
      Effect.gen(function* () {
        memory.faults = [{ error: new StoreError.OutcomeUnknown({ detail: "lost" }), written: true }]
        const { position, state } = yield* enrol("maths", "ada")
        assert.deepStrictEqual({ position, state }, { position: 0, state: [{ course: "maths", student: "ada" }] })
        assert.strictEqual(enrolled(memory), 1)
      })
    )
  )

  it.effect(
    "nothing is decided on a state that lacks an event which cannot be read",
    withStore(() =>
      Effect.gen(function* () {
        const store = yield* EventStore
        yield* store.append("elsewhere", ExpectedVersion.Any, [
          yield* Event.json({ type: "Enrolled", data: {}, tags: ["course:maths"] })
        ])
        const error = yield* Effect.flip(enrol("maths", "ada"))
        assert.deepInclude(error, { _tag: "UnreadableEvent", streamId: "elsewhere", eventType: "Enrolled" })
      })
    )
  )
})

describe("a command with an id", () => {
  it.effect(
    "executed again is answered with its first outcome, and writes nothing",
    withStore(memory =>
      Effect.gen(function* () {
        for (const student of ["ada", "bob"]) yield* enrol("maths", student)
        const first = yield* enrol("maths", "cyd", "c1")
        const again = yield* enrol("maths", "cyd", "c1")
        assert.deepStrictEqual(again, { ...first, repeated: true })
        assert.strictEqual(memory.all.length, 4)
      })
    )
  )

  it.effect(
    "takes effect once, even if the query does not find what it leads to",
    withStore(memory =>
      Effect.gen(function* () {
        const decided = yield* Deferred.make<void>()
        const goOn = yield* Deferred.make<void>()
        const blind = (pause: Effect.Effect<unknown>) =>
          DecisionModel.make({
            events,
            decider: Decider.make({
              initial: 0,
              decide: (course: string, _state: number) => Effect.as(pause, [CourseFull.make({ course })]),
              evolve: (state: number, _event: EventType.Of<typeof events>) => state + 1
            }),
            query: () => Query.none,
            stream: event => (event._tag === "CourseFull" ? `course-${event.data.course}` : "courses"),
            retry: Schedule.recurs(1)
          })
        const slow = blind(Effect.zipRight(Deferred.succeed(decided, undefined), Deferred.await(goOn)))
        const fiber = yield* Effect.fork(slow.execute("maths", { commandId: "c1" }))
        yield* Deferred.await(decided)
        // Decided upon in another way, by then, and for another stream, in which the event ids are still free.
        const first = yield* blind(Effect.void).execute("art", { commandId: "c1" })
        yield* Deferred.succeed(goOn, undefined)
        assert.deepInclude(yield* Fiber.join(fiber), { events: first.events, position: 0, repeated: true })
        assert.strictEqual(memory.all.length, 1)
      })
    )
  )

  it.effect(
    "whose answer got lost is answered with the state that the query finds",
    withStore(memory =>
      Effect.gen(function* () {
        const blind = DecisionModel.make({
          events,
          decider: Decider.make({
            initial: 0,
            decide: (course: string, _state: number) => [CourseFull.make({ course })],
            evolve: (state: number, _event: EventType.Of<typeof events>) => state + 1
          }),
          query: () => Query.none,
          stream: () => "courses",
          retry: Schedule.recurs(1)
        })
        const unknown = new StoreError.OutcomeUnknown({ detail: "lost" })
        memory.faults = [{ error: unknown, written: true }]
        assert.deepInclude(yield* blind.execute("maths", { commandId: "c1" }), { state: 0, repeated: true })
        assert.deepInclude(yield* blind.execute("maths", { commandId: "c2" }), { state: 1, repeated: false })
        assert.strictEqual(memory.all.length, 2)
      })
    )
  )

  it.effect(
    "writes nothing that `evolve` breaks on: no later load would get past it",
    withStore(memory =>
      Effect.gen(function* () {
        const broken = DecisionModel.make({
          events,
          decider: Decider.make({
            initial: 0,
            decide: (course: string, _state: number) => [CourseFull.make({ course })],
            evolve: (_state: number, event: EventType.Of<typeof events>): number => {
              throw new RangeError(`no case for ${event._tag}`)
            }
          }),
          query: () => Query.all,
          stream: () => "courses"
        })
        const exit = yield* Effect.exit(broken.execute("maths"))
        assert.isTrue(Exit.isFailure(exit) && Cause.isDie(exit.cause))
        assert.strictEqual(memory.all.length, 0)
      })
    )
  )
})
