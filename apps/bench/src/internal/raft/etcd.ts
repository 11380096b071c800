/** etcd beside us, each member a process, its data in a temporary folder, at its defaults: it syncs before it answers. Asked in its own protocol. */

import * as http2 from "node:http2"
import * as path from "node:path"
import * as Command from "@effect/platform/Command"
import type * as CommandExecutor from "@effect/platform/CommandExecutor"
import type { PlatformError } from "@effect/platform/Error"
import * as ProcessCluster from "@reckon/testkit/ProcessCluster"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as daemon from "./daemon.js"
import { awaitLeader } from "./member.js"
import { makePayload } from "./sizes.js"
import { measure, type Subject } from "./subject.js"

const host = "127.0.0.1"
const peerOffset = 10
const keys = 1000

/** etcd is installed, but did not do what it was asked to. What it said is on the standard error. */
export class EtcdFailed extends Schema.TaggedError<EtcdFailed>("@reckon/bench/EtcdFailed")("EtcdFailed", {
  what: Schema.String
}) {
  override get message(): string {
    return `etcd failed: ${this.what}`
  }
}

/** Its version; none if there is no etcd on the PATH. */
export const about: Effect.Effect<Option.Option<string>, PlatformError, CommandExecutor.CommandExecutor> = Command.make(
  "etcd",
  "--version"
).pipe(
  Command.lines,
  Effect.map(lines => Option.some(lines[0] ?? "")),
  Effect.catchIf(
    error => error._tag === "SystemError" && error.reason === "NotFound",
    () => Effect.succeedNone
  )
)

const varint = (value: number): ReadonlyArray<number> =>
  value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))]

/** A length-delimited field of a protocol buffer. */
const field = (number: number, bytes: Uint8Array): ReadonlyArray<Uint8Array> => [
  Uint8Array.from([number * 8 + 2, ...varint(bytes.length)]),
  bytes
]

/** A `PutRequest` as gRPC frames it: not compressed, its length in four bytes. */
const putFrame = (key: string, value: Uint8Array): Uint8Array => {
  const header = Buffer.alloc(5)
  const request = Buffer.concat([...field(1, Buffer.from(key)), ...field(2, value)])
  header.writeUInt32BE(request.length, 1)
  return Buffer.concat([header, request])
}

const putHeaders = {
  ":method": "POST",
  ":path": "/etcdserverpb.KV/Put",
  "content-type": "application/grpc",
  te: "trailers"
}

/** One connection for all that is in flight, as etcd's own clients have it. */
const connect = (port: number) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const session = http2.connect(`http://${host}:${port}`)
      // Those who wait for an answer hear of it too, each on its own stream.
      session.on("error", () => undefined)
      return session
    }),
    session => Effect.sync(() => session.destroy())
  )

const put = (session: http2.ClientHttp2Session, frame: Uint8Array): Effect.Effect<void, EtcdFailed> =>
  Effect.async(resume => {
    const stream = session.request(putHeaders)
    let status: unknown
    const takeStatus = (headers: http2.IncomingHttpHeaders) => {
      status = headers["grpc-status"] ?? status
    }
    stream.on("response", takeStatus)
    stream.on("trailers", takeStatus)
    stream.on("error", cause => resume(new EtcdFailed({ what: String(cause) })))
    stream.on("close", () =>
      resume(status === "0" ? Effect.void : new EtcdFailed({ what: `a put ended with the status ${String(status)}` }))
    )
    stream.resume()
    stream.end(frame)
  })

const Status = Schema.Struct({ header: Schema.Struct({ member_id: Schema.String }), leader: Schema.String })

const leads = (port: number) =>
  Effect.tryPromise(signal =>
    fetch(`http://${host}:${port}/v3/maintenance/status`, { method: "POST", body: "{}", signal }).then(answer =>
      answer.json()
    )
  ).pipe(
    Effect.flatMap(Schema.decodeUnknown(Status)),
    Effect.map(({ header, leader }) => header.member_id === leader)
  )

/** Runs a cluster of so many members until the scope closes, and asks its leader. */
export const make = (
  title: string,
  size: number
): Effect.Effect<Subject<EtcdFailed>, PlatformError, CommandExecutor.CommandExecutor | Scope.Scope> =>
  Effect.gen(function* () {
    const folder = yield* ProcessCluster.temporaryFolder
    const basePort = yield* ProcessCluster.freeBasePort
    const members = Array.from({ length: size }, (_, at) => ({
      name: `etcd-${at}`,
      client: basePort + at,
      peer: `http://${host}:${basePort + peerOffset + at}`
    }))
    const cluster = members.map(({ name, peer }) => `${name}=${peer}`).join(",")
    for (const { client, name, peer } of members) {
      const url = `http://${host}:${client}`
      yield* daemon.start(
        "etcd",
        ...["--name", name, "--data-dir", path.join(folder, name)],
        ...["--listen-client-urls", url, "--advertise-client-urls", url],
        ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer],
        ...["--initial-cluster", cluster, "--logger", "zap", "--log-level", "error"]
      )
    }
    const leader = yield* awaitLeader(members, member => leads(member.client))
    const session = yield* connect(leader.client)
    let puts = 0
    return {
      title,
      measure: inFlight =>
        measure(
          inFlight,
          Effect.suspend(() => put(session, putFrame(`bench-${puts++ % keys}`, makePayload())))
        )
    }
  })
