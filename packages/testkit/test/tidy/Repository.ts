/**
 * The repository as it lies on disk: what git tracks, and what it would track if it were added.
 */
import { execFileSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { make, type Source } from "./Source.js"

export const root = fileURLToPath(new URL("../../../../", import.meta.url))

const outputBytesMax = 64 * 1024 * 1024

/** A file with a NUL byte is no text. */
const isText = (contents: Buffer): boolean => !contents.subarray(0, 8_000).includes(0)

export const read = (path: string): Source => make(path, readFileSync(join(root, path), "utf8"))

export const sources = (): ReadonlyArray<Source> =>
  execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "-z"], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: outputBytesMax
  })
    .split("\0")
    // A file that was deleted and not yet staged is still listed.
    .filter(path => path !== "" && existsSync(join(root, path)))
    .filter(path => isText(readFileSync(join(root, path))))
    .map(read)
