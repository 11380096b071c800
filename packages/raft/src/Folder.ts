/**
 * Folders and files for what has to last.
 *
 * @since 0.1.0
 */
import * as fs from "node:fs"
import * as path from "node:path"

/**
 * After this the bytes of a file, or the names in a folder, survive a loss of power. A file that is synced may still lose its name: for that its folder has to be.
 *
 * @since 0.1.0
 * @category files
 */
export const sync = (file: string): void => {
  const handle = fs.openSync(file, "r")
  try {
    fs.fsyncSync(handle)
  } finally {
    fs.closeSync(handle)
  }
}

const isFolder = (name: string): boolean => fs.existsSync(name) && fs.statSync(name).isDirectory()

/** For its owner alone, whatever the files in it allow. Others may make the same folder at the same time. */
const makeOne = (folder: string): void => {
  try {
    fs.mkdirSync(folder, { mode: 0o700 })
  } catch (cause) {
    if (!isFolder(folder)) throw cause
  }
}

/**
 * Makes a folder, with those above it that are missing, so that it is still there after a loss of power; nobody but their owner may enter those. Where there is one it stays as it is. What stands in the way, also of
 * reading and writing there, is thrown as Node throws it.
 *
 * One after the other from above, and not by Node's `recursive`: that asks for the folders above until one is there, and where the system says for ever that one is
 * missing, as it does of any name in `/proc`, it never returns.
 *
 * @since 0.1.0
 * @category files
 */
export const make = (folder: string): void => {
  const missing: Array<string> = []
  let above = path.resolve(folder)
  while (!fs.existsSync(above) && above !== path.dirname(above)) {
    missing.unshift(above)
    above = path.dirname(above)
  }
  if (missing.length === 0) makeOne(above)
  for (const each of missing) {
    makeOne(each)
    sync(path.dirname(each))
  }
  fs.accessSync(folder, fs.constants.R_OK | fs.constants.W_OK | fs.constants.X_OK)
}
