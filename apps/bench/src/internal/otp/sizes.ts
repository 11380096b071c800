/** How much of everything. `otp_bench.erl` has the same numbers. */

/** Calls of each caller between two looks at the clock. */
export const callsEach = 2_000
/** Casts between two calls that wait for them. */
export const castBurst = 100_000
/** Above the burst: a mailbox that is full drops casts. */
export const castCapacity = 200_000
export const spawned = 100_000
export const idle = 20_000
/** Restarts under one supervisor: as many as its intensity allows. */
export const restarts = 1_000
export const children = 10_000
/** Of spawned processes and children, to warm up with. */
export const few = 1_000
