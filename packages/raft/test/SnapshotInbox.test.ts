import { createHash } from "node:crypto"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Membership from "@reckon/raft/Membership"
import { SnapshotChunk } from "@reckon/raft/SnapshotChunk"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Inbox from "../src/internal/snapshot/inbox.js"

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex")

/** So many bytes that differ from place to place. */
const content = (size: number, salt = 0) => Uint8Array.from({ length: size }, (_, at) => (at * 31 + salt) % 251)

const pieceOf = (
  bytes: Uint8Array,
  offset: number,
  length: number,
  fields: { readonly index?: number; readonly term?: number; readonly machineVersion?: number } = {}
): SnapshotChunk => {
  const piece = bytes.subarray(offset, offset + length)
  const { index = 10, machineVersion = 0, term = 3 } = fields
  return {
    from: "a",
    to: "b",
    term,
    snapshot: {
      index,
      term: 2,
      configuration: { index: 1, configuration: Membership.founding(["a", "b"]) },
      machineVersion,
      checksum: sha256(bytes)
    },
    size: bytes.length,
    offset,
    bytes: piece,
    checksum: sha256(piece)
  }
}

const folder = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "reckon-inbox-"))),
  folder => Effect.sync(() => fs.rmSync(folder, { recursive: true, force: true }))
)

const open = (directory: string, baseIndex = 0) => {
  const whole: Array<string> = []
  return Effect.map(
    Inbox.make({
      directory,
      unreadable: ({ machineVersion }) => (machineVersion > 1 ? `version ${machineVersion}` : undefined),
      baseIndex: () => baseIndex,
      whole: ({ snapshot, term }) => whole.push(`${snapshot.index} from term ${term}`)
    }),
    inbox => ({ inbox, whole, received: (chunk: SnapshotChunk) => Effect.map(inbox.take(chunk), r => r.received) })
  )
}

/** Sends all from where the inbox says that it is. */
const sendAll = (inbox: Inbox.Inbox, bytes: Uint8Array, fields = {}) =>
  Effect.gen(function* () {
    let { received } = yield* inbox.take(pieceOf(bytes, 0, 0, fields))
    while (received < bytes.length) received = (yield* inbox.take(pieceOf(bytes, received, 100, fields))).received
  })

