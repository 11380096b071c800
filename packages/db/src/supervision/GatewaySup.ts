/**
 * `gateway_sup`: the workers that serve the store's clients on this node.
 *
 * @since 0.1.0
 */
import * as GatewayWorker from "@reckon/gater/GatewayWorker"
import * as Supervisor from "@reckon/otp/Supervisor"
import * as Arr from "effect/Array"
import type { Store } from "../Store.js"
import * as StoreNames from "../StoreNames.js"

/**
 * @since 0.1.0
 * @category supervisors
 */
export const gatewaySup = (store: Store) =>
  Supervisor.supervisor(StoreNames.gatewaySup(store.id), {
    name: StoreNames.gatewaySup(store.id),
    strategy: "one_for_one",
    intensity: 15,
    period: "60 seconds",
    children: Arr.makeBy(store.config.gatewayPoolSize, at => {
      const processName = StoreNames.gatewayWorker(store.id, at + 1)
      return Supervisor.worker(
        processName,
        GatewayWorker.startLink({ store: store.id, processName, backend: store.backend })
      )
    })
  })
