import { assert, describe, it } from "@effect/vitest"
import * as Pool from "@reckon/otp/Pool"
import * as Process from "@reckon/otp/Process"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as fc from "fast-check"
import * as Hash from "../src/Hash.js"

const bytes = (length: number, at: (index: number) => number): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => at(index))

const prime32 = 2654435761n
const prime64 = 11400714785074694797n

/** The input of xxHash's own vectors (`tests/sanity_test.c` of Cyan4973/xxHash, version 0.8): bytes of the powers of `prime64`. */
const sanity = (() => {
  const buffer = new Uint8Array(2_367)
  let word = prime32
  for (const index of buffer.keys()) {
    buffer[index] = Number(word >> 56n)
    word = BigInt.asUintN(64, word * prime64)
  }
  return (length: number): Uint8Array => buffer.subarray(0, length)
})()

describe("xxhash64", () => {
  // tests/sanity_test_vectors.h of Cyan4973/xxHash, XSUM_XXH64_testdata.
  it.effect("has the published values, with and without a seed", () =>
    Effect.gen(function* () {
      const vectors: ReadonlyArray<readonly [length: number, seed: bigint, hash: bigint]> = [
        [0, 0n, 0xef46db3751d8e999n],
        [0, prime32, 0xac75fda2929b17efn],
        [1, 0n, 0xe934a84adb052768n],
        [1, prime32, 0x5014607643a9b4c3n],
        [4, 0n, 0x9136a0dca57457een],
        [14, 0n, 0x8282dcc4994e35c8n],
        [14, prime32, 0xc3bd6bf63deb6df0n],
        [222, 0n, 0xb641ae8cb691c174n],
        [222, prime32, 0x20cb8ab7ae10c14an]
      ]
      for (const [length, seed, hash] of vectors) {
        assert.strictEqual(yield* Hash.xxhash64(sanity(length), seed), hash, `${length} bytes, seed ${seed}`)
      }
      assert.strictEqual(yield* Hash.xxhash64(sanity(222)), 0xb641ae8cb691c174n)
    })
  )

  // Computed with libxxhash 0.8.3: 200,000 bytes of which the n-th is n modulo 251.
  it.effect("is the same for an input that is hashed in pieces", () =>
    Effect.gen(function* () {
      const long = bytes(200_000, index => index % 251)
      assert.strictEqual(yield* Hash.xxhash64(long), 0x3c72c119d42ed27fn)
      assert.strictEqual(yield* Hash.xxhash64(long, 7n), 0x906987d03d427daen)
      assert.strictEqual(yield* Hash.partition(long, 2 ** 32), 0xa73a2909)
    })
  )
})

describe("xxhash3", () => {
  // tests/sanity_test_vectors.h of Cyan4973/xxHash, XSUM_XXH3_testdata with seed 0.
  it("has the published values of each class of lengths", () => {
    const vectors: ReadonlyArray<readonly [length: number, hash: bigint]> = [
      [0, 0x2d06800538d394c2n],
      [1, 0xc44bdff4074eecdbn],
      [6, 0x27b56a84cd2d7325n],
      [12, 0xa713daf0dfbb77e7n],
      [24, 0xa3fe70bf9d3510ebn],
      [48, 0x397da259ecba1f11n],
      [80, 0xbcdefbbb2c47c90an],
      [195, 0xcd94217ee362ec3an],
      [403, 0xcdeb804d65c6dea4n],
      [512, 0x617e49599013cb6bn],
      [2048, 0xdd59e2c3a5f038e0n],
      [2240, 0x6e73a90539cf2948n],
      [2367, 0xcb37aeb9e5d361edn]
    ]
    for (const [length, hash] of vectors) assert.strictEqual(Hash.xxhash3(sanity(length)), hash, `${length} bytes`)
  })

  // Computed with libxxhash 0.8.3: FNV-1a over the little-endian XXH3 of the first n bytes of the buffer, for n from 0 to 2,367.
  it("has the reference implementation's values at every length from 0 to 2,367", () => {
    const hashes = new DataView(new ArrayBuffer(8 * 2_368))
    for (let length = 0; length <= 2_367; length++) hashes.setBigUint64(8 * length, Hash.xxhash3(sanity(length)), true)
    assert.strictEqual(Hash.fnv1a(new Uint8Array(hashes.buffer)), 0x79aafc426f6719b8n)
  })

  it("does not depend on where the bytes lie", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat({ max: 9 }), (input, offset) => {
        const larger = new Uint8Array(input.length + offset + 3).fill(0xff)
        larger.set(input, offset)
        assert.strictEqual(Hash.xxhash3(larger.subarray(offset, offset + input.length)), Hash.xxhash3(input))
      })
    )
  })
})

