/** What becomes of a copy of a store's folder that was made while the store was open: it is whole, or it is refused. */
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as LogEntry from "@reckon/raft/LogEntry"
import { Database } from "@reckon/raft/Sqlite"
import * as Effect from "effect/Effect"
import * as Command from "../src/Command.js"
import * as OpenMark from "../src/internal/processes/openMark.js"
import { inFolder } from "../src/internal/processes/storage.js"
import type { Service } from "../src/StoreEngine.js"
import * as StoreFolder from "../src/StoreFolder.js"
import { logFrom } from "./helpers/crash.js"
import { readAll } from "./helpers/events.js"
import { folder } from "./helpers/processes.js"

const storage = (place: string) => inFolder({ place, member: "n1", voters: ["n1"], readThread: true, traceBytesMax: 0 })

type Opened = Effect.Effect.Success<ReturnType<typeof storage>["open"]>

/** Appends the entries up to this one, as a member does that has a majority at once. */
const appendThrough = ({ engine, log }: Opened, through: number, term = 1) => {
  const from = log.lastIndex() + 1
  const entries = logFrom(from, through - from + 1).map(entry => ({ ...entry, term }))
  log.stage({
    hardState: { term, votedFor: undefined },
    entries: entries.map(({ command, index }) =>
      command === null ? LogEntry.noop(index, term) : LogEntry.command(index, term, Command.encode(command))
    )
  })
  log.flush()
  engine.apply(entries)
}

const copyFiles = (from: string, to: string, names: ReadonlyArray<string>) => {
  for (const name of names) fs.copyFileSync(path.join(from, name), path.join(to, name))
}

const everything = ["events.sqlite", "events.sqlite-wal", "raft.sqlite", "raft.sqlite-wal", "open"]
const names = (mark: boolean) => everything.filter(name => mark || name !== "open")

/** A folder's store, what was appended to it up to here in the file's own -wal, and not in the file. */
const inWal = (engine: Service, beside: string) =>
  engine.snapshot === undefined ? Effect.dieMessage("an engine makes snapshots") : engine.snapshot(beside)

const openAgain = (place: string) =>
  Effect.scoped(Effect.map(storage(place).open, ({ engine }) => engine.lastPosition()))

const refusal = (place: string) =>
  Effect.map(Effect.flip(openAgain(place)), error => {
    assert.strictEqual(error._tag, "StoreFileRefused")
    return error.message
  })

describe("a copy of a folder that was made while its store was open", () => {
  it.scopedLive.each([true, false])(
    "is refused where a file and its -wal are of different moments, and again when it is tried again (with the mark: %s)",
    mark =>
      Effect.gen(function* () {
        const [place, copy, beside] = yield* Effect.all([folder, folder, folder])
        yield* Effect.scoped(
          Effect.gen(function* () {
            const opened = yield* storage(place).open
            appendThrough(opened, 50)
            opened.engine.checkpoint()
            copyFiles(place, copy, ["events.sqlite"])
            appendThrough(opened, 300)
            opened.engine.checkpoint()
            appendThrough(opened, 600)
            yield* inWal(opened.engine, path.join(beside, "copy"))
            copyFiles(
              place,
              copy,
              names(mark).filter(name => name !== "events.sqlite")
            )
          })
        )
        assert.include(yield* refusal(copy), "a copy that was made while its store was open")
        assert.include(yield* refusal(copy), "a copy that was made while its store was open")
      })
  )

  it.scopedLive("is refused where the log has a hole, however old the entries are that it lacks", () =>
    Effect.gen(function* () {
      const [place, copy] = yield* Effect.all([folder, folder])
      yield* Effect.scoped(
        Effect.gen(function* () {
          const opened = yield* storage(place).open
          appendThrough(opened, 3_000)
          opened.engine.checkpoint()
          copyFiles(place, copy, everything)
        })
      )
      // As a page of an earlier moment lacks them.
      const log = new Database(path.join(copy, "raft.sqlite"))
      log.exec("DELETE FROM entries WHERE idx BETWEEN 100 AND 900")
      log.close()
      const error = yield* Effect.flip(openAgain(copy))
      assert.strictEqual(error._tag, "RaftLogError")
      assert.include(error.message, "seems to have been made while it was open")
    })
  )

  it.scopedLive("of one moment is looked through and serves all that it has, and is no copy from then on", () =>
    Effect.gen(function* () {
      const [place, copy, beside] = yield* Effect.all([folder, folder, folder])
      const last = yield* Effect.scoped(
        Effect.gen(function* () {
          const opened = yield* storage(place).open
          appendThrough(opened, 400)
          opened.engine.checkpoint()
          appendThrough(opened, 600)
          yield* inWal(opened.engine, path.join(beside, "copy"))
          copyFiles(place, copy, everything)
          return opened.engine.lastPosition()
        })
      )
      yield* Effect.scoped(
        Effect.gen(function* () {
          const opened = yield* storage(copy).open
          assert.deepStrictEqual(
            readAll(opened.engine, 0, last + 2).events.map(({ position }) => position),
            Array.from({ length: last + 1 }, (_, position) => position)
          )
          assert.isTrue(fs.existsSync(StoreFolder.openMark(copy)))
          appendThrough(opened, 700)
        })
      )
      assert.isFalse(fs.existsSync(StoreFolder.openMark(copy)))
    })
  )
})

