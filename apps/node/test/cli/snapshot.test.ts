import { assert, describe, it } from "@effect/vitest"
import { Snapshot } from "@reckon/client"
import * as Effect from "effect/Effect"
import { jsonLines, reckon } from "./helpers/reckon.js"
import { assertFailure, setUp } from "./helpers/setUp.js"

/** Snapshots of a stream, of versions 1 to `count`. */
const setUpSnapshots = (count: number) =>
  Effect.gen(function* () {
    const cluster = yield* setUp
    const snapshots = yield* Effect.forEach(Array.from({ length: count }), (_, at) =>
      Effect.map(
        Snapshot.json({ streamId: "a", version: at + 1, data: { n: at }, ...(at === 0 ? { metadata: [1] } : {}) }),
        snapshot => ({ ...snapshot, epochUs: 1_000_000 * at })
      )
    )
    cluster.store.snapshots.set("a", snapshots)
    const run = (...args: ReadonlyArray<string>) => reckon(["snapshot", ...args, ...cluster.at])
    return { ...cluster, run }
  })

const versions = (values: ReadonlyArray<unknown>) => values.map(value => (value as { version: number }).version)

describe("snapshot", () => {
  it.scopedLive("list prints each without its contents, over as many pages as it takes", () =>
    Effect.gen(function* () {
      const { run } = yield* setUpSnapshots(12)
      const json = yield* run("list", "a", "--json")
      assert.deepStrictEqual(jsonLines(json)[1], { streamId: "a", version: 2, epochUs: 1_000_000, bytes: 7 })
      assert.deepStrictEqual(versions(jsonLines(json)), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
      const plain = yield* run("list", "a")
      assert.strictEqual(plain.out.split("\n")[1], "a@2  1970-01-01T00:00:01.000000Z  7 bytes")
      assert.deepStrictEqual(yield* run("list", "b"), { code: 0, out: "", err: "" })
    })
  )

  it.scopedLive("load prints the latest, or that of one version", () =>
    Effect.gen(function* () {
      const { run } = yield* setUpSnapshots(3)
      const latest = yield* run("load", "a")
      assert.deepStrictEqual(latest, { code: 0, out: 'a@3  1970-01-01T00:00:02.000000Z  {"n":2}\n', err: "" })
      const first = yield* run("load", "a", "--at", "1", "--json")
      assert.deepStrictEqual(jsonLines(first), [
        { streamId: "a", version: 1, data: { n: 0 }, metadata: [1], epochUs: 0 }
      ])
      const none = yield* run("load", "a", "--at", "7")
      assertFailure(none, 1, 'SnapshotNotFound: there is no snapshot of stream "a" at version 7; `reckon snapshot list')
      assertFailure(yield* run("load", "b"), 1, 'SnapshotNotFound: there is no snapshot of stream "b"; ')
    })
  )

  it.scopedLive("delete takes away one or all, and succeeds where there is none", () =>
    Effect.gen(function* () {
      const { run, store } = yield* setUpSnapshots(3)
      const one = yield* run("delete", "a", "--at", "2")
      assert.deepStrictEqual(one, { code: 0, out: "a: it has no snapshot of version 2 now\n", err: "" })
      assert.deepStrictEqual(versions(store.snapshotsOf("a")), [1, 3])
      const again = yield* run("delete", "a", "--at", "2", "--json")
      assert.deepStrictEqual(jsonLines(again), [{ streamId: "a", version: 2 }])
      assert.strictEqual((yield* run("delete", "a", "--all")).out, "a: it has no snapshots now\n")
      assert.deepStrictEqual(store.snapshotsOf("a"), [])
    })
  )

  it.effect("refuses what makes no sense, with exit code 2 and one line", () =>
    Effect.gen(function* () {
      const wrong: ReadonlyArray<readonly [ReadonlyArray<string>, string]> = [
        [["list"], "<STREAM>"],
        [["load", "a", "--at", "last"], "--at is 'last'"],
        [["delete", "a"], "exactly one of --at VERSION and --all"],
        [["delete", "a", "--all", "--at", "1"], "exactly one of --at VERSION and --all"],
        [["save", "a"], "Invalid subcommand"]
      ]
      for (const [args, says] of wrong) {
        const outcome = yield* reckon(["snapshot", ...args])
        assertFailure(outcome, 2, "UsageError: ")
        assert.include(outcome.err, says)
      }
    })
  )
})
