/**
 * @since 0.1.0
 */
export * as DeciderSpec from "./DeciderSpec.js"
export * as ProcessCluster from "./ProcessCluster.js"
export * as RaftSimulator from "./RaftSimulator.js"
export * as StoreCluster from "./StoreCluster.js"
export * as StoreContract from "./StoreContract.js"
export * as Torture from "./Torture.js"
export * as TortureCheck from "./TortureCheck.js"
export * as TortureHistory from "./TortureHistory.js"
