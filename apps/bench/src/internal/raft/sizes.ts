/** How much of everything, the same for everybody who is measured. */

export const rounds = 3
export const inFlightCounts = [1, 16, 128, 1024]
export const warmUpMillis = 300
export const measuredMillis = 1200
export const payloadBytes = 300

/** A new one for each proposal, as in life: one that is shared would hide what a log that holds on to its entries costs. */
export const makePayload = (): Uint8Array => new Uint8Array(payloadBytes).fill(7)
