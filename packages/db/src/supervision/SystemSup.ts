/**
 * `system_sup`: one store, whole. rest_for_one: a gateway must not outlive the core that it speaks for.
 *
 * @since 0.1.0
 */
import * as Supervisor from "@reckon/otp/Supervisor"
import type { Store } from "../Store.js"
import * as StoreNames from "../StoreNames.js"
import { coreSup } from "./CoreSup.js"
import { gatewaySup } from "./GatewaySup.js"

/**
 * @since 0.1.0
 * @category supervisors
 */
export const systemSup = (store: Store) =>
  Supervisor.supervisor(StoreNames.systemSup(store.id), {
    name: StoreNames.systemSup(store.id),
    strategy: "rest_for_one",
    intensity: 5,
    period: "30 seconds",
    children: [coreSup(store), gatewaySup(store)]
  })
