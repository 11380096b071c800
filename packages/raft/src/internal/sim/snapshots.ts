import type { Snapshot } from "../../Snapshot.js"
import { crc32 } from "../machine/crc32.js"
import * as Rules from "../snapshot/rules.js"
import * as Machine from "./machine.js"
import type { Group, Node } from "./node.js"

/** Snapshots as bytes: copies that go out in pieces, and what a disk keeps of those that come in. */

/** A snapshot, or so many of its first bytes. */
export interface File {
  readonly snapshot: Snapshot
  readonly size: number
  bytes: Uint8Array
}

/** What a disk keeps of what comes in: at most one in part, and the whole ones that the machine has not come to yet. */
export interface Inbox {
  part: File | undefined
  wholes: ReadonlyArray<File>
}

/** A delivery as its sender sees it. It asks one thing at a time, and an answer to an earlier question is none. */
export interface Delivery {
  readonly to: string
  readonly term: number
  readonly file: File
  question: number
  /** The question is how much is there already. */
  isAsking: boolean
  /** How much is there, as far as is known. */
  offset: number
  state: "under_way" | "delivered" | "failed"
}

/** A piece on the wire; one without bytes asks how much of it is there. */
export interface Piece {
  readonly _tag: "Piece"
  readonly from: string
  readonly to: string
  readonly term: number
  readonly question: number
  readonly snapshot: Snapshot
  readonly size: number
  readonly offset: number
  readonly bytes: Uint8Array
  readonly checksum: string
}

/** What became of a piece: how much of the snapshot is there now, or why it was not taken. */
export type Taken = number | "superseded" | "damaged"

export interface Receipt {
  readonly _tag: "Receipt"
  readonly from: string
  readonly to: string
  readonly question: number
  readonly taken: Taken
}

/** A snapshot travels in so many pieces. */
const piecesCount = 2

const encoder = new TextEncoder()
const decoder = new TextDecoder()

const checksum = (bytes: Uint8Array): string => crc32(bytes).toString(16)

/** The same bytes but for one bit. */
export const spoilt = (bytes: Uint8Array, at: number): Uint8Array => {
  const changed = Uint8Array.from(bytes)
  const place = at % bytes.length
  changed[place] = (changed[place] ?? 0) ^ 1
  return changed
}

/** Changes a bit of what is kept, coming in or going out, if there is anything. */
export const rot = ({ copy, disk: { inbox } }: Node, which: "incoming" | "outgoing", at: number): boolean => {
  const file = which === "outgoing" ? copy : (inbox.wholes[0] ?? inbox.part)
  if (file === undefined || file.bytes.length === 0) return false
  file.bytes = spoilt(file.bytes, at)
  return true
}

const isSound = ({ checksums, rules }: Group, checked: Rules.Checked, { bytes, snapshot }: File): boolean =>
  !checksums || rules.isSound(checked, snapshot.checksum, checksum(bytes))

// -----------------------------------------------------------------------------
// going out
// -----------------------------------------------------------------------------

/** The newest copy of the machine that reaches so far, or one of the machine as it is now. */
export const copyOf = (node: Node, throughIndex: number): File => {
  if (node.copy !== undefined && node.copy.snapshot.index >= throughIndex) return node.copy
  const bytes = encoder.encode(Machine.image(node.machine))
  const snapshot = { ...node.log.baseAt(node.machine.index), machineVersion: 1, checksum: checksum(bytes) }
  node.copy = { snapshot, size: bytes.length, bytes }
  return node.copy
}

export const deliver = (to: string, term: number, file: File): Delivery => ({
  to,
  term,
  file,
  question: 0,
  isAsking: true,
  offset: 0,
  state: "under_way"
})

/** The next piece, from what the receiver has; the first is empty. */
export const pieceOf = (from: string, delivery: Delivery): Piece => {
  const { file, isAsking, offset, question, term, to } = delivery
  const length = isAsking ? 0 : Math.ceil(file.size / piecesCount)
  const bytes = file.bytes.slice(offset, offset + length)
  const { size, snapshot } = file
  return { _tag: "Piece", from, to, term, question, snapshot, size, offset, bytes, checksum: checksum(bytes) }
}

