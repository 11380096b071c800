/**
 * Random histories of a dynamic supervisor, as drafts like those of a tree.
 */
import * as fc from "fast-check"
import { drafts, edge, nextStarts, own, passesMillis, periodsMillis, pick, troubles } from "./drafts.js"
import {
  type ById,
  byId,
  type DynamicModel,
  type DynamicMove,
  type Letter,
  letters,
  stranger,
  type Template
} from "./dynamicModel.js"
import { type Outcome, type OwnReason, type Restart, type Shutdown, top } from "./vocabulary.js"

export type Draft =
  | { readonly _: "exit"; readonly who: number; readonly reason: OwnReason; readonly next: ReadonlyArray<Outcome> }
  /** A child ends, does not come back at once, and is asked about. */
  | { readonly _: "pursue"; readonly who: number; readonly next: ReadonlyArray<Outcome>; readonly what: Pursuit }
  | { readonly _: "fault"; readonly letter: Letter; readonly outcomes: ReadonlyArray<Outcome> }
  | { readonly _: "startChild"; readonly letter: Letter; readonly next: ReadonlyArray<Outcome> }
  | { readonly _: "askPid"; readonly who: number; readonly what: AboutPid }
  | { readonly _: "askId"; readonly what: ById }
  | { readonly _: "list"; readonly what: AboutAll }
  | { readonly _: "reconfigure"; readonly template: Template; readonly isFlawed: boolean }
  | { readonly _: "pass"; readonly millis: number }
  /** A crash when the oldest restart that counts is a period old, more or less. */
  | { readonly _: "edge"; readonly who: number; readonly offset: number }
  | { readonly _: "together"; readonly drafts: ReadonlyArray<Draft> }

type Pursuit = AboutPid | "WhichChildren" | "CountChildren"
type AboutAll = "WhichChildren" | "CountChildren" | "RunInit" | "Stop"
type AboutPid = "TerminateChild" | "WhichChild" | "GetChildSpec"

export interface History {
  readonly template: Template
  readonly drafts: ReadonlyArray<Draft>
}

const template: fc.Arbitrary<Template> = fc.record({
  restart: fc.constantFrom<Restart>("permanent", "transient", "temporary"),
  shutdown: fc.constantFrom<Shutdown | undefined>(undefined, 100, "infinity", "brutal_kill"),
  type: fc.constantFrom<Template["type"]>("worker", "worker", "supervisor"),
  intensity: fc.constantFrom(0, 1, 2, 3, 4),
  periodMillis: fc.constantFrom(...periodsMillis),
  childrenMax: fc.constantFrom(3, 5, 100)
})

const letter = fc.constantFrom<Letter>(...letters)

const aboutPid = fc.constantFrom<AboutPid>("TerminateChild", "TerminateChild", "WhichChild", "GetChildSpec")

const pursuit = fc.oneof(aboutPid, fc.constantFrom<Pursuit>("WhichChildren", "CountChildren"))

const single: fc.Arbitrary<Draft> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ _: fc.constant("startChild" as const), letter, next: nextStarts }) },
  {
    weight: 8,
    arbitrary: fc.record({
      _: fc.constant("exit" as const),
      who: pick,
      reason: own,
      next: nextStarts
    })
  },
  { weight: 2, arbitrary: fc.record({ _: fc.constant("fault" as const), letter, outcomes: troubles }) },
  {
    weight: 6,
    arbitrary: fc.record({
      _: fc.constant("askPid" as const),
      who: pick,
      what: aboutPid
    })
  },
  { weight: 1, arbitrary: fc.record({ _: fc.constant("askId" as const), what: fc.constantFrom<ById>(...byId) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      _: fc.constant("list" as const),
      what: fc.constantFrom<AboutAll>("WhichChildren", "CountChildren", "RunInit", "Stop")
    })
  },
  {
    weight: 2,
    arbitrary: fc.record({
      _: fc.constant("reconfigure" as const),
      template,
      isFlawed: fc.constantFrom(false, false, false, true)
    })
  },
  {
    weight: 2,
    arbitrary: fc.record({ _: fc.constant("pass" as const), millis: fc.constantFrom(...passesMillis) })
  },
  { weight: 2, arbitrary: fc.record({ _: fc.constant("edge" as const), who: pick, offset: edge }) }
)

