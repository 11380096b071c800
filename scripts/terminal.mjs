/**
 * How the scripts talk: numbered steps with the seconds they took, a sign of life while a long one runs, and the end of
 * its output when it fails. Nothing here needs an installed package, because these scripts are what installs them.
 */
import { spawn } from "node:child_process"

/** A step that went wrong. `advice` says what the reader can do about it, a line each. */
export class StepFailed extends Error {
  constructor(step, reason, output = [], advice = []) {
    super(`${step}: ${reason}`)
    this.output = output
    this.advice = advice
  }
}

/** Lines of output shown when a step fails: enough for a compiler's error and its context. */
const tailLinesMax = 40
/** Lines kept for looking up advice: an early line often names the cause that the last ones only mourn. */
const keptLinesMax = 4_000
const heartbeatSeconds = 10
const redrawMillis = 250

const terminal = process.stdout.isTTY === true
// biome-ignore lint/suspicious/noControlCharactersInRegex: the escape character is what starts a colour sequence
const escapes = /\u001b\[[0-9;?]*[A-Za-z]/g

const nowSeconds = () => Number(process.hrtime.bigint()) / 1e9

/** Seconds since `start` as a reader wants them: `0.4 s`, `83 s`. */
const since = start => {
  const elapsed = nowSeconds() - start
  return elapsed < 10 ? `${elapsed.toFixed(1)} s` : `${Math.round(elapsed)} s`
}

export const say = (line = "") => {
  process.stdout.write(`${line}\n`)
}

/**
 * The environment for the package manager. npm and npx describe themselves to their children in variables that another package
 * manager takes for its own settings; these are dropped, what a user may have set (proxy, cache, registry) stays.
 */
export const cleanEnvironment = () => {
  const own =
    /^npm_(package_.*|lifecycle_.*|command|execpath|node_execpath|config_(call|package|user_agent|local_prefix|global_prefix|prefix|globalconfig|userconfig|init_module|node_gyp|noproxy|npm_version))$/i
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !own.test(name)))
}

/** Numbers the steps of one script: `[2/5]`. A step that turns out to be done already is told with {@link Steps.skip}. */
export class Steps {
  constructor(total) {
    this.total = total
    this.number = 0
    this.passed = 0
  }

  label(title) {
    this.number += 1
    return `[${this.number}/${this.total}] ${title}`
  }

  /** Announces a step that needs no work, and why. */
  skip(title, why) {
    say(`${this.label(title)}: ${why}`)
    this.passed += 1
  }

  /** A step done by this process itself. */
  async check(title, body) {
    const label = this.label(title)
    const start = nowSeconds()
    const found = await body()
    say(`${label}: ${found} (${since(start)})`)
    this.passed += 1
  }

  /**
   * Runs one command as a step. Its output is kept back and shown only if it fails, or passed through with
   * `stream: true`; either way silence is broken by a heartbeat. Fails with {@link StepFailed}, whose advice
   * `advise(text)` finds in the output, unless `mayFail` leaves the exit code to the caller.
   */
  async run(title, command, args, options = {}) {
    const label = this.label(title)
    const start = nowSeconds()
    if (options.note !== undefined) say(`${label} - ${options.note}`)
    else if (options.stream === true || !terminal) say(`${label} ...`)
    const { code, lines } = await execute(label, start, command, args, options)
    if (code !== 0 && options.mayFail !== true) {
      const advice = options.advise === undefined ? [] : options.advise(lines.join("\n"))
      const shown = options.stream === true ? [] : lines.slice(-tailLinesMax)
      throw new StepFailed(label, `${code} after ${since(start)}`.replace(/^(\d+)/, "exit code $1"), shown, advice)
    }
    say(`${label}: ${code === 0 ? "done" : `exit code ${code}`} (${since(start)})`)
    if (code === 0) this.passed += 1
    return { code, lines }
  }
}

const execute = (label, start, command, args, options) =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: options.env === undefined ? process.env : options.env,
      stdio: ["ignore", "pipe", "pipe"]
    })
    const lines = []
    let partial = ""
    let lastHeard = start
    const hear = chunk => {
      lastHeard = nowSeconds()
      if (options.stream === true) process.stdout.write(chunk)
      const parts = (partial + chunk).split(/\r?\n|\r/)
      partial = parts.pop()
      for (const part of parts) {
        const line = part.replace(escapes, "").trimEnd()
        if (line !== "") lines.push(line)
      }
      if (lines.length > keptLinesMax) lines.splice(0, lines.length - keptLinesMax)
    }
    child.stdout.setEncoding("utf8").on("data", hear)
    child.stderr.setEncoding("utf8").on("data", hear)

    const lastLine = () => (lines.length === 0 ? "" : lines[lines.length - 1].trim())
    const redraw = () => {
      const line = `${label} ${since(start)}  ${lastLine()}`
      process.stdout.write(`\r\u001b[K${line.slice(0, (process.stdout.columns || 80) - 1)}`)
    }
    const beat = () => {
      if (options.stream === true && nowSeconds() - lastHeard < heartbeatSeconds) return
      say(`      ${since(start)}  ${lastLine().slice(0, 100)}`)
    }
    const redraws = terminal && options.stream !== true
    const timer = redraws ? setInterval(redraw, redrawMillis) : setInterval(beat, heartbeatSeconds * 1_000)

    // A terminal interrupts the whole group, the child included; a signal sent to this process alone is passed on.
    const stop = signal => {
      child.kill(signal)
      settle()
      reject(
        new StepFailed(
          label,
          `stopped by ${signal} after ${since(start)}`,
          [],
          ["Run the same command again: it goes on from here."]
        )
      )
    }
    const onInterrupt = () => stop("SIGINT")
    const onTerminate = () => stop("SIGTERM")
    const settle = () => {
      clearInterval(timer)
      process.off("SIGINT", onInterrupt)
      process.off("SIGTERM", onTerminate)
      if (redraws) process.stdout.write("\r\u001b[K")
    }
    process.once("SIGINT", onInterrupt)
    process.once("SIGTERM", onTerminate)
    child.once("error", error => {
      settle()
      reject(new StepFailed(label, `${command} cannot be run: ${error.message}`, [], options.advise?.(error.message)))
    })
    child.once("close", (code, signal) => {
      settle()
      if (partial.trim() !== "") lines.push(partial.replace(escapes, "").trimEnd())
      resolve({ code: code === null ? `killed by ${signal}` : code, lines })
    })
  })

/** Prints a failure: the end of the step's output, what failed, what to do. */
export const explain = error => {
  if (!(error instanceof StepFailed)) {
    say(error instanceof Error ? (error.stack ?? error.message) : String(error))
    return
  }
  for (const line of error.output) say(`  | ${line}`)
  say(`FAILED ${error.message}`)
  for (const line of error.advice) say(`  ${line}`)
}
