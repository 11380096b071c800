import { assert, describe, it } from "@effect/vitest"
import * as MachineReplica from "@reckon/raft/MachineReplica"
import * as Effect from "effect/Effect"
import * as Envelope from "../src/internal/machine/envelope.js"
import { answersMax, Sessions, sessionsMax } from "../src/internal/machine/sessions.js"
import { counter } from "./helpers/counter.js"
import { command, feed, makeLog, register, request, tick } from "./helpers/machine.js"

const expired = { _tag: "SessionExpired" }
const outdated = { _tag: "SessionOutdated" }
const overloaded = { _tag: "SessionOverloaded" }
const keepAlive = (timeMillis: number, session: number, lowest = 1): Envelope.Envelope => ({
  _tag: "KeepAlive",
  timeMillis,
  session,
  lowest
})
const close = (session: number): Envelope.Envelope => ({ _tag: "Close", timeMillis: 0, session })

describe("a session, as the group keeps it", () => {
  const makeCounter = Effect.map(MachineReplica.make(counter), replica => {
    const log = makeLog()
    return { replica, ask: (...envelopes: ReadonlyArray<Envelope.Envelope>) => feed(log, replica, ...envelopes) }
  })

  it.scoped("is known by the index of the entry that registered it", () =>
    Effect.gen(function* () {
      const { ask } = yield* makeCounter
      assert.deepStrictEqual(ask(command(0, 1), register(0, 1_000), register(0, 1_000)), [
        1,
        { _tag: "Registered", session: 2 },
        { _tag: "Registered", session: 3 }
      ])
    })
  )

  it.scoped("answers a request that comes again as it did the first time, and applies it once", () =>
    Effect.gen(function* () {
      const { ask, replica } = yield* makeCounter
      ask(register(0, 1_000))
      assert.deepStrictEqual(
        ask(request(0, 1, 1, 5), request(0, 1, 2, 1), request(0, 1, 1, 5), request(0, 1, 2, 1)),
        [5, 6, 5, 6]
      )
      assert.strictEqual(replica.state().count, 6)
    })
  )

  it.scoped("takes requests in any order", () =>
    Effect.gen(function* () {
      const { ask } = yield* makeCounter
      ask(register(0, 1_000))
      assert.deepStrictEqual(ask(request(0, 1, 9, 1), request(0, 1, 3, 1), request(0, 1, 9, 1)), [1, 2, 1])
    })
  )

  it.scoped("forgets the answers that its client has, and refuses those requests as outdated from then on", () =>
    Effect.gen(function* () {
      const { ask, replica } = yield* makeCounter
      ask(register(0, 1_000))
      assert.deepStrictEqual(
        ask(request(0, 1, 1, 5), request(0, 1, 3, 1, 3), request(0, 1, 1, 5), request(0, 1, 2, 5), request(0, 1, 3, 1)),
        [5, 6, outdated, outdated, 6]
      )
      assert.deepStrictEqual(ask(keepAlive(0, 1, 4), request(0, 1, 3, 1)), [{ _tag: "Done" }, outdated])
      assert.strictEqual(replica.state().count, 6)
    })
  )

  it.scoped("keeps a refusal like any answer", () =>
    Effect.gen(function* () {
      const { ask } = yield* makeCounter
      ask(register(0, 1_000))
      const refused = { _tag: "Refused", reason: "unreadable" }
      assert.deepStrictEqual(ask(request(0, 1, 1, "x"), request(0, 1, 1, 7)), [refused, refused])
    })
  )

  it.scoped("takes no more requests than it keeps answers, and goes on when its client confirms some", () =>
    Effect.gen(function* () {
      const { ask, replica } = yield* makeCounter
      ask(register(0, 1_000))
      const all = Array.from({ length: answersMax }, (_, at) => request(0, 1, at + 1, 1))
      ask(...all)
      assert.deepStrictEqual(ask(request(0, 1, answersMax + 1, 1)), [overloaded])
      assert.deepStrictEqual(ask(request(0, 1, 1, 1)), [1], "a retry needs no room")
      assert.deepStrictEqual(ask(request(0, 1, answersMax + 1, 1, 2)), [answersMax + 1])
      assert.strictEqual(replica.state().count, answersMax + 1)
    })
  )

  it.scoped("takes its lowest request even when it is full, since nothing can be confirmed before that", () =>
    Effect.gen(function* () {
      const { ask } = yield* makeCounter
      ask(register(0, 1_000), ...Array.from({ length: answersMax }, (_, at) => request(0, 1, at + 2, 1)))
      assert.deepStrictEqual(ask(request(0, 1, answersMax + 2, 1), request(0, 1, 1, 1)), [overloaded, answersMax + 1])
      assert.deepStrictEqual(ask(request(0, 1, answersMax + 2, 1)), [overloaded])
    })
  )

  it.scoped("ends when nothing was heard of it for longer than its time-out, by the time of the entries", () =>
    Effect.gen(function* () {
      const { ask, replica } = yield* makeCounter
      ask(register(0, 1_000), register(0, 5_000))
      assert.deepStrictEqual(ask(request(900, 1, 1, 1), tick(1_900)), [1, { _tag: "Done" }])
      assert.deepStrictEqual(replica.state().ended, [], "exactly at its time-out it lives")
      assert.deepStrictEqual(ask(command(1_901, 1)), [2])
      assert.deepStrictEqual(replica.state().ended, ["1 expired"])
      assert.deepStrictEqual(ask(request(1_902, 1, 1, 1), request(1_902, 1, 2, 1), keepAlive(1_902, 1), close(1)), [
        expired,
        expired,
        expired,
        expired
      ])
      assert.strictEqual(replica.state().count, 2)
    })
  )

  it.scoped("is not saved by a request that comes too late, even if nothing came between", () =>
    Effect.gen(function* () {
      const { ask, replica } = yield* makeCounter
      ask(register(0, 1_000))
      assert.deepStrictEqual(ask(request(1_001, 1, 1, 1)), [expired])
      assert.strictEqual(replica.state().count, 0)
    })
  )

  it.scoped("ends when it is closed; those that end in one entry do so in the order of their registration", () =>
    Effect.gen(function* () {
      const { ask, replica } = yield* makeCounter
      ask(register(0, 1_000), register(0, 500), register(0, 1_000), close(3), tick(9_000))
      assert.deepStrictEqual(replica.state().ended, ["3 closed", "1 expired", "2 expired"])
    })
  )

  it.scoped("is refused where there are as many as the group keeps, until some have ended", () =>
    Effect.gen(function* () {
      const { ask } = yield* makeCounter
      ask(...Array.from({ length: sessionsMax }, () => register(0, 1_000)))
      assert.deepStrictEqual(ask(register(0, 1_000)), [{ _tag: "SessionsExhausted" }])
      assert.deepStrictEqual(ask(register(1_001, 1_000)), [{ _tag: "Registered", session: sessionsMax + 2 }])
    })
  )
})

