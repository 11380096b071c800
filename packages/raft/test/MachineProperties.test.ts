/**
 * Random histories against a naive model.
 */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { afterAll, assert, describe, it } from "@effect/vitest"
import * as MachineReplica from "@reckon/raft/MachineReplica"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import * as TestContext from "effect/TestContext"
import * as fc from "fast-check"
import * as Envelope from "../src/internal/machine/envelope.js"
import { command, feed, json, leadership, makeLog, readAnswer } from "./helpers/machine.js"
import { type Entry, expect, first, machine, orderOf, timerNames } from "./helpers/machineModel.js"

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "machine-properties-"))
afterAll(() => fs.rmSync(folder, { recursive: true }))

// -----------------------------------------------------------------------------
// histories
// -----------------------------------------------------------------------------

const often = <const Value>(weight: number, value: Value) => ({ weight, arbitrary: fc.constant(value) })

/** What is asked, in terms of what the log holds by then: retries, late firings and sessions that live are common only that way. */
const question = fc.record({
  kind: fc.oneof(
    often(3, "Command"),
    often(10, "Request"),
    often(2, "Register"),
    often(2, "KeepAlive"),
    often(1, "Close"),
    often(3, "TimerFired"),
    often(1, "Tick"),
    often(1, "Upgrade")
  ),
  elapsed: fc.nat(120),
  /** How far the proposer's clock is off: mostly not, rarely by far. */
  skew: fc.oneof(
    often(16, 0),
    { weight: 4, arbitrary: fc.integer({ min: -500, max: 500 }) },
    { weight: 1, arbitrary: fc.nat(5_000) }
  ),
  pick: fc.nat(3),
  back: fc.nat(3),
  timeoutMillis: fc.integer({ min: 100, max: 2_000 }),
  versions: fc.tuple(fc.constantFrom(1, 2), fc.constantFrom(1, 2)),
  order: fc.record(
    { value: fc.nat(1_000), set: fc.constantFrom(...timerNames), cancel: fc.constantFrom(...timerNames) },
    { requiredKeys: ["value"] }
  )
})

type Question = typeof question extends fc.Arbitrary<infer A> ? A : never

const pose = (asked: Question, history: ReadonlyArray<Entry>, now: number): Envelope.Envelope => {
  const { back, kind, order, pick, timeoutMillis, versions } = asked
  const timeMillis = Math.max(0, now + asked.skew)
  const indices = (wanted: (envelope: Entry["envelope"]) => boolean) =>
    history.flatMap(({ envelope }, at) => (wanted(envelope) ? [at + 1] : []))
  const sessions = indices(envelope => typeof envelope === "object" && envelope._tag === "Register")
  const session = sessions.at(-1 - (pick % Math.max(1, sessions.length))) ?? 1
  const asks = history.map(({ envelope }) =>
    typeof envelope === "object" && envelope._tag === "Request" && envelope.session === session ? envelope.sequence : 0
  )
  const next = Math.max(0, ...asks) + 1
  switch (kind) {
    case "Command":
      return command(timeMillis, order)
    case "Request": {
      const sequence = Math.max(1, next - back)
      return { _tag: kind, timeMillis, session, sequence, lowest: Math.max(1, sequence - pick), body: json(order) }
    }
    case "Register":
      return { _tag: kind, timeMillis, timeoutMillis }
    case "KeepAlive":
      return { _tag: kind, timeMillis, session, lowest: Math.max(1, next - pick) }
    case "Close":
      return { _tag: kind, timeMillis, session }
    case "TimerFired": {
      const name = timerNames[pick % 2] ?? ""
      const settings = indices(
        envelope => typeof envelope === "object" && "body" in envelope && orderOf(envelope.body).set === name
      )
      return { _tag: kind, timeMillis, name, armed: settings.at(back < 2 ? -1 : -2) ?? 1 }
    }
    case "Tick":
      return { _tag: kind, timeMillis }
    case "Upgrade":
      // Late, or there would be no history of the first version.
      return history.length < 60
        ? { _tag: "Tick", timeMillis }
        : { _tag: kind, timeMillis, from: versions[0], to: versions[1] }
  }
}

