/**
 * Whose turn it is at a log's file, among those of this process.
 *
 * A member that is killed closes its log a little after its successor was asked to open it. To SQLite that would be a file in use, and it
 * would block the thread for as long as it waits, in which nobody can close anything.
 */
import * as path from "node:path"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import type * as Scope from "effect/Scope"

/** The files that are open, each with what tells that it no longer is. */
const holders = new Map<string, Deferred.Deferred<void>>()

/** The file is the caller's until its scope closes. Where another one has it, and keeps it for so long, that is an error. */
export const takeTurn = <E>(options: {
  readonly filename: string
  readonly waitMillis: number
  readonly onHeld: () => E
}): Effect.Effect<void, E, Scope.Scope> => {
  const file = path.resolve(options.filename)

  /** Tells who has the file, or takes it if nobody has. */
  const claim = Effect.acquireRelease(
    Effect.sync(() => {
      const holder = holders.get(file)
      const mine = holder === undefined ? Deferred.unsafeMake<void>(FiberId.none) : undefined
      if (mine !== undefined) holders.set(file, mine)
      return { holder, mine }
    }),
    ({ mine }) => {
      if (mine === undefined) return Effect.void
      holders.delete(file)
      return Deferred.succeed(mine, undefined)
    }
  )
  const claimAfter = (holder: Deferred.Deferred<void>): Effect.Effect<void, never, Scope.Scope> =>
    Effect.zipRight(
      Deferred.await(holder),
      // Of those that waited one was first.
      Effect.flatMap(claim, next => (next.holder === undefined ? Effect.void : claimAfter(next.holder)))
    )
  return Effect.flatMap(claim, ({ holder }) =>
    holder === undefined
      ? Effect.void
      : Effect.timeoutFail(claimAfter(holder), { duration: options.waitMillis, onTimeout: options.onHeld })
  )
}
