/**
 * What it means when a node gives no answer, or one that is none.
 */
import { RpcClientError } from "@effect/rpc/RpcClientError"
import { RpcSerializationError } from "@effect/rpc/RpcSerialization"
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import { RequestTooLarge } from "../StoreError.js"

/** An attempt that got no answer. */
export class Lost extends Data.TaggedError("Lost")<{
  readonly endpoint: string
  readonly detail: string
  /** Whether the request may have reached the node. */
  readonly sent: boolean
  /** Whether the node answered that it broke on the request, or on another one of this connection. */
  readonly defect: boolean
  /** Whether nothing was heard in the time that the attempt had, however short. */
  readonly silent: boolean
  /** Whether the node has another secret than this client. */
  readonly hasOtherSecret?: boolean
}> {}

/** Why no connection was made to a node that was there: it has another secret. To try again cannot help before one of both is started anew. */
export class OtherSecret extends Data.TaggedError("OtherSecret")<{ readonly message: string }> {}

/** As much of a connection as is told when nothing comes back on it. */
interface Asked {
  readonly endpoint: string
  /** Whether it was ever open. */
  readonly opened: () => boolean
  /** Whether nothing has come on it, of a node to which no secret was shown. */
  readonly unanswered: () => boolean
}

/** Why nothing can be asked any more. */
export const closedDetail = "the client is closed"

/** An error and what it came of, the innermost last. */
const causesOf = (error: unknown): ReadonlyArray<unknown> => {
  const causes: Array<unknown> = []
  let at: unknown = error
  while (at !== undefined && causes.length < 8) {
    if (Cause.isCause(at)) at = Cause.squash(at)
    if (at instanceof AggregateError && at.errors.length > 0) at = at.errors[0]
    causes.push(at)
    at = typeof at === "object" && at !== null && "cause" in at ? at.cause : undefined
  }
  return causes
}

const messageOf = (error: unknown): string => {
  if (typeof error !== "object" || error === null) return String(error)
  return "message" in error && typeof error.message === "string" ? error.message : ""
}

/** The innermost message: the outer ones say only that something failed. */
const rootMessage = (error: unknown): string =>
  firstLine(
    causesOf(error)
      .map(messageOf)
      .findLast(message => message !== "") ?? "no reason was given"
  )

const firstLine = (text: string): string => (text.split("\n", 1)[0] ?? "").slice(0, 300)

/** A node with a secret says no word to who has none, but so does one that stops: it can only be guessed. */
const closedBy = ({ endpoint, unanswered }: Asked): string =>
  unanswered()
    ? `${endpoint} closed the connection without a word; if its cluster has a secret, RECKON_CLUSTER_SECRET has to be set here`
    : `${endpoint} closed the connection`

const lostTo = (connection: Asked, error: RpcClientError): Lost => {
  const foreign = error.message === "Error decoding message"
  return new Lost({
    endpoint: connection.endpoint,
    detail: foreign
      ? `${connection.endpoint} does not speak Reckon's protocol`
      : connection.opened()
        ? closedBy(connection)
        : `${connection.endpoint}: ${rootMessage(error.cause)}`,
    sent: connection.opened(),
    defect: false,
    silent: false,
    hasOtherSecret: causesOf(error.cause).some(cause => cause instanceof OtherSecret)
  })
}

/** A defect is either a write to a socket that broke meanwhile, or the node's answer that it broke. */
const brokeAt = (connection: Asked, cause: Cause.Cause<unknown>): Lost => {
  const defect = Option.getOrUndefined(Cause.dieOption(cause))
  const socket = typeof defect === "object" && defect !== null && "_tag" in defect && defect._tag === "SocketError"
  return new Lost({
    endpoint: connection.endpoint,
    detail:
      defect === undefined || socket
        ? closedBy(connection)
        : `${connection.endpoint} failed on the request: ${rootMessage(defect)}`,
    sent: connection.opened(),
    defect: defect !== undefined && !socket,
    silent: false
  })
}

/** A request that no message can carry does not leave: what the codec threw is a defect to whoever sends. */
const tooLarge = (cause: Cause.Cause<unknown>): RequestTooLarge | undefined => {
  const defect = Option.getOrUndefined(Cause.dieOption(cause))
  return defect instanceof RpcSerializationError
    ? new RequestTooLarge({ bytes: defect.bufferSize, limitBytes: defect.maxBufferSize })
    : undefined
}

const isRpcClientError = (error: unknown): error is RpcClientError => error instanceof RpcClientError

/** What a cause met on a connection means: the node's own answer, or that there will be none, or that it was not asked. */
export const explain = <E>(
  connection: Asked,
  cause: Cause.Cause<E | RpcClientError>
): Effect.Effect<never, E | Lost | RequestTooLarge> =>
  Either.match(Cause.failureOrCause(cause), {
    onLeft: error => Effect.fail(isRpcClientError(error) ? lostTo(connection, error) : error),
    onRight: defect => Effect.fail(tooLarge(defect) ?? brokeAt(connection, defect))
  })
