import * as fs from "node:fs"
import * as path from "node:path"
import * as Effect from "effect/Effect"

const nobody = 65_534

/** As a user who may do everything in the file's folder, and must not write the file. To root a mode says nothing: it becomes another user meanwhile. */
export const whereReadOnly = <A, E, R>(file: string, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const folder = path.dirname(file)
      fs.chmodSync(folder, 0o777)
      for (const name of fs.readdirSync(folder)) fs.chmodSync(path.join(folder, name), 0o666)
      fs.chmodSync(file, 0o444)
      const isRoot = process.geteuid?.() === 0
      if (isRoot) process.seteuid?.(nobody)
      return isRoot
    }),
    () => effect,
    isRoot =>
      Effect.sync(() => {
        if (isRoot) process.seteuid?.(0)
      })
  )
