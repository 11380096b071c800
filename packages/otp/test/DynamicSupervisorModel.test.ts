import { type History, history, movesOf } from "./model/dynamicHistories.js"
import { DynamicModel, type DynamicMove, showDynamicCall, showTemplate } from "./model/dynamicModel.js"
import { DynamicStage } from "./model/dynamicStage.js"
import { agree, type Play } from "./model/property.js"
import { Stage } from "./model/stage.js"
import { showMove } from "./model/vocabulary.js"

const playOf = (history: History, startedMillis: number): Play<DynamicMove> => {
  const model = new DynamicModel()
  const stage = new Stage(startedMillis)
  const isAnswering = () => model.template !== undefined && !model.isHeld
  const real = stage.playing(new DynamicStage(stage, isAnswering))
  return { moves: movesOf(history, model), show: showMove(showTemplate, showDynamicCall), model, real }
}

agree("DynamicSupervisor", 600, history, playOf, [
  ["a restart that waits for its next try", /- restarting /],
  ["children that are gone, and strangers", /: not_found$/m],
  ["more children than there may be", /: max_children$/m],
  ["questions by id", /: simple_one_for_one$/m],
  ["names that are taken", /: already_started elsewhere$/m],
  ["starts that are ignored", /: ignored$/m],
  ["starts that fail, with the start's own error", /: StartFailed: crash$/m],
  ["templates that are wrong", /: invalid_intensity$/m],
  ["wrong templates for a supervisor that is gone", /: Reconfigure \{.* -1\/.*\n\d+ at \d+: noproc$/m],
  ["an init that runs again", /: RunInit\n\d+ at \d+: ok$/m],
  ["calls that find no supervisor", /: noproc$/m],
  ["calls that are cut off by the supervisor's end", /: exited: shutdown\(reached/]
])