type Step =
  | { readonly do: "ask"; readonly question: Question }
  | { readonly do: "garbage" }
  | { readonly do: "elect"; readonly at: number }
  | { readonly do: "follow"; readonly at: number; readonly most: number }
  | { readonly do: "persist" | "restart"; readonly at: number }
  | { readonly do: "copy"; readonly at: number; readonly to: number }

const replicas = fc.nat(2)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 24, arbitrary: question.map(question => ({ do: "ask" as const, question })) },
  { weight: 1, arbitrary: fc.constant({ do: "garbage" as const }) },
  { weight: 2, arbitrary: replicas.map(at => ({ do: "elect" as const, at })) },
  {
    weight: 10,
    arbitrary: fc.record({ do: fc.constant("follow" as const), at: replicas, most: fc.integer({ min: 1, max: 12 }) })
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("persist" as const, "restart" as const), at: replicas }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("copy" as const), at: replicas, to: replicas }) }
)

/** Lets the fibers that wait for no time go on. */
const settle = Effect.repeatN(Effect.yieldNow(), 20)

const quiet = <A>(effect: Effect.Effect<A, unknown, Scope.Scope>) =>
  Effect.runPromise(effect.pipe(Effect.scoped, Effect.provide(TestContext.TestContext)))

describe("random histories of a machine", () => {
  it("give every member the answers, the state and the bytes that the naive model says, and effects to the leader only", async () => {
    let run = 0
    const check = (steps: ReadonlyArray<Step>) =>
      Effect.gen(function* () {
        run++
        const log = makeLog()
        const history: Array<Entry> = []
        let now = 0
        const append = (envelope: Entry["envelope"]) => {
          history.push({ term: log.term, envelope })
          if (envelope !== "noop") log.append(envelope === "garbage" ? json("garbage") : Envelope.encode(envelope))
        }
        /** What each member answered at each index, in whichever of its lives, and what it did in the terms that it led. */
        const answers: Array<readonly [index: number, answer: unknown]> = []
        const makeMember = (at: number) =>
          Effect.gen(function* () {
            const scope = yield* Scope.make()
            const did: Array<number> = []
            const replica = yield* MachineReplica.make(machine, {
              filename: path.join(folder, `${run}-${at}`),
              notify: (index: number) => Effect.sync(() => did.push(index))
            }).pipe(Scope.extend(scope))
            const follow = (most: number) => {
              const from = replica.appliedIndex()
              const taken = replica.apply(log.entries.slice(from, from + most))
              for (const [offset, bytes] of taken.entries()) {
                answers.push([from + offset, bytes.length === 0 ? undefined : readAnswer(bytes)])
              }
            }
            return { replica, scope, did, follow, should: [] as number[] }
          })
        const members = yield* Effect.forEach([0, 1, 2], makeMember)
        let leader: { readonly at: number; readonly term: number } | undefined
        const member = (at: number) => members[at] ?? assert.fail("there are three members")
        const follow = (at: number, most: number) => {
          const from = member(at).replica.appliedIndex()
          member(at).follow(most)
          if (leader?.at !== at) return
          const term = leader.term
          const { applied } = expect(history)
          member(at).should.push(
            ...applied.filter(
              index => index > from && index <= member(at).replica.appliedIndex() && history[index - 1]?.term === term
            )
          )
        }

        for (const step of steps) {
          switch (step.do) {
            case "ask":
              now += step.question.elapsed
              append(pose(step.question, history, now))
              break
            case "garbage":
              append("garbage")
              break
            case "elect": {
              if (leader !== undefined) member(leader.at).replica.leading(undefined)
              const term = log.nextTerm()
              append("noop")
              leader = { at: step.at, term }
              // Timers are proposed by hand in these histories.
              member(step.at).replica.leading({ term, propose: (_, reply) => reply(Exit.succeed(new Uint8Array(0))) })
              break
            }
            case "follow":
              follow(step.at, step.most)
              break
            case "persist":
              member(step.at).replica.persist()
              break
            case "restart":
              if (leader?.at === step.at) leader = undefined
              yield* Scope.close(member(step.at).scope, Exit.void)
              members[step.at] = yield* makeMember(step.at)
              break
            case "copy": {
              const file = path.join(folder, `${run}-copy`)
              yield* member(step.at).replica.snapshot(file)
              const isBehind = member(step.to).replica.appliedIndex() <= member(step.at).replica.appliedIndex()
              if (isBehind && leader?.at !== step.to) yield* member(step.to).replica.install(file)
              break
            }
          }
          yield* settle
        }

        for (const at of [0, 1, 2]) follow(at, Number.POSITIVE_INFINITY)
        yield* settle
        const expected = expect(history)
        for (const [index, answer] of answers)
          assert.deepStrictEqual(answer, expected.answers[index], `entry ${index + 1}`)
        const images = new Set<string>()
        for (const { did, replica, should } of members) {
          assert.deepStrictEqual(replica.state(), expected.state)
          assert.deepStrictEqual(did, should)
          const file = path.join(folder, `${run}-last`)
          yield* replica.snapshot(file)
          images.add(fs.readFileSync(file, "hex"))
        }
        assert.strictEqual(images.size, 1)
      })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 120, size: "max" }), steps => quiet(check(steps))),
      { numRuns: 60 }
    )
  }, 60_000)
})