describe("a snapshot that comes in", () => {
  it.scoped("is whole when all pieces are there, and is what was sent", () =>
    Effect.gen(function* () {
      const { inbox, whole } = yield* open(yield* folder)
      yield* sendAll(inbox, content(1_050))
      assert.deepStrictEqual(whole, ["10 from term 3"])
      const file = inbox.find({ index: 10, term: 2 })
      assert(file !== undefined)
      assert.deepStrictEqual(new Uint8Array(fs.readFileSync(file)), content(1_050))
      assert.isUndefined(inbox.find({ index: 11, term: 2 }))
      assert.isUndefined(inbox.find({ index: 10, term: 3 }))
    })
  )

  it.scoped("may be empty", () =>
    Effect.gen(function* () {
      const { inbox, whole } = yield* open(yield* folder)
      yield* sendAll(inbox, content(0))
      assert.deepStrictEqual(whole, ["10 from term 3"])
    })
  )

  it.scoped("takes only the piece that comes next: earlier and later ones change nothing", () =>
    Effect.gen(function* () {
      const bytes = content(500)
      const { received, whole } = yield* open(yield* folder)
      assert.strictEqual(yield* received(pieceOf(bytes, 0, 100)), 100)
      assert.strictEqual(yield* received(pieceOf(bytes, 0, 100)), 100)
      assert.strictEqual(yield* received(pieceOf(bytes, 300, 100)), 100)
      assert.strictEqual(yield* received(pieceOf(bytes, 50, 100)), 100)
      assert.strictEqual(yield* received(pieceOf(bytes, 100, 400)), 500)
      assert.deepStrictEqual(whole, ["10 from term 3"])
    })
  )

  it.scoped("goes on after a restart where it was", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      const bytes = content(500)
      yield* (yield* open(directory)).received(pieceOf(bytes, 0, 300))
      const again = yield* open(directory)
      assert.strictEqual(yield* again.received(pieceOf(bytes, 0, 0)), 300)
      assert.strictEqual(yield* again.received(pieceOf(bytes, 300, 200)), 500)
      assert.deepStrictEqual(again.whole, ["10 from term 3"])
    })
  )

  it.scoped("that a loss of power left with other bytes is found out in the end, and sent anew", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      const bytes = content(500)
      yield* (yield* open(directory)).received(pieceOf(bytes, 0, 300))
      const [part = ""] = fs.readdirSync(directory)
      fs.writeFileSync(path.join(directory, part), content(300, 1))
      const again = yield* open(directory)
      assert.strictEqual(yield* again.received(pieceOf(bytes, 0, 0)), 300)
      const refused = yield* Effect.flip(again.received(pieceOf(bytes, 300, 200)))
      assert.deepInclude(refused, { reason: "damaged", retryable: true })
      assert.deepStrictEqual([again.whole, fs.readdirSync(directory)], [[], []])
      yield* sendAll(again.inbox, bytes)
      assert.deepStrictEqual(again.whole, ["10 from term 3"])
    })
  )

  it.scoped("is checked as the disk has it, not as it came", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      const bytes = content(500)
      const { inbox, received, whole } = yield* open(directory)
      yield* received(pieceOf(bytes, 0, 300))
      const [part = ""] = fs.readdirSync(directory)
      fs.writeFileSync(path.join(directory, part), content(300, 1))
      assert.deepInclude(yield* Effect.flip(received(pieceOf(bytes, 300, 200))), { reason: "damaged" })
      assert.deepStrictEqual(whole, [])
      yield* sendAll(inbox, bytes)
      assert.deepStrictEqual(whole, ["10 from term 3"])
    })
  )

  it.scoped("that has changed since it was kept is nothing to rely on, and comes anew", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      yield* sendAll((yield* open(directory)).inbox, content(500))
      const { inbox, received, whole } = yield* open(directory)
      const file = inbox.find({ index: 10, term: 2 }) ?? ""
      assert.isTrue(yield* inbox.isSound(file))
      fs.writeFileSync(file, content(500, 1))
      assert.isFalse(yield* inbox.isSound(file))
      assert.strictEqual(yield* received(pieceOf(content(500), 0, 0)), 0)
      assert.deepStrictEqual(whole, [])
      yield* sendAll(inbox, content(500))
      assert.deepStrictEqual(whole, ["10 from term 3"])
      assert.isTrue(yield* inbox.isSound(inbox.find({ index: 10, term: 2 }) ?? ""))
    })
  )

  it.scoped("that is there already is told of again, and not taken twice", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      yield* sendAll((yield* open(directory)).inbox, content(500))
      const { received, whole } = yield* open(directory)
      assert.strictEqual(yield* received(pieceOf(content(500), 0, 0, { term: 4 })), 500)
      assert.deepStrictEqual(whole, ["10 from term 4"])
    })
  )

  it.scoped("makes room for a later one, and for one of a newer leader; an older one is refused", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      const { received } = yield* open(directory)
      yield* received(pieceOf(content(500), 0, 300))
      yield* received(pieceOf(content(500, 1), 0, 200, { index: 20 }))
      assert.lengthOf(fs.readdirSync(directory), 1)
      const behind = yield* Effect.flip(received(pieceOf(content(500), 300, 100)))
      assert.deepInclude(behind, { reason: "superseded" })
      assert.strictEqual(yield* received(pieceOf(content(500, 2), 0, 100, { index: 15, term: 4 })), 100)
      const deposed = yield* Effect.flip(received(pieceOf(content(500, 1), 200, 100, { index: 20, term: 3 })))
      assert.deepInclude(deposed, { reason: "superseded" })
      assert.lengthOf(fs.readdirSync(directory), 1)
    })
  )

  it.scoped("with a piece that was damaged on its way keeps what it had", () =>
    Effect.gen(function* () {
      const bytes = content(500)
      const { received } = yield* open(yield* folder)
      yield* received(pieceOf(bytes, 0, 100))
      const piece = { ...pieceOf(bytes, 100, 100), bytes: content(100, 9) }
      assert.deepInclude(yield* Effect.flip(received(piece)), { reason: "damaged" })
      assert.strictEqual(yield* received(pieceOf(bytes, 100, 100)), 200)
    })
  )

  it.scoped("of a version that the machine cannot read is refused before anything is kept of it", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      const { received } = yield* open(directory)
      const refused = yield* Effect.flip(received(pieceOf(content(500), 0, 100, { machineVersion: 2 })))
      assert.deepInclude(refused, { reason: "unreadable", retryable: false })
      assert.isEmpty(fs.readdirSync(directory))
    })
  )

  it.scoped("is refused while the disk does not take it, and goes on when it does", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      const bytes = content(500)
      const { received, whole, inbox } = yield* open(directory)
      yield* received(pieceOf(bytes, 0, 100))
      fs.renameSync(directory, `${directory}.away`)
      assert.deepInclude(yield* Effect.flip(received(pieceOf(bytes, 100, 100))), { reason: "storage", retryable: true })
      fs.renameSync(`${directory}.away`, directory)
      yield* sendAll(inbox, bytes)
      assert.deepStrictEqual(whole, ["10 from term 3"])
    })
  )

  it.scoped("is thrown away when the machine has come as far", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      const { inbox } = yield* open(directory)
      yield* sendAll(inbox, content(500))
      yield* inbox.take(pieceOf(content(300, 1), 0, 100, { index: 20 }))
      inbox.discard(9)
      assert.lengthOf(fs.readdirSync(directory), 2)
      inbox.discard(10)
      assert.lengthOf(fs.readdirSync(directory), 1)
      inbox.discard(20)
      assert.isEmpty(fs.readdirSync(directory))
    })
  )
})

