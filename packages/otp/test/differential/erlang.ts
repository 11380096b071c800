/**
 * An Erlang runtime that plays the other side: a term a line to its standard input, the lines up to a full stop from its output.
 */
import { type ChildProcessByStdio, spawn, spawnSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import * as path from "node:path"
import { createInterface } from "node:readline"
import type { Readable, Writable } from "node:stream"
import { Effect, type Scope } from "effect"

const sources = ["otp_differential.erl", "otp_differential_actors.erl", "otp_differential_servers.erl"].map(file =>
  path.join(import.meta.dirname, file)
)

/** Asks for what a move leads to. */
export type Erlang = (question: object) => Promise<ReadonlyArray<string>>

/** Whether there is an Erlang on the PATH. */
export const isInstalled = (): boolean => spawnSync("erlc", ["--help"], { stdio: "ignore" }).error === undefined

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(path.join(tmpdir(), "otp-differential-"))),
  made => Effect.sync(() => rmSync(made, { recursive: true, force: true }))
)

/** Compiled and started; it ends with the scope. */
export const make: Effect.Effect<Erlang, never, Scope.Scope> = Effect.gen(function* () {
  const beams = yield* folder
  const compiled = spawnSync("erlc", ["-o", beams, ...sources], { encoding: "utf8" })
  if (compiled.status !== 0) return yield* Effect.dieMessage(`erlc: ${compiled.stdout}${compiled.stderr}`)
  const runtime = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn("erl", ["+S", "1", "-noshell", "-pa", beams, "-s", "otp_differential", "main"], {
        stdio: ["pipe", "pipe", "inherit"],
        env: { ...process.env, ERL_CRASH_DUMP_BYTES: "0" }
      })
    ),
    child => Effect.sync(() => child.stdin.end())
  )
  return conversation(runtime)
})

/** One question at a time. */
const conversation = (runtime: ChildProcessByStdio<Writable, Readable, null>): Erlang => {
  let lines: Array<string> = []
  let answered: ((lines: ReadonlyArray<string>) => void) | undefined
  let failed: ((error: Error) => void) | undefined
  createInterface({ input: runtime.stdout }).on("line", line => {
    if (line !== ".") {
      lines.push(line)
      return
    }
    const answer = lines
    lines = []
    answered?.(answer)
  })
  let ended: Error | undefined
  runtime.on("exit", code => {
    ended = new Error(`Erlang ended with ${code}: ${lines.join("\n")}`)
    failed?.(ended)
  })
  return question =>
    new Promise((resolve, reject) => {
      if (ended !== undefined) return reject(ended)
      answered = resolve
      failed = reject
      runtime.stdin.write(`${termOf(question)}.\n`)
    })
}

const isList = (value: object): value is ReadonlyArray<unknown> => Array.isArray(value)

const termOf = (value: unknown): string => {
  if (typeof value === "string") return `'${value}'`
  if (typeof value !== "object" || value === null) return String(value)
  if (isList(value)) return `[${value.map(termOf).join(",")}]`
  const fields = Object.entries(value).filter(([, field]) => field !== undefined)
  return `#{${fields.map(([key, field]) => `'${key}'=>${termOf(field)}`).join(",")}}`
}
