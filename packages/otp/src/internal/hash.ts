/**
 * The hash that places keys: XXH32 with seed 0 over the UTF-8 of the key.
 *
 * It is the same on every machine, in every run and in every language that has an xxHash. Its code is WebAssembly, which
 * is compiled once, asynchronously; from then on the hash is a plain function. Its memory is as large as the longest key
 * ever hashed, three bytes for each UTF-16 unit.
 */
import * as Effect from "effect/Effect"
import xxhash from "xxhash-wasm"

/** An integer from 0 to 2^32 - 1. Half of a surrogate pair counts as U+FFFD, as everywhere in UTF-8. */
export type Hash = (key: string) => number

const seed = 0

let loading: Promise<void> | undefined
let loaded: Hash | undefined

/** The hash, compiled by the first who asks. Once it is there nobody waits for it, so a restart is not held up. */
export const load: Effect.Effect<Hash> = Effect.suspend(() => {
  if (loaded !== undefined) return Effect.succeed(loaded)
  loading ??= xxhash().then(api => {
    loaded = key => api.h32(key, seed)
  })
  const compiled = loading
  return Effect.zipRight(
    Effect.promise(() => compiled),
    load
  )
})
