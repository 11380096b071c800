import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Machine from "@reckon/raft/Machine"
import { monitor, processSubject, release, setTimer } from "@reckon/raft/MachineEffect"
import * as MachineReplica from "@reckon/raft/MachineReplica"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { command, feed, makeLog, persisted, register, request, tick } from "./helpers/machine.js"

const folder = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "machine-"))),
  made => Effect.sync(() => fs.rmSync(made, { recursive: true }))
)

const journalV1 = Machine.make({
  command: Schema.String,
  reply: Schema.Int,
  state: Schema.Array(Schema.String),
  initial: [],
  apply: (text, lines) =>
    Machine.reply(
      lines.length + 1,
      [...lines, text],
      text === "all" ? [setTimer("t", "1 minute"), monitor(processSubject("n", "p")), release] : []
    ),
  info: (info, lines) => Machine.noReply([...lines, info._tag])
})

const journalV2 = Machine.nextVersion(journalV1, {
  command: Schema.String,
  reply: Schema.Int,
  state: Schema.Struct({ lines: Schema.Array(Schema.String) }),
  upgrade: lines => ({ lines }),
  apply: (text, { lines }) => Machine.reply(-lines.length, { lines: [text, ...lines] })
})

const armed = 2
const fired = { _tag: "TimerFired" as const, timeMillis: 100, name: "t", armed }
const down = {
  _tag: "Down" as const,
  timeMillis: 100,
  subject: JSON.stringify(["n", "p"]),
  armed,
  reason: "Killed" as const
}
const upgrade = { _tag: "Upgrade" as const, timeMillis: 0, from: 1, to: 2 }

