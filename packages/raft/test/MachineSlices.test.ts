/**
 * States of many parts: how much of one is encoded or decoded before others get their turn, and what it is a picture of when commands go on meanwhile.
 */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Machine from "@reckon/raft/Machine"
import * as MachineReplica from "@reckon/raft/MachineReplica"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { sliceBytes } from "../src/internal/machine/image.js"
import { command, feed, makeLog, nextTurn } from "./helpers/machine.js"

const folder = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "machine-slices-"))),
  made => Effect.sync(() => fs.rmSync(made, { recursive: true }))
)

type Table = HashMap.HashMap<string, number>

/** Which turn of the event loop it is, and the bytes of the parts that went by in each. */
const makeMeter = () => {
  let turn = 0
  const bytes = new Map<number, number>()
  return {
    bytes,
    count: (part: readonly [string, number]) =>
      void bytes.set(turn, (bytes.get(turn) ?? 0) + JSON.stringify(part).length),
    /** Counts turns until the fiber has ended, and does something in each. */
    during: <A, E>(effect: Effect.Effect<A, E>, each: (turn: number) => void) =>
      Effect.gen(function* () {
        const fiber = yield* Effect.fork(effect)
        while (Option.isNone(yield* Fiber.poll(fiber))) {
          turn += 1
          each(turn)
          yield* nextTurn
        }
        return yield* Fiber.join(fiber)
      })
  }
}

type Meter = ReturnType<typeof makeMeter>

/** Writes the entry's index under so many names from one on. */
const tables = (written?: Meter, read?: Meter) =>
  Machine.make({
    command: Schema.Struct({ from: Schema.Int, count: Schema.Int }),
    reply: Schema.Void,
    state: Machine.inParts({
      part: Schema.Tuple(Schema.String, Schema.Int),
      split: function* (table: Table) {
        for (const part of table) {
          written?.count(part)
          yield part
        }
      },
      empty: HashMap.empty<string, number>(),
      add: (table, part) => {
        read?.count(part)
        return HashMap.set(table, part[0], part[1])
      }
    }),
    initial: HashMap.empty<string, number>(),
    apply: ({ count, from }, table, { index }) => {
      let next = table
      for (let at = from; at < from + count; at++) next = HashMap.set(next, `name ${at}`, index)
      return Machine.reply(undefined, next)
    }
  })

const names = 20_000

const entriesOf = (table: Table) => Array.from(table).sort(([a], [b]) => (a < b ? -1 : 1))

/** A large state, commands that change it here and there, and what it is at any index by a replica that knows nothing of snapshots. */
const makeBusy = (replica: MachineReplica.MachineReplica<Table>) => {
  const log = makeLog()
  feed(log, replica, command(0, { from: 0, count: names }))
  return {
    work: (turn: number) => void feed(log, replica, command(0, { from: (turn * 7919) % names, count: 40 })),
    stateAt: (index: number) =>
      Effect.map(MachineReplica.make(tables()), other => {
        other.apply(log.entries.slice(0, index))
        return entriesOf(other.state())
      })
  }
}

const assertInSlices = ({ bytes }: Meter) => {
  assert.isAtLeast(bytes.size, 5)
  for (const [turn, inTurn] of bytes) assert.isAtMost(inTurn, sliceBytes, `turn ${turn}`)
}

