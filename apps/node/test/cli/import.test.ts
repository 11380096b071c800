import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import { StoreError } from "@reckon/client"
import * as Effect from "effect/Effect"
import * as Gateway from "./helpers/gateway.js"
import { jsonLines, type Outcome, reckon, type Settings } from "./helpers/reckon.js"

const assertFailure = (outcome: Outcome, code: number, begins: string) => {
  assert.strictEqual(outcome.code, code, outcome.err)
  assert.match(outcome.err, /^[^\n]+\n$/)
  assert.isTrue(outcome.err.startsWith(begins), outcome.err)
  assert.strictEqual(outcome.out, "")
}

const setUp = Effect.gen(function* () {
  const store = new Gateway.MemoryStore()
  const gateway = yield* Gateway.make(store)
  const fileSystem = yield* FileSystem.FileSystem
  const folder = yield* fileSystem.makeTempDirectoryScoped()
  const importText = (name: string, text: string | Uint8Array, more: ReadonlyArray<string> = [], settings?: Settings) =>
    Effect.gen(function* () {
      const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text
      yield* fileSystem.writeFile(`${folder}/${name}`, bytes)
      const columns = name.endsWith(".csv") && !more.includes("--stream-from")
      const from = columns ? ["--stream-from", "stream", "--type-from", "type"] : []
      const args = ["import", `${folder}/${name}`, ...from, "--endpoint", gateway.endpoint, ...more]
      const outcome = yield* reckon(args, settings)
      // An import tells every now and then how far it is: how often is the machine's business.
      return { ...outcome, err: outcome.err.replace(/^importing: .*\n/gm, "") }
    }).pipe(Effect.orDie)
  const dataOf = (streamId: string) =>
    (store.streams.get(streamId) ?? []).map((event): unknown => JSON.parse(Buffer.from(event.data).toString()))
  return { store, gateway, folder, importText, dataOf }
}).pipe(Effect.provide(NodeFileSystem.layer))

/** Rows of seven streams in turn, more bytes than one piece of the file. */
const manyRows = (count: number): string => {
  let text = "stream,type,n,filler\n"
  for (let n = 0; n < count; n++) text += `s-${n % 7},T,${n},"${"x".repeat(n % 120)} ""q"",\ny"\n`
  return text
}

const assertInOrder = (store: Gateway.MemoryStore, count: number) => {
  assert.strictEqual(store.all.length, count)
  for (const [streamId, stream] of store.streams) {
    const lane = Number(streamId.slice(2))
    const numbers = stream.map(event => Number((JSON.parse(Buffer.from(event.data).toString()) as { n: string }).n))
    assert.deepStrictEqual(
      numbers,
      numbers.map((_, version) => version * 7 + lane)
    )
  }
}

