/**
 * CRC-32 as in zip and Ethernet (reversed polynomial 0xedb88320).
 */
const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1
  return value
})

/** Of the bytes behind those that have the checksum `before`. */
export const crc32 = (bytes: Uint8Array, before = 0): number => {
  let value = before ^ 0xffffffff
  for (const byte of bytes) value = (value >>> 8) ^ (table[(value ^ byte) & 0xff] ?? 0)
  return (value ^ 0xffffffff) >>> 0
}
