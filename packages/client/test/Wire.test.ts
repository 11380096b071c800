import { assert, describe, it } from "@effect/vitest"
import { Wire } from "@reckon/client"
import * as FastCheck from "effect/FastCheck"

const encode = (message: unknown): Uint8Array => {
  const bytes = Wire.serialization.unsafeMake().encode(message)
  assert.instanceOf(bytes, Uint8Array)
  return bytes
}

describe("Wire", () => {
  it("puts a large message together from packets of any size, and the next one behind it", () => {
    const encoder = Wire.serialization.unsafeMake()
    const messages = [{ bytes: new Uint8Array(300_000).fill(7) }, { bytes: new Uint8Array(70_000).fill(9) }]
    const all = Buffer.concat(messages.map(message => Buffer.from(encoder.encode(message) ?? "")))
    for (const size of [3, 1_000, 65_536, 131_072, 299_999, all.length]) {
      const decoder = Wire.serialization.unsafeMake()
      const decoded: Array<unknown> = []
      for (let at = 0; at < all.length; at += size) decoded.push(...decoder.decode(all.subarray(at, at + size)))
      assert.deepStrictEqual(decoded, messages, `packets of ${size} bytes`)
    }
  })

  it("takes no memory for what is announced and does not come", () => {
    const before = process.memoryUsage().arrayBuffers
    const decoders = Array.from({ length: 200 }, () => {
      const decoder = Wire.serialization.unsafeMake()
      decoder.decode(Uint8Array.of(0x01, 0xff, 0xff, 0xff, 1))
      return decoder
    })
    assert.isBelow(process.memoryUsage().arrayBuffers - before, 200 * 1024 * 1024)
    assert.lengthOf(decoders, 200)
  })

  it("gives back messages however the bytes are cut", () => {
    FastCheck.assert(
      FastCheck.property(
        FastCheck.array(
          FastCheck.record({ name: FastCheck.string(), bytes: FastCheck.uint8Array({ maxLength: 300 }) }),
          {
            maxLength: 8
          }
        ),
        FastCheck.array(FastCheck.integer({ min: 1, max: 90 }), { minLength: 1 }),
        (messages, cuts) => {
          const encoder = Wire.serialization.unsafeMake()
          const decoder = Wire.serialization.unsafeMake()
          const all = Buffer.concat(messages.map(message => Buffer.from(encoder.encode(message) ?? "")))
          const decoded: Array<unknown> = []
          for (let at = 0, turn = 0; at < all.length; turn++) {
            const cut = cuts[turn % cuts.length] ?? 1
            decoded.push(...decoder.decode(all.subarray(at, at + cut)))
            at += cut
          }
          assert.deepStrictEqual(decoded, messages)
        }
      )
    )
  })

  it("refuses at the header what is too long or speaks another protocol", () => {
    const text = new TextEncoder().encode("GET / HTTP/1.1\r\n")
    assert.throws(() => Wire.serialization.unsafeMake().decode(text), /exceeded the maximum size/)
    assert.throws(() => Wire.serialization.unsafeMake().decode(Uint8Array.of(0, 0, 0, 0)), /exceeded the maximum size/)
    assert.throws(() => encode(new Uint8Array(Wire.messageBytesMax)), /exceeded the maximum size/)
  })

  it("a broken frame does not spoil the next one", () => {
    const parser = Wire.serialization.unsafeMake()
    // A byte string that claims more than there is, a bare number, two values in one frame.
    for (const frame of [[0xc4, 9, 1], [7], [0xc0, 0xc0]]) {
      assert.throws(() => parser.decode(Uint8Array.of(0, 0, 0, frame.length, ...frame)))
    }
    assert.deepStrictEqual(parser.decode(encode({ _tag: "Ping" })), [{ _tag: "Ping" }])
  })
})
