import { LogEntry, Membership, RaftCore } from "@reckon/raft"
import * as Option from "effect/Option"
import { Cluster, commandOf, showMessage } from "./cluster.js"

/**
 * Histories as text. A script is a list of blocks, each closed by an empty line: commands, one a line, then `----`, then
 * all that they made the members say. Lines that begin with `#` are for the reader. The README has the commands.
 */

/** A command that cannot be understood or carried out, and where it stands. */
export class ScriptError extends Error {
  override readonly name = "ScriptError"
  constructor(file: string, line: number, what: string) {
    super(`${file}:${line}: ${what}`)
  }
}

type Words = ReadonlyArray<string>

interface Arguments {
  readonly words: Words
  readonly settings: ReadonlyMap<string, string>
}

/** What a script has: the cluster, once `group` has made it. */
interface Session {
  cluster: Cluster | undefined
}

const clusterOf = ({ cluster }: Session): Cluster => {
  if (cluster === undefined) throw new Error("the first command makes the group")
  return cluster
}

// -----------------------------------------------------------------------------
// arguments
// -----------------------------------------------------------------------------

const word = (words: Words, at: number, what: string): string => {
  const found = words[at]
  if (found === undefined) throw new Error(`${what} is missing`)
  return found
}

const integer = (text: string, what: string): number => {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`${what} wants a whole number, not "${text}"`)
  return value
}

const numberAt = (words: Words, at: number, what: string, otherwise?: number): number =>
  words[at] === undefined && otherwise !== undefined ? otherwise : integer(word(words, at, what), what)

const optionNames: Words = Object.keys(RaftCore.defaults)

const optionsFrom = (settings: ReadonlyMap<string, string>): Partial<RaftCore.Options> =>
  Object.fromEntries(
    [...settings].map(([name, value]) => {
      if (!optionNames.includes(name)) throw new Error(`no option is called "${name}"`)
      return [name, integer(value, name)]
    })
  )

const entriesOf = (terms: string): ReadonlyArray<LogEntry.LogEntry> =>
  terms
    .split(",")
    .filter(term => term !== "")
    .map((term, at) => LogEntry.command(at + 1, integer(term, "log"), new TextEncoder().encode(`old${at + 1}`)))

// -----------------------------------------------------------------------------
// what a member is
// -----------------------------------------------------------------------------

const showConfiguration = ({ learners, removed, voters }: Membership.Configuration): string =>
  [...voters, ...learners.map(id => `+${id}`), ...removed.map(id => `-${id}`)].join(" ")

const showState = (cluster: Cluster, id: string): Words => {
  const { core, up } = cluster.node(id)
  if (!up) return [`${id}   down`]
  const { applyIndex, commitIndex, contradiction, durableIndex, lastIndex, lastTerm, leader, role, term, votedFor } =
    core
  const outside = core.removed ? "removed " : contradiction === undefined ? "" : "set aside "
  const head =
    `${id}   ${outside}${role} term=${term} vote=${votedFor ?? "-"} leader=${leader ?? "-"} ` +
    `last=${lastIndex}/${lastTerm} durable=${durableIndex} commit=${commitIndex} apply=${applyIndex} ` +
    `members=[${showConfiguration(RaftCore.configuration(core))}]`
  const progress = core.progress.map(
    ({ catchUp, id: peer, inflight, matchIndex, nextIndex, paused, phase }) =>
      `${id}     ${peer} ${phase}${paused ? " paused" : ""} match=${matchIndex} next=${nextIndex} ` +
      `inflight=${inflight.length}${catchUp === undefined ? "" : ` round=${catchUp.lastIndex}+${catchUp.ticks}`}`
  )
  return [head, ...progress]
}

const showEntry = (entry: LogEntry.LogEntry): string => {
  const { kind, payload, term } = entry
  switch (kind) {
    case "noop":
      return `${term}:noop`
    case "command":
      return `${term}:${commandOf(entry)}`
    case "configuration": {
      const shown = Option.match(Membership.decode(payload), { onNone: () => "?", onSome: showConfiguration })
      return `${term}:(${shown})`
    }
  }
}

/**
 * The accepted log, its entries as `term:content`, up to where it is durable, then behind a `|` the rest. In brackets what
 * it begins after, where that is not nothing.
 */
const showLog = (cluster: Cluster, id: string): string => {
  const { base, core, log } = cluster.node(id)
  const shown = log.map(showEntry)
  const durable = Math.max(0, core.durableIndex - base.index)
  const rest = shown.slice(durable)
  const beginning = base.index === 0 ? [] : [`[${base.index}/${base.term}]`]
  return [id, " ", ...beginning, ...shown.slice(0, durable), ...(rest.length === 0 ? [] : ["|", ...rest])].join(" ")
}