describe("fnv1a", () => {
  // The 64-bit vectors of test_fnv.c, from the FNV page (isthe.com/chongo/tech/comp/fnv).
  it("has the published values", () => {
    const vectors: ReadonlyArray<readonly [input: string, hash: bigint]> = [
      ["", 14695981039346656037n],
      ["a", 0xaf63dc4c8601ec8cn],
      ["b", 0xaf63df4c8601f1a5n],
      ["fo", 0x08985907b541d342n],
      ["foo", 0xdcb27518fed9d577n],
      ["foob", 0xdd120e790c2512afn],
      ["fooba", 0xcac165afa2fef40an],
      ["foobar", 0x85944171f73967e8n],
      ["foobar\0", 0x34531ca7168b8f38n],
      ["chongo was here!\n", 0x46810940eff5f915n],
      ["http://www.isthe.com/chongo/tech/comp/fnv/index.html", 0x88826f56eba07af1n],
      ["2^21701-1".repeat(10), 0x4cfc32329edebcbbn]
    ]
    for (const [input, hash] of vectors) assert.strictEqual(Hash.fnv1a(input), hash, input)
    assert.strictEqual(Hash.fnv1a(bytes(500, () => 0)), 0x1fe3fce62bd816b5n)
    assert.strictEqual(Hash.fnv1a(bytes(500, () => 0x7f)), 0x39e9f18f2f85e221n)
    assert.strictEqual(Hash.fnv1a(Uint8Array.of(0xff, 0, 0, 1)), 0x6961196491cc682dn)
  })

  it("is its definition: for each byte, exclusive or and then the product with the prime", () => {
    fc.assert(
      fc.property(fc.uint8Array(), input => {
        const byDefinition = input.reduce(
          (hash, byte) => ((hash ^ BigInt(byte)) * (2n ** 40n + 0x1b3n)) % 2n ** 64n,
          0xcbf29ce484222325n
        )
        assert.strictEqual(Hash.fnv1a(input), byDefinition)
      })
    )
  })
})

describe("text", () => {
  it.effect("is hashed as its UTF-8, half of a surrogate pair as U+FFFD", () =>
    Effect.gen(function* () {
      for (const [text, utf8] of [
        ["é\u{1f600}", Uint8Array.of(0xc3, 0xa9, 0xf0, 0x9f, 0x98, 0x80)],
        ["a\ud83d", Uint8Array.of(0x61, 0xef, 0xbf, 0xbd)]
      ] as const) {
        assert.strictEqual(Hash.xxhash3(text), Hash.xxhash3(utf8))
        assert.strictEqual(Hash.fnv1a(text), Hash.fnv1a(utf8))
        assert.strictEqual(yield* Hash.xxhash64(text), yield* Hash.xxhash64(utf8))
        assert.strictEqual(yield* Hash.partition(text, 2 ** 32), yield* Hash.partition(utf8, 2 ** 32))
      }
    })
  )
})

describe("partition", () => {
  // tests/sanity_test_vectors.h of Cyan4973/xxHash, XSUM_XXH32_testdata with seed 0.
  it.effect("is the published XXH32 modulo the number of partitions", () =>
    Effect.gen(function* () {
      for (const [length, hash] of [
        [0, 0x02cc5d05],
        [14, 0x1208e7e2],
        [222, 0x5bd11dbd]
      ] as const) {
        assert.strictEqual(yield* Hash.partition(sanity(length), 2 ** 32), hash)
        assert.strictEqual(yield* Hash.partition(sanity(length), 16), hash % 16)
        assert.strictEqual(yield* Hash.partition(sanity(length), 1), 0)
      }
    })
  )

  it.effect("is where a pool of that size, routing by hash, sends the key", () =>
    Effect.gen(function* () {
      for (const size of [1, 4, 16, 1_000]) {
        const pool = Pool.named(Pool.make({ size, routing: "hash", worker: () => Effect.never }), "writers")
        for (const key of ["", "orders/order-1", "é\u{1f600}", "a\ud83d", "x".repeat(70_000)]) {
          assert.strictEqual(yield* Hash.partition(key, size), yield* pool.partitionOf(key))
        }
      }
    }).pipe(Effect.provide(Process.layer))
  )

  it.effect("of a stream is that of <store>/<stream>, the key under which its store's writers get it", () =>
    Effect.gen(function* () {
      assert.strictEqual(
        yield* Hash.streamPartition("orders", "order-42", 1_000),
        yield* Hash.partition("orders/order-42", 1_000)
      )
    })
  )

  it.effect("of many keys comes in their order", () =>
    Effect.gen(function* () {
      const keys = ["order-1", Uint8Array.of(1, 2, 3), "order-1", ""]
      const one = yield* Effect.forEach(keys, key => Hash.partition(key, 7))
      assert.deepStrictEqual(yield* Hash.partitionBatch(keys, 7), one)
      assert.deepStrictEqual(yield* Hash.partitionBatch([], 7), [])
    })
  )

  it.effect("spreads names that differ in a number only", () =>
    Effect.gen(function* () {
      const counts = new Map<number, number>()
      const names = Array.from({ length: 16_000 }, (_, n) => `order-${n}`)
      for (const at of yield* Hash.partitionBatch(names, 16)) counts.set(at, (counts.get(at) ?? 0) + 1)
      assert.strictEqual(counts.size, 16)
      // 1,000 each on average, with a standard deviation of about 31.
      for (const count of counts.values()) assert.isTrue(count > 850 && count < 1_150, `${count}`)
    })
  )

  it.effect("of no partitions, or of half of one, is a defect", () =>
    Effect.gen(function* () {
      for (const partitions of [0, -1, 1.5, Number.NaN, 2 ** 32 + 1]) {
        for (const asked of [
          Effect.asVoid(Hash.partition("a", partitions)),
          Effect.asVoid(Hash.partitionBatch([], partitions))
        ]) {
          const exit = yield* Effect.exit(asked)
          const defect = Exit.isFailure(exit) ? Cause.dieOption(exit.cause) : Option.none()
          assert.isTrue(Option.isSome(defect) && defect.value instanceof RangeError, `${partitions}`)
        }
      }
    })
  )
})
