import { assert, describe, it } from "@effect/vitest"
import { Client, Endpoint, Limits } from "@reckon/client"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Embedded from "./helpers/embedded.js"

const config = (variables: Readonly<Record<string, string>>) =>
  Effect.withConfigProvider(Client.config, ConfigProvider.fromMap(new Map(Object.entries(variables))))

describe("a client's settings in the environment", () => {
  it.effect("are the defaults where they are not set, or empty", () =>
    Effect.gen(function* () {
      const empty = [
        "RECKON_ENDPOINTS",
        "RECKON_STORE",
        "RECKON_TIMEOUT",
        "RECKON_EVENT_BYTES_MAX",
        "RECKON_CLUSTER_SECRET"
      ]
      for (const variables of [{}, Object.fromEntries(empty.map(name => [name, " "]))]) {
        assert.deepStrictEqual(yield* config(variables), {
          endpoints: Endpoint.defaults,
          store: "default",
          timeout: Duration.seconds(10),
          limits: Limits.defaults,
          secret: undefined
        })
      }
    })
  )

  for (const [written, millis] of [
    ["5000", 5000],
    [" 5000 ", 5000],
    ["5 seconds", 5000],
    ["1.5 minutes", 90_000],
    ["1", 1]
  ] as const) {
    it.effect(`a timeout of "${written}" is ${millis} ms, as every other wait`, () =>
      Effect.gen(function* () {
        const { timeout } = yield* config({ RECKON_TIMEOUT: written })
        assert.strictEqual(Duration.toMillis(timeout ?? 0), millis)
      })
    )
  }

  const wait = 'a time from 1 to 2147483647 milliseconds: a whole number of them, or a text such as "10 seconds"'
  const name = "a store's name, 1 to 64 letters, digits, '_', '.' or '-', the first of them a letter or digit"
  const wrongs: ReadonlyArray<readonly [variable: string, accepted: string, wrong: ReadonlyArray<string>]> = [
    [
      "RECKON_TIMEOUT",
      wait,
      ["0", "-1", "5s", "soon", "1e9", "NaN", "Infinity", "2147483648", "25 days", "-1 seconds"]
    ],
    ["RECKON_STORE", name, ["a b", "../x", "-x", "x".repeat(65)]]
  ]
  for (const [variable, accepted, values] of wrongs) {
    for (const wrong of values) {
      it.effect(`${variable} is not "${wrong}", and the refusal says what it is`, () =>
        Effect.gen(function* () {
          const refused = String(yield* Effect.flip(config({ [variable]: wrong })))
          assert.include(refused, variable)
          assert.include(refused, `is "${wrong}": must be ${accepted}`)
        })
      )
    }
  }

  it.effect("endpoints that are none are refused, by their variable", () =>
    Effect.gen(function* () {
      for (const wrong of ["here", "127.0.0.1:0", "127.0.0.1:1,there"]) {
        const refused = String(yield* Effect.flip(config({ RECKON_ENDPOINTS: wrong })))
        assert.include(refused, "RECKON_ENDPOINTS")
        assert.include(refused, "HOST:PORT")
      }
      assert.include(String(yield* Effect.flip(config({ RECKON_ENDPOINTS: "," }))), "names no endpoint")
    })
  )
})

describe("waits that are none", () => {
  const wrong = [0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, Duration.infinity, "-1 seconds"] as const

  for (const name of ["timeout", "attemptTimeout", "connectTimeout"] as const) {
    it.scoped(`are refused as a client's ${name}, by that name`, () =>
      Effect.gen(function* () {
        for (const value of wrong) {
          const options = { endpoints: ["127.0.0.1:1"], [name]: value }
          const refused = yield* Effect.flip(Client.make(options))
          assert.strictEqual(refused._tag, "InvalidRequest")
          assert.match(refused.message, new RegExp(`^${name}: must be a time from 1 to 2147483647 milliseconds`))
        }
      })
    )
  }

  it.effect("are refused by a store in this process", () =>
    Effect.gen(function* () {
      for (const timeout of wrong) {
        const refused = yield* Effect.flip(Embedded.make({ timeout }))
        assert.match(refused.message, /^timeout: must be a time from 1 to 2147483647 milliseconds/)
      }
    })
  )

  it.scoped("are not those that can be written in another way", () =>
    Effect.gen(function* () {
      for (const timeout of [1, "2 seconds", Duration.minutes(1), 5_000_000n, [1, 0]] as const) {
        yield* Client.make({ endpoints: ["127.0.0.1:1"], timeout, attemptTimeout: timeout, connectTimeout: timeout })
      }
    })
  )
})
