/**
 * `core_sup`: what a store cannot do without. one_for_all: its parts share the files and each other's state.
 *
 * @since 0.1.0
 */
import * as Supervisor from "@reckon/otp/Supervisor"
import * as Effect from "effect/Effect"
import type { Store } from "../Store.js"
import * as StoreNames from "../StoreNames.js"
import { notificationSup } from "./NotificationSup.js"
import { persistenceSup } from "./PersistenceSup.js"

/** `store_mgr`: says when the store's core is up, and when it is not. */
const storeMgr = (store: Store) =>
  Effect.gen(function* () {
    yield* Effect.logInfo(`store ${store.id}: started, its events are in ${store.storage.place}`)
    yield* Effect.addFinalizer(() => Effect.logInfo(`store ${store.id}: stopped`))
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
