/**
 * Makes a fresh checkout ready: the right Node, the packages of the lockfile, the compiled JavaScript. Each part is skipped
 * when it is up to date, and done again when a run was cut short. `node scripts/setup.mjs` does it and nothing else.
 */
import { spawnSync } from "node:child_process"
import { existsSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { argv, execPath, versions } from "node:process"
import { pathToFileURL } from "node:url"
import { bundle, bundled } from "./bundle.mjs"
import * as Stamp from "./stamp.mjs"
import { cleanEnvironment, explain, StepFailed, Steps, say } from "./terminal.mjs"

const nodeMajorMin = 20

/** Steps {@link setUp} takes: Node, packages, native modules. */
export const setUpSteps = 3

const packageManager = () => {
  const { packageManager: named } = JSON.parse(readFileSync(join(Stamp.root, "package.json"), "utf8"))
  return named.split("+")[0]
}

const checkNode = () => {
  const major = Number(versions.node.split(".")[0])
  if (major < nodeMajorMin) {
    throw new StepFailed(
      "Node",
      `Reckon needs Node ${nodeMajorMin} or newer, this is ${versions.node}`,
      [],
      ["Install a current one from https://nodejs.org or with your version manager (nvm install 22), then try again."]
    )
  }
}

/** Turns the output of a failed installation into what its reader can do. */
const adviseInstall = output => {
  const advice = []
  if (/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|network request/i.test(output)) {
    advice.push("The package registry could not be reached: check the network, and HTTPS_PROXY behind a proxy.")
  }
  if (/gyp ERR!|node-gyp|prebuild-install|not found: make|make: .*Error|g\+\+|python/i.test(output)) {
    advice.push(
      "better-sqlite3 is compiled where no ready-made binary fits. That needs python3, make and g++:",
      "  Debian, Ubuntu: sudo apt-get install python3 make g++     macOS: xcode-select --install"
    )
  }
  if (/ENOSPC/.test(output)) advice.push("The disk is full: the packages take about 500 MB.")
  if (/EACCES|EPERM/.test(output))
    advice.push("A folder is not writable: check who owns node_modules and the npm cache.")
  if (/OUTDATED_LOCKFILE|frozen-lockfile/.test(output)) {
    advice.push("pnpm-lock.yaml does not fit the package.json files: run pnpm install and commit the lockfile.")
  }
  return advice.length > 0 ? advice : ["Run the same command again; if it fails the same way, the lines above say why."]
}

const pnpm = (...args) => ["--yes", packageManager(), ...args]

/** Opens a database in memory: the whole proof that the native module is there, and for this Node. Which release is for which, `packages/raft/src/Sqlite.ts` says. */
const nativeModuleLoads = () =>
  ["better-sqlite3", "better-sqlite3-12"].some(name => {
    const probe = `const Database = require('${name}'); new Database(':memory:').close()`
    return (
      spawnSync(execPath, ["-e", probe], { cwd: join(Stamp.root, "packages", "raft"), stdio: "ignore" }).status === 0
    )
  })

const installed = () =>
  Stamp.isCurrent("install", Stamp.installFingerprint()) &&
  existsSync(join(Stamp.root, "node_modules", ".modules.yaml"))

/** The rooms that `npm start` needs compiled. */
const nodeRooms = () => Stamp.roomsUnder("apps/node")

const built = () =>
  Stamp.isCurrent("build", Stamp.buildFingerprint(nodeRooms())) &&
  Stamp.missingOutputs(nodeRooms()).length === 0 &&
  existsSync(bundled)

/** Whether `npm start` can go ahead at once. */
export const isReady = () => installed() && built()

/** Node, packages, native modules. */
export const setUp = async steps => {
  checkNode()
  steps.skip("Node", versions.node)
  if (installed()) {
    steps.skip("packages", "up to date")
    steps.skip("native modules", "up to date")
    return
  }
  const fingerprint = Stamp.installFingerprint()
  Stamp.clear("install")
  const options = { cwd: Stamp.root, env: cleanEnvironment(), advise: adviseInstall }
  await steps.run(
    "packages",
    "npx",
    pnpm("install", "--frozen-lockfile", "--reporter=append-only", "--config.confirmModulesPurge=false"),
    {
      ...options,
      note: `installing with ${packageManager()}; where better-sqlite3 must be compiled this takes two or three minutes`
    }
  )
  // The package manager thinks a package built whose build was cut short, or done for another Node: so the module is tried.
  if (nativeModuleLoads()) {
    steps.skip("native modules", "load")
  } else {
    await steps.run("native modules", "npx", pnpm("rebuild", "-r", "better-sqlite3", "better-sqlite3-12"), {
      ...options,
      note: "compiling better-sqlite3 again, which takes about two minutes"
    })
    if (!nativeModuleLoads()) {
      throw new StepFailed(
        "native modules",
        "better-sqlite3 was built but does not load",
        [],
        ["Remove node_modules and run the same command again."]
      )
    }
  }
  Stamp.set("install", fingerprint)
}

const compile = async (steps, title, rooms, projects) => {
  const fingerprint = Stamp.buildFingerprint(nodeRooms())
  Stamp.clear("build")
  // The compiler believes its record of a past build; that of a room that lost its output is forgotten.
  const missing = Stamp.missingOutputs(rooms)
  for (const room of rooms) {
    if (missing.some(file => file.startsWith(join(Stamp.root, room, "src")))) {
      rmSync(join(Stamp.root, room, "build", "src.tsbuildinfo"), { force: true })
    }
  }
  const tsc = join(Stamp.root, "node_modules", "typescript", "bin", "tsc")
  await steps.run(title, execPath, [tsc, "-b", "--pretty", "false", ...projects], { cwd: Stamp.root })
  await bundle()
  Stamp.set("build", fingerprint)
}

/** The node and everything it stands on, compiled. One step. */
export const build = async steps => {
  if (built()) steps.skip("build", "up to date")
  else await compile(steps, "build", nodeRooms(), ["apps/node"])
}

/** Everything compiled, tests and the examples of the docs as well. One step. */
export const typecheck = steps => compile(steps, "type check", Stamp.rooms(), ["tsconfig.json", "docs/examples"])

if (argv[1] !== undefined && import.meta.url === pathToFileURL(argv[1]).href) {
  try {
    const steps = new Steps(setUpSteps + 1)
    await setUp(steps)
    await build(steps)
    say("set up")
  } catch (error) {
    explain(error)
    process.exitCode = 1
  }
}
