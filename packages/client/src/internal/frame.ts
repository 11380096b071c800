/**
 * What a frame may hold, looked at before anything is made of it: MessagePack can announce more in five bytes than a process has room for, and lets one byte stand for a
 * hundred. Messages are records, texts, bytes, numbers, truth values, nothing, and arrays of these; their maps, dates, sets, patterns and large integers nobody here sends.
 */

/** Values of one message, each element and each field one: an append of all the events that a request may have has some 850,000. */
const messageValuesMax = 1024 * 1024
const depthMax = 64
/** Fields of a record. */
const fieldsMax = 64

/** An extension of one byte; one of this type is the definition of a record, and the record. */
const recordToken = 0xd4
const recordType = 0x72

export const isRecord = (frame: Uint8Array): boolean => frame[0] === recordToken && frame[1] === recordType

/** What is wrong with the frame, `undefined` where it holds one value, whole, and nothing else. Texts and bytes are passed over. */
export const faultOf = (frame: Uint8Array, valuesMax = messageValuesMax): string | undefined => {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength)
  const end = frame.byteLength
  /** How many fields a record has, by the token that stands for it in this frame. */
  const fieldsOf = new Map<number, number>()
  /** How many values are still to come on each level around the one at hand. */
  const around: Array<number> = []
  let left = 1
  let values = 0
  let at = 0

  const uint = (bytes: 1 | 2 | 4): number => {
    const from = at
    at += bytes
    if (at > end) return 0
    return bytes === 1 ? view.getUint8(from) : bytes === 2 ? view.getUint16(from) : view.getUint32(from)
  }

  const skip = (bytes: number): 0 => {
    at += bytes
    return 0
  }

  /** The bytes of a text that begins with this token; `undefined` where none does. */
  const textBytes = (token: number): number | undefined => {
    if (token >= 0xa0 && token <= 0xbf) return token - 0xa0
    if (token === 0xd9) return uint(1)
    if (token === 0xda) return uint(2)
    return token === 0xdb ? uint(4) : undefined
  }

  const elementsOf = (token: number): number | undefined => {
    if (token >= 0x90 && token <= 0x9f) return token - 0x90
    if (token === 0xdc) return uint(2)
    return token === 0xdd ? uint(4) : undefined
  }

  /** How many fields the record has that is defined here; `undefined` where that makes no sense. */
  const definition = (): number | undefined => {
    // As msgpackr reads it: were another byte to stand for the same record there, the two would not see the same values.
    const token = (uint(1) & 0x3f) | 0x40
    const fields = elementsOf(uint(1))
    if (fields === undefined || fields > fieldsMax) return undefined
    for (let field = 0; field < fields; field++) {
      const bytes = textBytes(uint(1))
      if (bytes === undefined) return undefined
      skip(bytes)
    }
    fieldsOf.set(token, fields)
    return fields
  }

  /** Passes over a value up to those inside it, and says how many these are; `undefined` for what no message holds. */
  const enter = (): number | undefined => {
    const token = uint(1)
    if (token < 0x40 || token >= 0xe0) return 0
    if (token < 0x80) return fieldsOf.get(token)
    const text = textBytes(token)
    if (text !== undefined) return skip(text)
    switch (token) {
      case 0xc0:
      case 0xc2:
      case 0xc3:
        return 0
      case 0xc4:
        return skip(uint(1))
      case 0xc5:
        return skip(uint(2))
      case 0xc6:
        return skip(uint(4))
      case 0xcc:
      case 0xd0:
        return skip(1)
      case 0xcd:
      case 0xd1:
        return skip(2)
      case 0xca:
      case 0xce:
      case 0xd2:
        return skip(4)
      case 0xcb:
      case 0xcf:
      case 0xd3:
        return skip(8)
      case recordToken: {
        const type = uint(1)
        if (type === recordType) return definition()
        // How msgpackr writes `undefined`.
        return type === 0 && uint(1) === 0 ? 0 : undefined
      }
      default:
        return elementsOf(token)
    }
  }

  while (left > 0) {
    const inside = enter()
    if (inside === undefined) return "it holds what no message does"
    values += inside
    if (at > end || inside > end - at) return "it ends within a value"
    if (values > valuesMax) return `it holds more than ${valuesMax} values`
    left -= 1
    if (inside > 0) {
      if (around.length === depthMax) return `its values lie more than ${depthMax} deep`
      around.push(left)
      left = inside
    }
    while (left === 0 && around.length > 0) left = around.pop() ?? 0
  }
  return at === end ? undefined : "more than one value lies in it"
}
