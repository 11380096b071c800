/**
 * The rules about which room knows which: an arrow only points down.
 */
import { posix } from "node:path"
import { at, type Finding, isRoomSource, moduleNames, roomOf, type Source } from "./Source.js"

/** The floor of each room; a room knows rooms on lower floors only. */
export const floors: ReadonlyMap<string, number> = new Map([
  ["apps/node", 7],
  ["apps/bench", 7],
  // Below the apps: the benchmarks and the node's tests stand on its harnesses, and it knows neither of them.
  ["packages/testkit", 6],
  ["packages/db", 5],
  ["packages/gater", 4],
  ["packages/cluster", 3],
  ["packages/raft", 2],
  ["packages/otp", 1],
  ["packages/client", 1]
])

const sockets = /^(?:@effect\/platform-node|node:(?:net|tls|dgram|http|https|http2))(?:\/|$)/

/** What a room's sources must not know although the floors would allow it. */
const forbidden: ReadonlyMap<string, ReadonlyArray<RegExp>> = new Map([
  ["apps/node", [/^@reckon\/testkit(?:\/|$)/]],
  ["packages/gater", [/^@effect\/sql/, /^@reckon\/raft(?:\/|$)/]],
  ["packages/raft", [/^@reckon\/client(?:\/|$)/, sockets]],
  ["packages/db", [/^@effect\/cli(?:\/|$)/, /^node:https?2?$/, /^@effect\/platform(?:-node)?\/(?:Node)?Http/]]
])

const roomNamed = (name: string): string | undefined => {
  const short = /^@reckon\/([^/]+)/.exec(name)?.[1]
  return short === undefined ? undefined : [...floors.keys()].find(room => room.endsWith(`/${short}`))
}

/** The one place that names the releases of better-sqlite3. */
const sqlite = "packages/raft/src/Sqlite.ts"

/** Whether a room may know another one. */
const mayKnow = (room: string, other: string): boolean =>
  (floors.get(room) ?? 0) > (floors.get(other) ?? Number.POSITIVE_INFINITY)

/** What helps a lower room's tests may help a test as well; no package exports it, so there is only its path. */
const isSharedHelper = (source: Source, room: string, target: string): boolean => {
  const other = roomOf(target)
  return (
    other !== undefined &&
    mayKnow(room, other) &&
    source.path.startsWith(`${room}/test/`) &&
    target.startsWith(`${other}/test/helpers/`)
  )
}

/** Imports point to lower floors, never into another package's `internal`, and never by a path that leaves the room, but for the helpers of tests. */
export const direction = (source: Source): ReadonlyArray<Finding> => {
  const room = roomOf(source.path)
  if (room === undefined) return []
  const findings: Array<Finding> = []
  for (const { name, start } of moduleNames(source)) {
    const object = (message: string) => findings.push(at(source, start, `"${name}" ${message}`))
    if (name.startsWith(".")) {
      const target = posix.join(posix.dirname(source.path), name)
      if (roomOf(target) !== room && !isSharedHelper(source, room, target)) {
        object(`leaves ${room}: import the package by its name`)
      }
      continue
    }
    if (name.startsWith("@reckon/")) {
      const other = roomNamed(name)
      if (other === undefined) object("is no room of this house")
      else if (other !== room && !mayKnow(room, other)) object(`points up or sideways: ${room} must not know ${other}`)
    }
    if (/^better-sqlite3/.test(name) && source.path !== sqlite) {
      object(`is loaded by ${sqlite} alone, which knows what release of it runs`)
    }
    if (/(?:^|\/)internal(?:\/|$)/.test(name)) object("is another package's internal")
    if (isRoomSource(source.path) && (forbidden.get(room) ?? []).some(pattern => pattern.test(name))) {
      object(`is nothing ${room} may know`)
    }
  }
  return findings
}

/** The dependencies a package.json declares point down as well. */
export const declaredDirection = (source: Source): ReadonlyArray<Finding> => {
  const room = roomOf(source.path)
  if (room === undefined || source.path !== `${room}/package.json`) return []
  return [...source.text.matchAll(/"(@reckon\/[\w-]+)": "workspace:/g)].flatMap(match => {
    const other = roomNamed(match[1] ?? "")
    return other !== undefined && mayKnow(room, other)
      ? []
      : [at(source, match.index, `${room} must not depend on ${match[1]}`)]
  })
}

/** A room that `floors` does not place would escape the rules. */
export const unplacedRooms = (sources: ReadonlyArray<Source>): ReadonlyArray<Finding> =>
  sources
    .filter(
      source => /^(?:packages|apps)\/[^/]+\/package\.json$/.test(source.path) && !floors.has(posix.dirname(source.path))
    )
    .map(source => ({ file: source.path, line: 1, message: "the room has no floor" }))

/**
 * Modules of one room never import each other in a circle, or the order in which they load would decide whether they work. An
 * `import type` is gone by then, and does not count.
 */
export const cycles = (sources: ReadonlyArray<Source>): ReadonlyArray<Finding> => {
  const modules = new Map(sources.filter(source => isRoomSource(source.path)).map(source => [source.path, source]))
  const edges = new Map(
    [...modules].map(([path, source]) => [
      path,
      moduleNames(source)
        .filter(({ name, erased }) => name.startsWith(".") && !erased)
        .map(({ name, start }) => ({ start, target: posix.join(posix.dirname(path), name).replace(/\.js$/, ".ts") }))
        .filter(({ target }) => modules.has(target))
    ])
  )
  const findings: Array<Finding> = []
  const done = new Set<string>()
  const trail: Array<string> = []
  const visit = (path: string): void => {
    if (done.has(path)) return
    trail.push(path)
    for (const { start, target } of edges.get(path) ?? []) {
      const from = trail.indexOf(target)
      const source = modules.get(path)
      if (from === -1) visit(target)
      else if (source !== undefined) {
        const circle = [...trail.slice(from), target].map(module => posix.basename(module, ".ts")).join(" -> ")
        findings.push(at(source, start, `closes the circle ${circle}`))
      }
    }
    trail.pop()
    done.add(path)
  }
  for (const path of modules.keys()) visit(path)
  return findings
}

/** One version of `effect` is installed: two would not know each other's services. Reads the package manager's record of what it linked. */
export const oneEffect = (record: Source): ReadonlyArray<Finding> => {
  const start = record.text.indexOf("\npackages:\n")
  const end = record.text.indexOf("\nsnapshots:\n")
  const versions = [...record.text.slice(start, end).matchAll(/^ {2}'?effect@([^':(]+)/gm)].map(match => match[1])
  if (versions.length === 1) return []
  const found = versions.length === 0 ? "no effect is" : `effect ${versions.join(" and ")} are`
  return [at(record, start + 1, `${found} installed, one version is wanted`)]
}
