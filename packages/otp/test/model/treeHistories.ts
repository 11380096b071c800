/**
 * Random histories of a tree. A history is a list of drafts, small records that name children by numbers; what they stand for is
 * decided when their turn comes, from what the model knows, so a history that was cut down still makes sense.
 */
import * as fc from "fast-check"
import { drafts, edge, nextStarts, own, passesMillis, periodsMillis, pick, troubles } from "./drafts.js"
import type { TreeModel } from "./treeModel.js"
import type { Instance, Supervisor } from "./treeState.js"
import {
  type AutoShutdown,
  type ChildSpec,
  type Flags,
  type Outcome,
  type OwnReason,
  type Restart,
  type Shutdown,
  type Strategy,
  type TreeMove,
  top
} from "./vocabulary.js"

/** What is wrong with a spec on purpose. */
type Flaw = "none" | "significant_but_never" | "significant_but_permanent" | "negative_intensity" | "duplicate"

export type Draft =
  /** A child ends; then its next starts go wrong, or those of a sibling that may be restarted with it. */
  | {
      readonly _: "exit"
      readonly who: number
      readonly reason: OwnReason
      readonly next: ReadonlyArray<Outcome>
      readonly whose: "own" | "sibling"
    }
  /** A child ends and does not come back at once; it is asked about meanwhile, or a sibling ends as well. */
  | {
      readonly _: "pursue"
      readonly who: number
      readonly reason: OwnReason
      readonly next: ReadonlyArray<Outcome>
      readonly what: Pursuit
    }
  | { readonly _: "fault"; readonly who: number; readonly outcomes: ReadonlyArray<Outcome> }
  | { readonly _: "startChild"; readonly at: number; readonly child: ChildSpec; readonly next: ReadonlyArray<Outcome> }
  | { readonly _: "ask"; readonly at: number; readonly who: number; readonly what: AboutOne }
  | { readonly _: "askPid"; readonly at: number; readonly who: number; readonly what: AboutPid }
  | { readonly _: "list"; readonly at: number; readonly what: AboutAll }
  | { readonly _: "reconfigure"; readonly at: number; readonly flags: Flags; readonly flaw: Flaw }
  /** A supervisor gets other settings for the children it was told of, and proves it at the edge. */
  | ({ readonly _: "retune"; readonly at: number } & Settings & Edge)
  | { readonly _: "pass"; readonly millis: number }
  /** A crash when the oldest restart that counts is a period old, more or less. */
  | ({ readonly _: "edge"; readonly at: number } & Edge)
  | { readonly _: "together"; readonly at: number; readonly drafts: ReadonlyArray<Draft> }

type AboutOne = "TerminateChild" | "RestartChild" | "DeleteChild" | "WhichChild" | "GetChildSpec"
interface Edge {
  readonly who: number
  readonly offset: number
}
type Settings = Pick<Flags, "strategy" | "intensity" | "periodMillis">
type Pursuit = AboutOne | "WhichChildren" | "CountChildren" | "sibling"
type AboutPid = "TerminateByPid" | "GetChildSpecByPid"
type AboutAll = "WhichChildren" | "CountChildren" | "RunInit" | "Stop"

export interface History {
  readonly flags: Flags
  readonly drafts: ReadonlyArray<Draft>
}

// -----------------------------------------------------------------------------------------------------------------
// specs
// -----------------------------------------------------------------------------------------------------------------

/** How many supervisors may stand above each other. */
const depthMax = 3
/** Supervisors have ids of their own, so that a new spec never makes a worker of a running supervisor. */
const workerIds = ["a", "b", "c", "d"] as const
const supervisorIds = ["s", "t"] as const
const restart = fc.constantFrom<Restart | undefined>(undefined, "permanent", "transient", "transient", "temporary")

const worker: fc.Arbitrary<ChildSpec> = fc.record({
  id: fc.constantFrom<string>(...workerIds),
  restart,
  shutdown: fc.constantFrom<Shutdown | undefined>(undefined, undefined, 100, "infinity", "brutal_kill"),
  significant: fc.boolean(),
  work: fc.constantFrom<"prompt" | "slow">("prompt", "prompt", "prompt", "slow")
})

