/**
 * Plays scripts on a store, one after the other, and writes down who asked what, and heard what, in the order in which it happened.
 */
import type { RecordedEvent } from "@reckon/client/Event"
import type * as EventStore from "@reckon/client/EventStore"
import type { Event } from "@reckon/raft/Linearizability"
import * as StoreCluster from "@reckon/testkit/StoreCluster"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Scope from "effect/Scope"
import type { Still } from "../virtualTime.js"
import type * as Model from "./model.js"
import * as Round from "./round.js"
import * as Script from "./script.js"

/** What a script made of a store. */
export interface Played {
  readonly history: ReadonlyArray<Event<Model.Input, Model.Output>>
  /** Every event that anybody was shown. */
  readonly shown: ReadonlyArray<RecordedEvent>
  /** What each node holds at the end, as text. */
  readonly replicas: ReadonlyArray<{ readonly node: string; readonly text: string }>
}

export interface Stage {
  readonly play: (script: Script.Script) => Effect.Effect<Played>
}

const wholePage: Model.Page = { from: 0, count: 1000, direction: "forward" }

/** What tells what became of everything. */
const everything: ReadonlyArray<Model.Input> = [
  { _tag: "ReadAll", page: wholePage, asOf: null },
  { _tag: "Streams" },
  { _tag: "HasEvents" },
  ...Script.streams.flatMap(
    (stream): ReadonlyArray<Model.Input> => [
      { _tag: "Details", stream },
      { _tag: "Read", stream, page: wholePage },
      { _tag: "LoadSnapshot", stream, version: null }
    ]
  )
]

/** How long a caller has its requests repeated. */
const patience = "4 seconds"
/** One way: small, but enough for something to happen in between. */
const latency = "3 millis"

const strike = (cluster: StoreCluster.Service, still: Still, fault: Script.Fault): Effect.Effect<void> => {
  const nameOf = (node: number) => cluster.nodes[node] ?? ""
  switch (fault._tag) {
    case "Kill":
      return cluster.kill(nameOf(fault.node))
    case "Restart":
      return still(cluster.restart(nameOf(fault.node)))
    case "Isolate":
      return cluster.isolate(nameOf(fault.node))
    case "Cut":
      return cluster.cut(nameOf(fault.node), nameOf(fault.other))
    case "Heal":
      return cluster.heal
    case "Transfer":
      // That it cannot be handed over, or not to that one, is as good.
      return Effect.timeoutOption(Effect.ignore(cluster.transfer(nameOf(fault.node))), "2 seconds")
  }
}

/** A caller takes note of what the answer to a request tells of versions and positions. */
const learn = (seen: Script.Seen, input: Model.Input, { text }: Model.Output): void => {
  for (const [, stream = "", version, position] of text.matchAll(/(\w+)\/(\d+)#(\d+)/g)) {
    seen.versions.set(stream, Math.max(seen.versions.get(stream) ?? -1, Number(version)))
    seen.position = Math.max(seen.position, Number(position))
  }
  const wrong = /^WrongExpectedVersion (\w+) \S+ (-?\d+)$/.exec(text)
  if (wrong?.[1] !== undefined) seen.versions.set(wrong[1], Number(wrong[2]))
  const told = /^version (-?\d+)$/.exec(text)
  if (told !== null && input._tag === "Version") seen.versions.set(input.stream, Number(told[1]))
}

/** A store that scripts can be played on, until the scope closes. */
export const make = (options: {
  readonly kind: Script.Kind
  readonly still: Still
  /** Stands between each caller and the store. */
  readonly between: ((requests: EventStore.Requests) => EventStore.Requests) | undefined
}): Effect.Effect<Stage, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { between, still } = options
    const isCluster = options.kind === "cluster"
    const cluster = yield* still(StoreCluster.make(isCluster ? { latency } : { nodes: 1 }))
    const nameOf = (node: number) => cluster.nodes[node] ?? ""
    let rounds = 0

    const clientOf = (first: number) =>
      isCluster || between !== undefined
        ? cluster.client({ first: nameOf(first), timeout: patience, between })
        : cluster.embedded(nameOf(first))

    const play: Stage["play"] = script =>
      Effect.gen(function* () {
        const history: Array<Event<Model.Input, Model.Output>> = []
        const shown: Array<RecordedEvent> = []
        const made: Array<Extract<Model.Input, { _tag: "Append" }>> = []
        let lastId = 0

        yield* cluster.settled
        const [status] = yield* cluster.statuses
        const round = Round.make(rounds++, (status?.lastPosition ?? -1) + 1)

        /** Asks, and enters it into the history. */
        const ask = (client: string, store: EventStore.Service, input: Model.Input, seen: Script.Seen) =>
          Effect.gen(function* () {
            const request = round.ask(store, input, events => shown.push(...events))
            if (request === null) return
            const id = ++lastId
            history.push({ _tag: "Call", id, client, input })
            const result = yield* Effect.either(request)
            const output = Either.isRight(result) ? result.right : round.answerTo(result.left)
            if (output === undefined) return
            history.push(output === null ? { _tag: "Fail", id } : { _tag: "Return", id, output })
            if (output !== null) learn(seen, input, output)
          })

        const caller = ({ first, steps }: Script.Script["callers"][number], at: number) =>
          Effect.gen(function* () {
            const store = yield* clientOf(first)
            const seen: Script.Seen = { versions: new Map(), position: -1 }
            for (const { after, what } of steps) {
              if (after > 0) yield* Effect.sleep(after)
              const input = Script.resolve(what, seen, made)
              if (input === null) continue
              if (input._tag === "Append") made.push(input)
              yield* ask(`caller ${at + 1}`, store, input, seen)
            }
          })

        const faults = Effect.forEach(
          script.faults,
          ({ after, turns, what }) =>
            Effect.sleep(after).pipe(
              Effect.zipRight(Effect.repeatN(Effect.yieldNow(), turns)),
              Effect.zipRight(strike(cluster, still, what))
            ),
          { discard: true }
        )
        yield* Effect.all([faults, Effect.forEach(script.callers, caller, { concurrency: "unbounded" })], {
          concurrency: 2
        })

        yield* cluster.heal
        yield* still(Effect.forEach(cluster.nodes, cluster.restart, { discard: true }))
        yield* cluster.settled

        const last = yield* clientOf(0)
        const nobody = { versions: new Map(), position: -1 }
        for (const input of everything) yield* ask("at the end", last, input, nobody)
        yield* cluster.settled
        const replicas = yield* Effect.forEach(isCluster ? cluster.nodes : [], node =>
          cluster.embedded(node).pipe(
            Effect.flatMap(store => round.holding(store, Script.streams)),
            Effect.map(text => ({ node, text }))
          )
        )
        return { history, shown, replicas }
      })

    return { play }
  })
