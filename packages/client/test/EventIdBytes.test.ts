import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as EventIdBytes from "../src/EventIdBytes.js"

const bytesOf = (id: string): Uint8Array => EventIdBytes.toBytes(id) ?? assert.fail(`${id} is a UUID`)

describe("event ids as bytes", () => {
  it("have the bytes and the dashes that RFC 9562 gives a UUID", () => {
    const id = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
    const bytes = [0xf8, 0x1d, 0x4f, 0xae, 0x7d, 0xec, 0x11, 0xd0, 0xa7, 0x65, 0x00, 0xa0, 0xc9, 0x1e, 0x6b, 0xf6]
    assert.deepStrictEqual([...bytesOf(id)], bytes)
    assert.strictEqual(EventIdBytes.fromBytes(Uint8Array.from(bytes)), id)
  })

  it("come back as they were, alone and from among others, wherever in memory they lie", () => {
    fc.assert(
      fc.property(fc.array(fc.uuid()), fc.nat(7), (ids, offset) => {
        for (const id of ids) assert.strictEqual(EventIdBytes.fromBytes(bytesOf(id)), id)
        const memory = Buffer.concat([Buffer.alloc(offset, 0xff), ...ids.map(bytesOf), Buffer.alloc(3, 0xff)])
        const textAt = EventIdBytes.texts(memory.subarray(offset, offset + 16 * ids.length))
        assert.deepStrictEqual(
          ids.map((_, place) => textAt(place)),
          ids
        )
      })
    )
  })

  it("are none where the text is not a UUID in lower case", () => {
    for (const text of [
      "",
      "F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6",
      "f81d4fae-7dec-11d0-a765-00a0c91e6bf",
      "f81d4fae-7dec-11d0-a765-00a0c91e6bfg",
      "f81d4fae07dec-11d0-a765-00a0c91e6bf6"
    ]) {
      assert.isNull(EventIdBytes.toBytes(text))
    }
  })
})
