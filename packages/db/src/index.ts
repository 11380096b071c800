/**
 * @since 0.1.0
 */
export * as Command from "./Command.js"
export * as CommitSignal from "./CommitSignal.js"
export * as LeaderTracker from "./LeaderTracker.js"
export * as SqliteStoreEngine from "./SqliteStoreEngine.js"
export * as Store from "./Store.js"
export * as StoreEngine from "./StoreEngine.js"
export * as StoreNames from "./StoreNames.js"
export * as StoreReader from "./StoreReader.js"
export * as StoreStateMachine from "./StoreStateMachine.js"
export * as Stores from "./Stores.js"
export * as StoreWriter from "./StoreWriter.js"
