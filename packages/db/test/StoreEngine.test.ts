import { assert, describe, it } from "@effect/vitest"
import type { NewEvent } from "@reckon/client/Event"
import type { ExpectedVersion } from "@reckon/client/ExpectedVersion"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as fc from "fast-check"
import { single } from "../src/Command.js"
import * as SqliteStoreEngine from "../src/SqliteStoreEngine.js"
import { type Service, StoreEngine } from "../src/StoreEngine.js"
import { conflict, plain, success, wrongVersion } from "./helpers/answers.js"
import {
  append,
  applyAt,
  applyNext,
  bytes,
  command,
  commandArbitrary,
  deleteStream,
  entries,
  event,
  eventsOf,
  id,
  noLimit,
  read,
  readAll,
  textArbitrary,
  versions
} from "./helpers/events.js"
import { Model, pageOf } from "./helpers/model.js"

const withEngine = <A>(use: (engine: Service) => A): Effect.Effect<A> =>
  StoreEngine.pipe(Effect.map(use), Effect.provide(SqliteStoreEngine.layerMemory))

const test = (name: string, use: (engine: Service) => void) => it.effect(name, () => withEngine(use))

describe("apply: expected versions", () => {
  test("a new stream starts at version 0, a store at position 0", engine => {
    assert.deepStrictEqual(plain(applyNext(engine, append("a", "no_stream", event(1)))), [success("a", 0, 0)])
    assert.deepStrictEqual(plain(applyNext(engine, append("b", "no_stream", event(1), event(2)))), [success("b", 1, 2)])
  })

  test("each expectation against a stream with and without events", engine => {
    applyNext(engine, append("old", "any", event(1), event(2)))
    const outcome = (streamId: string, expected: ExpectedVersion, n: number) =>
      plain(applyNext(engine, append(streamId, expected, event(n))))
    assert.deepStrictEqual(outcome("old", "no_stream", 3), [wrongVersion("old", "no_stream", 1)])
    assert.deepStrictEqual(outcome("old", 0, 3), [wrongVersion("old", 0, 1)])
    assert.deepStrictEqual(outcome("old", 2, 3), [wrongVersion("old", 2, 1)])
    assert.deepStrictEqual(outcome("new", "stream_exists", 3), [wrongVersion("new", "stream_exists", -1)])
    assert.deepStrictEqual(outcome("new", 0, 3), [wrongVersion("new", 0, -1)])
    assert.strictEqual(engine.eventCount(), 2)
    assert.strictEqual(engine.streamCount(), 1)
    assert.deepStrictEqual(outcome("old", 1, 3), [success("old", 2, 2)])
    assert.deepStrictEqual(outcome("old", "stream_exists", 4), [success("old", 3, 3)])
    assert.deepStrictEqual(outcome("old", "any", 5), [success("old", 4, 4)])
    assert.deepStrictEqual(outcome("new", "any", 6), [success("new", 0, 5)])
  })

  test("of two appends with the same expectation exactly one wins", engine => {
    const racing = (n: number) => append("a", "no_stream", event(n))
    const expected = [success("a", 0, 0), wrongVersion("a", "no_stream", 0)]
    assert.deepStrictEqual(plain(applyNext(engine, racing(1), racing(2))), expected)
    const [first, second] = engine.apply(
      entries(2, [command(1, append("a", 0, event(3))), command(1, append("a", 0, event(4)))])
    )
    assert.deepStrictEqual(plain(first), [success("a", 1, 1)])
    assert.deepStrictEqual(plain(second), [wrongVersion("a", 0, 1)])
  })

  test("an append without events checks the expectation and creates nothing", engine => {
    const empty = (streamId: string, expected: ExpectedVersion) => plain(applyNext(engine, append(streamId, expected)))
    assert.deepStrictEqual(empty("a", "any"), [success("a", -1, -1)])
    assert.deepStrictEqual(empty("a", "no_stream"), [success("a", -1, -1)])
    assert.deepStrictEqual(empty("a", "stream_exists"), [wrongVersion("a", "stream_exists", -1)])
    assert.strictEqual(read(engine, "a"), "not_found")
    applyNext(engine, append("a", "any", event(1), event(2)))
    assert.deepStrictEqual(empty("a", 1), [success("a", 1, 1)])
    assert.deepStrictEqual(empty("a", 0), [wrongVersion("a", 0, 1)])
  })

  test("each append of a command stands for itself and sees those before it", engine => {
    const reply = applyNext(
      engine,
      append("a", "no_stream", event(1)),
      append("a", 7, event(2)),
      append("a", 0, event(3)),
      append("b", "stream_exists", event(1)),
      append("a", 1)
    )
    assert.deepStrictEqual(plain(reply), [
      success("a", 0, 0),
      wrongVersion("a", 7, 0),
      success("a", 1, 1),
      wrongVersion("b", "stream_exists", -1),
      success("a", 1, 1)
    ])
  })
})

