/**
 * Brings snapshots to members that need one: has the machine write one to a file, and sends it piece by piece. Members that
 * need one at the same time get the same.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FiberMap from "effect/FiberMap"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { Claim } from "../../Incarnation.js"
import type { MemberId } from "../../Membership.js"
import type { SnapshotDelivered, SnapshotFailed } from "../../RaftInput.js"
import type { SendSnapshot } from "../../RaftOutput.js"
import type { RaftTransport } from "../../RaftTransport.js"
import type { Snapshot } from "../../Snapshot.js"
import { bytesMax, SnapshotRefused } from "../../SnapshotChunk.js"
import type { SnapshotError } from "../../StateMachine.js"
import * as Steady from "../steady.js"
import * as files from "./files.js"
import { rules } from "./rules.js"

export interface Courier {
  /** Sends a snapshot, in the place of one that is under way to the same member. How it ended is told through `ended`. */
  readonly send: (order: SendSnapshot) => void
  /** Breaks all off: this member leads no more. */
  readonly stop: Effect.Effect<void>
  /** What the log must still have behind it, so that a member can go on from the snapshot that it is being sent. */
  readonly floor: Effect.Effect<number>
  /** The log begins after this index now: a snapshot from before it is of no more use. */
  readonly compacted: (baseIndex: number) => void
}

/** A snapshot in a file. */
interface Parcel {
  readonly file: string
  readonly size: number
  readonly snapshot: Snapshot
  users: number
  usedMillis: number
}

/** How long the log is kept for a member whose snapshot was broken off: it may come back and take the rest. */
const patienceMillis = 30_000

/** Members that are sent a snapshot at the same time: more would share the same wire. */
const atOnce = 2

export const make = (options: {
  readonly directory: string
  readonly group: string
  readonly self: MemberId
  readonly transport: Context.Tag.Service<RaftTransport>
  /** The machine's copy of itself, written to the file. */
  readonly copy: (file: string) => Effect.Effect<{ readonly index: number }, SnapshotError>
  /** What the member says of its group. */
  readonly claim: () => Claim
  readonly appliedIndex: () => number
  readonly machineVersion: () => number
  /** What the log knows of an index that is applied. */
  readonly describe: (index: number) => Pick<Snapshot, "term" | "configuration">
  readonly ended: (input: SnapshotDelivered | SnapshotFailed) => void
}): Effect.Effect<Courier, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { directory, ended, group, self, transport } = options
    const deliveries = yield* FiberMap.make<MemberId>()
    const run = yield* FiberMap.runtime(deliveries)()
    const making = yield* Effect.makeSemaphore(1)
    const sending = yield* Effect.makeSemaphore(atOnce)
    let parcels: ReadonlyArray<Parcel> = []
    let makingFrom = Number.POSITIVE_INFINITY
    let made = 0

    const discard = (parcel: Parcel) => {
      parcels = parcels.filter(other => other !== parcel)
      fs.rmSync(parcel.file, { force: true })
    }
    yield* Effect.addFinalizer(() => Effect.sync(() => parcels.forEach(discard)))

    const pack = Effect.gen(function* () {
      makingFrom = options.appliedIndex()
      made += 1
      const file = path.join(directory, `outgoing-${made}.snapshot`)
      fs.rmSync(file, { force: true })
      const { index } = yield* options.copy(file)
      const described = options.describe(index)
      const { size } = fs.statSync(file)
      const checksum = yield* Effect.promise(() => files.checksum(file))
      const snapshot = { index, ...described, machineVersion: options.machineVersion(), checksum }
      const parcel: Parcel = { file, size, snapshot, users: 0, usedMillis: yield* Steady.millis }
      parcels = [...parcels, parcel]
      return parcel
    }).pipe(Effect.ensuring(Effect.sync(() => (makingFrom = Number.POSITIVE_INFINITY))))

    /** The newest there is, if that reaches far enough; else a new one, in the place of what nobody uses any more. */
    const obtain = (throughIndex: number) =>
      making.withPermits(1)(
        Effect.gen(function* () {
          const newest = parcels.at(-1)
          if (newest !== undefined && newest.snapshot.index >= throughIndex) return newest
          for (const parcel of parcels) if (parcel.users === 0) discard(parcel)
          return yield* pack
        })
      )

    const sendPiece = (order: SendSnapshot, { size, snapshot }: Parcel, offset: number, bytes: Uint8Array) =>
      transport.sendSnapshot(group, {
        from: self,
        to: order.to,
        term: order.term,
        ...options.claim(),
        snapshot,
        size,
        offset,
        bytes,
        checksum: files.sha256(bytes)
      })

    const deliver = (order: SendSnapshot, parcel: Parcel) =>
      Effect.gen(function* () {
        let { received } = yield* sendPiece(order, parcel, 0, new Uint8Array(0))
        while (received < parcel.size) {
          const receipt = yield* sendPiece(order, parcel, received, files.read(parcel.file, received, bytesMax))
          if (receipt.received <= received) {
            return yield* new SnapshotRefused({ reason: "damaged", detail: `the piece at ${received} was not taken` })
          }
          received = receipt.received
          parcel.usedMillis = yield* Steady.millis
        }
      })

    /** What arrived damaged, or could not be read, may be damaged here: then nobody is sent it again. */
    const examine = (parcel: Parcel, cause: Cause.Cause<SnapshotRefused>) => {
      const isTheirs = Option.exists(Cause.failureOption(cause), ({ reason }) => reason !== "damaged")
      if (isTheirs || Cause.isInterruptedOnly(cause)) return Effect.void
      return Effect.tryPromise(() => files.checksum(parcel.file)).pipe(
        Effect.match({
          onSuccess: found => rules.isSound("copy", parcel.snapshot.checksum, found),
          onFailure: () => false
        }),
        Effect.map(isSound => (isSound ? undefined : discard(parcel)))
      )
    }

    const carryOut = (order: SendSnapshot) =>
      Effect.acquireUseRelease(
        Effect.tap(obtain(order.throughIndex), parcel => {
          parcel.users += 1
        }),
        parcel => Effect.tapErrorCause(sending.withPermits(1)(deliver(order, parcel)), cause => examine(parcel, cause)),
        parcel =>
          Effect.map(Steady.millis, now => {
            parcel.users -= 1
            parcel.usedMillis = now
          })
      ).pipe(
        Effect.matchCauseEffect({
          onSuccess: () => Effect.sync(() => ended({ _tag: "SnapshotDelivered", to: order.to, term: order.term })),
          // one that was broken off, for another or because this member leads no more, nobody waits for
          onFailure: cause =>
            Cause.isInterruptedOnly(cause)
              ? Effect.void
              : Effect.zipRight(
                  Effect.logWarning(`${order.to} did not get a snapshot`, cause),
                  Effect.sync(() => ended({ _tag: "SnapshotFailed", to: order.to, term: order.term }))
                )
        })
      )

    return {
      send: order => void run(order.to, carryOut(order)),
      stop: FiberMap.clear(deliveries),
      floor: Effect.map(Steady.millis, now =>
        parcels.reduce(
          (floor, { snapshot, usedMillis, users }) =>
            users > 0 || now - usedMillis < patienceMillis ? Math.min(floor, snapshot.index) : floor,
          makingFrom
        )
      ),
      compacted: baseIndex => {
        for (const parcel of parcels) if (parcel.users === 0 && parcel.snapshot.index < baseIndex) discard(parcel)
      }
    }
  })
