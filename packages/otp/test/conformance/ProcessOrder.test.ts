import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, TestContext } from "effect"
import * as fc from "fast-check"
import * as ExitReason from "../../src/ExitReason.js"
import * as Process from "../../src/Process.js"
import * as Sys from "../../src/Sys.js"
import { provided } from "./processes.js"

/*
 * 4.1 as a property. Some senders and one receiver do whatever they like to each other, and each step is written down as it is
 * carried out. A naive model reads what was written and says what the receiver must find of each sender, in which order:
 * messages, exits and downs, all through one queue. Between senders nothing is promised, and nothing is compared.
 */

const senders = 3

/** `pauses`: how often the one who takes the step lets the others go first. `which`: of the monitors made so far. */
interface Step {
  readonly by: "sender" | "receiver" | "killer"
  readonly act: "message" | "exit" | "link" | "unlink" | "end" | "monitor" | "demonitor" | "flush" | "kill"
  readonly sender: number
  readonly pauses: number
  readonly which: number
}

const stepBy = (weight: number, by: Step["by"], ...acts: ReadonlyArray<Step["act"]>) => ({
  weight,
  arbitrary: fc.record({
    by: fc.constant(by),
    act: fc.constantFrom(...acts),
    sender: fc.nat(senders - 1),
    pauses: fc.nat(3),
    which: fc.nat(9)
  })
})

const step: fc.Arbitrary<Step> = fc.oneof(
  stepBy(10, "sender", "message", "message", "exit", "link", "unlink"),
  stepBy(6, "receiver", "monitor", "monitor", "demonitor", "flush", "link", "unlink"),
  stepBy(1, "sender", "end"),
  stepBy(1, "killer", "kill")
)

/** What was done: `number` is that of the message, exit or monitor it was about, `told` what the answer was. */
interface Done extends Pick<Step, "by" | "act" | "sender"> {
  readonly number: number
  readonly told: boolean | undefined
}

class Numbered {
  constructor(
    readonly sender: number,
    readonly number: number
  ) {}
}

/** What the receiver must find of one sender. */
const model = (journal: ReadonlyArray<Done>): ReadonlyArray<string> => {
  const inbox: Array<string> = []
  const monitors = new Set<number>()
  let linked = false
  let alive = true
  const die = (reason: string): void => {
    if (!alive) return
    if (linked) inbox.push(`exit ${reason}`)
    for (const number of monitors) inbox.push(`down ${number} ${reason}`)
    monitors.clear()
    linked = false
    alive = false
  }
  for (const { act, number, told } of journal) {
    switch (act) {
      case "message":
        inbox.push(`message ${number}`)
        break
      case "exit":
        inbox.push(`exit shutdown (${number})`)
        break
      case "link":
        if (alive) linked = true
        else inbox.push("exit noproc")
        break
      case "unlink":
        linked = false
        break
      case "monitor":
        if (alive) monitors.add(number)
        else inbox.push(`down ${number} noproc`)
        break
      case "demonitor":
      case "flush": {
        const active = monitors.delete(number)
        assert.strictEqual(told, active, `${act} ${number}`)
        const waiting = inbox.findIndex(line => line.startsWith(`down ${number} `))
        if (act === "flush" && waiting !== -1) inbox.splice(waiting, 1)
        break
      }
      case "end":
        die("normal")
        break
      case "kill":
        die("killed")
        break
    }
  }
  return inbox
}

