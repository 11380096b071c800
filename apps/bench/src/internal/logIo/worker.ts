/** A thread that does nothing but commit what it is sent, and says so. */
import { parentPort, workerData } from "node:worker_threads"
import * as Schema from "effect/Schema"
import { open } from "./store.js"

const { filename, slowMillis } = Schema.decodeUnknownSync(
  Schema.Struct({ filename: Schema.String, slowMillis: Schema.Number })
)(workerData)
const store = open(filename, slowMillis)

parentPort?.on("message", (payloads: ReadonlyArray<Uint8Array>) => {
  store.commit(payloads)
  parentPort?.postMessage("done")
})
