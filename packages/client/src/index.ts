/**
 * @since 0.1.0
 */
export * as Client from "./Client.js"
export * as Endpoint from "./Endpoint.js"
export * as Event from "./Event.js"
export * as ExpectedVersion from "./ExpectedVersion.js"
export * as Limits from "./Limits.js"
export * as StoreError from "./StoreError.js"
export * as StoreRpcs from "./StoreRpcs.js"
export * as Wire from "./Wire.js"
