/**
 * A small disk for one node, which can be filled up.
 */
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

export interface Disk {
  /** How it is done, in words. */
  readonly means: string
  readonly canFill: boolean
  /** Leaves the process, whose files lie on the disk, about so many bytes. */
  readonly fill: (pid: number | undefined, slackBytes: number) => Effect.Effect<void>
  readonly free: (pid: number | undefined) => Effect.Effect<void>
}

const succeeds = (command: string, ...args: ReadonlyArray<string>): boolean =>
  spawnSync(command, args, { stdio: "ignore" }).status === 0

/** Enough for what an hour writes. */
const diskMebibytes = 1024
const pieceBytes = 4 * 1024 * 1024

/** Writes until so many bytes are there or the disk takes no more. */
const writeBallast = async (file: string, bytes: number) => {
  const handle = await fs.promises.open(file, "w")
  const piece = Buffer.alloc(pieceBytes, 1)
  try {
    for (let left = bytes; left > 0; left -= pieceBytes) await handle.write(piece, 0, Math.min(left, pieceBytes))
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && cause.code === "ENOSPC")) throw cause
  } finally {
    await handle.close()
  }
}

/** A file system in memory, mounted on the folder and filled by a file. At the end its content is copied to the disk below. */
const mounted = (folder: string): Disk => {
  const ballast = path.join(folder, "ballast")
  return {
    means: `a file system in memory of ${diskMebibytes} MiB, filled by a file`,
    canFill: true,
    fill: (_, slackBytes) =>
      Effect.promise(() => {
        const { bavail, bsize } = fs.statfsSync(folder)
        return writeBallast(ballast, Math.max(0, bavail * bsize - slackBytes))
      }),
    free: () => Effect.sync(() => fs.rmSync(ballast, { force: true }))
  }
}

const unmount = (folder: string) =>
  Effect.sync(() => {
    const copy = `${folder}.copy`
    fs.cpSync(folder, copy, { recursive: true })
    if (!succeeds("umount", folder)) succeeds("umount", "-l", folder)
    fs.cpSync(copy, folder, { recursive: true })
    fs.rmSync(copy, { recursive: true, force: true })
  })

/** No file of the process may grow beyond so many bytes: it gets EFBIG where a full disk would give ENOSPC. */
const limited: Disk = {
  means: "a limit on the size of the process's files (RLIMIT_FSIZE)",
  canFill: true,
  fill: (pid, slackBytes) => Effect.sync(() => succeeds("prlimit", `--pid=${pid}`, `--fsize=${slackBytes}:unlimited`)),
  free: pid => Effect.sync(() => succeeds("prlimit", `--pid=${pid}`, "--fsize=unlimited:unlimited"))
}

const none: Disk = {
  means: "not done: neither mount nor prlimit is permitted here",
  canFill: false,
  fill: () => Effect.void,
  free: () => Effect.void
}

/** Puts a small disk under the folder, by the best means there are. */
export const make = (folder: string): Effect.Effect<Disk, never, Scope.Scope> =>
  Effect.gen(function* () {
    fs.mkdirSync(folder, { recursive: true })
    if (succeeds("mount", "-t", "tmpfs", "-o", `size=${diskMebibytes}m`, "reckon-torture", folder)) {
      const disk = mounted(folder)
      yield* Effect.addFinalizer(() => Effect.zipRight(disk.free(undefined), unmount(folder)))
      return disk
    }
    return succeeds("prlimit", `--pid=${process.pid}`, "--fsize") ? limited : none
  })
