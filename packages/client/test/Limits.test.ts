import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Client from "../src/Client.js"
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
