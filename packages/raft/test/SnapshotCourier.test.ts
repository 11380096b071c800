import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import type { RaftCore } from "@reckon/raft"
import * as Membership from "@reckon/raft/Membership"
import * as RaftTransport from "@reckon/raft/RaftTransport"
import { type Receipt, type SnapshotChunk, SnapshotRefused } from "@reckon/raft/SnapshotChunk"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as TestClock from "effect/TestClock"
import * as Courier from "../src/internal/snapshot/courier.js"
import { settable } from "./helpers/clock.js"

const folder = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "reckon-courier-"))),
  folder => Effect.sync(() => fs.rmSync(folder, { recursive: true, force: true }))
)

const order: RaftCore.SendSnapshot = { _tag: "SendSnapshot", to: "b", term: 3, throughIndex: 5 }

/** A courier whose pieces `onPiece` takes. `send` answers how the delivery ended; `copies` counts what the machine was asked for. */
const open = (onPiece: (chunk: SnapshotChunk, file: string) => Effect.Effect<Receipt, SnapshotRefused>) =>
  Effect.gen(function* () {
    const directory = yield* folder
    const network = yield* RaftTransport.makeNetwork
    const outcomes = yield* Queue.bounded<RaftCore.SnapshotDelivered | RaftCore.SnapshotFailed>(8)
    const copies: Array<string> = []
    const courier = yield* Courier.make({
      directory,
      group: "g",
      self: "a",
      transport: { ...network.transport("a"), sendSnapshot: (_, chunk) => onPiece(chunk, copies.at(-1) ?? "") },
      copy: file =>
        Effect.sync(() => {
          copies.push(file)
          fs.writeFileSync(file, "the machine as it was")
          return { index: 9 }
        }),
      claim: () => ({}),
      appliedIndex: () => 9,
      machineVersion: () => 0,
      describe: () => ({ term: 2, configuration: { index: 0, configuration: Membership.founding(["a", "b"]) } }),
      ended: outcome => void Queue.unsafeOffer(outcomes, outcome)
    })
    const send = Effect.suspend(() => {
      courier.send(order)
      return Effect.map(Queue.take(outcomes), ({ _tag }) => _tag)
    })
    return { copies, courier, send }
  })

const takeAll = (chunk: SnapshotChunk): Effect.Effect<Receipt, SnapshotRefused> =>
  Effect.succeed({ received: chunk.offset + chunk.bytes.length })

const damaged = new SnapshotRefused({ reason: "damaged", detail: "other bytes" })

describe("the copy that members are sent", () => {
  it.scoped("is one and the same as long as it is what it was", () =>
    Effect.gen(function* () {
      let refusals = 1
      const { copies, send } = yield* open(chunk => (refusals-- > 0 ? Effect.fail(damaged) : takeAll(chunk)))
      assert.strictEqual(yield* send, "SnapshotFailed")
      assert.strictEqual(yield* send, "SnapshotDelivered")
      assert.lengthOf(copies, 1)
    })
  )

  it.scoped("is made anew once it arrived damaged and turns out to be so here", () =>
    Effect.gen(function* () {
      let refusals = 1
      const { copies, send } = yield* open((chunk, file) =>
        Effect.suspend(() => {
          if (refusals-- <= 0) return takeAll(chunk)
          fs.writeFileSync(file, "the machine as it isn't")
          return Effect.fail(damaged)
        })
      )
      assert.strictEqual(yield* send, "SnapshotFailed")
      assert.strictEqual(yield* send, "SnapshotDelivered")
      assert.lengthOf(copies, 2)
    })
  )

  it.scoped("keeps the log behind it as long as it is on its way, and for half a minute after it was broken off", () =>
    Effect.gen(function* () {
      const isUnderWay = yield* Deferred.make<void>()
      const { courier } = yield* open(() => Effect.zipRight(Deferred.succeed(isUnderWay, undefined), Effect.never))
      assert.strictEqual(yield* courier.floor, Number.POSITIVE_INFINITY)
      courier.send(order)
      yield* Deferred.await(isUnderWay)
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(yield* courier.floor, 9)
      yield* courier.stop
      yield* TestClock.adjust(29_999)
      assert.strictEqual(yield* courier.floor, 9)
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* courier.floor, Number.POSITIVE_INFINITY)
    })
  )

  it.scoped.each([
    ["ahead", 3_600_000],
    ["back", -3_600_000]
  ] as const)("keeps it for no shorter and no longer where the clock is set %s by an hour", ([_, aheadMillis]) =>
    Effect.gen(function* () {
      const { clock, set } = yield* settable
      const { courier, send } = yield* Effect.withClock(open(takeAll), clock)
      const floor = Effect.withClock(courier.floor, clock)
      assert.strictEqual(yield* send, "SnapshotDelivered")
      yield* set(aheadMillis)
      yield* TestClock.adjust(29_999)
      assert.strictEqual(yield* floor, 9)
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* floor, Number.POSITIVE_INFINITY)
    })
  )

  it.scoped("that cannot be read fails its delivery, and is made anew", () =>
    Effect.gen(function* () {
      let losses = 1
      const { copies, send } = yield* open((chunk, file) =>
        Effect.suspend(() => {
          if (losses-- > 0) fs.rmSync(file)
          return takeAll(chunk)
        })
      )
      assert.strictEqual(yield* send, "SnapshotFailed")
      assert.strictEqual(yield* send, "SnapshotDelivered")
      assert.lengthOf(copies, 2)
    })
  )
})
