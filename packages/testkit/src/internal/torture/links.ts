/**
 * The network between the nodes: for each node and each peer a proxy through which the one reaches the other, and which can hold back what goes one way.
 *
 * A connection carries requests one way and answers the other, so a cut from A to B holds A's requests on the connection that A opened and A's answers on the
 * one that B opened. Nothing is dropped out of the middle of a connection, as TCP would not either: what is held comes late, or the connection is reset.
 */
import * as Net from "node:net"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

export interface Links {
  /** Where a node finds a peer. */
  readonly address: (from: number, to: number) => string
  readonly cut: (from: number, to: number) => Effect.Effect<void>
  readonly heal: (from: number, to: number, how: "late" | "reset") => Effect.Effect<void>
  readonly healAll: Effect.Effect<void>
}

/** One way of one connection. */
interface Pump {
  readonly from: number
  readonly to: number
  readonly update: () => void
  readonly reset: () => void
}

const listen = (server: Net.Server) =>
  Effect.async<number>(resume => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      resume(
        typeof address === "object" && address !== null
          ? Effect.succeed(address.port)
          : Effect.dieMessage("a proxy has no port")
      )
    })
  })

export const make = (endpoints: ReadonlyArray<{ readonly host: string; readonly port: number }>) =>
  Effect.gen(function* () {
    const pumps = new Set<Pump>()
    /** How many cuts hold a way, for they may overlap. */
    const cuts = new Map<string, number>()
    const isCut = (from: number, to: number) => (cuts.get(`${from}>${to}`) ?? 0) > 0

    const pump = (from: number, to: number, source: Net.Socket, sink: Net.Socket): void => {
      let isFull = false
      let isClosed = false
      const end = () => {
        pumps.delete(self)
        sink.destroy()
      }
      const self: Pump = {
        from,
        to,
        update: () => {
          if (isClosed && !isCut(from, to)) end()
          else if (isFull || isCut(from, to)) source.pause()
          else source.resume()
        },
        reset: () => {
          source.destroy()
          end()
        }
      }
      pumps.add(self)
      source.on("data", chunk => {
        isFull = !sink.write(chunk)
        if (isFull) self.update()
      })
      sink.on("drain", () => {
        isFull = false
        self.update()
      })
      source.on("error", () => {})
      // The other side does not hear of an end while the way is cut.
      source.once("close", () => {
        isClosed = true
        self.update()
      })
      self.update()
    }

    const ports = new Map<string, number>()
    for (const from of endpoints.keys()) {
      for (const [to, peer] of endpoints.entries()) {
        if (from === to) continue
        const server = yield* Effect.acquireRelease(
          Effect.sync(() =>
            Net.createServer({ noDelay: true }, near => {
              const far = Net.createConnection({ host: peer.host, port: peer.port, noDelay: true })
              pump(from, to, near, far)
              pump(to, from, far, near)
            })
          ),
          open =>
            Effect.sync(() => {
              open.close()
              for (const one of pumps) one.reset()
            })
        )
        ports.set(`${from}>${to}`, yield* listen(server))
      }
    }

    const change = (from: number, to: number, by: number) => {
      cuts.set(`${from}>${to}`, Math.max(0, (cuts.get(`${from}>${to}`) ?? 0) + by))
      for (const one of pumps) if (one.from === from && one.to === to) one.update()
    }

    const links: Links = {
      address: (from, to) => `127.0.0.1:${ports.get(`${from}>${to}`)}`,
      cut: (from, to) => Effect.sync(() => change(from, to, 1)),
      heal: (from, to, how) =>
        Effect.sync(() => {
          if (how === "reset") for (const one of pumps) if (one.from === from && one.to === to) one.reset()
          change(from, to, -1)
        }),
      healAll: Effect.sync(() => {
        cuts.clear()
        for (const one of pumps) one.update()
      })
    }
    return links
  }) satisfies Effect.Effect<Links, never, Scope.Scope>
