/**
 * Runs what the documentation tells its readers to type. A block
 *
 *     <!-- run -->
 *     ```sh
 *     npx reckon status
 *     ```
 *
 * in README.md or under docs/ is given to `bash -e` in a folder of its own, in order, beside a fresh three-node cluster on free
 * ports, to which RECKON_ENDPOINTS points. `npx reckon` means this checkout's command. The examples of docs/examples run there as well.
 */
import { spawn, spawnSync } from "node:child_process"
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync
} from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { delimiter, join, relative } from "node:path"
import { execPath } from "node:process"
import { root } from "./stamp.mjs"
import { StepFailed } from "./terminal.mjs"

const readyMillisMax = 60_000
const taskMillisMax = 60_000
const stopMillisMax = 15_000
const outputCharsMax = 100_000

const tail = output => output.trimEnd().split("\n").slice(-40)

const marked = /^<!-- run -->\n```sh\n([\s\S]*?)^```$/gm

const pages = () => {
  const under = directory =>
    readdirSync(directory, { withFileTypes: true }).flatMap(entry => {
      const path = join(directory, entry.name)
      return entry.isDirectory() ? under(path) : entry.name.endsWith(".md") ? [path] : []
    })
  return [join(root, "README.md"), ...under(join(root, "docs")).sort()].filter(page => existsSync(page))
}

/** The marked blocks of all pages, each with the line its commands begin on. */
const blocks = () =>
  pages().flatMap(page => {
    const text = readFileSync(page, "utf8")
    return [...text.matchAll(marked)].map(match => ({
      name: `${relative(root, page)}:${text.slice(0, match.index).split("\n").length + 2}`,
      command: "bash",
      args: ["-euo", "pipefail", "-c", match[1]]
    }))
  })

/** The examples, where the compiler put them: in a room that has every package they import. */
const examples = () => {
  const sources = join(root, "docs", "examples")
  if (!existsSync(sources)) return []
  return readdirSync(sources)
    .filter(name => name.endsWith(".ts"))
    .sort()
    .map(name => ({
      name: `docs/examples/${name}`,
      command: execPath,
      args: [join(root, "apps", "node", "build", "examples", name.replace(/\.ts$/, ".js"))]
    }))
}

const isFree = port =>
  new Promise(resolve => {
    const server = createServer()
    server.once("error", () => resolve(false))
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)))
  })

/** A base port whose six ports nobody holds: RPC at the base, HTTP ten above. */
const freeBasePort = async () => {
  for (let base = 46_101; base < 48_000; base += 20) {
    const ports = [0, 1, 2, 10, 11, 12].map(offset => base + offset)
    if ((await Promise.all(ports.map(isFree))).every(free => free)) return base
  }
  throw new Error("no six free ports between 46101 and 48000")
}

/** Starts a cluster and waits for its line `ready`. */
const startCluster = async (folder, basePort) => {
  const child = spawn(
    execPath,
    [
      join(root, "apps", "node", "bin", "reckon.js"),
      "cluster",
      "start",
      "--base-port",
      `${basePort}`,
      "--data-dir",
      join(folder, "data")
    ],
    { cwd: folder, stdio: ["ignore", "pipe", "pipe"], detached: true }
  )
  let output = ""
  const exited = new Promise(resolve => child.once("exit", resolve))
  const stop = async () => {
    child.kill("SIGINT")
    const late = new Promise(resolve => setTimeout(resolve, stopMillisMax, "late").unref())
    if ((await Promise.race([exited, late])) === "late") process.kill(-child.pid, "SIGKILL")
  }
  const fail = reason => new StepFailed("docs", reason, tail(output))
  try {
    await new Promise((resolve, reject) => {
      const hear = chunk => {
        output = (output + chunk).slice(-outputCharsMax)
        if (/^ready/m.test(output)) resolve()
      }
      child.stdout.setEncoding("utf8").on("data", hear)
      child.stderr.setEncoding("utf8").on("data", hear)
      child.once("error", error => reject(fail(error.message)))
      child.once("exit", code => reject(fail(`the cluster ended with ${code} before it was ready`)))
      setTimeout(
        () => reject(fail(`the cluster was not ready after ${readyMillisMax / 1_000} s`)),
        readyMillisMax
      ).unref()
    })
  } catch (error) {
    await stop()
    throw error
  }
  return { stop }
}

/** A folder in front of the PATH in which `npx reckon` is this checkout's command; every other `npx` is the real one. */
const writeShim = folder => {
  const realNpx = spawnSync("bash", ["-c", "command -v npx"], { encoding: "utf8" }).stdout.trim()
  const directory = join(folder, "bin")
  mkdirSync(directory)
  const reckon = `exec "${execPath}" "${join(root, "apps", "node", "bin", "reckon.js")}"`
  const lines = [
    "#!/usr/bin/env bash",
    'if [ "$1" = reckon ]; then',
    "  shift",
    `  ${reckon} "$@"`,
    "fi",
    `exec "${realNpx}" "$@"`
  ]
  writeFileSync(join(directory, "npx"), `${lines.join("\n")}\n`)
  chmodSync(join(directory, "npx"), 0o755)
  return directory
}

/** Runs one task to its end; fails with the end of its output. */
const runTask = ({ name, command, args }, options) =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, { ...options, stdio: ["ignore", "pipe", "pipe"], timeout: taskMillisMax })
    let output = ""
    const hear = chunk => {
      output = (output + chunk).slice(-outputCharsMax)
    }
    child.stdout.setEncoding("utf8").on("data", hear)
    child.stderr.setEncoding("utf8").on("data", hear)
    const fail = reason => reject(new StepFailed("docs", `${name}: ${reason}`, tail(output)))
    child.once("error", error => fail(error.message))
    child.once("close", (code, signal) => {
      if (code === 0) resolve()
      else fail(code === null ? `ended by ${signal}, it may take ${taskMillisMax / 1_000} s` : `exit code ${code}`)
    })
  })

/** One step: every marked block and every example. */
export const checkDocs = steps =>
  steps.check("docs", async () => {
    const tasks = [...blocks(), ...examples()]
    if (tasks.length === 0) throw new StepFailed("docs", "no block is marked to be run, and there is no example")
    const folder = mkdtempSync(join(tmpdir(), "reckon-docs-"))
    try {
      const basePort = await freeBasePort()
      const cluster = await startCluster(folder, basePort)
      try {
        const cwd = join(folder, "work")
        mkdirSync(cwd)
        const endpoints = [0, 1, 2].map(offset => `127.0.0.1:${basePort + offset}`).join(",")
        const path = `${writeShim(folder)}${delimiter}${process.env.PATH}`
        const env = { ...process.env, PATH: path, RECKON_ENDPOINTS: endpoints }
        for (const task of tasks) await runTask(task, { cwd, env })
      } finally {
        await cluster.stop()
      }
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
    return `${tasks.length} blocks and examples ran`
  })
