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

/**
 * What the tracker was last told. `leader` is `null` while there is none.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Leadership = Schema.Struct({ leader: Schema.NullOr(Schema.String), term: Schema.NonNegativeInt })

/**
 * @since 0.1.0
 * @category protocol
 */
export class LeaderTrackerProtocol extends RpcGroup.make(
  Rpc.make("Get", { success: Leadership }),
  Rpc.make("Changed", { payload: Leadership })
) {}

/**
 * Tells the store's tracker, if it is up, of a change that its Raft member saw.
 *
 * @since 0.1.0
 * @category notices
 */
export const notify =
  (store: string, table: ProcessTable["Type"]) =>
  (change: RaftCore.RoleChanged): Effect.Effect<void> =>
    GenServer.named(LeaderTrackerProtocol, StoreNames.leaderTracker(store))
      .cast("Changed", { leader: change.leader ?? null, term: change.term })
      .pipe(Effect.provideService(ProcessTable, table))

/**
 * @since 0.1.0
 * @category constructors
 */
export const startLink = (store: string) =>
  GenServer.startLink(
    GenServer.make(LeaderTrackerProtocol, {
      init: (_: GenServer.Self<never>) => Effect.succeed<typeof Leadership.Type>({ leader: null, term: 0 }),
      handlers: {
        Get: (_, known) => GenServer.reply(known, known),
        Changed: (now, known) =>
          (now.leader === known.leader
            ? Effect.void
            : Effect.logInfo(
                now.leader === null
                  ? `store ${store}: no leader in term ${now.term}`
                  : `store ${store}: ${now.leader} leads in term ${now.term}`
              )
          ).pipe(Effect.as(GenServer.reply<void, typeof now>(undefined, now)))
      }
    }),
    { name: StoreNames.leaderTracker(store) }
  )
