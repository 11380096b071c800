/** What a process did to the files of a folder, as `record.c` wrote it down. */
import { spawn, spawnSync } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import process from "node:process"
import { fileURLToPath } from "node:url"

const source = fileURLToPath(new URL("record.c", import.meta.url))

/** Compiles the recorder; undefined where there is no compiler for it, or no Linux. */
export const compile = folder => {
  if (process.platform !== "linux") return undefined
  const library = join(folder, "record.so")
  const { error, status, stderr } = spawnSync("cc", [
    "-O1",
    "-shared",
    "-fPIC",
    "-o",
    library,
    source,
    "-ldl",
    "-lpthread"
  ])
  if (error !== undefined) return undefined
  if (status !== 0) throw new Error(`the recorder does not compile: ${stderr}`)
  return library
}

/** The environment in which a process, and those that it starts, write down what they do to the folder. */
export const recorded = ({ folder, library, log }) => ({
  ...process.env,
  LD_PRELOAD: library,
  RECORD_ROOT: folder,
  RECORD_LOG: log,
  // Its writes would go past the recorder.
  UV_USE_IO_URING: "0"
})

/** Runs a program of Node.js to its end. */
export const run = (program, env) =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, program, { env, stdio: ["ignore", "ignore", "pipe"] })
    let said = ""
    child.stderr.on("data", text => {
      said = `${said}${text}`.slice(-4_000)
    })
    child.on("error", reject)
    child.on("close", (code, signal) =>
      code === 0 ? resolve() : reject(new Error(`${program.join(" ")} ended with ${code ?? signal}: ${said}`))
    )
  })

const headBytes = 5

const decoders = {
  O: body => ({ _tag: "Open", file: body.readUInt32LE(0), path: body.toString("utf8", 4) }),
  W: body => ({
    _tag: "Write",
    file: body.readUInt32LE(0),
    at: Number(body.readBigUInt64LE(4)),
    bytes: body.subarray(12)
  }),
  T: body => ({ _tag: "Resize", file: body.readUInt32LE(0), size: Number(body.readBigUInt64LE(4)) }),
  F: body => ({ _tag: "Sync", file: body.readUInt32LE(0) }),
  D: body => ({ _tag: "SyncNames", folder: body.toString() }),
  E: body => ({ _tag: "Synced", begun: Number(body.readBigUInt64LE(0)) }),
  U: body => ({ _tag: "Unlink", path: body.toString() }),
  L: body => ({ _tag: "Link", ...twoPaths(body) }),
  R: body => ({ _tag: "Rename", ...twoPaths(body) })
}

const twoPaths = body => {
  const end = 4 + body.readUInt32LE(0)
  return { path: body.toString("utf8", 4, end), to: body.toString("utf8", end) }
}

/** The operations of one process, in their order. The last may be cut short. */
const operationsOf = file => {
  const bytes = readFileSync(file)
  const found = []
  for (let at = 0; at + headBytes <= bytes.length; ) {
    const end = at + headBytes + bytes.readUInt32LE(at + 1)
    if (end > bytes.length) break
    const time = Number(bytes.readBigUInt64LE(at + headBytes))
    const decode = decoders[String.fromCharCode(bytes[at])]
    found.push({ process: file, time, ...decode(bytes.subarray(at + headBytes + 8, end)) })
    at = end
  }
  return found
}

/** The files of a log, one for each process. */
export const filesOf = log =>
  readdirSync(dirname(log))
    .filter(name => name.startsWith(`${basename(log)}.`))
    .map(name => join(dirname(log), name))

/** The operations of all processes, in the order of their times. */
export const operations = log =>
  filesOf(log)
    .flatMap(operationsOf)
    .sort((one, other) => one.time - other.time)
