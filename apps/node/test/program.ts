import * as path from "node:path"

/** The `reckon` script; it runs the build. */
export const program = path.resolve(import.meta.dirname, "../bin/reckon.js")
