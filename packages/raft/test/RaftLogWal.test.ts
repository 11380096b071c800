import * as fs from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { all, crashImage, entry, hardState, refusal, row, temporaryFile, use } from "./helpers/raftLog.js"

const pageBytes = 4096
const frameBytes = 24 + pageBytes

/**
 * A log after a crash whose -wal has four transactions, with the -wal's length after each: entries 1–4, of which the third spans
 * several pages.
 */
const crashed = Effect.gen(function* () {
  const filename = yield* temporaryFile
  return yield* use(filename, log => {
    const ends: Array<number> = []
    log.stage({ hardState: hardState(1, "a"), entries: [] })
    for (const written of [entry(1, 1), entry(2, 1), entry(3, 1, "x".repeat(3 * pageBytes)), entry(4, 1)]) {
      log.stage({ entries: [written] })
      log.flush()
      const wal = fs.readFileSync(`${filename}-wal`)
      ends.push(lastFrameEnd(wal))
    }
    return { filename: crashImage(filename), ends }
  })
})

/** The file may be longer than what is in it. */
const lastFrameEnd = (wal: Buffer) => {
  let end = 32
  while (end < wal.byteLength && wal.subarray(end + 8, end + 16).equals(wal.subarray(16, 24))) end += frameBytes
  return end
}

const rewriteWal = (filename: string, change: (wal: Buffer) => Buffer) =>
  fs.writeFileSync(`${filename}-wal`, change(fs.readFileSync(`${filename}-wal`)))

const flipped = (at: number) => (wal: Buffer) => {
  const copy = Buffer.from(wal)
  copy.writeUInt8(copy.readUInt8(at) ^ 0x10, at)
  return copy
}

/** How many entries a copy of the log has after a change of its -wal. */
const entriesAfter = (filename: string, change: (wal: Buffer) => Buffer) =>
  Effect.suspend(() => {
    const image = crashImage(filename)
    rewriteWal(image, change)
    return use(image, log => {
      assert.strictEqual(all(log).length, log.lastIndex())
      return log.lastIndex()
    })
  })

const refusalAfter = (filename: string, change: (wal: Buffer) => Buffer) =>
  Effect.gen(function* () {
    const image = crashImage(filename)
    rewriteWal(image, change)
    const before = fs.readFileSync(`${image}-wal`)
    const message = yield* refusal(image)
    assert.isTrue(fs.readFileSync(`${image}-wal`).equals(before), "what is refused is left as it is")
    return message
  })