/** What the state machine has been given, in order. */
const showApplied = (cluster: Cluster, id: string): string =>
  [id, " ", "applied", ...cluster.node(id).disk.machine.map(({ command }) => command)].join(" ")

/** How long since the last word of a leader, or of an election, and how long until this member asks for one. */
const showTimers = (cluster: Cluster, id: string): string => {
  const { electionElapsed, electionTimeout } = cluster.node(id).core
  return `${id}   ${electionElapsed} of ${electionTimeout} ticks`
}

// -----------------------------------------------------------------------------
// commands
// -----------------------------------------------------------------------------

type Command = (session: Session, args: Arguments) => Words | undefined

const chosen = (cluster: Cluster, words: Words): Words => (words.length === 0 ? cluster.ids : words)

const each =
  (show: (cluster: Cluster, id: string) => string | Words): Command =>
  (session, { words }) => {
    const cluster = clusterOf(session)
    return chosen(cluster, words).flatMap(id => show(cluster, id))
  }

const input =
  (make: (words: Words, settings: ReadonlyMap<string, string>) => RaftCore.Input): Command =>
  (session, { settings, words }) => {
    clusterOf(session).feed(word(words, 0, "a member"), make(words.slice(1), settings))
    return undefined
  }

const changeTags: Readonly<Record<string, Membership.Change["_tag"]>> = { add: "Add", remove: "Remove" }

const tickUntilCampaign = (cluster: Cluster, id: string): void => {
  const { electionElapsed, electionTimeout } = cluster.node(id).core
  for (let at = electionElapsed; at < electionTimeout; at++) cluster.feed(id, RaftCore.tick)
}

/** Messages between members, as `deliver`, `duplicate` and `drop` take them: one by its place, or `all` there are now. */
const picked = (cluster: Cluster, words: Words, copy: boolean) => {
  const from = word(words, 0, "a sender")
  const to = word(words, 1, "a receiver")
  const count = words[2] === "all" ? cluster.underWay(from, to).length : 1
  const place = words[2] === "all" ? 1 : numberAt(words, 2, "a place", 1)
  return Array.from({ length: count }, () => cluster.pick(from, to, place, copy))
}

