import type { Message } from "../../Message.js"
import type { Node } from "./node.js"
import * as Snapshots from "./snapshots.js"

/** Messages a link holds; the oldest give way. */
const linkMessagesMax = 64

/** A client's read on its way from the member that it came through to the leader, and the leader's answer. */
interface Forwarded<Tag> {
  readonly _tag: Tag
  readonly from: string
  readonly to: string
  readonly attempt: number
  /** In an answer; nothing where the read was refused. */
  readonly index: number | undefined
}

export type ForwardedRead = Forwarded<"AskIndex"> | Forwarded<"TellIndex">

export type Packet = Message | Snapshots.Piece | Snapshots.Receipt | ForwardedRead

export interface Link {
  readonly from: Node
  readonly to: Node
  readonly messages: Array<Packet>
}

export const between = (nodes: ReadonlyArray<Node>): ReadonlyArray<Link> =>
  nodes.flatMap(from => nodes.filter(to => to !== from).map(to => ({ from, to, messages: [] })))

export const put = ({ messages }: Link, packet: Packet): void => {
  messages.push(packet)
  if (messages.length > linkMessagesMax) messages.shift()
}

/** A packet as it arrives with other bytes; nothing where it is no piece of a snapshot, or an empty one. */
export const spoilt = (packet: Packet): Snapshots.Piece | undefined =>
  packet._tag === "Piece" && packet.bytes.length > 0
    ? { ...packet, bytes: Snapshots.spoilt(packet.bytes, packet.question) }
    : undefined
