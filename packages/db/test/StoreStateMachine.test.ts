import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as LogEntry from "@reckon/raft/LogEntry"
import { Database } from "@reckon/raft/Sqlite"
import { MachineDamaged } from "@reckon/raft/StateMachine"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Command from "../src/Command.js"
import * as CommitSignal from "../src/CommitSignal.js"
import * as SqliteStoreEngine from "../src/SqliteStoreEngine.js"
import { type Service, StoreFileRefused } from "../src/StoreEngine.js"
import * as StoreStateMachine from "../src/StoreStateMachine.js"
import {
  append,
  applyNext,
  batch,
  command,
  deleteSnapshots,
  deleteStream,
  event,
  saveSnapshot,
  setMetadata,
  snapshot
} from "./helpers/events.js"
import { folder, settle } from "./helpers/processes.js"

/** An engine in memory to which so many entries are applied. */
const engineAt = (index: number) =>
  Effect.map(SqliteStoreEngine.make({ filename: ":memory:" }), engine => {
    for (let n = 1; n <= index; n++) applyNext(engine, append("a", "any", event(n)))
    return engine
  })

const installOf = (engine: Service, signal: CommitSignal.CommitSignal) => {
  const { install } = StoreStateMachine.make(engine, signal)
  return install ?? assert.fail("a store takes copies of itself")
}

describe("the state machine of a store", () => {
  it.scoped(
    "knows what it could not apply before it is in the log, and makes nothing of what announces more than it holds",
    () =>
      Effect.gen(function* () {
        const { unreadable } = StoreStateMachine.make(yield* engineAt(0), CommitSignal.make())
        assert(unreadable !== undefined)
        const { at, operations } = command(1, append("a", "any", event(1)), append("b", 3, event(2), event(3)))
        const good = Command.encode({
          at,
          operations: [...operations, deleteStream("b"), setMetadata("a", { maxCount: 5 })]
        })
        assert.isUndefined(unreadable(good))
        const [format = 0] = good
        // Thirty million elements, fifty times within each other.
        const arrays = Array.from({ length: 50 }, () => [0xdd, 0x01, 0xc9, 0xc3, 0x80]).flat()
        for (const bytes of [[], [format], [1, 2, 3, 4], [255, 0x90], [format, ...arrays], [...good.slice(0, -1)]]) {
          assert.match(unreadable(Uint8Array.from(bytes)) ?? "", /^not a readable command/, String(bytes.slice(0, 20)))
        }
      })
  )

  it.scoped("wakes all when it starts, and for an installed copy, in which anything may have happened", () =>
    Effect.gen(function* () {
      const copy = path.join(yield* folder, "copy.db")
      yield* (yield* engineAt(5)).snapshot(copy)
      const signal = CommitSignal.make()
      const { begin, news } = yield* signal.follow("a")
      const engine = yield* engineAt(2)
      const install = installOf(engine, signal)
      yield* news
      begin()
      const waiting = yield* Effect.fork(news)
      yield* settle
      assert.isNull(waiting.unsafePoll())
      yield* install(copy)
      yield* Fiber.join(waiting)
      assert.strictEqual(engine.appliedIndex(), 5)
    })
  )

  for (const [what, told, operation] of [
    ["an append, each of its streams", ["a", "b"], batch(append("a", "any", event(1)), append("b", "any", event(2)))],
    ["a deletion, its stream", ["a"], deleteStream("a")],
    ["metadata, its stream", ["a"], setMetadata("a", { maxCount: 1 })],
    ["a snapshot, none", [], saveSnapshot(snapshot("a", 0))],
    ["a snapshot's deletion, none", [], deleteSnapshots("a")]
  ] as const) {
    it.scoped(`wakes for ${what}`, () =>
      Effect.gen(function* () {
        const signal = CommitSignal.make()
        const woken: Array<string> = []
        const { apply } = StoreStateMachine.make(yield* engineAt(0), signal)
        for (const streamId of ["a", "b", "c"]) {
          const { news } = yield* signal.follow(streamId)
          yield* Effect.forkScoped(Effect.andThen(news, () => woken.push(streamId)))
        }
        yield* settle
        const payload = Command.encode({ at: 1, operations: [operation] })
        apply([
          { index: 1, term: 1, kind: "noop", payload: new Uint8Array(0) },
          { index: 2, term: 1, kind: "command", payload }
        ])
        yield* settle
        assert.deepStrictEqual(woken.sort(), [...told])
      })
    )
  }

  it.scoped("says of a copy whether it is damaged, of another release, or could not be had", () =>
    Effect.gen(function* () {
      const file = path.join(yield* folder, "copy.db")
      const reasonOf = (engine: Service) =>
        Effect.map(Effect.flip(installOf(engine, CommitSignal.make())(file)), ({ filename, reason }) => [
          filename,
          reason
        ])
      const engine = yield* engineAt(1)
      fs.writeFileSync(file, "no store at all, however long it may be")
      assert.deepStrictEqual(yield* reasonOf(engine), [file, "damaged"])
      fs.rmSync(file)
      yield* (yield* engineAt(2)).snapshot(file)
      const db = new Database(file)
      db.pragma("user_version = 999")
      db.close()
      assert.deepStrictEqual(yield* reasonOf(engine), [file, "unsupported"])
      for (const reason of ["in_use", "inaccessible"] as const) {
        const refused = new StoreFileRefused({ filename: file, reason, detail: "not now" })
        assert.deepStrictEqual(yield* reasonOf({ ...engine, install: () => Effect.fail(refused) }), [file, "io"])
      }
    })
  )

  it.scoped("applies what comes before an entry that a later release has written, and says that it cannot go on", () =>
    Effect.gen(function* () {
      const engine = yield* engineAt(1)
      const { apply } = StoreStateMachine.make(engine, CommitSignal.make())
      const readable = LogEntry.command(2, 1, Command.encode(command(2, append("a", "any", event(2)))))
      const later = LogEntry.command(3, 1, new Uint8Array([99, 0x92, 1, 2]))
      for (const entries of [[readable, later], [later]]) {
        const failure = yield* Effect.flip(Effect.try({ try: () => apply(entries), catch: cause => cause }))
        assert.instanceOf(failure, MachineDamaged)
        assert.include(String(failure), "entry 3")
        assert.include(String(failure), "it is in format 99")
        assert.include(String(failure), "later release")
      }
      assert.strictEqual(engine.appliedIndex(), 2)
    })
  )
})
