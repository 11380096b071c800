import { Rpc, RpcGroup } from "@effect/rpc"
import { assert, describe, it } from "@effect/vitest"
import { Chunk, Deferred, Effect, Either, Fiber, Layer, Option, Queue, Schema, Stream } from "effect"
import * as ExitReason from "../src/ExitReason.js"
import * as GenServer from "../src/GenServer.js"
import { GroupScope } from "../src/internal/groupScope.js"
import * as Process from "../src/Process.js"
import * as ProcessGroup from "../src/ProcessGroup.js"
import { layerLocal } from "../src/ProcessGroupTransport.js"
import * as Supervisor from "../src/Supervisor.js"
import * as Sys from "../src/Sys.js"
import {
  groupsOf,
  idle,
  kill,
  listener,
  membersOf,
  type NodeServices,
  namesOf,
  quiet,
  sayOf,
  scopeProcess,
  settle,
  supervised,
  tableOf
} from "./helpers/groups.js"

const bare = Effect.provide(Layer.merge(Process.layer, layerLocal))

/** A node with the default scope. */
const alone = <A, E>(effect: Effect.Effect<A, E, NodeServices>) => bare(Effect.zipRight(supervised, effect))

const remote = new ProcessGroup.RemotePid({ node: "far", creation: "1", id: 1, label: "<1 stranger>" })

