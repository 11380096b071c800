import { assert, describe, it } from "@effect/vitest"
import { Event, Limits, StoreError } from "@reckon/client"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Stream from "effect/Stream"
import { eventRow, readNdjson } from "../../src/cli/importing/ndjson.js"
import * as Gateway from "./helpers/gateway.js"
import { reckon } from "./helpers/reckon.js"
import { assertFailure, setUp } from "./helpers/setUp.js"

const bytes = (text: string) => new TextEncoder().encode(text)

/** Bytes that one could take for what they are not. */
const payloads: ReadonlyArray<Uint8Array> = [
  ...[
    '{"a": 1e400 ,"a":9007199254740993}',
    "null",
    ' {"a":1}',
    '{"a":\n1}',
    '"\u2028"',
    "\ufeff1",
    "{",
    "",
    '"\\ud800"'
  ],
  "[".repeat(10_000) + "]".repeat(10_000)
]
  .map(bytes)
  .concat(
    Uint8Array.of(0xff, 0x00),
    Uint8Array.from({ length: 300 }, (_, at) => at)
  )

const contentTypes = [Event.contentTypeJson, "application/octet-stream", 'text/"plain"; charset=utf-8']

const idOf = (at: number) => `0190aaaa-bbbb-7ccc-8ddd-eeeeffff${at.toString(16).padStart(4, "0")}`

/** Two events of each kind, of three streams in turn. */
const manyKinds: ReadonlyArray<Event.NewEvent & { readonly streamId: string }> = [...payloads, ...payloads].map(
  (data, at) => ({
    streamId: `s "${at % 3}"`,
    eventId: idOf(at),
    eventType: `T\u0001\u2029${at}`,
    data,
    dataContentType: contentTypes[at % contentTypes.length] ?? "",
    metadata: at % 4 === 0 ? null : (payloads[(at * 7) % payloads.length] ?? null),
    metadataContentType: contentTypes[(at * 5) % contentTypes.length] ?? "",
    tags: at % 2 === 0 ? [] : ["b", "a", `"${at}\n`]
  })
)

/** An event as tests compare it: bytes are bytes, whatever holds them. */
const told = (event: Event.RecordedEvent) => ({
  ...event,
  data: Buffer.from(event.data).toString("hex"),
  metadata: event.metadata && Buffer.from(event.metadata).toString("hex")
})

const fill = (store: Gateway.MemoryStore, events: ReadonlyArray<Event.NewEvent & { readonly streamId: string }>) => {
  for (const { streamId, ...event } of events) store.append({ streamId, expectedVersion: "any", events: [event] })
}

const lines = (text: string): ReadonlyArray<string> => text.split("\n").filter(line => line !== "")

describe("export", () => {
  it.scopedLive("is imported as the same events, byte for byte, at the same positions", () =>
    Effect.gen(function* () {
      const { at, store } = yield* setUp
      fill(store, manyKinds)
      const exported = yield* reckon(["export", ...at])
      const count = manyKinds.length
      assert.deepInclude(exported, { code: 0, err: `exported ${count} events, up to position ${count - 1}\n` })
      const copy = new Gateway.MemoryStore()
      const to = ["import", "-", "--endpoint", (yield* Gateway.make(copy)).endpoint]
      const imported = yield* reckon(to, { stdin: exported.out })
      assert.deepStrictEqual(imported, { code: 0, out: `imported ${count}, already present 0\n`, err: "" })
      assert.deepStrictEqual(copy.all.map(told), store.all.map(told))
      const again = yield* reckon([...to, "--batch", "3"], { stdin: exported.out })
      assert.strictEqual(again.out, `imported 0, already present ${count}\n`, again.err)
    })
  )

  it("has every event on a line of its own that says all of it", () =>
    FastCheck.assert(
      FastCheck.asyncProperty(
        FastCheck.uint8Array(),
        FastCheck.option(FastCheck.oneof(FastCheck.json().map(bytes), FastCheck.uint8Array())),
        FastCheck.constantFrom(...contentTypes),
        async (data, metadata, contentType) => {
          const event = {
            ...{ streamId: "s", version: 0, position: 0, epochUs: 0, eventId: idOf(0), eventType: "T", tags: [] },
            ...{ data, dataContentType: contentType, metadata, metadataContentType: contentType }
          }
          const line = eventRow(event)
          assert.notMatch(line, /[\r\n\u2028\u2029]/)
          const options = { file: "f", limits: Limits.defaults, namespace: "", streamPrefix: "" }
          const rows = await Effect.runPromise(Stream.runCollect(readNdjson(Stream.make(bytes(line)), options)))
          const [row] = Chunk.toReadonlyArray(rows)
          assert.deepStrictEqual(row && told({ ...event, ...row.event }), told(event))
        }
      )
    ))

  it.scopedLive("ends with what was there when it began", () =>
    Effect.gen(function* () {
      const { at, store } = yield* setUp
      fill(store, manyKinds.slice(0, 12))
      const onOut = () => {
        fill(store, manyKinds.slice(12))
        return true
      }
      const exported = yield* reckon(["export", "--from-position", "3", ...at], { onOut })
      assert.strictEqual(exported.err, "exported 9 events, up to position 11\n")
      assert.strictEqual(lines(exported.out).length, 9)
      assert.strictEqual(store.all.length, manyKinds.length)
    })
  )

  it.scopedLive("of nothing is nothing", () =>
    Effect.gen(function* () {
      const { at, store } = yield* setUp
      assert.deepStrictEqual(yield* reckon(["export", ...at]), { code: 0, out: "", err: "exported 0 events\n" })
      fill(store, manyKinds.slice(0, 1))
      const behind = yield* reckon(["export", "--from-position", "1", ...at])
      assert.deepStrictEqual(behind, { code: 0, out: "", err: "exported 0 events\n" })
    })
  )

  it.scopedLive("that is cut off says so, and goes on where it was", () =>
    Effect.gen(function* () {
      const { at, gateway, store } = yield* setUp
      fill(store, manyKinds)
      const whole = yield* reckon(["export", ...at])

      const unread = yield* reckon(["export", ...at], { onOut: () => false })
      assert.strictEqual(unread.code, 1)
      assert.match(
        unread.err,
        /^exported 5 events, up to position 4; --from-position 5 goes on there\nOutputFailed: [^\n]+\n$/
      )

      gateway.before = () =>
        gateway.tags.filter(tag => tag === "ReadAll").length % 4 === 0
          ? new StoreError.StoreNotFound({ store: "default" })
          : Effect.void
      gateway.tags.length = 0
      const failed = yield* reckon(["export", ...at])
      assert.strictEqual(failed.code, 1)
      assert.match(
        failed.err,
        /^exported 10 events, up to position 9; --from-position 10 goes on there\nStoreNotFound: /
      )
      gateway.before = () => Effect.void
      assertFailure(yield* reckon(["export", "--store", "other", ...at]), 1, "StoreNotFound: ")
      const rest = yield* reckon(["export", "--from-position", "10", ...at])
      assert.strictEqual(failed.out + rest.out, whole.out)
    })
  )
})
