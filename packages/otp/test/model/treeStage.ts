/**
 * Plays the moves of a history on a real tree of supervisors.
 */
import { Effect } from "effect"
import type * as ChildSpec from "../../src/ChildSpec.js"
import type * as GenServer from "../../src/GenServer.js"
import type * as Process from "../../src/Process.js"
import * as Supervisor from "../../src/Supervisor.js"
import { type Kind, pidText, type Stage, type Started, specText } from "./stage.js"
import { type Flags, showCounts, showInfo, type TreeCall, type ChildSpec as TreeChild, top } from "./vocabulary.js"

export class TreeStage implements Kind<Flags, TreeCall> {
  /** @param answering the paths of the supervisors that are expected to answer now */
  constructor(
    private readonly stage: Stage,
    private readonly answering: () => ReadonlyArray<string>
  ) {}

  start(flags: Flags): Effect.Effect<string, unknown, Process.ProcessTable> {
    const start = this.stage.supervisor(top, Supervisor.start(this.spec(top, flags)))
    return Effect.map(start, started => `ok ${started.tag}`)
  }

  plug(to: string, start: Effect.Effect<Started, GenServer.StartIgnored>) {
    return Supervisor.startChild(this.at(to), Supervisor.worker("plug", start, { restart: "temporary" }))
  }

  listing(): Effect.Effect<ReadonlyArray<string>, never, Process.ProcessTable> {
    const said = (path: string) => {
      const counted = Effect.map(Supervisor.countChildren(this.at(path)), showCounts)
      return Effect.all([this.stage.answer(this.whichChildren(this.at(path))), this.stage.answer(counted)])
    }
    return Effect.map(Effect.forEach(this.answering(), said), lines => lines.flat())
  }

  get close() {
    return this.stage.leftovers
  }

  private at(path: string): Supervisor.Supervisor {
    return { pid: this.stage.newest(path) }
  }

  private spec(path: string, flags: Flags): ChildSpec.Unnamed<ReadonlyArray<TreeChildSpec>> {
    const { autoShutdown, intensity, periodMillis, strategy } = flags
    const children = flags.children.map(child => this.child(`${path}/${child.id}`, child))
    return { strategy, intensity, period: periodMillis, autoShutdown, children }
  }

  private child(path: string, { id, restart, shutdown, significant, work }: TreeChild): TreeChildSpec {
    const options = { restart, shutdown, significant }
    const start =
      typeof work === "string"
        ? this.stage.worker(path, work === "slow")
        : this.stage.supervisor(path, Supervisor.startLink(Effect.sync(() => this.spec(path, work))))
    return { ...options, id, start, type: typeof work === "string" ? "worker" : "supervisor" }
  }

  call(to: string, call: TreeCall): Effect.Effect<string, unknown, Process.ProcessTable> {
    const supervisor = this.at(to)
    switch (call._) {
      case "StartChild":
        return Effect.map(
          Supervisor.startChild(supervisor, this.child(`${to}/${call.child.id}`, call.child)),
          started => (started === undefined ? "ignored" : `ok ${started.tag}`)
        )
      case "TerminateChild":
        return Effect.as(Supervisor.terminateChild(supervisor, call.id), "ok")
      case "TerminateByPid":
        return Effect.as(Supervisor.terminateChild(supervisor, this.stage.pid(call.instance)), "ok")
      case "RestartChild":
        return Effect.map(Supervisor.restartChild(supervisor, call.id), started =>
          started === undefined ? "ignored" : `ok ${this.stage.tag(started.pid)}`
        )
      case "DeleteChild":
        return Effect.as(Supervisor.deleteChild(supervisor, call.id), "ok")
      case "WhichChildren":
        return this.whichChildren(supervisor)
      case "WhichChild":
        return Effect.map(Supervisor.whichChild(supervisor, call.id), info => this.info(info))
      case "GetChildSpec":
        return Effect.map(Supervisor.getChildSpec(supervisor, call.id), specText)
      case "GetChildSpecByPid":
        return Effect.map(Supervisor.getChildSpec(supervisor, this.stage.pid(call.instance)), specText)
      case "CountChildren":
        return Effect.map(Supervisor.countChildren(supervisor), showCounts)
      case "Reconfigure":
        return Effect.as(Supervisor.reconfigure(supervisor, this.spec(to, call.flags)), "ok")
      case "RunInit":
        return Effect.as(Supervisor.reconfigure(supervisor), "ok")
      case "Stop":
        return Effect.as(Supervisor.stop(supervisor), "ok")
    }
  }

  private whichChildren(supervisor: Supervisor.Supervisor) {
    return Effect.map(
      Supervisor.whichChildren(supervisor),
      children => `[${children.map(info => this.info(info)).join("; ")}]`
    )
  }

  private info(info: ChildSpec.ChildInfo): string {
    return showInfo({ ...info, pid: pidText(this.stage, info.pid) })
  }
}

type TreeChildSpec = ChildSpec.ChildSpec<unknown, Process.ProcessTable, Started>