describe("a machine's snapshot", () => {
  it.scoped("holds everything that is replicated: who installs it goes on as who wrote it", () =>
    Effect.gen(function* () {
      const file = path.join(yield* folder, "snapshot")
      const log = makeLog()
      const writer = yield* MachineReplica.make(journalV1)
      feed(log, writer, register(50, 1_000), command(60, "all"), request(70, 1, 1, "a"), request(70, 1, 2, "b"))
      assert.deepStrictEqual(yield* writer.snapshot(file), { index: 4 })

      const reader = yield* MachineReplica.make(journalV1)
      yield* reader.install(file)
      assert.strictEqual(reader.appliedIndex(), 4)
      assert.strictEqual(reader.released(), 2)
      assert.strictEqual(reader.timeMillis(), 70)

      const rest = [
        request(80, 1, 2, "again"),
        command(10, "c"),
        fired,
        down,
        tick(5_000),
        request(5_000, 1, 3, "late")
      ]
      assert.deepStrictEqual(feed(log, writer, ...rest), [
        3,
        4,
        ...[1, 2, 3].map(() => ({ _tag: "Done" })),
        { _tag: "SessionExpired" }
      ])
      log.follow(reader)
      assert.deepStrictEqual(reader.state(), ["all", "a", "b", "c", "TimerFired", "Down", "SessionEnded"])
      assert.deepStrictEqual(reader.state(), writer.state())
    })
  )

  it.scoped("is the same, byte for byte, of every member that stands at its index", () =>
    Effect.gen(function* () {
      const made = yield* folder
      const bytes = (name: string, replica: MachineReplica.MachineReplica<unknown>) =>
        Effect.map(replica.snapshot(path.join(made, name)), () => fs.readFileSync(path.join(made, name), "hex"))
      const log = makeLog()
      const first = yield* MachineReplica.make(journalV1)
      feed(log, first, register(0, 1_000), command(0, "all"), request(0, 1, 1, "a"))
      yield* bytes("early", first)
      const installed = yield* MachineReplica.make(journalV1)
      yield* installed.install(path.join(made, "early"))
      feed(log, first, register(9, 200), request(10, 1, 2, "b", 2), fired, command(11, "all"))
      log.follow(installed)
      const replayed = yield* MachineReplica.make(journalV1)
      log.follow(replayed)
      const wanted = yield* bytes("first", first)
      assert.strictEqual(yield* bytes("installed", installed), wanted)
      assert.strictEqual(yield* bytes("replayed", replayed), wanted)
    })
  )

  it.scoped("is taken all or not at all: of one damaged anywhere nothing is kept", () =>
    Effect.gen(function* () {
      const made = yield* folder
      const file = path.join(made, "snapshot")
      const writer = yield* MachineReplica.make(journalV1)
      feed(makeLog(), writer, command(0, "all"))
      yield* writer.snapshot(file)
      const whole = fs.readFileSync(file)
      const reader = yield* MachineReplica.make(journalV1)
      const refused = (bytes: Uint8Array) =>
        Effect.gen(function* () {
          fs.writeFileSync(file, bytes)
          const error = yield* Effect.flip(reader.install(file))
          assert.strictEqual(reader.appliedIndex(), 0)
          return error.reason
        })
      for (let at = 0; at < whole.length; at++) {
        const flipped = Uint8Array.from(whole)
        flipped[at] = (flipped[at] ?? 0) ^ 0x10
        assert.strictEqual(yield* refused(flipped), at === 4 ? "unsupported" : "damaged", `byte ${at}`)
        assert.strictEqual(yield* refused(whole.subarray(0, at)), "damaged", `cut at ${at}`)
      }
      assert.strictEqual((yield* Effect.flip(reader.install(path.join(made, "none")))).reason, "damaged")
      fs.writeFileSync(file, whole)
      yield* reader.install(file)
      assert.deepStrictEqual(reader.state(), ["all"])
    })
  )

  it.scoped("of a version that the code does not know is refused; of an older one it is read by the old schema", () =>
    Effect.gen(function* () {
      const made = yield* folder
      const log = makeLog()
      const writer = yield* MachineReplica.make(journalV2)
      feed(log, writer, command(0, "a"))
      yield* writer.snapshot(path.join(made, "v1"))
      feed(log, writer, upgrade, command(0, "b"))
      yield* writer.snapshot(path.join(made, "v2"))

      const old = yield* MachineReplica.make(journalV1)
      yield* old.install(path.join(made, "v1"))
      const error = yield* Effect.flip(old.install(path.join(made, "v2")))
      assert.strictEqual(error.reason, "unsupported")
      assert.deepStrictEqual(old.state(), ["a"])

      const newer = yield* MachineReplica.make(journalV2)
      yield* newer.install(path.join(made, "v1"))
      assert.deepStrictEqual(newer.version(), { supported: 2, effective: 1 })
      yield* newer.install(path.join(made, "v2"))
      assert.deepStrictEqual(newer.version(), { supported: 2, effective: 2 })
      assert.deepStrictEqual(newer.state(), { lines: ["b", "a"] })
    })
  )

  it.scoped("that is behind the machine is refused: nothing applied is ever taken back", () =>
    Effect.gen(function* () {
      const file = path.join(yield* folder, "snapshot")
      const log = makeLog()
      const replica = yield* MachineReplica.make(journalV1)
      feed(log, replica, command(0, "a"))
      yield* replica.snapshot(file)
      feed(log, replica, command(0, "b"))
      assert.strictEqual((yield* Effect.flip(replica.install(file))).reason, "outdated")
      assert.deepStrictEqual(replica.state(), ["a", "b"])
    })
  )

  it.scoped("that cannot be written fails as retryable and leaves nothing under the name", () =>
    Effect.gen(function* () {
      const made = yield* folder
      fs.writeFileSync(path.join(made, "file"), "")
      const replica = yield* MachineReplica.make(journalV1)
      const error = yield* Effect.flip(replica.snapshot(path.join(made, "file", "snapshot")))
      assert.strictEqual(error.reason, "io")
      assert.isTrue(error.retryable)
    })
  )
})

