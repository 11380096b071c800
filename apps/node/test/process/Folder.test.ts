import { spawnSync } from "node:child_process"
import { assert, describe, it } from "@effect/vitest"
import * as ProcessCluster from "@reckon/testkit/ProcessCluster"
import * as Effect from "effect/Effect"
import { program } from "../program.js"

describe("a folder that is taken away", () => {
  it.scopedLive("is told of where a command needs it", () =>
    Effect.gen(function* () {
      const folder = yield* ProcessCluster.temporaryFolder
      const basePort = yield* ProcessCluster.freeBasePort
      const script = 'mkdir "$0/here" && cd "$0/here" && rmdir "$0/here" && exec "$@"'
      const command = [process.execPath, program, "cluster", "start", "--base-port", `${basePort}`]
      const { status, stderr, stdout } = spawnSync("sh", ["-c", script, folder, ...command], { encoding: "utf8" })
      assert.strictEqual(status, 1)
      assert.strictEqual(stdout, "")
      assert.match(stderr, /^FolderGone: [^\n]+; go to another one\n$/)
    })
  )
})
