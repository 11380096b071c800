import { assert, describe, it } from "@effect/vitest"
import * as LogEntry from "@reckon/raft/LogEntry"
import * as Machine from "@reckon/raft/Machine"
import * as MachineEffect from "@reckon/raft/MachineEffect"
import * as MachineReplica from "@reckon/raft/MachineReplica"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { command, feed, json, makeLog, readAnswer, register, request } from "./helpers/machine.js"

/** Remembers what it saw of each entry. */
const witness = Machine.make({
  command: Schema.String,
  reply: Schema.Struct({
    index: Schema.Int,
    term: Schema.Int,
    timeMillis: Schema.Int,
    session: Schema.NullOr(Schema.Int)
  }),
  state: Schema.Array(Schema.String),
  initial: [],
  apply: (text, seen, { index, session, term, timeMillis }) =>
    Machine.reply({ index, term, timeMillis, session: session ?? null }, [...seen, text])
})

const counterV1 = Machine.make({
  command: Schema.Struct({ by: Schema.Int }),
  reply: Schema.Int,
  state: Schema.Int,
  initial: 0,
  apply: ({ by }, count) => Machine.reply(count + by, count + by)
})

/** Keeps what was added last, and can multiply. */
const counterV2 = Machine.nextVersion(counterV1, {
  command: Schema.Struct({ by: Schema.Int, times: Schema.optional(Schema.Int) }),
  reply: Schema.Int,
  state: Schema.Struct({ count: Schema.Int, last: Schema.Int }),
  upgrade: count => ({ count, last: 0 }),
  apply: ({ by, times = 1 }, { count }) => Machine.reply(count + by * times, { count: count + by * times, last: by })
})

const counterV3 = Machine.nextVersion(counterV2, {
  command: Schema.Struct({ by: Schema.Int }),
  reply: Schema.Int,
  state: Schema.String,
  upgrade: ({ count, last }) => `${count}/${last}`,
  apply: ({ by }, state) => Machine.reply(by, `${state}+${by}`)
})

const upgrade = (from: number, to: number) => ({ _tag: "Upgrade" as const, timeMillis: 0, from, to })
const refused = (reason: string) => ({ _tag: "Refused", reason })

