/**
 * Dynamic supervisors on both sides: the histories of their model, as far as no time passes in them.
 */
import type * as fc from "fast-check"
import { type Draft, type History, history, movesOf } from "../model/dynamicHistories.js"
import {
  DynamicModel,
  type DynamicMove,
  type Letter,
  showDynamicCall,
  showTemplate,
  type Template
} from "../model/dynamicModel.js"
import { DynamicStage } from "../model/dynamicStage.js"
import { Stage } from "../model/stage.js"
import { type Outcome, type Restart, showMove, top } from "../model/vocabulary.js"
import type { Duel } from "./duel.js"
import { comparable } from "./trees.js"

/**
 * As with trees, nobody takes time to stop and no restart grows old. OTP has no limit to the number of children; it has no
 * `which_child` before its release 28; it takes whoever is dead for a child when it is asked for a specification; and a `start_child`
 * with one crashes it.
 */
export const timeless: fc.Arbitrary<History> = history.map(({ drafts, template }) => ({
  template: unlimited(template),
  drafts: drafts.flatMap(draft => withoutTime(draft, template.restart))
}))

const unlimited = (template: Template): Template => ({ ...template, childrenMax: 1_000 })

const withoutTime = (draft: Draft, restart: Restart): ReadonlyArray<Draft> => {
  switch (draft._) {
    case "pass":
    case "edge":
      return []
    case "startChild":
      return [{ ...draft, letter: prompt(draft.letter), next: restarting(draft.next) }]
    case "fault":
      return [{ ...draft, letter: prompt(draft.letter), outcomes: restarting(draft.outcomes) }]
    case "exit":
      return [{ ...draft, next: restarting(draft.next) }]
    case "askPid":
      return [{ ...draft, what: "TerminateChild" }]
    case "pursue":
      return [
        {
          ...draft,
          next: restarting(draft.next),
          what: draft.what === "TerminateChild" ? "TerminateChild" : "WhichChildren"
        }
      ]
    case "askId":
      return draft.what === "StartById" || draft.what === "WhichById" ? [] : [draft]
    case "reconfigure":
      return [{ ...draft, template: unlimited(asLasting(draft.template, restart)) }]
    case "together":
      return [
        { ...draft, drafts: draft.drafts.filter(each => !isLong(each)).flatMap(each => withoutTime(each, restart)) }
      ]
    default:
      return [draft]
  }
}

/** OTP decides once and for all whether it keeps the arguments of its children: temporary they stay, or never become. */
const asLasting = (template: Template, before: Restart): Template =>
  before === "temporary" || template.restart === "temporary" ? { ...template, restart: before } : template

const prompt = (letter: Letter): Letter => (letter === "z" ? "b" : letter)

/** Older releases of OTP keep a child that ignores its restart, as `undefined`. The newest drops it. */
const restarting = (outcomes: ReadonlyArray<Outcome>): ReadonlyArray<Outcome> =>
  outcomes.filter(outcome => outcome !== "ignore")

/** In Erlang it takes several messages, so what waits in the mailbox of a held supervisor can come in between. */
const isLong = (draft: Draft): boolean =>
  draft._ === "reconfigure" || (draft._ === "list" && (draft.what === "RunInit" || draft.what === "CountChildren"))

export const duelOf = (history: History): Duel<DynamicMove> => {
  const model = new DynamicModel()
  const stage = new Stage(0)
  const isAnswering = () => model.template !== undefined && !model.isHeld
  const stops = new Set<number>()
  let calls = 0
  return {
    moves: movesOf(history, model),
    show: showMove(showTemplate, showDynamicCall),
    model,
    real: stage.playing(new DynamicStage(stage, isAnswering)),
    question: move => {
      if (move._ === "Call" && move.call._ === "Stop") stops.add(calls)
      if (move._ === "Call" || move._ === "Start") calls++
      return { _: "Tree", move, answering: isAnswering() ? [top] : [] }
    },
    isOrdered: false,
    comparable: observation => {
      const { journal, ...others } = comparable(observation, stops)
      return { ...others, journal: [journal.flat()] }
    }
  }
}
