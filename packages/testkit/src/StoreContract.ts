/**
 * What every store must do, as cases that run on any of them: in memory, on a file, embedded or across a network, single or replicated.
 *
 * A case needs the `EventStore` alone, and a fifth of a second where events are to be old, by the test's clock if there is one. It names its streams, tags and types
 * for itself, so that all of them can run on one store, beside other data, and asserts with `node:assert`, so that any test runner can run it:
 *
 * ```ts
 * layer(EventStore.layerMemory)("in memory", it => {
 *   for (const { name, test } of StoreContract.cases()) it.effect(name, () => test)
 * })
 * ```
 *
 * @since 0.1.0
 */
import type { EventStore } from "@reckon/client/EventStore"
import type { StoreError } from "@reckon/client/StoreError"
import type * as Effect from "effect/Effect"
import { appending } from "./internal/contract/appending.js"
import { conditions } from "./internal/contract/conditions.js"
import { deleting } from "./internal/contract/deleting.js"
import { following } from "./internal/contract/following.js"
import { keeping } from "./internal/contract/keeping.js"
import { type Definition, names } from "./internal/contract/names.js"
import { querying } from "./internal/contract/querying.js"
import { reading } from "./internal/contract/reading.js"
import { snapshots } from "./internal/contract/snapshots.js"
import { time } from "./internal/contract/time.js"

/**
 * One thing that must hold. It dies with an assertion that says what did not.
 *
 * @since 0.1.0
 * @category models
 */
export interface Case {
  readonly name: string
  readonly test: Effect.Effect<void, StoreError, EventStore>
}

const definitions: ReadonlyArray<Definition> = [
  ...appending,
  ...conditions,
  ...reading,
  ...querying,
  ...deleting,
  ...keeping,
  ...snapshots,
  ...time,
  ...following
]

/**
 * All cases. To run them on one store more than once give each run a `prefix` of its own, which its names begin with: 1 to 64 characters.
 *
 * @since 0.1.0
 * @category constructors
 */
export const cases = (options?: { readonly prefix?: string | undefined }): ReadonlyArray<Case> =>
  definitions.map(({ name, test }) => ({ name, test: test(names(options?.prefix ?? "contract", name)) }))
