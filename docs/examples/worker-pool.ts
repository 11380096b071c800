// docs/examples/worker-pool.ts
import { NodeRuntime } from "@effect/platform-node"
import { Rpc, RpcGroup } from "@effect/rpc"
import { GenServer, Observer, Pool, Process, Supervisor } from "@reckon/otp"
import { Console, Effect, Layer, Logger, LogLevel, Schema } from "effect"

const Thumbnails = RpcGroup.make(Rpc.make("Render", { payload: { file: Schema.String }, success: Schema.String }))

/** A worker of the pool. It counts what it has rendered, and dies of a corrupt file. */
const renderer = (partition: number) =>
  GenServer.make(Thumbnails, {
    init: () => Effect.succeed(0),
    handlers: {
      Render: ({ file }, rendered) =>
        file.endsWith(".corrupt")
          ? Effect.dieMessage(`cannot decode ${file}`)
          : GenServer.reply(`${file} by worker ${partition}, its number ${rendered + 1}`, rendered + 1)
    }
  })

const renderers = Pool.make({
  size: 2,
  routing: "hash",
  intensity: 2,
  period: "1 minute",
  worker: partition => GenServer.startLink(renderer(partition))
})
const pool = Pool.named(renderers, "renderers")

/** What became of a file: a picture, or the reason why there is none. */
const render = (file: string) =>
  pool.call(file, "Render", { file }).pipe(
    Effect.catchAll(error => Effect.succeed(`no picture of ${file}: ${error._tag}`)),
    Effect.flatMap(Console.log)
  )

const tree = Supervisor.layer({
  intensity: 0,
  children: [Pool.supervisor("renderers", renderers, { name: "renderers" })]
})

const program = Effect.gen(function* () {
  yield* Effect.forEach(["a.png", "b.png", "c.png", "d.png"], render)

  yield* Console.log("-- a worker crashes: its caller is told, its neighbour and the next caller notice nothing")
  yield* render("x.corrupt")
  yield* Effect.forEach(["a.png", "b.png", "c.png", "d.png"], render)
  yield* Console.log(Observer.format(yield* Observer.snapshot))

  yield* Console.log("-- more crashes than the pool allows: it gives up, its supervisor gives up, the host hears of it")
  yield* Effect.forEach(["x.corrupt", "y.corrupt", "z.corrupt"], render)
  yield* Effect.never
})

Supervisor.whileAlive(program).pipe(
  Effect.provide(tree.pipe(Layer.provideMerge(Process.layer))),
  Effect.catchTag("TreeExited", error => Console.log(error.message)),
  Logger.withMinimumLogLevel(LogLevel.None),
  NodeRuntime.runMain
)