describe("the answers that the group keeps", () => {
  const mebibyte = new Uint8Array(1024 * 1024)
  /** So many sessions with an answer of a mebibyte each, and behind them one that has none. */
  const makeFilled = (count: number) => {
    const sessions = new Sessions()
    const session = (id: number) => sessions.get(id) ?? assert.fail(`there is no session ${id}`)
    for (let id = 1; id <= count; id++) {
      sessions.register(id, 1_000 + id, 0)
      sessions.keep(session(id), 1, mebibyte)
    }
    sessions.register(count + 1, 10_000, 0)
    return { sessions, session, takesOneMore: () => sessions.hasRoom(session(count + 1), 2) }
  }

  it("weigh a mebibyte in one session, and its lowest request is taken beyond that", () => {
    const { session, sessions, takesOneMore } = makeFilled(1)
    assert.isFalse(sessions.hasRoom(session(1), 2))
    assert.isTrue(sessions.hasRoom(session(1), 1))
    assert.isTrue(takesOneMore())
    sessions.hear(session(1), 2, 0)
    assert.isTrue(sessions.hasRoom(session(1), 3))
  })

  it("weigh 64 mebibytes in all: then none is taken, until answers are confirmed or their sessions end", () => {
    assert.isTrue(makeFilled(63).takesOneMore())
    const full = () => {
      const filled = makeFilled(64)
      assert.isFalse(filled.takesOneMore())
      assert.isFalse(filled.sessions.hasRoom(filled.session(64), 1))
      return filled
    }
    const confirmed = full()
    confirmed.sessions.hear(confirmed.session(64), 2, 0)
    assert.isTrue(confirmed.takesOneMore())
    const closed = full()
    closed.sessions.close(64)
    assert.isTrue(closed.takesOneMore())
    const expired = full()
    assert.deepStrictEqual(expired.sessions.expire(1_002), [1])
    assert.isTrue(expired.takesOneMore())
  })

  it("weigh as much where they come from a snapshot: every member refuses the same requests", () => {
    const { sessions } = makeFilled(64)
    const restored = new Sessions()
    for (const session of sessions.all()) restored.restore(session)
    const last = restored.get(65)
    assert(last !== undefined)
    assert.isFalse(restored.hasRoom(last, 2))
    restored.close(64)
    assert.isTrue(restored.hasRoom(last, 2))
  })
})
