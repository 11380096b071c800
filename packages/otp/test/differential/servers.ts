/**
 * A server on both sides, whose messages say what it does next.
 */
import { Rpc, RpcGroup } from "@effect/rpc"
import { Deferred, Effect, Schema, Stream } from "effect"
import * as fc from "fast-check"
import * as CallError from "../../src/CallError.js"
import * as GenServer from "../../src/GenServer.js"
import * as Observer from "../../src/Observer.js"
import * as Process from "../../src/Process.js"
import type { Real } from "../model/property.js"
import { settle } from "../model/stage.js"
import type { Observation } from "../model/vocabulary.js"
import { type Reason, reasonOf, reasons, told } from "./actors.js"
import type { Duel } from "./duel.js"

/** What the server does when it comes to a message; `reply`, `later` and `stopReply` are for calls, and nothing for the others. */
interface Turn {
  readonly _: "reply" | "later" | "settle" | "stop" | "stopReply" | "crash" | "junk" | "continue" | "nothing"
  readonly reason: Reason
  /** Of `continue`. */
  readonly next?: Turn | undefined
}

export type Move =
  | { readonly _: "Start"; readonly trap: boolean; readonly dies: boolean }
  | { readonly _: "Call" | "Cast" | "Info"; readonly turn: Turn }
  | { readonly _: "Exit" | "Stop"; readonly reason: Reason }
  | { readonly _: "Hold" | "Release" }

/** Nobody ends by himself with a kill: it is a signal. */
const own = fc.constantFrom<Reason>(...reasons.filter(each => each !== "killed"))
const whichever = fc.constantFrom<Reason>(...reasons)

const turn = (depth: number): fc.Arbitrary<Turn> =>
  fc.record({
    _: fc.constantFrom<Turn["_"]>(
      "reply",
      "reply",
      "reply",
      "later",
      "later",
      "settle",
      "stop",
      "stopReply",
      "crash",
      "junk",
      "nothing",
      ...(depth > 0 ? (["continue", "continue", "continue"] as const) : [])
    ),
    reason: own,
    next: depth > 0 ? turn(depth - 1) : fc.constant(undefined)
  })

const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      _: fc.constantFrom("Call" as const, "Call" as const, "Cast" as const, "Info" as const),
      turn: turn(3)
    })
  },
  { weight: 2, arbitrary: fc.record({ _: fc.constant("Exit" as const), reason: whichever }) },
  { weight: 1, arbitrary: fc.record({ _: fc.constant("Stop" as const), reason: own }) },
  { weight: 3, arbitrary: fc.record({ _: fc.constantFrom("Hold" as const, "Release" as const, "Release" as const) }) }
)

export interface History {
  readonly trap: ReadonlyArray<boolean>
  readonly dies: boolean
  readonly moves: ReadonlyArray<Move>
}

export const histories: fc.Arbitrary<History> = fc.record({
  trap: fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }),
  dies: fc.constantFrom(false, false, true),
  moves: fc.array(move, { minLength: 3, maxLength: 30, size: "max" })
})

/** The next server takes the place of one that ended, after one more move that finds it dead. */
function* movesOf({ dies, moves, trap }: History, isAlive: () => boolean): Generator<Move, void> {
  let started = 0
  let isHeld = false
  const begin = (): Move => ({ _: "Start", trap: trap[started++ % trap.length] ?? false, dies })
  yield begin()
  for (const move of moves) {
    const wasAlive = isAlive()
    if (move._ === "Hold" || move._ === "Release") {
      if (!wasAlive || isHeld === (move._ === "Hold")) continue
      isHeld = move._ === "Hold"
    }
    yield move
    if (wasAlive) continue
    isHeld = false
    yield begin()
  }
}

const isTurn = (value: unknown): value is Turn => typeof value === "object" && value !== null && "_" in value

const Protocol = RpcGroup.make(
  Rpc.make("Run", {
    payload: { kind: Schema.Literal("call", "cast"), turn: Schema.declare(isTurn) },
    success: Schema.String
  }),
  Rpc.make("Hold", { payload: { gate: Schema.declare((_): _ is Deferred.Deferred<void> => true) } })
)

/** What a callback without a type checker may return. */
const untyped = (value: unknown) => value as never

interface State {
  readonly waiting: ReadonlyArray<GenServer.From<string>>
}

class Post implements Real<Move> {
  private readonly answers: Array<string> = []
  private readonly journal: Array<string> = []
  private readonly ends: Array<string> = []
  private readonly names = new Map<Process.Pid, string>()
  private server: GenServer.Ref<RpcGroup.Rpcs<typeof Protocol>, Turn> | undefined
  private gate: Deferred.Deferred<void> | undefined
  private asked = 0
  isAlive = false

  readonly observe = Stream.runForEach(Observer.changes, change =>
    Effect.sync(() => {
      const name = change._tag === "Exited" ? this.names.get(change.pid) : undefined
      if (change._tag !== "Exited" || name === undefined) return
      this.isAlive = false
      this.ends.push(`${name}: ${told(change.reason)}`)
    })
  )

