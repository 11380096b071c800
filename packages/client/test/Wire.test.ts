import { assert, describe, it } from "@effect/vitest"
import { Limits, Wire } from "@reckon/client"
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

  /** A frame of these bytes. */
  const framed = (...body: ReadonlyArray<number>): Uint8Array => {
    const frame = new Uint8Array(4 + body.length)
    new DataView(frame.buffer).setUint32(0, body.length)
    frame.set(body, 4)
    return frame
  }

  /** The definition of a record with the field `a`, without its value. */
  const record = [0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61]

  it("makes nothing of a frame that announces more than it brings", () => {
    const decode = (frame: Uint8Array) => () => Wire.serialization.unsafeMake().decode(frame)
    // Three million elements each time, every array within the one before.
    const arrays = Array.from({ length: 50 }, () => [0xdd, 0x00, 0x2d, 0xc6, 0xc0]).flat()
    const before = process.memoryUsage.rss()
    assert.throws(decode(framed(...record, ...arrays)), /it ends within a value/)
    assert.isBelow(process.memoryUsage.rss() - before, 500 * 1024 * 1024)
    assert.throws(decode(framed(...record, ...Array.from({ length: 70 }, () => 0x91), 1)), /more than 64 deep/)
    const fields = Array.from({ length: 100 }, () => 0xa0)
    assert.throws(decode(framed(0xd4, 0x72, 0x40, 0xdc, 0, 100, ...fields, ...fields)), /what no message does/)
    const values = Uint8Array.of(0xdd, 0x00, 0x20, 0x00, 0x00)
    const zeros = Buffer.concat([Uint8Array.from(record), values, new Uint8Array(0x200000)])
    assert.throws(
      decode(Buffer.concat([Uint8Array.of(0x00, 0x20, 0x00, zeros.length - 0x200000), zeros])),
      /1048576 values/
    )
  })

  it("makes nothing of what no message holds", () => {
    const values = {
      "a map": [0x81, 0xa1, 0x61, 1],
      "a record that was not defined": [0x41],
      "a record with another's id": [0xd4, 0x72, 0x41, 0x91, 0x01, 1],
      "a large integer": [0xc7, 2, 0x42, 1, 1],
      "a set": [0xd4, 0x73, 0, 0x91, 1],
      "a pattern": [0xd4, 0x78, 0, 0x92, 0xa1, 0x61, 0xa0],
      "a time": [0xd6, 0xff, 0, 0, 0, 1],
      "a reference": [0xd6, 0x70, 0, 0, 0, 1],
      "a value that is never used": [0xc1]
    }
    for (const [name, value] of Object.entries(values)) {
      assert.throws(() => Wire.serialization.unsafeMake().decode(framed(...record, ...value)), /no message/, name)
    }
  })

  it("takes the largest append there may be", () => {
    const event = {
      eventId: "2b7d6f0e-6d3c-4c5b-9d57-0f6a4a3c1e52",
      eventType: "T",
      data: new Uint8Array(1),
      dataContentType: "application/json",
      metadata: new Uint8Array(1),
      metadataContentType: "application/json",
      tags: []
    }
    const events = Array.from({ length: Limits.eventsMax / Limits.appendsMax }, () => event)
    const appends = Array.from({ length: Limits.appendsMax }, () => ({ streamId: "s", expectedVersion: 1, events }))
    const bytes = encode({
      _tag: "Request",
      id: "1",
      tag: "Append",
      payload: { store: "default", appends },
      headers: []
    })
    assert.lengthOf(Wire.serialization.unsafeMake().decode(bytes), 1)
  })

  it("takes whatever a message may be made of, and refuses with an error what is left of it when bytes are changed", () => {
    const { message } = FastCheck.letrec<{ message: object; value: unknown }>(tie => ({
      message: FastCheck.dictionary(
        FastCheck.string({ maxLength: 40 }).map(name => `f${name}`),
        tie("value"),
        {
          maxKeys: 20
        }
      ),
      value: FastCheck.oneof(
        { maxDepth: 4, withCrossShrink: true },
        FastCheck.oneof(
          FastCheck.double(),
          FastCheck.integer(),
          FastCheck.string({ maxLength: 300 }),
          FastCheck.uint8Array({ maxLength: 300 }),
          FastCheck.constantFrom(null, undefined, true, false, 2 ** 53 - 1, -(2 ** 31), 63, 64, 128, -32, -33)
        ),
        FastCheck.array(tie("value"), { maxLength: 20 }),
        tie("message")
      )
    }))
    const changes = FastCheck.array(FastCheck.tuple(FastCheck.nat(), FastCheck.nat(255)), { maxLength: 4 })
    FastCheck.assert(
      FastCheck.property(message, changes, (message, changes) => {
        const bytes = encode(message)
        assert.lengthOf(Wire.serialization.unsafeMake().decode(bytes), 1)
        for (const [at, byte] of changes) bytes[4 + (at % (bytes.length - 4))] = byte
        try {
          assert.lengthOf(Wire.serialization.unsafeMake().decode(bytes), 1)
        } catch (cause) {
          assert.match(String(cause), /a frame is no message/)
        }
      })
    )
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
