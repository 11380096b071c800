/**
 * A member's dealings with snapshots: those it sends, those it is sent, and the one that a crash kept from its place.
 */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Folder from "../../Folder.js"
import * as Membership from "../../Membership.js"
import type { InstallSnapshot } from "../../Message.js"
import { RaftLogError } from "../../RaftError.js"
import type { SnapshotDelivered, SnapshotFailed } from "../../RaftInput.js"
import type { RaftLog } from "../../RaftLog.js"
import type { RaftTransport } from "../../RaftTransport.js"
import type { Snapshot } from "../../Snapshot.js"
import { type Receipt, type SnapshotChunk, SnapshotRefused } from "../../SnapshotChunk.js"
import type { StateMachine } from "../../StateMachine.js"
import type { Admission } from "../driver/admission.js"
import { baseOf } from "../driver/base.js"
import * as Courier from "./courier.js"
import * as Inbox from "./inbox.js"
import { rules } from "./rules.js"

export interface Snapshots {
  readonly courier: Courier.Courier | undefined
  readonly take: (chunk: SnapshotChunk) => Effect.Effect<Receipt, SnapshotRefused>
  /** Puts a snapshot that is all here in the machine's place. That it cannot be is a defect: the log relies on it. */
  readonly install: (snapshot: Pick<Snapshot, "index" | "term">) => Effect.Effect<void>
  /** Does what a crash left undone: the log begins after a snapshot that the machine has not got yet. */
  readonly recover: Effect.Effect<void, RaftLogError>
}

const refuseAll = (): Effect.Effect<Receipt, SnapshotRefused> =>
  Effect.fail(new SnapshotRefused({ reason: "unreadable", detail: "its machine takes no snapshots" }))

/** Beside the log; a log in memory has its files where the system keeps what need not last. */
const directoryOf = (filename: string): Effect.Effect<string, never, Scope.Scope> =>
  filename === ":memory:"
    ? Effect.acquireRelease(
        Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "reckon-raft-"))),
        directory => Effect.sync(() => fs.rmSync(directory, { recursive: true, force: true }))
      )
    : Effect.sync(() => {
        const directory = path.join(path.dirname(filename), "snapshots")
        Folder.make(directory)
        return directory
      })

export const make = (options: {
  readonly group: string
  readonly self: Membership.MemberId
  readonly voters: ReadonlyArray<Membership.MemberId>
  readonly transport: Context.Tag.Service<RaftTransport>
  readonly log: Context.Tag.Service<RaftLog>
  readonly machine: Context.Tag.Service<StateMachine>
  readonly admission: Admission
  readonly wake: (input: InstallSnapshot | SnapshotDelivered | SnapshotFailed) => void
}): Effect.Effect<Snapshots, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { admission, log, machine, wake } = options

    const hole = (detail: string) => {
      const { index } = log.base()
      return new RaftLogError({
        filename: log.filename,
        detail:
          `it begins after entry ${index}, but the state machine has only those up to ${machine.appliedIndex()}, and ${detail}. ` +
          "The state machine's file is an older copy: bring both files back as they were at one moment. A member of a group without them can be started with an empty folder: it is sent everything again"
      })
    }

    /** The machine never has what the log has not got yet: the log is the one that is older, or gone. */
    const isComplete = Effect.suspend(() => {
      const lastIndex = log.lastIndex()
      const applied = machine.appliedIndex()
      if (applied <= lastIndex) return Effect.void
      return new RaftLogError({
        filename: log.filename,
        detail:
          `it ends at entry ${lastIndex}, but the state machine has applied ${applied}: the file is an older copy, or a new one in the place of one that is lost. ` +
          "Bring it back as it was when the machine's file was last written. A member of a group without it can be started with an empty folder: it is sent everything again"
      })
    })

    const beginning = (hasSnapshot: boolean) =>
      rules.beginning({ appliedIndex: machine.appliedIndex(), baseIndex: log.base().index, hasSnapshot })

    const noSnapshot = "no snapshot is there to fill the gap"

    if (machine.persist === undefined || machine.snapshot === undefined || machine.install === undefined) {
      return {
        courier: undefined,
        take: refuseAll,
        install: () => Effect.dieMessage("a machine that takes no snapshots was to install one"),
        recover: Effect.zipRight(
          isComplete,
          Effect.suspend(() => (beginning(false) === "go_on" ? Effect.void : hole(noSnapshot)))
        )
      }
    }
    const { install: putInPlace, snapshot: copy } = machine
    const directory = yield* directoryOf(log.filename)

    const inbox = yield* Inbox.make({
      directory,
      unreadable: ({ machineVersion }) => {
        const supported = machine.version?.().supported ?? 0
        return machineVersion <= supported
          ? undefined
          : `it is of version ${machineVersion}, its machine knows those up to ${supported}`
      },
      baseIndex: () => log.base().index,
      whole: ({ from, incarnation, isTentative, snapshot, term, to }) =>
        wake({ _tag: "InstallSnapshot", from, to, term, incarnation, isTentative, snapshot })
    })

    const courier = yield* Courier.make({
      directory,
      group: options.group,
      self: options.self,
      transport: options.transport,
      copy,
      claim: admission.claim,
      appliedIndex: machine.appliedIndex,
      machineVersion: () => machine.version?.().effective ?? 0,
      describe: index => {
        const history = Membership.fromLog(baseOf(log, options.voters).configuration, log.configurations())
        return { term: log.term(index), configuration: Membership.at(history, index) }
      },
      ended: wake
    })

    const install = (at: Pick<Snapshot, "index" | "term">) =>
      Effect.suspend(() => {
        const file = inbox.find(at)
        if (file === undefined) return Effect.dieMessage(`the snapshot of index ${at.index} is not where it was put`)
        return Effect.zipRight(
          Effect.orDie(putInPlace(file)),
          Effect.zipRight(
            Effect.logInfo(`${options.group}: ${options.self} installed a snapshot of index ${at.index}`),
            Effect.sync(() => inbox.discard(at.index))
          )
        )
      })

    const take = (chunk: SnapshotChunk): Effect.Effect<Receipt, SnapshotRefused> =>
      admission.admits(chunk, "InstallSnapshot")
        ? inbox.take(chunk)
        : Effect.zipRight(
            admission.report(chunk),
            new SnapshotRefused({
              reason: "foreign",
              detail: `${options.self} takes none from outside its incarnation of the group`
            })
          )

    return {
      courier,
      take,
      install,
      recover: Effect.gen(function* () {
        yield* isComplete
        const base = log.base()
        const file = machine.appliedIndex() < base.index ? inbox.find(base) : undefined
        const isSound = file !== undefined && (yield* inbox.isSound(file))
        switch (beginning(isSound)) {
          case "go_on":
            return inbox.discard(machine.appliedIndex())
          case "install":
            return yield* install(base)
          case "refuse":
            return yield* hole(
              file === undefined ? noSnapshot : `the snapshot that was to fill the gap, ${file}, is damaged`
            )
        }
      })
    }
  })
