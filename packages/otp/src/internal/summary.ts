/**
 * A value in a few words, for reports: what is on its surface, and no more of it than fits a line. A server's state may be large, hold
 * secrets deep down, or point to itself.
 */
const entriesMax = 12
const charsMax = 80

export const summary = (value: unknown): string => {
  if (typeof value !== "object" || value === null) return surface(value)
  if (Array.isArray(value)) return `[${list(value, surface)}]`
  const keys = Object.keys(value)
  return `${nameOf(value)}{ ${list(keys, key => `${key}: ${surface(Reflect.get(value, key))}`)} }`
}

const list = <A>(values: ReadonlyArray<A>, show: (value: A) => string): string => {
  const shown = values.slice(0, entriesMax).map(show)
  return (values.length > entriesMax ? [...shown, `… ${values.length - entriesMax} more`] : shown).join(", ")
}

const surface = (value: unknown): string => {
  if (typeof value === "string") return JSON.stringify(value.length > charsMax ? `${value.slice(0, charsMax)}…` : value)
  if (typeof value === "function") return "function"
  if (typeof value !== "object" || value === null) return String(value)
  if (Array.isArray(value)) return `Array(${value.length})`
  if (value instanceof Map || value instanceof Set) return `${nameOf(value)}(${value.size})`
  return nameOf(value)
}

const nameOf = (value: object): string => value.constructor?.name ?? "Object"