describe("Machine", () => {
  it.scoped("applies commands in order and answers each by its reply", () =>
    Effect.gen(function* () {
      const replica = yield* MachineReplica.make(counterV1)
      assert.deepStrictEqual(feed(makeLog(), replica, command(0, { by: 2 }), command(0, { by: 3 })), [2, 5])
      assert.strictEqual(replica.state(), 5)
      assert.strictEqual(replica.appliedIndex(), 2)
    })
  )

  it.scoped("tells a transition the entry's index and term, and whose session it came in", () =>
    Effect.gen(function* () {
      const replica = yield* MachineReplica.make(witness)
      const log = makeLog()
      feed(log, replica, register(0, 1_000))
      log.nextTerm()
      assert.deepStrictEqual(feed(log, replica, command(0, "a"), request(0, 1, 1, "b")), [
        { index: 3, term: 2, timeMillis: 0, session: null },
        { index: 4, term: 2, timeMillis: 0, session: 1 }
      ])
    })
  )

  it.scoped("the replicated time is the highest that any proposer's clock showed, and never falls", () =>
    Effect.gen(function* () {
      const replica = yield* MachineReplica.make(witness)
      const answers = feed(makeLog(), replica, command(50, "a"), command(20, "b"), command(70, "c"))
      assert.deepStrictEqual(
        answers.map(answer => Schema.decodeUnknownSync(Schema.Struct({ timeMillis: Schema.Int }))(answer).timeMillis),
        [50, 50, 70]
      )
      assert.strictEqual(replica.timeMillis(), 70)
    })
  )

  it.scoped("no-ops move the applied index and nothing else", () =>
    Effect.gen(function* () {
      const replica = yield* MachineReplica.make(witness)
      assert.strictEqual(replica.apply([LogEntry.noop(1, 1), LogEntry.noop(2, 2)]).length, 2)
      assert.strictEqual(replica.appliedIndex(), 2)
      assert.deepStrictEqual(replica.state(), [])
    })
  )

  it.scoped("an entry that cannot be read is refused, changes nothing, and what follows is applied", () =>
    Effect.gen(function* () {
      const replica = yield* MachineReplica.make(counterV1)
      const log = makeLog()
      for (const payload of [new Uint8Array(0), json("no envelope"), Uint8Array.from([1, 0, 0, 0x7b])])
        log.append(payload)
      assert.deepStrictEqual(
        log.follow(replica).map(readAnswer),
        [1, 2, 3].map(() => refused("unreadable"))
      )
      assert.deepStrictEqual(feed(log, replica, command(0, { by: "2" }), command(0, { by: 1 })), [
        refused("unreadable"),
        1
      ])
    })
  )

  it.scoped("a gap in the entries is a defect", () =>
    Effect.gen(function* () {
      const replica = yield* MachineReplica.make(counterV1)
      assert.throws(() => replica.apply([LogEntry.noop(2, 1)]), /in their order/)
    })
  )

  it.scoped("a transition that goes beyond a limit changes nothing, whichever of its effects is at fault", () =>
    Effect.gen(function* () {
      const { monitor, nodeSubject, notify, setTimer } = MachineEffect
      const names = Array.from({ length: 1_000 }, (_, at) => `${at}`)
      const effectsOf = ({ kind, round }: { readonly kind: string; readonly round: number }) => {
        switch (kind) {
          case "effects":
            return Array.from({ length: 1_025 }, notify)
          case "timers":
            return names.map(name => setTimer(`${round}/${name}`, 1))
          case "monitors":
            return names.map(name => monitor(nodeSubject(`${round}/${name}`)))
          case "name":
            return [setTimer("n".repeat(MachineEffect.nameLengthMax + 1), 1)]
          case "surrogate":
            return [setTimer("\ud800", 1)]
          case "time":
            return [{ ...setTimer("t", 1), afterMillis: Number.NaN }]
          default:
            return []
        }
      }
      const machine = Machine.make({
        command: Schema.Struct({ kind: Schema.String, round: Schema.Int }),
        reply: Schema.String,
        state: Schema.Int,
        initial: 0,
        apply: (asked, count) =>
          Machine.reply(asked.kind === "reply" ? "r".repeat(1024 * 1024) : "ok", count + 1, effectsOf(asked))
      })
      const replica = yield* MachineReplica.make(machine)
      const log = makeLog()
      const ask = (kind: string, round = 0) => feed(log, replica, command(0, { kind, round }))[0]
      assert.deepStrictEqual(ask("effects"), refused("effects_exceeded"))
      assert.deepStrictEqual(ask("name"), refused("invalid_effect"))
      assert.deepStrictEqual(ask("surrogate"), refused("invalid_effect"))
      assert.deepStrictEqual(ask("time"), refused("invalid_effect"))
      assert.deepStrictEqual(ask("reply"), refused("reply_too_large"))
      assert.strictEqual(replica.state(), 0)
      for (const kind of ["timers", "monitors"]) {
        assert.deepStrictEqual(
          [1, 2, 3, 4, 5, 1].map(round => ask(kind, round)),
          ["ok", "ok", "ok", "ok", refused(`${kind}_exceeded`), "ok"],
          "those that are set already count once"
        )
      }
      assert.strictEqual(replica.state(), 10)
    })
  )
})

