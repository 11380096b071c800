/**
 * Trees of supervisors on both sides: the histories of the model, as far as no time passes in them.
 */
import type * as fc from "fast-check"
import { Stage } from "../model/stage.js"
import { type Draft, type History, history, movesOf } from "../model/treeHistories.js"
import { TreeModel } from "../model/treeModel.js"
import { TreeStage } from "../model/treeStage.js"
import {
  type ChildSpec,
  type Flags,
  type Observation,
  showFlags,
  showMove,
  showTreeCall,
  type TreeMove
} from "../model/vocabulary.js"
import type { Duel } from "./duel.js"

/**
 * Erlang's clock is not ours to set: nobody takes time to stop there, and no restart is so old that it no longer counts. Nor is anybody
 * asked for the spec of a process: in a tree OTP knows children by their ids alone.
 */
export const timeless: fc.Arbitrary<History> = history.map(({ drafts, flags }) => ({
  flags: prompt(flags),
  drafts: drafts.flatMap(withoutTime)
}))

const prompt = (flags: Flags): Flags => ({ ...flags, children: flags.children.map(promptChild) })

const promptChild = (child: ChildSpec): ChildSpec => ({
  ...child,
  work: typeof child.work === "string" ? "prompt" : prompt(child.work)
})

const withoutTime = (draft: Draft): ReadonlyArray<Draft> => {
  switch (draft._) {
    case "pass":
    case "edge":
    case "retune":
      return []
    case "askPid":
      return [{ ...draft, what: "TerminateByPid" }]
    case "startChild":
      return [{ ...draft, child: promptChild(draft.child) }]
    case "reconfigure":
      return [{ ...draft, flags: prompt(draft.flags) }]
    case "together":
      return [{ ...draft, drafts: draft.drafts.filter(each => !isCodeChange(each)).flatMap(withoutTime) }]
    default:
      return [draft]
  }
}

/** In Erlang it takes several messages, so what waits in the mailbox of a held supervisor can come in between. */
const isCodeChange = (draft: Draft): boolean =>
  draft._ === "reconfigure" || (draft._ === "list" && draft.what === "RunInit")

export const duelOf = (history: History): Duel<TreeMove> => {
  const model = new TreeModel()
  const stage = new Stage(0)
  const answering = () => model.supervisors.filter(each => !each.isHeld).map(each => each.instance.path)
  const stops = new Set<number>()
  let calls = 0
  return {
    moves: movesOf(history, model),
    show: showMove(showFlags, showTreeCall),
    model,
    real: stage.playing(new TreeStage(stage, answering)),
    question: move => {
      if (move._ === "Call" && move.call._ === "Stop") stops.add(calls)
      if (move._ === "Call" || move._ === "Start") calls++
      return { _: "Tree", move, answering: answering() }
    },
    isOrdered: true,
    comparable: observation => comparable(observation, stops)
  }
}

/** What OTP says as well. @param stops the numbers of the calls that stop: here they succeed if the reason is right, in Erlang if it is their doing as well */
export const comparable = (
  { answers, ends, journal, listing }: Observation,
  stops: ReadonlySet<number>
): Observation => ({
  answers: answers.map(line => {
    const told = inErlang(line.replace(/^(\d+) at \d+/, "$1"))
    return told.endsWith(": ok") && stops.has(Number.parseInt(told, 10))
      ? told.replace(/ok$/, "exited: shutdown")
      : told
  }),
  journal: journal.map(group => group.map(line => line.replace(/ at \d+$/, ""))),
  ends: ends.map(inErlang),
  listing: listing.map(inErlang)
})

/** OTP does not say how often it restarted, and a supervisor that gives up ends with no more than `shutdown`. */
const inErlang = (line: string): string =>
  line
    .replaceAll("shutdown(reached_max_restart_intensity)", "shutdown")
    .replace(/(worker|supervisor) \w+ restarts=\d+/g, "$1")
