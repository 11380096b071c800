/** What is measured, on what. */
import type * as Effect from "effect/Effect"
import * as naive from "./naive.js"
import * as reckon from "./reckon.js"

export interface Figure {
  readonly title: string
  /** Whether a higher value is the better one, as with rates. */
  readonly higherIsBetter: boolean
  readonly reckon: Effect.Effect<number, unknown>
  readonly naive?: Effect.Effect<number, unknown>
  /** Its name in `otp_bench.erl`. */
  readonly erlang: string
  /** How many times as good as the peer it is to be. */
  readonly aims?: { readonly naive: number; readonly erlang: number }
}

export const figures: ReadonlyArray<Figure> = [
  {
    title: "calls/s, 1 caller",
    higherIsBetter: true,
    reckon: reckon.calls(1),
    naive: naive.calls(1),
    erlang: "calls1",
    aims: { naive: 5, erlang: 0.75 }
  },
  {
    title: "calls/s, 16 callers",
    higherIsBetter: true,
    reckon: reckon.calls(16),
    naive: naive.calls(16),
    erlang: "calls16",
    aims: { naive: 5, erlang: 1 }
  },
  {
    title: "casts/s, one sender (Reckon: mailbox of 200,000; others unbounded)",
    higherIsBetter: true,
    reckon: reckon.casts,
    naive: naive.casts,
    erlang: "casts"
  },
  {
    title: "spawns/s, 100,000 monitored until dead (naive: bare fibers)",
    higherIsBetter: true,
    reckon: reckon.spawns,
    naive: naive.spawns,
    erlang: "spawns"
  },
  {
    title: "bytes per idle server, of 20,000",
    higherIsBetter: false,
    reckon: reckon.idleBytes,
    naive: naive.idleBytes,
    erlang: "idleBytes"
  },
  {
    title: "restarts/s, one child killed again and again",
    higherIsBetter: true,
    reckon: reckon.restartsOfOne,
    erlang: "restartsOfOne"
  },
  {
    title: "restarts/s, 10,000 children killed at once",
    higherIsBetter: true,
    reckon: reckon.restartsOfAll,
    erlang: "restartsOfAll"
  },
  {
    title: "ms to stop a supervisor of 10,000",
    higherIsBetter: false,
    reckon: reckon.stopMillis,
    erlang: "stopMillis"
  },
  {
    title: "ms to stop a dynamic supervisor of 10,000",
    higherIsBetter: false,
    reckon: reckon.stopDynamicMillis,
    erlang: "stopDynamicMillis"
  }
]
