/**
 * A cluster whose nodes change while it runs: they join, lead, are removed and killed, and nothing that was acknowledged is lost or doubled.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Client from "@reckon/client/Client"
import * as Event from "@reckon/client/Event"
import type { StoreMembers } from "@reckon/client/MembershipRpcs"
import * as ProcessCluster from "@reckon/testkit/ProcessCluster"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Ref from "effect/Ref"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { program } from "../program.js"
import { makeNodes, stop } from "./nodes.js"

type Service = Client.Client["Type"]

/** Asks until it is so. */
const membersOnce = (client: Service, isSo: (found: StoreMembers) => boolean) =>
  client.members.pipe(
    Effect.filterOrFail(isSo),
    Effect.retry(Schedule.spaced("100 millis")),
    Effect.timeoutFail({ duration: "60 seconds", onTimeout: () => new Error("the members are never like that") })
  )

const votes = (found: StoreMembers, name: string) =>
  found.members.some(member => member.name === name && member.role !== "learner")

/** Appends one event after the other until it is interrupted; the ids of those that were acknowledged are in the list. */
const writer = (client: Service, acknowledged: Ref.Ref<ReadonlyArray<string>>, stream: string) =>
  Event.json({ type: "Written", data: {} }).pipe(
    Effect.flatMap(event =>
      Effect.zipRight(
        client.append(stream, "any", [event]),
        Ref.update(acknowledged, ids => [...ids, event.eventId])
      )
    ),
    Effect.forever
  )

const idsFrom = (client: Service) =>
  Effect.map(Stream.runCollect(client.readAllStream()), events =>
    Chunk.toReadonlyArray(events).map(({ eventId }) => eventId)
  )