describe("Machine versions", () => {
  it.scoped("a group begins with version 1, whatever the code knows, and goes on to another at one entry", () =>
    Effect.gen(function* () {
      const replica = yield* MachineReplica.make(counterV2)
      const log = makeLog()
      assert.deepStrictEqual(replica.version(), { supported: 2, effective: 1 })
      assert.deepStrictEqual(
        feed(log, replica, command(0, { by: 2, times: 10 }), upgrade(1, 2), command(0, { by: 2, times: 10 })),
        [2, { _tag: "Done" }, 22]
      )
      assert.deepStrictEqual(replica.version(), { supported: 2, effective: 2 })
      assert.deepStrictEqual(replica.state(), { count: 22, last: 2 })
    })
  )

  it.scoped("the state is seen as the newest version has it, also while an older one is in force", () =>
    Effect.gen(function* () {
      const replica = yield* MachineReplica.make(counterV3)
      feed(makeLog(), replica, command(0, { by: 4 }))
      assert.strictEqual(replica.state(), "4/0")
    })
  )

  it.scoped("several versions are passed in one step", () =>
    Effect.gen(function* () {
      const replica = yield* MachineReplica.make(counterV3)
      feed(makeLog(), replica, command(0, { by: 4 }), upgrade(1, 3), command(0, { by: 1 }))
      assert.strictEqual(replica.state(), "4/0+1")
    })
  )

  it.scoped("an upgrade from another version than that in force, or to none above it, is refused", () =>
    Effect.gen(function* () {
      const replica = yield* MachineReplica.make(counterV3)
      const conflict = (effective: number) => ({ _tag: "VersionConflict", effective })
      assert.deepStrictEqual(
        feed(
          makeLog(),
          replica,
          upgrade(2, 3),
          upgrade(1, 1),
          upgrade(1, 2),
          upgrade(1, 2),
          upgrade(2, 1),
          upgrade(1, 9)
        ),
        [conflict(1), conflict(1), { _tag: "Done" }, conflict(2), conflict(2), conflict(2)]
      )
    })
  )

  it.scoped("a member without the new version takes what is before the upgrade, and nothing from there on", () =>
    Effect.gen(function* () {
      const log = makeLog()
      const newer = yield* MachineReplica.make(counterV2)
      feed(log, newer, command(0, { by: 1 }), upgrade(1, 2), command(0, { by: 1 }))

      const older = yield* MachineReplica.make(counterV1)
      assert.deepStrictEqual(log.follow(older).map(readAnswer), [1])
      assert.deepStrictEqual(older.version(), { supported: 1, effective: 1, required: 2 })
      assert.strictEqual(log.follow(older).length, 0)
      assert.strictEqual(older.appliedIndex(), 1)
    })
  )

  it.scoped("newer code replays the old entries by the old rules: all members come to the same", () =>
    Effect.gen(function* () {
      const log = makeLog()
      const old = yield* MachineReplica.make(counterV2)
      feed(log, old, command(0, { by: 3, times: 5 }), upgrade(1, 2), command(0, { by: 3, times: 5 }))
      const replayed = yield* MachineReplica.make(counterV3)
      log.follow(replayed)
      assert.strictEqual(replayed.state(), "18/3")
      assert.deepStrictEqual(replayed.version(), { supported: 3, effective: 2 })
    })
  )

  it.scoped("a command that only a newer version can read is refused until that is in force", () =>
    Effect.gen(function* () {
      const first = Machine.make({
        command: Schema.Literal("add"),
        reply: Schema.Int,
        state: Schema.Int,
        initial: 0,
        apply: (_, count) => Machine.reply(count + 1, count + 1)
      })
      const second = Machine.nextVersion(first, {
        command: Schema.Literal("add", "double"),
        reply: Schema.Int,
        state: Schema.Int,
        upgrade: count => count,
        apply: (what, count) => {
          const next = what === "add" ? count + 1 : 2 * count
          return Machine.reply(next, next)
        }
      })
      const replica = yield* MachineReplica.make(second)
      assert.deepStrictEqual(
        feed(makeLog(), replica, command(0, "add"), command(0, "double"), upgrade(1, 2), command(0, "double")),
        [1, refused("unreadable"), { _tag: "Done" }, 2]
      )
    })
  )
})