const supervisor = (depth: number): fc.Arbitrary<ChildSpec> =>
  fc.record({
    id: fc.constantFrom<string>(...supervisorIds),
    restart,
    shutdown: fc.constantFrom<Shutdown | undefined>(undefined, undefined, "infinity", "brutal_kill"),
    significant: fc.boolean(),
    work: flags(depth - 1)
  })

const child = (depth: number): fc.Arbitrary<ChildSpec> =>
  depth <= 1 ? worker : fc.oneof({ weight: 4, arbitrary: worker }, { weight: 1, arbitrary: supervisor(depth) })

const settings = {
  strategy: fc.constantFrom<Strategy>("one_for_one", "one_for_all", "rest_for_one"),
  intensity: fc.constantFrom(0, 1, 1, 2, 2, 3, 4),
  periodMillis: fc.constantFrom<number>(...periodsMillis)
}

/** `depth` counts the supervisors from this one down. In some the children are significant, more than chance would have it. */
const flags = (depth: number): fc.Arbitrary<Flags> => {
  const whichever = fc.record({
    ...settings,
    autoShutdown: fc.constantFrom<AutoShutdown>("never", "never", "any_significant", "all_significant"),
    children: fc.uniqueArray(child(depth), { maxLength: 4, selector: ({ id }) => id })
  })
  const sounds = whichever.map(flags => ({
    ...flags,
    children: flags.children.map(each => sound(each, flags.autoShutdown))
  }))
  return fc.oneof({ weight: 2, arbitrary: sounds }, { weight: 1, arbitrary: whichever.map(significant) })
}

const significant = (flags: Flags): Flags => ({
  ...flags,
  autoShutdown: flags.autoShutdown === "never" ? "all_significant" : flags.autoShutdown,
  children: flags.children.map(child => ({
    ...child,
    restart: child.restart === "temporary" ? "temporary" : "transient",
    significant: true
  }))
})

/** The child as it may be significant at all. */
const sound = (child: ChildSpec, autoShutdown: AutoShutdown): ChildSpec => ({
  ...child,
  significant: child.significant === true && autoShutdown !== "never" && (child.restart ?? "permanent") !== "permanent"
})

const flawed = (flags: Flags, flaw: Flaw): Flags => {
  const [first, ...others] = flags.children
  if (flaw === "negative_intensity") return { ...flags, intensity: -1 }
  if (first === undefined) return flags
  switch (flaw) {
    case "none":
      return flags
    case "duplicate":
      return { ...flags, children: [first, ...others, first] }
    case "significant_but_never":
      return {
        ...flags,
        autoShutdown: "never",
        children: [{ ...first, restart: "transient", significant: true }]
      }
    case "significant_but_permanent":
      return {
        ...flags,
        autoShutdown: "any_significant",
        children: [...others, { ...first, restart: "permanent", significant: true }]
      }
  }
}

// -----------------------------------------------------------------------------------------------------------------
// drafts
// -----------------------------------------------------------------------------------------------------------------

const exit = fc.record({
  _: fc.constant("exit" as const),
  who: pick,
  reason: own,
  next: nextStarts,
  whose: fc.constantFrom<"own" | "sibling">("own", "own", "sibling")
})

const aboutOne = fc.constantFrom<AboutOne>(
  "TerminateChild",
  "TerminateChild",
  "TerminateChild",
  "RestartChild",
  "RestartChild",
  "DeleteChild",
  "WhichChild",
  "GetChildSpec"
)