describe("a replica with a file", () => {
  it.scoped("goes on after a restart from what it persisted, and from the log behind it", () =>
    Effect.gen(function* () {
      const filename = path.join(yield* folder, "nested", "state")
      const log = makeLog()
      const before = yield* MachineReplica.make(journalV1, { filename })
      feed(log, before, command(0, "a"), command(0, "b"))
      yield* persisted(before)
      assert.strictEqual(before.persist(), 2)
      feed(log, before, command(0, "c"))

      const after = yield* MachineReplica.make(journalV1, { filename })
      assert.strictEqual(after.appliedIndex(), 2)
      assert.strictEqual(after.persist(), 2)
      log.follow(after)
      assert.deepStrictEqual(after.state(), ["a", "b", "c"])
    })
  )

  it.scoped("keeps an installed snapshot durable at once: the log before it is gone", () =>
    Effect.gen(function* () {
      const made = yield* folder
      const filename = path.join(made, "state")
      const writer = yield* MachineReplica.make(journalV1)
      feed(makeLog(), writer, command(0, "a"), command(0, "b"))
      yield* writer.snapshot(path.join(made, "snapshot"))
      const installed = yield* MachineReplica.make(journalV1, { filename })
      yield* installed.install(path.join(made, "snapshot"))
      assert.strictEqual((yield* MachineReplica.make(journalV1, { filename })).appliedIndex(), 2)
    })
  )

  it.scoped("that was cut short by a loss of power, before it had its name, counts as never written", () =>
    Effect.gen(function* () {
      const filename = path.join(yield* folder, "state")
      const log = makeLog()
      const replica = yield* MachineReplica.make(journalV1, { filename })
      feed(log, replica, command(0, "a"))
      yield* persisted(replica)
      fs.writeFileSync(`${filename}.new`, "torn")
      const after = yield* MachineReplica.make(journalV1, { filename })
      assert.deepStrictEqual(after.state(), ["a"])
      feed(log, after, command(0, "b"))
      yield* persisted(after)
      assert.deepStrictEqual((yield* MachineReplica.make(journalV1, { filename })).state(), ["a", "b"])
    })
  )

  it.scoped("that cannot be written is told to who asks next how far it is", () =>
    Effect.gen(function* () {
      const blocked = path.join(yield* folder, "blocked")
      const replica = yield* MachineReplica.make(journalV1, { filename: path.join(blocked, "state") })
      fs.writeFileSync(blocked, "a file where a folder is to be")
      feed(makeLog(), replica, command(0, "a"))
      assert.strictEqual(replica.persist(), 0)
      const failure = yield* Effect.exit(persisted(replica))
      assert.include(String(failure), blocked)
    })
  )

  it.scoped("is not written where the state could not be read back: the log that has it must not be cut", () =>
    Effect.gen(function* () {
      const shared = { command: Schema.NumberFromString, reply: Schema.Void }
      // JSON has no word for what is no number, and a date that stays one would come back as a text.
      const mean = Machine.make({
        ...shared,
        state: Schema.Number,
        initial: 0,
        apply: (count, sum) => Machine.reply(undefined, sum / count)
      })
      const diary = Machine.make({
        ...shared,
        state: Machine.inParts({
          part: Schema.DateFromSelf,
          split: (days: ReadonlyArray<Date>) => days,
          empty: [],
          add: (days, day) => [...days, day]
        }),
        initial: [],
        apply: (at, days) => Machine.reply(undefined, [...days, new Date(at)])
      })
      const made = yield* folder
      const outcome = <State>(machine: Machine.Machine<State, number, void>, name: string) =>
        Effect.gen(function* () {
          const filename = path.join(made, name)
          const replica = yield* MachineReplica.make(machine, { filename })
          feed(makeLog(), replica, command(0, "0"))
          const failure = yield* Effect.exit(persisted(replica))
          assert.isFalse(fs.existsSync(filename))
          return String(failure)
        })
      assert.match(
        yield* outcome(mean, "mean"),
        /the state passes its schema: as JSON it cannot be read back: Expected number, actual null/
      )
      assert.match(yield* outcome(diary, "diary"), /as JSON it cannot be read back: Expected .*Date.*1970-01-01/)
    })
  )

  it.scoped("that is damaged fails the start, and does not begin anew in silence", () =>
    Effect.gen(function* () {
      const filename = path.join(yield* folder, "state")
      fs.writeFileSync(filename, "RKMS, but not really")
      const error = yield* Effect.flip(MachineReplica.make(journalV1, { filename }))
      assert.strictEqual(error.filename, filename)
    })
  )

  it.scoped("without a file nothing is durable, and it says so", () =>
    Effect.gen(function* () {
      const replica = yield* MachineReplica.make(journalV1)
      feed(makeLog(), replica, command(0, "a"))
      assert.strictEqual(replica.persist(), 0)
    })
  )
})
