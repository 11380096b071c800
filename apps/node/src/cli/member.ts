/**
 * `reckon member`: the nodes that keep a store, and changes of that while they run.
 *
 * @since 0.1.0
 */
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import type { MembershipRpcs } from "@reckon/client"
import * as Effect from "effect/Effect"
import { connect, sharedOptions } from "./shared/options.js"
import { plain, printJson, printLine } from "./shared/print.js"
import { table } from "./shared/table.js"

const member = Args.text({ name: "NAME" }).pipe(Args.withDescription("the node's name"))

const columns = ["member", "address", "role", "lag", "heard"]

const cells = ({ active, address, lag, name, role }: MembershipRpcs.StoreMember): ReadonlyArray<string> => [
  plain(name),
  address === null ? "-" : plain(address),
  role,
  lag === null ? "-" : `${lag}`,
  active === null ? "-" : active ? "yes" : "no"
]

const list = Command.make("list", sharedOptions, options =>
  Effect.gen(function* () {
    const { client } = yield* connect(options)
    const found = yield* client.members
    if (options.json) return yield* printJson(found)
    yield* printLine(table([columns, ...found.members.map(cells)]))
    if (found.leader === null) yield* printLine(`${plain(found.node)}, which answers, knows of no leader`)
    for (const { address, name } of found.waiting) {
      yield* printLine(`${plain(name)} at ${plain(address)} waits to join: reckon member add ${plain(name)}`)
    }
  }).pipe(Effect.scoped)
).pipe(Command.withDescription("Shows who keeps the store, who leads, and who waits to join"))

const add = Command.make("add", { member, ...sharedOptions }, options =>
  Effect.gen(function* () {
    const { client } = yield* connect(options)
    yield* client.addMember(options.member)
    if (options.json) return yield* printJson({ member: options.member, state: "added" })
    yield* printLine(`${plain(options.member)}: added, and votes once it has what the others have (reckon member list)`)
  }).pipe(Effect.scoped)
).pipe(Command.withDescription("Adds a node that was started with --join"))

const remove = Command.make("remove", { member, ...sharedOptions }, options =>
  Effect.gen(function* () {
    const { client } = yield* connect(options)
    yield* client.removeMember(options.member)
    if (options.json) return yield* printJson({ member: options.member, state: "removed" })
    yield* printLine(`${plain(options.member)}: removed; stop it, its name is not given again`)
  }).pipe(Effect.scoped)
).pipe(Command.withDescription("Removes a node for ever, one that is lost as well as one that runs"))

const transfer = Command.make("transfer", { member, ...sharedOptions }, options =>
  Effect.gen(function* () {
    const { client } = yield* connect(options)
    yield* client.transferLeadership(options.member)
    if (options.json) return yield* printJson({ member: options.member, state: "leader" })
    yield* printLine(`${plain(options.member)}: leads`)
  }).pipe(Effect.scoped)
).pipe(Command.withDescription("Makes another node the leader"))

/**
 * @since 0.1.0
 * @category commands
 */
export const memberCommand = Command.make("member").pipe(
  Command.withDescription("The nodes that keep a store"),
  Command.withSubcommands([list, add, remove, transfer])
)
