import { agree, type Play } from "./model/property.js"
import { Stage } from "./model/stage.js"
import { type History, history, movesOf } from "./model/treeHistories.js"
import { TreeModel } from "./model/treeModel.js"
import { TreeStage } from "./model/treeStage.js"
import { showFlags, showMove, showTreeCall, type TreeMove } from "./model/vocabulary.js"

/** Trees up to three deep. */
const playOf = (history: History, startedMillis: number): Play<TreeMove> => {
  const model = new TreeModel()
  const stage = new Stage(startedMillis)
  const answering = () => model.supervisors.filter(each => !each.isHeld).map(each => each.instance.path)
  const real = stage.playing(new TreeStage(stage, answering))
  return { moves: movesOf(history, model), show: showMove(showFlags, showTreeCall), model, real }
}

agree("Supervisor", 1_600, history, playOf, [
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
  ["wrong specs for a supervisor that is gone", /: Reconfigure \{\w+ -1\/.*\n\d+ at \d+: noproc$/m],
  ["wrong children for a supervisor that is gone", /: StartChild a\(permanent significant\)\n\d+ at \d+: noproc$/m],
  ["an init that runs again", /: RunInit\n\d+ at \d+: ok$/m],
  ["starts that are ignored", /: ignored$/m],
  ["starts that fail far below", /StartFailed: shutdown\(failed \w: shutdown\(failed \w: crash/],
  ["supervisors that give up, at every depth", /^top(\/\w){2}#\d+: shutdown\(reached/m]
])