const single: fc.Arbitrary<Draft> = fc.oneof(
  { weight: 12, arbitrary: exit },
  { weight: 3, arbitrary: fc.record({ _: fc.constant("fault" as const), who: pick, outcomes: troubles }) },
  {
    weight: 4,
    arbitrary: fc.record({ _: fc.constant("startChild" as const), at: pick, child: child(2), next: nextStarts })
  },
  {
    weight: 8,
    arbitrary: fc.record({
      _: fc.constant("ask" as const),
      at: pick,
      who: pick,
      what: aboutOne
    })
  },
  {
    weight: 1,
    arbitrary: fc.record({
      _: fc.constant("askPid" as const),
      at: pick,
      who: pick,
      what: fc.constantFrom<AboutPid>("TerminateByPid", "GetChildSpecByPid")
    })
  },
  {
    weight: 2,
    arbitrary: fc.record({
      _: fc.constant("list" as const),
      at: pick,
      what: fc.constantFrom<AboutAll>("WhichChildren", "CountChildren", "RunInit", "Stop")
    })
  },
  {
    weight: 1,
    arbitrary: fc.record({
      _: fc.constant("reconfigure" as const),
      at: pick,
      flags: flags(2),
      flaw: fc.constantFrom<Flaw>(
        "none",
        "none",
        "none",
        "none",
        "significant_but_never",
        "significant_but_permanent",
        "negative_intensity",
        "duplicate"
      )
    })
  },
  {
    weight: 2,
    arbitrary: fc.record({ _: fc.constant("retune" as const), at: pick, who: pick, offset: edge, ...settings })
  },
  {
    weight: 2,
    arbitrary: fc.record({ _: fc.constant("pass" as const), millis: fc.constantFrom(...passesMillis) })
  },
  {
    weight: 2,
    arbitrary: fc.record({ _: fc.constant("edge" as const), at: pick, who: pick, offset: edge })
  }
)

/** What happens to a supervisor that is held: more often than otherwise, children that do not come back at once. */
const crowded: fc.Arbitrary<Draft> = fc.oneof(
  {
    weight: 1,
    arbitrary: fc.record({
      _: fc.constant("pursue" as const),
      who: pick,
      reason: own,
      next: troubles,
      what: fc.oneof(aboutOne, fc.constantFrom("WhichChildren" as const, "CountChildren" as const, "sibling" as const))
    })
  },
  {
    weight: 1,
    arbitrary: fc.record({
      _: fc.constant("exit" as const),
      who: pick,
      reason: own,
      next: troubles,
      whose: fc.constant("own" as const)
    })
  },
  { weight: 1, arbitrary: exit },
  { weight: 2, arbitrary: single }
)

const draft: fc.Arbitrary<Draft> = fc.oneof(
  { weight: 3, arbitrary: single },
  {
    weight: 1,
    arbitrary: fc.record({
      _: fc.constant("together" as const),
      at: pick,
      drafts: fc.array(crowded, { minLength: 2, maxLength: 6 })
    })
  }
)

export const history: fc.Arbitrary<History> = fc.record({ flags: flags(depthMax), drafts: drafts(draft) })

// -----------------------------------------------------------------------------------------------------------------
// from drafts to moves
// -----------------------------------------------------------------------------------------------------------------

/** The moves of a history, each made when those before it have been applied to the model. */
export function* movesOf({ drafts, flags }: History, model: TreeModel): Generator<TreeMove, void> {
  for (const draft of drafts) {
    if (model.root === undefined) yield { _: "Start", spec: flags }
    // It may not have started.
    if (model.root !== undefined) yield* movesOfDraft(draft, model, top)
  }
  if (model.root !== undefined) yield { _: "Call", to: top, call: { _: "Stop" } }
  if (!model.hasStarted) return
  // Who is gone finds no fault with what he is asked.
  for (const call of [{ _: "CountChildren" }, { _: "StartChild", child: wrongChild }, wrongSpec(flags)] as const) {
    yield { _: "Call", to: top, call }
  }
}

const wrongChild: ChildSpec = { id: "a", restart: "permanent", significant: true, work: "prompt" }

const wrongSpec = (flags: Flags) => ({ _: "Reconfigure", flags: flawed(flags, "negative_intensity") }) as const

