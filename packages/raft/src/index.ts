/**
 * @since 0.1.0
 */
export * as LogEntry from "./LogEntry.js"
export * as Membership from "./Membership.js"
export * as Message from "./Message.js"
export * as Quorum from "./Quorum.js"
export * as Raft from "./Raft.js"
export * as RaftClient from "./RaftClient.js"
export * as RaftCore from "./RaftCore.js"
export * as RaftError from "./RaftError.js"
export * as RaftLog from "./RaftLog.js"
export * as RaftProtocol from "./RaftProtocol.js"
export * as RaftTransport from "./RaftTransport.js"
export * as Simulator from "./Simulator.js"
export * as StateMachine from "./StateMachine.js"
