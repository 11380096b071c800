#!/usr/bin/env node
/**
 * A cluster of which no node stays, on the built packages: in each round one joins, another is removed for ever, and members are killed meanwhile and started again,
 * while clients append. No acknowledged append may be lost or doubled.
 *
 *   node scripts/churn.mjs [--rounds 20] [--seed N] [--clients 8]
 *
 * Without `--seed` one is chosen; it is printed first. It decides who goes and who is killed when; what comes of that depends on the machine as well. The nodes' logs are cut early, so that who joins is
 * sent a snapshot. Exit code 0: all held; 1: something did not, and the folder stays.
 */
import { spawn } from "node:child_process"
import { randomInt } from "node:crypto"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import * as path from "node:path"
import process from "node:process"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as Client from "../packages/client/dist/Client.js"
import * as Event from "../packages/client/dist/Event.js"
import * as ProcessCluster from "../packages/testkit/dist/ProcessCluster.js"

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "20" },
    seed: { type: "string", default: String(randomInt(2 ** 31)) },
    clients: { type: "string", default: "8" }
  }
})
const [rounds, seed, clients] = [values.rounds, values.seed, values.clients].map(Number)
const reckon = fileURLToPath(new URL("../apps/node/bin/reckon.js", import.meta.url))
const folder = fs.mkdtempSync(path.join(tmpdir(), "reckon-churn-"))
const say = line => process.stdout.write(`${line}\n`)

// -----------------------------------------------------------------------------
// nodes
// -----------------------------------------------------------------------------

const httpOffset = 1_000
const nameOf = number => `n${number}`

/** The processes of the cluster, each by its node's number. */
const makeNodes = basePort => {
  const nodes = new Map()
  const addressOf = number => `127.0.0.1:${basePort + number}`
  const run = number => {
    const { flags, peers } = nodes.get(number)
    const log = fs.openSync(path.join(folder, `${nameOf(number)}.log`), "a")
    const child = spawn(
      process.execPath,
      [
        ...[reckon, "node", "start", "--name", nameOf(number), "--data-dir", path.join(folder, nameOf(number))],
        ...["--rpc", addressOf(number), "--http", `127.0.0.1:${basePort + httpOffset + number}`],
        ...peers.flatMap(peer => ["--peer", `${nameOf(peer)}=${addressOf(peer)}`]),
        ...flags
      ],
      {
        stdio: ["ignore", log, log],
        env: { ...process.env, RECKON_LOG_ENTRIES_MAX: "60", RECKON_LOG_TAIL_ENTRIES: "8" }
      }
    )
    fs.closeSync(log)
    nodes.set(number, { flags, peers, child })
  }
  const isDown = ({ child }) => child.exitCode !== null || child.signalCode !== null
  return {
    addressOf,
    start: (number, peers, flags = []) => {
      nodes.set(number, { flags, peers })
      run(number)
    },
    kill: number =>
      Effect.async(resume => {
        const node = nodes.get(number)
        if (isDown(node)) return resume(Effect.void)
        node.child.once("exit", () => resume(Effect.void))
        node.child.kill("SIGKILL")
      }),
    startAgain: number => {
      if (isDown(nodes.get(number))) run(number)
    },
    end: () => {
      for (const { child } of nodes.values()) child.kill("SIGKILL")
    }
  }
}

// -----------------------------------------------------------------------------
// the run
// -----------------------------------------------------------------------------

const pick = numbers => Effect.map(Random.nextIntBetween(0, numbers.length), at => numbers[at])

/** Asks until it is so, for a minute and a half. */
const membersOnce = (client, what, isSo) =>
  client.members.pipe(
    Effect.filterOrFail(isSo, found => JSON.stringify(found)),
    Effect.retry(Schedule.spaced("150 millis")),
    Effect.timeoutFail({ duration: "90 seconds", onTimeout: () => new Error(`it never came about that ${what}`) })
  )

/** Asks for a change until it is made. Of one whose answer was lost the next attempt says that it is there already. */
const insist = change =>
  change.pipe(
    Effect.retry({
      schedule: Schedule.spaced("200 millis"),
      while: ({ message }) => !/already|there is no such member/.test(message)
    }),
    Effect.catchTag("MembershipRefused", () => Effect.void),
    Effect.timeoutFail({ duration: "90 seconds", onTimeout: () => new Error("a change was never made") })
  )