describe("a folder whose store was killed", () => {
  it.scopedLive("is not looked through where it lies: only a copy of it is", () =>
    Effect.gen(function* () {
      const place = yield* folder
      yield* Effect.scoped(
        Effect.gen(function* () {
          appendThrough(yield* storage(place).open, 50)
          fs.linkSync(StoreFolder.openMark(place), path.join(place, "kept"))
        })
      )
      // A scope that closes takes the mark away, and a killed process does not: the same file, with the same times.
      fs.renameSync(path.join(place, "kept"), StoreFolder.openMark(place))
      const events = new Database(path.join(place, "events.sqlite"))
      events.exec("DELETE FROM versions_0; DELETE FROM versions_1; DELETE FROM versions_2")
      events.close()
      yield* openAgain(place)
    })
  )
})

describe("a folder that could not be closed, for somebody read a file of it", () => {
  it.scopedLive("is not looked through where it lies", () =>
    Effect.gen(function* () {
      const [place, beside] = yield* Effect.all([folder, folder])
      const filename = path.join(place, "events.sqlite")
      const reader = yield* Effect.scoped(
        Effect.gen(function* () {
          const opened = yield* storage(place).open
          appendThrough(opened, 50)
          yield* inWal(opened.engine, path.join(beside, "copy"))
          const reader = new Database(filename, { readonly: true })
          reader.exec("BEGIN; SELECT count(*) FROM events")
          appendThrough(opened, 60)
          return reader
        })
      )
      assert.isAbove(fs.statSync(`${filename}-wal`).size, 0)
      reader.exec("COMMIT")
      const events = new Database(filename)
      events.exec("DELETE FROM versions_0; DELETE FROM versions_1; DELETE FROM versions_2")
      yield* openAgain(place)
      events.close()
      reader.close()
    })
  )
})

describe("a store's two files", () => {
  it.scopedLive("are refused where they are of different copies, be one as long as the other", () =>
    Effect.gen(function* () {
      const [place, copy] = yield* Effect.all([folder, folder])
      yield* Effect.scoped(Effect.map(storage(place).open, opened => appendThrough(opened, 20)))
      copyFiles(place, copy, ["events.sqlite", "raft.sqlite", "member"])
      yield* Effect.scoped(Effect.map(storage(place).open, opened => appendThrough(opened, 40, 2)))
      yield* Effect.scoped(Effect.map(storage(copy).open, opened => appendThrough(opened, 50, 3)))
      copyFiles(place, copy, ["events.sqlite"])
      assert.include(yield* refusal(copy), "the two are of different copies")
    })
  )
})

describe("the mark of a store that is open", () => {
  it.scoped("stays what it was where there is no room for another one: nothing is looked through for a full disk", () =>
    Effect.map(folder, place => {
      OpenMark.leave(place)
      fs.mkdirSync(path.join(place, "open.new"))
      assert.throws(() => OpenMark.leave(place))
      assert.isFalse(OpenMark.isOfSeveralMoments(place))
      fs.rmdirSync(path.join(place, "open.new"))
      OpenMark.leave(place)
      assert.isFalse(OpenMark.isOfSeveralMoments(place))
      assert.deepStrictEqual(fs.readdirSync(place), ["open"])
    })
  )
})
