import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import * as ChildSpec from "../../src/ChildSpec.js"
import * as DynamicSupervisor from "../../src/DynamicSupervisor.js"
import * as Process from "../../src/Process.js"
import * as Supervisor from "../../src/Supervisor.js"
import { child, countsOf, crewOf, failureOf, provided, untyped, untypedChild, untypedSpec } from "./helpers.js"

type Problem = typeof ChildSpec.Problem.Type

const good = child("x")
const spec = (settings: object) => untypedSpec({ children: [], ...settings })
const bad = (settings: object) => untypedChild({ ...good, ...settings })

const badSettings: ReadonlyArray<readonly [Problem, string, unknown]> = [
  ["invalid_strategy", "strategy", "none_for_one"],
  ["invalid_strategy", "strategy", null],
  ["invalid_intensity", "intensity", -1],
  ["invalid_intensity", "intensity", 0.5],
  ["invalid_intensity", "intensity", Number.NaN],
  ["invalid_intensity", "intensity", Number.POSITIVE_INFINITY],
  ["invalid_intensity", "intensity", "1"],
  ["invalid_period", "period", 0],
  ["invalid_period", "period", -1],
  ["invalid_period", "period", Number.NaN],
  ["invalid_period", "period", Duration.infinity],
  ["invalid_period", "period", "Infinity"],
  ["invalid_period", "period", "soon"],
  ["invalid_period", "period", {}],
  ["invalid_auto_shutdown", "autoShutdown", "some_significant"],
  ["invalid_auto_shutdown", "autoShutdown", true]
]

const badFields: ReadonlyArray<readonly [Problem, string, unknown]> = [
  ["missing_id", "id", undefined],
  ["missing_id", "id", ""],
  ["missing_id", "id", 7],
  ["missing_start", "start", undefined],
  ["missing_start", "start", () => Effect.void],
  ["missing_start", "start", Promise.resolve()],
  ["invalid_restart_type", "restart", "prmanent"],
  ["invalid_restart_type", "restart", null],
  ["invalid_shutdown", "shutdown", -1],
  ["invalid_shutdown", "shutdown", Number.NaN],
  ["invalid_shutdown", "shutdown", "brutal kill"],
  ["invalid_shutdown", "shutdown", {}],
  ["invalid_child_type", "type", "wrker"],
  ["invalid_significant", "significant", "true"],
  ["invalid_significant", "significant", 1]
]

const text = (value: unknown): string => (typeof value === "string" ? `"${value}"` : String(value))

