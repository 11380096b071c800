/** Leaves the readers below, however deep they are nested; `decodeVersioned` catches it. */
class Damage extends Error {}

export const damage = (detail: string): never => {
  throw new Damage(detail)
}

/** Reads one value of what MessagePack held, or throws. */
export type Read<A> = (value: unknown, what: string) => A

export const readArray: Read<ReadonlyArray<unknown>> = (value, what) =>
  Array.isArray(value) ? value : damage(`${what} is not an array`)

export const readTuple = (value: unknown, length: number, what: string): ReadonlyArray<unknown> => {
  const fields = readArray(value, what)
  return fields.length === length ? fields : damage(`${what} has ${fields.length} fields instead of ${length}`)
}

/** Every element under the same name: it says which sort of thing is damaged. */
export const readEach = <A>(value: unknown, what: string, each: string, read: Read<A>): ReadonlyArray<A> =>
  readArray(value, what).map(element => read(element, each))

export const readOrNull = <A>(value: unknown, what: string, read: Read<A>): A | null =>
  value === null ? null : read(value, what)

const anyLoneSurrogate = /\p{Surrogate}/u

/** Text that may be empty. */
export const readString: Read<string> = (value, what) =>
  typeof value === "string" && !anyLoneSurrogate.test(value) ? value : damage(`${what} is not a text`)

export const readText: Read<string> = (value, what) =>
  typeof value === "string" && value.length > 0 && !anyLoneSurrogate.test(value)
    ? value
    : damage(`${what} is not a text of at least one character`)

export const readInteger = (value: unknown, least: number, what: string): number =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= least
    ? value
    : damage(`${what} is not an integer from ${least} on`)

export const readNatural: Read<number> = (value, what) => readInteger(value, 0, what)

export const readPositive: Read<number> = (value, what) => readInteger(value, 1, what)

export const readBoolean: Read<boolean> = (value, what) =>
  typeof value === "boolean" ? value : damage(`${what} is not a truth value`)

export const readBytes: Read<Uint8Array> = (value, what) =>
  value instanceof Uint8Array ? value : damage(`${what} is not bytes`)