/** What happens to a supervisor that is held: more often than otherwise, children that do not come back at once. */
const crowded: fc.Arbitrary<Draft> = fc.oneof(
  {
    weight: 1,
    arbitrary: fc.record({ _: fc.constant("pursue" as const), who: pick, next: troubles, what: pursuit })
  },
  { weight: 3, arbitrary: single }
)

const draft: fc.Arbitrary<Draft> = fc.oneof(
  { weight: 4, arbitrary: single },
  {
    weight: 1,
    arbitrary: fc.record({
      _: fc.constant("together" as const),
      drafts: fc.array(crowded, { minLength: 2, maxLength: 6 })
    })
  }
)

export const history: fc.Arbitrary<History> = fc.record({ template, drafts: drafts(draft) })

/** The moves of a history, each made when those before it have been applied to the model. */
export function* movesOf({ drafts, template }: History, model: DynamicModel): Generator<DynamicMove, void> {
  for (const draft of drafts) {
    if (model.template === undefined) yield { _: "Start", spec: template }
    yield* movesOfDraft(draft, model)
  }
  if (model.template !== undefined) yield { _: "Call", to: top, call: { _: "Stop" } }
  yield { _: "Call", to: top, call: { _: "CountChildren" } }
}

function* movesOfDraft(draft: Draft, model: DynamicModel): Generator<DynamicMove, void> {
  switch (draft._) {
    case "exit":
    case "pursue": {
      const who = model.alive[draft.who % Math.max(model.alive.length, 1)]
      if (who === undefined) return
      const path = who.slice(0, who.indexOf("#"))
      if (draft.next.length > 0) yield { _: "Fault", path, outcomes: draft.next }
      yield { _: "Exit", instance: who, reason: draft._ === "exit" ? draft.reason : "crash" }
      if (draft._ === "exit") return
      if (draft.what === "WhichChildren" || draft.what === "CountChildren") {
        yield { _: "Call", to: top, call: { _: draft.what } }
      } else yield { _: "Call", to: top, call: { _: draft.what, instance: who } }
      return
    }
    case "fault":
      yield { _: "Fault", path: `${top}/${draft.letter}`, outcomes: draft.outcomes }
      return
    case "startChild":
      if (draft.next.length > 0) yield { _: "Fault", path: `${top}/${draft.letter}`, outcomes: draft.next }
      yield { _: "Call", to: top, call: { _: "StartChild", letter: draft.letter } }
      return
    case "askPid": {
      // The newest first: among them are those that live, and those that are being restarted.
      const known = [...model.instances.slice(-8).reverse(), stranger]
      const instance = known[draft.who % known.length]
      if (instance !== undefined) yield { _: "Call", to: top, call: { _: draft.what, instance } }
      return
    }
    case "askId":
      yield { _: "Call", to: top, call: { _: draft.what, id: "a" } }
      return
    case "list":
      yield { _: "Call", to: top, call: { _: draft.what } }
      return
    case "reconfigure": {
      const intensity = draft.isFlawed ? -1 : draft.template.intensity
      yield { _: "Call", to: top, call: { _: "Reconfigure", template: { ...draft.template, intensity } } }
      return
    }
    case "pass":
      yield { _: "Pass", millis: draft.millis }
      return
    case "edge": {
      const [oldest] = model.instants
      if (oldest === undefined || model.template === undefined) return
      const millis = oldest + model.template.periodMillis + draft.offset - model.nowMillis
      if (millis > 0) yield { _: "Pass", millis }
      const instance = model.alive[draft.who % Math.max(model.alive.length, 1)]
      if (instance !== undefined) yield { _: "Exit", instance, reason: "crash" }
      return
    }
    case "together":
      yield { _: "Hold", to: top }
      for (const each of draft.drafts) yield* movesOfDraft(each, model)
      yield { _: "Release", to: top }
  }
}
