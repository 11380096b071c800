/**
 * The address of a node, written `HOST:PORT` (`[::1]:45901` for IPv6).
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Either from "effect/Either"

/**
 * @since 0.1.0
 * @category models
 */
export interface Endpoint {
  readonly host: string
  readonly port: number
}

/**
 * Where a cluster started with the defaults listens.
 *
 * @since 0.1.0
 * @category constants
 */
export const defaults: ReadonlyArray<string> = ["127.0.0.1:45901", "127.0.0.1:45902", "127.0.0.1:45903"]

/**
 * Reads `HOST:PORT`; the left side says what is wrong with the text.
 *
 * @since 0.1.0
 * @category parsing
 */
export const parse = (text: string): Either.Either<Endpoint, string> => {
  const match = /^(?:\[([0-9A-Fa-f:.%]+)\]|([^\s:[\]/@]+)):(\d{1,5})$/.exec(text)
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3])
  return host === undefined || !(port >= 1 && port <= 65535)
    ? Either.left(`"${text}" is not an endpoint; write HOST:PORT`)
    : Either.right({ host, port })
}

/**
 * `HOST:PORT`, what {@link parse} reads.
 *
 * @since 0.1.0
 * @category parsing
 */
export const format = (endpoint: Endpoint): string =>
  `${endpoint.host.includes(":") ? `[${endpoint.host}]` : endpoint.host}:${endpoint.port}`

/**
 * The endpoints in `RECKON_ENDPOINTS`, separated by commas; {@link defaults} where it is not set, or empty.
 *
 * @since 0.1.0
 * @category config
 */
export const config: Config.Config<ReadonlyArray<string>> = Config.array(Config.string(), "RECKON_ENDPOINTS").pipe(
  Config.withDefault(defaults),
  Config.mapOrFail(endpoints => {
    const texts = endpoints.map(text => text.trim()).filter(text => text !== "")
    const wrong = texts.map(parse).find(Either.isLeft)
    if (wrong !== undefined)
      return Either.left(ConfigError.InvalidData(["RECKON_ENDPOINTS"], `is wrong: ${wrong.left}`))
    if (texts.length > 0) return Either.right(texts)
    return endpoints.length > 1
      ? Either.left(ConfigError.InvalidData(["RECKON_ENDPOINTS"], "names no endpoint; write HOST:PORT"))
      : Either.right(defaults)
  })
)
