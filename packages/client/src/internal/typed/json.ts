/**
 * Values as JSON bytes, by their schema. Nothing is changed on the way without a word: what JSON has no form for is a fault that names its place.
 */
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"

/** What is wrong, and where: a path such as `items[0].price`, empty for the value as a whole. */
export interface Fault {
  readonly path: string
  readonly detail: string
}

export interface Codec<out A> {
  readonly encode: (value: unknown) => Either.Either<Uint8Array, Fault>
  readonly decode: (bytes: Uint8Array) => Either.Either<A, Fault>
}

const encoder = new TextEncoder()
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

const identifier = /^[A-Za-z_$][\w$]*$/

const render = (path: ReadonlyArray<PropertyKey>): string =>
  path
    .map((key, index) => {
      if (typeof key === "number") return `[${key}]`
      const text = String(key)
      if (!identifier.test(text)) return `[${JSON.stringify(text)}]`
      return index === 0 ? text : `.${text}`
    })
    .join("")

/** The first of what a schema objects to. */
export const fault = (error: ParseResult.ParseError): Fault => {
  const [first] = ParseResult.ArrayFormatter.formatErrorSync(error)
  return first === undefined
    ? { path: "", detail: error.message }
    : { path: render(first.path), detail: first.message.split("\n", 1)[0] ?? "" }
}

export const describe = ({ detail, path }: Fault): string => (path === "" ? detail : `${path}: ${detail}`)

const isPlain = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}

/** What `JSON.stringify` would leave out or turn into something else, at its path. A field that is undefined is one that is absent. */
const objection = (value: unknown, path: Array<PropertyKey>): Fault | undefined => {
  const refuse = (what: string): Fault => ({ path: render(path), detail: `${what} is not a JSON value` })
  switch (typeof value) {
    case "string":
    case "boolean":
      return undefined
    case "number":
      return Number.isFinite(value) ? undefined : refuse(String(value))
    case "object": {
      if (value === null) return undefined
      const isArray = Array.isArray(value)
      if (!isArray && !isPlain(value)) return refuse(`an object of ${value.constructor?.name ?? "another class"}`)
      // By index, so that the gaps of an array are seen as well.
      const keys: Iterable<PropertyKey> = isArray ? value.keys() : Object.keys(value)
      for (const key of keys) {
        const field: unknown = Reflect.get(value, key)
        if (field === undefined && !isArray) continue
        path.push(key)
        const found = objection(field, path)
        if (found !== undefined) return found
        path.pop()
      }
      return undefined
    }
    default:
      return refuse(typeof value === "undefined" ? "undefined" : `a ${typeof value}`)
  }
}

const stringify = (value: unknown): Either.Either<Uint8Array, Fault> => {
  try {
    const found = objection(value, [])
    return found === undefined ? Either.right(encoder.encode(JSON.stringify(value))) : Either.left(found)
  } catch {
    return Either.left({ path: "", detail: "it is nested too deeply, or holds itself" })
  }
}

export const codec = <A, I>(schema: Schema.Schema<A, I>): Codec<A> => {
  const encode = Schema.encodeUnknownEither(schema)
  const decode = Schema.decodeUnknownEither(schema)
  /** Whoever wrote the bytes may have nested them so deeply that the stack has no room for them, or for the words about them; and a schema may throw. */
  const read = (value: unknown): Either.Either<A, Fault> => {
    try {
      return Either.mapLeft(decode(value), fault)
    } catch (cause) {
      return Either.left({ path: "", detail: `its schema gave up: ${String(cause)}` })
    }
  }
  return {
    encode: value => Either.mapLeft(encode(value), fault).pipe(Either.flatMap(stringify)),
    decode: bytes =>
      Either.try({
        try: (): unknown => JSON.parse(decoder.decode(bytes)),
        catch: (cause): Fault => ({ path: "", detail: `it is not valid JSON: ${String(cause)}` })
      }).pipe(Either.flatMap(read))
  }
}
