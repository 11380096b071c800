/** A PostgreSQL server of our own in a temporary folder, at its defaults of durability. It runs as another user where we are root, for it refuses to be that. */
import * as fs from "node:fs"
import * as path from "node:path"
import * as Command from "@effect/platform/Command"
import * as CommandExecutor from "@effect/platform/CommandExecutor"
import * as ProcessCluster from "@reckon/testkit/ProcessCluster"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { failed, SubjectFailed } from "./adapter.js"

export interface PostgresPlace {
  /** The folder of its socket file. */
  readonly host: string
  readonly port: number
  readonly user: string
}

export const installCommand = "apt-get install postgresql"

/** Debian keeps the servers of all versions out of the PATH. */
const debianFolder = "/usr/lib/postgresql"

const serverUser = "postgres"

/** The folder of the server's programs, the latest version's; none if there is no server. */
export const programs: Effect.Effect<Option.Option<string>> = Effect.sync(() => {
  const onPath = (process.env.PATH ?? "").split(path.delimiter)
  const versions = fs.existsSync(debianFolder) ? fs.readdirSync(debianFolder) : []
  const ofDebian = versions.toSorted((a, b) => Number(b) - Number(a)).map(name => path.join(debianFolder, name, "bin"))
  return Option.fromNullable([...onPath, ...ofDebian].find(folder => fs.existsSync(path.join(folder, "initdb"))))
})

const run = (program: string, ...args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const executor = yield* CommandExecutor.CommandExecutor
    const isRoot = process.getuid?.() === 0
    const command = isRoot
      ? Command.make("runuser", "-u", serverUser, "--", program, ...args)
      : Command.make(program, ...args)
    // Its folder may be closed to the other user, and what it says is of no interest unless it fails.
    return yield* executor.string(Command.workingDirectory(command, "/"))
  }).pipe(Effect.mapError(failed))

const settings = (socketFolder: string) =>
  [
    "listen_addresses = ''",
    `unix_socket_directories = '${socketFolder}'`,
    "max_connections = 100",
    // For it, not against it: a cache as an administrator sets it, and fewer checkpoints while it is measured.
    "shared_buffers = 512MB",
    "max_wal_size = 4GB",
    ""
  ].join("\n")

/** Runs until the scope closes. */
export const start = (
  bin: string
): Effect.Effect<PostgresPlace, SubjectFailed, CommandExecutor.CommandExecutor | Scope.Scope> =>
  Effect.gen(function* () {
    const program = (name: string) => path.join(bin, name)
    const executor = yield* Effect.context<CommandExecutor.CommandExecutor>()
    // Made by the user who is to own it, in a place where that user may.
    const folder = yield* Effect.acquireRelease(
      Effect.map(run("mktemp", "-d", "-t", "reckon-postgres-XXXXXX"), said => said.trim()),
      made => Effect.sync(() => fs.rmSync(made, { recursive: true, force: true }))
    )
    const data = path.join(folder, "data")
    const port = (yield* ProcessCluster.freeBasePort) + 15
    yield* run(program("initdb"), "-D", data, "-U", serverUser, "-A", "trust", "-E", "UTF8")
    fs.appendFileSync(path.join(data, "postgresql.conf"), settings(folder))
    const control = (...args: ReadonlyArray<string>) => run(program("pg_ctl"), "-D", data, ...args)
    yield* Effect.acquireRelease(
      control("start", "-w", "-t", "60", "-l", path.join(folder, "log"), "-o", `-p ${port}`),
      () => control("stop", "-m", "immediate").pipe(Effect.provide(executor), Effect.ignoreLogged)
    )
    // pg_ctl ends well or not, and says it by its exit code alone.
    const socket = path.join(folder, `.s.PGSQL.${port}`)
    if (!fs.existsSync(socket)) return yield* new SubjectFailed({ what: `PostgreSQL did not start in ${folder}` })
    return { host: folder, port, user: serverUser }
  })