describe("validation", () => {
  for (const [problem, field, value] of badSettings) {
    it.effect(`sup_flags: ${field} ${text(value)} is ${problem}`, () =>
      Effect.gen(function* () {
        const wrong = spec({ [field]: value })
        assert.strictEqual(yield* failureOf(ChildSpec.checkSpec(wrong)), problem)
        assert.strictEqual(yield* failureOf(Supervisor.start(wrong)), problem)
        assert.deepStrictEqual(yield* Process.list, [])
      }).pipe(provided)
    )
  }

  it.effect("sup_flags: settings that are not an object are invalid_type", () =>
    Effect.gen(function* () {
      for (const wrong of [undefined, null, "one_for_one", 1]) {
        assert.strictEqual(yield* failureOf(Supervisor.start(untypedSpec(wrong))), "invalid_type")
      }
    }).pipe(provided)
  )

  it.effect("sup_flags: a setting nobody knows is accepted", () =>
    Effect.gen(function* () {
      const sup = yield* Supervisor.start(spec({ children: [good], silly: true }))
      assert.deepStrictEqual(yield* countsOf(sup), [1, 1, 0, 1])
    }).pipe(provided)
  )

  it.effect("sup_flags: intensity 0, a period of a millisecond and every strategy are accepted", () =>
    Effect.gen(function* () {
      for (const strategy of ["one_for_one", "one_for_all", "rest_for_one"] as const) {
        for (const autoShutdown of ["never", "any_significant", "all_significant"] as const) {
          yield* Supervisor.start({ strategy, autoShutdown, intensity: 0, period: 1, children: [] })
        }
      }
      assert.lengthOf(yield* Process.list, 9)
    }).pipe(provided)
  )

  for (const [problem, field, value] of badFields) {
    it.effect(
      `child_specs_map: ${field} ${text(value)} is ${problem}, in startChild, check, start and reconfigure`,
      () =>
        Effect.gen(function* () {
          const wrong = bad({ [field]: value })
          const sup = yield* Supervisor.start({ children: [] })
          assert.strictEqual(yield* failureOf(Supervisor.startChild(sup, wrong)), problem)
          assert.strictEqual(yield* failureOf(ChildSpec.check([wrong])), problem)
          assert.strictEqual(yield* failureOf(Supervisor.start({ children: [wrong] })), problem)
          assert.strictEqual(yield* failureOf(Supervisor.reconfigure(sup, { children: [wrong] })), problem)
          assert.deepStrictEqual(yield* countsOf(sup), [0, 0, 0, 0])
        }).pipe(provided)
    )
  }

  it.effect("sup_start_map_faulty_specs: a child that is no spec is invalid_child_spec", () =>
    Effect.gen(function* () {
      const sup = yield* Supervisor.start({ children: [] })
      for (const wrong of [undefined, null, "child4", 4]) {
        assert.strictEqual(
          yield* failureOf(Supervisor.start({ children: [untypedChild(wrong)] })),
          "invalid_child_spec"
        )
        assert.strictEqual(yield* failureOf(Supervisor.startChild(sup, untypedChild(wrong))), "invalid_child_spec")
        const reconfigured = Supervisor.reconfigure(sup, { children: [untypedChild(wrong)] })
        assert.strictEqual(yield* failureOf(reconfigured), "invalid_child_spec")
      }
      assert.deepStrictEqual(yield* countsOf(sup), [0, 0, 0, 0])
    }).pipe(provided)
  )

  it.effect("sup_start_map_faulty_specs: the error names the child; a field nobody knows is accepted", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(ChildSpec.check([bad({ restart: "always" })]))
      assert.strictEqual(error.message, `child "x": invalid_restart_type (always)`)
      yield* ChildSpec.check([bad({ silly: true })])
    })
  )

  it.effect("child_specs: the mistake is found before any child starts, also in the last one", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const children = [child("a", {}, journal), bad({ shutdown: -1 })]
      assert.strictEqual(yield* failureOf(Supervisor.start({ children })), "invalid_shutdown")
      assert.deepStrictEqual(journal, [])
    }).pipe(provided)
  )

  it.effect("child_specs: every combination of valid values is accepted", () =>
    Effect.gen(function* () {
      let accepted = 0
      for (const restart of ["permanent", "transient", "temporary", undefined] as const) {
        for (const shutdown of ["brutal_kill", "infinity", 0, 100, "1 minute", undefined] as const) {
          for (const type of ["worker", "supervisor", undefined] as const) {
            for (const significant of [false, undefined] as const) {
              yield* ChildSpec.check([{ ...good, restart, shutdown, type, significant }])
              accepted++
            }
          }
        }
      }
      assert.strictEqual(accepted, 144)
    })
  )

  it.effect("child_specs: two children of one id are duplicate_child_name", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* failureOf(ChildSpec.check([good, child("y"), good])), "duplicate_child_name")
      assert.strictEqual(yield* failureOf(Supervisor.start({ children: [good, good] })), "duplicate_child_name")
    }).pipe(provided)
  )

  it.effect("child_specs: a list that is no list is invalid_type", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* failureOf(ChildSpec.check(untyped("children"))), "invalid_type")
      assert.strictEqual(yield* failureOf(Supervisor.start(untypedSpec({}))), "invalid_type")
    }).pipe(provided)
  )

  it.effect("child_specs: significant needs an autoShutdown other than never, and a restart other than permanent", () =>
    Effect.gen(function* () {
      const combined = "bad_combination"
      for (const autoShutdown of ["any_significant", "all_significant"] as const) {
        for (const restart of ["transient", "temporary"] as const) {
          yield* ChildSpec.check([bad({ restart, significant: true })], autoShutdown)
          assert.strictEqual(yield* failureOf(ChildSpec.check([bad({ restart, significant: true })])), combined)
          assert.strictEqual(
            yield* failureOf(ChildSpec.check([bad({ restart, significant: true })], "never")),
            combined
          )
        }
        const permanent = [bad({ restart: "permanent", significant: true })]
        assert.strictEqual(yield* failureOf(ChildSpec.check(permanent, autoShutdown)), combined)
        const byDefault = [bad({ significant: true })]
        assert.strictEqual(yield* failureOf(ChildSpec.check(byDefault, autoShutdown)), combined)
      }
    })
  )

  it.effect("child_specs: startChild checks against the supervisor's own autoShutdown", () =>
    Effect.gen(function* () {
      const significant = child("x", { restart: "transient", significant: true })
      const never = yield* Supervisor.start({ children: [] })
      assert.strictEqual(yield* failureOf(Supervisor.startChild(never, significant)), "bad_combination")
      const any = yield* Supervisor.start({ autoShutdown: "any_significant", children: [] })
      yield* Supervisor.startChild(any, significant)
      assert.deepStrictEqual(yield* countsOf(any), [1, 1, 0, 1])
    }).pipe(provided)
  )

  it.effect("child_specs: a wrong spec is told as wrong even if its id is known already", () =>
    Effect.gen(function* () {
      const sup = yield* Supervisor.start({ children: [good] })
      assert.strictEqual(yield* failureOf(Supervisor.startChild(sup, bad({ shutdown: -1 }))), "invalid_shutdown")
    }).pipe(provided)
  )

  const badTemplates = [...badSettings, ...badFields].filter(([, field]) =>
    ["intensity", "period", "restart", "shutdown", "type"].includes(field)
  )
  for (const [problem, field, value] of badTemplates) {
    it.effect(`sup_start_map_faulty_specs: a template whose ${field} is ${text(value)} is ${problem}`, () =>
      Effect.gen(function* () {
        const wrong = crewOf(untyped({ [field]: value }))
        assert.strictEqual(yield* failureOf(DynamicSupervisor.start(wrong)), problem)
        const sup = yield* DynamicSupervisor.start(crewOf())
        assert.strictEqual(yield* failureOf(DynamicSupervisor.reconfigure(sup, wrong)), problem)
        assert.deepStrictEqual(yield* countsOf(sup), [1, 0, 0, 0])
      }).pipe(provided)
    )
  }

  it.effect(
    "sup_start_map_faulty_specs: a template without a start is missing_start, what is none is invalid_type",
    () =>
      Effect.gen(function* () {
        const sup = yield* DynamicSupervisor.start(crewOf())
        for (const [value, problem] of [
          [{ start: undefined }, "missing_start"],
          [{ start: Effect.never }, "missing_start"],
          [null, "invalid_type"],
          ["crew", "invalid_type"]
        ]) {
          const wrong: ReturnType<typeof crewOf> = untyped(value)
          assert.strictEqual(yield* failureOf(DynamicSupervisor.start(wrong)), problem)
          assert.strictEqual(yield* failureOf(DynamicSupervisor.reconfigure(sup, wrong)), problem)
        }
        assert.deepStrictEqual(yield* countsOf(sup), [1, 0, 0, 0])
      }).pipe(provided)
  )

  it.effect(
    "significant_simple: a template cannot be significant: there is no autoShutdown in a dynamic supervisor",
    () =>
      Effect.gen(function* () {
        const wrong = crewOf(untyped({ significant: true }))
        const sup = yield* DynamicSupervisor.start(wrong)
        const a = yield* sup.startChild("a")
        assert.isDefined(a)
        assert.isFalse((yield* Supervisor.getChildSpec(sup, a?.pid ?? sup.pid)).significant)
      }).pipe(provided)
  )
})
