import * as Net from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { StoreError } from "@reckon/client"
import { Stores } from "@reckon/db/Stores"
import * as ProcessCluster from "@reckon/testkit/ProcessCluster"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Health from "../src/Health.js"

const noStore = (store: string) => new StoreError.StoreNotFound({ store })

const stores = Layer.succeed(Stores, {
  start: () => Effect.dieMessage("nobody starts one"),
  stop: noStore,
  handOver: Effect.void,
  get: noStore,
  which: Effect.succeed([]),
  statuses: Effect.succeed([])
})

const serve = Effect.gen(function* () {
  const port = yield* ProcessCluster.freeBasePort
  const scope = yield* Effect.acquireRelease(Scope.make(), scope => Scope.close(scope, Exit.void))
  yield* Layer.buildWithScope(Layer.provide(Health.layer({ host: "127.0.0.1", port }), stores), scope)
  return { port, stop: Scope.close(scope, Exit.void) }
})

/** What has come over a connection on which this was said, when it is over; `held` resolves once something has come. */
const say = (port: number, text: string) => {
  const socket = Net.connect(port, "127.0.0.1", () => socket.write(text))
  let got = ""
  socket.on("error", () => {})
  const held = new Promise<void>(resolve => socket.once("connect", resolve))
  const over = new Promise<string>(resolve => {
    socket.on("data", bytes => {
      got += bytes
    })
    socket.once("close", () => resolve(got))
  })
  return { held, over, leave: () => void socket.end() }
}

const whole = "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

describe("the HTTP of a node", () => {
  it.scopedLive("stops whatever has only begun on it", () =>
    Effect.gen(function* () {
      const { port, stop } = yield* serve
      const begun = [
        "",
        "GET /he",
        "GET /health HTTP/1.1\r\nHost: x\r\nX-",
        `${whole.replace("GET", "POST")}`,
        "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc"
      ].map(text => say(port, text))
      yield* Effect.promise(() => Promise.all(begun.map(({ held }) => held)))
      // It has been read by then: what came before it on the same port is.
      assert.match(yield* Effect.promise(() => say(port, whole).over), /^HTTP\/1.1 503 /)
      yield* stop
      yield* Effect.promise(() => Promise.all(begun.map(({ over }) => over)))
    })
  )

  it.scopedLive("takes so many connections and no more, and serves again when some have ended", () =>
    Effect.gen(function* () {
      const { port, stop } = yield* serve
      const silent = Array.from({ length: 256 }, () => say(port, ""))
      yield* Effect.promise(() => Promise.all(silent.map(({ held }) => held)))
      assert.strictEqual(yield* Effect.promise(() => say(port, whole).over), "")
      yield* Effect.promise(() => {
        silent[0]?.leave()
        return silent[0]?.over ?? Promise.resolve("")
      })
      const again = yield* Effect.repeat(
        Effect.promise(() => say(port, whole).over),
        { until: answer => answer !== "" }
      )
      assert.match(again, /^HTTP\/1.1 503 /)
      yield* stop
    })
  )
})
