import { assert, describe, it } from "@effect/vitest"
import { type History, history, movesOf } from "./model/dynamicHistories.js"
import { DynamicModel, type DynamicMove, showDynamicCall, showTemplate } from "./model/dynamicModel.js"
import { DynamicStage } from "./model/dynamicStage.js"
import { holds, type Play, predictions, settingsOf } from "./model/property.js"
import { Stage } from "./model/stage.js"
import { showMove } from "./model/vocabulary.js"

const playOf = (history: History, startedMillis: number): Play<DynamicMove> => {
  const model = new DynamicModel()
  const stage = new Stage(startedMillis)
  const crew = new DynamicStage(stage, () => model.template !== undefined && !model.isHeld)
  return {
    moves: movesOf(history, model),
    show: showMove(showTemplate, showDynamicCall),
    predict: move => model.apply(move),
    nowMillis: () => model.nowMillis,
    loose: model.loose,
    orphans: new Set(),
    real: {
      observe: stage.observe,
      play: (move, millis) => stage.play(crew, move, millis),
      close: crew.close
    }
  }
}

describe("DynamicSupervisor and its model", () => {
  const settings = settingsOf(600)
  it.effect(
    "agree on every answer, start, stop, end and listing, in random histories",
    () => holds("DynamicSupervisor", history, playOf, settings),
    300_000
  )

  const met = predictions(history, playOf)
  it.each([
    ["a restart that waits for its next try", /- restarting /],
    ["children that are gone, and strangers", /: not_found$/m],
    ["more children than there may be", /: max_children$/m],
    ["questions by id", /: simple_one_for_one$/m],
    ["names that are taken", /: already_started elsewhere$/m],
    ["starts that are ignored", /: ignored$/m],
    ["starts that fail, with the start's own error", /: StartFailed: crash$/m],
    ["templates that are wrong", /: invalid_intensity$/m],
    ["calls that find no supervisor", /: noproc$/m],
    ["calls that are cut off by the supervisor's end", /: exited: shutdown\(reached/]
  ])("the histories meet %s", (_, what) => assert.match(met, what))
})
