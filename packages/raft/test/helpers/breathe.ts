import { setImmediate } from "node:timers/promises"

/** Lets the test runner speak to its worker, which a long loop would keep from it. */
export const breathe = (): Promise<void> => setImmediate()
