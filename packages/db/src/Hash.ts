/**
 * Hashes for routing, checksums and short keys. None of them is cryptographic: whoever chooses the input can choose the hash.
 *
 * Text is hashed as its UTF-8; half of a surrogate pair counts as U+FFFD. The same input has the same hash on each machine, in each run and in
 * each language that has the function.
 *
 * XXH32 and XXH64 are WebAssembly, compiled when the first of them is needed: what stands on them is an effect. XXH3 and FNV-1a are plain
 * functions.
 *
 * ```ts
 * const checksum = yield* Hash.xxhash64(payload)
 * const partition = yield* Hash.streamPartition("orders", "order-42", 16)
 * ```
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import xxhash, { type XXHash, type XXHashAPI } from "xxhash-wasm"
import * as xxh3 from "./internal/helpers/xxh3.js"

const encoder = new TextEncoder()

const bytesOf = (input: string | Uint8Array): Uint8Array => (typeof input === "string" ? encoder.encode(input) : input)

let compiling: Promise<XXHashAPI> | undefined

const compiled: Effect.Effect<XXHashAPI> = Effect.promise(() => {
  compiling ??= xxhash()
  return compiling
})

/** The memory of the WebAssembly never shrinks. Longer inputs pass through it in pieces of this size. */
const pieceBytes = 64 * 1024

const digest = <Hash>(
  input: string | Uint8Array,
  whole: (bytes: Uint8Array) => Hash,
  begin: () => XXHash<Hash>
): Hash => {
  const bytes = bytesOf(input)
  if (bytes.length <= pieceBytes) return whole(bytes)
  const state = begin()
  for (let start = 0; start < bytes.length; start += pieceBytes) state.update(bytes.subarray(start, start + pieceBytes))
  return state.digest()
}

// -----------------------------------------------------------------------------
// hashes
// -----------------------------------------------------------------------------

/**
 * XXH64 of the input, from 0 to 2^64 - 1, as the xxHash specification has it. Of the seed the low 64 bits count.
 *
 * @since 0.1.0
 * @category hashing
 */
export const xxhash64 = (input: string | Uint8Array, seed = 0n): Effect.Effect<bigint> =>
  Effect.map(compiled, api =>
    digest(
      input,
      bytes => api.h64Raw(bytes, seed),
      () => api.create64(seed)
    )
  )

/**
 * XXH3 of the input with 64 bits, without a seed, from 0 to 2^64 - 1, as the xxHash specification has it.
 *
 * @since 0.1.0
 * @category hashing
 */
export const xxhash3 = (input: string | Uint8Array): bigint => xxh3.hash(bytesOf(input))

/**
 * FNV-1a of the input with 64 bits, from 0 to 2^64 - 1, after Fowler, Noll and Vo (draft-eastlake-fnv). For keys of a few bytes: it takes them one
 * by one.
 *
 * @since 0.1.0
 * @category hashing
 */
export const fnv1a = (input: string | Uint8Array): bigint => {
  // The offset basis, in halves. The prime is 2^40 + 0x1b3, so that no product leaves the exact integers of a number.
  let high = 0xcbf29ce4
  let low = 0x84222325
  for (const byte of bytesOf(input)) {
    const word = (low ^ byte) >>> 0
    const product = word * 0x1b3
    high = (Math.imul(high, 0x1b3) + (word << 8) + Math.floor(product / 2 ** 32)) >>> 0
    low = product >>> 0
  }
  return (BigInt(high) << 32n) | BigInt(low)
}

// -----------------------------------------------------------------------------
// partitions
// -----------------------------------------------------------------------------

const partitionsMax = 2 ** 32

/**
 * The partitions of many keys, in their order: what `partition` answers for each.
 *
 * @since 0.1.0
 * @category partitions
 */
export const partitionBatch = (
  keys: ReadonlyArray<string | Uint8Array>,
  partitions: number
): Effect.Effect<ReadonlyArray<number>> =>
  Effect.map(compiled, api => {
    if (!Number.isInteger(partitions) || partitions < 1 || partitions > partitionsMax) {
      throw new RangeError(`partitions: an integer from 1 to ${partitionsMax} is wanted, not ${partitions}`)
    }
    return keys.map(key => digest(key, api.h32Raw, api.create32) % partitions)
  })

/**
 * The partition of a key, from 0 to `partitions - 1`: XXH32, with seed 0, modulo `partitions`. It is where a `Pool` of that size, routing by hash,
 * sends the key. Another number of partitions sends keys elsewhere.
 *
 * `partitions` is an integer from 1 to 2^32; anything else is a defect.
 *
 * @since 0.1.0
 * @category partitions
 */
export const partition = (key: string | Uint8Array, partitions: number): Effect.Effect<number> =>
  Effect.map(partitionBatch([key], partitions), ([only = 0]) => only)

/**
 * The partition of a stream of a store, whose writer appends to it: `partition` of `<store>/<stream>`.
 *
 * @since 0.1.0
 * @category partitions
 */
export const streamPartition = (store: string, streamId: string, partitions: number): Effect.Effect<number> =>
  partition(`${store}/${streamId}`, partitions)
