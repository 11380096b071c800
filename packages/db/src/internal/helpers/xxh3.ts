/**
 * XXH3 with 64 bits, seed 0 and the default secret, after the xxHash specification (`doc/xxhash_spec.md` of Cyan4973/xxHash): one function for
 * each class of lengths, as there.
 *
 * Words are little-endian, and bigints below 2^64. Where they are cut to 64 bits at each step the compiler makes machine words of them, and pairs
 * of 32-bit numbers are no faster.
 */

/** The default secret: bytes that stand in the specification. */
const secret = new DataView(
  Uint8Array.from(
    (
      "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221" +
      "b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8" +
      "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb" +
      "170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e"
    ).match(/../g) ?? [],
    digits => Number.parseInt(digits, 16)
  ).buffer
)

const prime32v1 = 0x9e3779b1n
const prime32v2 = 0x85ebca77n
const prime32v3 = 0xc2b2ae3dn
const prime64v1 = 0x9e3779b185ebca87n
const prime64v2 = 0xc2b2ae3d27d4eb4fn
const prime64v3 = 0x165667b19e3779f9n
const prime64v4 = 0x85ebca77c2b2ae63n
const prime64v5 = 0x27d4eb2f165667c5n
const primeMx1 = 0x165667919e3779f9n
const primeMx2 = 0x9fb21c651e98df25n

const low32 = 0xffff_ffffn

const u64 = (value: bigint): bigint => BigInt.asUintN(64, value)

const rotated = (word: bigint, bits: bigint): bigint => u64(word << bits) | (word >> (64n - bits))

const wordAt = (view: DataView, offset: number): bigint => view.getBigUint64(offset, true)

/** The halves of the 128-bit product, one upon the other. */
const folded = (one: bigint, other: bigint): bigint => {
  const product = one * other
  return u64(product) ^ (product >> 64n)
}

const avalanche = (word: bigint): bigint => {
  const mixed = u64((word ^ (word >> 37n)) * primeMx1)
  return mixed ^ (mixed >> 32n)
}

/** The last step of XXH64, which the shortest inputs share. */
const avalancheXxh64 = (word: bigint): bigint => {
  const once = u64((word ^ (word >> 33n)) * prime64v2)
  const twice = u64((once ^ (once >> 29n)) * prime64v3)
  return twice ^ (twice >> 32n)
}

// -----------------------------------------------------------------------------
// up to 16 bytes
// -----------------------------------------------------------------------------

const hashEmpty = (): bigint => avalancheXxh64(wordAt(secret, 56) ^ wordAt(secret, 64))

const hash1to3 = (input: DataView, length: number): bigint => {
  const bytes =
    (input.getUint8(0) << 16) | (input.getUint8(length >> 1) << 24) | (length << 8) | input.getUint8(length - 1)
  return avalancheXxh64(BigInt((bytes ^ secret.getUint32(0, true) ^ secret.getUint32(4, true)) >>> 0))
}

const hash4to8 = (input: DataView, length: number): bigint => {
  const first = BigInt(input.getUint32(0, true))
  const last = BigInt(input.getUint32(length - 4, true))
  const keyed = (last | (first << 32n)) ^ wordAt(secret, 8) ^ wordAt(secret, 16)
  const once = u64((keyed ^ rotated(keyed, 49n) ^ rotated(keyed, 24n)) * primeMx2)
  const twice = u64((once ^ ((once >> 35n) + BigInt(length))) * primeMx2)
  return twice ^ (twice >> 28n)
}

const hash9to16 = (input: DataView, length: number): bigint => {
  const low = wordAt(input, 0) ^ wordAt(secret, 24) ^ wordAt(secret, 32)
  const high = wordAt(input, length - 8) ^ wordAt(secret, 40) ^ wordAt(secret, 48)
  const swap = new DataView(new ArrayBuffer(8))
  swap.setBigUint64(0, low, true)
  return avalanche(u64(BigInt(length) + swap.getBigUint64(0, false) + high + folded(low, high)))
}

// -----------------------------------------------------------------------------
// up to 240 bytes
// -----------------------------------------------------------------------------