describe("apply: event ids", () => {
  test("a repeated append gets the same answer, whatever it expects and whatever came in between", engine => {
    const original = append("a", "no_stream", event(1), event(2))
    applyNext(engine, original)
    applyNext(engine, append("a", 1, event(3)), append("b", "any", event(9)))
    for (const expected of ["no_stream", "any", "stream_exists", 0, 1, 99] as const) {
      const repeated = plain(applyNext(engine, { ...original, expectedVersion: expected }))
      assert.deepStrictEqual(repeated, [success("a", 1, 1, 2)])
    }
    assert.strictEqual(engine.eventCount(), 4)
  })

  test("with one new event among the present ones the expectation counts, and only the new one is written", engine => {
    applyNext(engine, append("a", "any", event(1), event(2)))
    assert.deepStrictEqual(plain(applyNext(engine, append("a", "no_stream", event(1), event(3)))), [
      wrongVersion("a", "no_stream", 1)
    ])
    assert.deepStrictEqual(plain(applyNext(engine, append("a", 1, event(1), event(3), event(2)))), [
      success("a", 1, 1, 2)
    ])
    assert.deepStrictEqual(
      eventsOf(read(engine, "a")).map(event => event.eventId),
      [id(1), id(2), id(3)]
    )
  })

  test("the same id with any other content is a conflict, and nothing of the append is written", engine => {
    const original = event(1, { metadata: bytes("{}"), tags: ["x", "y"] })
    applyNext(engine, append("a", "any", event(0), original))
    const others: ReadonlyArray<Partial<NewEvent>> = [
      { eventType: "other" },
      { data: bytes("") },
      { data: bytes('{"n":2}') },
      { dataContentType: "text/plain" },
      { metadata: null },
      { metadata: bytes("") },
      { metadataContentType: "text/plain" },
      { tags: [] },
      { tags: ["y", "x"] },
      { tags: ["x"] }
    ]
    for (const other of others) {
      for (const expected of ["any", 77] as const) {
        const reply = applyNext(engine, append("a", expected, event(5), { ...original, ...other }))
        assert.deepStrictEqual(plain(reply), [conflict("a", id(1), 1)])
      }
    }
    assert.strictEqual(engine.eventCount(), 2)
    assert.deepStrictEqual(plain(applyNext(engine, append("a", 77, original))), [success("a", 1, 1, 1)])
  })

  test("no metadata and empty metadata are different content", engine => {
    applyNext(engine, append("a", "any", event(1)))
    const reply = applyNext(engine, append("a", "any", event(1, { metadata: new Uint8Array(0) })))
    assert.deepStrictEqual(plain(reply), [conflict("a", id(1), 0)])
  })

  test("twice in one append: the second is judged by the first", engine => {
    applyNext(engine, append("a", "any", event(0)))
    const same = applyNext(engine, append("a", 0, event(1), event(2), event(1)))
    assert.deepStrictEqual(plain(same), [success("a", 1, 1, 1)])
    const other = applyNext(engine, append("a", "any", event(3), event(4), event(4, { eventType: "other" })))
    assert.deepStrictEqual(plain(other), [conflict("a", id(4), 4)])
    assert.strictEqual(engine.getVersion("a"), 2)
  })

  test("the same id in two streams is two events", engine => {
    applyNext(engine, append("a", "any", event(1)))
    const reply = applyNext(engine, append("b", "any", event(1, { eventType: "other" })))
    assert.deepStrictEqual(plain(reply), [success("b", 0, 1)])
  })
})

