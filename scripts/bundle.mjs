/**
 * Puts the `reckon` program, compiled, into three files. It has more than a thousand modules, and Node.js finds, reads and links each by itself: of the time until a command or a node could begin that took
 * two thirds.
 */
import { rmSync } from "node:fs"
import { dirname, join } from "node:path"
import { argv } from "node:process"
import { pathToFileURL } from "node:url"
import { root } from "./stamp.mjs"

const dist = join(root, "apps", "node", "dist")

/** What `apps/node/bin/reckon.js` runs. */
export const bundled = join(dist, "bundle", "main.js")

/** To be called when `apps/node` and what it stands on are compiled. */
export const bundle = async () => {
  // Whoever has not installed anything yet can load this module all the same.
  const { build } = await import("esbuild")
  const outdir = dirname(bundled)
  rmSync(outdir, { recursive: true, force: true })
  await build({
    entryPoints: [join(dist, "main.js")],
    outdir,
    bundle: true,
    // What only a node needs stays apart from what every command does.
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20",
    sourcemap: "linked",
    sourcesContent: false,
    // For packages of CommonJS, which have it from Node.js where they are not bundled.
    banner: {
      js: 'import { createRequire as requireFrom } from "node:module"; const require = requireFrom(import.meta.url);'
    },
    logLevel: "warning"
  })
}

if (argv[1] !== undefined && import.meta.url === pathToFileURL(argv[1]).href) await bundle()
