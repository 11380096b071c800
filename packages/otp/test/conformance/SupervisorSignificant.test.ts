import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type * as ChildSpec from "../../src/ChildSpec.js"
import * as ExitReason from "../../src/ExitReason.js"
import * as GenServer from "../../src/GenServer.js"
import * as Process from "../../src/Process.js"
import * as Supervisor from "../../src/Supervisor.js"
import {
  assertAlive,
  child,
  countsOf,
  crash,
  end,
  endOf,
  failureOf,
  fragile,
  pidOf,
  provided,
  statusOf
} from "./helpers.js"

const modes = ["never", "any_significant", "all_significant"] as const

/** How a child goes: told to by the supervisor, or by itself. */
const ways = ["terminateChild", "kill", "abnormal", "normal", "shutdown"] as const
type Way = (typeof ways)[number]

const go = (sup: Supervisor.Supervisor, id: string, way: Way) => {
  switch (way) {
    case "terminateChild":
      return Supervisor.terminateChild(sup, id)
    case "kill":
      return end(sup, id, ExitReason.killed)
    case "abnormal":
      return end(sup, id, crash)
    case "normal":
      return end(sup, id, ExitReason.normal)
    case "shutdown":
      return end(sup, id, ExitReason.shutdown("done"))
  }
}

/** Whether a significant child that goes in this way is one that went away by itself. */
const triggers = (restart: ChildSpec.Restart, way: Way): boolean =>
  restart === "temporary" ? way !== "terminateChild" : way === "normal" || way === "shutdown"

const significant = (id: string, restart: ChildSpec.Restart) => child(id, { restart, significant: true })