describe("a piece on the wire", () => {
  const decode = Schema.decodeUnknown(SnapshotChunk)
  const bytes = content(500)

  it.effect("goes through its codec", () =>
    Effect.gen(function* () {
      const piece = pieceOf(bytes, 100, 100)
      assert.deepStrictEqual(yield* decode(yield* Schema.encode(SnapshotChunk)(piece)), piece)
    })
  )

  it.effect.each([
    ["reaches beyond the end", { size: 150 }],
    ["is too large", { bytes: new Uint8Array(256 * 1024 + 1), size: 2 ** 20 }],
    ["has a negative offset", { offset: -1 }],
    ["has no checksum", { checksum: "" }],
    [
      "would name a file elsewhere",
      { snapshot: { ...pieceOf(bytes, 0, 0).snapshot, checksum: "/../../../elsewhere" } }
    ],
    ["is of a snapshot of nothing", { snapshot: { ...pieceOf(bytes, 0, 0).snapshot, index: 0 } }]
  ] as const)("is refused when it %s", ([, fields]) =>
    Effect.map(Effect.flip(decode({ ...pieceOf(bytes, 100, 100), ...fields })), error =>
      assert.strictEqual(error._tag, "ParseError")
    )
  )

  it.scoped(
    "is not touched by what comes late, once the log begins after it: it may be on its way into the machine",
    () =>
      Effect.gen(function* () {
        const directory = yield* folder
        const bytes = content(200)
        const before = yield* open(directory)
        yield* sendAll(before.inbox, bytes)
        const file = before.inbox.find({ index: 10, term: 2 })
        assert(file !== undefined)
        fs.writeFileSync(file, "spoilt")
        const { inbox, whole } = yield* open(directory, 10)
        for (const index of [9, 10]) {
          const refused = yield* Effect.flip(inbox.take(pieceOf(bytes, 100, 100, { index })))
          assert.strictEqual(refused.reason, "superseded")
        }
        assert.deepStrictEqual(whole, [])
        assert.deepStrictEqual(fs.readdirSync(directory), [path.basename(file)])
        assert.strictEqual((yield* inbox.take(pieceOf(bytes, 0, 100, { index: 11 }))).received, 100)
      })
  )
})
