import { assert, describe, it } from "@effect/vitest"
import * as Raft from "@reckon/raft/Raft"
import * as RaftClient from "@reckon/raft/RaftClient"
import * as RaftLog from "@reckon/raft/RaftLog"
import * as RaftTransport from "@reckon/raft/RaftTransport"
import * as Effect from "effect/Effect"
import { encode, makeMachine, whileTimePasses } from "../helpers/group.js"
import { processes } from "../helpers/processes.js"

/** A group of one, and how often its log was flushed with something to write. */
const makeOnly = Effect.gen(function* () {
  const network = yield* RaftTransport.makeNetwork
  const transport = network.transport("a")
  const inner = yield* RaftLog.make({ filename: ":memory:" })
  const counts = { staged: 0, entries: 0, writes: 0 }
  const log = RaftLog.RaftLog.of({
    ...inner,
    stage: write => {
      counts.staged += 1
      counts.entries += write.entries.length
      inner.stage(write)
    },
    flush: () => {
      if (counts.staged > 0) counts.writes += 1
      counts.staged = 0
      inner.flush()
    }
  })
  const { applied, machine } = makeMachine()
  const options = { group: "g", self: "a", voters: ["a"], processName: "raft-a" }
  yield* Raft.startLink({ ...options, open: Effect.succeed({ log, machine }) }).pipe(
    Effect.provideService(RaftTransport.RaftTransport, transport)
  )
  const client = yield* RaftClient.make(options).pipe(Effect.provideService(RaftTransport.RaftTransport, transport))
  yield* whileTimePasses(client.propose(encode("first")))
  return { applied, client, counts }
})

describe("flow: a process and its log", () => {
  it.scoped("a burst of proposals is one durable write, or two where its first was under way already", () =>
    Effect.gen(function* () {
      const { applied, client, counts } = yield* makeOnly
      const { entries, writes } = counts
      const texts = Array.from({ length: 500 }, (_, at) => `${at}`)
      yield* Effect.forEach(texts, text => client.propose(encode(text)), { concurrency: "unbounded" })
      assert.strictEqual(counts.entries - entries, 500)
      assert.isAtMost(counts.writes - writes, 2)
      assert.deepStrictEqual(applied, ["first", ...texts])
    }).pipe(Effect.provide(processes))
  )

  it.scoped("one after the other is one write for each", () =>
    Effect.gen(function* () {
      const { client, counts } = yield* makeOnly
      const { writes } = counts
      for (let at = 0; at < 5; at++) yield* client.propose(encode(`${at}`))
      assert.strictEqual(counts.writes - writes, 5)
    }).pipe(Effect.provide(processes))
  )
})
