import type { Stream } from "./catalog.js"

/**
 * Whether a stream shows one of its events at this time (microseconds since 1970). Deleting and truncating raise `firstVersion`, so that only age is left to be
 * looked at.
 */
export const isVisible = (
  stream: Stream,
  event: { readonly version: number; readonly epochUs: number },
  nowUs: number
): boolean =>
  event.version >= stream.firstVersion &&
  (stream.metadata.maxAgeUs === null || event.epochUs >= nowUs - stream.metadata.maxAgeUs)
