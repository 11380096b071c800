/** Whether a store kept what it promised, after the power was lost: started again, it has all that it told of, whole and in its place, and takes more. */
import { readdirSync } from "node:fs"
import { join } from "node:path"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as Stream from "effect/Stream"
import * as Event from "../../packages/client/dist/Event.js"
import { Database } from "../../packages/raft/dist/Sqlite.js"

const shownMax = 5

const name = (stream, version) => `${stream} ${version}`

const look = (open, told) =>
  Effect.gen(function* () {
    const store = yield* open
    const wrong = []
    const places = new Map()
    const together = []
    const versions = new Map()
    let end = 0
    yield* Stream.runForEach(store.readAllStream(), event =>
      Effect.gen(function* () {
        const { position, streamId, version } = event
        const due = (versions.get(streamId) ?? -1) + 1
        if (position !== end) wrong.push(`position ${position} follows ${end - 1}`)
        if (version !== due) wrong.push(`version ${version} of ${streamId} where ${due} is due`)
        end = position + 1
        versions.set(streamId, version)
        places.set(name(streamId, version), position)
        const data = yield* Event.decodeData(event)
        if (data.stream !== streamId || data.version !== version)
          wrong.push(`${name(streamId, version)} has other data`)
        if (data.together !== null) together.push([name(streamId, version), name(...data.together)])
      })
    )
    for (const [one, other] of together) if (!places.has(other)) wrong.push(`${one} is there without ${other}`)
    for (const [what, stream, version, position] of told) {
      if (what === "event" && places.get(name(stream, version)) !== Number(position)) {
        wrong.push(
          `${name(stream, version)} was acknowledged at ${position}, and is at ${places.get(name(stream, version))}`
        )
      }
      if (what === "snapshot" && !(yield* store.hasSnapshot(stream, { version: Number(version) }))) {
        wrong.push(`the snapshot of ${name(stream, version)} was acknowledged, and is gone`)
      }
    }
    const { position } = yield* store.append("afterwards", "no_stream", [yield* Event.json({ type: "A", data: 0 })])
    if (position !== end) wrong.push(`what is appended afterwards is at ${position}, not ${end}`)
    return wrong
  })

const checkFiles = folder =>
  readdirSync(folder, { recursive: true })
    .filter(file => file.endsWith(".sqlite"))
    .flatMap(file => {
      const database = new Database(join(folder, file), { readonly: true })
      const found = database.pragma("integrity_check", { simple: true })
      database.close()
      return found === "ok" ? [] : [`${file}: ${found}`]
    })

/** What is wrong, in words; nothing where all held. */
export const judge = async (host, folder, told) => {
  const limited = look(host.open(folder), told).pipe(Effect.scoped, Effect.timeout("2 minutes"), Effect.exit)
  const exit = await Effect.runPromise(Effect.provide(limited, Logger.remove(Logger.defaultLogger)))
  const wrong = Exit.isFailure(exit) ? [Cause.pretty(exit.cause)] : [...exit.value, ...checkFiles(folder)]
  return wrong.length <= shownMax ? wrong : [...wrong.slice(0, shownMax), `and ${wrong.length - shownMax} more`]
}