describe("a state in parts", () => {
  it.scoped("is written slice by slice, one a turn, and is the state of one index although commands go on", () =>
    Effect.gen(function* () {
      const file = path.join(yield* folder, "snapshot")
      const meter = makeMeter()
      const replica = yield* MachineReplica.make(tables(meter))
      const { stateAt, work } = makeBusy(replica)
      const { index } = yield* meter.during(replica.snapshot(file), work)
      assertInSlices(meter)
      assert.isAtLeast(replica.appliedIndex(), index + 5)

      const reader = yield* MachineReplica.make(tables())
      yield* reader.install(file)
      assert.strictEqual(reader.appliedIndex(), index)
      assert.deepStrictEqual(entriesOf(reader.state()), yield* stateAt(index))
      assert.notDeepEqual(entriesOf(replica.state()), yield* stateAt(index))
    })
  )

  it.scoped("is read slice by slice, one a turn", () =>
    Effect.gen(function* () {
      const file = path.join(yield* folder, "snapshot")
      const writer = yield* MachineReplica.make(tables())
      const { stateAt } = makeBusy(writer)
      const { index } = yield* writer.snapshot(file)
      const meter = makeMeter()
      const reader = yield* MachineReplica.make(tables(undefined, meter))
      yield* meter.during(reader.install(file), () => {})
      assertInSlices(meter)
      assert.deepStrictEqual(entriesOf(reader.state()), yield* stateAt(index))
    })
  )

  it.scoped("is made durable slice by slice, and nothing is durable before all of it is", () =>
    Effect.gen(function* () {
      const filename = path.join(yield* folder, "state")
      const meter = makeMeter()
      const replica = yield* MachineReplica.make(tables(meter), { filename })
      const { stateAt, work } = makeBusy(replica)
      const index = replica.appliedIndex()
      assert.strictEqual(replica.persist(), 0)
      yield* meter.during(Effect.repeat(nextTurn, { while: () => !fs.existsSync(filename) }), work)
      assertInSlices(meter)
      assert.isAbove(replica.appliedIndex(), index)
      assert.strictEqual(replica.persist(), index)
      const again = yield* MachineReplica.make(tables(), { filename })
      assert.isAtLeast(again.appliedIndex(), index)
      assert.deepStrictEqual(entriesOf(again.state()), yield* stateAt(again.appliedIndex()))
    })
  )

  it.scoped("that an install replaces while it is made durable does not come back after a restart", () =>
    Effect.gen(function* () {
      const made = yield* folder
      const filename = path.join(made, "state")
      const file = path.join(made, "snapshot")
      const replica = yield* MachineReplica.make(tables(), { filename })
      const { work } = makeBusy(replica)
      const ahead = yield* MachineReplica.make(tables())
      const newer = makeBusy(ahead)
      for (let turn = 1; turn < 5; turn++) newer.work(turn)
      yield* ahead.snapshot(file)
      work(1)
      assert.strictEqual(replica.persist(), 0)
      yield* nextTurn
      yield* replica.install(file)
      assert.strictEqual(replica.persist(), ahead.appliedIndex())
      yield* nextTurn
      const again = yield* MachineReplica.make(tables(), { filename })
      assert.strictEqual(again.appliedIndex(), ahead.appliedIndex())
      assert.deepStrictEqual(entriesOf(again.state()), entriesOf(ahead.state()))
    })
  )

  it.scoped("may be that of a newer version, whose code still reads the whole one of the older", () =>
    Effect.gen(function* () {
      const file = path.join(yield* folder, "snapshot")
      const older = Machine.make({
        command: Schema.String,
        reply: Schema.Void,
        state: Schema.Array(Schema.String),
        initial: [],
        apply: (text, lines) => Machine.reply(undefined, [...lines, text])
      })
      const newer = Machine.nextVersion(older, {
        command: Schema.String,
        reply: Schema.Void,
        state: Machine.inParts({
          part: Schema.String,
          split: (lines: ReadonlySet<string>) => lines,
          empty: new Set<string>(),
          add: (lines, line) => new Set([...lines, line])
        }),
        upgrade: lines => new Set(lines),
        apply: (text, lines) => Machine.reply(undefined, new Set([...lines, text]))
      })
      const log = makeLog()
      const writer = yield* MachineReplica.make(newer)
      const reader = yield* MachineReplica.make(newer)
      feed(log, writer, command(0, "a"), command(0, "a"))
      yield* writer.snapshot(file)
      yield* reader.install(file)
      assert.deepStrictEqual(reader.version(), { supported: 2, effective: 1 })
      feed(log, writer, { _tag: "Upgrade", timeMillis: 0, from: 1, to: 2 }, command(0, "b"))
      yield* writer.snapshot(file)
      yield* reader.install(file)
      assert.deepStrictEqual(reader.version(), { supported: 2, effective: 2 })
      assert.deepStrictEqual(reader.state(), new Set(["a", "b"]))
    })
  )
})
