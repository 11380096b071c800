import type { EventStore } from "@reckon/client/EventStore"
import type { StoreError } from "@reckon/client/StoreError"
import type * as Effect from "effect/Effect"

/** Names that no other case has. */
export interface Names {
  readonly stream: (word: string) => string
  readonly tag: (word: string) => string
  readonly type: (word: string) => string
}

export const names = (prefix: string, caseName: string): Names => {
  const own = `${prefix}-${caseName.replaceAll(/[^A-Za-z0-9]+/g, "_")}`
  return {
    stream: word => `${own}-${word}`,
    tag: word => `${own}:${word}`,
    type: word => `${own}.${word}`
  }
}

export interface Definition {
  readonly name: string
  readonly test: (names: Names) => Effect.Effect<void, StoreError, EventStore>
}
