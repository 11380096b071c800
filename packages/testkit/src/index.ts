/**
 * @since 0.1.0
 */
export * as ProcessCluster from "./ProcessCluster.js"
export * as RaftSimulator from "./RaftSimulator.js"
