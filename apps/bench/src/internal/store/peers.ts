/** The npm packages of the peers. They are no dependencies of this package: who wants to be measured beside them installs them. */
import { createRequire } from "node:module"
import * as path from "node:path"
import * as Command from "@effect/platform/Command"
import * as Effect from "effect/Effect"
import { failed, SubjectFailed } from "./adapter.js"

const folder = path.resolve(import.meta.dirname, "../../../peers")

const manifest = path.join(folder, "package.json")

const installation = ["install", "--prefix", folder, "--no-package-lock", "--no-audit", "--no-fund"]

/** For people, from the root of the repository. */
export const installCommand = "pnpm bench store --install-peers"

/** What is exported by a package of the peers: nothing of it is checked here, each who loads one says what it uses. */
export const load = (name: string): Effect.Effect<unknown, SubjectFailed> =>
  Effect.try({ try: (): unknown => createRequire(manifest)(name), catch: failed })

export const isInstalled = (name: string): boolean => {
  try {
    createRequire(manifest).resolve(name)
    return true
  } catch {
    return false
  }
}

/** Takes some minutes: `sqlite3`, which Emmett needs, is compiled where there is no binary of it. */
export const install = Command.make("npm", ...installation).pipe(
  Command.stdout("inherit"),
  Command.stderr("inherit"),
  Command.exitCode,
  Effect.mapError(failed),
  Effect.flatMap(code =>
    code === 0 ? Effect.void : new SubjectFailed({ what: `"npm ${installation.join(" ")}" ended with ${code}` })
  )
)
