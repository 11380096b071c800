/**
 * Whole numbers of variable length, texts and bytes in a row.
 */
import * as Either from "effect/Either"

const encoder = new TextEncoder()
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** Collects what is written; `take` joins it. */
export class Writer {
  private readonly parts: Array<number> = []

  byte(value: number): this {
    this.parts.push(value)
    return this
  }

  /** Seven bits a byte, the lowest first: any whole number from 0 to 2^53 - 1. */
  number(value: number): this {
    let rest = value
    while (rest >= 0x80) {
      this.parts.push((rest % 0x80) | 0x80)
      rest = Math.floor(rest / 0x80)
    }
    this.parts.push(rest)
    return this
  }

  text(value: string): this {
    const bytes = encoder.encode(value)
    this.number(bytes.length)
    for (const byte of bytes) this.parts.push(byte)
    return this
  }

  /** What was written, and `rest` behind it. */
  take(rest: Uint8Array = new Uint8Array(0)): Uint8Array {
    const bytes = new Uint8Array(this.parts.length + rest.length)
    bytes.set(this.parts)
    bytes.set(rest, this.parts.length)
    return bytes
  }
}

/** Leaves the reader below; `read` makes a value of it. */
class Damage extends Error {}

export class Reader {
  private at = 0
  constructor(private readonly bytes: Uint8Array) {}

  byte(): number {
    const value = this.bytes[this.at++]
    if (value === undefined) throw new Damage("it ends too early")
    return value
  }

  number(): number {
    let value = 0
    for (let scale = 1; ; scale *= 0x80) {
      const byte = this.byte()
      value += (byte & 0x7f) * scale
      if (!Number.isSafeInteger(value)) throw new Damage("a number is too large")
      if (byte < 0x80) return value
    }
  }

  text(): string {
    const length = this.number()
    const end = this.at + length
    if (end > this.bytes.length) throw new Damage("a text ends too late")
    const value = decoder.decode(this.bytes.subarray(this.at, end))
    this.at = end
    return value
  }

  /** Everything that is left, as a view. */
  rest(): Uint8Array {
    const value = this.bytes.subarray(this.at)
    this.at = this.bytes.length
    return value
  }

  end(): void {
    if (this.at !== this.bytes.length) throw new Damage("it goes on behind its end")
  }
}

/** What `take` reads out of all the bytes, or why it cannot: bytes that anybody may have sent are no reason to fail. */
export const read = <A>(bytes: Uint8Array, take: (reader: Reader) => A): Either.Either<A, string> =>
  Either.try({
    try: () => {
      const reader = new Reader(bytes)
      const value = take(reader)
      reader.end()
      return value
    },
    catch: cause => (cause instanceof Error ? cause.message : String(cause))
  })
