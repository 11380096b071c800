import { assert, describe, it } from "@effect/vitest"
import { StoreError } from "@reckon/client"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Gateway from "./helpers/gateway.js"
import { jsonLines, type Outcome, reckon } from "./helpers/reckon.js"
import { assertFailure, setUp } from "./helpers/setUp.js"

const id = "0190aaaa-bbbb-7ccc-8ddd-eeeeffff0001"

describe("append", () => {
  it.scopedLive("prints version and position, as JSON if asked", () =>
    Effect.gen(function* () {
      const { at, store } = yield* setUp
      const plain = yield* reckon(["append", "order-1", "--type", "Placed", "--data", '{"total":3}', ...at])
      assert.deepStrictEqual(plain, { code: 0, out: "order-1: version 0, position 0\n", err: "" })
      const options = ["--data", "-", "--metadata", "[1]", "--tag", "a", "--tag=b", "--id", id.toUpperCase(), "--json"]
      const args = ["append", "--type", "Paid", ...options, "--expect", "0", "order-1", ...at]
      const json = yield* reckon(args, { stdin: ' {"big": 12345678901234567890}\n' })
      assert.deepStrictEqual(jsonLines(json), [{ streamId: "order-1", version: 1, position: 1, alreadyPresent: 0 }])
      const again = yield* reckon(args, { stdin: ' {"big": 12345678901234567890}\n' })
      assert.deepStrictEqual(jsonLines(again), [{ streamId: "order-1", version: 1, position: 1, alreadyPresent: 1 }])
      const event = store.all[1]
      assert.deepInclude(event, { eventId: id, eventType: "Paid", tags: ["a", "b"] })
      assert.strictEqual(Buffer.from(event?.data ?? []).toString(), '{"big": 12345678901234567890}')
    })
  )

  it.scopedLive("says in one line what went wrong and what to do", () =>
    Effect.gen(function* () {
      const { at, gateway, store } = yield* setUp
      const append = (...more: ReadonlyArray<string>) => reckon(["append", "s", "--type", "T", ...at, ...more])
      yield* append("--data", "1", "--id", id)
      assertFailure(
        yield* append("--data", "1", "--expect", "no_stream"),
        1,
        'WrongExpectedVersion: stream "s" is at version 0'
      )
      assertFailure(yield* append("--data", "2", "--id", id), 1, 'EventIdConflict: stream "s" has another event')
      const malformed = yield* append("--data", '{"a":}')
      assertFailure(malformed, 1, "InvalidRequest: --data is not JSON: ")
      assert.include(malformed.err, "it breaks at character 6")
      assertFailure(yield* append("--data", "1", "--metadata", "{"), 1, "InvalidRequest: --metadata is not JSON: ")
      assertFailure(yield* append("--data", ""), 1, "InvalidRequest: --data is not JSON: it is empty")
      assertFailure(yield* append("--data", "1", "--store", "other"), 1, "StoreNotFound: ")
      gateway.before = () => new StoreError.NoQuorum({ store: "default", detail: "2 of 3 nodes\nare gone" })
      const minority = yield* append("--data", "1", "--timeout", "2")
      assertFailure(minority, 1, "NoQuorum: ")
      assert.include(minority.err, "; `reckon status` shows")
      assert.strictEqual(store.all.length, 1)
    })
  )

  it.scopedLive("refuses an event of 20 MB without sending it", () =>
    Effect.gen(function* () {
      const { at, gateway } = yield* setUp
      const args = ["append", "s", "--type", "T", "--data", "-", ...at]
      const outcome = yield* reckon(args, { stdin: JSON.stringify("x".repeat(20 * 1024 * 1024)) })
      assertFailure(outcome, 1, "EventTooLarge: event ")
      assert.include(outcome.err, "the limit is 4194304")
      const env = { RECKON_EVENT_BYTES_MAX: "100" }
      assertFailure(yield* reckon(args, { stdin: JSON.stringify("x".repeat(200)), env }), 1, "EventTooLarge: ")
      assert.deepStrictEqual(gateway.tags, [])
    })
  )

  it.scopedLive("goes to the next endpoint when a node dies with the request", () =>
    Effect.gen(function* () {
      const { gateway, store } = yield* setUp
      const other = yield* Gateway.make(store)
      gateway.after = () => Effect.zipRight(gateway.vanish, Effect.never)
      const env = { RECKON_ENDPOINTS: `${gateway.endpoint}, ${other.endpoint}` }
      const outcome = yield* reckon(["append", "s", "--type", "T", "--data", "1", "--json"], { env })
      assert.deepStrictEqual(jsonLines(outcome), [{ streamId: "s", version: 0, position: 0, alreadyPresent: 1 }])
      assert.strictEqual(store.all.length, 1)
    })
  )

  it.scopedLive(
    "takes the store and the time limit from the environment where the command line says nothing of them",
    () =>
      Effect.gen(function* () {
        const { at, gateway, store } = yield* setUp
        const append = (env: Readonly<Record<string, string>>, ...more: ReadonlyArray<string>) =>
          reckon(["append", "s", "--type", "T", "--data", "1", ...at, ...more], { env })
        assertFailure(yield* append({ RECKON_STORE: "other" }), 1, 'StoreNotFound: this node serves no store "other"')
        assert.strictEqual((yield* append({ RECKON_STORE: "other" }, "--store", "default")).code, 0)
        assert.strictEqual(store.all.length, 1)
        assertFailure(yield* append({ RECKON_STORE: "no name" }), 2, "UsageError: RECKON_STORE is ")
        assertFailure(yield* append({ RECKON_TIMEOUT: "soon" }), 2, 'UsageError: RECKON_TIMEOUT is "soon": ')
        yield* gateway.vanish
        assertFailure(yield* append({ RECKON_TIMEOUT: "200 millis" }), 1, "Unreachable: ")
        assertFailure(yield* append({ RECKON_TIMEOUT: "1 day" }, "--timeout", "0.2"), 1, "Unreachable: ")
      })
  )

  it.scopedLive("fails when nobody listens", () =>
    Effect.gen(function* () {
      const { at, gateway } = yield* setUp
      yield* gateway.vanish
      const outcome = yield* reckon(["append", "s", "--type", "T", "--data", "1", "--timeout", "0.2", ...at])
      assertFailure(outcome, 1, `Unreachable: no answer from ${gateway.endpoint}: `)
      assertFailure(yield* reckon(["subscribe", "--all", "--timeout", "0.2", ...at]), 1, "Unreachable: ")
    })
  )
})

