/** A member of a group as an application runs it: under a supervisor, its log in a file, its machine in memory. */

import * as path from "node:path"
import type { ProcessTable } from "@reckon/otp/Process"
import * as Supervisor from "@reckon/otp/Supervisor"
import * as Raft from "@reckon/raft/Raft"
import * as RaftClient from "@reckon/raft/RaftClient"
import * as RaftLog from "@reckon/raft/RaftLog"
import type { RaftTransport } from "@reckon/raft/RaftTransport"
import { StateMachine } from "@reckon/raft/StateMachine"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"

/** Continues the digest with the bytes. By index, in a function of its own: written otherwise it would cost as much as the members' own work. */
const digestBytes = (seed: number, bytes: Uint8Array): number => {
  let digest = seed
  for (let at = 0; at < bytes.length; at++) digest = (Math.imul(digest, 31) + (bytes[at] ?? 0)) | 0
  return digest
}

/** Counts the commands and digests their bytes, so that it has looked at all of them; the reply tells both. */
const makeMachine = () => {
  let index = 0
  let commands = 0
  let digest = 0
  return StateMachine.of({
    appliedIndex: () => index,
    apply: entries =>
      entries.map(entry => {
        index = entry.index
        if (entry.kind === "command") {
          commands++
          digest = digestBytes(digest, entry.payload)
        }
        const reply = new Uint8Array(8)
        const view = new DataView(reply.buffer)
        view.setUint32(0, commands)
        view.setInt32(4, digest)
        return reply
      })
  })
}

export interface MemberOptions {
  readonly group: string
  readonly self: string
  readonly voters: ReadonlyArray<string>
  readonly folder: string
}

/** Runs the member until the scope closes. */
export const startMember = (
  options: MemberOptions
): Effect.Effect<RaftClient.RaftClient, Supervisor.StartError, ProcessTable | RaftTransport | Scope.Scope> =>
  Effect.gen(function* () {
    const { folder, group, self, voters } = options
    const processName = `${group}/${self}`
    const open = Effect.map(RaftLog.make({ filename: path.join(folder, `${self}.sqlite`) }), log => ({
      log,
      machine: makeMachine()
    }))
    const member = Supervisor.worker("raft", Raft.startLink({ group, self, voters, processName, open }))
    yield* Layer.build(Supervisor.layer({ children: [member] }))
    return yield* RaftClient.make({ group, self, processName })
  })

const electionTries = 200

/** The first of the group's members that leads, as soon as one does. */
export const awaitLeader = <A, E, R>(
  members: ReadonlyArray<A>,
  leads: (member: A) => Effect.Effect<boolean, E, R>
): Effect.Effect<A, never, R> =>
  Effect.findFirst(members, leads).pipe(
    Effect.flatten,
    Effect.retry(Schedule.intersect(Schedule.spaced("100 millis"), Schedule.recurs(electionTries))),
    Effect.orDieWith(cause => new Error("the group has elected no leader", { cause }))
  )
