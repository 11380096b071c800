/**
 * What one can ask of a server: typed calls, casts and messages, whether it is known by its process or by its name.
 *
 * @since 0.1.0
 */
import type * as Rpc from "@effect/rpc/Rpc"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type { CallError } from "./CallError.js"
import type { Request } from "./internal/request.js"
import type { Name, Pid, PriorityAlias, ProcessTable } from "./Process.js"

/**
 * How long a caller waits.
 *
 * @since 0.1.0
 * @category models
 */
export interface CallOptions {
  /** `Duration.infinity` allowed. Default: 5 seconds for a call; the functions of `Request` say their own. */
  readonly timeout?: Duration.DurationInput | undefined
}

/**
 * What follows the tag of a request: its payload, which may be left out where the Rpc has none, and options.
 *
 * @since 0.1.0
 * @category models
 */
export type Args<Payload, Options> = undefined extends Payload
  ? readonly [payload?: Payload, options?: Options]
  : readonly [payload: Payload, options?: Options]

/**
 * What one can ask of a server, wherever it is.
 *
 * @since 0.1.0
 * @category models
 */
export interface Client<Rpcs extends Rpc.Any, in Info = never, out R = never> {
  /** Never there: from it the compiler tells the protocol of a client that is passed to a function. */
  readonly _Rpcs?: (_: Rpcs) => void
  /** For people and logs. */
  readonly label: string
  /** Sends a request and waits for the reply. The protocol's errors come as they are; all else is a `CallError`. */
  readonly call: <const Tag extends Rpcs["_tag"]>(
    tag: Tag,
    ...args: Args<Rpc.Payload<Rpc.ExtractTag<Rpcs, Tag>>, CallOptions>
  ) => Effect.Effect<Rpc.Success<Rpc.ExtractTag<Rpcs, Tag>>, Rpc.Error<Rpc.ExtractTag<Rpcs, Tag>> | CallError, R>
  /**
   * Sends a request and forgets it: succeeds at once, even if there is no server. A full mailbox drops it and counts
   * it in `status`.
   */
  readonly cast: <const Tag extends Rpcs["_tag"]>(
    tag: Tag,
    ...args: Args<Rpc.Payload<Rpc.ExtractTag<Rpcs, Tag>>, never>
  ) => Effect.Effect<void, never, R>
  /** Sends a request and returns at once; its answer is fetched with the functions of `Request`. */
  readonly request: <const Tag extends Rpcs["_tag"]>(
    tag: Tag,
    ...args: Args<Rpc.Payload<Rpc.ExtractTag<Rpcs, Tag>>, never>
  ) => Effect.Effect<Request<Rpc.Success<Rpc.ExtractTag<Rpcs, Tag>>, Rpc.Error<Rpc.ExtractTag<Rpcs, Tag>>>, never, R>
  /** Sends a message of the server's own kind to its `info`. As sure as a cast. */
  readonly send: (info: Info) => Effect.Effect<void, never, R>
}

/**
 * A client bound to its node, which can also send synchronously.
 *
 * @since 0.1.0
 * @category models
 */
export interface BoundClient<Rpcs extends Rpc.Any, in Info = never> extends Client<Rpcs, Info> {
  /** `send` for callbacks of other libraries; false if the message was dropped. */
  readonly unsafeSend: (info: Info) => boolean
}

/**
 * One started server. After its death every call fails with `NoProcess`; use `named` for what should survive restarts.
 *
 * @since 0.1.0
 * @category models
 */
export interface Ref<Rpcs extends Rpc.Any, in Info = never> extends BoundClient<Rpcs, Info> {
  readonly pid: Pid
}

/**
 * A server known by name. The name is resolved at every use, so it finds the process that has it now.
 *
 * @since 0.1.0
 * @category models
 */
export interface NamedRef<Rpcs extends Rpc.Any, in Info = never> extends Client<Rpcs, Info, ProcessTable> {
  readonly name: Name
  /** The same without an environment: bound to the process table of the caller. */
  readonly bind: Effect.Effect<BoundClient<Rpcs, Info>, never, ProcessTable>
}

/**
 * The server as its own callbacks see it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Self<in Info> {
  readonly pid: Pid
  /** Puts a message of the server's own kind in its mailbox. */
  readonly send: (info: Info) => Effect.Effect<void>
  /** The same, synchronously, for callbacks of other libraries; false if the mailbox is full or the server dead. */
  readonly unsafeSend: (info: Info) => boolean
  /** Makes an address to hand out, at which messages go to `info` ahead of whatever waits. `Process.unalias` takes it back. */
  readonly priorityAlias: Effect.Effect<PriorityAlias<Info>>
}

/**
 * The address of one call. A reply sent to it reaches the caller if that still waits, once; it may be kept, and used
 * from any fiber.
 *
 * @since 0.1.0
 * @category models
 */
export interface From<in A, in E = never> {
  /** Answers synchronously, for callbacks of other libraries. */
  readonly settle: (exit: Exit.Exit<A, E>) => void
}
