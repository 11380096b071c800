/**
 * The rules about what a package's manifest tells those who install it.
 */
import { at, type Finding, type Source } from "./Source.js"

const fields = ["dependencies", "peerDependencies", "devDependencies"] as const

type Field = (typeof fields)[number]

const isPackage = ({ path }: Source): boolean => /^packages\/[^/]+\/package\.json$/.test(path)

/** The names in one of the fields, and where they stand. */
const namesIn = ({ text }: Source, field: Field): ReadonlyMap<string, number> => {
  const block = new RegExp(`"${field}": \\{([^}]*)\\}`).exec(text)
  const names = (block?.[1] ?? "").matchAll(/"([^"]+)":/g)
  return new Map([...names].map(({ 1: name = "", index }) => [name, (block?.index ?? 0) + field.length + 5 + index]))
}

const isEffect = (name: string): boolean => name === "effect" || name.startsWith("@effect/")

/**
 * A program has one `effect`, its own, and the packages take that: with a dependency of their own they would bring a second one as soon as the versions differ by anything, and types and
 * services of one are not those of the other. Here they get the pinned version.
 */
export const sharedEffect = (source: Source): ReadonlyArray<Finding> => {
  if (!isPackage(source)) return []
  const pinned = namesIn(source, "devDependencies")
  const peers = [...namesIn(source, "peerDependencies")]
  return [
    ...[...namesIn(source, "dependencies")]
      .filter(([name]) => isEffect(name))
      .map(([name, start]) => at(source, start, `"${name}" is the program's own: a peer, not a dependency`)),
    ...peers
      .filter(([name]) => !pinned.has(name))
      .map(([name, start]) => at(source, start, `"${name}" is pinned by no devDependency`))
  ]
}

/** What a package takes from its user, whoever depends on it takes as well: a package manager that is strict gives a package nothing that it does not name. */
export const passedOnPeers = (sources: ReadonlyArray<Source>): ReadonlyArray<Finding> => {
  const packages = new Map(
    sources.filter(isPackage).map(source => [`@reckon/${source.path.split("/")[1] ?? ""}`, source])
  )
  return [...packages.values()].flatMap(source => {
    const own = namesIn(source, "peerDependencies")
    return [...namesIn(source, "dependencies")].flatMap(([name, start]) => {
      const theirs = packages.get(name)
      const missing =
        theirs === undefined ? [] : [...namesIn(theirs, "peerDependencies").keys()].filter(peer => !own.has(peer))
      return missing.map(peer => at(source, start, `"${name}" needs the peer "${peer}"`))
    })
  })
}

/** `import` alone would hide a package from `require`, which loads ES modules in any Node of today, and from tools that ask as it does. */
export const openExports = (source: Source): ReadonlyArray<Finding> =>
  isPackage(source)
    ? [...source.text.matchAll(/"(?:import|require|node)": "\.\//g)].map(({ index }) =>
        at(source, index, 'a module is exported to all alike: by the condition "default"')
      )
    : []
