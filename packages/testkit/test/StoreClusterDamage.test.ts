/** A node whose file of a store is damaged where an append needs it: it takes no part, says why, and the others go on. */
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Event from "@reckon/client/Event"
import * as ProcessCluster from "@reckon/testkit/ProcessCluster"
import * as StoreCluster from "@reckon/testkit/StoreCluster"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Schedule from "effect/Schedule"

const written = Event.json({ type: "Written", data: { fill: "x".repeat(200) } })

const pageBytes = 4096
/** How the leaf of an index begins. */
const indexLeaf = 0x0a

/** Writes nonsense over the leaves of all indexes. */
const harm = (filename: string): void => {
  const bytes = fs.readFileSync(filename)
  for (let at = pageBytes; at < bytes.length; at += pageBytes) {
    if (bytes[at] === indexLeaf) bytes.fill(0xa5, at, at + pageBytes)
  }
  fs.writeFileSync(filename, bytes)
}

/** The node with the bad disk. */
const bad = "n1"

/** A cluster of nodes with something in their files, of which one is damaged. */
const withDamage = <A, E, R>(test: (cluster: StoreCluster.Service, folder: string) => Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const logged: Array<string> = []
    const log = Logger.replace(
      Logger.defaultLogger,
      Logger.make(({ logLevel, message }) => {
        if (LogLevel.greaterThanEqual(logLevel, LogLevel.Warning)) logged.push(`${logLevel.label} ${String(message)}`)
      })
    )
    const dataDir = yield* ProcessCluster.temporaryFolder
    const onCluster = <A, E, R>(use: (cluster: StoreCluster.Service) => Effect.Effect<A, E, R>) =>
      Effect.flatMap(StoreCluster.make({ dataDir, settings: { timeout: "1 second" } }), use).pipe(
        Effect.scoped,
        StoreCluster.whileTimePasses,
        Effect.provide(log)
      )
    yield* onCluster(cluster =>
      Effect.gen(function* () {
        const store = yield* cluster.client()
        yield* store.append("a", "no_stream", yield* Effect.all(Array.from({ length: 100 }, () => written)))
        yield* cluster.settled
      })
    )
    const folder = path.join(dataDir, bad, "stores", "default")
    harm(path.join(folder, "events.sqlite"))
    yield* onCluster(cluster => Effect.zipRight(cluster.settled, test(cluster, folder)))
    return logged
  })

const statusOf = (cluster: StoreCluster.Service, node: string) =>
  Effect.map(cluster.statuses, all => all.find(status => status.node === node) ?? assert.fail(`${node} is down`))

/** What must hold once an append has met the damage. */
const takesNoPart = (cluster: StoreCluster.Service, folder: string) =>
  Effect.gen(function* () {
    const others = cluster.nodes.filter(node => node !== bad)
    const leader = yield* cluster.leader
    assert.include(others, leader)
    const store = yield* cluster.client({ first: leader })
    for (let version = 101; version < 110; version++) {
      assert.strictEqual((yield* store.append("a", "any", [yield* written])).version, version)
    }
    assert.strictEqual(yield* cluster.leader, leader)
    const status = yield* statusOf(cluster, bad)
    assert.deepInclude(status, { role: "follower", leader: null, healthy: false })
    assert.include(status.problem ?? "", `${folder}/events.sqlite is damaged`)
    assert.include(status.problem ?? "", "SQLITE_CORRUPT")
    assert.include(status.problem ?? "", `move the folder ${folder} away`)
    // Whoever asks that node is told the same, and its client another one.
    const here = yield* cluster.embedded(bad)
    for (const error of [
      yield* Effect.flip(here.append("b", "any", [yield* written])),
      yield* Effect.flip(here.read("a"))
    ]) {
      assert.strictEqual(error._tag, "NoQuorum")
      assert.include(error.message, `${folder}/events.sqlite is damaged`)
    }
    const through = yield* cluster.client({ first: bad })
    assert.strictEqual((yield* through.append("c", "any", [yield* written])).version, 0)
    return status.problem
  })

describe("a node whose file is damaged where an append needs it", () => {
  it.scoped("takes no part any more where it led, and another leads", () =>
    Effect.gen(function* () {
      const logged = yield* withDamage((cluster, folder) =>
        Effect.gen(function* () {
          if ((yield* cluster.leader) !== bad) yield* cluster.transfer(bad)
          const store = yield* cluster.client()
          const { version } = yield* store.append("a", "any", [yield* written])
          assert.strictEqual(version, 100)
          yield* takesNoPart(cluster, folder)
        })
      )
      assert.lengthOf(logged, 1, logged.join("\n"))
      assert.match(logged[0] ?? "", /^ERROR .*is damaged/)
    })
  )

  it.scoped("takes no part any more where it followed, until its folder is put away and it is sent everything", () =>
    Effect.gen(function* () {
      const logged = yield* withDamage((cluster, folder) =>
        Effect.gen(function* () {
          if ((yield* cluster.leader) === bad) yield* cluster.transfer("n2")
          const store = yield* cluster.client()
          yield* store.append("a", "any", [yield* written])
          const problem = yield* takesNoPart(cluster, folder)
          yield* cluster.kill(bad)
          yield* cluster.restart(bad)
          const again = yield* statusOf(cluster, bad).pipe(
            Effect.filterOrFail(status => status.problem !== null),
            Effect.retry(Schedule.spaced("100 millis"))
          )
          assert.strictEqual(again.problem, problem)
          yield* cluster.kill(bad)
          fs.renameSync(folder, `${folder}.away`)
          yield* cluster.restart(bad)
          yield* cluster.settled
          assert.strictEqual(yield* (yield* cluster.embedded(bad)).getVersion("a"), 109)
        })
      )
      // Besides, a supervisor reports each kill.
      const told = logged.filter(line => line !== "ERROR supervisor report")
      assert.lengthOf(told, 2, logged.join("\n"))
      for (const line of told) assert.match(line, /^ERROR .*is damaged/)
    })
  )
})
