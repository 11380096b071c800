/**
 * @since 0.1.0
 */
export * as Deliveries from "./Deliveries.js"
export * as Introductions from "./Introductions.js"
export * as Members from "./Members.js"
export * as NodeServer from "./NodeServer.js"
export * as PeerRpcs from "./PeerRpcs.js"
export * as Receivers from "./Receivers.js"
export * as SocketTransport from "./SocketTransport.js"
