/** Groups whose members all run in this process and reach each other in memory. Each member's log has its own file and its own syncs. */
import type { ProcessTable } from "@reckon/otp/Process"
import type { StartError } from "@reckon/otp/Supervisor"
import type { ProposeError } from "@reckon/raft/RaftError"
import * as RaftTransport from "@reckon/raft/RaftTransport"
import * as ProcessCluster from "@reckon/testkit/ProcessCluster"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { awaitLeader, startMember } from "./member.js"
import { makePayload } from "./sizes.js"
import { measure, type Subject } from "./subject.js"

export const make = (options: {
  readonly title: string
  readonly group: string
  readonly voters: ReadonlyArray<string>
}): Effect.Effect<Subject<ProposeError>, StartError, ProcessTable | Scope.Scope> =>
  Effect.gen(function* () {
    const { group, title, voters } = options
    const folder = yield* ProcessCluster.temporaryFolder
    const network = yield* RaftTransport.makeNetwork
    const clients = yield* Effect.forEach(voters, self =>
      Effect.provideService(
        startMember({ group, self, voters, folder }),
        RaftTransport.RaftTransport,
        network.transport(self)
      )
    )
    const leader = awaitLeader(clients, client => Effect.map(client.status, status => status?.role === "leader"))
    return {
      title,
      measure: inFlight =>
        Effect.flatMap(leader, client =>
          measure(
            inFlight,
            Effect.suspend(() => client.propose(makePayload()))
          )
        )
    }
  })