/** `above` is the path of the supervisor that is held, or of the root: nothing outside of its subtree is touched. */
function* movesOfDraft(draft: Draft, model: TreeModel, above: string): Generator<TreeMove, void> {
  const supervisors = model.supervisors.filter(({ instance: { path } }) => isBelow(path, above))
  const at = "at" in draft ? supervisors[draft.at % supervisors.length] : undefined
  const to = at?.instance.path ?? above
  const restarted = supervisors.filter(({ instants }) => instants.length > 0)
  const counting = "at" in draft ? restarted[draft.at % Math.max(restarted.length, 1)] : undefined
  switch (draft._) {
    case "exit":
    case "pursue": {
      const all = supervisors.flatMap(({ children }) =>
        children.flatMap(({ instance }) => (instance?.alive === true ? [instance] : []))
      )
      const who = all[draft.who % Math.max(all.length, 1)]
      if (who === undefined) return
      const siblings = who.parent?.children.map(({ spec }) => `${who.parent?.instance.path}/${spec.id}`) ?? []
      const isOwn = draft._ === "pursue" || draft.whose === "own"
      const path = isOwn ? who.path : (siblings[draft.who % siblings.length] ?? who.path)
      if (draft.next.length > 0) yield { _: "Fault", path, outcomes: draft.next }
      yield { _: "Exit", instance: who.tag, reason: draft.reason }
      if (draft._ === "pursue") yield* pursuit(draft.what, who)
      return
    }
    case "fault": {
      const places = supervisors.flatMap(({ children, instance }) =>
        children.map(({ spec }) => `${instance.path}/${spec.id}`)
      )
      const path = places[draft.who % Math.max(places.length, 1)]
      if (path !== undefined) yield { _: "Fault", path, outcomes: draft.outcomes }
      return
    }
    case "startChild": {
      const path = `${to}/${draft.child.id}`
      const depth = path.split("/").length
      // A supervisor may stand no deeper than the limit.
      if (typeof draft.child.work !== "string" && depth > depthMax) return
      if (draft.next.length > 0) yield { _: "Fault", path, outcomes: draft.next }
      yield { _: "Call", to, call: { _: "StartChild", child: draft.child } }
      return
    }
    case "ask": {
      // One number too many stands for an id that is unknown.
      const ids = at?.children.map(({ spec }) => spec.id) ?? []
      yield { _: "Call", to, call: { _: draft.what, id: ids[draft.who % (ids.length + 1)] ?? "nobody" } }
      return
    }
    case "askPid": {
      const known = supervisors.flatMap(({ children }) => children.flatMap(({ instance }) => instance?.tag ?? []))
      const instance = known[draft.who % Math.max(known.length, 1)]
      if (instance !== undefined) yield { _: "Call", to, call: { _: draft.what, instance } }
      return
    }
    case "list":
      yield { _: "Call", to, call: { _: draft.what } }
      return
    case "reconfigure": {
      const isDeepest = to.split("/").length >= depthMax
      const children = draft.flags.children.filter(({ work }) => typeof work === "string" || !isDeepest)
      yield { _: "Call", to, call: { _: "Reconfigure", flags: flawed({ ...draft.flags, children }, draft.flaw) } }
      return
    }
    case "retune": {
      const chosen = counting ?? at
      if (chosen === undefined) return
      const { intensity, periodMillis, strategy } = draft
      const flags = { ...chosen.flags, strategy, intensity, periodMillis }
      yield { _: "Call", to: chosen.instance.path, call: { _: "Reconfigure", flags } }
      if (chosen === counting) yield* crashAtEdge(counting, draft, model)
      return
    }
    case "pass":
      yield { _: "Pass", millis: draft.millis }
      return
    case "edge":
      if (counting !== undefined) yield* crashAtEdge(counting, draft, model)
      return
    case "together":
      yield { _: "Hold", to }
      for (const each of draft.drafts) yield* movesOfDraft(each, model, to)
      yield { _: "Release", to }
  }
}

function* crashAtEdge(supervisor: Supervisor, { offset, who }: Edge, model: TreeModel): Generator<TreeMove, void> {
  const { children, flags, instants } = supervisor
  const millis = (instants[0] ?? model.nowMillis) + flags.periodMillis + offset - model.nowMillis
  if (millis > 0) yield { _: "Pass", millis }
  const living = children.flatMap(({ instance }) => (instance?.alive === true ? [instance.tag] : []))
  const instance = living[who % Math.max(living.length, 1)]
  if (instance !== undefined) yield { _: "Exit", instance, reason: "crash" }
}

function* pursuit(what: Pursuit, { parent, path }: Instance): Generator<TreeMove, void> {
  if (parent === undefined) return
  const to = parent.instance.path
  if (what === "sibling") {
    const sibling = parent.children.find(({ instance }) => instance?.alive === true)?.instance
    if (sibling !== undefined) yield { _: "Exit", instance: sibling.tag, reason: "shutdown" }
  } else if (what === "WhichChildren" || what === "CountChildren") yield { _: "Call", to, call: { _: what } }
  else yield { _: "Call", to, call: { _: what, id: path.slice(to.length + 1) } }
}

const isBelow = (path: string, above: string): boolean => path === above || path.startsWith(`${above}/`)
