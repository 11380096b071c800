/** Where a store lives whose machine loses its power: in one process, or in the three of a cluster that all lose it at once. Data lie in `data` in a folder. */
import { join } from "node:path"
import process from "node:process"
import { fileURLToPath } from "node:url"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as Client from "../../packages/client/dist/Client.js"
import * as EventStore from "../../packages/db/dist/EventStore.js"
import * as ProcessCluster from "../../packages/testkit/dist/ProcessCluster.js"
import { recorded, run } from "./recording.mjs"

const life = fileURLToPath(new URL("life.mjs", import.meta.url))
const program = fileURLToPath(new URL("../../apps/node/bin/reckon.js", import.meta.url))

/** What lives do with their logs: cut them, and make the store durable, many times; or so seldom that WALs grow long enough to be copied by a thread. */
const settings = {
  often: { persistenceInterval: 700, log: { entriesMax: 100, bytesMax: "1MiB", tailEntries: 10, tailBytes: "16KiB" } },
  seldom: {}
}

const environment = {
  often: {
    RECKON_PERSISTENCE_INTERVAL: "700 millis",
    RECKON_LOG_ENTRIES_MAX: "100",
    RECKON_LOG_BYTES_MAX: "1MiB",
    RECKON_LOG_TAIL_ENTRIES: "10",
    RECKON_LOG_TAIL_BYTES: "16KiB"
  },
  seldom: {}
}

/** The store that is embedded with its data in the folder, until the scope closes. */
export const storeIn = (folder, cuts = "seldom") =>
  Effect.map(Layer.build(EventStore.layer({ dataDir: join(folder, "data"), ...settings[cuts] })), context =>
    Context.get(context, EventStore.EventStore)
  )

/** The store of the cluster at the endpoints. */
export const storeOf = endpoints => Client.make({ endpoints })

/** One process. */
export const embedded = {
  open: storeIn,
  live: ({ appends, cuts, folder, library, log }) =>
    run([life, folder, String(appends), cuts], recorded({ folder, library, log }))
}

const clusterIn = (folder, environment) =>
  Effect.flatMap(ProcessCluster.freeBasePort, basePort =>
    ProcessCluster.make({ program, basePort, dataDir: join(folder, "data"), environment })
  )

/** Ends a node now and then, by chance. While it is away the others cut their logs, so that it may need a snapshot. */
const killSometimes = cluster =>
  Effect.gen(function* () {
    const statuses = yield* cluster.statuses
    const chosen = statuses[Math.floor((yield* Random.next) * statuses.length)]
    // None where no node answers at this moment.
    if (chosen !== undefined) process.kill(chosen.pid, "SIGKILL")
  }).pipe(Effect.repeat(Schedule.spaced("3 seconds")), Effect.delay("2 seconds"))

/** Three nodes. */
export const cluster = {
  open: folder => Effect.flatMap(clusterIn(folder, {}), ({ endpoints }) => storeOf(endpoints)),
  live: ({ appends, cuts, folder, library, log }) => {
    const env = recorded({ folder, library, log })
    return Effect.runPromise(
      Effect.gen(function* () {
        const found = yield* clusterIn(folder, { ...env, ...environment[cuts] })
        const living = Effect.promise(() => run([life, folder, String(appends), cuts, found.endpoints.join(",")], env))
        // It never ends by itself: where it cannot kill, the life fails.
        yield* Effect.raceFirst(living, killSometimes(found))
        yield* found.interrupt
      }).pipe(Effect.scoped)
    )
  }
}
