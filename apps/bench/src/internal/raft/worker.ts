/** `node worker.js NAME BASE_PORT FOLDER`: one member in a process of its own, until its standard input ends, so that it never outlives the benchmark. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Members from "@reckon/cluster/Members"
import * as NodeServer from "@reckon/cluster/NodeServer"
import { PeerRpcs } from "@reckon/cluster/PeerRpcs"
import * as Receivers from "@reckon/cluster/Receivers"
import * as SocketTransport from "@reckon/cluster/SocketTransport"
import * as Process from "@reckon/otp/Process"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import { startMember } from "./member.js"
import { makePayload } from "./sizes.js"
import { measure } from "./subject.js"
import { group, membersAt, names, WorkerRpcs } from "./workerRpcs.js"

const worker = (options: { readonly self: Members.Member; readonly basePort: number; readonly folder: string }) => {
  const { basePort, folder, self } = options
  const handlers = WorkerRpcs.toLayer(
    Effect.gen(function* () {
      const client = yield* startMember({ group, self: self.name, voters: names, folder })
      const propose = Effect.suspend(() => client.propose(makePayload()))
      return WorkerRpcs.of({
        Leads: () => Effect.map(client.status, status => status?.role === "leader"),
        Measure: ({ inFlight }) => measure(inFlight, propose),
        Propose: ({ count, inFlight }) =>
          Effect.forEach(
            Array.from({ length: inFlight }),
            () => Effect.repeatN(propose, Math.ceil(count / inFlight) - 1),
            { concurrency: "unbounded", discard: true }
          ),
        Memory: () => Effect.sync(() => process.memoryUsage())
      })
    })
  )
  return NodeServer.layer(WorkerRpcs.merge(PeerRpcs), self.address).pipe(
    Layer.provide([handlers, SocketTransport.layerHandlers]),
    Layer.provide(SocketTransport.layer),
    Layer.provide(Receivers.layer),
    Layer.provide(Members.layer(self, membersAt(basePort))),
    Layer.provide(Process.layer)
  )
}

const inputEnded = Effect.async<void>(resume => {
  process.stdin.once("close", () => resume(Effect.void)).resume()
})

Effect.gen(function* () {
  const [name, port, folder] = process.argv.slice(2)
  const basePort = Number(port)
  const self = membersAt(basePort).find(member => member.name === name)
  if (self === undefined || folder === undefined) return yield* Effect.dieMessage("usage: worker NAME BASE_PORT FOLDER")
  yield* Effect.raceFirst(Layer.launch(worker({ self, basePort, folder })), inputEnded)
}).pipe(Logger.withMinimumLogLevel(LogLevel.Warning), NodeRuntime.runMain)
