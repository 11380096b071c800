import type { InstallSnapshot, Message } from "../../Message.js"
import type * as RaftCore from "../../RaftCore.js"

/** What the process sends itself. Everything else it learns comes in through `Driver.receive` and the like, which send these. */
export type DriverInput =
  | { readonly _tag: "Tick" }
  | { readonly _tag: "Received"; readonly messages: ReadonlyArray<Message> }
  | { readonly _tag: "Gathered" }
  | { readonly _tag: "Submit" }
  | { readonly _tag: "Flush" }
  | { readonly _tag: "Apply" }
  | { readonly _tag: "Probe" }
  | InstallSnapshot
  | RaftCore.SnapshotDelivered
  | RaftCore.SnapshotFailed

const inputTags: Readonly<Record<DriverInput["_tag"], true>> = {
  Tick: true,
  Received: true,
  Gathered: true,
  Submit: true,
  Flush: true,
  Apply: true,
  Probe: true,
  InstallSnapshot: true,
  SnapshotDelivered: true,
  SnapshotFailed: true
}

export const isDriverInput = (message: { readonly _tag: string }): message is DriverInput =>
  Object.hasOwn(inputTags, message._tag)
