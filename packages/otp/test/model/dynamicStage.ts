/**
 * Plays the moves of a history on a real dynamic supervisor.
 */
import { Effect } from "effect"
import type * as ChildSpec from "../../src/ChildSpec.js"
import * as DynamicSupervisor from "../../src/DynamicSupervisor.js"
import * as ExitReason from "../../src/ExitReason.js"
import type * as GenServer from "../../src/GenServer.js"
import * as Process from "../../src/Process.js"
import * as Supervisor from "../../src/Supervisor.js"
import { type DynamicCall, isSlow, stranger, type Template } from "./dynamicModel.js"
import { type Kind, pidText, type Stage, type Started, specText } from "./stage.js"
import { showCounts, showInfo, top } from "./vocabulary.js"

/** The letter of the child, or a start that leaves no trace. */
type Args = string | Effect.Effect<Started, GenServer.StartIgnored>
type Definition = DynamicSupervisor.DynamicSupervisor<Args, Started, GenServer.StartError, Process.ProcessTable>

export class DynamicStage implements Kind<Template, DynamicCall> {
  private definition: Definition | undefined
  private strange: Process.Pid | undefined

  constructor(
    private readonly stage: Stage,
    private readonly isAnswering: () => boolean
  ) {}

  start(template: Template): Effect.Effect<string, unknown, Process.ProcessTable> {
    return Effect.gen(this, function* () {
      this.strange ??= yield* Process.spawn(Effect.never, { label: stranger })
      this.definition = this.define(template)
      const init = Effect.sync(() => this.define(template))
      const started = yield* this.stage.supervisor(top, DynamicSupervisor.start(init, { name: top }))
      return `ok ${started.tag}`
    })
  }

  plug(_: string, start: Effect.Effect<Started, GenServer.StartIgnored>) {
    return this.client.startChild(start)
  }

  listing(): Effect.Effect<ReadonlyArray<string>, never, Process.ProcessTable> {
    if (!this.isAnswering()) return Effect.succeed([])
    const counted = Effect.map(DynamicSupervisor.countChildren(top), showCounts)
    return Effect.all([this.stage.answer(this.whichChildren), this.stage.answer(counted)])
  }

  /** Tells it, too, if the stranger did not live as long as the history. */
  readonly close: Effect.Effect<ReadonlyArray<string>, never, Process.ProcessTable> = Effect.gen(this, function* () {
    const { strange } = this
    if (strange === undefined) return yield* this.stage.leftovers
    const lived = yield* Process.isAlive(strange)
    yield* Process.exit(strange, ExitReason.killed)
    return [...(lived ? [] : ["the stranger's body"]), ...(yield* this.stage.leftovers)]
  })

  call(_: string, call: DynamicCall): Effect.Effect<string, unknown, Process.ProcessTable> {
    switch (call._) {
      case "StartChild":
        return Effect.map(this.client.startChild(call.letter), started =>
          started === undefined ? "ignored" : `ok ${started.tag}`
        )
      case "TerminateChild":
        return Effect.as(DynamicSupervisor.terminateChild(top, this.pid(call.instance)), "ok")
      case "WhichChild":
        return Effect.map(Supervisor.whichChild(top, this.pid(call.instance)), info => this.info(info))
      case "GetChildSpec":
        return Effect.map(Supervisor.getChildSpec(top, this.pid(call.instance)), specText)
      case "StartById":
        return Effect.as(Supervisor.startChild(top, Supervisor.task(call.id, Effect.void)), "ok")
      case "TerminateById":
        return Effect.as(Supervisor.terminateChild(top, call.id), "ok")
      case "RestartById":
        return Effect.as(Supervisor.restartChild(top, call.id), "ok")
      case "DeleteById":
        return Effect.as(Supervisor.deleteChild(top, call.id), "ok")
      case "WhichById":
        return Effect.as(Supervisor.whichChild(top, call.id), "ok")
      case "WhichChildren":
        return this.whichChildren
      case "CountChildren":
        return Effect.map(DynamicSupervisor.countChildren(top), showCounts)
      case "Reconfigure":
        return Effect.as(DynamicSupervisor.reconfigure(top, this.define(call.template)), "ok")
      case "RunInit":
        return Effect.as(DynamicSupervisor.reconfigure(top), "ok")
      case "Stop":
        return Effect.as(DynamicSupervisor.stop({ pid: this.stage.newest(top) }), "ok")
    }
  }

  private define({ childrenMax, intensity, periodMillis, restart, shutdown, type }: Template): Definition {
    return DynamicSupervisor.make({
      start: (args: Args) => (typeof args === "string" ? this.stage.worker(`${top}/${args}`, isSlow(args)) : args),
      restart,
      shutdown,
      type,
      intensity,
      period: periodMillis,
      maxChildren: childrenMax
    })
  }

  private get client() {
    if (this.definition === undefined) throw new Error("there is no supervisor yet")
    return DynamicSupervisor.named(this.definition, top)
  }

  private pid(instance: string): Process.Pid {
    return instance === stranger && this.strange !== undefined ? this.strange : this.stage.pid(instance)
  }

  private readonly whichChildren = Effect.map(DynamicSupervisor.whichChildren(top), children => {
    const lines = children.map(child => this.info(child)).sort()
    return `[${lines.join("; ")}]`
  })

  private info(info: ChildSpec.ChildInfo): string {
    return showInfo({ ...info, pid: pidText(this.stage, info.pid) })
  }
}
