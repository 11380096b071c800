/** What a command's exit code says of one that did not get to its end. */
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import { createServer } from "node:net"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as ProcessCluster from "@reckon/testkit/ProcessCluster"
import * as Effect from "effect/Effect"
import { setUp } from "../cli/helpers/setUp.js"
import { program } from "../program.js"

interface Ended {
  readonly code: number | null
  readonly err: string
}

/** The command in a process of its own, whose files may have so many blocks of 512 bytes. */
const running = (
  args: ReadonlyArray<string>,
  settings: { readonly out: number | "ignore"; readonly fileBlocksMax?: number }
) =>
  Effect.gen(function* () {
    const limit = settings.fileBlocksMax === undefined ? "" : `ulimit -f ${settings.fileBlocksMax}; `
    const child = yield* Effect.acquireRelease(
      Effect.sync(() =>
        spawn("sh", ["-c", `${limit}exec "$@"`, "sh", process.execPath, program, ...args], {
          stdio: ["ignore", settings.out, "pipe"]
        })
      ),
      child => Effect.sync(() => child.kill("SIGKILL"))
    )
    let err = ""
    child.stderr?.on("data", data => {
      err += String(data)
    })
    const ended = Effect.async<Ended>(resume => {
      child.once("close", code => resume(Effect.succeed({ code, err })))
    })
    return { child, ended }
  })

/** A node that takes connections and says nothing; it tells of the first of them. */
const silentNode = Effect.gen(function* () {
  const server = createServer()
  const asked = Effect.async<void>(resume => {
    server.once("connection", () => resume(Effect.void))
  })
  const port = yield* Effect.acquireRelease(
    Effect.async<number>(resume => {
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        resume(Effect.succeed(typeof address === "object" ? (address?.port ?? 0) : 0))
      })
    }),
    () => Effect.sync(() => server.close())
  )
  return { asked, at: ["--endpoint", `127.0.0.1:${port}`] }
})

describe("a command that is told to end", () => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    it.scopedLive(`by ${signal} has not done what it was to do, and does not say it has`, () =>
      Effect.gen(function* () {
        const { asked, at } = yield* silentNode
        const { child, ended } = yield* running(["append", "s", "--type", "T", "--data", "1", ...at], { out: "ignore" })
        yield* asked
        child.kill(signal)
        assert.strictEqual((yield* ended).code, 130)
      })
    )
  }

  it.scopedLive("and goes on until then has done all it was to do", () =>
    Effect.gen(function* () {
      const { asked, at } = yield* silentNode
      const { child, ended } = yield* running(["subscribe", "--all", ...at], { out: "ignore" })
      yield* asked
      child.kill("SIGINT")
      assert.deepStrictEqual(yield* ended, { code: 0, err: "" })
    })
  )
})

describe("output that does not fit where it goes", () => {
  it.scopedLive("is an operation that failed, also where the beginning of its last part fits", () =>
    Effect.gen(function* () {
      const { append, at } = yield* setUp
      yield* append("a", 5)
      const folder = yield* ProcessCluster.temporaryFolder
      const out = yield* Effect.acquireRelease(
        Effect.sync(() => fs.openSync(path.join(folder, "events.ndjson"), "w")),
        fd => Effect.sync(() => fs.closeSync(fd))
      )
      const { ended } = yield* running(["read-all", "--json", ...at], { out, fileBlocksMax: 1 })
      const { code, err } = yield* ended
      assert.strictEqual(code, 1)
      assert.match(err, /^OutputFailed: standard output cannot be written: EFBIG[^\n]*\n$/)
    })
  )
})
