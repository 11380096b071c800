/**
 * @since 0.1.0
 */
export * as Gateway from "./Gateway.js"
export * as GatewayWorker from "./GatewayWorker.js"
export * as StoreBackend from "./StoreBackend.js"
export * as WorkerRegistry from "./WorkerRegistry.js"