describe("the -wal of a Raft log after a crash", () => {
  it.scoped("whatever is synced is there", () =>
    Effect.gen(function* () {
      const { filename } = yield* crashed
      assert.strictEqual(yield* entriesAfter(filename, wal => wal), 4)
    })
  )

  it.scoped("a tail torn at any place is cut, and all transactions before it stay", () =>
    Effect.gen(function* () {
      const { ends, filename } = yield* crashed
      for (const [at, end] of ends.entries()) {
        const start = ends[at - 1] ?? 32
        for (const length of [start, start + 1, start + 24, start + 300, end - 1]) {
          assert.strictEqual(yield* entriesAfter(filename, wal => wal.subarray(0, length)), at)
        }
        assert.strictEqual(yield* entriesAfter(filename, wal => wal.subarray(0, end)), at + 1)
      }
    })
  )

  it.scoped("a last transaction of which only later pages reached the disk is cut", () =>
    Effect.gen(function* () {
      const { ends, filename } = yield* crashed
      const [, second = 0, third = 0] = ends
      assert.isAbove(third - second, 2 * frameBytes)
      for (let at = second; at < third; at += frameBytes) {
        const holed = (wal: Buffer) => Buffer.from(wal.subarray(0, third)).fill(0, at, at + frameBytes)
        assert.strictEqual(yield* entriesAfter(filename, holed), 2)
        assert.strictEqual(yield* entriesAfter(filename, wal => flipped(at + 2_000)(wal.subarray(0, third))), 2)
      }
    })
  )

  it.scoped("zeros or garbage after the last transaction are cut", () =>
    Effect.gen(function* () {
      const { ends, filename } = yield* crashed
      const end = ends[3] ?? 0
      for (const byte of [0, 0xa5]) {
        const padded = (wal: Buffer) => Buffer.concat([wal.subarray(0, end), Buffer.alloc(3 * frameBytes, byte)])
        assert.strictEqual(yield* entriesAfter(filename, padded), 4)
      }
    })
  )

  it.scoped("damage to a transaction that others follow is refused, whatever it hit, and nothing is touched", () =>
    Effect.gen(function* () {
      const { ends, filename } = yield* crashed
      for (const end of ends.slice(0, 3)) {
        const frame = end - frameBytes
        for (const at of [frame + 24 + 100, end - 1]) {
          assert.match(yield* refusalAfter(filename, flipped(at)), /frame \d+ of the -wal is damaged. Stop this member/)
        }
      }
      // The header of a frame, its page number or its checksum: the chain behind it can be taken up one frame later.
      const first = 32
      for (const at of [first + 3, first + 9, first + 17]) {
        assert.match(yield* refusalAfter(filename, flipped(at)), /frame 1 of the -wal is damaged/)
      }
    })
  )

  it.scoped("a damaged header is refused; one that was never written is not", () =>
    Effect.gen(function* () {
      const { filename } = yield* crashed
      for (const at of [0, 9, 17, 25]) {
        assert.match(yield* refusalAfter(filename, flipped(at)), /the header of the -wal is damaged/)
      }
      assert.match(
        yield* refusalAfter(filename, wal => Buffer.from(wal).fill(0, 0, 32)),
        /the header of the -wal is damaged/
      )
      for (const never of [Buffer.alloc(0), Buffer.alloc(10), Buffer.alloc(3 * frameBytes)]) {
        assert.strictEqual(yield* entriesAfter(filename, () => never), 0)
      }
    })
  )

  it.scoped("frames that a checkpoint has left behind are no damage", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      const image = yield* use(filename, log => {
        log.stage({ hardState: hardState(1), entries: [] })
        // More than the -wal holds before it begins anew from its start.
        for (let index = 1; index <= 30; index++) {
          log.stage({ entries: [entry(index, 1, "x".repeat(1024 * 1024))] })
          log.flush()
        }
        const wal = fs.readFileSync(`${filename}-wal`)
        assert.isBelow(lastFrameEnd(wal), wal.byteLength)
        return crashImage(filename)
      })
      assert.strictEqual(yield* entriesAfter(image, wal => wal), 30)
      yield* use(image, log => assert.strictEqual(log.lastIndex(), 30))
    })
  )

  it.scoped("the -wal stays bounded, also after one large flush", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      const image = yield* use(filename, log => {
        const walBytes = () => fs.statSync(`${filename}-wal`).size
        log.stage({ hardState: hardState(1), entries: [] })
        for (let index = 1; index <= 60; index++) log.stage({ entries: [entry(index, 1, "x".repeat(1024 * 1024))] })
        log.flush()
        assert.isAbove(walBytes(), 60_000_000)
        const image = crashImage(filename)
        log.stage({ entries: row(61, 61, 1) })
        log.flush()
        assert.isAtMost(walBytes(), 33 * 1024 * 1024)
        return image
      })
      yield* use(image, log => assert.strictEqual(log.lastIndex(), 60))
    })
  )

  it.scoped("a torn tail is gone for good: what is written after it has been cut survives the next crash", () =>
    Effect.gen(function* () {
      const { ends, filename } = yield* crashed
      const image = crashImage(filename)
      rewriteWal(image, wal => Buffer.from(wal.subarray(0, ends[2])).fill(0, ends[1], (ends[1] ?? 0) + frameBytes))
      const again = yield* use(image, log => {
        assert.strictEqual(log.lastIndex(), 2)
        assert.deepStrictEqual(log.hardState(), hardState(1, "a"))
        assert.strictEqual(fs.statSync(`${image}-wal`).size, 0)
        log.stage({ entries: row(3, 5, 1) })
        log.flush()
        return crashImage(image)
      })
      yield* use(again, log => assert.deepStrictEqual(all(log).slice(2), ["entry 3", "entry 4", "entry 5"]))
    })
  )
})
