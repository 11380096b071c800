/**
 * Does what the schedule says.
 */
import * as Effect from "effect/Effect"
import type { Journal } from "../../TortureHistory.js"
import type { Disk } from "./disk.js"
import type { Links } from "./links.js"
import type { Nodes } from "./nodes.js"
import * as Schedule from "./schedule.js"
import type { Watch } from "./watch.js"

export interface Nemesis {
  /** Runs the steps to their end. */
  readonly run: (steps: ReadonlyArray<Schedule.Step>) => Effect.Effect<void>
  /** Takes back all that is done to the cluster. */
  readonly heal: Effect.Effect<void>
}

export const make = (options: {
  readonly nodes: Nodes
  readonly links: Links
  readonly disk: Disk
  /** The node whose disk is the small one. */
  readonly diskNode: number
  readonly watch: Watch
  readonly journal: Journal
}): Nemesis => {
  const { disk, diskNode, journal, links, nodes, watch } = options
  const everyNode = [...nodes.names.keys()]

  const numbers = (targets: ReadonlyArray<Schedule.Target>) =>
    targets.map(target => (target === "leader" ? watch.leader() : target))
  const each = <E>(targets: ReadonlyArray<number>, act: (at: number) => Effect.Effect<void, E>) =>
    Effect.forEach(targets, act, { concurrency: targets.length, discard: true })

  const name = (at: number) => nodes.names[at] ?? ""
  const link = (from: number, to: number, became: "cut" | "healed") =>
    journal.write({ _tag: "Link", from: name(from), to: name(to), became })
  const diskBecame = (became: "full" | "free") => journal.write({ _tag: "Node", node: name(diskNode), became })

  /** Does the fault, waits, and takes it back. */
  const inflict = (fault: Schedule.Fault): Effect.Effect<void> => {
    switch (fault._tag) {
      case "Kill": {
        const targets = numbers(fault.targets)
        return each(targets, at => nodes.end(at, "SIGKILL")).pipe(
          Effect.zipRight(Effect.sleep(fault.millis)),
          Effect.zipRight(each(targets, nodes.start))
        )
      }
      case "RestartAll":
        return each(everyNode, at => nodes.end(at, fault.signal)).pipe(
          Effect.zipRight(Effect.sleep(fault.millis)),
          Effect.zipRight(each(everyNode, nodes.start))
        )
      case "Pause": {
        const targets = numbers(fault.targets)
        return each(targets, nodes.hold).pipe(
          Effect.zipRight(Effect.sleep(fault.millis)),
          Effect.zipRight(each(targets, nodes.release))
        )
      }
      case "Cut": {
        const [node = 0] = numbers([fault.target])
        const ways = fault.offsets.flatMap(offset => {
          const peer = (node + offset) % nodes.names.length
          return [
            ...(fault.way === "to" ? [] : [{ from: node, to: peer }]),
            ...(fault.way === "from" ? [] : [{ from: peer, to: node }])
          ]
        })
        return Effect.forEach(ways, ({ from, to }) => Effect.zipRight(links.cut(from, to), link(from, to, "cut"))).pipe(
          Effect.zipRight(Effect.sleep(fault.millis)),
          Effect.zipRight(
            Effect.forEach(
              ways,
              ({ from, to }) => Effect.zipRight(links.heal(from, to, fault.heal), link(from, to, "healed")),
              { discard: true }
            )
          )
        )
      }
      case "FullDisk":
        return disk
          .fill(nodes.pid(diskNode), fault.slackBytes)
          .pipe(
            Effect.zipRight(diskBecame("full")),
            Effect.zipRight(Effect.sleep(fault.millis)),
            Effect.zipRight(Effect.suspend(() => disk.free(nodes.pid(diskNode)))),
            Effect.zipRight(diskBecame("free"))
          )
    }
  }

  /** Who leads is asked when the time has come. */
  const perform = (fault: Schedule.Fault): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (fault._tag === "FullDisk" && !disk.canFill) return Effect.void
      const detail = `${Schedule.show(fault)}; ${nodes.names[watch.leader()]} leads`
      return Effect.zipRight(journal.write({ _tag: "Fault", kind: Schedule.kindOf(fault), detail }), inflict(fault))
    })

  return {
    run: steps =>
      Effect.forEach(steps, step => Effect.delay(perform(step.fault), step.atMillis), {
        concurrency: "unbounded",
        discard: true
      }),
    heal: links.healAll.pipe(
      Effect.zipRight(Effect.suspend(() => disk.free(nodes.pid(diskNode)))),
      Effect.zipRight(each(everyNode, nodes.release)),
      Effect.zipRight(each(everyNode, nodes.start))
    )
  }
}
