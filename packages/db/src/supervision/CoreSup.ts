/**
 * `core_sup`: what a store cannot do without. one_for_all: its parts share the files and each other's state.
 *
 * @since 0.1.0
 */
import * as ExitReason from "@reckon/otp/ExitReason"
import * as Supervisor from "@reckon/otp/Supervisor"
import * as Effect from "effect/Effect"
import type { Store } from "../Store.js"
import * as StoreNames from "../StoreNames.js"
import * as TelemetryEvents from "../TelemetryEvents.js"
import { notificationSup } from "./NotificationSup.js"
import { persistenceSup } from "./PersistenceSup.js"

/** `store_mgr`: says when the store's core is up, and when it is not. */
const storeMgr = ({ config, id, storage, telemetry }: Store) =>
  Effect.gen(function* () {
    const { mode } = config
    const clock = yield* Effect.clock
    const begun = clock.unsafeCurrentTimeNanos()
    yield* telemetry.execute(TelemetryEvents.storeStarted, {}, { store_id: id, mode, data_dir: storage.place })
    yield* Effect.addFinalizer(exit =>
      telemetry.execute(
        TelemetryEvents.storeStopped,
        () => ({ uptime_ms: Number((clock.unsafeCurrentTimeNanos() - begun) / 1_000_000n) }),
        { store_id: id, reason: ExitReason.fromExit(exit)._tag }
      )
    )
  })

/**
 * @since 0.1.0
 * @category supervisors
 */
export const coreSup = (store: Store) =>
  Supervisor.supervisor(StoreNames.coreSup(store.id), {
    name: StoreNames.coreSup(store.id),
    strategy: "one_for_all",
    intensity: 5,
    period: "30 seconds",
    children: [
      persistenceSup(store),
      notificationSup(store),
      Supervisor.scoped(StoreNames.storeMgr(store.id), storeMgr(store))
    ]
  })
