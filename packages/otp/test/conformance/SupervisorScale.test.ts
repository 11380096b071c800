import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type * as ChildSpec from "../../src/ChildSpec.js"
import * as DynamicSupervisor from "../../src/DynamicSupervisor.js"
import * as ExitReason from "../../src/ExitReason.js"
import * as GenServer from "../../src/GenServer.js"
import * as Process from "../../src/Process.js"
import * as Supervisor from "../../src/Supervisor.js"
import * as Sys from "../../src/Sys.js"
import { child, countsOf, crash, crewOf, end, endOf, endPid, failureOf, obedient, pidsOf, provided } from "./helpers.js"

const restarts = ["permanent", "transient", "temporary"] as const
const strategies = ["one_for_one", "one_for_all", "rest_for_one"] as const

/** Whether an object can be reached from another through fields, maps and sets. What functions hold on to is not seen. */
const reaches = (root: unknown, target: object): boolean => {
  const seen = new Set<unknown>()
  const waiting: Array<unknown> = [root]
  for (let next = waiting.pop(); waiting.length > 0 || next !== undefined; next = waiting.pop()) {
    if (next === target) return true
    if (typeof next !== "object" || next === null || seen.has(next)) continue
    seen.add(next)
    if (next instanceof Map) waiting.push(...next.keys(), ...next.values())
    if (next instanceof Set) waiting.push(...next)
    waiting.push(...Object.values(next))
  }
  return false
}

/** What is done to a child, and how the same id is then received by startChild. */
type Fate = "kill" | "normal" | "abnormal" | "terminateChild"
const received: Record<ChildSpec.Restart, Record<Fate, string>> = {
  permanent: {
    kill: "ChildAlreadyStarted",
    normal: "ChildAlreadyStarted",
    abnormal: "ChildAlreadyStarted",
    terminateChild: "already_present"
  },
  transient: {
    kill: "ChildAlreadyStarted",
    normal: "already_present",
    abnormal: "ChildAlreadyStarted",
    terminateChild: "already_present"
  },
  temporary: { kill: "started", normal: "started", abnormal: "started", terminateChild: "started" }
}

const befall = (sup: Supervisor.Supervisor, id: string, fate: Fate) => {
  switch (fate) {
    case "kill":
      return end(sup, id, ExitReason.killed)
    case "normal":
      return end(sup, id, ExitReason.normal)
    case "abnormal":
      return end(sup, id, crash)
    case "terminateChild":
      return Supervisor.terminateChild(sup, id)
  }
}

describe("memory and scale", () => {
  for (const strategy of strategies) {
    it.effect(
      `do_not_save_start_parameters_for_temporary_children: ${strategy} keeps the starts of all but temporary children`,
      () =>
        Effect.gen(function* () {
          const sup = yield* Supervisor.start({
            strategy,
            children: restarts.map(restart => child(restart, { restart }))
          })
          for (const restart of restarts) yield* Supervisor.startChild(sup, child(`late ${restart}`, { restart }))
          for (const restart of restarts) {
            for (const id of [restart, `late ${restart}`]) {
              const { start } = yield* Supervisor.getChildSpec(sup, id)
              assert.strictEqual(start === undefined, restart === "temporary", id)
            }
          }
        }).pipe(provided)
    )

    for (const fate of ["kill", "normal", "abnormal", "terminateChild"] as const) {
      it.effect(
        `do_not_save_child_specs_for_temporary_children: ${strategy}, after ${fate}: what startChild of the same id answers`,
        () =>
          Effect.gen(function* () {
            const sup = yield* Supervisor.start({ strategy, intensity: 9, children: [] })
            for (const restart of restarts) {
              yield* Supervisor.startChild(sup, child(restart, { restart }))
              yield* befall(sup, restart, fate)
              const again = Supervisor.startChild(sup, child(restart, { restart }))
              const expected = received[restart][fate]
              if (expected === "started") assert.isDefined(yield* again)
              else assert.strictEqual(yield* failureOf(again), expected, restart)
              // Each by itself: group strategies would restart the others.
              if (expected !== "already_present") yield* Supervisor.terminateChild(sup, restart)
              if (restart !== "temporary") yield* Supervisor.deleteChild(sup, restart)
            }
            assert.deepStrictEqual(yield* countsOf(sup), [0, 0, 0, 0])
          }).pipe(provided)
      )
    }
  }

  for (const restart of restarts) {
    const kept = restart !== "temporary"
    it.effect(
      `do_not_save_start_parameters_for_temporary_children: a dynamic supervisor ${kept ? "keeps" : "lets go of"} the arguments of a ${restart} child`,
      () =>
        Effect.gen(function* () {
          const crew = DynamicSupervisor.make({
            restart,
            start: (args: { readonly id: string }) => GenServer.startLink(obedient(args.id))
          })
          const sup = yield* DynamicSupervisor.start(crew)
          const args = { id: "a" }
          const a = yield* sup.startChild(args)
          assert.strictEqual(reaches(yield* Sys.getState(sup), args), kept)
          if (a !== undefined) yield* DynamicSupervisor.terminateChild(sup, a.pid)
          assert.isFalse(reaches(yield* Sys.getState(sup), args))
        }).pipe(provided)
    )
  }

  for (const size of [1_000, 10_000]) {
    it.effect(`simple_one_for_one_scale_many_temporary_children: ${size} children come, and end by themselves`, () =>
      Effect.gen(function* () {
        const sup = yield* DynamicSupervisor.start(crewOf({ restart: "temporary" }))
        for (let i = 0; i < size; i++) yield* sup.startChild("c")
        const pids = yield* pidsOf(sup)
        assert.strictEqual(new Set(pids).size, size)
        for (const pid of pids.slice(1)) yield* Process.send(pid, ExitReason.normal)
        const last = pids[0]
        if (last !== undefined) yield* endPid(last, ExitReason.normal)
        assert.deepStrictEqual(yield* countsOf(sup), [1, 0, 0, 0])
        assert.lengthOf(yield* Process.list, 1)
      }).pipe(provided)
    )

    it.effect(
      `simple_one_for_one_scale_many_temporary_children: ${size} children are stopped with their supervisor`,
      () =>
        Effect.gen(function* () {
          const sup = yield* DynamicSupervisor.start(crewOf({ restart: "temporary" }))
          for (let i = 0; i < size; i++) yield* sup.startChild("c")
          assert.lengthOf(yield* Process.list, size + 1)
          const ended = yield* endOf(sup.pid)
          yield* DynamicSupervisor.stop(sup)
          assert.deepStrictEqual(yield* ended, ExitReason.shutdown())
          assert.deepStrictEqual(yield* Process.list, [])
        }).pipe(provided)
    )
  }

  it.effect("scale_start_stop_many_children: 2,000 children of a list start in order and stop in reverse", () =>
    Effect.gen(function* () {
      const journal: Array<string> = []
      const ids = Array.from({ length: 2_000 }, (_, i) => `c${i}`)
      const sup = yield* Supervisor.start({ children: ids.map(id => child(id, {}, journal)) })
      assert.deepStrictEqual(yield* countsOf(sup), [2_000, 2_000, 0, 2_000])
      yield* Supervisor.stop(sup)
      assert.deepStrictEqual(journal, [...ids.map(id => `+${id}`), ...ids.map(id => `-${id}`).reverse()])
    }).pipe(provided)
  )
})
