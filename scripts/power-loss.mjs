#!/usr/bin/env node
/**
 * The power is lost while a store writes, again and again: what it acknowledged must be there afterwards.
 *
 *   node scripts/power-loss.mjs [--cluster] [--losses N] [--lives N] [--appends N] [--seed N]
 *
 * The store is embedded in one process, or with `--cluster` that of three nodes, which lose their power all at once, and of which one is killed now and then before. Every call of a process to the disk is
 * recorded. The recording is then played up to a chosen place on a model of a disk that keeps what was
 * synced, and of the rest whatever chance says (`power-loss/disk.mjs`). A store is started on what is left, and judged. The next life begins on what such a loss has left, so that
 * the power also goes while a store recovers; lives cut their logs often and seldom in turns.
 *
 * It needs Linux and a C compiler, `cc`. The seed decides where the power goes and what is lost, not what the recorded process did. Exit code 0: all held; 1: something did
 * not, and what is needed to look at it stays in a folder that is named; 2: wrong usage, no compiler, or nothing built.
 */
import { randomInt } from "node:crypto"
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"
import { parseArgs } from "node:util"
import { Disk, fates } from "./power-loss/disk.mjs"
import { compile, filesOf, operations } from "./power-loss/recording.mjs"

const usage = "usage: node scripts/power-loss.mjs [--cluster] [--losses N] [--lives N] [--appends N] [--seed N]"

const fail = message => {
  process.stderr.write(`${message}\n`)
  process.exit(2)
}

const readOptions = () => {
  const string = { type: "string" }
  try {
    const cluster = { type: "boolean", default: false }
    return parseArgs({ options: { cluster, losses: string, lives: string, appends: string, seed: string } }).values
  } catch (cause) {
    return fail(`${cause.message}\n${usage}`)
  }
}

const values = readOptions()

const number = (name, otherwise, least) => {
  if (values[name] === undefined) return otherwise
  const value = Number(values[name])
  return Number.isSafeInteger(value) && value >= least ? value : fail(`--${name} is a number from ${least}\n${usage}`)
}

const losses = number("losses", 100, 1)
const lives = number("lives", 4, 1)
const appends = number("appends", 5_000, 100)
const seed = number("seed", randomInt(2 ** 31), 0)

const notBuilt = () => fail("nothing built: run `npx tsc -b apps/node packages/testkit` first")
const { cluster, embedded } = await import("./power-loss/hosts.mjs").catch(notBuilt)
const { judge } = await import("./power-loss/judge.mjs").catch(notBuilt)
const host = values.cluster ? cluster : embedded

/** Mulberry32: from 0 up to 1. */
let state = seed
const random = () => {
  state = (state + 0x6d2b79f5) | 0
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
}
const pick = list => list[Math.floor(random() * list.length)]

const say = line => process.stdout.write(`${line}\n`)

const root = mkdtempSync(join(tmpdir(), "reckon-power-loss-"))
const library = compile(root)
if (library === undefined) {
  rmSync(root, { recursive: true })
  fail("there is no C compiler `cc` on the PATH, or this is not Linux: nothing to record with")
}

const fileOf = operation => `${operation.process} ${operation.file}`

const isName = ({ _tag }) =>
  _tag === "Open" || _tag === "Link" || _tag === "Rename" || _tag === "Unlink" || _tag === "SyncNames"

/** Most of the time something is written to a log. Faults are where things are done seldom: a third of the losses are where names change, another where a store's file does. */
const choosePlaces = (recorded, count) => {
  const paths = new Map()
  const [names, stores] = [[], []]
  for (const [at, operation] of recorded.entries()) {
    const file = fileOf(operation)
    if (operation._tag === "Open") paths.set(file, operation.path)
    if (isName(operation)) names.push(at + 1)
    else if (paths.get(file)?.endsWith("events.sqlite")) stores.push(at + 1)
  }
  const one = () => {
    const kind = random()
    return kind < 1 / 3 ? pick(names) : kind < 2 / 3 ? pick(stores) : Math.floor(random() * (recorded.length + 1))
  }
  return Array.from({ length: count }, one).sort((a, b) => a - b)
}

const linesOf = bytes =>
  bytes
    .toString()
    .split("\n")
    .filter(line => line !== "")
    .map(line => line.split(" "))

let failures = 0
let unsynced = 0

/** One loss: what it leaves is kept as the start of the next life, if it is to be that and holds. */
const lose = async ({ disk, folder, next, told, what }) => {
  const fate = pick(fates)
  mkdirSync(join(folder, "data"), { recursive: true })
  const { kept, lost } = disk.lose(folder, fate, random)
  unsynced += kept + lost
  if (next !== undefined) cpSync(folder, next, { recursive: true })
  const wrong = await judge(host, folder, told)
  if (wrong.length === 0) {
    rmSync(folder, { recursive: true })
    return next
  }
  failures += 1
  say(`${what}; unsynced: ${fate} (${kept} kept, ${lost} lost), ${told.length} told`)
  for (const line of wrong) say(`  ${line}`)
  say(`  what was left, opened since: ${folder}`)
  return undefined
}

/** A life that begins with what lies in the folder, and the losses in it. Answers the folder that the next one begins with. */
const live = async (life, folder) => {
  const log = join(root, `recording-${life}`)
  const cuts = life % 2 === 1 ? "often" : "seldom"
  const disk = new Disk(folder)
  await host.live({ appends, cuts, folder, library, log })
  const recorded = operations(log)
  const places = choosePlaces(recorded, Math.ceil(losses / lives))
  const last = Math.floor(places.length / 2)
  const told = []
  const paths = new Map()
  let start = folder
  let at = 0
  for (const [turn, place] of places.entries()) {
    for (; at < place; at++) {
      const operation = recorded[at]
      const file = fileOf(operation)
      if (operation._tag === "Open") paths.set(file, operation.path)
      // What a life told is for us alone: it is on no disk.
      if (paths.get(file) !== "told") disk.take(operation)
      else if (operation._tag === "Write") told.push(...linesOf(operation.bytes))
    }
    const left = join(root, `life-${life}-loss-${turn + 1}`)
    const next = turn === last ? join(root, `life-${life + 1}`) : undefined
    const what = `life ${life}, the power lost after operation ${place} of ${recorded.length}`
    start = (await lose({ disk, folder: left, next, told, what })) ?? start
  }
  const openings = [...paths.values()].filter(path => path.endsWith("/events.sqlite")).length
  say(
    `life ${life}: ${recorded.length} operations, ${told.length} told, log cut ${cuts}, ${filesOf(log).length} processes, ${openings} openings of a store's file`
  )
  if (failures === 0) for (const file of filesOf(log)) rmSync(file)
  return start
}

say(`seed ${seed}: ${losses} losses in ${lives} lives of ${appends} appends`)
let start = join(root, "life-1")
mkdirSync(start)
for (let life = 1; life <= lives; life++) start = await live(life, start)
say(`${unsynced} unsynced writes and blocks were kept or lost`)
say(failures === 0 ? "all held" : `${failures} did not hold: the recordings are in ${root}`)
if (failures === 0) rmSync(root, { recursive: true })
process.exit(failures === 0 ? 0 : 1)
