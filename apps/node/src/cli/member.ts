/**
 * `reckon member`: the nodes that keep a store, and changes of that while they run.
 *
 * @since 0.1.0
 */
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import type { Client, MembershipRpcs } from "@reckon/client"
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

/** A change, and what is said when it is made. */
const change = (
  name: string,
  description: string,
  ask: (client: Client.Service, member: string) => ReturnType<Client.Service["addMember"]>,
  became: { readonly state: string; readonly words: string }
) =>
  Command.make(name, { member, ...sharedOptions }, options =>
    Effect.gen(function* () {
      const { client } = yield* connect(options)
      yield* ask(client, options.member)
      if (options.json) return yield* printJson({ member: options.member, state: became.state })
      yield* printLine(`${plain(options.member)}: ${became.words}`)
    }).pipe(Effect.scoped)
  ).pipe(Command.withDescription(description))

const add = change("add", "Adds a node that was started with --join", (client, name) => client.addMember(name), {
  state: "added",
  words: "added, and votes once it has what the others have (reckon member list)"
})

const remove = change(
  "remove",
  "Removes a node for ever, one that is lost as well as one that runs",
  (client, name) => client.removeMember(name),
  { state: "removed", words: "removed; stop it, its name is not given again" }
)

const transfer = change(
  "transfer",
  "Makes another node the leader",
  (client, name) => client.transferLeadership(name),
  {
    state: "leader",
    words: "leads"
  }
)

/**
 * @since 0.1.0
 * @category commands
 */
export const memberCommand = Command.make("member").pipe(
  Command.withDescription("The nodes that keep a store"),
  Command.withSubcommands([list, add, remove, transfer])
)
