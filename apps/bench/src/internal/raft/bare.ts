/** The limit: what SQLite and the disk take if nothing stands before them. One thread, one synced transaction for all that is in flight. */

import * as path from "node:path"
import { Database } from "@reckon/raft/Sqlite"
import * as ProcessCluster from "@reckon/testkit/ProcessCluster"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { makePayload } from "./sizes.js"
import { measure, type Subject } from "./subject.js"

export const make: Effect.Effect<Subject<never>, never, Scope.Scope> = Effect.gen(function* () {
  const folder = yield* ProcessCluster.temporaryFolder
  const database = yield* Effect.acquireRelease(
    Effect.sync(() => new Database(path.join(folder, "bare.sqlite"))),
    opened => Effect.sync(() => opened.close())
  )
  // The settings of `RaftLog`, with nothing but the payload in the table.
  database.pragma("locking_mode = EXCLUSIVE")
  database.pragma("journal_mode = WAL")
  database.pragma("synchronous = FULL")
  database.pragma("wal_autocheckpoint = 4000")
  database.exec("CREATE TABLE log (idx INTEGER PRIMARY KEY, payload BLOB NOT NULL) STRICT")
  const insert = database.prepare("INSERT INTO log (payload) VALUES (?)")
  const commit = database.transaction((count: number) => {
    for (let i = 0; i < count; i++) insert.run(makePayload())
  })
  return {
    title: "bare SQLite, one commit for all",
    measure: inFlight =>
      Effect.map(
        measure(
          1,
          Effect.sync(() => commit.immediate(inFlight))
        ),
        commits => ({
          ...commits,
          perSecond: commits.perSecond * inFlight
        })
      )
  }
})
