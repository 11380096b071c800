import { assert, describe, it } from "@effect/vitest"
import * as ClusterSecret from "@reckon/client/ClusterSecret"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

const decode = Schema.decodeUnknownEither(ClusterSecret.ClusterSecret)

const load = (variables: Readonly<Record<string, string>>) =>
  Effect.withConfigProvider(ClusterSecret.config, ConfigProvider.fromMap(new Map(Object.entries(variables))))

describe("the secret of a cluster", () => {
  it("has 16 to 1024 characters, without the white space around it", () => {
    for (const length of [16, 1024]) {
      const decoded = Either.getOrThrow(decode(` ${"x".repeat(length)}\n`))
      assert.strictEqual(Redacted.value(decoded), "x".repeat(length))
    }
    for (const wrong of ["", " ".repeat(20), "x".repeat(15), ` ${"x".repeat(15)} `, "x".repeat(1025), 16, null]) {
      assert.isTrue(Either.isLeft(decode(wrong)), String(wrong))
      if (typeof wrong === "string") assert.isTrue(Either.isLeft(decode(Redacted.make(wrong))), wrong)
    }
  })

  it.effect("is read from the environment, and never shown", () =>
    Effect.gen(function* () {
      assert.isUndefined(yield* load({}))
      assert.isUndefined(yield* load({ RECKON_CLUSTER_SECRET: "  " }))
      const secret = yield* load({ RECKON_CLUSTER_SECRET: "correct horse battery" })
      assert.isTrue(secret !== undefined && Redacted.value(secret) === "correct horse battery")
      assert.notInclude(`${secret} ${JSON.stringify(secret)}`, "horse")
      const error = yield* Effect.flip(load({ RECKON_CLUSTER_SECRET: "short horse" }))
      assert.include(`${error}`, "RECKON_CLUSTER_SECRET")
      assert.include(`${error}`, "16 to 1024 characters")
      assert.notInclude(`${error} ${JSON.stringify(error)}`, "horse")
    })
  )
})
