/**
 * The streams a command reads and writes. Results go to `out` and nothing else does; everything meant for a person's eye goes to `err`.
 *
 * @since 0.1.0
 */
import * as fs from "node:fs"
import { isatty } from "node:tty"
import * as NodeStream from "@effect/platform-node/NodeStream"
import { StoreError } from "@reckon/client"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as SystemError from "../../SystemError.js"

/**
 * Whoever read the output has stopped reading, as `head` does. Not a failure: the command just ends.
 *
 * @since 0.1.0
 * @category errors
 */
export class OutputClosed extends Data.TaggedError("OutputClosed") {}

/**
 * The output cannot be kept where it goes, on a disk that is full say: what is there is not all of it.
 *
 * @since 0.1.0
 * @category errors
 */
export class OutputFailed extends Data.TaggedError("OutputFailed")<{ readonly detail: string }> {
  override get message() {
    return `standard output cannot be written: ${this.detail}`
  }
}

/**
 * @since 0.1.0
 * @category tags
 */
export class Stdio extends Context.Tag("@reckon/node/cli/Stdio")<
  Stdio,
  {
    /** Writes text to standard output, and ends when it is taken. */
    readonly out: (text: string) => Effect.Effect<void, OutputClosed | OutputFailed>
    /** Writes text to standard error. */
    readonly err: (text: string) => Effect.Effect<void>
    readonly inIsTerminal: boolean
    readonly outIsTerminal: boolean
    readonly errIsTerminal: boolean
    /** Standard input, which can be read once. */
    readonly input: Stream.Stream<Uint8Array, StoreError.InvalidRequest>
    /** The exit code if the command is interrupted from now on; 130 unless said, for it has not done what it was to do. */
    readonly exitCodeIfInterrupted: (code: number) => Effect.Effect<void>
  }
>() {}

const inputError = (cause: unknown): StoreError.InvalidRequest =>
  new StoreError.InvalidRequest({
    message: `standard input cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`
  })

/**
 * All of standard input as text, refused when it is longer than so many bytes.
 *
 * @since 0.1.0
 * @category reading
 */
export const readText = (
  bytesMax: number
): Effect.Effect<string, StoreError.RequestTooLarge | StoreError.InvalidRequest, Stdio> =>
  Effect.gen(function* () {
    const { input } = yield* Stdio
    const pieces: Array<Uint8Array> = []
    let bytes = 0
    yield* Stream.runForEach(input, piece => {
      pieces.push(piece)
      bytes += piece.length
      return bytes <= bytesMax ? Effect.void : new StoreError.RequestTooLarge({ bytes, limitBytes: bytesMax })
    })
    return yield* Effect.try({
      try: () => new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(pieces, bytes)),
      catch: () => new StoreError.InvalidRequest({ message: "standard input is not UTF-8 text" })
    })
  })

const outputError = (cause: unknown): OutputClosed | OutputFailed => {
  const code = SystemError.codeOf(cause)
  return code === "EPIPE" || code === "ERR_STREAM_DESTROYED"
    ? new OutputClosed()
    : new OutputFailed({ detail: cause instanceof Error ? cause.message : String(cause) })
}

/**
 * Asked in bigints, which have a place of their own: where the numbers of the last look are those of a pipe, Node.js takes the next path that it follows for one, follows no link on it, and the modules that are loaded
 * later are not found (`realpathSync` of Node.js 20 and 22).
 */
const isFile = (fd: number): boolean => {
  try {
    return fs.fstatSync(fd, { bigint: true }).isFile()
  } catch {
    // One that is not open is no file.
    return false
  }
}

/**
 * Whether the stream has been closed from the other side. The listener stays for the life of the process: without one, what is still on its
 * way could end it with a stack trace.
 */
const watch = (stream: NodeJS.WriteStream): (() => boolean) => {
  let closed = false
  stream.on("error", () => {
    closed = true
  })
  return () => closed
}

/**
 * The streams of this process. `onExitCode` hears of the exit code chosen for an interruption.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerProcess = (onExitCode: (code: number) => void): Layer.Layer<Stdio> =>
  Layer.sync(Stdio, () => {
    const outClosed = watch(process.stdout)
    const outIsFile = isFile(process.stdout.fd)
    const errClosed = watch(process.stderr)
    return Stdio.of({
      out: text =>
        outIsFile
          ? // The stream takes a text for written of which only the beginning had room.
            Effect.try({ try: () => fs.writeFileSync(process.stdout.fd, text), catch: outputError })
          : Effect.async<void, OutputClosed | OutputFailed>(resume => {
              if (outClosed()) return resume(new OutputClosed())
              process.stdout.write(text, error => resume(error ? outputError(error) : Effect.void))
            }),
      err: text =>
        Effect.async<void>(resume => {
          if (errClosed()) return resume(Effect.void)
          process.stderr.write(text, () => resume(Effect.void))
        }),
      inIsTerminal: isatty(0),
      outIsTerminal: process.stdout.isTTY === true,
      errIsTerminal: process.stderr.isTTY === true,
      input: Stream.suspend(() => NodeStream.fromReadable(() => process.stdin, inputError)),
      exitCodeIfInterrupted: code => Effect.sync(() => onExitCode(code))
    })
  })
