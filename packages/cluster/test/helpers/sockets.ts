/** Sockets for tests of the one that a node listens on. */
import * as Net from "node:net"
import { assert } from "@effect/vitest"
import * as Wire from "@reckon/client/Wire"
import * as Effect from "effect/Effect"

export const portOf = (server: Net.Server): number => {
  const address = server.address()
  return typeof address === "object" && address !== null ? address.port : assert.fail("the server has no port")
}

/** A port that was free a moment ago. */
export const freePort = Effect.async<number>(resume => {
  const server = Net.createServer()
  server.listen(0, "127.0.0.1", () => {
    const port = portOf(server)
    server.close(() => resume(Effect.succeed(port)))
  })
})

/** What becomes of a message on a connection: its answer, or the end of the connection. */
export const answerTo = (socket: Net.Socket, message: object): Effect.Effect<unknown> =>
  Effect.async(resume => {
    const parser = Wire.serialization.unsafeMake()
    socket.on("data", bytes => {
      for (const answer of parser.decode(bytes)) resume(Effect.succeed(answer))
    })
    socket.on("error", () => {})
    socket.on("close", () => resume(Effect.succeed("closed")))
    socket.write(parser.encode(message) ?? "")
  })
