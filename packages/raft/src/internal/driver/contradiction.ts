/** What people are told of a contradiction, and what they can do about it. */
import type { MemberId } from "../../Membership.js"
import type { Contradicted } from "../../RaftOutput.js"

const anew = "Stop its node, move the folder away and start it with an empty one: it is sent everything again"

const found = (self: MemberId, { how, index, lastIndex, member }: Contradicted): string => {
  switch (how) {
    case "forgotten":
      return (
        `${self} has lost what it acknowledged: its log ends at entry ${lastIndex}, and the leader ${member} has committed ${index} on its word. ` +
        `Its folder is an older copy, or its disk does not keep what it syncs. ${anew}`
      )
    case "behind":
      return (
        `${self} was elected without having all that was acknowledged: its log ends at entry ${lastIndex}, and ${member} has committed ${index}. ` +
        `The folders of a majority are older copies, or their disks do not keep what they sync. Acknowledged writes may be in the folder of ${member} alone: do not remove it. ` +
        "Stop the nodes, look at each with `reckon repair inspect`, and bring newer copies back; where there are none, `reckon repair force-shrink` lets the one with most go on"
      )
    case "forked":
      return (
        `${self} has committed another log than the leader ${member} has: they differ at entry ${index} at the latest. ` +
        "The folders of a majority are older copies, or this one is of another group. Acknowledged writes may be in this folder alone: do not remove it before you have looked at each node with " +
        `\`reckon repair inspect\`. If the others are right: ${anew}`
      )
    case "two_leaders":
      return (
        `${self} hears of a second leader in one term, ${member}: somebody voted twice, as a node does whose folder is an older copy, or whose disk does not keep what it syncs. ` +
        "Whichever it is: start it with an empty folder"
      )
  }
}

/** One line. */
export const words = (group: string, self: MemberId, contradicted: Contradicted): string => {
  const until =
    contradicted.how === "two_leaders" ? "" : `. Until it is started anew it takes no part in the group "${group}"`
  return `${found(self, contradicted)}${until}`
}