const commands: Readonly<Record<string, Command>> = {
  group: (session, { settings, words }) => {
    const founders = words.filter(id => !id.startsWith("+"))
    session.cluster = new Cluster(optionsFrom(settings))
    for (const id of founders) session.cluster.add(id, founders)
    for (const id of words) if (id.startsWith("+")) session.cluster.add(id.slice(1), [])
    return undefined
  },
  disk: (session, { settings, words }) => {
    const cluster = clusterOf(session)
    const entries = entriesOf(settings.get("log") ?? "")
    for (const id of words) {
      cluster.add(id, cluster.node(id).founders, {
        entries,
        hardState: {
          term: settings.has("term") ? integer(settings.get("term") ?? "", "term") : (entries.at(-1)?.term ?? 0),
          votedFor: settings.get("vote")
        },
        applied: integer(settings.get("applied") ?? "0", "applied")
      })
    }
    return undefined
  },

  tick: (session, { words }) => {
    const times = numberAt(words, words.length - 1, "ticks")
    for (let at = 0; at < times; at++) {
      for (const id of words.slice(0, -1)) clusterOf(session).feed(id, RaftCore.tick)
    }
    return undefined
  },
  pass: (session, { words }) => {
    const cluster = clusterOf(session)
    const ids = chosen(cluster, words.slice(1))
    for (let at = 0; at < numberAt(words, 0, "ticks"); at++) {
      for (const id of ids) cluster.feed(id, RaftCore.tick)
      cluster.stabilise(ids)
    }
    return undefined
  },
  timeout: (session, { words }) => {
    for (const id of words) tickUntilCampaign(clusterOf(session), id)
    return undefined
  },
  campaign: input(() => ({ _tag: "Campaign" })),
  propose: input((ids, settings) => ({
    _tag: "Propose",
    proposals: ids.map(id => ({
      id: integer(id, "a proposal"),
      payload: new TextEncoder().encode(id.padEnd(integer(settings.get("bytes") ?? "0", "bytes"), "."))
    }))
  })),
  read: input(words => ({ _tag: "ReadIndex", id: numberAt(words, 0, "a read") })),
  change: input(words => {
    const _tag = changeTags[word(words, 1, "add or remove")]
    if (_tag === undefined) throw new Error(`a change is add or remove, not "${words[1]}"`)
    return {
      _tag: "ChangeMembership",
      id: numberAt(words, 0, "a change"),
      change: { _tag, member: word(words, 2, "a name") }
    }
  }),
  transfer: input(words => ({
    _tag: "TransferLeadership",
    id: numberAt(words, 0, "a transfer"),
    target: word(words, 1, "a target")
  })),

  sync: (session, { words }) => {
    clusterOf(session).sync(word(words, 0, "a member"), numberAt(words, 1, "writes", Number.MAX_SAFE_INTEGER))
    return undefined
  },
  crash: (session, { settings, words }) => {
    const applied = settings.get("applied")
    clusterOf(session).crash(
      word(words, 0, "a member"),
      integer(settings.get("kept") ?? "0", "kept"),
      applied === undefined ? undefined : integer(applied, "applied")
    )
    return undefined
  },
  restart: (session, { words }) => {
    clusterOf(session).restart(word(words, 0, "a member"))
    return undefined
  },
  compact: (session, { words }) => {
    clusterOf(session).compact(word(words, 0, "a member"), numberAt(words, 1, "an index"))
    return undefined
  },

  carry: (session, { words }) => {
    clusterOf(session).carry(word(words, 0, "a sender"), word(words, 1, "a receiver"))
    return undefined
  },
  carried: (session, { words }) => {
    clusterOf(session).conclude(word(words, 0, "a sender"), word(words, 1, "a receiver"), "SnapshotDelivered")
    return undefined
  },
  lost: (session, { words }) => {
    clusterOf(session).conclude(word(words, 0, "a sender"), word(words, 1, "a receiver"), "SnapshotFailed")
    return undefined
  },

  deliver: (session, { words }) => {
    const cluster = clusterOf(session)
    for (const message of picked(cluster, words, false)) cluster.deliver(message)
    return undefined
  },
  duplicate: (session, { words }) => {
    const cluster = clusterOf(session)
    for (const message of picked(cluster, words, true)) cluster.deliver(message)
    return undefined
  },
  drop: (session, { words }) => {
    picked(clusterOf(session), words, false)
    return undefined
  },
  cut: (session, { words }) => {
    const cluster = clusterOf(session)
    const from = word(words, 0, "a member")
    for (const to of words.length === 1 ? cluster.ids : words.slice(1)) {
      cluster.cut(from, to)
      cluster.cut(to, from)
    }
    return undefined
  },
  heal: session => {
    clusterOf(session).heal()
    return undefined
  },
  stabilise: (session, { words }) => {
    const cluster = clusterOf(session)
    cluster.stabilise(chosen(cluster, words))
    return undefined
  },
  elect: (session, { words }) => {
    const cluster = clusterOf(session)
    const id = word(words, 0, "a member")
    cluster.feed(id, { _tag: "Campaign" })
    cluster.stabilise(words.length === 1 ? cluster.ids : words)
    // how elections go is the matter of other scripts
    cluster.take()
    return showState(cluster, id).slice(0, 1)
  },

  state: each(showState),
  timers: each(showTimers),
  log: each(showLog),
  applied: each(showApplied),
  messages: session => clusterOf(session).underWay().map(showMessage)
}

/** With `quietly` before it a command tells what members report, and leaves out messages and writes. */
const run = (session: Session, line: string): Words => {
  const isQuiet = line.startsWith("quietly ")
  const [name = "", ...rest] = line.slice(isQuiet ? "quietly ".length : 0).split(/\s+/)
  const command = Object.entries(commands).find(([known]) => known === name)?.[1]
  if (command === undefined) throw new Error(`no command is called "${name}"`)
  const settings = new Map(
    rest
      .filter(part => part.includes("="))
      .map(part => [part.slice(0, part.indexOf("=")), part.slice(part.indexOf("=") + 1)] as const)
  )
  const carryOut = () => command(session, { words: rest.filter(part => !part.includes("=")), settings })
  const shown = isQuiet ? clusterOf(session).briefly(carryOut) : carryOut()
  return [...(session.cluster?.take() ?? []), ...(shown ?? [])]
}

// -----------------------------------------------------------------------------
// scripts
// -----------------------------------------------------------------------------

/** What the comment at the head of a script says first. */
export const titleOf = (text: string): string => text.slice(2, text.indexOf("\n")).trim()

/** The script with what its commands say now in the place of what it says they do. */
export const replay = (file: string, text: string): string => {
  const session: Session = { cluster: undefined }
  const replayed: Array<string> = []
  let said: Array<string> = []
  let isAnswer = false
  text.split("\n").forEach((line, at) => {
    if (isAnswer) {
      if (line === "") {
        replayed.push("")
        isAnswer = false
      }
      return
    }
    replayed.push(line)
    if (line === "----") {
      replayed.push(...said)
      said = []
      isAnswer = true
    } else if (line !== "" && !line.startsWith("#")) {
      try {
        said.push(...run(session, line))
      } catch (cause) {
        throw new ScriptError(file, at + 1, cause instanceof Error ? cause.message : String(cause))
      }
    } else if (said.length > 0) {
      throw new ScriptError(file, at + 1, "what was said before needs its ----")
    }
  })
  return replayed.join("\n")
}
