import * as Membership from "../../Membership.js"
import * as Quorum from "../../Quorum.js"
import type { Node } from "./node.js"
import * as Snapshots from "./snapshots.js"

/** How much of what rots a group has to bear: what it promises, it promises as long as most of its disks are sound. */

/**
 * Whether a member's disk has rotted, or lost the machine's file, so that nothing on it makes up for it: noticed or not, it is of no use any more. An install under
 * way whose snapshot has rotted ends there.
 */
export const isDamaged = ({ disk, writes }: Node): boolean =>
  disk.rotten.size > 0 ||
  (disk.machine.index < disk.log.base.index && !Snapshots.hasSound(disk.inbox, disk.log.base)) ||
  writes.some(({ output }) => output._tag === "Install" && !Snapshots.hasSound(disk.inbox, output.snapshot))

/**
 * Whether this member may be lost for ever, or is already: in each configuration that anybody may go by, those with sound disks
 * would still be a majority, also where the learners who are lost become voters before the sound ones do.
 */
export const isBearable = (nodes: ReadonlyArray<Node>, node: Node): boolean => {
  if (isDamaged(node)) return true
  const sound = nodes.filter(other => other !== node && !isDamaged(other)).map(({ id }) => id)
  const suffices = (voters: ReadonlyArray<string>): boolean =>
    voters.filter(voter => sound.includes(voter)).length >= Quorum.size(voters.length)
  return nodes.every(({ configurations }) =>
    configurations.every(
      ({ configuration: { learners, voters } }) =>
        suffices(voters) && suffices([...voters, ...learners.filter(learner => !sound.includes(learner))])
    )
  )
}

/** Nobody takes a sound member away while a damaged one is left, or takes a damaged one in. */
export const isPrudent = (nodes: ReadonlyArray<Node>, { _tag, member }: Membership.Change): boolean => {
  const damaged = nodes.filter(isDamaged).map(({ id }) => id)
  return _tag === "Add" ? !damaged.includes(member) : damaged.length === 0 || damaged.includes(member)
}
