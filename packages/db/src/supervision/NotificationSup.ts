/**
 * `notification_sup`: who leads, and (from there on) who is told of events. rest_for_one: emitters depend on the leader's processes.
 *
 * @since 0.1.0
 */
import * as Supervisor from "@reckon/otp/Supervisor"
import * as LeaderTracker from "../LeaderTracker.js"
import type { Store } from "../Store.js"
import * as StoreNames from "../StoreNames.js"

const leaderSup = (store: Store) =>
  Supervisor.supervisor(StoreNames.leaderSup(store.id), {
    name: StoreNames.leaderSup(store.id),
    strategy: "rest_for_one",
    intensity: 5,
    period: "30 seconds",
    children: [
      Supervisor.worker(StoreNames.leaderTracker(store.id), LeaderTracker.startLink(store.id, store.leadership))
    ]
  })

/** Bare until there are persistent subscriptions, each of which brings an emitter pool. Live ones read the store themselves. */
const emitterSup = (store: Store) =>
  Supervisor.supervisor(StoreNames.emitterSup(store.id), {
    name: StoreNames.emitterSup(store.id),
    strategy: "one_for_one",
    intensity: 10,
    period: "60 seconds",
    children: []
  })

/**
 * @since 0.1.0
 * @category supervisors
 */
export const notificationSup = (store: Store) =>
  Supervisor.supervisor(StoreNames.notificationSup(store.id), {
    name: StoreNames.notificationSup(store.id),
    strategy: "rest_for_one",
    intensity: 5,
    period: "30 seconds",
    children: [leaderSup(store), emitterSup(store)]
  })
