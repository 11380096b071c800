/** The Erlang side: one runtime for each figure, gone before anything else is measured. */

import * as path from "node:path"
import * as Command from "@effect/platform/Command"
import type * as CommandExecutor from "@effect/platform/CommandExecutor"
import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"

const source = path.resolve(import.meta.dirname, "../../../erlang/otp_bench.erl")

/** Erlang is installed, but the benchmark does not run on it. What it said is on the standard error. */
export class ErlangFailed extends Schema.TaggedError<ErlangFailed>("@reckon/bench/ErlangFailed")("ErlangFailed", {
  what: Schema.String
}) {
  override get message(): string {
    return `the Erlang side failed: ${this.what}`
  }
}

export interface Erlang {
  /** The release, whether it compiles to machine code, how many schedulers it has. */
  readonly about: string
  readonly figure: (name: string) => Effect.Effect<number, ErlangFailed | PlatformError>
}

/** None if there is no Erlang on the PATH. */
export const make: Effect.Effect<
  Option.Option<Erlang>,
  ErlangFailed | PlatformError,
  CommandExecutor.CommandExecutor | FileSystem.FileSystem | Scope.Scope
> = Effect.gen(function* () {
  const folder = yield* Effect.flatMap(FileSystem.FileSystem, files => files.makeTempDirectoryScoped())
  const executor = yield* Effect.context<CommandExecutor.CommandExecutor>()
  const compiled = yield* Command.make("erlc", "-o", folder, source).pipe(
    Command.stdout("inherit"),
    Command.stderr("inherit"),
    Command.exitCode,
    Effect.map(Option.some),
    Effect.catchIf(
      error => error._tag === "SystemError" && error.reason === "NotFound",
      () => Effect.succeedNone
    )
  )
  if (Option.isNone(compiled)) return Option.none()
  if (compiled.value !== 0) return yield* new ErlangFailed({ what: `erlc ended with ${compiled.value}` })

  const line = (name: string): Effect.Effect<string, ErlangFailed | PlatformError> =>
    Command.make("erl", "-noinput", "-pa", folder, "-run", "otp_bench", "main", name).pipe(
      Command.stderr("inherit"),
      Command.string,
      Effect.provide(executor),
      Effect.flatMap(output =>
        output.startsWith(`${name} `)
          ? Effect.succeed(output.slice(name.length + 1).trim())
          : new ErlangFailed({ what: `no line for "${name}" in "${output}"` })
      )
    )
  const figure = (name: string): Effect.Effect<number, ErlangFailed | PlatformError> =>
    line(name).pipe(
      Effect.flatMap(Schema.decode(Schema.NumberFromString)),
      Effect.catchTag("ParseError", error => new ErlangFailed({ what: error.message }))
    )
  return Option.some({ about: yield* line("about"), figure })
})