  play(move: Move): Effect.Effect<Observation, never, Process.ProcessTable> {
    return Effect.map(Effect.zipRight(this.begin(move), settle), () => ({
      answers: this.answers.splice(0),
      journal: this.journal.splice(0).map(line => [line]),
      ends: this.ends.splice(0),
      listing: []
    }))
  }

  readonly close = Effect.succeed([])

  private begin(move: Move): Effect.Effect<unknown, never, Process.ProcessTable> {
    const { server } = this
    if (move._ === "Start") {
      return Effect.map(Effect.orDie(GenServer.start(this.define(move))), ref => {
        this.server = ref
        this.names.set(ref.pid, `s${this.names.size + 1}`)
        this.isAlive = true
      })
    }
    if (server === undefined) return Effect.dieMessage("there is no server yet")
    switch (move._) {
      case "Call":
        return this.ask(
          Effect.map(
            server.call("Run", { kind: "call", turn: move.turn }, { timeout: "1 hour" }),
            reply => `replied ${reply}`
          )
        )
      case "Cast":
        return server.cast("Run", { kind: "cast", turn: move.turn })
      case "Info":
        return server.send(move.turn)
      case "Exit":
        return Process.exit(server.pid, reasonOf(move.reason))
      case "Stop":
        // Whether it ends because of this or did so before is not told apart.
        return this.ask(
          Effect.as(GenServer.stopServer(server, reasonOf(move.reason)), `exited: ${told(reasonOf(move.reason))}`)
        )
      case "Hold":
        return Effect.flatMap(Deferred.make<void>(), gate => {
          this.gate = gate
          return server.cast("Hold", { gate })
        })
      case "Release":
        return this.gate === undefined ? Effect.void : Deferred.succeed(this.gate, undefined)
    }
  }

  private ask<E>(question: Effect.Effect<string, E, Process.ProcessTable>) {
    const number = this.asked++
    const answer = Effect.catchAll(question, error => Effect.succeed(problem(error)))
    return Effect.forkDaemon(Effect.map(answer, text => this.answers.push(`${number}: ${text}`)))
  }

  private define({ dies, trap }: Extract<Move, { readonly _: "Start" }>) {
    const note = (line: string) => void this.journal.push(line)
    return GenServer.make(Protocol, {
      trapExit: trap,
      init: (_: GenServer.Self<Turn>) => Effect.succeed<State>({ waiting: [] }),
      handlers: {
        // A cast has a caller too, but one that is never answered.
        Run: ({ kind, turn }, state, from) => {
          note(`${kind} ${turn._}`)
          if (kind === "cast") return unasked(turn, state)
          switch (turn._) {
            case "reply":
              return GenServer.reply("now", state)
            case "later":
              return GenServer.noReply({ waiting: [from, ...state.waiting] })
            case "stopReply":
              return GenServer.stopReply(reasonOf(turn.reason), "last", state)
            case "continue":
              return GenServer.reply("now", state, { continue: turn.next })
            default:
              return unasked(turn, state)
          }
        },
        Hold: ({ gate }, state) => Effect.as(Deferred.await(gate), GenServer.noReply(state))
      },
      info: (message, state) => {
        if (!isTurn(message)) {
          if (message._tag === "ExitSignal") note(`exit ${told(message.reason)}`)
          return GenServer.noReply(state)
        }
        note(`info ${message._}`)
        return unasked(message, state)
      },
      continue: (token, state) => {
        if (!isTurn(token)) return Effect.dieMessage("no such turn")
        note(`continue ${token._}`)
        return unasked(token, state)
      },
      terminate: reason =>
        Effect.suspend(() => {
          note(`terminate ${told(reason)}`)
          return dies ? Effect.die("in terminate") : Effect.void
        })
    })
  }
}

/** What comes of it where nobody waits for an answer. */
const unasked = (turn: Turn, state: State): Effect.Effect<GenServer.Outcome<State>> => {
  switch (turn._) {
    case "settle":
      return Effect.as(
        Effect.forEach(state.waiting, each => GenServer.replyTo(each, "later")),
        GenServer.noReply<State>({ waiting: [] })
      )
    case "stop":
      return GenServer.stop(reasonOf(turn.reason), state)
    case "crash":
      return Effect.die("in a callback")
    case "junk":
      return Effect.succeed(untyped("junk"))
    case "continue":
      return GenServer.noReply(state, { continue: turn.next })
    default:
      return GenServer.noReply(state)
  }
}

const problem = (error: unknown): string => {
  if (error instanceof CallError.NoProcess) return "noproc"
  if (error instanceof CallError.ServerExited || error instanceof GenServer.StopFailed) {
    return `exited: ${told(error.reason)}`
  }
  return String(error)
}

export const duelOf = (history: History): Duel<Move> => {
  const post = new Post()
  return {
    moves: movesOf(history, () => post.isAlive),
    show: move => JSON.stringify(move),
    model: { loose: new Set(), orphans: new Set(), apply: () => undefined },
    real: post,
    question: move => ({ _: "Servers", move }),
    isOrdered: true,
    comparable: observation => observation
  }
}
