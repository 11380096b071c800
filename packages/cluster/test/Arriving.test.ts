import * as Net from "node:net"
import * as Socket from "@effect/platform/Socket"
import { NetSocket } from "@effect/platform-node/NodeSocket"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { bounded } from "../src/internal/arriving.js"

/** A server whose connections the test makes up; it takes what they bring and does nothing with it. */
const makeServer = Effect.gen(function* () {
  let accept: (socket: Socket.Socket) => Effect.Effect<unknown> = () => Effect.void
  const taken: Array<number> = []
  const server = bounded(
    {
      address: { _tag: "UnixAddress", path: "" },
      run: <R, E, A>(handler: (socket: Socket.Socket) => Effect.Effect<A, E, R>) =>
        Effect.flatMap(Effect.context<R>(), context => {
          accept = socket =>
            Effect.ignore(
              Effect.mapInputContext(handler(socket), (outer: Context.Context<never>) => Context.merge(context, outer))
            )
          return Effect.never
        })
    },
    { connectionsMax: 3, bytesMax: 100 }
  )
  yield* Effect.forkScoped(
    server.run(socket =>
      socket.runRaw(data => {
        taken.push(data.length)
      })
    )
  )
  yield* Effect.yieldNow()

  const connect = Effect.gen(function* () {
    const connection = new Net.Socket()
    let bring: (data: Uint8Array) => unknown = () => undefined
    const socket: Socket.Socket = {
      [Socket.TypeId]: Socket.TypeId,
      run: () => Effect.never,
      runRaw: handler => {
        bring = handler
        return Effect.never
      },
      writer: Effect.die("nothing is written")
    }
    const fiber = yield* Effect.forkScoped(Effect.provideService(accept(socket), NetSocket, connection))
    yield* Effect.yieldNow()
    return {
      connection,
      bring: (...bytes: ReadonlyArray<number>) => bring(Uint8Array.from(bytes)),
      leave: Fiber.interrupt(fiber)
    }
  })
  return { connect, taken }
})

const zeros = (length: number): ReadonlyArray<number> => Array.from({ length }, () => 0)

describe("what arrives at a node", () => {
  it.scoped("is cut off where too many bytes wait for the rest of their messages, and most of them here", () =>
    Effect.gen(function* () {
      const { connect, taken } = yield* makeServer
      const [slow, slower, whole] = [yield* connect, yield* connect, yield* connect]
      slow.bring(0, 0, 0, 90, ...zeros(40))
      // A message that is whole, then half of a header, and the rest of it with what it announces.
      slower.bring(0, 0, 0, 2, 1, 1, 0, 0)
      slower.bring(0, 90, ...zeros(60))
      for (let times = 0; times < 5; times++) whole.bring(0, 0, 0, 90, ...zeros(90))
      const destroyed = () => [slow, slower, whole].map(({ connection }) => connection.destroyed)
      assert.deepStrictEqual(destroyed(), [false, false, false])
      slower.bring(0)
      assert.deepStrictEqual(destroyed(), [false, true, false])
      slow.bring(...zeros(50), 0, 0, 0, 99, ...zeros(98))
      assert.deepStrictEqual(destroyed(), [false, true, false])
      assert.deepStrictEqual(taken, [44, 8, 62, 94, 94, 94, 94, 94, 1, 152])
    })
  )

  it.scoped("does not count any more once its connection has ended", () =>
    Effect.gen(function* () {
      const { connect } = yield* makeServer
      const gone = yield* connect
      gone.bring(0, 0, 0, 99, ...zeros(90))
      yield* gone.leave
      const other = yield* connect
      other.bring(0, 0, 0, 99, ...zeros(90))
      assert.isFalse(other.connection.destroyed)
    })
  )

  it.scoped("comes on so many connections: beyond them that one ends from which nothing has come for longest", () =>
    Effect.gen(function* () {
      const { connect } = yield* makeServer
      const first = [yield* connect, yield* connect, yield* connect]
      first[0]?.bring(0, 0, 0)
      const next = yield* connect
      assert.deepStrictEqual(
        [...first, next].map(({ connection }) => connection.destroyed),
        [false, true, false, false]
      )
    })
  )
})
