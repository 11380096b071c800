import * as fs from "node:fs"
import * as Effect from "effect/Effect"
import * as EventStore from "../../src/EventStore.js"
import { event } from "./events.js"

const [dataDir = "", callers = "8"] = process.argv.slice(2)
const step = Number(callers)

/**
 * Appends to the embedded store in the folder named on the command line, by so many callers at once as the second argument says, and tells the number of each event that was
 * acknowledged, until it is killed. Caller `n` of 8 writes the events `n`, `n + 8`, … to a stream of its own. "ready" comes first.
 */
const main = Effect.gen(function* () {
  const store = yield* EventStore.EventStore
  const say = (line: string) => Effect.sync(() => fs.writeSync(1, `${line}\n`))
  yield* say("ready")
  yield* Effect.forEach(
    Array.from({ length: step }, (_, caller) => caller),
    caller =>
      Effect.iterate(caller, {
        while: () => true,
        body: n =>
          store.append(`s${caller}`, "any", [event(n)]).pipe(Effect.zipRight(say(String(n))), Effect.as(n + step))
      }),
    { concurrency: "unbounded" }
  )
  yield* Effect.never
})

await Effect.runPromise(Effect.provide(main, EventStore.layer({ dataDir })))