describe("import of CSV", () => {
  it.scopedLive("makes each row an event, cells being strings", () =>
    Effect.gen(function* () {
      const { dataOf, importText, store } = yield* setUp
      const text =
        '\ufeffstream,type,note\r\na,Opened,"said ""hi"", left"\r\nb,Opened,\r\n\r\na,Closed,"two\nlines"\r\n'
      const outcome = yield* importText("rows.csv", text, ["--stream-prefix", "p-"])
      assert.deepStrictEqual(outcome, { code: 0, out: "imported 3, already present 0\n", err: "" })
      assert.deepStrictEqual(dataOf("p-a"), [
        { stream: "a", type: "Opened", note: 'said "hi", left' },
        { stream: "a", type: "Closed", note: "two\nlines" }
      ])
      assert.deepStrictEqual(dataOf("p-b"), [{ stream: "b", type: "Opened", note: "" }])
      assert.match(store.all[0]?.eventId ?? "", /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    })
  )

  it.scopedLive("writes nothing twice, in whatever batches, and keeps each stream's order", () =>
    Effect.gen(function* () {
      const { gateway, importText, store } = yield* setUp
      const text = manyRows(3000)
      const first = yield* importText("rows.csv", text, ["--json"])
      assert.deepStrictEqual(jsonLines(first), [{ imported: 3000, alreadyPresent: 0 }])
      assert.strictEqual(gateway.requests.length, 6)
      assertInOrder(store, 3000)
      const second = yield* importText("rows.csv", text, ["--json", "--batch", "77"])
      assert.deepStrictEqual(jsonLines(second), [{ imported: 0, alreadyPresent: 3000 }])
      assertInOrder(store, 3000)
      const other = yield* importText("rows.csv", text, ["--json", "--namespace", "another file"])
      assert.deepStrictEqual(jsonLines(other), [{ imported: 3000, alreadyPresent: 0 }])
    })
  )

  it.scopedLive("goes on after a cut in the middle", () =>
    Effect.gen(function* () {
      const { gateway, importText, store } = yield* setUp
      const text = manyRows(1000)
      // Answers get lost from the third request on, after it took effect; then nothing is taken any more.
      gateway.after = () => Effect.sync(() => gateway.requests.length >= 3 && gateway.cut())
      gateway.before = () =>
        gateway.requests.length > 3 ? new StoreError.NoQuorum({ store: "default", detail: "alone" }) : Effect.void
      const cut = yield* importText("rows.csv", text, ["--batch", "100", "--timeout", "2"])
      assertFailure(cut, 1, "OutcomeUnknown: ")
      assert.strictEqual(store.all.length, 300)
      gateway.after = () => Effect.void
      gateway.before = () => Effect.void
      const again = yield* importText("rows.csv", text, ["--batch", "333", "--json"])
      assert.deepStrictEqual(jsonLines(again), [{ imported: 700, alreadyPresent: 300 }])
      assertInOrder(store, 1000)
    })
  )

  it.scopedLive("goes over to another node while it runs", () =>
    Effect.gen(function* () {
      const { gateway, importText, store } = yield* setUp
      const other = yield* Gateway.make(store)
      gateway.after = () => (gateway.requests.length < 3 ? Effect.void : Effect.zipRight(gateway.vanish, Effect.never))
      const more = ["--endpoint", other.endpoint, "--batch", "100", "--json"]
      const outcome = yield* importText("rows.csv", manyRows(1000), more)
      assert.deepStrictEqual(jsonLines(outcome), [{ imported: 900, alreadyPresent: 100 }])
      assertInOrder(store, 1000)
    })
  )

  it.scopedLive("stops at a bad row with the line it begins on; the rows before it are in", () =>
    Effect.gen(function* () {
      const { folder, importText, store } = yield* setUp
      const head = 'stream,type,n\ns,T,"1\n1"\n\ns,T,2\n'
      const cases: ReadonlyArray<readonly [string | Uint8Array, string]> = [
        [`${head}s,T\ns,T,4\n`, "it has 2 cells, the header has 3"],
        [`${head}s,T,3,4\ns,T,4\n`, "it has 4 cells, the header has 3"],
        [`${head}s,T,"3\ns,T,4\n`, "a quote is opened and never closed"],
        [`${head}s,T,3"3\ns,T,4\n`, "a quote stands inside a cell"],
        [`${head}s,T,"3"3\ns,T,4\n`, "something other than a comma follows a closing quote"],
        [`${head},T,3\ns,T,4\n`, "cannot name a stream"],
        [`${head}s,,3\ns,T,4\n`, "the event's type must have 1 to 512 characters"],
        [Buffer.concat([Buffer.from(`${head}s,T,`), Uint8Array.of(0xff), Buffer.from("\n")]), "it is not UTF-8 text"],
        [`${head}s,T,${"x".repeat(5_000_000)}\ns,T,4\n`, "the event has 50000"],
        [`${head}s,T,${"x".repeat(7_000_000)}\ns,T,4\n`, "the row has more than 6640982 bytes"]
      ]
      for (const [text, why] of cases) {
        store.streams.clear()
        store.all.length = 0
        const outcome = yield* importText("rows.csv", text)
        assertFailure(outcome, 1, `InvalidRow: ${folder}/rows.csv line 6: `)
        assert.include(outcome.err, why)
        assert.include(outcome.err, "(imported 2, already present 0); correct the file")
        assert.strictEqual(store.all.length, 2)
      }
    })
  )

  it.scopedLive("takes a header of very many columns", () =>
    Effect.gen(function* () {
      const { importText } = yield* setUp
      // Looked for among all others, each of them, they would take minutes.
      const names = ["stream", "type", ...Array.from({ length: 400_000 }, (_, at) => at.toString(36))]
      assert.strictEqual((yield* importText("rows.csv", names.join())).out, "imported 0, already present 0\n")
      const twice = yield* importText("rows.csv", [...names, "1f", names[20]].join())
      assertFailure(twice, 1, "InvalidRow: ")
      assert.include(twice.err, "the header names the column '1f' twice")
    })
  )

  it.scopedLive("wants columns that are there", () =>
    Effect.gen(function* () {
      const { gateway, importText } = yield* setUp
      const text = "id,kind\n1,T\n"
      const unknown = yield* importText("rows.csv", text, ["--stream-from", "id", "--type-from", "type"])
      assertFailure(unknown, 2, "UsageError: --type-from names the column 'type', ")
      assert.include(unknown.err, "has the columns id, kind")
      const missing = yield* importText("rows.csv", text, ["--stream-from", "id"])
      assertFailure(missing, 2, "UsageError: a CSV file needs --stream-from COLUMN and --type-from COLUMN")
      const twice = yield* importText("rows.csv", "stream,type,type\n1,T,U\n")
      assertFailure(twice, 1, "InvalidRow: ")
      assert.include(twice.err, "line 1: the header names the column 'type' twice")
      assert.strictEqual((yield* importText("rows.csv", "stream,type\n")).out, "imported 0, already present 0\n")
      assert.deepStrictEqual(gateway.tags, [])
    })
  )
})

describe("import of NDJSON", () => {
  const row = (fields: object) => `${JSON.stringify(fields)}\n`

  it.scopedLive("takes the fields as they are", () =>
    Effect.gen(function* () {
      const { importText, store } = yield* setUp
      const id = "0190AAAA-bbbb-7ccc-8ddd-eeeeffff0001"
      const text =
        row({ stream: "a", type: "T", data: { n: 1 }, metadata: { by: "me" }, tags: ["x"], id }) +
        `\n${row({ stream: "a", type: "U", data: null }).replace("\n", "\r\n")}` +
        row({ stream: "b", type: "V", data: [1] }).trimEnd()
      const outcome = yield* importText("rows.ndjson", text, ["--stream-prefix", "p-"])
      assert.strictEqual(outcome.out, "imported 3, already present 0\n")
      assert.deepInclude(store.all[0], { streamId: "p-a", eventId: id.toLowerCase(), tags: ["x"] })
      assert.strictEqual(Buffer.from(store.all[0]?.metadata ?? []).toString(), '{"by":"me"}')
      assert.strictEqual(Buffer.from(store.all[1]?.data ?? []).toString(), "null")
      assert.isNull(store.all[1]?.metadata)
      assert.strictEqual(
        (yield* importText("rows.ndjson", text, ["--stream-prefix", "p-"])).out,
        "imported 0, already present 3\n"
      )
      const changed = yield* importText("rows.ndjson", row({ stream: "p-a", type: "T", data: 2, id }))
      assertFailure(changed, 1, "EventIdConflict: ")
    })
  )

  it.scopedLive("leaves payloads as they were written: numbers keep their digits, and nothing is too deep", () =>
    Effect.gen(function* () {
      const { importText, store } = yield* setUp
      const payloads = ['{"n": 9007199254740993, "m": [1e400, -0.10]}', "[".repeat(50_000) + "]".repeat(50_000)]
      const lines = payloads.map(text => `{"data": ${text} ,"stream":"s","metadata":${text},"type":"T"}\n`)
      const outcome = yield* importText("rows.ndjson", lines.join(""))
      assert.strictEqual(outcome.out, "imported 2, already present 0\n")
      for (const part of ["data", "metadata"] as const) {
        assert.deepStrictEqual(
          store.all.map(event => Buffer.from(event[part] ?? []).toString()),
          payloads
        )
      }
    })
  )

  it.scopedLive("stops at a bad line with its number", () =>
    Effect.gen(function* () {
      const { folder, importText, store } = yield* setUp
      const good = `${row({ stream: "s", type: "T", data: 1 })}\n${row({ stream: "s", type: "T", data: 2 })}`
      const cases: ReadonlyArray<readonly [string, string]> = [
        ['{"stream":"s","type":}\n', "it is not JSON: it breaks at character 22"],
        ['"text"\n', "line 4"],
        [`${"[".repeat(100_000)}${"]".repeat(100_000)}\n`, "it is not an object with a row's members"],
        [`{"stream":${"[".repeat(100_000)}${"]".repeat(100_000)}}\n`, "it is not an object with a row's members"],
        [row({ type: "T", data: 1 }), '"stream": is missing'],
        [row({ stream: "s", type: "T" }), '"data": is missing'],
        [row({ stream: "s", type: "T", data: 1, dataBase64: "" }), 'it has both "data" and "dataBase64"'],
        [row({ stream: "s", type: "T", dataBase64: "YQ" }), '"dataBase64": it must be base64'],
        [row({ stream: "s", type: "T", data: 1, dataContentType: "" }), '"dataContentType": '],
        [row({ stream: "s", type: "T", data: 1, position: "1" }), '"position": '],
        [row({ stream: "s", type: "T", data: 1, tags: ["a", "b", "a"] }), "the event has the tag 'a' twice"],
        [row({ stream: "s", type: "T", data: 1, tag: "x" }), '"tag": is unexpected'],
        [row({ stream: "s", type: "T", data: 1, id: "no" }), '"id": it must be a UUID'],
        [row({ stream: "s\u0001", type: "T", data: 1 }), "cannot name a stream"],
        ['{"stream":"s","type":"\\ud800","data":1}\n', "eventType: "],
        [row({ stream: "s", type: "T", data: "x".repeat(5_000_000) }), "the event has 50000"],
        ["x".repeat(7_000_000), "the line has more than 6640982 bytes"]
      ]
      for (const [text, why] of cases) {
        store.streams.clear()
        store.all.length = 0
        const outcome = yield* importText("rows.ndjson", good + text + row({ stream: "s", type: "T", data: 9 }))
        assertFailure(outcome, 1, `InvalidRow: ${folder}/rows.ndjson line 4: `)
        assert.include(outcome.err, why)
        assert.strictEqual(store.all.length, 2)
      }
    })
  )

  it.scopedLive("keeps the order across streams, whatever the size of a batch", () =>
    Effect.gen(function* () {
      const { gateway, importText, store } = yield* setUp
      const text = Array.from({ length: 1500 }, (_, n) =>
        row({ stream: `s-${(n * 7) % 5}`, type: "T", data: n, tags: [] })
      )
      const outcome = yield* importText("rows.ndjson", text.join(""), ["--batch", "100000"])
      assert.strictEqual(outcome.out, "imported 1500, already present 0\n")
      assert.deepStrictEqual(
        store.all.map(event => Number(Buffer.from(event.data).toString())),
        store.all.map(event => event.position)
      )
      // What one request does not take is not sent before that has been answered.
      gateway.requests.length = 0
      gateway.before = () => new StoreError.StoreNotFound({ store: "default" })
      yield* importText("rows.ndjson", text.join(""), ["--batch", "100000"])
      assert.strictEqual(gateway.requests.length, 1)
    })
  )

  it.scopedLive("bounds requests by events and tags too", () =>
    Effect.gen(function* () {
      const { gateway, importText } = yield* setUp
      const tags = Array.from({ length: 64 }, (_, at) => `${at}`)
      const rows = row({ stream: "s", type: "T", data: 0, tags }).repeat(2000)
      const outcome = yield* importText("rows.ndjson", rows, ["--batch", "100000"])
      assert.strictEqual(outcome.out, "imported 2000, already present 0\n", outcome.err)
      assert.deepStrictEqual(
        gateway.requests.map(appends => appends.map(({ events }) => events.length)),
        [[1538], [462]]
      )
    })
  )

  it.scopedLive("bounds requests by bytes too", () =>
    Effect.gen(function* () {
      const { gateway, importText } = yield* setUp
      const big = row({ stream: "s", type: "T", data: "x".repeat(1_500_000) })
      const outcome = yield* importText("rows.ndjson", big.repeat(5))
      assert.strictEqual(outcome.out, "imported 5, already present 0\n")
      assert.deepStrictEqual(
        gateway.requests.map(appends => appends[0]?.events.length),
        [2, 2, 1]
      )
    })
  )
})

describe("import of what is no such file", () => {
  it.scopedLive("says what it is", () =>
    Effect.gen(function* () {
      const { folder, importText } = yield* setUp
      const columns = ["--stream-from", "a", "--type-from", "b"]
      assertFailure(
        yield* reckon(["import", `${folder}/none.csv`, ...columns]),
        1,
        `FileUnusable: ${folder}/none.csv does not exist; `
      )
      yield* Effect.flatMap(FileSystem.FileSystem, fs => fs.makeDirectory(`${folder}/dir.ndjson`)).pipe(
        Effect.provide(NodeFileSystem.layer)
      )
      assertFailure(
        yield* reckon(["import", `${folder}/dir.ndjson`]),
        1,
        `FileUnusable: ${folder}/dir.ndjson is a directory; `
      )
      assertFailure(yield* importText("rows.csv", ""), 1, `FileUnusable: ${folder}/rows.csv is empty; `)
      assertFailure(yield* reckon(["import", "-"], { stdin: "" }), 1, "FileUnusable: standard input is empty; ")
      assertFailure(
        yield* importText("rows.csv", "\ufeff\n\n"),
        1,
        `FileUnusable: ${folder}/rows.csv has no header row; `
      )
      assertFailure(yield* importText("rows.txt", "x"), 2, "UsageError: ")
      assertFailure(yield* importText("rows.ndjson", "{}", ["--stream-from", "x"]), 2, "UsageError: --stream-from and")
      assertFailure(yield* importText("rows.ndjson", "{}", ["--batch", "0"]), 2, "UsageError: --batch is '0'")
    })
  )
})
