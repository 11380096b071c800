/**
 * Tells a torn tail of SQLite's -wal from older damage in it.
 *
 * SQLite replays a -wal up to the first frame whose checksum fails and silently forgets the rest. That is right for a torn
 * tail: the transaction was never synced. But where a later transaction follows the broken frame, this frame was synced, and
 * forgetting it would take back votes and acknowledgements. So the file is looked through before SQLite sees it; after that
 * it is too late, because closing the database checkpoints what was replayed and deletes the rest.
 *
 * With synchronous=FULL a transaction's frames are written only after the one before is synced. Hence the rule: a broken
 * frame is old damage if its transaction is known to have ended and a sound frame of the same generation comes after that. Damage
 * within the last transaction of the file cannot be told from a write that never finished, and is cut.
 *
 * The format is SQLite's published one: a header of 32 bytes, then frames of 24 bytes and a page each. All checksums form one chain, and
 * each frame carries the chain's value, so that the chain can be taken up again behind a broken frame.
 */
import * as fs from "node:fs"

const headerBytes = 32
const frameHeaderBytes = 24
const magicLittleEndian = 0x377f0682
const magicBigEndian = 0x377f0683

type Chain = readonly [number, number]

/** Adds bytes, eight at a time, to the chain. */
const extend = (chain: Chain, bytes: DataView, from: number, to: number, littleEndian: boolean): Chain => {
  let [first, second] = chain
  for (let at = from; at < to; at += 8) {
    first = (first + bytes.getUint32(at, littleEndian) + second) | 0
    second = (second + bytes.getUint32(at + 4, littleEndian) + first) | 0
  }
  return [first >>> 0, second >>> 0]
}

const isSame = (left: Chain, right: Chain) => left[0] === right[0] && left[1] === right[1]

/** Fills the target from an offset of the file on, and says how much of it. */
type Read = (target: DataView, at: number) => number

/** What is damaged in it, in words; `undefined` where it is sound, or at most its tail is torn. */
export const findWalDamage = (walFilename: string): string | undefined => {
  if (!fs.existsSync(walFilename)) return undefined
  const handle = fs.openSync(walFilename, "r")
  try {
    return findDamage((target, at) => fs.readSync(handle, target, 0, target.byteLength, at))
  } finally {
    fs.closeSync(handle)
  }
}

const findDamage = (read: Read): string | undefined => {
  const header = new DataView(new ArrayBuffer(headerBytes))
  // A shorter file never had its header synced, and so no frame.
  if (read(header, 0) < headerBytes) return undefined
  const magic = header.getUint32(0)
  const littleEndian = magic === magicLittleEndian
  const headerChain: Chain = [header.getUint32(24), header.getUint32(28)]
  const isHeaderSound =
    (littleEndian || magic === magicBigEndian) &&
    isSame(extend([0, 0], header, 0, headerBytes - 8, littleEndian), headerChain)
  // It is synced before the first frame and smaller than a sector, so it is there or it is not.
  if (!isHeaderSound) return isZero(read) ? undefined : "the header of the -wal"

  const frame = new DataView(new ArrayBuffer(frameHeaderBytes + header.getUint32(8)))
  let chain = headerChain
  let broken: number | undefined
  /** Whether the broken frame's transaction is known to have ended. */
  let ended = false
  for (let number = 1, at = headerBytes; read(frame, at) === frame.byteLength; number++, at += frame.byteLength) {
    // A frame of another generation is what the last checkpoint left behind.
    const isOurs = frame.getUint32(8) === header.getUint32(16) && frame.getUint32(12) === header.getUint32(20)
    const carried: Chain = [frame.getUint32(16), frame.getUint32(20)]
    const afterHeader = extend(chain, frame, 0, 8, littleEndian)
    const isSound =
      isOurs && isSame(extend(afterHeader, frame, frameHeaderBytes, frame.byteLength, littleEndian), carried)
    if (isSound && ended) return `frame ${broken} of the -wal`
    if (!isSound) broken ??= number
    const isCommit = isOurs && frame.getUint32(4) !== 0
    if (isCommit && broken !== undefined && (isSound || broken === number)) ended = true
    chain = carried
  }
  return undefined
}

const isZero = (read: Read): boolean => {
  const chunk = new DataView(new ArrayBuffer(65_536))
  for (let at = 0; ; ) {
    const filled = read(chunk, at)
    if (filled === 0) return true
    for (let byte = 0; byte < filled; byte++) if (chunk.getUint8(byte) !== 0) return false
    at += filled
  }
}
