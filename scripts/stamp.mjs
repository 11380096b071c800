/**
 * What decides whether the set-up has anything to do: a fingerprint of everything a step depends on, kept beside what the
 * step made. The stamp goes before the work begins and comes back when it is done, so that work cut short is done again.
 */
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { fileURLToPath } from "node:url"

export const root = fileURLToPath(new URL("..", import.meta.url))

const stampFile = name => join(root, "node_modules", ".reckon", `${name}.stamp`)

export const isCurrent = (name, fingerprint) => {
  try {
    return readFileSync(stampFile(name), "utf8") === fingerprint
  } catch {
    return false
  }
}

export const clear = name => {
  rmSync(stampFile(name), { force: true })
}

export const set = (name, fingerprint) => {
  mkdirSync(dirname(stampFile(name)), { recursive: true })
  writeFileSync(stampFile(name), fingerprint)
}

/** The rooms: every folder under packages/ and apps/ that has a package.json. */
export const rooms = () =>
  ["packages", "apps"].flatMap(parent =>
    readdirSync(join(root, parent))
      .map(name => join(parent, name))
      .filter(room => existsSync(join(root, room, "package.json")))
      .sort()
  )

/** A room and those it stands on, found by the references of its compiler settings. */
export const roomsUnder = (room, found = new Set()) => {
  if (found.has(room)) return []
  found.add(room)
  const settings = join(root, room, "tsconfig.json")
  const { references = [] } = JSON.parse(readFileSync(settings, "utf8"))
  for (const { path } of references) roomsUnder(relative(root, join(root, room, path)), found)
  return [...found].sort()
}

const filesUnder = directory =>
  !existsSync(directory)
    ? []
    : readdirSync(directory, { withFileTypes: true }).flatMap(entry => {
        const path = join(directory, entry.name)
        return entry.isDirectory() ? filesUnder(path) : [path]
      })

const hashOf = (paths, more) => {
  const hash = createHash("sha256").update(JSON.stringify(more))
  for (const path of [...paths].sort()) {
    hash.update(`\0${relative(root, path)}\0`)
    hash.update(readFileSync(path))
  }
  return hash.digest("hex")
}

/**
 * What the installed packages depend on. The Node version counts by its ABI, which is what a compiled module is bound to, and by its Node-API, by which one is chosen.
 */
export const installFingerprint = () =>
  hashOf(
    ["package.json", "pnpm-lock.yaml", "pnpm-workspace.yaml", ...rooms().map(room => join(room, "package.json"))].map(
      file => join(root, file)
    ),
    [process.versions.modules, process.versions.napi, process.platform, process.arch]
  )

/** What the compiled JavaScript of some rooms depends on: sources, compiler settings, the packages compiled against, and how the program is bundled. */
export const buildFingerprint = rooms => {
  const files = rooms.flatMap(room => [
    ...filesUnder(join(root, room, "src")),
    join(root, room, "tsconfig.json"),
    join(root, room, "package.json")
  ])
  const shared = ["tsconfig.base.json", "pnpm-lock.yaml", join("scripts", "bundle.mjs")]
  return hashOf([...files, ...shared.map(file => join(root, file))], [])
}

/** Sources of some rooms of which the compiled file is not there. */
export const missingOutputs = rooms =>
  rooms.flatMap(room => {
    const sources = join(root, room, "src")
    return filesUnder(sources)
      .filter(file => file.endsWith(".ts") && !file.endsWith(".d.ts"))
      .filter(file => !existsSync(join(root, room, "dist", relative(sources, file).replace(/\.ts$/, ".js"))))
  })
