/**
 * Plays scripts on a store, one after the other, and writes down who asked what, and heard what, in the order in which it happened.
 */
import type { RecordedEvent } from "@reckon/client/Event"
import type * as EventStore from "@reckon/client/EventStore"
import type { Event } from "@reckon/raft/Linearizability"
import * as StoreCluster from "@reckon/testkit/StoreCluster"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FiberSet from "effect/FiberSet"
import * as Logger from "effect/Logger"
import type * as Scope from "effect/Scope"
import type { Leap, Still } from "../virtualTime.js"
import * as Following from "./following.js"
import * as Model from "./model.js"
import * as Round from "./round.js"
import * as Script from "./script.js"
import * as Times from "./times.js"

/** What a script made of a store. */
export interface Played {
  readonly history: ReadonlyArray<Event<Model.Input, Model.Output>>
  /** Every event that an answer showed. */
  readonly shown: ReadonlyArray<RecordedEvent>
  /** What there was to see at the end, while everything was young. */
  readonly visible: ReadonlyArray<RecordedEvent>
  readonly followed: ReadonlyArray<Following.Followed>
  /** The streams that were deleted for good. */
  readonly tombstoned: ReadonlySet<string>
  /** What was asked about times, at the end as well. */
  readonly asked: ReadonlyArray<Times.Asked>
  /** How often a node was sent a copy of the store, because the log had been cut behind it. */
  readonly copies: number
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

/** What becomes of a stream of which everything is old. */
const afterwards: ReadonlyArray<Model.Input> = Script.streams.map((stream, at) => ({
  _tag: "Append",
  parts: [{ stream, expected: "any", events: [{ id: 9000 + at, body: 0, type: "Made", tags: [] }] }],
  condition: null
}))

/** The log is cut all the time, so that a node that was away for a while is sent a copy. */
const settings = { log: { entriesMax: 16, tailEntries: 4 } }

/** How long a follower may be behind at the end. */
const patienceWithFollowers = "30 seconds"

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
  readonly leap: Leap
  /** Stands between each caller and the store. */
  readonly between: ((requests: EventStore.Requests) => EventStore.Requests) | undefined
  /** Stands in for the store, as somebody or a node has it. */
  readonly around: ((store: EventStore.Service, node: string | null) => EventStore.Service) | undefined
}): Effect.Effect<Stage, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { around = store => store, between, leap, still } = options
    const isCluster = options.kind === "cluster"
    let copies = 0
    const listening = Logger.replace(
      Logger.defaultLogger,
      Logger.make(({ message }) => {
        if (String(message).includes("installed a snapshot")) copies += 1
      })
    )
    const cluster = yield* still(StoreCluster.make(isCluster ? { latency, settings } : { nodes: 1 })).pipe(
      Effect.provide(listening)
    )
    const nameOf = (node: number) => cluster.nodes[node] ?? ""
    let rounds = 0

    const clientOf = (first: number) =>
      Effect.map(
        isCluster || between !== undefined
          ? cluster.client({ first: nameOf(first), timeout: patience, between })
          : cluster.embedded(nameOf(first)),
        store => around(store, null)
      )

    const play: Stage["play"] = script =>
      Effect.gen(function* () {
        const history: Array<Event<Model.Input, Model.Output>> = []
        const shown: Array<RecordedEvent> = []
        const made: Array<Extract<Model.Input, { _tag: "Append" }>> = []
        let lastId = 0
        let known = -1
        const copiesBefore = copies

        yield* cluster.settled
        const [status] = yield* cluster.statuses
        const base = (status?.lastPosition ?? -1) + 1
        const round = Round.make(rounds++, base)

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
            if (output === null) return
            learn(seen, input, output)
            known = Math.max(known, seen.position)
          })

        const followed: Array<Following.Followed> = []
        const follow = ({ after, first, from, stream }: Script.Follower) =>
          Effect.gen(function* () {
            yield* Effect.sleep(after)
            const store = yield* clientOf(first)
            const following = Following.begin(
              {
                streamId: stream === null ? null : round.own(stream),
                start: from === "current" ? null : stream === null ? base + from : from,
                known: base + known
              },
              round.follow(store, stream, from)
            )
            followed.push(following.followed)
            yield* following.run
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
        const followers = yield* FiberSet.make<void>()
        for (const follower of script.followers) yield* FiberSet.run(followers, follow(follower))
        yield* Effect.all([faults, Effect.forEach(script.callers, caller, { concurrency: "unbounded" })], {
          concurrency: 2
        })

        yield* cluster.heal
        yield* still(Effect.forEach(cluster.nodes, cluster.restart, { discard: true }))
        yield* cluster.settled

        const last = yield* clientOf(0)
        const nobody = { versions: new Map(), position: -1 }
        for (const input of everything) yield* ask("at the end", last, input, nobody)

        const visible = yield* round.visible(last)
        const asked = yield* Times.ask(last, visible)
        const tombstoned = new Set(yield* round.tombstoned(last, Script.streams))
        // Also one that begins now, after everything, has to be told of what there is.
        const behind = Effect.sync(
          () =>
            followed.length < script.followers.length ||
            followed.some(
              one =>
                Following.isToBeTold(one, tombstoned) ||
                (one.ended === undefined && Following.missing(one, visible).length > 0)
            )
        )
        yield* Effect.repeat(Effect.delay(behind, 20), { while: isBehind => isBehind }).pipe(
          Effect.timeoutOption(patienceWithFollowers)
        )
        yield* FiberSet.clear(followers)

        if (history.some(event => event._tag === "Call" && event.input._tag === "Limit" && event.input.young)) {
          const id = ++lastId
          history.push({ _tag: "Call", id, client: "time", input: { _tag: "Age" } })
          yield* leap(Duration.times(Round.youth, 2))
          history.push({ _tag: "Return", id, output: Model.done })
          yield* cluster.settled
          for (const input of [...everything, ...afterwards, ...everything]) {
            yield* ask("in the end", last, input, nobody)
          }
        }
        yield* cluster.settled
        const replicas = yield* Effect.forEach(isCluster ? cluster.nodes : [], node =>
          cluster.embedded(node).pipe(
            Effect.flatMap(store => round.holding(around(store, node), Script.streams)),
            Effect.map(text => ({ node, text }))
          )
        )
        return { history, shown, visible, followed, tombstoned, asked, copies: copies - copiesBefore, replicas }
      }).pipe(Effect.scoped)

    return { play }
  })