describe("automatic shutdown", () => {
  for (const restart of ["temporary", "transient"] as const) {
    for (const autoShutdown of modes) {
      it.effect(
        `nonsignificant_${restart}: no end of a child that is not significant stops a supervisor of ${autoShutdown}`,
        () =>
          Effect.gen(function* () {
            const children = ways.map(way => child(way, { restart }))
            const sup = yield* Supervisor.start({ intensity: 9, autoShutdown, children })
            for (const way of ways) yield* go(sup, way, way)
            yield* assertAlive(sup.pid)
          }).pipe(provided)
      )
    }

    for (const way of ways) {
      const stops = triggers(restart, way)

      it.effect(
        `significant_${restart}: any_significant: ${way} ${stops ? "stops" : "does not stop"} the supervisor`,
        () =>
          Effect.gen(function* () {
            const journal: Array<string> = []
            const sup = yield* Supervisor.start({
              autoShutdown: "any_significant",
              children: [child("plain", {}, journal), significant("a", restart), significant("b", restart)]
            })
            const ended = yield* endOf(sup.pid)
            yield* go(sup, "a", way)
            if (!stops) {
              assert.deepStrictEqual(journal, ["+plain"])
              return yield* assertAlive(sup.pid)
            }
            assert.deepStrictEqual(yield* ended, ExitReason.shutdown())
            assert.deepStrictEqual(journal, ["+plain", "-plain"])
            assert.deepStrictEqual(yield* Process.list, [])
          }).pipe(provided)
      )

      it.effect(
        `significant_${restart}: all_significant: ${way} of the last one ${stops ? "stops" : "does not stop"} it, of the first does not`,
        () =>
          Effect.gen(function* () {
            const sup = yield* Supervisor.start({
              intensity: 2,
              autoShutdown: "all_significant",
              children: [child("plain"), significant("a", restart), significant("b", restart)]
            })
            const ended = yield* endOf(sup.pid)
            yield* go(sup, "a", way)
            yield* assertAlive(sup.pid)
            yield* go(sup, "b", way)
            if (!stops) return yield* assertAlive(sup.pid)
            assert.deepStrictEqual(yield* ended, ExitReason.shutdown())
          }).pipe(provided)
      )
    }
  }

  it.effect("1.10: all_significant: a significant child that was stopped by hand does not live", () =>
    Effect.gen(function* () {
      const sup = yield* Supervisor.start({
        autoShutdown: "all_significant",
        children: [significant("a", "transient"), significant("b", "transient")]
      })
      yield* Supervisor.terminateChild(sup, "a")
      const ended = yield* endOf(sup.pid)
      yield* end(sup, "b", ExitReason.normal)
      assert.deepStrictEqual(yield* ended, ExitReason.shutdown())
    }).pipe(provided)
  )

  it.effect("1.10: all_significant: one in a restart loop still counts as live", () =>
    Effect.gen(function* () {
      const { health, spec } = fragile("a", { restart: "transient", significant: true })
      const sup = yield* Supervisor.start({
        intensity: 1_000_000_000,
        autoShutdown: "all_significant",
        children: [spec, significant("b", "transient")]
      })
      health.broken = true
      const b = yield* pidOf(sup, "b")
      yield* Process.exit(yield* pidOf(sup, "a"), ExitReason.killed)
      assert.strictEqual(yield* statusOf(sup, "a"), "restarting")
      yield* Process.send(b, ExitReason.normal)
      while ((yield* statusOf(sup, "b")) !== undefined) yield* Effect.yieldNow()
      yield* assertAlive(sup.pid)
      health.broken = false
      while ((yield* statusOf(sup, "a")) === "restarting") yield* Effect.yieldNow()
      const ended = yield* endOf(sup.pid)
      yield* end(sup, "a", ExitReason.normal)
      assert.deepStrictEqual(yield* ended, ExitReason.shutdown())
    }).pipe(provided)
  )

  for (const strategy of ["one_for_all", "rest_for_one"] as const) {
    it.effect(`1.10: a significant child stopped for a sibling's restart does not count, under ${strategy}`, () =>
      Effect.gen(function* () {
        const sup = yield* Supervisor.start({
          strategy,
          autoShutdown: "any_significant",
          children: [child("a"), significant("transient", "transient"), significant("temporary", "temporary")]
        })
        yield* end(sup, "a", crash)
        assert.deepStrictEqual(yield* countsOf(sup), [2, 2, 0, 2])
      }).pipe(provided)
    )
  }

  it.effect("1.10: nor does one that ignores its start", () =>
    Effect.gen(function* () {
      const ignored = { ...significant("a", "temporary"), start: Effect.fail(new GenServer.StartIgnored()) }
      const sup = yield* Supervisor.start({ autoShutdown: "any_significant", children: [ignored] })
      assert.deepStrictEqual(yield* countsOf(sup), [0, 0, 0, 0])
    }).pipe(provided)
  )

  it.effect("1.10: the shutdown climbs as far as supervisors are significant themselves", () =>
    Effect.gen(function* () {
      const inner = (id: string, options: ChildSpec.Options) =>
        Supervisor.supervisor(
          id,
          { name: id, autoShutdown: "any_significant", children: [significant("leaf", "transient")] },
          options
        )
      const top = yield* Supervisor.start({
        autoShutdown: "any_significant",
        children: [
          inner("plain", { restart: "transient" }),
          inner("significant", { restart: "transient", significant: true })
        ]
      })
      const ended = yield* endOf(top.pid)
      yield* end("plain", "leaf", ExitReason.normal)
      assert.isUndefined(yield* statusOf(top, "plain"))
      yield* end("significant", "leaf", ExitReason.normal)
      assert.deepStrictEqual(yield* ended, ExitReason.shutdown())
      assert.deepStrictEqual(yield* Process.list, [])
    }).pipe(provided)
  )

  // -----------------------------------------------------------------------------------------------------------------
  // changed while it runs
  // -----------------------------------------------------------------------------------------------------------------

  /** For each mode: whether the first of two significant children to go ends the supervisor, and whether the second does. */
  const ends: Record<ChildSpec.AutoShutdown, readonly [boolean, boolean]> = {
    never: [false, false],
    any_significant: [true, true],
    all_significant: [false, true]
  }
  const short = (mode: ChildSpec.AutoShutdown) => mode.split("_")[0]

  for (const from of modes) {
    for (const to of modes.filter(mode => mode !== from)) {
      it.effect(`significant_upgrade_${short(from)}_${short(to)}: the new mode counts from the next exit on`, () =>
        Effect.gen(function* () {
          const spec = (autoShutdown: ChildSpec.AutoShutdown) => ({
            autoShutdown,
            children: ["a", "b"].map(id => child(id, { restart: "transient", significant: autoShutdown !== "never" }))
          })
          const sup = yield* Supervisor.start(spec(from))
          const pids = [yield* pidOf(sup, "a"), yield* pidOf(sup, "b")]
          yield* Supervisor.reconfigure(sup, spec(to))
          assert.deepStrictEqual([yield* pidOf(sup, "a"), yield* pidOf(sup, "b")], pids)
          const more = Supervisor.startChild(sup, significant("c", "transient"))
          if (to === "never") assert.strictEqual(yield* failureOf(more), "bad_combination")
          yield* end(sup, "a", ExitReason.normal)
          const [first, second] = ends[to]
          assert.strictEqual(yield* Process.isAlive(sup.pid), !first)
          if (first) return
          yield* end(sup, "b", ExitReason.normal)
          assert.strictEqual(yield* Process.isAlive(sup.pid), !second)
        }).pipe(provided)
      )
    }
  }

  it.effect("significant_upgrade_child: the flag of a living child can be set and taken back", () =>
    Effect.gen(function* () {
      const spec = (flag: boolean) => ({
        autoShutdown: "any_significant" as const,
        children: [child("a", { restart: "transient", significant: flag })]
      })
      const sup = yield* Supervisor.start(spec(false))
      yield* Supervisor.reconfigure(sup, spec(true))
      yield* Supervisor.reconfigure(sup, spec(false))
      yield* end(sup, "a", ExitReason.normal)
      yield* assertAlive(sup.pid)
      yield* Supervisor.restartChild(sup, "a")
      yield* Supervisor.reconfigure(sup, spec(true))
      const ended = yield* endOf(sup.pid)
      yield* end(sup, "a", ExitReason.normal)
      assert.deepStrictEqual(yield* ended, ExitReason.shutdown())
    }).pipe(provided)
  )

  it.effect("significant_upgrade_child: it is refused under never, and the child runs on as it was", () =>
    Effect.gen(function* () {
      const sup = yield* Supervisor.start({ children: [child("a", { restart: "transient" })] })
      const a = yield* pidOf(sup, "a")
      const refused = Supervisor.reconfigure(sup, { children: [significant("a", "transient")] })
      assert.strictEqual(yield* failureOf(refused), "bad_combination")
      assert.strictEqual(yield* pidOf(sup, "a"), a)
      assert.isFalse((yield* Supervisor.getChildSpec(sup, "a")).significant)
    }).pipe(provided)
  )
})