describe("apply: the log", () => {
  test("an entry without a command moves the applied index and answers null", engine => {
    assert.strictEqual(engine.appliedIndex(), 0)
    assert.deepStrictEqual(engine.apply([]), [])
    assert.deepStrictEqual(engine.apply([{ index: 1, term: 3, command: null }]), [null])
    assert.strictEqual(engine.appliedIndex(), 1)
    assert.strictEqual(engine.appliedTerm(), 3)
  })

  test("an entry that is applied already, leaves a gap or goes back in term is a defect and changes nothing", engine => {
    const write = command(1, append("a", "any", event(1)))
    const at = (index: number, term = 5) => ({ index, term, command: write })
    engine.apply([{ index: 1, term: 5, command: null }])
    for (const refused of [
      [at(1)],
      [at(0)],
      [at(3)],
      [at(2), at(2)],
      [at(2), at(4)],
      [at(2, 4)],
      [at(2, 7), at(3, 6)]
    ]) {
      assert.throws(() => engine.apply(refused), /BrokenInvariant|log|terms/)
      assert.strictEqual(engine.appliedIndex(), 1)
      assert.strictEqual(engine.eventCount(), 0)
    }
    engine.apply([at(2)])
    assert.strictEqual(engine.eventCount(), 1)
  })

  test("a batch that fails in the middle is not applied at all, and the engine goes on", engine => {
    applyNext(engine, append("a", "any", event(1)))
    const ofNewType = append("new", "any", event(1, { eventType: "new type" }))
    const broken = [
      command(2, append("a", "any", event(2)), ofNewType, ofNewType),
      { at: 2, operations: [deleteStream("a"), single(append("a", "any", event(3), event(4, { eventId: "no uuid" })))] }
    ]
    assert.throws(() => engine.apply(entries(2, broken)), /lower-case UUID/)
    assert.strictEqual(readAll(engine).events.length, 1)
    assert.strictEqual(engine.appliedIndex(), 1)
    assert.strictEqual(engine.getVersion("a"), 0)
    assert.strictEqual(engine.getVersion("new"), -1)
    const reply = applyNext(
      engine,
      append("a", 0, event(2)),
      append("new", "no_stream", event(1, { eventType: "newer type" }))
    )
    assert.deepStrictEqual(plain(reply), [success("a", 1, 1), success("new", 0, 2)])
    assert.strictEqual(readAll(engine).events[2]?.eventType, "newer type")
  })

  test("the time of events never decreases, and moves only with an event", engine => {
    const at = (us: number, n: number) => command(us, append("a", "any", event(n)))
    engine.apply(entries(1, [at(500, 1), at(400, 2), at(600, 3), command(900, append("a", 0, event(4))), at(700, 5)]))
    assert.deepStrictEqual(
      readAll(engine).events.map(event => event.epochUs),
      [500, 500, 600, 700]
    )
  })
})