/** Takes the answer to the newest question. Says whether there is more to send. */
export const onReceipt = (group: Group, node: Node, { from, question, taken }: Receipt): Delivery | undefined => {
  const delivery = node.deliveries.get(from)
  if (delivery?.question !== question || delivery.state !== "under_way") return undefined
  const { file, offset } = delivery
  // a piece that was not taken is not sent for ever
  const isTaken = typeof taken === "number" && (taken > offset || delivery.isAsking)
  if (taken === file.size) delivery.state = "delivered"
  else if (!isTaken) delivery.state = "failed"
  if (typeof taken === "number") delivery.offset = taken
  delivery.isAsking = false
  // what arrived damaged may be so here: then nobody is sent it again
  if (taken === "damaged" && node.copy === file && !isSound(group, "copy", file)) node.copy = undefined
  return delivery.state === "under_way" ? delivery : undefined
}

// -----------------------------------------------------------------------------
// coming in
// -----------------------------------------------------------------------------

const isAt = ({ snapshot }: File, { index, term }: { readonly index: number; readonly term: number }): boolean =>
  snapshot.index === index && snapshot.term === term

export const find = ({ wholes }: Inbox, at: { readonly index: number; readonly term: number }): File | undefined =>
  wholes.find(whole => isAt(whole, at))

/** Whether the snapshot of this place is on the disk with the bytes that it had when it left, whoever checks. */
export const hasSound = (inbox: Inbox, at: { readonly index: number; readonly term: number }): boolean =>
  inbox.wholes.some(whole => isAt(whole, at) && checksum(whole.bytes) === whole.snapshot.checksum)

/** Takes a piece. All of it is there where this answers its size: then it was checked, and the core is to be told. */
export const take = (group: Group, node: Node, piece: Piece): Taken => {
  const { rules } = group
  const { inbox } = node.disk
  if (group.checksums && !rules.isSound("piece", piece.checksum, checksum(piece.bytes))) return "damaged"
  if (piece.snapshot.index <= node.log.base.index) return "superseded"
  const kept = inbox.wholes.find(({ snapshot }) => Rules.isSame(snapshot, piece.snapshot))
  if (kept !== undefined && isSound(group, "kept", kept)) return piece.size
  inbox.wholes = inbox.wholes.filter(whole => whole !== kept)
  const part = partFor(group, node, piece)
  if (part === undefined) return "superseded"
  if (piece.offset === part.bytes.length) part.bytes = Uint8Array.from([...part.bytes, ...piece.bytes])
  if (part.bytes.length < part.size) return part.bytes.length
  inbox.part = undefined
  node.arrivingTerm = undefined
  if (!isSound(group, "whole", part)) return "damaged"
  inbox.wholes = [...inbox.wholes, part]
  return part.size
}

const partFor = ({ rules }: Group, node: Node, piece: Piece): File | undefined => {
  const { inbox } = node.disk
  const { arrivingTerm: term } = node
  const arriving = inbox.part === undefined || term === undefined ? undefined : { ...inbox.part, term }
  const admitted = rules.admit(arriving, piece)
  if (admitted === "superseded") return undefined
  node.arrivingTerm = piece.term
  // what an earlier life of the process has of it need not be sent again
  const isContinued = inbox.part !== undefined && Rules.isSame(inbox.part.snapshot, piece.snapshot)
  if (inbox.part !== undefined && isContinued) return inbox.part
  inbox.part = { snapshot: piece.snapshot, size: piece.size, bytes: new Uint8Array(0) }
  return inbox.part
}

/** Throws away what the machine has come to. */
export const discard = (inbox: Inbox, throughIndex: number): void => {
  inbox.wholes = inbox.wholes.filter(({ snapshot }) => snapshot.index > throughIndex)
  if (inbox.part !== undefined && inbox.part.snapshot.index <= throughIndex) inbox.part = undefined
}

/** The newest bytes of what is not whole were not synced: of so many a loss of power leaves the place, and nothing in it. */
export const forget = ({ part }: Inbox, count: number): void => {
  if (part === undefined) return
  const { bytes } = part
  part.bytes = Uint8Array.from(bytes, (byte, at) => (at < bytes.length - count ? byte : 0))
}

/** The snapshot that a start puts in the machine's place, as far as its checksum can tell. */
export const kept = (
  group: Group,
  inbox: Inbox,
  at: { readonly index: number; readonly term: number }
): File | undefined => {
  const file = find(inbox, at)
  return file !== undefined && isSound(group, "kept", file) ? file : undefined
}

export const machineOf = ({ workload }: Group, { bytes, snapshot }: File): Machine.Machine =>
  Machine.restore(workload, snapshot.index, decoder.decode(bytes))
