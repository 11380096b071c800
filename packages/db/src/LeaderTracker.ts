/**
 * `leader_tracker`: knows who leads the store, and says so when it changes.
 *
 * @since 0.1.0
 */
import * as Rpc from "@effect/rpc/Rpc"
import * as RpcGroup from "@effect/rpc/RpcGroup"
import * as GenServer from "@reckon/otp/GenServer"
import { ProcessTable } from "@reckon/otp/Process"
import type * as RaftCore from "@reckon/raft/RaftCore"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as StoreNames from "./StoreNames.js"
import type { Telemetry } from "./Telemetry.js"
import * as TelemetryEvents from "./TelemetryEvents.js"

/**
 * What the tracker was last told. `leader` is `null` while there is none.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Leadership = Schema.Struct({ leader: Schema.NullOr(Schema.String), term: Schema.NonNegativeInt })

/**
 * @since 0.1.0
 * @category models
 */
export type Leadership = typeof Leadership.Type

/**
 * @since 0.1.0
 * @category protocol
 */
export class LeaderTrackerProtocol extends RpcGroup.make(
  Rpc.make("Get", { success: Leadership }),
  Rpc.make("Changed", { payload: Leadership })
) {}

// -----------------------------------------------------------------------------
// what the store's Raft member sees
// -----------------------------------------------------------------------------

/**
 * What a store's Raft member has seen of its leaders. It outlives the tracker, which may not be up yet when there is something to see, and finds it here when it starts.
 *
 * @since 0.1.0
 * @category models
 */
export interface Watch {
  readonly current: () => Leadership
  /** Takes note of a change, executes its telemetry events and tells the tracker, if it is up. */
  readonly onRoleChanged: (change: RaftCore.RoleChanged) => Effect.Effect<void>
}

/**
 * One for the life of a store. `previous_leader` of the events is the last leader that it saw.
 *
 * @since 0.1.0
 * @category constructors
 */
export const watch = (options: {
  readonly store: string
  readonly node: string
  readonly telemetry: Telemetry["Type"]
  readonly table: ProcessTable["Type"]
  /** Called when there is no leader any more. */
  readonly onLost: () => void
}): Watch => {
  const { node, onLost, store, table, telemetry } = options
  const tracker = GenServer.named(LeaderTrackerProtocol, StoreNames.leaderTracker(store))
  let known: Leadership = { leader: null, term: 0 }
  /** The last one that there was. */
  let elected: Leadership = known

  return {
    current: () => known,
    onRoleChanged: ({ leader = null, role, term }) =>
      Effect.suspend(() => {
        const isLost = leader === null && known.leader !== null
        known = { leader, term }
        if (isLost) onLost()
        telemetry.unsafeExecute(TelemetryEvents.clusterRoleChanged, { term }, { store_id: store, node, role, leader })
        if (leader !== null && (leader !== elected.leader || term !== elected.term)) {
          const metadata = { store_id: store, leader, previous_leader: elected.leader }
          elected = known
          telemetry.unsafeExecute(TelemetryEvents.clusterLeaderElected, {}, metadata)
        }
        return Effect.provideService(tracker.cast("Changed", known), ProcessTable, table)
      })
  }
}

// -----------------------------------------------------------------------------
// the process
// -----------------------------------------------------------------------------

/**
 * @since 0.1.0
 * @category constructors
 */
export const startLink = (store: string, watch: Watch) =>
  GenServer.startLink(
    GenServer.make(LeaderTrackerProtocol, {
      init: (_: GenServer.Self<never>) => Effect.sync(watch.current),
      handlers: {
        Get: (_, known) => GenServer.reply(known, known),
        // A leader is announced by its event, which the default handler logs. That there is none has no event of its own.
        Changed: (now, known) =>
          (now.leader === null && known.leader !== null
            ? Effect.logInfo(`store ${store}: no leader in term ${now.term}`)
            : Effect.void
          ).pipe(Effect.as(GenServer.reply<void, Leadership>(undefined, now)))
      }
    }),
    { name: StoreNames.leaderTracker(store) }
  )
