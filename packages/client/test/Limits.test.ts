import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Client from "../src/Client.js"
import * as Event from "../src/Event.js"
import * as Limits from "../src/Limits.js"

const config = (variables: Readonly<Record<string, string>>) =>
  Effect.withConfigProvider(Limits.config, ConfigProvider.fromMap(new Map(Object.entries(variables))))

describe("limits in the environment", () => {
  it.effect("are the defaults where they are not set, or empty", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* config({}), Limits.defaults)
      const empty = yield* config({ RECKON_EVENT_BYTES_MAX: "", RECKON_REQUEST_BYTES_MAX: " " })
      assert.deepStrictEqual(empty, Limits.defaults)
    })
  )

  for (const [written, bytes] of [
    ["1", 1],
    [" 5000 ", 5000],
    ["16MiB", 16_777_216],
    [" 16MiB ", 16_777_216],
    ["16Mib", 16_777_216],
    ["64 kB", 64_000],
    ["1.5KiB", 1536]
  ] as const) {
    it.effect(`"${written}" is ${bytes} bytes`, () =>
      Effect.gen(function* () {
        const given = yield* config({ RECKON_EVENT_BYTES_MAX: written, RECKON_REQUEST_BYTES_MAX: written })
        assert.deepStrictEqual(given, { eventBytesMax: bytes, requestBytesMax: bytes })
      })
    )
  }

  for (const wrong of ["0", "-1", "1e9", "1.5", "4M", "16MiBs", "-1MiB", "NaN", "Infinity", "9".repeat(16)]) {
    it.effect(`"${wrong}" is refused, with the name of the variable, the value and what is accepted`, () =>
      Effect.gen(function* () {
        for (const name of ["RECKON_EVENT_BYTES_MAX", "RECKON_REQUEST_BYTES_MAX"]) {
          const refused = String(yield* Effect.flip(config({ [name]: wrong })))
          assert.include(refused, name)
          assert.include(
            refused,
            `is "${wrong}": must be a size of at least 1 bytes: a whole number, or a text such as 16MiB or 64kB`
          )
        }
      })
    )
  }

  it.effect("are told of together where both are wrong", () =>
    Effect.gen(function* () {
      const refused = yield* Effect.flip(config({ RECKON_EVENT_BYTES_MAX: "many", RECKON_REQUEST_BYTES_MAX: "more" }))
      assert.include(String(refused), "RECKON_EVENT_BYTES_MAX")
      assert.include(String(refused), "RECKON_REQUEST_BYTES_MAX")
    })
  )
})

/** An event of so many bytes. */
const eventOf = (bytes: number): Event.NewEvent => {
  const empty = {
    eventId: "00000000-0000-4000-8000-000000000000",
    eventType: "T",
    data: new Uint8Array(0),
    dataContentType: "application/octet-stream",
    metadata: null,
    metadataContentType: "application/octet-stream",
    tags: []
  }
  return { ...empty, data: new Uint8Array(bytes - Event.byteLength(empty)) }
}

const appendOf = (events: ReadonlyArray<Event.NewEvent>) => ({ streamId: "s", expectedVersion: "any" as const, events })

describe("what may be written", () => {
  const limits = { eventBytesMax: 1000, requestBytesMax: 5000 }
  const check = (appends: Parameters<typeof Limits.checkAppends>[0], given = limits) =>
    Either.match(Limits.checkAppends(appends, given), {
      onLeft: error => ("bytes" in error ? [error._tag, error.bytes, error.limitBytes] : [error._tag]),
      onRight: bytes => bytes
    })
  /** What an append has besides its events. */
  const around = check([appendOf([])])

  it("is an event up to the limit, and not a byte beyond it", () => {
    assert.isNumber(check([appendOf([eventOf(1000)])]))
    assert.deepStrictEqual(check([appendOf([eventOf(1001)])]), ["EventTooLarge", 1001, 1000])
  })

  it("are the events of a request, with what is around them, up to the limit", () => {
    assert.isNumber(around)
    const last = 1000 - Number(around)
    const four = [eventOf(1000), eventOf(1000), eventOf(1000), eventOf(1000)]
    assert.strictEqual(check([appendOf([...four, eventOf(last)])]), 5000)
    assert.deepStrictEqual(check([appendOf([...four, eventOf(last + 1)])]), ["RequestTooLarge", 5001, 5000])
  })

  it("are so many appends, and so many events, however small", () => {
    const appends = (count: number, each: number) =>
      Array.from({ length: count }, () => appendOf(Array.from({ length: each }, () => eventOf(100))))
    const large = { eventBytesMax: 100, requestBytesMax: Number.MAX_SAFE_INTEGER }
    assert.isNumber(check(appends(Limits.appendsMax, 0), large))
    assert.deepStrictEqual(check(appends(Limits.appendsMax + 1, 0), large), ["InvalidRequest"])
    assert.isNumber(check(appends(1, Limits.eventsMax), large))
    assert.deepStrictEqual(check(appends(1, Limits.eventsMax + 1), large), ["InvalidRequest"])
  })

  // Each is a row of an index, and nobody else is served while all of them are written.
  it("are so many events and tags together", () => {
    const tags = Array.from({ length: 49 }, (_, nth) => `t${nth}`)
    const tagged = (count: number) =>
      appendOf(Array.from({ length: count }, () => ({ ...eventOf(100), data: new Uint8Array(0), tags })))
    const large = { eventBytesMax: 1000, requestBytesMax: Number.MAX_SAFE_INTEGER }
    const most = Limits.eventsMax / 50
    assert.isNumber(check([tagged(most - 1), tagged(1)], large))
    assert.deepStrictEqual(check([tagged(most + 1)], large), ["InvalidRequest"])
    assert.deepStrictEqual(check([tagged(most), tagged(1)], large), ["InvalidRequest"])
  })

  it("is a snapshot as large as a request", () => {
    const snapshot = (bytes: number) => ({
      streamId: "s",
      version: 0,
      data: new Uint8Array(bytes - 1),
      dataContentType: "application/octet-stream",
      metadata: new Uint8Array(1),
      metadataContentType: "application/octet-stream"
    })
    assert.deepStrictEqual(Limits.checkSnapshot(snapshot(5000), limits), Either.right(5000))
    const refused = Either.flip(Limits.checkSnapshot(snapshot(5001), limits))
    assert.deepInclude(Either.getOrThrow(refused), { _tag: "RequestTooLarge", bytes: 5001, limitBytes: 5000 })
  })
})

const wrongNumbers = [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]

describe("options that would have appends wait for ever, or without bound", () => {
  const refusal = (options: Partial<Client.Options>) =>
    Effect.flip(Client.make({ endpoints: ["127.0.0.1:1"], ...options }))

  for (const name of ["inFlightMax", "appendsMax", "queueAppendsMax", "queueBytesMax"] as const) {
    it.scoped(`a client's batching.${name} is a whole number from 1 on`, () =>
      Effect.gen(function* () {
        for (const wrong of wrongNumbers) {
          const refused = yield* refusal({ batching: { [name]: wrong } })
          assert.strictEqual(refused._tag, "InvalidRequest")
          assert.include(refused.message, `batching.${name}`)
        }
      })
    )
  }

  for (const name of ["eventBytesMax", "requestBytesMax"] as const) {
    it.scoped(`limits.${name} is one, too`, () =>
      Effect.gen(function* () {
        for (const wrong of wrongNumbers) {
          const limits = { ...Limits.defaults, [name]: wrong }
          assert.include((yield* refusal({ limits })).message, `limits.${name}`)
        }
      })
    )
  }
})
