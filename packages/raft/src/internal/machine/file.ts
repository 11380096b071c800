/**
 * Whole files, written so that a loss of power leaves the old one or the new one.
 */
import * as fs from "node:fs"
import * as path from "node:path"

export const read = (filename: string): Uint8Array | undefined => {
  try {
    return fs.readFileSync(filename)
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined
    throw cause
  }
}

/** The bytes are on the disk before the name is, and the name before this returns. */
export const write = (filename: string, bytes: Uint8Array): void => {
  const folder = path.dirname(filename)
  fs.mkdirSync(folder, { recursive: true })
  const unfinished = `${filename}.new`
  withHandle(unfinished, "w", handle => {
    fs.writeFileSync(handle, bytes)
    fs.fsyncSync(handle)
  })
  fs.renameSync(unfinished, filename)
  withHandle(folder, "r", handle => fs.fsyncSync(handle))
}

const withHandle = (filename: string, flags: string, use: (handle: number) => void): void => {
  const handle = fs.openSync(filename, flags)
  try {
    use(handle)
  } finally {
    fs.closeSync(handle)
  }
}