const churn = Effect.gen(function* () {
  const basePort = yield* ProcessCluster.freeBasePort
  const nodes = yield* Effect.acquireRelease(
    Effect.sync(() => makeNodes(basePort)),
    ({ end }) => Effect.sync(end)
  )
  const all = Array.from({ length: rounds + 3 }, (_, number) => nodes.addressOf(number))
  const connect = endpoints => Client.make({ endpoints, timeout: "60 seconds", attemptTimeout: "2 seconds" })
  const client = yield* connect(all)
  const acknowledged = []

  let members = [0, 1, 2]
  for (const number of members)
    nodes.start(
      number,
      members.filter(other => other !== number)
    )
  yield* membersOnce(client, "somebody leads", ({ leader }) => leader !== null)

  const writer = stream =>
    Event.json({ type: "Written", data: {} }).pipe(
      Effect.flatMap(event => Effect.as(client.append(stream, "any", [event]), event.eventId)),
      Effect.match({ onFailure: () => {}, onSuccess: id => acknowledged.push(id) }),
      Effect.forever
    )
  const writers = yield* Effect.fork(
    Effect.all(
      Array.from({ length: clients }, (_, at) => writer(`s${at}`)),
      { concurrency: "unbounded" }
    )
  )

  const disturb = Effect.gen(function* () {
    yield* Effect.sleep(yield* Random.nextIntBetween(1_500, 4_500))
    const victim = yield* pick(members)
    yield* nodes.kill(victim)
    yield* Effect.sleep(yield* Random.nextIntBetween(200, 1_700))
    nodes.startAgain(victim)
  }).pipe(Effect.forever)

  for (let round = 0; round < rounds; round++) {
    const joining = round + 3
    nodes.start(joining, members, ["--join"])
    const disturbance = yield* Effect.fork(disturb)
    yield* membersOnce(client, `${nameOf(joining)} waits to be added`, ({ waiting }) =>
      waiting.some(({ name }) => name === nameOf(joining))
    )
    yield* insist(client.addMember(nameOf(joining)))
    yield* membersOnce(client, `${nameOf(joining)} votes`, found =>
      found.members.some(({ name, role }) => name === nameOf(joining) && role !== "learner")
    )
    const leaving = yield* pick(members)
    members = [...members, joining]
    yield* insist(client.removeMember(nameOf(leaving)))
    yield* membersOnce(client, `${nameOf(leaving)} is out`, found =>
      found.members.every(({ name }) => name !== nameOf(leaving))
    )
    yield* Fiber.interrupt(disturbance)
    members = members.filter(number => number !== leaving)
    yield* nodes.kill(leaving)
    for (const number of members) nodes.startAgain(number)
    say(
      `round ${round + 1}: ${nameOf(joining)} joined, ${nameOf(leaving)} left, ${acknowledged.length} appends acknowledged`
    )
  }

  yield* Fiber.interrupt(writers)
  yield* membersOnce(client, "all have everything", found => found.members.every(({ lag }) => lag === 0))
  let isSound = acknowledged.length > 0
  for (const number of members) {
    const events = yield* Stream.runCollect((yield* connect([nodes.addressOf(number)])).readAllStream())
    const ids = new Set(Chunk.map(events, ({ eventId }) => eventId))
    const doubled = Chunk.size(events) - ids.size
    const lost = acknowledged.filter(id => !ids.has(id)).length
    isSound = isSound && doubled === 0 && lost === 0
    say(`${nameOf(number)}: ${Chunk.size(events)} events, ${doubled} doubled, ${lost} of ${acknowledged.length} lost`)
  }
  return isSound
}).pipe(Effect.scoped, Effect.withRandom(Random.make(seed)))

say(`seed ${seed}, ${rounds} rounds, in ${folder}`)
const isSound = await Effect.runPromise(
  Effect.catchAllCause(churn, cause => Effect.as(Effect.logError("the run has failed", cause), false))
)
if (isSound) fs.rmSync(folder, { recursive: true, force: true })
else say(`seed ${seed}: NOT SOUND; data and logs: ${folder}`)
process.exit(isSound ? 0 : 1)
