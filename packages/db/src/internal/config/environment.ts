/** Settings in the environment, as an object that is still to be checked. */
import { variable } from "@reckon/client/Setting"
import * as Config from "effect/Config"
import * as Option from "effect/Option"
import { nodeVariables, type Path, storesVariable, storeVariables, type Variable } from "./names.js"

export interface Environment {
  /** What is set, in the shape of an object of settings, all of it texts. */
  readonly settings: unknown
  /** The variable that holds a setting; the place of it where there is none. */
  readonly name: (path: Path) => string
  /** Variables that are set and could be meant for either of two stores, by their settings. */
  readonly ambiguous: ReadonlyArray<{ readonly path: Path; readonly other: Path; readonly text: string }>
}

/** The ids of the stores. */
export const stores: Config.Config<ReadonlyArray<string>> = Config.map(variable(storesVariable), text =>
  Option.getOrElse(text, () => "default")
    .split(",")
    .map(id => id.trim())
)

const texts = (variables: ReadonlyArray<Variable>) =>
  Config.all(Object.fromEntries(variables.map(({ name }) => [name, variable(name)])))

/** An object from the texts at their paths. */
const nest = (entries: ReadonlyArray<readonly [Path, string]>): Readonly<Record<string, unknown>> => {
  const leaves: Array<readonly [string, string]> = []
  const below = new Map<string, Array<readonly [Path, string]>>()
  for (const [[head = "", ...tail], text] of entries) {
    const inner = below.get(head)
    if (tail.length === 0) leaves.push([head, text])
    else if (inner === undefined) below.set(head, [[tail, text]])
    else inner.push([tail, text])
  }
  return Object.fromEntries([...leaves, ...Array.from(below, ([head, inner]) => [head, nest(inner)] as const)])
}

/** What is set for a node that has these stores. `blamed` is the variable that has their ids. */
export const read = (ids: ReadonlyArray<string>, blamed?: string): Config.Config<Environment> => {
  const perStore = ids.map(id => ({ id, variables: storeVariables(id) }))
  const all = [...nodeVariables, ...perStore.flatMap(({ variables }) => variables)]
  const names = new Map(all.map(({ name, path }) => [path.join("."), name]))
  const name = (path: Path) => {
    const place = path.join(".")
    return names.get(place) ?? (path.at(-1) === "id" ? blamed : undefined) ?? place
  }

  // One store after the other: what `Config.all` does grows with the square of what it is given.
  return Config.all([texts(nodeVariables), ...perStore.map(({ variables }) => texts(variables))]).pipe(
    Config.map(parts => {
      const found = new Map(parts.flatMap(part => Object.entries(part)))
      const given = (variables: ReadonlyArray<Variable>) =>
        variables.flatMap(({ name, path }) =>
          Option.match(found.get(name) ?? Option.none(), { onNone: () => [], onSome: text => [{ name, path, text }] })
        )
      const owners = new Map<string, Path>()
      const ambiguous = given(all).flatMap(({ name, path, text }) => {
        const other = owners.get(name)
        owners.set(name, path)
        return other === undefined || other.join(".") === path.join(".") ? [] : [{ path, other, text }]
      })
      const settings = {
        ...nest(given(nodeVariables).map(({ path, text }) => [path, text])),
        stores: perStore.map(({ id, variables }) => ({
          id,
          // Within the store's own object: after `stores` and its id.
          ...nest(given(variables).map(({ path, text }) => [path.slice(2), text]))
        }))
      }
      return { settings, name, ambiguous }
    })
  )
}