const play = (steps: ReadonlyArray<Step>) =>
  Effect.gen(function* () {
    const journal: Array<Done> = []
    const pids: Array<Process.Pid> = []
    const refs: Array<Process.MonitorRef> = []
    let receiver: Process.Pid | undefined
    let numbers = 0

    const done = ({ act, by, sender }: Step, number: number, told?: boolean) =>
      Effect.sync(() => journal.push({ by, act, sender, number, told }))

    const take = (step: Step): Effect.Effect<unknown, never, Process.ProcessTable> =>
      Effect.suspend(() => {
        const sender = pids[step.sender] ?? assert.fail("no such sender")
        const to = receiver ?? assert.fail("no receiver")
        const number = numbers++
        switch (step.act) {
          case "message":
            return Effect.zipRight(Process.send(to, new Numbered(step.sender, number)), done(step, number))
          case "exit":
            return Effect.zipRight(Process.exit(to, ExitReason.shutdown(number)), done(step, number))
          case "link":
            return Effect.zipRight(Process.link(step.by === "sender" ? to : sender), done(step, number))
          case "unlink":
            return Effect.zipRight(Process.unlink(step.by === "sender" ? to : sender), done(step, number))
          case "monitor":
            return Effect.flatMap(Process.monitor(sender), ref => done(step, refs.push(ref) - 1))
          case "demonitor":
          case "flush": {
            const which = step.which % Math.max(1, refs.length)
            const ref = refs[which]
            if (ref === undefined) return Effect.void
            const removed = Process.demonitor(ref, { flush: step.act === "flush" })
            return Effect.flatMap(removed, told => done({ ...step, sender: pids.indexOf(ref.pid) }, which, told))
          }
          case "end":
            return done(step, number)
          case "kill":
            return Effect.zipRight(Process.exit(sender, ExitReason.killed), done(step, number))
        }
      })

    /** Takes the steps one after another. A sender whose script has an end returns there, and with that it dies. */
    const script = (mine: (step: Step) => boolean) => {
      const all = steps.filter(mine)
      const end = all.findIndex(({ act }) => act === "end")
      const taken = Effect.forEach(
        end === -1 ? all : all.slice(0, end + 1),
        step => Effect.zipRight(Effect.repeatN(Effect.yieldNow(), step.pauses), take(step)),
        { discard: true }
      )
      return { taken, ends: end !== -1 }
    }

    const found = yield* Deferred.make<ReadonlyArray<Process.Message | Process.ExitSignal | Process.Down>>()
    const quiet = Effect.repeatN(Effect.yieldNow(), steps.length * 5 + 20)
    const receiving = Effect.gen(function* () {
      yield* script(step => step.by === "receiver").taken
      yield* quiet
      const self = yield* Effect.orDie(Effect.flatten(Process.self))
      const { waiting } = yield* Effect.orDie(Sys.status({ pid: self }))
      return yield* Effect.replicateEffect(Process.receive, waiting)
    })

    for (let n = 0; n < senders; n++) {
      const { ends, taken } = script(step => step.by === "sender" && step.sender === n)
      pids.push(yield* Process.spawn(Effect.zipRight(taken, ends ? Effect.void : Effect.never)))
    }
    receiver = yield* Process.spawn(Effect.intoDeferred(receiving, found), { trapExit: true })
    yield* script(step => step.by === "killer").taken

    const seen = Array.from({ length: senders }, (): Array<string> => [])
    for (const signal of yield* Deferred.await(found)) {
      switch (signal._tag) {
        case "Message":
          if (signal.body instanceof Numbered) seen[signal.body.sender]?.push(`message ${signal.body.number}`)
          break
        case "ExitSignal":
          seen[pids.indexOf(signal.from)]?.push(`exit ${ExitReason.format(signal.reason)}`)
          break
        case "Down": {
          const number = refs.indexOf(signal.ref)
          seen[pids.indexOf(signal.pid)]?.push(`down ${number} ${ExitReason.format(signal.reason)}`)
        }
      }
    }
    assert.deepStrictEqual(
      seen,
      pids.map((_, n) => model(journal.filter(({ sender }) => sender === n)))
    )
  })

describe("signal order, against a naive model", () => {
  it("4.1: what one process sends another arrives in order, whatever it is; one Down per monitor, none once it is removed", () =>
    fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 80, size: "max" }), steps =>
        Effect.runPromise(play(steps).pipe(provided, Effect.provide(TestContext.TestContext)))
      ),
      { numRuns: 300 }
    ))
})