describe("read and read-all", () => {
  it.scopedLive("print all events, over as many pages as it takes", () =>
    Effect.gen(function* () {
      const { append, at } = yield* setUp
      yield* append("a", 7)
      yield* append("b", 5)
      const versions = (outcome: Outcome) => jsonLines(outcome).map(value => (value as { version: number }).version)
      const first = yield* reckon(["read", "a", "--json", ...at])
      assert.deepStrictEqual(versions(first), [0, 1, 2, 3, 4, 5, 6])
      const [event] = jsonLines(first)
      assert.deepInclude(event, { streamId: "a", version: 0, position: 0, eventType: "T0", metadata: null, epochUs: 0 })
      assert.deepInclude(event, { data: { n: 0 }, tags: [] })
      assert.deepStrictEqual(versions(yield* reckon(["read", "a", "--from", "5", "--json", ...at])), [5, 6])
      const backward = ["read", "--backward", "--count", "3", "a", "--json", ...at]
      assert.deepStrictEqual(versions(yield* reckon(backward)), [6, 5, 4])
      const all = yield* reckon(["read-all", "--from-position", "6", "--count", "3", "--json", ...at])
      assert.deepStrictEqual(versions(all), [6, 0, 1])
      assert.strictEqual(jsonLines(yield* reckon(["read-all", "--json", ...at])).length, 12)
      const plain = yield* reckon(["read", "a", "--count", "1", ...at])
      assert.strictEqual(plain.out, '0  a@0  T0  1970-01-01T00:00:00.000000Z  {"n":0}\n')
      assertFailure(yield* reckon(["read", "-", ...at]), 1, 'StreamNotFound: there is no stream "-"; ')
      assertFailure(yield* reckon(["read", "c", ...at]), 1, 'StreamNotFound: there is no stream "c"; `reckon streams`')
    })
  )

  it.scopedLive("print what is no JSON as base64, and JSON on one line, digits kept", () =>
    Effect.gen(function* () {
      const { at, store } = yield* setUp
      const bytes = (text: string) => new TextEncoder().encode(text)
      const common = { eventType: "T\u001b[2J", metadataContentType: "application/json", tags: [], metadata: null }
      const events = [
        { ...common, eventId: id, data: bytes('{"n":\n12345678901234567890123}'), dataContentType: "application/json" },
        { ...common, eventId: id.replace("0001", "0002"), data: bytes("hi"), dataContentType: "text/plain" },
        {
          ...common,
          eventId: id.replace("0001", "0003"),
          data: bytes("9007199254740993"),
          dataContentType: "application/json"
        }
      ]
      store.append({ streamId: "s", expectedVersion: "any", events })
      const outcome = yield* reckon(["read", "s", "--json", ...at])
      const lines = outcome.out.trim().split("\n")
      assert.strictEqual(lines.length, 3)
      assert.include(lines[0], '"data":{"n": 12345678901234567890123},')
      assert.include(lines[1], '"data":{"base64":"aGk="}')
      assert.include(lines[2], '"data":9007199254740993,')
      const plain = yield* reckon(["read", "s", ...at])
      assert.notInclude(plain.out, "\u001b")
    })
  )

  it.scopedLive("end quietly when their reader does", () =>
    Effect.gen(function* () {
      const { append, at } = yield* setUp
      yield* append("a", 12)
      const outcome = yield* reckon(["read-all", ...at], { onOut: () => false })
      assert.strictEqual(outcome.code, 0)
      assert.strictEqual(outcome.err, "")
      assert.strictEqual(outcome.out.trim().split("\n").length, 5)
    })
  )
})

