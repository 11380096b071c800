/**
 * What a machine asks the world to do: data, returned by a transition beside the next state.
 *
 * Effects are carried out by the leader alone, after the entry was applied, and never for an entry that a member only catches up with. Around a change of
 * leader an effect may happen twice, or not at all. What must not be lost is therefore not an effect but state: timers and monitors are
 * kept with the machine's state on every member, and whoever begins to lead sets them up anew from there; what they bring comes back as an entry of the log, which
 * every member applies and which takes effect once.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"

/**
 * What a name of a timer, a process or a node may measure, in characters.
 *
 * @since 0.1.0
 * @category limits
 */
export const nameLengthMax = 256

/**
 * The longest time a timer can be set for, a hundred years; a longer one is cut to it.
 *
 * @since 0.1.0
 * @category limits
 */
export const timerMillisMax = 100 * 365 * 24 * 3_600_000

const Name = Schema.String.pipe(Schema.maxLength(nameLengthMax))

/**
 * What a machine can monitor: the process that has the name on a node, or a node. It is the machine's state, so it is named by what means the same on every member.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Subject = Schema.Union(
  Schema.TaggedStruct("Process", { node: Name, name: Name }),
  Schema.TaggedStruct("Node", { node: Name })
)

/**
 * @since 0.1.0
 * @category models
 */
export type Subject = typeof Subject.Type

/**
 * The process that has the name on the node.
 *
 * @since 0.1.0
 * @category subjects
 */
export const processSubject = (node: string, name: string): Subject => ({ _tag: "Process", node, name })

/**
 * @since 0.1.0
 * @category subjects
 */
export const nodeSubject = (node: string): Subject => ({ _tag: "Node", node })

/**
 * Why a subject is down: the tag of a process's exit reason. A node that is lost, and a process on it, are `NoConnection`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const DownReason = Schema.Literal("Normal", "Shutdown", "Killed", "Crash", "NoProc", "NoConnection")

/**
 * @since 0.1.0
 * @category models
 */
export type DownReason = typeof DownReason.Type

/**
 * @since 0.1.0
 * @category models
 */
export type MachineEffect<Notification> =
  | { readonly _tag: "Notify"; readonly notification: Notification }
  | { readonly _tag: "SetTimer"; readonly name: string; readonly afterMillis: number }
  | { readonly _tag: "CancelTimer"; readonly name: string }
  | { readonly _tag: "Monitor"; readonly subject: Subject }
  | { readonly _tag: "Demonitor"; readonly subject: Subject }
  | { readonly _tag: "Release" }

/**
 * Hands the notification to the `notify` of the leader's host, in the order of the log. It may be lost or come twice around a change of leader, and is lost where
 * too many are waiting.
 *
 * @since 0.1.0
 * @category effects
 */
export const notify = <Notification>(notification: Notification): MachineEffect<Notification> => ({
  _tag: "Notify",
  notification
})

/**
 * Sets the timer of this name, or sets it anew: it comes back as `TimerFired` once the replicated time is this much later, exactly once unless it is
 * set anew or cancelled before. It comes late where no leader could be found at its time.
 *
 * @since 0.1.0
 * @category effects
 */
export const setTimer = (name: string, after: Duration.DurationInput): MachineEffect<never> => ({
  _tag: "SetTimer",
  name,
  afterMillis: Math.min(Math.ceil(Duration.toMillis(after)), timerMillisMax)
})

/**
 * Takes a timer back: it surely does not fire any more. None of this name: nothing happens.
 *
 * @since 0.1.0
 * @category effects
 */
export const cancelTimer = (name: string): MachineEffect<never> => ({ _tag: "CancelTimer", name })

/**
 * Watches the subject: its end comes back as `Down`, once, and so does its absence. Watching what is watched already changes nothing. A
 * process is watched as whoever has the name when a leader sets the monitor up; a holder that dies and is replaced while there is no leader is not noticed.
 *
 * @since 0.1.0
 * @category effects
 */
export const monitor = (subject: Subject): MachineEffect<never> => ({ _tag: "Monitor", subject })

/**
 * Stops watching: no `Down` of this subject comes any more.
 *
 * @since 0.1.0
 * @category effects
 */
export const demonitor = (subject: Subject): MachineEffect<never> => ({ _tag: "Demonitor", subject })

/**
 * The machine's state stands for itself here: a snapshot at this index is worth its while. A hint that each member may follow, and none does yet: when a log is cut, `Compaction` says. It is `release_cursor` of Ra.
 *
 * @since 0.1.0
 * @category effects
 */
export const release: MachineEffect<never> = { _tag: "Release" }
