import { assert, describe, it } from "@effect/vitest"
import type { Delivery } from "@reckon/cluster/Deliveries"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import { makeOutbox } from "../src/internal/outbox.js"
import { append, heartbeat, terms } from "./helpers/messages.js"

/** A socket that takes a frame when it is told to, or breaks with it. */
const makeSocket = () => {
  const frames: Array<ReadonlyArray<Delivery>> = []
  const taken: Array<(outcome: Effect.Effect<void>) => void> = []
  return {
    frames,
    send: (messages: ReadonlyArray<Delivery>) =>
      Effect.async<void>(resume => {
        frames.push(messages)
        taken.push(resume)
      }),
    take: Effect.sync(() => taken.shift()?.(Effect.void)),
    breaks: Effect.sync(() => taken.shift()?.(Effect.die("broken")))
  }
}

const turns = Effect.repeatN(Effect.yieldNow(), 50)

describe("an outbox", () => {
  it.scoped("sends what is offered in one turn as one frame, in order", () =>
    Effect.gen(function* () {
      const socket = makeSocket()
      const outbox = yield* makeOutbox(socket.send)
      for (const term of [1, 2, 3]) assert.isTrue(outbox.offer(heartbeat(term)))
      yield* turns
      assert.deepStrictEqual(socket.frames.map(terms), [[1, 2, 3]])
    })
  )

  it.scoped(
    "gathers what is offered while the socket is busy, and sends it when the socket has taken the frame before",
    () =>
      Effect.gen(function* () {
        const socket = makeSocket()
        const outbox = yield* makeOutbox(socket.send)
        outbox.offer(heartbeat(1))
        yield* turns
        for (const term of [2, 3]) {
          outbox.offer(heartbeat(term))
          yield* turns
        }
        assert.deepStrictEqual(socket.frames.map(terms), [[1]])
        yield* socket.take
        yield* turns
        assert.deepStrictEqual(socket.frames.map(terms), [[1], [2, 3]])
      })
  )

  it.scoped("makes no frame of more than eight mebibytes out of several messages", () =>
    Effect.gen(function* () {
      const socket = makeSocket()
      const outbox = yield* makeOutbox(socket.send)
      const half = 5 * 1024 * 1024
      outbox.offer(append(1, half))
      outbox.offer(append(2, half))
      outbox.offer(append(3, 3 * half))
      for (const term of [4, 5]) outbox.offer(heartbeat(term))
      for (let frame = 0; frame < 4; frame++) {
        yield* turns
        yield* socket.take
      }
      assert.deepStrictEqual(socket.frames.map(terms), [[1], [2], [3], [4, 5]])
      outbox.offer(append(6, 3 * half))
      yield* turns
      assert.deepStrictEqual(socket.frames.slice(4).map(terms), [[6]])
    })
  )

  it.scoped("drops what does not fit, by count and by bytes, and has room again once the socket took a frame", () =>
    Effect.gen(function* () {
      const socket = makeSocket()
      const outbox = yield* makeOutbox(socket.send)
      outbox.offer(heartbeat(1))
      yield* turns
      const taken = Array.from({ length: 5000 }, (_, at) => outbox.offer(heartbeat(at + 2)))
      assert.strictEqual(taken.filter(isTaken => isTaken).length, 4096)
      assert.deepStrictEqual(
        taken.slice(0, 4096),
        Array.from({ length: 4096 }, () => true)
      )
      yield* socket.take
      yield* turns
      assert.strictEqual(socket.frames.at(-1)?.length, 4096)
      const large = 15 * 1024 * 1024
      const fitting = Array.from({ length: 6 }, (_, at) => outbox.offer(append(at + 1, large)))
      assert.deepStrictEqual(fitting, [true, true, true, true, false, false])
      yield* socket.take
      yield* turns
      assert.isTrue(outbox.offer(append(7, large)))
    })
  )

  it.scoped("loses the frame with which the socket breaks, waits a little, and goes on", () =>
    Effect.gen(function* () {
      const socket = makeSocket()
      const outbox = yield* makeOutbox(socket.send)
      outbox.offer(heartbeat(1))
      yield* turns
      yield* socket.breaks
      outbox.offer(heartbeat(2))
      yield* turns
      assert.deepStrictEqual(socket.frames.map(terms), [[1]])
      yield* TestClock.adjust(50)
      yield* turns
      assert.deepStrictEqual(socket.frames.map(terms), [[1], [2]])
    })
  )
})
