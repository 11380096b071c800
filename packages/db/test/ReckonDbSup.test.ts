import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as StoreNames from "../src/StoreNames.js"
import * as Stores from "../src/Stores.js"
import { withProcesses } from "./helpers/embedded.js"
import { isRunning, kill, processOf, untilSo } from "./helpers/processes.js"

const {
  coreSup,
  emitterSup,
  gatewaySup,
  gatewayWorker,
  leaderSup,
  leaderTracker,
  notificationSup,
  persistenceSup,
  store,
  streamsReader,
  streamsSup,
  streamsWriter,
  systemSup
} = StoreNames

const streams = [streamsSup, streamsWriter, streamsReader]
const persistence = [persistenceSup, store, ...streams]
const leaders = [leaderSup, leaderTracker]
const notification = [notificationSup, ...leaders, emitterSup]
const ofCore = [...persistence, ...notification]
const core = [coreSup, ...ofCore]
const firstWorker = (id: string) => gatewayWorker(id, 1)
const secondWorker = (id: string) => gatewayWorker(id, 2)
const gateway = [gatewaySup, firstWorker, secondWorker]
const system = [systemSup, ...core, ...gateway]

/** The named processes that a store has while nobody asks it for anything, of the one that is shot at and of another. */
const everything = ["default", "parts"].flatMap(id => system.map(name => name(id)))

/** Which processes another has taken the place of, once this one is dead and all of them are there again. */
const replaced = (name: string) =>
  Effect.gen(function* () {
    const stores = yield* Stores.Stores
    yield* stores.start({ id: "parts", gatewayPoolSize: 2 })
    const before = new Map(
      yield* Effect.forEach(everything, each => Effect.map(processOf(each), pid => [each, pid] as const))
    )
    yield* kill(name)
    yield* untilSo(Effect.map(Effect.forEach(everything, isRunning), running => running.every(Boolean)))
    const after = yield* Effect.forEach(everything, each => Effect.map(processOf(each), pid => [each, pid] as const))
    return after.filter(([each, pid]) => before.get(each) !== pid).map(([each]) => each)
  })

describe("the death of a process of a store has another take the place of", () => {
  for (const [what, killed, others] of [
    ["the store's Raft member: itself", store, [store]],
    ["the supervisor of its writers and readers: itself and these", streamsSup, streams],
    ["its writers: themselves", streamsWriter, [streamsWriter]],
    ["the supervisor of member, writers and readers: all that the core has", persistenceSup, ofCore],
    ["the leader's tracker: itself", leaderTracker, [leaderTracker]],
    ["the tracker's supervisor: it, and what is notified", leaderSup, [...leaders, emitterSup]],
    ["the emitters' supervisor: itself", emitterSup, [emitterSup]],
    ["the supervisor of all that is notified: all that the core has", notificationSup, ofCore],
    ["the core: it, and the gateway that speaks for it", coreSup, [...core, ...gateway]],
    ["a gateway worker: itself", firstWorker, [firstWorker]],
    ["the gateway: itself and its workers", gatewaySup, gateway],
    ["the whole store: all of it, and nothing of another", systemSup, system]
  ] as const) {
    it.effect(what, () =>
      Effect.gen(function* () {
        assert.sameMembers(
          yield* replaced(killed("default")),
          others.map(name => name("default"))
        )
      }).pipe(Effect.provide(withProcesses({ gatewayPoolSize: 2 })), Logger.withMinimumLogLevel(LogLevel.None))
    )
  }
})