// -----------------------------------------------------------------------------
// timers and the clock
// -----------------------------------------------------------------------------

type Turn =
  | { readonly do: "set"; readonly name: string }
  | { readonly do: "cancel"; readonly name: string }
  | { readonly do: "pass"; readonly millis: number }
  | { readonly do: "elect" }
  | { readonly do: "depose" }

const name = fc.constantFrom(...timerNames)
const turn: fc.Arbitrary<Turn> = fc.oneof(
  { weight: 3, arbitrary: name.map(name => ({ do: "set" as const, name })) },
  { weight: 1, arbitrary: name.map(name => ({ do: "cancel" as const, name })) },
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 1_500 }).map(millis => ({ do: "pass" as const, millis })) },
  { weight: 1, arbitrary: fc.constantFrom({ do: "elect" as const }, { do: "depose" as const }) }
)

describe("random settings of timers", () => {
  it("fire once each, at their time or when there is a leader again, and never after they were set anew or cancelled", async () => {
    const check = (turns: ReadonlyArray<Turn>) =>
      Effect.gen(function* () {
        const log = makeLog()
        const members = [yield* MachineReplica.make(first), yield* MachineReplica.make(first)]
        let at = 0
        let isLed = false
        let now = 0
        const due = new Map<string, number>()
        const fired: Array<string> = []
        const member = () => members[at % 2] ?? assert.fail("there are two members")
        /** The firings until now, in their order; the proposer of both in one millisecond is not said. */
        const fire = () => {
          if (!isLed) return
          for (const [name, deadline] of Array.from(due).sort((one, other) => one[1] - other[1])) {
            if (deadline > now) continue
            due.delete(name)
            fired.push(name)
          }
        }
        for (const turn of turns) {
          switch (turn.do) {
            case "set":
              due.delete(turn.name)
              due.set(turn.name, now + 1_000)
              feed(log, member(), command(now, { value: 1, set: turn.name }))
              break
            case "cancel":
              due.delete(turn.name)
              feed(log, member(), command(now, { value: 1, cancel: turn.name }))
              break
            case "pass":
              yield* TestClock.adjust(turn.millis)
              now += turn.millis
              break
            case "elect":
            case "depose":
              member().leading(undefined)
              at++
              isLed = turn.do === "elect"
              log.nextTerm()
              if (isLed) member().leading(leadership(log, member()))
              log.follow(member())
          }
          yield* settle
          fire()
          assert.deepStrictEqual([...member().state().news].sort(), [...fired].sort(), `after ${turn.do} at ${now}`)
        }
      })
    await fc.assert(
      fc.asyncProperty(fc.array(turn, { minLength: 1, maxLength: 40, size: "max" }), turns => quiet(check(turns))),
      { numRuns: 30 }
    )
  }, 60_000)
})