describe("ProcessGroup", () => {
  describe("membership", () => {
    it.effect("pg: join, leave and all reads in the default scope", () =>
      Effect.gen(function* () {
        const pid = yield* idle("m")
        yield* ProcessGroup.join("g", pid)
        assert.deepStrictEqual(yield* ProcessGroup.getMembers("g"), [pid])
        assert.deepStrictEqual(yield* ProcessGroup.getLocalMembers("g"), [pid])
        assert.deepStrictEqual(yield* ProcessGroup.whichGroups(), ["g"])
        assert.deepStrictEqual(yield* ProcessGroup.whichLocalGroups(), ["g"])
        assert.isTrue(yield* ProcessGroup.leave("g", pid))
        assert.deepStrictEqual(yield* ProcessGroup.getMembers("g"), [])
        assert.deepStrictEqual(yield* ProcessGroup.getLocalMembers("g"), [])
        assert.deepStrictEqual(yield* ProcessGroup.whichGroups(), [])
        assert.deepStrictEqual(yield* ProcessGroup.whichLocalGroups(), [])
      }).pipe(alone)
    )

    it.effect("single: who joins three times is listed three times, and leaves as often", () =>
      Effect.gen(function* () {
        const pid = yield* idle("m")
        yield* ProcessGroup.join("g", pid)
        yield* ProcessGroup.join("g", [pid, pid])
        assert.deepStrictEqual(yield* membersOf("g"), ["m", "m", "m"])
        assert.isTrue(yield* ProcessGroup.leave("g", [pid, pid]))
        assert.deepStrictEqual(yield* membersOf("g"), ["m"])
        assert.isTrue(yield* ProcessGroup.leave("g", pid))
        assert.deepStrictEqual(yield* membersOf("g"), [])
        assert.isFalse(yield* ProcessGroup.leave("g", pid))
      }).pipe(alone)
    )

    it.effect("single: leave is false only if none of the list was in; those that were are out", () =>
      Effect.gen(function* () {
        const [a, b, c] = yield* Effect.all([idle("a"), idle("b"), idle("c")])
        yield* ProcessGroup.join("g", [a, b])
        assert.isFalse(yield* ProcessGroup.leave("missing", a))
        assert.isFalse(yield* ProcessGroup.leave("g", c))
        assert.isFalse(yield* ProcessGroup.leave("g", []))
        assert.isTrue(yield* ProcessGroup.leave("g", [c, a, a]))
        assert.deepStrictEqual(yield* membersOf("g"), ["b"])
      }).pipe(alone)
    )

    it.effect("single: a member's death takes it out of all groups, with all multiplicities; others stay", () =>
      Effect.gen(function* () {
        const [a, b] = yield* Effect.all([idle("a"), idle("b")])
        yield* ProcessGroup.join("g", [a, b, a])
        yield* ProcessGroup.join("h", a)
        yield* kill(a)
        assert.deepStrictEqual(yield* tableOf, [["g", ["b"]]])
      }).pipe(alone)
    )

    it.effect("a process that is dead already joins and leaves at once", () =>
      Effect.gen(function* () {
        const pid = yield* idle("m")
        yield* kill(pid)
        const heard = (yield* listener()).heard
        yield* ProcessGroup.join("g", [pid, pid])
        yield* settle
        assert.deepStrictEqual(heard, ["join g: m m", "leave g: m m"])
        assert.deepStrictEqual(yield* ProcessGroup.whichGroups(), [])
      }).pipe(alone)
    )

    it.effect("a group exists only while it has members; an empty list makes none", () =>
      Effect.gen(function* () {
        yield* ProcessGroup.join("g", [])
        assert.deepStrictEqual(yield* ProcessGroup.whichGroups(), [])
      }).pipe(alone)
    )

    it.effect("groups may have any name", () =>
      Effect.gen(function* () {
        const pid = yield* idle("m")
        for (const group of ["__proto__", "constructor", ""]) yield* ProcessGroup.join(group, pid)
        assert.deepStrictEqual(yield* ProcessGroup.whichGroups(), ["__proto__", "constructor", ""])
        assert.deepStrictEqual(yield* membersOf("__proto__"), ["m"])
      }).pipe(alone)
    )

    it.effect(
      "process_owner_check: a remote pid, or one in a list, is NotLocal, and nothing of the list has joined",
      () =>
        Effect.gen(function* () {
          const pid = yield* idle("m")
          for (const members of [remote, [remote], [pid, remote], [pid, "no pid" as never]]) {
            const joined = yield* Effect.flip(ProcessGroup.join("g", members))
            assert.strictEqual(joined._tag, "NotLocal")
            assert.isFalse(joined.retryable)
            const left = yield* Effect.flip(ProcessGroup.leave("g", members))
            assert.strictEqual(left._tag, "NotLocal")
          }
          assert.deepStrictEqual(yield* ProcessGroup.whichGroups(), [])
        }).pipe(alone)
    )

    it.effect("monitors do not pile up: who has left everything is monitored no more", () =>
      Effect.gen(function* () {
        const pid = yield* idle("m")
        const watchers = Effect.map(Sys.status({ pid }), status => status.monitoredBy)
        yield* ProcessGroup.join("g", [pid, pid])
        yield* ProcessGroup.join("h", pid)
        assert.strictEqual(yield* watchers, 1)
        yield* ProcessGroup.leave("g", pid)
        yield* ProcessGroup.leave("h", pid)
        assert.strictEqual(yield* watchers, 1)
        yield* ProcessGroup.leave("g", pid)
        assert.strictEqual(yield* watchers, 0)
      }).pipe(alone)
    )
  })

  describe("scopes", () => {
    it.effect("missing_scope_join: join, leave and monitor fail with NoProcess, reads give nothing", () =>
      Effect.gen(function* () {
        const pid = yield* idle("m")
        const failures = yield* Effect.all([
          Effect.flip(ProcessGroup.join("g", pid)),
          Effect.flip(ProcessGroup.leave("g", pid)),
          Effect.flip(Stream.runCollect(ProcessGroup.scopeChanges()))
        ])
        assert.deepStrictEqual(
          failures.map(failure => failure._tag),
          ["NoProcess", "NoProcess", "NoProcess"]
        )
        const seen = yield* Deferred.make<string>()
        yield* Process.spawn(
          Effect.flatMap(Effect.flip(ProcessGroup.monitorScope()), error => Deferred.succeed(seen, error._tag))
        )
        assert.strictEqual(yield* Deferred.await(seen), "NoProcess")
        assert.deepStrictEqual(yield* ProcessGroup.getMembers("g"), [])
        assert.deepStrictEqual(yield* ProcessGroup.getLocalMembers("g"), [])
        assert.deepStrictEqual(yield* ProcessGroup.whichGroups(), [])
        assert.deepStrictEqual(yield* ProcessGroup.whichLocalGroups(), [])
      }).pipe(bare)
    )

    it.effect("a process that only bears the name of a scope is none", () =>
      Effect.gen(function* () {
        const pid = yield* Process.spawn(Effect.never, { name: ProcessGroup.nameOf("pg") })
        assert.strictEqual((yield* Effect.flip(ProcessGroup.join("g", pid)))._tag, "NoProcess")
        assert.deepStrictEqual(yield* ProcessGroup.getMembers("g"), [])
      }).pipe(bare)
    )

    it.effect("disconnected_start: a scope starts and stops without other nodes; its table goes with it", () =>
      Effect.gen(function* () {
        const pid = yield* idle("m")
        const scope = yield* ProcessGroup.start({ scope: "own" })
        yield* ProcessGroup.join("g", pid, "own")
        assert.deepStrictEqual(yield* ProcessGroup.whichGroups("own"), ["g"])
        yield* GenServer.stopServer(scope)
        assert.deepStrictEqual(yield* ProcessGroup.getMembers("g", "own"), [])
        assert.strictEqual((yield* Effect.flip(ProcessGroup.join("g", pid, "own")))._tag, "NoProcess")
      }).pipe(bare)
    )

    it.effect("scopes know nothing of each other; a node has each once", () =>
      Effect.gen(function* () {
        const pid = yield* idle("m")
        yield* ProcessGroup.start({ scope: "other" })
        assert.strictEqual((yield* Effect.flip(ProcessGroup.start({ scope: "other" })))._tag, "AlreadyStarted")
        yield* ProcessGroup.join("g", pid, "other")
        assert.deepStrictEqual(yield* ProcessGroup.getMembers("g"), [])
        assert.deepStrictEqual(yield* ProcessGroup.getMembers("g", "other"), [pid])
      }).pipe(alone)
    )

    it.effect("reads ask nobody: they answer in one synchronous step", () =>
      Effect.gen(function* () {
        const pid = yield* idle("m")
        yield* ProcessGroup.join("g", pid)
        const context = yield* Effect.context<Process.ProcessTable>()
        const now = <A>(read: Effect.Effect<A, never, Process.ProcessTable>) =>
          Effect.runSync(Effect.provide(read, context))
        assert.deepStrictEqual(now(ProcessGroup.getMembers("g")), [pid])
        assert.deepStrictEqual(now(ProcessGroup.getLocalMembers("g")), [pid])
        assert.deepStrictEqual(now(ProcessGroup.whichGroups()), ["g"])
        assert.deepStrictEqual(now(ProcessGroup.whichLocalGroups()), ["g"])
      }).pipe(alone)
    )

    const Foreign = RpcGroup.make(Rpc.make("Garbage", { success: Schema.Number }))
    const foreign = GenServer.named(Foreign, ProcessGroup.nameOf("pg"))
    const garbage: ReadonlyArray<readonly [string, Effect.Effect<unknown, unknown, Process.ProcessTable>]> = [
      ["info", Effect.flatMap(scopeProcess(), pid => Process.send(pid, { _tag: "Join" }))],
      ["null", Effect.flatMap(scopeProcess(), pid => Process.send(pid, null))],
      ["cast", foreign.cast("Garbage")],
      ["call", Effect.either(foreign.call("Garbage"))]
    ]
    for (const [kind, send] of garbage) {
      it.effect(`errors: a garbage ${kind} crashes the scope, which starts again clean`, () =>
        Effect.gen(function* () {
          const pid = yield* idle("m")
          yield* ProcessGroup.join("g", pid)
          const before = yield* scopeProcess()
          const reason = yield* Effect.fork(Process.awaitExit(before))
          yield* settle
          yield* send
          assert.strictEqual((yield* Fiber.join(reason))._tag, "Crash")
          yield* settle
          assert.notStrictEqual(yield* scopeProcess(), before)
          assert.deepStrictEqual(yield* ProcessGroup.whichGroups(), [])
          assert.isTrue(yield* Process.isAlive(pid))
        }).pipe(alone, quiet)
      )
    }
  })

  describe("processes as subscribers", () => {
    it.effect("monitorScope: the snapshot, then exactly the changes", () =>
      Effect.gen(function* () {
        const [a, b] = yield* Effect.all([idle("a"), idle("b")])
        yield* ProcessGroup.join("g", [a, a])
        const { heard, snapshot } = yield* listener()
        assert.deepStrictEqual(snapshot, { g: ["a", "a"] })
        yield* ProcessGroup.join("h", [b, a])
        yield* ProcessGroup.leave("g", [b, a])
        yield* ProcessGroup.leave("g", b)
        yield* kill(a)
        assert.deepStrictEqual(heard, ["join h: a b", "leave g: a", "leave g: a", "leave h: a"])
      }).pipe(alone)
    )

    it.effect("monitor: the members of one group, which need not exist, and its changes only", () =>
      Effect.gen(function* () {
        const pid = yield* idle("m")
        const { heard, snapshot } = yield* listener("g")
        assert.deepStrictEqual(snapshot, { g: [] })
        yield* ProcessGroup.join("h", pid)
        yield* ProcessGroup.join("g", pid)
        yield* ProcessGroup.leave("g", pid)
        yield* settle
        assert.deepStrictEqual(heard, ["join g: m", "leave g: m"])
      }).pipe(alone)
    )

    it.effect("monitors stack, each with its own reference", () =>
      Effect.gen(function* () {
        const heard: Array<number> = []
        const [member, subscribed] = [yield* idle("m"), yield* Deferred.make<void>()]
        yield* Process.spawn(
          Effect.gen(function* () {
            const refs = [(yield* ProcessGroup.monitor("g"))[0], (yield* ProcessGroup.monitor("g"))[0]]
            yield* Deferred.succeed(subscribed, undefined)
            yield* Effect.forever(
              Effect.map(Process.receive, signal => {
                const body = signal._tag === "Message" ? signal.body : undefined
                if (body instanceof ProcessGroup.GroupChange) heard.push(refs.indexOf(body.ref))
              })
            )
          })
        )
        yield* Deferred.await(subscribed)
        yield* ProcessGroup.join("g", member)
        yield* settle
        assert.deepStrictEqual(heard, [0, 1])
      }).pipe(alone)
    )

    it.effect("a GenServer gets the changes in info", () =>
      Effect.gen(function* () {
        const heard: Array<string> = []
        yield* GenServer.start(
          GenServer.make(RpcGroup.make(), {
            init: (_: GenServer.Self<ProcessGroup.GroupChange>) => ProcessGroup.monitorScope(),
            handlers: {},
            info: (message, state) => {
              heard.push(sayOf(message))
              return GenServer.noReply(state)
            }
          })
        )
        yield* ProcessGroup.join("g", yield* idle("m"))
        yield* settle
        assert.deepStrictEqual(heard, ["join g: m"])
      }).pipe(alone)
    )

    it.effect("demonitor is true, flushes what is queued, and stops the notices; then false", () =>
      Effect.gen(function* () {
        const member = yield* idle("m")
        const ready = yield* Deferred.make<ProcessGroup.GroupMonitorRef>()
        const pid = yield* Process.spawn(
          Effect.flatMap(ProcessGroup.monitorScope(), ([ref]) =>
            Effect.zipRight(Deferred.succeed(ready, ref), Effect.never)
          )
        )
        const ref = yield* Deferred.await(ready)
        const waiting = Effect.map(Sys.status({ pid }), status => status.waiting)
        yield* Process.send(pid, "other")
        yield* ProcessGroup.join("g", [member, member])
        yield* ProcessGroup.leave("g", member)
        assert.strictEqual(yield* waiting, 3)
        assert.isTrue(yield* ProcessGroup.demonitor(ref))
        assert.strictEqual(yield* waiting, 1)
        yield* ProcessGroup.leave("g", member)
        assert.strictEqual(yield* waiting, 1)
        assert.isFalse(yield* ProcessGroup.demonitor(ref))
        assert.strictEqual((yield* Sys.status({ pid })).monitoredBy, 0)
      }).pipe(alone)
    )

    it.effect("demonitor of a subscription to an earlier process of the scope is false", () =>
      Effect.gen(function* () {
        const { heard, ref } = yield* listener()
        yield* kill(yield* scopeProcess())
        assert.deepStrictEqual(heard, ["lost"])
        assert.isFalse(yield* ProcessGroup.demonitor(ref))
      }).pipe(alone)
    )

    it.effect("monitor_self: who subscribes and joins may end; the scope lives on and tells the others once", () =>
      Effect.gen(function* () {
        const scope = yield* scopeProcess()
        const { heard } = yield* listener()
        const pid = yield* Process.spawn(
          Effect.gen(function* () {
            yield* ProcessGroup.monitorScope()
            const self = yield* Effect.flatten(Process.self)
            yield* ProcessGroup.join("g", [self, self])
          }),
          { label: "m" }
        )
        yield* settle
        assert.isFalse(yield* Process.isAlive(pid))
        assert.deepStrictEqual(heard, ["join g: m m", "leave g: m m"])
        assert.strictEqual(yield* scopeProcess(), scope)
        assert.deepStrictEqual(yield* ProcessGroup.whichGroups(), [])
      }).pipe(alone)
    )

    it.effect("a dead subscriber is forgotten", () =>
      Effect.gen(function* () {
        const { pid, ref } = yield* listener()
        yield* kill(pid)
        assert.isFalse(yield* ProcessGroup.demonitor(ref))
      }).pipe(alone)
    )

    it.effect("a subscriber whose mailbox is full loses the subscription and is told, past the capacity", () =>
      Effect.gen(function* () {
        const member = yield* idle("m")
        const [ready, go] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
        const heard: Array<string> = []
        yield* Process.spawn(
          Effect.gen(function* () {
            yield* ProcessGroup.monitorScope()
            yield* Deferred.succeed(ready, undefined)
            yield* Deferred.await(go)
            yield* Effect.forever(
              Effect.map(Process.receive, signal => {
                if (signal._tag === "Message") heard.push(sayOf(signal.body))
              })
            )
          }),
          { mailboxCapacity: 2 }
        )
        yield* Deferred.await(ready)
        for (let i = 0; i < 5; i++) yield* ProcessGroup.join("g", member)
        yield* Deferred.succeed(go, undefined)
        yield* settle
        yield* ProcessGroup.join("g", member)
        yield* settle
        assert.deepStrictEqual(heard, ["join g: m", "join g: m", "lost"])
      }).pipe(alone)
    )
  })

  describe("streams of changes", () => {
    it.effect("first a snapshot, then exactly the changes", () =>
      Effect.gen(function* () {
        const pid = yield* idle("m")
        yield* ProcessGroup.join("g", pid)
        const events = yield* Queue.unbounded<ProcessGroup.GroupSnapshot | ProcessGroup.GroupChange>()
        yield* Effect.forkScoped(Stream.runForEach(ProcessGroup.scopeChanges(), event => Queue.offer(events, event)))
        const first = yield* Queue.take(events)
        assert.deepStrictEqual(first._tag === "GroupSnapshot" ? groupsOf(first.groups) : {}, { g: ["m"] })
        yield* ProcessGroup.join("h", pid)
        yield* kill(pid)
        const rest = yield* Queue.takeAll(events)
        assert.deepStrictEqual(Chunk.toReadonlyArray(rest).map(sayOf), ["join h: m", "leave g: m", "leave h: m"])
      }).pipe(Effect.scoped, alone)
    )

    it.effect("groupChanges tells of one group only", () =>
      Effect.gen(function* () {
        const pid = yield* idle("m")
        const read = yield* Effect.fork(Stream.runCollect(Stream.take(ProcessGroup.groupChanges("g"), 2)))
        yield* settle
        yield* ProcessGroup.join("h", pid)
        yield* ProcessGroup.join("g", pid)
        const [first, second] = Chunk.toReadonlyArray(yield* Fiber.join(read))
        assert.deepStrictEqual(first?._tag === "GroupSnapshot" ? groupsOf(first.groups) : undefined, {})
        assert.strictEqual(sayOf(second), "join g: m")
      }).pipe(alone)
    )

    it.effect("a reader that is too slow gets a fresh snapshot in place of what it missed", () =>
      Effect.gen(function* () {
        const pid = yield* idle("m")
        const pull = yield* Stream.toPull(ProcessGroup.scopeChanges({ bufferSize: 2 }))
        const next = Effect.map(pull, events =>
          Chunk.toReadonlyArray(events).map(event =>
            event._tag === "GroupSnapshot" ? JSON.stringify(groupsOf(event.groups)) : sayOf(event)
          )
        )
        assert.deepStrictEqual(yield* next, ["{}"])
        yield* ProcessGroup.join("g", pid)
        yield* ProcessGroup.join("h", pid)
        assert.deepStrictEqual(yield* next, ["join g: m", "join h: m"])
        for (const group of ["i", "j", "k"]) yield* ProcessGroup.join(group, pid)
        yield* ProcessGroup.leave("h", pid)
        assert.deepStrictEqual(yield* next, ['{"g":["m"],"i":["m"],"j":["m"],"k":["m"]}'])
        yield* ProcessGroup.leave("g", pid)
        assert.deepStrictEqual(yield* next, ["leave g: m"])
      }).pipe(Effect.scoped, alone)
    )

    it.effect("the stream fails with NoProcess when the scope ends, after what was told before", () =>
      Effect.gen(function* () {
        const pid = yield* idle("m")
        const pull = yield* Stream.toPull(ProcessGroup.scopeChanges())
        yield* pull
        yield* ProcessGroup.join("g", pid)
        yield* Effect.flatMap(scopeProcess(), pid => Process.exit(pid, ExitReason.shutdown()))
        yield* settle
        assert.deepStrictEqual(Chunk.toReadonlyArray(yield* pull).map(sayOf), ["join g: m"])
        const end = yield* Effect.flip(pull)
        assert.strictEqual(Option.getOrUndefined(end)?._tag, "NoProcess")
      }).pipe(Effect.scoped, alone)
    )

    it.effect("a closed stream is forgotten", () =>
      Effect.gen(function* () {
        const subscribers = Effect.map(
          Effect.flatMap(scopeProcess(), pid => Sys.getState({ pid })),
          state => (state instanceof GroupScope ? state.subscriptions : undefined)
        )
        const reading = yield* Effect.fork(Stream.runDrain(ProcessGroup.groupChanges("g")))
        yield* settle
        assert.strictEqual(yield* subscribers, 1)
        yield* Fiber.interrupt(reading)
        assert.strictEqual(yield* subscribers, 0)
      }).pipe(alone)
    )
  })

  it.effect("a scope lives under a supervisor like any worker, with whom nobody is left behind", () =>
    Effect.gen(function* () {
      const tree = yield* Supervisor.start({
        children: [Supervisor.worker("a", ProcessGroup.startLink({ scope: "a" }))]
      })
      const scope = yield* scopeProcess("a")
      yield* Supervisor.stop(tree)
      assert.isFalse(yield* Process.isAlive(scope))
      const found = yield* Effect.either(ProcessGroup.join("g", [], "a"))
      assert.strictEqual(Either.isLeft(found) ? found.left._tag : "joined", "NoProcess")
      assert.deepStrictEqual(namesOf(yield* ProcessGroup.getMembers("g", "a")), [])
    }).pipe(bare)
  )
})
