/**
 * Whole files, written so that a loss of power leaves the old one or the new one.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import * as Effect from "effect/Effect"
import * as Folder from "../../Folder.js"
import { nextTurn } from "./nextTurn.js"

const unfinished = (filename: string): string => `${filename}.new`

const attempt = <A>(use: () => Promise<A>): Effect.Effect<A, unknown> =>
  Effect.tryPromise({ try: use, catch: cause => cause })

/** `undefined`: there is none. */
export const read = (filename: string): Effect.Effect<Uint8Array | undefined, unknown> =>
  Effect.catchAll(
    attempt<Uint8Array | undefined>(() => fs.promises.readFile(filename)),
    cause =>
      cause instanceof Error && "code" in cause && cause.code === "ENOENT"
        ? Effect.succeed(undefined)
        : Effect.fail(cause)
  )

/** Puts the bytes on the disk, and not yet under the name: {@link commit} does. Others get their turn after each slice. What is broken off leaves nothing. */
export const prepare = (filename: string, slices: Iterable<Uint8Array>): Effect.Effect<void, unknown> =>
  Effect.acquireUseRelease(
    attempt(async () => {
      Folder.make(path.dirname(filename))
      return fs.promises.open(unfinished(filename), "w")
    }),
    handle =>
      Effect.gen(function* () {
        for (const slice of slices) {
          yield* attempt(() => handle.writeFile(slice))
          yield* nextTurn
        }
        yield* attempt(() => handle.sync())
      }),
    handle => Effect.promise(() => handle.close())
  ).pipe(Effect.onError(() => Effect.sync(() => discard(filename))))

/** Puts what was prepared in the place of what has the name. When it returns a loss of power does not undo it. */
export const commit = (filename: string): void => {
  fs.renameSync(unfinished(filename), filename)
  Folder.sync(path.dirname(filename))
}

export const discard = (filename: string): void => fs.rmSync(unfinished(filename), { force: true })

export const write = (filename: string, slices: Iterable<Uint8Array>): Effect.Effect<void, unknown> =>
  Effect.zipRight(prepare(filename, slices), Effect.try({ try: () => commit(filename), catch: cause => cause }))
