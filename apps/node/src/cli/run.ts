/**
 * From a command line to an exit code: 0; 1 when the operation failed, with exactly one line about it on standard error; 2 when the command line or the
 * environment makes no sense, with a line for each thing that is wrong.
 *
 * @since 0.1.0
 */
import type * as CliApp from "@effect/cli/CliApp"
import * as CliConfig from "@effect/cli/CliConfig"
import * as Command from "@effect/cli/Command"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as ValidationError from "@effect/cli/ValidationError"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as StoreConfig from "@reckon/db/StoreConfig"
import { StoreFileRefused } from "@reckon/db/StoreEngine"
import * as Cause from "effect/Cause"
import * as ConfigError from "effect/ConfigError"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import { spelledOut, usage, withoutTruth, withoutValue } from "./shared/options.js"
import { plain } from "./shared/print.js"
import { layerProcess, OutputClosed, Stdio } from "./shared/Stdio.js"

const version = "0.1.0"

/** What to do about an error, by its name. */
const advice: Readonly<Record<string, string>> = {
  WrongExpectedVersion: "read the stream again and decide anew, or expect another version",
  EventIdConflict: "give the event another id",
  AppendConditionFailed: "read the events the condition is about again and decide anew",
  StreamNotFound: "`reckon streams` lists the streams there are",
  StreamDeleted: "an append creates it anew",
  StreamTombstoned: "name another stream",
  SnapshotNotFound: "`reckon snapshot list` lists the snapshots of a stream",
  StoreNotFound: "name another store with --store",
  EventTooLarge: "split the event, or raise RECKON_EVENT_BYTES_MAX on the nodes and here",
  RequestTooLarge: "send less at a time",
  InvalidRequest: "correct it and try again",
  NoQuorum: "`reckon status` shows which nodes run; a majority must",
  OutcomeUnknown: "without ids of your own, read the stream first",
  Overloaded: "try again later",
  Unreachable: "check that a node runs there, or name another with --endpoint",
  InvalidRow: "correct the file and run the import again, what is in the store already is left as it is",
  FileUnusable: "name another file",
  OutputFailed: "what is there is not all of it, make room or write elsewhere",
  MembershipRefused: "`reckon member list` shows the members",
  MembershipUnknown: "`reckon member list` shows the members",
  ListenFailed: "name another address, or stop what is there",
  GaveUp: "the log above has all that was tried"
}

const folderAdvice =
  "name a folder that this user may make and write to, with --data-dir, RECKON_DATA_DIR or the store's own variable"

// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one
const ansi = /\u001b\[[0-9;]*[A-Za-z]/g

const oneLine = (text: string): string => plain(text.replace(ansi, "").replace(/\s+/g, " ").trim())

const nameOf = (error: unknown): string => {
  if (typeof error === "object" && error !== null && "_tag" in error) return String(error._tag)
  return error instanceof Error ? error.name : "Error"
}

const messageOf = (error: unknown): string => {
  if (typeof error === "object" && error !== null && "message" in error) return String(error.message)
  return String(error)
}

/** `ErrorName: message; what to do`. */
const failureLine = (error: unknown): string => {
  const name = nameOf(error)
  const hint = error instanceof StoreFileRefused && error.reason === "inaccessible" ? folderAdvice : advice[name]
  const message = messageOf(error).replace(/[.;\s]+$/, "")
  return oneLine(`${name}: ${message}${hint === undefined ? "" : `; ${hint}`}`)
}

/** The most characters of something that was given and is repeated, in whatever words. */
const repeatedMax = 400

/** A text without its middle where it is long: at its ends it says what is wrong. */
const withoutMiddle = (text: string): string =>
  text.length <= repeatedMax ? text : `${text.slice(0, repeatedMax / 2)} … ${text.slice(-repeatedMax / 2)}`

const usageLine = (command: string, error: ValidationError.ValidationError): string => {
  const text = oneLine(HelpDoc.toAnsiText(error.error)).replace(/[.;\s]+$/, "")
  return `UsageError: ${withoutMiddle(text)}; see ${command} --help`
}

/** What a relative path begins with is not there: Node.js throws then, wherever one is asked for. */
const isFolderGone = (defect: unknown): boolean =>
  defect instanceof Error && "syscall" in defect && defect.syscall === "uv_cwd"

/** What is wrong with variables of the environment, one after the other. */
const variableLines = (error: ConfigError.ConfigError): ReadonlyArray<string> =>
  error._op === "And"
    ? [...variableLines(error.left), ...variableLines(error.right)]
    : error._op === "InvalidData"
      ? [`${error.path.join(".")} ${error.message}`]
      : [String(error)]

/** What is wrong with the settings, if that is what is wrong. */
const settingLines = (error: unknown): ReadonlyArray<string> => {
  const lines =
    error instanceof StoreConfig.InvalidConfig
      ? error.problems.map(({ key, problem, value }) => `${key} is ${value}: ${problem}`)
      : ConfigError.isConfigError(error)
        ? variableLines(error)
        : []
  return lines.map(line => `UsageError: ${withoutMiddle(oneLine(line))}; correct the environment`)
}

/** Why a command line is not even read that @effect/cli would take. */
const refusal = (words: ReadonlyArray<string>, canAsk: boolean): string | undefined => {
  const bare = withoutValue(words)
  if (bare !== undefined) return `${bare} needs a value that is not empty`
  const odd = withoutTruth(words)
  if (odd !== undefined) return `${odd} is neither yes nor no`
  return words.includes("--wizard") && !canAsk
    ? "--wizard asks what it needs to know, and there is no terminal to ask on"
    : undefined
}

/** The words up to the first option: what `--help` is to be asked about. */
const commandWords = (name: string, words: ReadonlyArray<string>, known: ReadonlySet<string>): string => {
  const first = words[0]
  return first !== undefined && known.has(first) ? `${name} ${first}` : name
}

/**
 * Runs a command; `argv` is a process's, its first two entries being the program. Never fails: the outcome is the exit code.
 *
 * @since 0.1.0
 * @category running
 */
export const run = <Name extends string, R, E, A>(
  command: Command.Command<Name, R, E, A>,
  argv: ReadonlyArray<string>
): Effect.Effect<number, never, Exclude<R, never> | Stdio | CliApp.CliApp.Environment> =>
  Effect.gen(function* () {
    const stdio = yield* Stdio
    const console = yield* Effect.console
    const name = Array.from(Command.getNames(command))[0] ?? "reckon"
    const known = new Set(Array.from(Command.getSubcommands(command), ([subcommand]) => subcommand))

    // While it reads the command line, @effect/cli prints help through the console, always coloured, and errors as paragraphs.
    // Help shall be plain where nobody looks at it, and an error shall be one line. The command itself gets the console as it was.
    const parsing: Console.Console = {
      ...console,
      log: (...values) =>
        Effect.suspend(() => {
          const text = values.map(String).join(" ")
          return Effect.ignore(stdio.out(`${(stdio.outIsTerminal ? text : text.replace(ansi, "")).trim()}\n`))
        }),
      error: () => Effect.void
    }
    const parseAndRun = Command.run(
      Command.transformHandler(command, handler => Effect.withConsole(handler, console)),
      { name, version }
    )
    const words = spelledOut(argv.slice(2))
    const refused = refusal(words, stdio.inIsTerminal && stdio.outIsTerminal)
    const outcome = yield* (
      refused === undefined ? parseAndRun([...argv.slice(0, 2), ...words]) : Effect.fail(usage(refused))
    ).pipe(Effect.withConsole(parsing), Effect.exit)

    if (Exit.isSuccess(outcome)) return 0
    const failure = Cause.failureOption(outcome.cause)
    if (Option.isNone(failure)) {
      if (Cause.isInterruptedOnly(outcome.cause)) return yield* Effect.interrupt
      const defect = Cause.squash(outcome.cause)
      if (isFolderGone(defect)) {
        yield* stdio.err("FolderGone: the folder this was started in is not there any more; go to another one\n")
        return 1
      }
      yield* stdio.err(
        `${oneLine(`InternalError: ${messageOf(defect)}`)}; this is a fault in reckon, please report it\n`
      )
      return 1
    }
    const error: unknown = failure.value
    if (error instanceof OutputClosed) return 0
    if (ValidationError.isValidationError(error)) {
      yield* stdio.err(`${usageLine(commandWords(name, words, known), error)}\n`)
      return 2
    }
    const settings = settingLines(error)
    if (settings.length > 0) {
      for (const line of settings) yield* stdio.err(`${line}\n`)
      return 2
    }
    yield* stdio.err(`${failureLine(error)}\n`)
    return 1
  }).pipe(Effect.provide([stderrLogger, spelling]))

/** As it is written: @effect/cli would find `--EXPECT 7` to be `--expect` and then lose it, and what was to be done under a condition would be done without one. */
const spelling = CliConfig.layer({ isCaseSensitive: true })

/** Results own standard output, so logs go to standard error. */
const stderrLogger = Logger.replace(Logger.defaultLogger, Logger.withConsoleError(Logger.logfmtLogger))

/**
 * {@link run} for a whole process: its arguments, its streams, its exit code. SIGINT and SIGTERM interrupt the command, which then ends in good
 * order and with the code it has chosen for that, 130 unless said.
 *
 * @since 0.1.0
 * @category running
 */
export const runMain = <Name extends string, E, A>(
  command: Command.Command<Name, Stdio | CliApp.CliApp.Environment, E, A>
): void => {
  let interruptedWith = 130
  const stdio = layerProcess(code => {
    interruptedWith = code
  })
  NodeRuntime.runMain(run(command, process.argv).pipe(Effect.provide(Layer.merge(NodeContext.layer, stdio))), {
    disableErrorReporting: true,
    disablePrettyLogger: true,
    teardown: (exit, onExit) => {
      if (Exit.isSuccess(exit)) return onExit(typeof exit.value === "number" ? exit.value : 0)
      onExit(Cause.isInterruptedOnly(exit.cause) ? interruptedWith : 1)
    }
  })
}
