/**
 * The writer of one store on this node: it stamps and encodes appends and has Raft replicate them.
 *
 * Appends that arrive while earlier ones are on their way gather and leave as one command, so that many small callers cost as little as one large one. A
 * command's size is bounded, and so is what waits.
 *
 * @since 0.1.0
 */
import * as Rpc from "@effect/rpc/Rpc"
import * as RpcGroup from "@effect/rpc/RpcGroup"
import * as Event from "@reckon/client/Event"
import { AppendError, NoQuorum, OutcomeUnknown, Overloaded, RequestError } from "@reckon/client/StoreError"
import { Append, Appended } from "@reckon/client/StoreRpcs"
import * as GenServer from "@reckon/otp/GenServer"
import type { RaftClient } from "@reckon/raft/RaftClient"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberSet from "effect/FiberSet"
import * as Schema from "effect/Schema"
import * as Command from "./Command.js"

/**
 * @since 0.1.0
 * @category protocol
 */
export class WriterProtocol extends RpcGroup.make(
  Rpc.make("Append", {
    payload: { appends: Schema.Array(Append) },
    success: Schema.Array(Schema.Either({ left: AppendError, right: Appended })),
    error: RequestError
  })
) {}

/** Commands on their way at a time. More than one keeps the pipe full while another is being committed; each is one log entry. */
const commandsMax = 4
/** Bytes of events in one command, unless a single request has more. */
const commandBytesMax = 1024 * 1024
/** Bytes of events that may wait. */
const waitingBytesMax = 64 * 1024 * 1024
const waitingRequestsMax = 16_384

interface Request {
  readonly appends: ReadonlyArray<Append>
  readonly bytes: number
  readonly reply: (exit: Exit.Exit<Command.Reply, RequestError>) => void
}

type WriterInput = { readonly _tag: "Submit" } | { readonly _tag: "Done" }

const byteLength = (appends: ReadonlyArray<Append>): number => {
  let bytes = 0
  for (const { events } of appends) {
    for (const event of events) bytes += Event.byteLength(event)
  }
  return bytes
}

/**
 * Starts the writer under the given process name, linked to the calling process.
 *
 * @since 0.1.0
 * @category constructors
 */
export const startLink = (options: {
  readonly store: string
  readonly processName: string
  readonly raft: RaftClient
}) => {
  const { raft, store } = options

  /** Proposes one command and splits its answer among the requests that it was made of. */
  const commit = (requests: ReadonlyArray<Request>): Effect.Effect<void> =>
    Effect.gen(function* () {
      const nanos = yield* Clock.currentTimeNanos
      const appends = requests.flatMap(request => request.appends)
      const bytes = yield* raft.propose(Command.encode({ at: Number(nanos / 1000n), appends }))
      return yield* Command.decodeReply(bytes)
    }).pipe(
      Effect.catchTags({
        NotLeader: () => Effect.fail(new NoQuorum({ store, detail: "no leader was elected in time" })),
        Overloaded: () => Effect.fail(new Overloaded({ detail: "the leader has too much uncommitted" })),
        ProposalUnknown: ({ detail }) => Effect.fail(new OutcomeUnknown({ detail })),
        // It was committed, but this node is too old to read how.
        UnreadableBytes: error => Effect.fail(new OutcomeUnknown({ detail: error.message }))
      }),
      Effect.exit,
      Effect.map(exit => {
        let at = 0
        for (const request of requests) {
          const from = at
          at += request.appends.length
          request.reply(Exit.map(exit, reply => reply.slice(from, at)))
        }
      })
    )

  return GenServer.startLink(
    GenServer.make(WriterProtocol, {
      init: (self: GenServer.Self<WriterInput>) =>
        Effect.gen(function* () {
          const fibers = yield* FiberSet.make<void>()
          const run = yield* FiberSet.runtime(fibers)<never>()
          return { self, run, waiting: [] as Request[], waitingBytes: 0, underWay: 0, submitting: false }
        }),
      handlers: {
        Append: ({ appends }, state, from) => {
          const bytes = byteLength(appends)
          const full =
            state.waiting.length >= waitingRequestsMax ||
            (state.waiting.length > 0 && state.waitingBytes + bytes > waitingBytesMax)
          if (full) return GenServer.fail(new Overloaded({ detail: "too many appends wait at this node" }), state)
          state.waiting.push({ appends, bytes, reply: exit => from.settle(exit) })
          state.waitingBytes += bytes
          if (!state.submitting) {
            state.submitting = true
            state.self.unsafeSend({ _tag: "Submit" })
          }
          return GenServer.noReply(state)
        }
      },
      info: (message, state) => {
        if (message._tag === "Submit") state.submitting = false
        if (message._tag === "Done") state.underWay--
        while (state.waiting.length > 0 && state.underWay < commandsMax) {
          const requests: Array<Request> = []
          let bytes = 0
          for (const request of state.waiting) {
            if (requests.length > 0 && bytes + request.bytes > commandBytesMax) break
            requests.push(request)
            bytes += request.bytes
          }
          state.waiting = state.waiting.slice(requests.length)
          state.waitingBytes -= bytes
          state.underWay++
          state.run(Effect.ensuring(commit(requests), state.self.send({ _tag: "Done" })))
        }
        return GenServer.noReply(state)
      }
    }),
    { name: options.processName }
  )
}

/**
 * Appends through the writer with this process name, across its restarts.
 *
 * @since 0.1.0
 * @category requests
 */
export const append = (store: string, processName: string) => {
  const ref = GenServer.named(WriterProtocol, processName)
  return (appends: ReadonlyArray<Append>) =>
    ref.call("Append", { appends }, { timeout: "20 seconds" }).pipe(
      Effect.catchTags({
        CallTimeout: () => Effect.fail(new OutcomeUnknown({ detail: "the writer did not answer in time" })),
        ServerExited: () => Effect.fail(new OutcomeUnknown({ detail: "the writer's process stopped" })),
        NoProcess: () => Effect.fail(new NoQuorum({ store, detail: "this node is starting it" })),
        CallingSelf: () => Effect.fail(new NoQuorum({ store, detail: "this node is starting it" })),
        MailboxFull: () => Effect.fail(new Overloaded({ detail: "the writer's mailbox is full" }))
      })
    )
}
