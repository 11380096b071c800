/**
 * The promise of the store on real processes: an import goes on while leader after leader is killed, and afterwards every row is there once, in order, on every
 * node, also after a restart of the whole cluster.
 */

import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Client from "@reckon/client/Client"
import * as Event from "@reckon/client/Event"
import * as ProcessCluster from "@reckon/testkit/ProcessCluster"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { program } from "../program.js"

const cases = 300
const rowsPerCase = 20
const rows = cases * rowsPerCase

/** Rows of different cases interleaved, with cells that need quoting, so that both order and content are put to the test. */
const writeCsv = (file: string) => {
  const lines = ["case,step,note,activity"]
  for (let step = 0; step < rowsPerCase; step++) {
    for (let at = 0; at < cases; at++) lines.push(`case-${at},${step},"note ""${step}"", of ${at}",did ${step % 7}`)
  }
  fs.writeFileSync(file, `${lines.join("\n")}\n`)
}

/** Every event that one node holds by itself, checked for order, density and content. */
const checkNode = (endpoint: string) =>
  Effect.gen(function* () {
    const client = yield* Client.make({ endpoints: [endpoint] })
    const events = yield* Stream.runCollect(client.readAllStream()).pipe(Effect.map(chunk => [...chunk]))
    assert.strictEqual(events.length, rows)
    assert.strictEqual(new Set(events.map(event => event.eventId)).size, rows)
    const versions = new Map<string, number>()
    for (const [at, event] of events.entries()) {
      assert.strictEqual(event.position, at)
      assert.isAtLeast(event.epochUs, events[Math.max(0, at - 1)]?.epochUs ?? 0)
      const version = (versions.get(event.streamId) ?? -1) + 1
      versions.set(event.streamId, version)
      assert.strictEqual(event.version, version)
      const name = event.streamId.replace("t-", "")
      assert.deepStrictEqual(yield* Event.decodeData(event), {
        case: name,
        step: `${version}`,
        note: `note "${version}", of ${name.replace("case-", "")}`,
        activity: `did ${version % 7}`
      })
    }
    assert.strictEqual(versions.size, cases)
    return events.map(event => event.eventId)
  }).pipe(Effect.scoped)

const checkAllNodes = (cluster: ProcessCluster.ProcessCluster) =>
  Effect.gen(function* () {
    const [first, ...others] = yield* Effect.forEach(cluster.endpoints, checkNode)
    for (const other of others) assert.deepStrictEqual(other, first)
  })

const killLeader = (cluster: ProcessCluster.ProcessCluster, afterPosition: number) =>
  Effect.gen(function* () {
    const leader = yield* cluster.settled.pipe(
      Effect.repeat({ until: status => status.lastPosition >= afterPosition, schedule: Schedule.spaced("50 millis") }),
      Effect.zipRight(cluster.settled)
    )
    process.kill(leader.pid, "SIGKILL")
    return leader
  })

describe("three nodes as real processes", () => {
  it("an import survives two leaders killed one after the other", { timeout: 180_000 }, () =>
    Effect.gen(function* () {
      const folder = yield* ProcessCluster.temporaryFolder
      const file = path.join(folder, "rows.csv")
      writeCsv(file)
      const where = { program, basePort: yield* ProcessCluster.freeBasePort, dataDir: path.join(folder, "data") }
      const importFile = (cluster: ProcessCluster.ProcessCluster) =>
        ProcessCluster.run(
          program,
          [
            ...["import", file, "--stream-from", "case", "--type-from", "activity", "--stream-prefix", "t-"],
            ...["--batch", "20", "--json", "--timeout", "60"]
          ],
          { RECKON_ENDPOINTS: cluster.endpoints.join(",") }
        )

      yield* Effect.scoped(
        Effect.gen(function* () {
          const cluster = yield* ProcessCluster.make(where)
          const importing = yield* Effect.fork(importFile(cluster))
          const first = yield* killLeader(cluster, 200)
          const second = yield* killLeader(cluster, 1000)
          assert.notStrictEqual(first.pid, second.pid)

          const imported = yield* Fiber.join(importing)
          assert.deepStrictEqual([imported.code, imported.stderr.match(/Error|Unknown/)], [0, null], imported.stderr)
          const counts: { readonly imported: number; readonly alreadyPresent: number } = JSON.parse(imported.stdout)
          assert.strictEqual(counts.imported + counts.alreadyPresent, rows)
          yield* cluster.settled
          yield* checkAllNodes(cluster)

          const again = yield* importFile(cluster)
          assert.deepStrictEqual(JSON.parse(again.stdout), { imported: 0, alreadyPresent: rows })
          assert.match(cluster.output(), /was ended by SIGKILL; starting it again/)
          assert.strictEqual(yield* cluster.interrupt, 0)
        })
      )

      yield* Effect.scoped(
        Effect.gen(function* () {
          const cluster = yield* ProcessCluster.make(where)
          yield* checkAllNodes(cluster)
        })
      )
    }).pipe(Effect.scoped, Effect.runPromise)
  )
})
