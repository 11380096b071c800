import * as Process from "@reckon/otp/Process"
import * as Layer from "effect/Layer"
import { quickTime } from "../../../otp/test/helpers/quickTime.js"

/** Processes, in a time that passes as soon as it may. */
export const processes = Layer.provideMerge(Process.layer, quickTime)
