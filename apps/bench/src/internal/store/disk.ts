/** What files take, and what synced files stand on. */
import * as fs from "node:fs"
import * as path from "node:path"
import * as Command from "@effect/platform/Command"
import type * as CommandExecutor from "@effect/platform/CommandExecutor"
import * as Effect from "effect/Effect"
import { failed, SubjectFailed } from "./adapter.js"

/** Bytes of all files in a folder and below. */
export const folderBytes = (folder: string): Effect.Effect<number> =>
  Effect.sync(() =>
    fs
      .readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter(entry => entry.isFile())
      .reduce((sum, entry) => sum + fs.statSync(path.join(entry.parentPath, entry.name)).size, 0)
  )

const tmpfs = 0x01021994

/** Whether a folder is in memory, where a sync costs nothing and keeps nothing. */
export const isInMemory = (folder: string): boolean => fs.statfsSync(folder).type === tmpfs

/** Resident memory of another process, bytes. */
export const residentMemory = (pid: number): Effect.Effect<number, SubjectFailed, CommandExecutor.CommandExecutor> =>
  Command.make("ps", "-o", "rss=", "-p", `${pid}`).pipe(
    Command.string,
    Effect.mapError(failed),
    Effect.flatMap(kibibytes =>
      Number(kibibytes) > 0
        ? Effect.succeed(Number(kibibytes) * 1024)
        : new SubjectFailed({ what: `ps knows no process ${pid}` })
    )
  )

/** Of this process. */
export const ownMemory: Effect.Effect<number> = Effect.sync(() => process.memoryUsage().rss)
