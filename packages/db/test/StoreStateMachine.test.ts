import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as LogEntry from "@reckon/raft/LogEntry"
import { MachineDamaged } from "@reckon/raft/StateMachine"
import Database from "better-sqlite3"
import * as Effect from "effect/Effect"
import * as Command from "../src/Command.js"
import * as CommitSignal from "../src/CommitSignal.js"
import * as SqliteStoreEngine from "../src/SqliteStoreEngine.js"
import { type Service, StoreFileRefused } from "../src/StoreEngine.js"
import * as StoreStateMachine from "../src/StoreStateMachine.js"
import { append, applyNext, command, event } from "./helpers/events.js"
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
  it.scoped("wakes those who wait for what its file has already, and for what an installed copy brings", () =>
    Effect.gen(function* () {
      const copy = path.join(yield* folder, "copy.db")
      yield* (yield* engineAt(5)).snapshot(copy)
      const signal = CommitSignal.make()
      const reached = (index: number) => Effect.fork(signal.awaitIndex(index, () => false))
      const [first, last] = [yield* reached(2), yield* reached(5)]
      yield* settle
      const engine = yield* engineAt(2)
      const install = installOf(engine, signal)
      yield* settle
      assert.deepStrictEqual(
        [first, last].map(fiber => fiber.unsafePoll() !== null),
        [true, false]
      )
      yield* install(copy)
      yield* settle
      assert.isNotNull(last.unsafePoll())
      assert.strictEqual(engine.appliedIndex(), 5)
    })
  )

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