describe("streams, status and subscribe", () => {
  it.scopedLive("streams prints names and versions", () =>
    Effect.gen(function* () {
      const { append, at } = yield* setUp
      for (const stream of ["c", "a", "b", "f", "e", "d"]) yield* append(stream, 2)
      const json = yield* reckon(["streams", "--json", ...at])
      assert.deepStrictEqual(
        jsonLines(json),
        [..."abcdef"].map(streamId => ({ streamId, version: 1 }))
      )
      assert.strictEqual((yield* reckon(["streams", ...at])).out.split("\n")[0], "a  1")
    })
  )

  it.scopedLive("status has a row per endpoint, also for those that do not answer", () =>
    Effect.gen(function* () {
      const { at, gateway, store } = yield* setUp
      const problem = "node-2 has lost what it acknowledged"
      const follower = yield* Gateway.make(store, { node: "node-2", role: "follower", problem })
      const dead = yield* Gateway.make(store)
      yield* dead.vanish
      const all = [...at, "--endpoint", follower.endpoint, "--endpoint", dead.endpoint]
      const outcome = yield* reckon(["status", "--json", ...all])
      assert.strictEqual(outcome.code, 0)
      const rows = jsonLines(outcome)
      assert.deepStrictEqual(rows[0], {
        node: "node-1",
        endpoint: gateway.endpoint,
        role: "leader",
        leader: "node-1",
        term: 3,
        commitIndex: 0,
        appliedIndex: 0,
        pid: 4711,
        healthy: true,
        problem: null
      })
      assert.deepInclude(rows[1], { node: "node-2", role: "follower", problem })
      assert.deepInclude(rows[2], { node: null, endpoint: dead.endpoint, role: "unreachable", healthy: false })
      const table = yield* reckon(["status", ...all])
      assert.match(table.out, /^node +endpoint +role +term +commit +applied +pid +healthy\nnode-1 /)
      const [, ...below] = table.out.split(`\n${problem}\n`)
      assert.match(below.join(), new RegExp(`^${dead.endpoint}: [^\\n]+\\n$`))
      const elsewhere = yield* reckon(["status", "--store", "elsewhere", "--json", ...all])
      const problems = [gateway, follower].map(({ endpoint }) => `${endpoint}: this node serves no store "elsewhere"`)
      for (const [at, problem] of problems.entries()) {
        assert.deepInclude(jsonLines(elsewhere)[at], { role: "failing", problem })
      }

      const none = yield* reckon(["status", "--endpoint", dead.endpoint])
      assert.include(none.out, "unreachable")
      assertFailure({ ...none, out: "" }, 1, `Unreachable: no answer from ${dead.endpoint}`)
    })
  )

  it.scopedLive("subscribe prints events as they commit and ends after its count", () =>
    Effect.gen(function* () {
      const { append, at, gateway } = yield* setUp
      yield* append("a", 3)
      const fiber = yield* Effect.fork(reckon(["subscribe", "--stream", "a", "--count", "5", "--json", ...at]))
      yield* Effect.repeat(Effect.sleep(2), { until: () => gateway.tags.includes("Subscribe") })
      yield* append("b", 1)
      gateway.cut()
      yield* append("a", 2)
      const outcome = yield* Fiber.join(fiber)
      assert.strictEqual(outcome.code, 0, outcome.err)
      const types = jsonLines(outcome).map(value => (value as { eventType: string }).eventType)
      assert.deepStrictEqual(types, ["T0", "T1", "T2", "T0", "T1"])

      const late = yield* reckon(["subscribe", "--all", "--from", "4", "--count", "1", "--json", ...at])
      assert.deepInclude(jsonLines(late)[0], { position: 4, streamId: "a" })
    })
  )
})

