/**
 * Plain processes on both sides, which link to each other, monitor each other, take names and end, one thing at a time.
 */
import { Deferred, Effect, Option, Stream } from "effect"
import * as fc from "fast-check"
import * as ExitReason from "../../src/ExitReason.js"
import * as Observer from "../../src/Observer.js"
import * as Process from "../../src/Process.js"
import type { Real } from "../model/property.js"
import { settle } from "../model/stage.js"
import type { Observation } from "../model/vocabulary.js"
import type { Duel } from "./duel.js"

export const reasons = ["normal", "shutdown", "shutdown(moved)", "crash", "killed"] as const
export type Reason = (typeof reasons)[number]

const names = ["name_x", "name_y"] as const

/** What an actor can do before it looks at its mailbox again, with no say in when somebody else ends. */
type QuietAct =
  | { readonly _: "Link" | "Unlink" | "Monitor" | "Send"; readonly who: string }
  | { readonly _: "MonitorName" | "SendName" | "Unregister" | "Whereis"; readonly name: string }
  | { readonly _: "Register"; readonly name: string; readonly who: string }
  | { readonly _: "Demonitor"; readonly which: number; readonly flush: boolean }
  | { readonly _: "Trap"; readonly trap: boolean }

type Act =
  | QuietAct
  | { readonly _: "Exit"; readonly who: string; readonly reason: Reason }
  | { readonly _: "Return" | "Crash" }
  | { readonly _: "SpawnLink" | "SpawnMonitor"; readonly name: string; readonly trap: boolean }

/** A held actor is deaf: what it gets waits until it is released, and has done what it is told first. */
export type Move =
  | { readonly _: "Spawn"; readonly name: string; readonly trap: boolean }
  | { readonly _: "Exit"; readonly who: string; readonly reason: Reason }
  | { readonly _: "Do"; readonly who: string; readonly act: Act }
  | { readonly _: "Hold"; readonly who: string }
  | { readonly _: "Release"; readonly who: string; readonly acts: ReadonlyArray<QuietAct> }

// ---------------------------------------------------------------------------------------------------------------------
// histories
// ---------------------------------------------------------------------------------------------------------------------

/** The first four are there from the beginning, the others when an actor has spawned them. */
const actors = ["p0", "p1", "p2", "p3", "p4", "p5"] as const
const initially = 4
const who = fc.constantFrom<string>(...actors)
const name = fc.constantFrom<string>(...names)
const reason = fc.constantFrom<Reason>(...reasons)

const about = <Tag extends string>(...tags: ReadonlyArray<Tag>) => fc.record({ _: fc.constantFrom(...tags), who })
const named = <Tag extends string>(...tags: ReadonlyArray<Tag>) => fc.record({ _: fc.constantFrom(...tags), name })

const quietAct: fc.Arbitrary<QuietAct> = fc.oneof(
  { weight: 6, arbitrary: about("Link", "Link", "Unlink", "Monitor", "Monitor", "Send") },
  { weight: 3, arbitrary: named("MonitorName", "SendName", "Unregister", "Whereis") },
  { weight: 2, arbitrary: fc.record({ _: fc.constant("Register" as const), name, who }) },
  {
    weight: 3,
    arbitrary: fc.record({ _: fc.constant("Demonitor" as const), which: fc.nat(3), flush: fc.boolean() })
  },
  { weight: 1, arbitrary: fc.record({ _: fc.constant("Trap" as const), trap: fc.boolean() }) }
)

const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 8, arbitrary: quietAct },
  { weight: 3, arbitrary: fc.record({ _: fc.constant("Exit" as const), who, reason }) },
  { weight: 1, arbitrary: fc.record({ _: fc.constantFrom("Return" as const, "Crash" as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      _: fc.constantFrom("SpawnLink" as const, "SpawnMonitor" as const),
      name: fc.constant(""),
      trap: fc.boolean()
    })
  }
)

const move: fc.Arbitrary<Move> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ _: fc.constant("Do" as const), who, act }) },
  { weight: 2, arbitrary: fc.record({ _: fc.constant("Exit" as const), who, reason }) },
  { weight: 2, arbitrary: about("Hold") },
  {
    weight: 3,
    arbitrary: fc.record({ _: fc.constant("Release" as const), who, acts: fc.array(quietAct, { maxLength: 4 }) })
  }
)

export interface History {
  readonly traps: ReadonlyArray<boolean>
  readonly moves: ReadonlyArray<Move>
}

export const histories: fc.Arbitrary<History> = fc.record({
  traps: fc.array(fc.boolean(), { minLength: initially, maxLength: initially }),
  moves: fc.array(move, { minLength: 5, maxLength: 40, size: "max" })
})

