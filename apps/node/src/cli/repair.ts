/**
 * `reckon repair`: looks into the log of a node that is stopped, and lets it go on alone where a majority is lost for good.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as StoreFolder from "@reckon/db/StoreFolder"
import * as Membership from "@reckon/raft/Membership"
import { RaftLogError } from "@reckon/raft/RaftError"
import * as Repair from "@reckon/raft/Repair"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { repeated, sharedOptions, store as storeNamed, usage } from "./shared/options.js"
import { plain, printJson, printLine } from "./shared/print.js"

const { json } = sharedOptions
const store = Options.withDefault(storeNamed("default"), "default")
const dataDir = Options.text("data-dir").pipe(
  Options.withPseudoName("DIR"),
  Options.withDescription("the folder that holds the stopped node's data")
)
const name = Options.text("name").pipe(
  Options.withPseudoName("NAME"),
  Options.withDescription("the node's name in the cluster")
)

interface Place {
  readonly dataDir: string
  readonly store: string
}

const folderOf = ({ dataDir, store }: Place): string => StoreFolder.inDataDir(dataDir, store)

const fileOf = (place: Place): string => StoreFolder.logFile(folderOf(place))

const list = (names: ReadonlyArray<string>): string => (names.length === 0 ? "-" : plain(names.join(", ")))

// -----------------------------------------------------------------------------
// inspect
// -----------------------------------------------------------------------------

const describe = (found: Repair.Inspection): ReadonlyArray<string> => {
  const { voters, learners, removed } = found.configuration?.configuration ?? { voters: [], learners: [], removed: [] }
  const members =
    found.configuration === undefined
      ? ["members   those it was founded with, of whom the log does not know"]
      : [`voters    ${list(voters)}`, `learners  ${list(learners)}`, `removed   ${list(removed)}`]
  return [
    `log       ${plain(found.filename)}`,
    `group     ${found.groupIncarnation === undefined ? "of no incarnation yet" : `incarnation ${found.groupIncarnation}`}`,
    `term      ${found.term}, voted for ${found.votedFor === undefined ? "nobody" : plain(found.votedFor)}`,
    `entries   ${found.baseIndex + 1} to ${found.lastIndex}, the last of term ${found.lastTerm}`,
    ...members
  ]
}

/** What the configuration in force says of a node. */
const standingOf = (node: string, { configuration: placed }: Repair.Inspection): string => {
  if (placed === undefined) return "unknown"
  const { learners, removed, voters } = placed.configuration
  if (voters.includes(node)) return "voter"
  if (learners.includes(node)) return "learner"
  return removed.includes(node) ? "removed" : "no member"
}

const inspect = Command.make("inspect", { dataDir, store, name: Options.optional(name), json }, options =>
  Effect.gen(function* () {
    const found = yield* Repair.inspect(fileOf(options))
    const standing = Option.map(options.name, node => ({ node, standing: standingOf(node, found) }))
    if (options.json) {
      const configuration = found.configuration ?? null
      const votedFor = found.votedFor ?? null
      const groupIncarnation = found.groupIncarnation ?? null
      return yield* printJson({
        ...found,
        groupIncarnation,
        votedFor,
        configuration,
        ...Option.getOrUndefined(standing)
      })
    }
    yield* Effect.forEach(describe(found), printLine, { discard: true })
    if (Option.isSome(standing)) yield* printLine(`${plain(standing.value.node)}: ${standing.value.standing}`)
  })
).pipe(
  Command.withDescription(
    "Shows what the log of a stopped node holds: of those that are left, the one with the greatest last term, and then the most entries, loses the least"
  )
)

// -----------------------------------------------------------------------------
// force-shrink
// -----------------------------------------------------------------------------

const phrase = "i-understand-that-acknowledged-writes-may-be-lost"

const confirmed = Options.text(phrase).pipe(
  Options.withPseudoName("NAME"),
  Options.withDescription("the node's name once more; without it the command only says what would be lost"),
  Options.optional
)

const founders = repeated("member").pipe(
  Options.withPseudoName("NAME"),
  Options.withDescription(
    "a node the cluster was founded with, repeatable; needed where its log does not say who its members are"
  )
)

/** The node whose folder it is, where that has been written beside the log. Under another name its node would not start any more, nor would that other one there. */
const ownerOf = (folder: string) =>
  Effect.try({
    try: () => StoreFolder.ownerOf(folder),
    catch: cause =>
      new RaftLogError({
        filename: StoreFolder.memberFile(folder),
        detail: `cannot be read; check the rights on it (${cause instanceof Error ? cause.message : cause})`
      })
  })

/** What would be given up, as far as that can be known. */
const warn = (options: { readonly name: string; readonly member: ReadonlyArray<string> }, found: Repair.Inspection) =>
  Effect.gen(function* () {
    const members = found.configuration ? Membership.members(found.configuration.configuration) : options.member
    yield* printLine(
      `${plain(options.name)} would go on alone, without ${list(members.filter(m => m !== options.name))}.`
    )
    yield* Effect.forEach(Repair.consequences, line => printLine(`- ${line}`), { discard: true })
  })

const forceShrink = Command.make("force-shrink", { dataDir, store, name, member: founders, confirmed, json }, options =>
  Effect.gen(function* () {
    const filename = fileOf(options)
    const owner = yield* ownerOf(folderOf(options))
    if (owner !== undefined && owner !== options.name) {
      return yield* Effect.fail(usage(`--name is '${options.name}', and the folder is that of the node '${owner}'`))
    }
    if (Option.getOrUndefined(options.confirmed) !== options.name) {
      yield* warn(options, yield* Repair.inspect(filename))
      return yield* Effect.fail(usage(`nothing was done: to go on, repeat the node's name with --${phrase}`))
    }
    const { configuration, givenUp, index, self, term } = yield* Repair.forceShrink({
      filename,
      self: options.name,
      founders: [...new Set(options.member)],
      confirmation: Repair.confirmationFor(options.name)
    })
    if (options.json) return yield* printJson({ self, givenUp, index, term, configuration })
    yield* printLine(`${plain(self)} is alone, from entry ${index} of term ${term} on. Given up: ${list(givenUp)}.`)
    yield* printLine(
      "Start its node, which keeps the store alone: no command adds others yet. The old ones must never run again."
    )
  })
).pipe(
  Command.withDescription(
    "Lets a stopped node go on alone where a majority of the cluster is lost for good. Acknowledged writes may be lost"
  )
)

/**
 * @since 0.1.0
 * @category commands
 */
export const repair = Command.make("repair").pipe(
  Command.withDescription("A node's files, while the node is stopped"),
  Command.withSubcommands([inspect, forceShrink])
)
