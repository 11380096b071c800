import { assert, describe, it } from "@effect/vitest"
import * as RaftLog from "@reckon/raft/RaftLog"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { breathe } from "./helpers/breathe.js"
import { entry, hardState, refusal, temporaryFile, use } from "./helpers/raftLog.js"

/** A log with one entry, and what closes it. */
const opened = (filename: string) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const log = yield* Scope.extend(RaftLog.make({ filename }), scope)
    log.stage({ hardState: hardState(1), entries: [entry(1, 1)] })
    log.flush()
    return Scope.close(scope, Exit.void)
  })

const lastIndex = (filename: string) => use(filename, log => log.lastIndex())

describe("a log that is open in this process", () => {
  it.scoped("is opened by its successor as soon as it is closed", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      const close = yield* opened(filename)
      const successor = yield* Effect.fork(lastIndex(filename))
      yield* TestClock.adjust("999 millis")
      yield* Effect.promise(breathe)
      assert.isNull(successor.unsafePoll())
      yield* close
      assert.strictEqual(yield* Fiber.join(successor), 1)
    })
  )

  it.scoped("is opened by all who wait for it, one after the other", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      const close = yield* opened(filename)
      const add = use(filename, log => {
        log.stage({ entries: [entry(log.lastIndex() + 1, 1)] })
        log.flush()
      })
      const successors = yield* Effect.forkAll(Array.from({ length: 5 }, () => add))
      yield* Effect.promise(breathe)
      yield* close
      yield* Fiber.join(successors)
      assert.strictEqual(yield* lastIndex(filename), 6)
    })
  )

  it.scoped("is refused after a second to one whose predecessor keeps it, and is not lost by that", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      const close = yield* opened(filename)
      const refused = yield* Effect.fork(refusal(filename))
      yield* Effect.promise(breathe)
      yield* TestClock.adjust("1 second")
      assert.match(yield* Fiber.join(refused), /in use by another process; stop that one/)
      yield* close
      assert.strictEqual(yield* lastIndex(filename), 1)
    })
  )

  it.scoped("keeps nobody waiting who was interrupted, nor those behind", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      const close = yield* opened(filename)
      const first = yield* Effect.fork(lastIndex(filename))
      const second = yield* Effect.fork(lastIndex(filename))
      yield* Effect.promise(breathe)
      yield* Fiber.interrupt(first)
      yield* close
      assert.strictEqual(yield* Fiber.join(second), 1)
    })
  )

  it.scoped("holds up nobody who opens another one", () =>
    Effect.gen(function* () {
      yield* opened(yield* temporaryFile)
      assert.strictEqual(yield* lastIndex(yield* temporaryFile), 0)
    })
  )
})
