import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as LogEntry from "@reckon/raft/LogEntry"
import * as Membership from "@reckon/raft/Membership"
import { RaftLogError } from "@reckon/raft/RaftError"
import * as Repair from "@reckon/raft/Repair"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import { inFolder } from "../src/internal/processes/storage.js"
import { StoreFileRefused } from "../src/StoreEngine.js"
import { folder } from "./helpers/processes.js"

/** Opens the folder as the member, and gives its log a configuration with these voters. */
const found = (place: string, member: string, voters: ReadonlyArray<string>) =>
  Effect.scoped(
    Effect.map(inFolder({ place, member, voters, readThread: true, traceBytesMax: 0 }).open, ({ log }) => {
      log.stage({
        hardState: { term: 1, votedFor: undefined },
        entries: [LogEntry.configuration(1, 1, Membership.founding(voters))]
      })
      log.flush()
    })
  )

const three = ["n1", "n2", "n3"]

const open = (place: string, member: string, voters: ReadonlyArray<string> = three) =>
  Effect.scoped(Effect.asVoid(inFolder({ place, member, voters, readThread: true, traceBytesMax: 0 }).open))

const refusal = (place: string, member: string, voters: ReadonlyArray<string>) =>
  Effect.map(Effect.flip(open(place, member, voters)), error =>
    error._tag === "StoreFileRefused" && error.reason === "foreign" ? error.detail : assert.fail(error.message)
  )

const ownerOf = (place: string) => fs.readFileSync(path.join(place, "member"), "utf8")

describe("the folder of a store", () => {
  it.scoped("is that of one member of its group, and of no other: what one has promised the other would not keep", () =>
    Effect.gen(function* () {
      const place = yield* folder
      yield* found(place, "n1", three)
      const refused = yield* Effect.flip(open(place, "n2"))
      if (refused._tag !== "StoreFileRefused") return assert.fail(refused.message)
      assert.strictEqual(refused.reason, "foreign")
      assert.include(refused.message, 'that of the node "n1", this one is "n2"')
      assert.strictEqual(ownerOf(place), "n1\n")
      yield* open(place, "n1")
    })
  )

  it.scoped("goes with the node to another name, as long as there was nobody else in the group", () =>
    Effect.gen(function* () {
      const place = yield* folder
      yield* found(place, "embedded", ["embedded"])
      yield* open(place, "n1", ["n1"])
      assert.strictEqual(ownerOf(place), "n1\n")
    })
  )

  it.scoped("on one node alone is no member's of a cluster: that node would go on alone in it", () =>
    Effect.gen(function* () {
      const place = yield* folder
      yield* found(place, "n1", ["n1"])
      assert.include(yield* refusal(place, "n1", three), "one node alone, and this node is one of n1, n2, n3")
      assert.include(yield* refusal(place, "n2", three), "one node alone, and this node is one of n1, n2, n3")
      assert.strictEqual(ownerOf(place), "n1\n")
      yield* open(place, "n1", ["n1"])
    })
  )

  it.scoped("that does not say whose it is is that of whoever its group knows, and of nobody else", () =>
    Effect.gen(function* () {
      const place = yield* folder
      yield* found(place, "n1", three)
      fs.rmSync(path.join(place, "member"))
      assert.include(yield* refusal(place, "a1", ["a1", "a2", "a3"]), 'n1, n2, n3 keep together, and this node is "a1"')
      assert.isFalse(fs.existsSync(path.join(place, "member")))
      yield* open(place, "n2")
      assert.strictEqual(ownerOf(place), "n2\n")
    })
  )

  it.scoped("of a member of a cluster is not opened alone: it would wait for the others for ever", () =>
    Effect.gen(function* () {
      const place = yield* folder
      yield* found(place, "n1", three)
      assert.include(yield* refusal(place, "n1", ["n1"]), "n1, n2, n3 keep together, and this node was started alone")
    })
  )

  it.scoped("of one that was made to go on alone is opened with the others' names, and without", () =>
    Effect.gen(function* () {
      const place = yield* folder
      yield* found(place, "n1", three)
      yield* Repair.forceShrink({
        filename: path.join(place, "raft.sqlite"),
        self: "n1",
        confirmation: Repair.confirmationFor("n1")
      })
      yield* open(place, "n1")
      yield* open(place, "n1", ["n1"])
    })
  )

  it.scoped("of a group that has others in it than its node was told of is opened, and that is said", () => {
    const said: Array<unknown> = []
    const logger = Logger.replace(
      Logger.defaultLogger,
      Logger.make(({ message }) => said.push(...[message].flat()))
    )
    return Effect.gen(function* () {
      const place = yield* folder
      yield* found(place, "n1", three)
      yield* open(place, "n1")
      assert.deepStrictEqual(said, [])
      yield* open(place, "n1", [...three, "n4", "n5"])
      yield* open(place, "n1", ["n1", "n2", "n9"])
      const members = `${place} is of a store of n1, n2, n3, by its log, and who else is named to a node does not join them`
      assert.deepStrictEqual(said, [
        `${members}: n4, n5 take no part`,
        `${members}: n9 takes no part, and n3, of whom this node was not told, is heard once it introduces itself`
      ])
    }).pipe(Effect.provide(logger))
  })

  it.scoped("from before folders had names is taken by whoever opens it", () =>
    Effect.gen(function* () {
      const place = yield* folder
      yield* found(place, "n1", three)
      fs.rmSync(path.join(place, "member"))
      yield* open(place, "n2")
      assert.strictEqual((yield* Effect.flip(open(place, "n1")))._tag, "StoreFileRefused")
    })
  )

  it.scoped("is opened again as soon as it is closed: a process that was killed closes it a little late", () =>
    Effect.gen(function* () {
      const place = yield* folder
      const storage = inFolder({ place, member: "n1", voters: ["n1"], readThread: true, traceBytesMax: 0 })
      const killed = yield* Scope.make()
      yield* Scope.extend(storage.open, killed)
      const successor = yield* Effect.fork(Effect.scoped(storage.open))
      yield* Effect.yieldNow()
      yield* Scope.close(killed, Exit.void)
      assert.strictEqual((yield* Fiber.join(successor)).engine.appliedIndex(), 0)
    })
  )
})

describe("a store whose files cannot be opened", () => {
  it.scoped("waits for them where they were open before, and where that may pass", () =>
    Effect.gen(function* () {
      const storage = inFolder({
        place: yield* folder,
        member: "n1",
        voters: ["n1"],
        readThread: true,
        traceBytesMax: 0
      })
      const refused = (reason: StoreFileRefused["reason"]) =>
        new StoreFileRefused({ filename: "f", reason, detail: "" })
      const log = (mayPass: boolean) => new RaftLogError({ filename: "f", detail: "", mayPass })
      assert.isFalse(storage.mayPass(refused("unreadable")))
      assert.isFalse(storage.mayPass(log(true)))
      yield* Effect.scoped(storage.open)
      for (const error of [refused("unreadable"), refused("damaged"), refused("inaccessible"), log(true)]) {
        assert.isTrue(storage.mayPass(error))
      }
      for (const error of [refused("newer"), refused("in_use"), refused("foreign"), log(false)]) {
        assert.isFalse(storage.mayPass(error))
      }
    })
  )
})