describe("usage", () => {
  it.effect("errors exit with 2 and one line", () =>
    Effect.gen(function* () {
      const append = ["append", "s", "--type", "T", "--data", "1"]
      const wrong: ReadonlyArray<readonly [ReadonlyArray<string>, string]> = [
        [[...append, "--bogus"], "'--bogus'"],
        [[...append, "surplus"], "'surplus'"],
        [["append", "s", "--data", "1"], "--type"],
        [["append", "--type", "T", "--data", "1"], "<STREAM>"],
        [[...append, "--id", "no-uuid"], "--id is 'no-uuid'"],
        [[...append, "--expect", "perhaps"], "--expect is 'perhaps'"],
        [[...append, "--endpoint", "localhost"], '"localhost" is not an endpoint'],
        [[...append, "--store", "a b"], "--store is 'a b'"],
        [[...append, "--store", ".a"], "the first of them a letter or digit"],
        [[...append, "--timeout", "soon"], "--timeout is 'soon'"],
        [["read", "s", "--from", "-1"], "--from is '-1'"],
        [["read-all", "--count", "many"], "--count is 'many'"],
        [["subscribe"], "exactly one of --stream STREAM and --all"],
        [["subscribe", "--all", "--stream", "s"], "exactly one of --stream STREAM and --all"],
        [["subscribe", "--all", "--from", "yesterday"], "--from is 'yesterday'"],
        [["subscirbe"], "subscribe"],
        [["stream", "delete", "s", "--EXPECT", "7"], "'--EXPECT'"],
        [[...append, "--Store", "other"], "'--Store'"],
        [["READ", "s"], "Invalid subcommand"],
        [["snapshot", "delete", "s", "--all=none"], "--all=none is neither yes nor no"],
        [[...append, "--condition-tag="], "--condition-tag needs a value that is not empty"],
        [["--wizard"], "there is no terminal to ask on"],
        [["read", "--wizard"], "there is no terminal to ask on"]
      ]
      for (const [args, says] of wrong) {
        const outcome = yield* reckon(args)
        assertFailure(outcome, 2, "UsageError: ")
        assert.include(outcome.err, says)
        assert.match(outcome.err, /; see reckon( [a-z-]+)? --help\n$/)
        assert.strictEqual(outcome.out, "")
      }
      const env = { RECKON_ENDPOINTS: "here,there" }
      assertFailure(yield* reckon(["streams"], { env }), 2, "UsageError: ")
    })
  )

  it.effect("errors do not repeat at length what is wrong", () =>
    Effect.gen(function* () {
      const long = "lo ng".repeat(20_000)
      const env = { RECKON_STORE: long }
      const append = ["append", "s", "--type", "T", "--data", "1"]
      const cases: ReadonlyArray<readonly [Outcome, string, string]> = [
        [yield* reckon([...append, long]), "UsageError: Received unknown argument: 'lo", "; see reckon append --help"],
        [
          yield* reckon(["read", "s", "--from", long]),
          "UsageError: --from is 'lo",
          "it must be a whole number from 0; "
        ],
        [yield* reckon(["read", "s", "--endpoint", long]), 'UsageError: "lo', "; see reckon read --help"],
        [yield* reckon([long]), "UsageError: ", "; see reckon --help"],
        [yield* reckon(["read", "s"], { env }), "UsageError: RECKON_STORE is ", "; correct the environment"]
      ]
      for (const [outcome, begins, says] of cases) {
        assertFailure(outcome, 2, begins)
        assert.include(outcome.err, says)
        assert.isBelow(outcome.err.length, 500)
      }
    })
  )

  it.effect("--help exits with 0, plain where no terminal reads it", () =>
    Effect.gen(function* () {
      const commands = [
        ...["status", "append", "read", "read-all", "query", "streams", "subscribe", "export", "import"],
        ...["stream info", "stream delete", "stream tombstone", "stream set"],
        ...["snapshot list", "snapshot load", "snapshot delete"]
      ]
      for (const command of commands) {
        const outcome = yield* reckon([...command.split(" "), "--help"])
        assert.strictEqual(outcome.code, 0)
        assert.strictEqual(outcome.err, "")
        assert.include(outcome.out, "--endpoint HOST:PORT")
        assert.notInclude(outcome.out, "\u001b")
        assert.include(outcome.out, "--json")
      }
    })
  )
})
