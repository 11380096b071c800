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

  it.effect("are whole numbers of bytes, with white space around them or not", () =>
    Effect.gen(function* () {
      const given = yield* config({ RECKON_EVENT_BYTES_MAX: " 1 ", RECKON_REQUEST_BYTES_MAX: "5000" })
      assert.deepStrictEqual(given, { eventBytesMax: 1, requestBytesMax: 5000 })
    })
  )

  for (const wrong of ["0", "-5", "1e3", "1.5", "4MiB", "NaN", "Infinity", "9".repeat(16)]) {
    it.effect(`${wrong} is refused, with the name of the variable`, () =>
      Effect.gen(function* () {
        for (const name of ["RECKON_EVENT_BYTES_MAX", "RECKON_REQUEST_BYTES_MAX"]) {
          const refused = yield* Effect.flip(config({ [name]: wrong }))
          assert.include(String(refused), name)
          assert.include(String(refused), `"${wrong}"`)
        }
      })
    )
  }
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
