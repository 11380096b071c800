/** What tests of processes have in common. */

import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import type { StoreError } from "@reckon/client/StoreError"
import * as Process from "@reckon/otp/Process"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import * as SqliteStoreEngine from "../../src/SqliteStoreEngine.js"

/** A process table, an engine in memory, and no logs of the crashes that a test wants. */
export const provided = Effect.provide(
  Layer.mergeAll(Process.layer, SqliteStoreEngine.layerMemory, Logger.minimumLogLevel(LogLevel.None))
)

/** A folder for a test, gone with its scope. */
export const folder = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "reckon-db-"))),
  made => Effect.sync(() => fs.rmSync(made, { recursive: true, force: true }))
)

/** Lets everything that can run do so; no time passes. */
export const settle = TestClock.adjust(0)

/** Lets time pass until the effect is done. */
export const whileTimePasses = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.flatMap(Effect.fork(effect), fiber =>
    Effect.zipRight(
      Effect.repeat(TestClock.adjust("50 millis"), {
        until: () => Effect.map(Fiber.poll(fiber), Option.isSome)
      }),
      Fiber.join(fiber)
    )
  )

/** Until it is so, while no time passes: a process that starts may have files and code to load, for which no clock is asked. */
export const untilSo = <R>(condition: Effect.Effect<boolean, never, R>) =>
  Effect.repeat(settle, { until: () => condition })

/** The process of this name; a defect if there is none. */
export const processOf = (name: string) => Effect.map(Process.whereis(name), Option.getOrThrow)

export const isRunning = (name: string) => Effect.map(Process.whereis(name), Option.isSome)

export const kill = (name: string) =>
  Effect.flatMap(processOf(name), pid => Effect.zipRight(Process.exit(pid, { _tag: "Killed" }), Process.awaitExit(pid)))

/** An error by its tag, and whether it may be tried again. */
export const failed = <A, R>(effect: Effect.Effect<A, StoreError, R>) =>
  Effect.map(Effect.flip(effect), error => [error._tag, error.retryable] as const)