describe("a cluster", () => {
  it("takes in a node, which leads, and parts with its leader, under load", { timeout: 180_000 }, () =>
    Effect.gen(function* () {
      const { addressOf, endpoints: three, startNode } = yield* makeNodes()
      const endpoints = [...three, addressOf(3)]
      const [first, second] = yield* Effect.all([startNode(0), startNode(1), startNode(2)])
      assert(first !== undefined && second !== undefined)
      const client = yield* Client.make({ endpoints, timeout: "60 seconds", attemptTimeout: "2 seconds" })
      const acknowledged = yield* Ref.make<ReadonlyArray<string>>([])
      const writers = yield* Effect.fork(
        Effect.all([writer(client, acknowledged, "a"), writer(client, acknowledged, "b")], { concurrency: 2 })
      )
      yield* membersOnce(client, found => found.leader !== null)

      // It is told of one, and hears of the others.
      yield* startNode(3, [0], ["--join"])
      yield* membersOnce(client, found => found.waiting.some(({ name }) => name === "n3"))
      // It introduces itself a moment before it listens.
      const { healthy, problem } = yield* Effect.retry(
        client.status(addressOf(3)),
        Schedule.spaced("100 millis").pipe(Schedule.intersect(Schedule.recurs(200)))
      )
      assert.deepStrictEqual(
        { healthy, problem },
        { healthy: false, problem: "n3 waits to be added: reckon member add n3" }
      )
      yield* client.addMember("n3")
      yield* membersOnce(client, found => votes(found, "n3"))
      yield* Effect.retry(client.transferLeadership("n3"), Schedule.spaced("200 millis"))
      yield* membersOnce(client, found => found.leader === "n3")

      // One of the three goes for good, and its machine with it; another one is killed and comes back with the peers it always had.
      yield* client.removeMember("n0")
      first.kill("SIGKILL")
      second.kill("SIGKILL")
      yield* startNode(1)
      yield* membersOnce(client, ({ members }) => members.length === 3 && members.every(({ lag }) => lag === 0))
      yield* Effect.retry(client.transferLeadership("n1"), Schedule.spaced("200 millis"))
      yield* membersOnce(client, found => found.leader === "n1")
      const before = (yield* Ref.get(acknowledged)).length
      yield* Effect.repeat(Ref.get(acknowledged), {
        until: ids => ids.length >= before + 20,
        schedule: Schedule.spaced("50 millis")
      })
      yield* Fiber.interrupt(writers)

      const joined = yield* Client.make({ endpoints: endpoints.slice(3), timeout: "60 seconds" })
      const there = yield* idsFrom(joined)
      assert.lengthOf(new Set(there), there.length)
      assert.includeMembers([...there], [...(yield* Ref.get(acknowledged))])
    }).pipe(Effect.scoped, Effect.runPromise)
  )

  it("tells a second node of one name where the others look for it", { timeout: 120_000 }, () =>
    Effect.gen(function* () {
      const { addressOf, endpoints, startNode } = yield* makeNodes()
      yield* Effect.all([startNode(0), startNode(1), startNode(2)])
      const client = yield* Client.make({ endpoints, timeout: "60 seconds", attemptTimeout: "2 seconds" })
      yield* client.append("a", "no_stream", [yield* Event.json({ type: "Written", data: {} })])
      yield* startNode(3, [0, 2], [], "n1")
      const { healthy, node, problem } = yield* client.status(addressOf(3)).pipe(
        Effect.filterOrFail(found => /n0 looks for it.*n2 looks for it/.test(found.problem ?? "")),
        Effect.retry(Schedule.spaced("100 millis").pipe(Schedule.intersect(Schedule.recurs(300))))
      )
      assert.deepStrictEqual({ node, healthy }, { node: "n1", healthy: false })
      assert.include(problem, `n1 is at ${addressOf(3)}, but n0 looks for it at ${addressOf(1)}`)
      // The others do without it, and so does the first of the name.
      assert.isNull((yield* client.status(addressOf(1))).problem)
      yield* client.append("a", 0, [yield* Event.json({ type: "Written", data: {} })])
    }).pipe(Effect.scoped, Effect.runPromise)
  )

  it("of one node becomes one of three, and does without the first", { timeout: 120_000 }, () =>
    Effect.gen(function* () {
      const { endpoints, startNode } = yield* makeNodes()
      const first = yield* startNode(0, [])
      const client = yield* Client.make({ endpoints, timeout: "60 seconds", attemptTimeout: "2 seconds" })
      const event = yield* Event.json({ type: "Written", data: {} })
      yield* client.append("a", "no_stream", [event])
      for (const at of [1, 2]) {
        yield* startNode(at, [0], ["--join"])
        yield* membersOnce(client, found => found.waiting.some(({ name }) => name === `n${at}`))
        yield* client.addMember(`n${at}`)
        yield* membersOnce(client, found => votes(found, `n${at}`))
      }
      yield* stop(first)
      const others = yield* Client.make({ endpoints: endpoints.slice(1), timeout: "60 seconds" })
      yield* others.append("a", 0, [yield* Event.json({ type: "Written", data: {} })])
      assert.lengthOf(yield* idsFrom(others), 2)
      assert.strictEqual((yield* idsFrom(others))[0], event.eventId)
    }).pipe(Effect.scoped, Effect.runPromise)
  )

  it("has another leader already when the one that led has been stopped", { timeout: 120_000 }, () =>
    Effect.gen(function* () {
      const { endpoints, startNode } = yield* makeNodes()
      const nodes = yield* Effect.all([startNode(0), startNode(1), startNode(2)])
      const client = yield* Client.make({ endpoints, timeout: "60 seconds" })
      yield* client.append("a", "any", [yield* Event.json({ type: "Written", data: {} })])
      const { leader } = yield* membersOnce(client, ({ members }) => members.every(({ lag }) => lag === 0))
      const at = ["n0", "n1", "n2"].indexOf(leader ?? "")
      const led = nodes[at]
      assert(led !== undefined)
      assert.strictEqual(yield* stop(led), 0)
      const others = endpoints.filter((_, other) => other !== at)
      const roles = yield* Effect.forEach(others, endpoint => Effect.map(client.status(endpoint), ({ role }) => role))
      assert.include(roles, "leader")
    }).pipe(Effect.scoped, Effect.runPromise)
  )

  it("refuses whom nobody has heard of, and those that were removed, in words", { timeout: 120_000 }, () =>
    Effect.gen(function* () {
      const { endpoints, startNode } = yield* makeNodes()
      yield* Effect.all([startNode(0), startNode(1), startNode(2)])
      const client = yield* Client.make({ endpoints, timeout: "60 seconds" })
      yield* membersOnce(client, found => found.leader !== null)
      const refusal = (change: ReturnType<Service["addMember"]>) => Effect.map(Effect.flip(change), String)
      assert.include(yield* refusal(client.addMember("n9")), 'no node "n9" has introduced itself')
      assert.include(yield* refusal(client.removeMember("n9")), "there is no such member")
      assert.include(yield* refusal(client.transferLeadership("n9")), "there is no such member")
      const { leader } = yield* client.members
      const other = ["n0", "n1", "n2"].find(name => name !== leader) ?? ""
      yield* client.removeMember(other)
      assert.include(yield* refusal(client.addMember(other)), "a name is never given again")
      assert.lengthOf((yield* client.members).members, 2)
    }).pipe(Effect.scoped, Effect.runPromise)
  )

  it("is shown and changed from the command line", { timeout: 120_000 }, () =>
    Effect.gen(function* () {
      const { addressOf, endpoints, startNode } = yield* makeNodes()
      yield* startNode(0, [])
      const client = yield* Client.make({ endpoints, timeout: "60 seconds" })
      yield* membersOnce(client, found => found.leader !== null)
      yield* startNode(1, [0], ["--join"])
      yield* membersOnce(client, found => found.waiting.length > 0)
      const reckon = (...words: ReadonlyArray<string>) =>
        ProcessCluster.run(program, ["member", ...words, "--endpoint", addressOf(0)])

      const rows = (stdout: string) =>
        stdout
          .trimEnd()
          .split("\n")
          .map(line => line.split(/ {2,}/))
      const { stdout } = yield* reckon("list")
      assert.deepStrictEqual(rows(stdout), [
        ["member", "address", "role", "lag", "heard"],
        ["n0", addressOf(0), "leader", "0", "yes"],
        [`n1 at ${addressOf(1)} waits to join: reckon member add n1`]
      ])
      assert.deepInclude(yield* reckon("add", "n1"), {
        code: 0,
        stdout: "n1: added, and votes once it has what the others have (reckon member list)\n"
      })
      yield* membersOnce(client, found => votes(found, "n1"))
      assert.deepInclude(yield* reckon("transfer", "n1"), { code: 0, stdout: "n1: leads\n" })
      // Asked of the one that does not lead, it has the answer of the one that does.
      const listed = yield* reckon("list", "--json")
      assert.deepInclude(JSON.parse(listed.stdout), { node: "n1", leader: "n1", waiting: [] })
      assert.deepInclude(yield* reckon("remove", "n1", "--json"), {
        code: 0,
        stdout: '{"member":"n1","state":"removed"}\n'
      })
      const again = yield* reckon("add", "n1")
      assert.strictEqual(again.code, 1)
      assert.match(again.stderr, /^MembershipRefused: .*a name is never given again; `reckon member list` .*\n$/)
      assert.strictEqual((yield* reckon("add")).code, 2)
    }).pipe(Effect.scoped, Effect.runPromise)
  )
})
