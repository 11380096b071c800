/**
 * What protects the connections of a cluster: a secret that its nodes and its clients share.
 *
 * Where there is one each connection, between nodes as from clients, is TLS 1.2 with a key that comes of the secret (a pre-shared key, RFC 4279), so that no certificates are needed: both ends prove that they
 * have it before either reads anything else, nobody on the way can read or change what they say, and what was recorded stays unreadable though the secret gets known later (ephemeral keys, RFC 8442).
 *
 * Both ends have the same secret, or none: a node that has one takes no connection without it. Who has it may do everything.
 *
 * @since 0.1.0
 */
import { hkdfSync } from "node:crypto"
import * as Net from "node:net"
import * as Tls from "node:tls"
import * as Socket from "@effect/platform/Socket"
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Endpoint from "./Endpoint.js"
import { OtherSecret } from "./internal/lost.js"
import * as Setting from "./Setting.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface ClusterSecret extends Redacted.Redacted {}

const charactersMin = 16
const charactersMax = 1024
const accepted = `a text of ${charactersMin} to ${charactersMax} characters, such as \`openssl rand -base64 32\` makes`

/**
 * A text, or one that is redacted already. It is never shown: neither in a log, nor in what is said about it. Only its encoded form has it in the clear.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ClusterSecret: Schema.Schema<ClusterSecret, string | ClusterSecret> = Setting.readFrom<
  ClusterSecret,
  string | ClusterSecret
>(
  Schema.RedactedFromSelf(Schema.String).pipe(
    Schema.filter(secret => {
      const { length } = Redacted.value(secret).trim()
      return length >= charactersMin && length <= charactersMax
    })
  ),
  Schema.Union(Schema.String, Schema.RedactedFromSelf(Schema.String)),
  accepted,
  written => Option.some(typeof written === "string" ? Redacted.make(written.trim()) : written),
  Redacted.value
)

/**
 * The secret in `RECKON_CLUSTER_SECRET`; `undefined` where it is not set.
 *
 * @since 0.1.0
 * @category config
 */
export const config: Config.Config<ClusterSecret | undefined> = Config.mapOrFail(
  Setting.variable("RECKON_CLUSTER_SECRET"),
  Option.match({
    onNone: () => Either.right(undefined),
    onSome: text =>
      Either.mapLeft(Schema.decodeUnknownEither(ClusterSecret)(text), () =>
        ConfigError.InvalidData(["RECKON_CLUSTER_SECRET"], `is a secret that is not shown: must be ${accepted}`)
      )
  })
)

// -----------------------------------------------------------------------------
// connections
// -----------------------------------------------------------------------------

const identity = "reckon"

const keyOf = (secret: ClusterSecret): Uint8Array =>
  new Uint8Array(hkdfSync("sha256", Redacted.value(secret), "reckon", "connections of a cluster", 32))

/** The one suite: a pre-shared key, ephemeral keys besides, and a cipher that authenticates. TLS 1.3 has pre-shared keys in OpenSSL, but not in Node.js. */
const suite = {
  ciphers: "ECDHE-PSK-CHACHA20-POLY1305",
  minVersion: "TLSv1.2",
  maxVersion: "TLSv1.2"
} as const

const begin = ({ host, port }: Endpoint.Endpoint, secret: ClusterSecret | undefined): Net.Socket => {
  const address = { host, port, noDelay: true, keepAlive: true }
  if (secret === undefined) return Net.createConnection(address)
  const psk = keyOf(secret)
  const pskCallback = () => ({ psk, identity })
  // There is no certificate in which a name could stand: who has the key is the cluster.
  return Tls.connect({ ...address, ...suite, pskCallback, checkServerIdentity: () => undefined })
}

/** What went wrong once both had found each other and the key was to be agreed on. A connection that is merely cut may as well be that of a node which is killed just then. */
const explained = (cause: Error): Error => {
  const code = "code" in cause && typeof cause.code === "string" ? cause.code : ""
  if (code.startsWith("ERR_SSL_")) return new OtherSecret({ message: "it does not have the same cluster secret" })
  return code === "ECONNRESET" || code === "EPROTO"
    ? new Error("it does not have the same cluster secret, or none")
    : cause
}

const failed = (cause: Error, secret: ClusterSecret | undefined) =>
  new Socket.SocketGenericError({ reason: "Open", cause: secret === undefined ? cause : explained(cause) })

/**
 * A connection to a node, as soon as something can be sent on it; what is sent then reaches a node that has the secret, if there is one. It is destroyed with the scope: to close it in good order would be
 * to wait for a peer that no longer reads.
 *
 * @since 0.1.0
 * @category connections
 */
export const connect = (
  endpoint: Endpoint.Endpoint,
  secret: ClusterSecret | undefined
): Effect.Effect<Net.Socket, Socket.SocketError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const socket = begin(endpoint, secret)
      // Stays for the socket's life: an error nobody listens to would end the process.
      socket.on("error", () => {})
      return socket
    }),
    socket => Effect.sync(() => socket.destroy())
  ).pipe(
    Effect.tap(socket =>
      Effect.async<void, Socket.SocketError>(resume => {
        const onError = (cause: Error) => resume(Effect.fail(failed(cause, secret)))
        socket.once("error", onError)
        socket.once(secret === undefined ? "connect" : "secureConnect", () => {
          socket.off("error", onError)
          resume(Effect.void)
        })
      })
    )
  )

/**
 * The protected side of connections that have come in, each from its first byte on. It can be used once it emits `secure`, which it does when the other end has proved that it has the secret.
 *
 * @since 0.1.0
 * @category connections
 */
export const acceptor = (secret: ClusterSecret): ((connection: Net.Socket) => Tls.TLSSocket) => {
  const psk = keyOf(secret)
  const options = {
    isServer: true,
    secureContext: Tls.createSecureContext(suite),
    pskCallback: (_: Tls.TLSSocket, who: string) => (who === identity ? psk : null)
  }
  return connection => {
    const socket = new Tls.TLSSocket(connection, options)
    socket.on("error", () => {})
    return socket
  }
}