describe("reads", () => {
  const ten = Array.from({ length: 10 }, (_, n) => event(n))

  test("an event comes back as it was written", engine => {
    const written = event(1, {
      metadata: bytes('{"by":"me"}'),
      tags: ["a", "ß"],
      dataContentType: "application/x-thing"
    })
    engine.apply(entries(1, [command(1_700_000_000_123_456, append("注文/1 🧾", "any", written))]))
    const recorded = { ...written, streamId: "注文/1 🧾", version: 0, position: 0, epochUs: 1_700_000_000_123_456 }
    assert.deepStrictEqual(read(engine, "注文/1 🧾"), { events: [recorded], isEnd: true, next: 1 })
    assert.deepStrictEqual(readAll(engine), { events: [recorded], isEnd: true, next: 1 })
  })

  test("two events are of different types, however alike their type and content types are when put together", engine => {
    const kinds = [
      { eventType: "ab", dataContentType: "c", metadataContentType: "d" },
      { eventType: "a", dataContentType: "bc", metadataContentType: "d" },
      { eventType: "a", dataContentType: "b", metadataContentType: "cd" }
    ]
    applyNext(engine, append("a", "any", ...kinds.map((kind, n) => event(n, kind))))
    assert.deepStrictEqual(
      eventsOf(read(engine, "a")).map(({ dataContentType, eventType, metadataContentType }) => ({
        eventType,
        dataContentType,
        metadataContentType
      })),
      kinds
    )
  })

  test("a stream, forward and backward, by pages", engine => {
    applyNext(engine, append("a", "any", ...ten), append("b", "any", event(1)))
    assert.deepStrictEqual(versions(read(engine, "a", 2, 3)), [2, 3, 4])
    assert.deepStrictEqual(versions(read(engine, "a", 4, 3, "backward")), [4, 3, 2])
    assert.deepStrictEqual(versions(read(engine, "a", 8)), [8, 9])
    assert.deepStrictEqual(versions(read(engine, "a", 1, 9, "backward")), [1, 0])
    assert.include(read(engine, "a", 2, 7), { isEnd: false, next: 9 })
    assert.include(read(engine, "a", 2, 8), { isEnd: true, next: 10 })
    assert.include(read(engine, "a", 4, 4, "backward"), { isEnd: false, next: 0 })
    assert.include(read(engine, "a", 4, 5, "backward"), { isEnd: true, next: -1 })
  })

  test("the edges: no stream, past the end, nothing asked for", engine => {
    applyNext(engine, append("a", "any", ...ten))
    assert.strictEqual(read(engine, "missing"), "not_found")
    assert.strictEqual(read(engine, "missing", 0, 0), "not_found")
    assert.deepStrictEqual(read(engine, "a", 10), { events: [], isEnd: true, next: 10 })
    assert.deepStrictEqual(read(engine, "a", -1, 5, "backward"), { events: [], isEnd: true, next: -1 })
    assert.deepStrictEqual(read(engine, "a", 3, 0), { events: [], isEnd: false, next: 3 })
    assert.deepStrictEqual(versions(read(engine, "a", 1_000_000, 2, "backward")), [9, 8])
    assert.deepStrictEqual(versions(read(engine, "a", -5, 2)), [0, 1])
    assert.deepStrictEqual(readAll(engine, 10), { events: [], isEnd: true, next: 10 })
    assert.deepStrictEqual(versions(readAll(engine, Number.MAX_SAFE_INTEGER, 1, "backward")), [9])
  })

  test("an empty store", engine => {
    assert.deepStrictEqual(readAll(engine, 0, 10, "forward"), { events: [], isEnd: true, next: 0 })
    assert.deepStrictEqual(readAll(engine, 0, 10, "backward"), { events: [], isEnd: true, next: -1 })
    assert.strictEqual(engine.lastPosition(), -1)
    assert.strictEqual(engine.getVersion("a"), -1)
    assert.deepStrictEqual(engine.listStreams({ pattern: null, after: null, count: 5 }), {
      streams: [],
      isEnd: true,
      next: null
    })
  })

  test("a page ends before it exceeds bytesMax, but has at least one event", engine => {
    const large = (n: number) => event(n, { data: new Uint8Array(1000) })
    applyNext(engine, append("a", "any", large(1), large(2), large(3)))
    const page = (bytesMax: number) =>
      engine.readStream({ streamId: "a", from: 0, count: 10, direction: "forward", bytesMax, nowUs: 0 })
    assert.deepStrictEqual(versions(page(0)), [0])
    assert.include(page(0), { isEnd: false, next: 1 })
    assert.deepStrictEqual(versions(page(2500)), [0, 1])
    assert.deepStrictEqual(versions(page(5000)), [0, 1, 2])
    assert.include(page(5000), { isEnd: true, next: 3 })
    const all = engine.readAll({
      from: 2,
      count: 10,
      direction: "backward",
      bytesMax: 2500,
      asOf: null,
      nowUs: 0
    })
    assert.deepStrictEqual([versions(all), all.isEnd, all.next], [[2, 1], false, 0])
  })

  test("payloads of 4 MiB and of nothing", engine => {
    const large = new Uint8Array(4 * 1024 * 1024).map((_, at) => at % 251)
    applyNext(
      engine,
      append("a", "any", event(1, { data: large, metadata: large }), event(2, { data: bytes(""), metadata: bytes("") }))
    )
    const events = eventsOf(read(engine, "a"))
    assert.strictEqual(Buffer.compare(events[0]?.data ?? bytes(""), large), 0)
    assert.strictEqual(Buffer.compare(events[0]?.metadata ?? bytes(""), large), 0)
    assert.strictEqual(events[1]?.data.length, 0)
    assert.strictEqual(events[1]?.metadata?.length, 0)
    assert.deepStrictEqual(plain(applyNext(engine, append("a", 9, event(1, { data: large, metadata: large })))), [
      success("a", 0, 0, 1)
    ])
  })

  test("streams are listed in the order of their names' bytes, by pages", engine => {
    const names = ["b", "a", "é", "e\u0301", "🧾", "\uffee", "B", "a-2", "a-10"]
    applyNext(engine, ...names.map(name => append(name, "any", event(1), event(2))))
    const sorted = [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    const listed: Array<string> = []
    for (let after: string | null = null, isEnd = false; !isEnd; after = listed.at(-1) ?? null) {
      const page = engine.listStreams({ pattern: null, after, count: 2 })
      listed.push(...page.streams.map(stream => stream.streamId))
      assert.isTrue(page.streams.every(stream => stream.version === 1))
      isEnd = page.isEnd
    }
    assert.deepStrictEqual(listed, sorted)
    assert.strictEqual(engine.streamCount(), names.length)
  })
})

describe("against the model", () => {
  const streams = fc.constantFrom("a", "b", "注文")
  /** Mostly the event of its number, so that it is a repetition where that is there already; sometimes another one with the same id. */
  const few = fc
    .tuple(
      fc.nat({ max: 30 }),
      fc.oneof({ weight: 12, arbitrary: fc.constant("t") }, { weight: 1, arbitrary: textArbitrary })
    )
    .map(([n, eventType]) =>
      event(n, {
        eventType,
        tags: n % 2 === 0 ? [] : ["odd", eventType],
        metadata: n % 3 === 0 ? bytes('{"by":true}') : null
      })
    )
  const histories = fc.array(commandArbitrary({ streams, events: few }), { maxLength: 12, size: "max" })
  const reading = fc.record({
    from: fc.integer({ min: -2, max: 40 }),
    count: fc.nat({ max: 12 }),
    direction: fc.constantFrom("forward" as const, "backward" as const),
    bytesMax: fc.oneof(fc.constant(noLimit), fc.nat({ max: 600 })),
    nowUs: fc.nat({ max: 120 })
  })

  const checkStream = (engine: Service, model: Model, streamId: string): void => {
    assert.strictEqual(engine.getVersion(streamId), model.getVersion(streamId))
    assert.deepStrictEqual(engine.streamDetails(streamId), model.details(streamId))
    const snapshots = model.snapshots(streamId)
    const listed = engine.listSnapshots({ streamId, from: 0, count: 100 }).snapshots.map(({ version }) => version)
    assert.deepStrictEqual(
      listed.map(version => engine.loadSnapshot(streamId, version)),
      [...snapshots]
    )
    assert.deepStrictEqual(engine.loadSnapshot(streamId, null), snapshots.at(-1) ?? null)
  }

  it("every answer and every read agree", () => {
    fc.assert(
      fc.property(histories, fc.array(fc.tuple(streams, reading), { maxLength: 10 }), (given, reads) => {
        const model = new Model()
        const expected = given.map(command => plain(model.apply(command)))
        Effect.runSync(
          withEngine(engine => {
            const replies = engine.apply(entries(1, given))
            assert.deepStrictEqual(replies.map(plain), expected)
            assert.strictEqual(engine.eventCount(), model.all.length)
            assert.strictEqual(engine.streamCount(), model.names().length)
            assert.strictEqual(engine.lastPosition(), model.all.length - 1)
            assert.deepStrictEqual(
              engine.listStreams({ pattern: null, after: null, count: 10 }).streams,
              model.names().map(streamId => ({ streamId, version: model.getVersion(streamId) }))
            )
            for (const streamId of ["a", "b", "注文", "never"]) checkStream(engine, model, streamId)
            for (const [streamId, options] of reads) {
              const visible = model.visible(options.nowUs)
              const ofStream = visible.filter(event => event.streamId === streamId)
              assert.deepStrictEqual(
                engine.readStream({ ...options, streamId }),
                model.absent(streamId) ?? pageOf(ofStream, event => event.version, model.getVersion(streamId), options)
              )
              assert.deepStrictEqual(
                engine.readAll({ ...options, asOf: null }),
                pageOf(visible, event => event.position, model.all.length - 1, options)
              )
              assert.strictEqual(engine.hasEvents(options.nowUs), visible.length > 0)
            }
          })
        )
      }),
      { numRuns: 300 }
    )
  })

  it("every append can be repeated at any later time and gets the same answer, whatever became of its streams", () => {
    fc.assert(
      fc.property(histories, given => {
        Effect.runSync(
          withEngine(engine => {
            const replies = engine.apply(entries(1, given))
            const succeeded = given.flatMap(({ operations }, at) =>
              operations.flatMap((operation, place) => {
                const answer = replies[at]?.[place]
                const isAppend =
                  operation._tag === "Append" &&
                  operation.appends.length > 0 &&
                  operation.appends.every(({ events }) => events.length > 0)
                return isAppend && answer !== undefined && Either.isRight(answer)
                  ? [{ operation, outcome: answer.right }]
                  : []
              })
            )
            const before = readAll(engine)
            for (const { operation, outcome } of succeeded) {
              const again = outcome.map((appended, part) => ({
                ...appended,
                alreadyPresent: operation.appends[part]?.events.length
              }))
              assert.deepStrictEqual(plain(applyAt(engine, 1_000, operation)), [again])
            }
            assert.deepStrictEqual(readAll(engine), before)
          })
        )
      })
    )
  })
})
