import { assert, describe, it } from "@effect/vitest"
import { holds, type Play, predictions, settingsOf } from "./model/property.js"
import { Stage } from "./model/stage.js"
import { type History, history, movesOf } from "./model/treeHistories.js"
import { TreeModel } from "./model/treeModel.js"
import { TreeStage } from "./model/treeStage.js"
import { showFlags, showMove, showTreeCall, type TreeMove } from "./model/vocabulary.js"

const playOf = (history: History, startedMillis: number): Play<TreeMove> => {
  const model = new TreeModel()
  const stage = new Stage(startedMillis)
  const answering = () => model.supervisors.filter(each => !each.isHeld).map(each => each.instance.path)
  const tree = new TreeStage(stage, answering)
  return {
    moves: movesOf(history, model),
    show: showMove(showFlags, showTreeCall),
    predict: move => model.apply(move),
    nowMillis: () => model.nowMillis,
    loose: model.loose,
    orphans: model.orphans,
    real: {
      observe: stage.observe,
      play: (move, millis) => stage.play(tree, move, millis),
      close: stage.leftovers
    }
  }
}

describe("Supervisor and its model", () => {
  const settings = settingsOf(1_600)
  it.effect(
    "agree on every answer, start, stop, end and listing, in random histories of trees up to three deep",
    () => holds("Supervisor", history, playOf, settings),
    300_000
  )

  const met = predictions(history, playOf)
  it.each([
    ["a restart that waits for its next try", / restarting /],
    ["calls that find a child restarting", /^\d+ at \d+: restarting$/m],
    ["calls that find a child running", /^\d+ at \d+: running$/m],
    ["calls that find no such child", /^\d+ at \d+: not_found$/m],
    ["calls that find no supervisor", /^\d+ at \d+: noproc$/m],
    ["calls that are cut off by the supervisor's end", /^\d+ at \d+: exited: shutdown\(reached/m],
    ["ids that are in use", /: already_present$/m],
    ["children that run already", /: already_started top/],
    ["names that are taken", /: already_started elsewhere$/m],
    ["specs that are wrong", /: (bad_combination|duplicate_child_name|invalid_intensity)$/m],
    ["starts that are ignored", /: ignored$/m],
    ["starts that fail far below", /StartFailed: shutdown\(failed \w: shutdown\(failed \w: crash/],
    ["supervisors that give up, at every depth", /^top(\/\w){2}#\d+: shutdown\(reached/m]
  ])("the histories meet %s", (_, what) => assert.match(met, what))
})
