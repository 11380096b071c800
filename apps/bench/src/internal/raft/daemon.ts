/** Processes that run beside the benchmark. */
import * as Command from "@effect/platform/Command"
import type * as CommandExecutor from "@effect/platform/CommandExecutor"
import type { PlatformError } from "@effect/platform/Error"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** Runs the program until the scope closes. Then it is killed, for nothing it has written is needed any more. */
export const start = (
  program: string,
  ...args: ReadonlyArray<string>
): Effect.Effect<CommandExecutor.Process, PlatformError, CommandExecutor.CommandExecutor | Scope.Scope> =>
  Command.make(program, ...args).pipe(
    Command.stdout("inherit"),
    Command.stderr("inherit"),
    Command.start,
    Effect.tap(child => Effect.addFinalizer(() => Effect.ignore(child.kill("SIGKILL"))))
  )