/** Mixes 16 bytes of the input with 16 of the secret. */
const mixed = (input: DataView, offset: number, secretOffset: number): bigint =>
  folded(
    wordAt(input, offset) ^ wordAt(secret, secretOffset),
    wordAt(input, offset + 8) ^ wordAt(secret, secretOffset + 8)
  )

const hash17to128 = (input: DataView, length: number): bigint => {
  let sum = BigInt(length) * prime64v1
  for (let round = (length - 1) >> 5; round >= 0; round--) {
    sum += mixed(input, round * 16, round * 32)
    sum += mixed(input, length - round * 16 - 16, round * 32 + 16)
  }
  return avalanche(u64(sum))
}

const hash129to240 = (input: DataView, length: number): bigint => {
  let sum = BigInt(length) * prime64v1
  for (let chunk = 0; chunk < 8; chunk++) sum += mixed(input, chunk * 16, chunk * 16)
  sum = avalanche(u64(sum))
  for (let chunk = 8; chunk < length >> 4; chunk++) sum += mixed(input, chunk * 16, (chunk - 8) * 16 + 3)
  return avalanche(u64(sum + mixed(input, length - 16, 119)))
}

// -----------------------------------------------------------------------------
// more than 240 bytes
// -----------------------------------------------------------------------------

const stripeBytes = 64
const lanes = stripeBytes / 8
/** Each stripe of a block reads the secret from eight bytes further on. */
const stripesPerBlock = (secret.byteLength - stripeBytes) / 8

/** Reads and cuts its words in place: calls that the compiler does not inline would box each of them, at a tenth of the speed. */
const accumulate = (sums: BigUint64Array, input: DataView, offset: number, secretOffset: number): void => {
  for (let lane = 0; lane < lanes; lane++) {
    const word = input.getBigUint64(offset + lane * 8, true)
    const key = BigInt.asUintN(64, word ^ secret.getBigUint64(secretOffset + lane * 8, true))
    const neighbour = lane ^ 1
    sums[neighbour] = BigInt.asUintN(64, (sums[neighbour] ?? 0n) + word)
    sums[lane] = BigInt.asUintN(64, (sums[lane] ?? 0n) + BigInt.asUintN(64, (key & low32) * (key >> 32n)))
  }
}

const scramble = (sums: BigUint64Array): void => {
  const secretOffset = secret.byteLength - stripeBytes
  for (const [lane, sum] of sums.entries()) {
    sums[lane] = u64((sum ^ (sum >> 47n) ^ wordAt(secret, secretOffset + lane * 8)) * prime32v1)
  }
}

const hashLong = (input: DataView, length: number): bigint => {
  const sums = BigUint64Array.of(prime32v3, prime64v1, prime64v2, prime64v3, prime64v4, prime32v2, prime64v5, prime32v1)
  // The last stripe ends with the input: it is never among those that are counted here, and may overlap the one before it.
  const stripes = Math.floor((length - 1) / stripeBytes)
  for (let stripe = 0; stripe < stripes; stripe++) {
    const inBlock = stripe % stripesPerBlock
    accumulate(sums, input, stripe * stripeBytes, inBlock * 8)
    if (inBlock === stripesPerBlock - 1) scramble(sums)
  }
  accumulate(sums, input, length - stripeBytes, secret.byteLength - stripeBytes - 7)

  let merged = BigInt(length) * prime64v1
  for (let lane = 0; lane < lanes; lane += 2) {
    const secretOffset = 11 + lane * 8
    merged += folded(
      (sums[lane] ?? 0n) ^ wordAt(secret, secretOffset),
      (sums[lane + 1] ?? 0n) ^ wordAt(secret, secretOffset + 8)
    )
  }
  return avalanche(u64(merged))
}

/** The hash, from 0 to 2^64 - 1. */
export const hash = (bytes: Uint8Array): bigint => {
  const length = bytes.byteLength
  const input = new DataView(bytes.buffer, bytes.byteOffset, length)
  if (length === 0) return hashEmpty()
  if (length <= 3) return hash1to3(input, length)
  if (length <= 8) return hash4to8(input, length)
  if (length <= 16) return hash9to16(input, length)
  if (length <= 128) return hash17to128(input, length)
  if (length <= 240) return hash129to240(input, length)
  return hashLong(input, length)
}
