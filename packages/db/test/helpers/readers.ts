import type { RecordedEvent } from "@reckon/client/Event"
import * as Pool from "@reckon/otp/Pool"
import * as ServiceHandle from "@reckon/otp/ServiceHandle"
import * as Effect from "effect/Effect"
import * as CommitSignal from "../../src/CommitSignal.js"
import { type Service, StoreEngine } from "../../src/StoreEngine.js"
import * as StoreNames from "../../src/StoreNames.js"
import * as StoreReader from "../../src/StoreReader.js"
import { append, applyNext, event } from "./events.js"
import { makeRaft, never } from "./raft.js"

const store = "orders"
export const workerName = (partition: number) => `${StoreNames.streamsReader(store)}/${partition}`

/** The stream that the engine below breaks on. */
export const damaged = "damaged"

const breaking = (engine: Service): Service => ({
  ...engine,
  readStream: options => {
    if (options.streamId === damaged) throw new Error("the page is damaged")
    return engine.readStream(options)
  }
})

type ReaderOptions = Parameters<typeof makeRaft>[1]

/** A store with readers, whose engine is in service once `handle` provides it. */
export const makeReaders = (
  options: {
    readonly size?: number
    readonly readBarrier?: ReaderOptions["readBarrier"]
    readonly isLed?: () => boolean
    readonly readAhead?: Service["readAhead"]
  } = {}
) =>
  Effect.gen(function* () {
    const whole = breaking(yield* StoreEngine)
    const engine: Service = { ...whole, readAhead: options.readAhead ?? whole.readAhead }
    const handle = yield* ServiceHandle.make<Service>("the engine")
    const signal = CommitSignal.make()
    const { raft } = makeRaft(engine, { fate: never, readBarrier: options.readBarrier ?? Effect.void })
    const definition = StoreReader.pool({ store, engine: handle, size: options.size ?? 4, idleStop: "1 minute" })
    const pool = yield* Pool.start(definition, { name: StoreNames.streamsReader(store) })
    const isLed = options.isLed ?? (() => true)
    const reader = StoreReader.make({ store, readers: pool, raft, engine: handle, signal, isLed })
    const write = (streamId: string, ...ns: ReadonlyArray<number>) =>
      Effect.sync(() => {
        applyNext(engine, append(streamId, "any", ...ns.map(n => event(n))))
        signal.notify(() => [streamId])
      })
    return { engine, handle, pool, reader, signal, write }
  })

/** A page of what is here. */
export const first = { from: 0, count: 100, direction: "forward", asOf: null, consistency: "local" } as const

export const ids = (events: ReadonlyArray<RecordedEvent>) => events.map(({ eventId }) => eventId)
export const idsOf = (...ns: ReadonlyArray<number>) => ns.map(n => event(n).eventId)