/** What is said of somebody who is not there is left out, and who is not held is not released. */
function* movesOf({ moves, traps }: History, isKnown: (name: string) => boolean): Generator<Move, void> {
  for (const [at, trap] of traps.entries()) yield { _: "Spawn", name: `p${at}`, trap }
  const held = new Set<string>()
  let spawned = initially
  const isThere = (about: Move | Act): boolean => !("who" in about) || isKnown(about.who)
  for (const move of moves) {
    if (!isThere(move) || (move._ === "Do" && !isThere(move.act))) continue
    if (move._ === "Hold") {
      if (held.has(move.who)) continue
      held.add(move.who)
    }
    if (move._ === "Release") {
      if (held.delete(move.who)) yield { ...move, acts: move.acts.filter(isThere) }
    } else if (move._ === "Do" && (move.act._ === "SpawnLink" || move.act._ === "SpawnMonitor")) {
      yield { ...move, act: { ...move.act, name: `p${spawned++}` } }
    } else yield move
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// this side
// ---------------------------------------------------------------------------------------------------------------------

/** An actor comes to its end. */
type Over = "over"

/** What an actor is sent. */
class Order {
  constructor(readonly effect: Effect.Effect<unknown, Over>) {}
}

class Said {
  constructor(readonly from: string) {}
}

class Crowd implements Real<Move> {
  private readonly pids = new Map<string, Process.Pid>()
  private readonly names = new Map<Process.Pid, string>()
  private readonly inboxes = new Map<string, Array<string>>()
  private readonly gates = new Map<string, Deferred.Deferred<Effect.Effect<unknown, Over>>>()
  private readonly ends: Array<string> = []
  private readonly answers: Array<string> = []
  private readonly alive = new Set<string>()
  private asked = 0

  readonly observe = Stream.runForEach(Observer.changes, change =>
    Effect.sync(() => {
      const name = change._tag === "Exited" ? this.names.get(change.pid) : undefined
      if (change._tag !== "Exited" || name === undefined) return
      this.alive.delete(name)
      this.ends.push(`${name}: ${told(change.reason)}`)
    })
  )

  play(move: Move): Effect.Effect<Observation, never, Process.ProcessTable> {
    return Effect.gen(this, function* () {
      yield* this.begin(move)
      yield* settle
      const listing = Array.from(this.inboxes, ([name, inbox]) =>
        [`${name} ${this.alive.has(name) ? "lives" : "is dead"}`, ...inbox.splice(0).sort()].join("; ")
      )
      return { answers: this.answers.splice(0), journal: [], ends: this.ends.splice(0), listing: listing.sort() }
    })
  }

  readonly close = Effect.succeed([])

  private begin(move: Move): Effect.Effect<unknown, never, Process.ProcessTable> {
    switch (move._) {
      case "Spawn":
        return Effect.map(this.spawning(move.name, { trapExit: move.trap }), pid => this.meet(move.name, pid))
      case "Exit":
        return Process.exit(this.pid(move.who), reasonOf(move.reason))
      case "Do":
        return Effect.flatMap(this.answered(move.who, move.act), effect => this.order(move.who, effect))
      case "Hold":
        return Effect.flatMap(Deferred.make<Effect.Effect<unknown, Over>>(), gate => {
          this.gates.set(move.who, gate)
          return this.order(move.who, Effect.flatten(Deferred.await(gate)))
        })
      case "Release":
        return Effect.flatMap(
          Effect.forEach(move.acts, act => this.answered(move.who, act)),
          effects => {
            const gate = this.gates.get(move.who)
            return gate === undefined ? Effect.void : Deferred.succeed(gate, Effect.all(effects))
          }
        )
    }
  }

  private pid(name: string): Process.Pid {
    const pid = this.pids.get(name)
    if (pid === undefined) throw new Error(`${name} was never spawned`)
    return pid
  }

  knows(name: string): boolean {
    return this.pids.has(name)
  }

  private meet(name: string, pid: Process.Pid): void {
    this.pids.set(name, pid)
    this.names.set(pid, name)
    this.inboxes.set(name, [])
    this.alive.add(name)
  }

  private order(who: string, effect: Effect.Effect<unknown, Over>) {
    return Process.send(this.pid(who), new Order(effect))
  }

  /** Does it and writes down what came of it, unless it may be the end of who does it. */
  private answered(who: string, act: Act): Effect.Effect<Effect.Effect<unknown, Over>, never, Process.ProcessTable> {
    const number = this.asked++
    return Effect.map(Effect.context<Process.ProcessTable>(), context =>
      Effect.provide(
        Effect.map(
          Effect.suspend(() => this.perform(who, act)),
          answer => {
            if (answer !== undefined) this.answers.push(`${number}: ${answer}`)
          }
        ),
        context
      )
    )
  }

  private readonly refs = new Map<string, Array<Process.MonitorRef>>()

  private monitored(
    who: string,
    ref: Effect.Effect<Process.MonitorRef, never, Process.ProcessTable>
  ): Effect.Effect<string, never, Process.ProcessTable> {
    return Effect.map(ref, ref => {
      const refs = this.refs.get(who) ?? []
      this.refs.set(who, refs)
      return `m${refs.push(ref) - 1}`
    })
  }

  private perform(who: string, act: Act): Effect.Effect<string | undefined, Over, Process.ProcessTable> {
    switch (act._) {
      case "Link":
        return Effect.as(Process.link(this.pid(act.who)), "ok")
      case "Unlink":
        return Effect.as(Process.unlink(this.pid(act.who)), "ok")
      case "Monitor":
        // Of oneself one never hears anything; to Erlang it is no monitor.
        return act.who === who ? Effect.succeed("myself") : this.monitored(who, Process.monitor(this.pid(act.who)))
      case "MonitorName":
        return Effect.flatMap(Process.whereis(act.name), holder =>
          Option.isSome(holder) && holder.value === this.pid(who)
            ? Effect.succeed("myself")
            : this.monitored(who, Process.monitorName(act.name))
        )
      case "Demonitor": {
        const ref = this.refs.get(who)?.[act.which]
        return ref === undefined ? Effect.succeed("none") : Effect.map(Process.demonitor(ref, act), String)
      }
      case "Exit":
        return Effect.as(Process.exit(this.pid(act.who), reasonOf(act.reason)), undefined)
      case "Return":
        return Effect.fail("over" as const)
      case "Crash":
        return Effect.die("boom")
      case "Send":
        return Effect.as(Process.send(this.pid(act.who), new Said(who)), "ok")
      case "SendName":
        return Effect.match(Process.sendName(act.name, new Said(who)), {
          onFailure: () => "nobody",
          onSuccess: () => "ok"
        })
      case "Register":
        return Effect.match(Process.register(act.name, this.pid(act.who)), {
          onFailure: () => "refused",
          onSuccess: () => "ok"
        })
      case "Unregister":
        return Effect.map(Process.unregister(act.name), String)
      case "Whereis":
        return Effect.map(
          Process.whereis(act.name),
          Option.match({ onNone: () => "nobody", onSome: pid => this.called(pid) })
        )
      case "Trap":
        return Effect.map(Process.trapExit(act.trap), String)
      case "SpawnLink":
        return Effect.map(this.spawning(act.name, { trapExit: act.trap, link: true }), pid => {
          this.meet(act.name, pid)
          return "ok"
        })
      case "SpawnMonitor": {
        const spawned = Process.spawnMonitor(this.body(act.name), { trapExit: act.trap })
        return this.monitored(
          who,
          Effect.map(Effect.orDie(spawned), ([pid, ref]) => {
            this.meet(act.name, pid)
            return ref
          })
        )
      }
    }
  }

  private spawning(name: string, options: { readonly trapExit: boolean; readonly link?: boolean }) {
    return Process.spawn(this.body(name), options)
  }

  private body(name: string): Effect.Effect<unknown> {
    return Effect.ignore(Effect.forever(this.once(name)))
  }

  private once(name: string): Effect.Effect<unknown, Over> {
    return Effect.flatMap(Process.receive, signal => {
      // Whoever is concerned has his turn before the next order: whether he would is left open else.
      if (signal._tag === "Message" && signal.body instanceof Order) {
        return Effect.zipLeft(signal.body.effect, Effect.yieldNow())
      }
      return Effect.sync(() => this.inboxes.get(name)?.push(this.say(name, signal)))
    })
  }

  private say(name: string, signal: Process.Message | Process.ExitSignal | Process.Down): string {
    switch (signal._tag) {
      case "Message":
        return `message ${signal.body instanceof Said ? signal.body.from : "?"}`
      case "ExitSignal":
        return `exit ${this.called(signal.from)} ${told(signal.reason)}`
      case "Down": {
        const of = signal.ref.name === undefined ? this.called(signal.pid) : `name ${signal.ref.name}`
        return `down ${this.refs.get(name)?.indexOf(signal.ref)} ${of} ${told(signal.reason)}`
      }
    }
  }

  private called(pid: Process.Pid): string {
    return this.names.get(pid) ?? "host"
  }
}

export const reasonOf = (reason: Reason): ExitReason.ExitReason => {
  switch (reason) {
    case "normal":
      return ExitReason.normal
    case "shutdown":
      return ExitReason.shutdown()
    case "shutdown(moved)":
      return ExitReason.shutdown("moved")
    case "crash":
      return ExitReason.crashWith("boom")
    case "killed":
      return ExitReason.killed
  }
}

export const told = (reason: ExitReason.ExitReason): string => {
  if (reason._tag === "Crash") return "crash"
  return reason._tag === "Shutdown" && reason.term !== undefined
    ? `shutdown(${reason.term})`
    : reason._tag.toLowerCase()
}

export const duelOf = (history: History): Duel<Move> => {
  const crowd = new Crowd()
  return {
    moves: movesOf(history, name => crowd.knows(name)),
    show: move => JSON.stringify(move),
    model: { loose: new Set(), orphans: new Set(), apply: () => undefined },
    real: crowd,
    question: move => ({ _: "Actors", move }),
    isOrdered: true,
    comparable: observation => observation
  }
}
