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

const inputTags: ReadonlySet<string> = new Set([
  "Tick",
  "Received",
  "Gathered",
  "Submit",
  "Flush",
  "Apply",
  "Probe",
  "InstallSnapshot",
  "SnapshotDelivered",
  "SnapshotFailed"
])

export const isDriverInput = (message: { readonly _tag: string }): message is DriverInput => inputTags.has(message._tag)
